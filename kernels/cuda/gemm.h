/* Matrix products through cuBLASLt: one plan for each shape, made once, with the algorithm kept. */
#ifndef TY_KERNELS_CUDA_GEMM_H
#define TY_KERNELS_CUDA_GEMM_H

#include "kernels/cuda/cuda.h"

/* d = a b, or d += a b, of matrices [m, k], [k, n], [m, n] that lie row by row without gaps, aligned
 * to 16 bytes, summed in f32 in an order that the shape alone decides. A bias, one number for each
 * column of d and of d's type, and a relu may follow in the same pass. */
typedef struct ty_cuda_gemm_spec {
    int64_t m, n, k;
    bool transposes_a, transposes_b; /* a lies as [k, m], b as [n, k] */
    ty_dtype input, output;          /* of a and b (f32, bf16), of d (f32, or as the input) */
    bool accumulates, has_bias, has_relu;
} ty_cuda_gemm_spec;

typedef struct ty_cuda_gemm ty_cuda_gemm;

/* Asks cuBLASLt for an algorithm, or, for a described GPU, only notes the shape. *out is the
 * caller's to close. Errors: TY_ERR_DEVICE nothing does this product, naming shape and types. */
ty_status ty_cuda_gemm_open(ty_ctx *ctx, ty_cuda *dev, const ty_cuda_gemm_spec *spec,
                            ty_cuda_gemm **out) TY_MUST_USE;
void ty_cuda_gemm_close(const ty_cuda *dev, ty_cuda_gemm *gemm); /* accepts NULL */

/* Bytes that run needs at workspace; 0 for NULL. For a described GPU the most it can be. */
size_t ty_cuda_gemm_workspace(const ty_cuda_gemm *gemm);

/* Whether run adds the bias and applies the relu that were asked for; where no algorithm does, run
 * leaves both to the caller. */
bool ty_cuda_gemm_has_epilogue(const ty_cuda_gemm *gemm);

typedef struct ty_cuda_gemm_data {
    const void *a, *b, *bias;
    void *d, *workspace;
} ty_cuda_gemm_data;

/* Queues the product on COMPUTE. */
ty_status ty_cuda_gemm_run(ty_ctx *ctx, const ty_cuda *dev, const ty_cuda_gemm *gemm,
                           const ty_cuda_gemm_data *data) TY_MUST_USE;

/* A row for predictions. */
void ty_cuda_gemm_cost(const ty_cuda_gemm *gemm, ty_op_cost *out);

#endif
