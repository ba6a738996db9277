/* Values from one layout of a GPU to the other, and sums of values, for every twin that needs them.
 * Queued on the compute stream. */
#ifndef TY_KERNELS_CUDA_RELAYOUT_H
#define TY_KERNELS_CUDA_RELAYOUT_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* to = from, or from + addend. Types are those of activations (f32, bf16). addend has to's layout and
 * may be to itself; NULL: nothing is added. from and to must not overlap. */
typedef struct ty_cuda_relayout_args {
    ty_shape shape;
    ty_dtype dtype;
    const void *from, *from_layout;
    void *to;
    const void *to_layout;
    const void *addend;
} ty_cuda_relayout_args;

ty_status ty_cuda_relayout(ty_ctx *ctx, ty_device *dev,
                           const ty_cuda_relayout_args *args) TY_MUST_USE;

/* What ty_cuda_relayout of these launches. */
int ty_cuda_relayout_cost(const ty_cuda_relayout_args *args, ty_op_cost *out);

/* Whether a value of this shape lies in memory the same way in both layouts. */
bool ty_cuda_is_same_memory(ty_shape shape, const void *layout_a, const void *layout_b);

/* to = a + b, n elements; to may be a or b. */
ty_status ty_cuda_sum(ty_ctx *ctx, ty_device *dev, ty_dtype dtype, void *to, const void *a,
                      const void *b, int64_t n) TY_MUST_USE;
int ty_cuda_sum_cost(ty_op_cost *out, ty_dtype dtype, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
