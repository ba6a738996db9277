/* The processes that run a sweep's trials, `tiltyard train` or any other program, and what they say.
 * One slot is one trial at a time. Nothing here knows what a verdict is made of: sweep_run.c does. */
#ifndef TY_CLI_SWEEP_SWEEP_SLOTS_H
#define TY_CLI_SWEEP_SWEEP_SLOTS_H

#include <sys/types.h>

#include "base/base.h"

enum { SLOTS_MAX = 256 };

typedef enum slot_news_kind {
    SLOT_REPORT, /* an evaluation: wants slots_answer */
    SLOT_END     /* the process has ended, and everything it said was heard */
} slot_news_kind;

typedef struct slot_news {
    slot_news_kind kind;
    int slot;
    size_t trial;
    /* REPORT */
    double step, epoch;
    const json_t *metrics; /* until the next call */
    /* END */
    const char *end; /* as the trial told it: "complete", "stopped", "paused", "failed"; "" */
    const char *reason, *run, *run_id; /* "" where it said nothing */
    int code;                          /* of its exit; below 0: the signal that ended it, negated */
} slot_news;

typedef struct slots slots;

/* SIGCHLD and the signals that stop are read by slots_wait: to be called before anything starts threads,
 * which would get them otherwise. */
void slots_block_signals(void);

/* Whether a signal that stops has come which slots_wait has not read yet: whoever waits for something
 * else waits no longer. */
bool slots_is_interrupted(void);
int slots_interruption(void); /* that signal, SIGHUP as SIGTERM; 0: none */

/* Listens for trials. *out is the caller's to close. */
ty_status slots_open(ty_ctx *ctx, int n, slots **out) TY_MUST_USE;

/* Asks every process to save and leave, and, where they do not within 30 s, kills them. Accepts NULL. */
void slots_close(slots *s);

int slots_free(const slots *s); /* the first free slot; -1: none */
int slots_busy(const slots *s); /* how many run */

/* A process to be. Arrays end with NULL. */
typedef struct slot_start {
    size_t trial;
    char *const *words;
    char *const *environment; /* NAME=VALUE, besides ours */
    const char *log_path;     /* what it prints goes there */
    /* It is no training of ours: a line of its stdout that is a JSON object is a report, {"step": 3,
     * "loss": 0.4}; step may be left out, then reports are counted. SIGTERM stops it. */
    bool is_foreign;
} slot_start;

/* Errors: TY_ERR_IO. */
ty_status slots_begin(ty_ctx *ctx, slots *s, int slot, const slot_start *start) TY_MUST_USE;

/* The decision on the report that a slot's trial waits with; line is what trial.h has for it. */
void slots_answer(slots *s, int slot, ty_answer answer, const char *line);

/* Sends a signal to every process. */
void slots_signal(slots *s, int which);

/* Waits for news at most timeout_ms; *has_news is false where there was none. *stop is the signal that
 * asked the sweep to stop, 0 for none. */
ty_status slots_wait(ty_ctx *ctx, slots *s, int timeout_ms, slot_news *out, bool *has_news,
                     int *stop) TY_MUST_USE;

#endif
