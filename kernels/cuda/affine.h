/* What follows a matrix product or a convolution and what comes before their backward passes:
 * y = act(z + b) and its gradient, b one number for each column. Rows are samples, or pixels of
 * images that lie channels last. */
#ifndef TY_KERNELS_CUDA_AFFINE_H
#define TY_KERNELS_CUDA_AFFINE_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = act(y + bias) in place. y [rows, columns] and bias [columns] (NULL: none) of dtype, f32 or
 * bf16; act is none, relu, tanh or sigmoid. */
typedef struct ty_cuda_affine_args {
    void *y;
    const void *bias;
    int64_t rows, columns;
    ty_dtype dtype;
    ty_activation activation;
} ty_cuda_affine_args;

ty_status ty_cuda_affine(ty_ctx *ctx, const ty_device *dev,
                         const ty_cuda_affine_args *args) TY_MUST_USE;

/* dz = dy act'(z), the derivative taken from y; d_bias += the sum of dz's rows, in an order that
 * the shape alone decides, so that the same numbers give the same bits on every GPU. */
typedef struct ty_cuda_affine_grad_args {
    const void *dy, *y; /* of dtype; y is read only where there is an activation */
    void *dz;           /* NULL: not wanted (without activation it would be dy) */
    float *d_bias;      /* NULL: none */
    float *partials;    /* ty_cuda_affine_partials bytes of scratch */
    int64_t rows, columns;
    ty_dtype dtype;
    ty_activation activation;
} ty_cuda_affine_grad_args;

ty_status ty_cuda_affine_grad(ty_ctx *ctx, const ty_device *dev,
                              const ty_cuda_affine_grad_args *args) TY_MUST_USE;
size_t ty_cuda_affine_partials(int64_t rows, int64_t columns, ty_dtype dtype);

/* Rows for predictions, of which data pointers are no part: one of the forward pass, at most two of
 * the backward pass. */
int ty_cuda_affine_cost(const ty_cuda_affine_args *args, ty_op_cost *out);
int ty_cuda_affine_grad_cost(const ty_cuda_affine_grad_args *args, bool has_bias, ty_op_cost *out);

#ifdef __cplusplus
}
#endif
#endif
