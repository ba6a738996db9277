/* Softmax and cross-entropy in one op. Forward reads a row of logits, which then lies in cache, and
 * keeps its maximum and the inverse of its sum of exponentials; backward makes the probabilities
 * again from those. Bytes: 4 a logit forward, 8 backward; time is that of two exponentials a logit.
 *
 * Targets are checked where data is opened. One outside [0, K) here is an error of ours: it reads
 * nothing, and its loss and gradient are NaN, so that the health check stops the run. A sample of
 * weight 0 (padding) has gradient 0 whatever its logits and target are. */
#include <math.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"

static ty_status check_inputs(ty_ctx *ctx, const ty_tensor *in) {
    char logits[TY_SHAPE_TEXT], target[TY_SHAPE_TEXT], weight[TY_SHAPE_TEXT];
    TY_TRY(ty_op_want_f32(ctx, "softmax_xent", &in[0], 2));
    const int64_t n_rows = in[0].shape.dims[0];
    const bool fits = in[1].dtype == TY_DTYPE_I32 && in[1].shape.rank == 1 &&
                      in[1].shape.dims[0] == n_rows && in[2].dtype == TY_DTYPE_F32 &&
                      in[2].shape.rank == 1 && in[2].shape.dims[0] == n_rows;
    if (!fits)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "softmax_xent: logits f32 %s, target %s %s, weight %s %s; want [B, K], i32 "
                       "[B], f32 [B]",
                       ty_shape_text(in[0].shape, logits), ty_dtype_name(in[1].dtype),
                       ty_shape_text(in[1].shape, target), ty_dtype_name(in[2].dtype),
                       ty_shape_text(in[2].shape, weight));
    if (in[0].shape.dims[1] > INT32_MAX)
        return ty_fail(ctx, TY_ERR_CONFIG, "softmax_xent: %lld classes, want at most %d",
                       (long long)in[0].shape.dims[1], INT32_MAX);
    return TY_OK;
}

ty_status ty_softmax_xent_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in,
                                ty_op_shapes *out) {
    const ty_softmax_xent_attrs *a = attrs;
    if (!(a->label_smoothing >= 0 && a->label_smoothing < 1))
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "softmax_xent: label_smoothing is %g, want 0 <= label_smoothing < 1",
                       a->label_smoothing);
    TY_TRY(check_inputs(ctx, in));
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32};
    TY_TRY(ty_op_set_shape(ctx, "softmax_xent",
                           (ty_shape){.rank = 2, .dims = {in[0].shape.dims[0], TY_LOSS_ROW}},
                           &out->y));
    out->flops_forward = out->flops_backward = 10 * (double)ty_shape_count(in[0].shape);
    return TY_OK;
}

/* What forward keeps of a row. */
typedef struct kept {
    float max, inverse_sum;
} kept;

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = NULL;
    args->y.bytes = ty_layout_bytes(NULL, args->y.shape, TY_DTYPE_F32);
    args->aux.bytes = args->is_training ? (size_t)args->y.shape.dims[0] * sizeof(kept) : 0;
    return TY_OK;
}

static bool is_ignored(const ty_softmax_xent_attrs *attrs, int32_t target) {
    return attrs->ignore_index != INT32_MIN && target == attrs->ignore_index;
}

static void set_row(float *row, float loss, float predicted, float probability, float rank) {
    row[0] = loss;
    row[1] = predicted;
    row[2] = probability;
    row[3] = rank;
}

static kept forward_row(const ty_device *dev, const ty_softmax_xent_attrs *attrs,
                        const float *logits, int64_t n_classes, int32_t target, float *row) {
    ty_xent_row told;
    if (is_ignored(attrs, target)) {
        set_row(row, 0, -1, 0, 0);
        return (kept){0};
    }
    if (target < 0 || target >= n_classes) {
        set_row(row, NAN, -1, 0, 0);
        return (kept){0};
    }
    ty_cpu_loops(dev)->xent_forward(logits, n_classes, target, attrs->label_smoothing, &told);
    set_row(row, told.loss, (float)told.predicted, told.probability, (float)told.rank);
    return (kept){told.max, told.inverse_sum};
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const int64_t n_rows = args->x[0].shape.dims[0], n_classes = args->x[0].shape.dims[1];
    const float *logits = args->x[0].data;
    const int32_t *target = args->x[1].data;
    float *row = args->y.data;
    kept *keep = args->is_training ? args->aux.data : NULL;
    for (int64_t i = 0; i < n_rows; i++) {
        const kept of_row = forward_row(dev, args->attrs, logits + i * n_classes, n_classes,
                                        target[i], row + i * TY_LOSS_ROW);
        if (keep)
            keep[i] = of_row;
    }
    return TY_OK;
}

typedef struct row_gradient {
    const float *logits;
    int64_t n_classes;
    int32_t target;
    float weight;
    kept keep;
    bool accumulates;
} row_gradient;

static void backward_row(const ty_device *dev, const ty_softmax_xent_attrs *attrs,
                         const row_gradient *g, float *dx) {
    if (g->weight == 0 || is_ignored(attrs, g->target)) {
        if (!g->accumulates)
            ty_cpu_loops(dev)->fill(dx, g->n_classes, 0);
        return;
    }
    if (g->target < 0 || g->target >= g->n_classes) {
        ty_cpu_loops(dev)->fill(dx, g->n_classes, NAN);
        return;
    }
    const ty_xent_row row = {.max = g->keep.max, .inverse_sum = g->keep.inverse_sum};
    ty_cpu_loops(dev)->xent_backward(dx, g->logits, g->n_classes, g->target, attrs->label_smoothing,
                                     &row, g->weight, g->accumulates);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const int64_t n_rows = args->x[0].shape.dims[0], n_classes = args->x[0].shape.dims[1];
    const float *logits = args->x[0].data, *weight = args->x[2].data;
    const int32_t *target = args->x[1].data;
    const kept *keep = args->aux.data;
    float *dx = args->d_x[0].data;
    if (!args->wants_dx[0])
        return TY_OK;
    for (int64_t i = 0; i < n_rows; i++) {
        const row_gradient g = {.logits = logits + i * n_classes,
                                .n_classes = n_classes,
                                .target = target[i],
                                .weight = weight[i],
                                .keep = keep[i],
                                .accumulates = args->accumulates_dx[0]};
        backward_row(dev, args->attrs, &g, dx + i * n_classes);
    }
    return TY_OK;
}

const ty_op_impl ty_softmax_xent_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
