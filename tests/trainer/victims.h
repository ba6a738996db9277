/* Jobs that are meant to end badly: a program under mpirun, in a folder that takes what it says and
 * marks its processes. TY_MPIEXEC and TY_VICTIM come from CMake; the program is called
 *   TY_VICTIM SCENARIO DEADLINE_S RANKS_PER_NODE FOLDER
 * and writes the moment of the fault (CLOCK_MONOTONIC, seconds) to FOLDER/fault. */
#ifndef TY_TESTS_TRAINER_VICTIMS_H
#define TY_TESTS_TRAINER_VICTIMS_H

#include <sys/types.h>

#include "tests/support/temp_folder.h"

/* Of the jobs' comms. */
static const double victim_deadline_s = 2;

typedef struct victim_outcome {
    int exit_code;  /* mpirun's; 128 + signal */
    double after_s; /* from the fault to mpirun's end */
    char *said;     /* stdout and stderr */
} victim_outcome;

typedef struct victim_job {
    pid_t pid;
    const char *folder;
} victim_job;

double victim_now_s(void);
void victim_sleep_ms(int ms);

/* A folder of the test's own, as its state. */
int victim_make_folder(void **state);
int victim_remove_folder(void **state);

victim_job victim_launch(const temp_folder *folder, const char *scenario, int n,
                         int ranks_per_node);
/* Waits for the end and for all processes; fails the test where it hangs or a sum was wrong. The
 * outcome is to be cleared. */
victim_outcome victim_end(const victim_job *job);
victim_outcome victim_run(void **state, const char *scenario, int n, int ranks_per_node);
void victim_clear(victim_outcome *end);

/* A file of the folder, to be freed; empty where there is none. */
char *victim_read(const char *folder, const char *name);

void assert_victim_said(const victim_outcome *end, const char *words);
void assert_victim_in_time(const victim_outcome *end, double limit_s);
/* Every rank said "rank R fails: ..." with these words on that line. */
void assert_victims_say(const victim_outcome *end, int n, const char *words);

#endif
