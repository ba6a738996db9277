/* A file system that fails on purpose: the real one behind a counter, where the n-th operation
 * fails, once or from then on. A test that loops n over all operations has seen every place where a
 * disk can let it down. */
#ifndef TY_TESTS_SUPPORT_FAULT_IO_H
#define TY_TESTS_SUPPORT_FAULT_IO_H

#include <stdatomic.h>

#include "base/io.h"

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_EIO,    /* not done, EIO */
    FAULT_ENOSPC, /* not done, ENOSPC */
    FAULT_EINTR,  /* not done, EINTR */
    FAULT_SHORT,  /* transfers move half of the bytes and say so; other operations succeed */
    FAULT_TORN,   /* done, transfers by half, but EIO is answered */
    FAULT_KILL,   /* a write moves half of its bytes, then SIGKILL; others are not done. For forked
                     children */
    FAULT_KINDS,
    /* No failures: SIGSTOP before the operation, or when half of a transfer's bytes are moved (other
       operations are done). For forked children */
    FAULT_SLEEP,
    FAULT_SLEEP_AMID
} fault_kind;

typedef struct fault_io {
    ty_io io; /* for ctx->io */
    atomic_llong count;
    long long fail_at; /* from 1 */
    bool is_sticky;
    fault_kind kind;
} fault_io;

/* Fails nothing. Stays where it is: io.self points to it. */
void fault_io_init(fault_io *fault);

/* Counts anew; operation fail_at fails, and with is_sticky each one after it. */
void fault_io_arm(fault_io *fault, fault_kind kind, long long fail_at, bool is_sticky);

/* Operations since init or arm. */
long long fault_io_count(fault_io *fault);

const char *fault_kind_name(fault_kind kind);

#endif
