/* Work on a file that may be hostile, done in a child process: where the library that reads it
 * crashes, loops or takes all memory, a child is lost and a message gained. Private to data/. */
#ifndef TY_DATA_ISOLATE_H
#define TY_DATA_ISOLATE_H

#include "base/base.h"

/* Memory that the child's writes reach the parent through; zeroed. NULL: no memory. */
void *ty_isolated_alloc(size_t bytes) TY_MUST_USE;
void ty_isolated_free(void *memory, size_t bytes); /* accepts NULL */

/* What the child answers with, at the start of shared memory. */
typedef struct ty_isolated_answer {
    ty_status st;
    bool is_done;
    char message[TY_MESSAGE_BYTES];
} ty_isolated_answer;

typedef struct ty_isolated {
    ty_status (*work)(ty_ctx *ctx, void *self); /* in the child */
    void *self;
    ty_isolated_answer *answer; /* shared */
    const char *subject;        /* the file, for messages */
    double cpu_seconds;         /* the child may take */
    size_t extra_bytes;         /* of address space it may take beyond what the process has */
} ty_isolated;

/* Forks, runs work and waits for it. The child has no terminal, leaves no core file and ends with
 * its parent; whatever work opens ends with it.
 * Order:  no lock that work needs may be held by another thread of this process: call it while
 *         starting up.
 * Errors: what work returned, with its message; TY_ERR_DATA where the child died or ran out of
 *         time; TY_ERR_FAILED. */
ty_status ty_isolated_run(ty_ctx *ctx, const ty_isolated *job) TY_MUST_USE;

#endif
