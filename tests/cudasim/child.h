/* Runs a program under the simulator and keeps what it said, for tests of the simulator itself. */
#ifndef TY_CUDASIM_CHILD_H
#define TY_CUDASIM_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#define CHILD_SETTINGS_MAX 16

typedef struct child {
    const char *program;
    const char *arguments[8];                 /* up to the first NULL */
    const char *settings[CHILD_SETTINGS_MAX]; /* "NAME=value", up to the first NULL */
    int status;                               /* exit status; 128 + signal */
    char output[65536];                       /* what it wrote to both streams, cut to this */
} child;

/* Runs it with libcudasim.so (CUDASIM_LIBRARY at compile time) preloaded, and without the CUDASIM_ variables of this
 * process. Fails the test where it cannot be started. */
void child_run(child *c);

/* Whether the output has a report of a kind ("bounds"). */
bool child_reported(const child *c, const char *kind);

/* Whether it has any line of the simulator's reports. */
bool child_reported_anything(const child *c);

#endif
