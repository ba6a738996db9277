/* Gradients that a library gave in bf16, added to those in f32. */
#ifndef TY_KERNELS_CUDA_WIDEN_ADD_H
#define TY_KERNELS_CUDA_WIDEN_ADD_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* to[i] += from[i], i < n; to is f32, from bf16, both aligned to 16 bytes. */
ty_status ty_cuda_widen_add(ty_ctx *ctx, const ty_device *dev, float *to, const void *from,
                            int64_t n) TY_MUST_USE;
int ty_cuda_widen_add_cost(int64_t n, ty_op_cost *out);

#ifdef __cplusplus
}
#endif
#endif
