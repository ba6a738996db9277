/* What the files of the cudart subset share: the API's declarations as symbols to export, and the bracket round a call
 * that keeps CUDA's last error. */
#ifndef TY_CUDASIM_RUNTIME_H
#define TY_CUDASIM_RUNTIME_H

#include "cuda_api.h"
#include "sim.h"
#include "thread.h"

/* Opens an API function that can fail: a sticky error comes back at once, an injected one next. */
#define RT_ENTER(natural)                                                                          \
    do {                                                                                           \
        int injected_ = cs_enter(natural);                                                         \
        int early_ = cs_runtime_early(injected_);                                                  \
        if (early_)                                                                                \
            return rt_leave(early_);                                                               \
    } while (0)

/* The sticky error (which counts as returned from then on), or else the injected one. */
int cs_runtime_early(int injected);

/* Notes an error for cudaGetLastError and leaves. */
cudaError_t cs_runtime_leave(int error);

static inline cudaError_t rt_leave(int error) {
    return cs_runtime_leave(error);
}

/* A copy between any two kinds of memory; what runtime_memory.c and runtime_symbol.c queue. */
typedef struct cs_copy {
    uint64_t to, from;
    size_t bytes;
    enum cudaMemcpyKind kind;
    cudaStream_t stream;
    bool is_async;
} cs_copy;
int cs_copy_queue(const cs_copy *copy);

#endif
