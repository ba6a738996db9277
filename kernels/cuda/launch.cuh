/* What launchers have in common. */
#ifndef TY_KERNELS_CUDA_LAUNCH_H
#define TY_KERNELS_CUDA_LAUNCH_H

#include <assert.h>

#include "kernels/cuda/cuda.h"

/* Blocks of TY_CUDA_THREADS for exactly n_threads, one at least. */
static inline unsigned ty_cuda_exact_blocks(int64_t n_threads) {
    const int64_t blocks = (n_threads + TY_CUDA_THREADS - 1) / TY_CUDA_THREADS;
    assert(blocks <= INT32_MAX);
    return blocks > 1 ? (unsigned)blocks : 1;
}

/* The prepare of ops whose y is as x. */
static inline ty_status ty_cuda_prepare_like_x(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx;
    assert(args->x[0].dtype == ty_cuda_dtype(dev));
    ty_cuda_set_y(dev, args, args->x[0].layout);
    return TY_OK;
}

#endif
