/* Counts what this thread asks of malloc and its like, by standing in front of glibc's. Link it into a
 * program of its own: not beside a sanitizer, which stands there too. */
#ifndef TY_TESTS_COUNT_ALLOCATIONS_H
#define TY_TESTS_COUNT_ALLOCATIONS_H

#include <stdint.h>

/* Since the thread began. */
int64_t count_allocations(void);

#endif
