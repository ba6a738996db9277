/* Parts of a call's workspace. */
#ifndef TY_KERNELS_CUDA_WORKSPACE_H
#define TY_KERNELS_CUDA_WORKSPACE_H

#include "kernels/cuda/cuda.h"

enum { TY_CUDA_PART_ALIGNMENT = 256 }; /* of every part; what cudaMalloc gives and libraries like */

static inline size_t ty_cuda_part(size_t bytes) {
    return (bytes + TY_CUDA_PART_ALIGNMENT - 1) / TY_CUDA_PART_ALIGNMENT * TY_CUDA_PART_ALIGNMENT;
}

/* What to ask for so that parts of so many bytes together find room wherever the workspace begins. */
static inline size_t ty_cuda_parts(size_t bytes) {
    return bytes ? ty_cuda_part(bytes) + TY_CUDA_PART_ALIGNMENT : 0;
}

/* The part that begins at this many bytes. */
static inline void *ty_cuda_part_at(const ty_op_args *args, size_t offset) {
    const uintptr_t base = ty_cuda_part((uintptr_t)args->workspace);
    return args->workspace ? (char *)args->workspace + (base - (uintptr_t)args->workspace) + offset
                           : NULL;
}

#endif
