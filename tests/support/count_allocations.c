#include "tests/support/count_allocations.h"

#include <errno.h>
#include <stdlib.h>

/* glibc's own, under the names that it exports for this. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static _Thread_local int64_t n_allocations;

int64_t count_allocations(void) {
    return n_allocations;
}

void *malloc(size_t bytes) {
    n_allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    n_allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    n_allocations++;
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    n_allocations++;
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes) {
    n_allocations++;
    void *made = __libc_memalign(alignment, bytes);
    if (!made)
        return ENOMEM;
    *out = made;
    return 0;
}
