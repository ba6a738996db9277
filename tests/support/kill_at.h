/* Kills a process at its n-th system call, before the call is made: between two of them nothing
 * happens that another process could see, so that these are all the moments there are. Calls of all its
 * threads count; what it forks runs free. */
#ifndef TY_TESTS_SUPPORT_KILL_AT_H
#define TY_TESTS_SUPPORT_KILL_AT_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether this system lets a process watch its child: a container may not. */
bool kill_at_is_allowed(void);

/* In the forked child, first of all: waits to be watched. False where this system lets nobody watch. */
bool kill_at_wait(void);

/* In its parent: lets it go on until call `at` (from 1; 0: to its end), waits for its end and returns
 * what waitpid said of it; -1: it could not be watched. *calls is how many it made. */
int kill_at_call(pid_t child, long long at, long long *calls);

#endif
