/* What nccl.c (host) and clique.cu (kernel) share. */
#ifndef TY_KERNELS_CUDA_NCCL_H
#define TY_KERNELS_CUDA_NCCL_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ranks that sum_slices can add: partial sums of 8 << 10 ranks still fit in registers. */
enum { TY_CLIQUE_MOST_RANKS = 8192 };

/* ty_clique_sum_slices on a GPU. */
ty_status ty_clique_sum_slices_cuda(ty_ctx *ctx, ty_clique *clique, const float *parts, float *to,
                                    int64_t slice) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
