/* Runs what breaks a rule in a process of its own and says how that ended: reports make a process end with 99, so the
 * test's own must make none. */
#ifndef TY_CUDASIM_CAUGHT_H
#define TY_CUDASIM_CAUGHT_H

#include <stddef.h>

typedef struct caught {
    int exit_code;   /* of the child; 99 where the simulator ended it */
    char text[8192]; /* what it wrote to stderr */
} caught;

/* The child's exit code is what body returns, or CS_EXIT_REPORTED if the simulator ended it. */
caught run_apart(int (*body)(const void *arg), const void *arg);

/* Fails unless the child returned `expected` and its stderr holds `words` (NULL: anything). */
void assert_caught(const caught *c, int expected, const char *words);

#endif
