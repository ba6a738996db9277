/* y = factor x. Bytes: 8 an element, each way. */
#include <math.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"

ty_status ty_scale_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    const ty_scale_attrs *a = attrs;
    if (!isfinite(a->factor))
        return ty_fail(ctx, TY_ERR_CONFIG, "scale: factor is %g, want a finite number", a->factor);
    TY_TRY(ty_op_want_f32(ctx, "scale", &in[0], 0));
    *out = (ty_op_shapes){.y = in[0].shape, .y_dtype = TY_DTYPE_F32};
    out->flops_forward = out->flops_backward = (double)ty_shape_count(in[0].shape);
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = args->x[0].layout;
    args->y.bytes = args->x[0].bytes;
    return TY_OK;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_scale_attrs *a = args->attrs;
    const ty_tensor *x = &args->x[0];
    ty_cpu_loops(dev)->scale(args->y.data, x->data, ty_layout_count(x->layout, x->shape),
                             (float)a->factor);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_scale_attrs *a = args->attrs;
    const int64_t n = ty_layout_count(args->d_y.layout, args->d_y.shape);
    if (!args->wants_dx[0])
        return TY_OK;
    if (args->accumulates_dx[0])
        ty_cpu_loops(dev)->scale_add(args->d_x[0].data, args->d_y.data, n, (float)a->factor);
    else
        ty_cpu_loops(dev)->scale(args->d_x[0].data, args->d_y.data, n, (float)a->factor);
    return TY_OK;
}

const ty_op_impl ty_scale_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
