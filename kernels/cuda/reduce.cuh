/* Sums over the lanes of a warp and the threads of a block, in an order that depends on nothing but
 * their numbers. All 32 lanes, or all threads of the block, must be there. */
#ifndef TY_KERNELS_CUDA_REDUCE_H
#define TY_KERNELS_CUDA_REDUCE_H

#include "kernels/cuda/cuda.h"

enum { TY_WARP = 32, TY_BLOCK_WARPS = TY_CUDA_THREADS / TY_WARP };

static __device__ inline int ty_lane(void) {
    return (int)threadIdx.x % TY_WARP;
}

static __device__ inline int ty_warp(void) {
    return (int)threadIdx.x / TY_WARP;
}

/* Every lane gets the sum. */
static __device__ inline float ty_warp_sum(float value) {
#pragma unroll
    for (int step = TY_WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(0xffffffffU, value, step);
    return value;
}

static __device__ inline int ty_warp_sum(int value) {
#pragma unroll
    for (int step = TY_WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(0xffffffffU, value, step);
    return value;
}

#endif
