/* Dropout (Srivastava et al. 2014, scaled in training). No mask is stored: element i of a sample is
 * dropped by word i % 4 of Philox(key of (seed, step, op), sample id, i / 4), which backward draws
 * again, so that neither the sample's row nor the batch it is in matters. Elements count in
 * canonical order; other layouts pass through the workspace, a sample at a time. Bytes: 8 an
 * element, each way; time is Philox's. */
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"
#include "kernels/relayout.h"

ty_status ty_dropout_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    const ty_dropout_attrs *a = attrs;
    if (!(a->rate >= 0 && a->rate < 1))
        return ty_fail(ctx, TY_ERR_CONFIG, "dropout: rate is %g, want 0 <= rate < 1", a->rate);
    TY_TRY(ty_op_want_f32(ctx, "dropout", &in[0], 0));
    *out = (ty_op_shapes){.y = in[0].shape, .y_dtype = TY_DTYPE_F32};
    out->flops_forward = out->flops_backward = (double)ty_shape_count(in[0].shape);
    return TY_OK;
}

static ty_shape one_sample(ty_shape shape) {
    shape.dims[0] = 1;
    return shape;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = args->x[0].layout;
    args->y.bytes = args->x[0].bytes;
    args->workspace_bytes = ty_layout_bytes(NULL, one_sample(args->y.shape), TY_DTYPE_F32);
    return TY_OK;
}

static ty_dropout_loop loop_of(const ty_op_args *args) {
    const ty_dropout_attrs *a = args->attrs;
    const ty_rng_key of_step = ty_rng_key_mix(ty_rng_key_of(args->env->seed, TY_STREAM_DROPOUT),
                                              (uint64_t)args->env->step);
    return (ty_dropout_loop){.key = ty_rng_key_mix(of_step, (uint64_t)args->op_number),
                             .threshold = (uint32_t)(a->rate * 0x1p32),
                             .scale = (float)(1 / (1 - a->rate))};
}

/* Drops from one sample's `from` into `to`. */
static void drop_sample(const ty_device *dev, const ty_op_args *args, const ty_dropout_loop *loop,
                        int64_t row, const float *from, float *to, bool accumulates) {
    const ty_shape shape = one_sample(args->y.shape);
    const void *layout = args->y.layout;
    const int64_t n = ty_shape_count(shape);
    const uint64_t sample = (uint64_t)args->env->sample_ids[row];
    if (!layout && !accumulates) {
        ty_cpu_loops(dev)->dropout(loop, to, from, n, sample);
        return;
    }
    float *canonical = args->workspace;
    ty_relayout(dev, shape, layout, from, NULL, canonical, false);
    ty_cpu_loops(dev)->dropout(loop, canonical, canonical, n, sample);
    ty_relayout(dev, shape, NULL, canonical, layout, to, accumulates);
}

static void drop(const ty_device *dev, const ty_op_args *args, const float *from, float *to,
                 bool accumulates) {
    const ty_shape shape = args->y.shape;
    const ty_dropout_attrs *a = args->attrs;
    if (!args->is_training || a->rate == 0) {
        ty_relayout(dev, shape, args->y.layout, from, args->y.layout, to, accumulates);
        return;
    }
    const ty_dropout_loop loop = loop_of(args);
    const int64_t stride = ty_layout_count(args->y.layout, one_sample(shape));
    for (int64_t row = 0; row < shape.dims[0]; row++)
        drop_sample(dev, args, &loop, row, from + row * stride, to + row * stride, accumulates);
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    drop(dev, args, args->x[0].data, args->y.data, false);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    if (args->wants_dx[0])
        drop(dev, args, args->d_y.data, args->d_x[0].data, args->accumulates_dx[0]);
    return TY_OK;
}

const ty_op_impl ty_dropout_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
