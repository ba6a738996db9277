/* What CUDA keeps a thread: the chosen device, the last error, the call in progress and the launch configuration that
 * the compiler's stubs push and pop. */
#ifndef TY_CUDASIM_THREAD_H
#define TY_CUDASIM_THREAD_H

#include <stddef.h>

#include "cuda_api.h"

#define CS_PUSHED_MAX 8

typedef struct cs_pushed {
    dim3 grid, block;
    size_t shared_bytes;
    cudaStream_t stream;
    const void *caller; /* who wrote <<<>>> */
} cs_pushed;

typedef struct cs_thread {
    int device;
    int last_error;
    int depth; /* of cs_enter */
    const char *function;
    const void *caller;
    cs_pushed pushed[CS_PUSHED_MAX];
    int n_pushed;
    const void *launch_caller; /* of the configuration last popped */
} cs_thread;

cs_thread *cs_this_thread(void);

#endif
