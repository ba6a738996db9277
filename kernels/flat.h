/* Kernels over flat f32 buffers: what parameters, gradients and optimizer state are made of. Each
 * args struct is the whole signature of its CPU twin and its GPU launcher. All pointers are device
 * memory; work is queued. */
#ifndef TY_KERNELS_FLAT_H
#define TY_KERNELS_FLAT_H

#include "kernels/device.h"
#include "kernels/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A named range of the flat buffers; one table for parameters, gradients, optimizer state,
 * checkpoints and export. */
typedef struct ty_segment {
    const char *name; /* "layers.0.conv2d.weight" */
    ty_shape shape;
    int64_t offset, count; /* in elements; offsets are multiples of 16 */
    double weight_decay;   /* multiplies the optimizer's: 0 or 1 */
    double learning_rate;  /* multiplies the optimizer's: 1 */
    ty_init_kind init;
    int64_t fan_in, fan_out;
} ty_segment;

/* Segments that a GPU's kernel takes at once: more of them take more launches. */
enum { TY_FLAT_SEGMENTS_AT_ONCE = 112 };

/* to[0..n) = value, = from[0..n); x *= factor. Ranges that overlap only where they are the same. */
ty_status ty_flat_fill(ty_ctx *ctx, ty_device *dev, float *to, int64_t n, float value) TY_MUST_USE;
ty_status ty_flat_copy(ty_ctx *ctx, ty_device *dev, float *to, const float *from,
                       int64_t n) TY_MUST_USE;
ty_status ty_flat_scale(ty_ctx *ctx, ty_device *dev, float *x, int64_t n, float factor) TY_MUST_USE;

/* to[i] = from[i] in another type. Reals become whole numbers by rounding to the nearest (even),
 * kept within the type's range, NaN becoming 0; equal types are copied bit for bit. The ranges must
 * not overlap. */
typedef struct ty_cast_args {
    void *to;
    ty_dtype to_dtype;
    const void *from;
    ty_dtype from_dtype;
    int64_t n;
} ty_cast_args;
ty_status ty_flat_cast(ty_ctx *ctx, ty_device *dev, const ty_cast_args *args) TY_MUST_USE;

/* to = a + b, elementwise; to may be a or b. The node of the reduction tree. */
ty_status ty_flat_add(ty_ctx *ctx, ty_device *dev, float *to, const float *a, const float *b,
                      int64_t n) TY_MUST_USE;

/* to += rate * (from_scale * from - to): running statistics, moving averages. Nothing where
 * verdict, on the device, says that the step is skipped (NULL: there is none). */
typedef struct ty_blend_args {
    float *to;
    const float *from;
    int64_t n;
    float rate, from_scale;
    const struct ty_verdict *verdict;
} ty_blend_args;
ty_status ty_flat_blend(ty_ctx *ctx, ty_device *dev, const ty_blend_args *args) TY_MUST_USE;

/* For each segment i: out[2 i] = sum of squares (double, in an order that depends on the segment's
 * count alone), out[2 i + 1] = number of non-finite values. out is device memory of 2 n_segments
 * doubles. */
ty_status ty_flat_norms(ty_ctx *ctx, ty_device *dev, const float *x, const ty_segment *segments,
                        int64_t n_segments, double *out) TY_MUST_USE;

/* out[0] += sum over the rows of a loss of weight * loss (0 where the weight is, whatever the loss), in
 * the order of rows: rows f32
 * [n, TY_LOSS_ROW], weight f32 [n]. */
ty_status ty_flat_loss(ty_ctx *ctx, ty_device *dev, const float *rows, const float *weight,
                       int64_t n, float *out) TY_MUST_USE;

/* What a step's norms say of its update, decided on the device, so that nobody waits for the host.
 *   gradient_norm = sqrt(sum of norms[2 i], i < n_gradient_rows) / total_weight
 *   grad_scale    = min(1, max_norm / gradient_norm) / total_weight (max_norm 0: no clipping;
 *                   Pascanu et al. 2013)
 *   is_skipped    = any norms[2 i + 1] > 0, i < n_rows, or gradient_norm is not finite */
typedef struct ty_verdict {
    double gradient_norm, n_nonfinite;
    int64_t is_skipped;
    float grad_scale; /* rounded from double: optimizers multiply floats */
} ty_verdict;

typedef struct ty_judge_args {
    const double *norms; /* [n_rows][2] on the device */
    int64_t n_gradient_rows, n_rows;
    double total_weight, max_norm;
    ty_verdict *verdict; /* on the device */
} ty_judge_args;
ty_status ty_flat_judge(ty_ctx *ctx, ty_device *dev, const ty_judge_args *args) TY_MUST_USE;

/* Fills each segment by its init, element i of segment s from Philox(seed, INIT, s, i / 4): the
 * same on every device. NORMAL is N(0, 0.02^2); XAVIER is U(+-sqrt(6 / (fan_in + fan_out))) (Glorot
 * & Bengio 2010); KAIMING is U(+-sqrt(6 / fan_in)) (He et al. 2015, gain sqrt 2).
 * Errors: TY_ERR_ARG a segment of either law without fans. */
typedef struct ty_init_args {
    float *params;
    const ty_segment *segments; /* host */
    int64_t n_segments;
    uint64_t seed;
} ty_init_args;
ty_status ty_flat_init(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) TY_MUST_USE;

/* Both optimizers: g = grad * verdict->grad_scale, and nothing at all where verdict->is_skipped.
 * params_bf16, where it is not NULL, receives the new parameters in bf16, element for element.
 * SGD (as PyTorch defines it): g += wd p; v = momentum v + g (v = g at the first step);
 * p -= lr (nesterov ? g + momentum v : v). velocity may be NULL where momentum is 0 and
 * is not read at step 1.
 * Errors: TY_ERR_ARG step < 1, momentum without velocity. */
typedef struct ty_sgd_args {
    float *params;
    const float *grads;
    float *velocity;
    const ty_segment *segments; /* host; only what the segments cover is touched */
    int64_t n_segments;
    double learning_rate, momentum, weight_decay;
    const ty_verdict *verdict; /* on the device */
    void *params_bf16;
    bool is_nesterov;
    int64_t step; /* from 1 */
} ty_sgd_args;
ty_status ty_flat_sgd(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) TY_MUST_USE;

/* AdamW (Loshchilov & Hutter 2019, algorithm 2, as PyTorch): p *= 1 - lr wd; m, v moments with bias
 * correction by step; p -= lr m_hat / (sqrt(v_hat) + epsilon). m and v start as zeros.
 * Errors: TY_ERR_ARG step < 1, a beta outside [0, 1). */
typedef struct ty_adamw_args {
    float *params;
    const float *grads;
    float *m, *v;
    const ty_segment *segments;
    int64_t n_segments;
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    const ty_verdict *verdict; /* on the device */
    void *params_bf16;
    int64_t step; /* from 1 */
} ty_adamw_args;
ty_status ty_flat_adamw(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
