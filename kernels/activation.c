/* Elementwise activations. Bytes: 8 an element forward, 12 backward. They run over a layout's
 * padding too, where x and dy are 0: dx is 0 there by itself, y is wherever f(0) = 0. */
#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"

ty_status ty_activation_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in,
                              ty_op_shapes *out) {
    const ty_activation_attrs *a = attrs;
    if ((unsigned)a->kind >= TY_LOOPS_N_ACTIVATIONS)
        return ty_fail(ctx, TY_ERR_CONFIG, "activation: no such kind as %d", (int)a->kind);
    TY_TRY(ty_op_want_f32(ctx, "activation", &in[0], 0));
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
    const ty_activation_attrs *a = args->attrs;
    const ty_tensor *x = &args->x[0], *y = &args->y;
    ty_cpu_loops(dev)->activation[a->kind](y->data, x->data, ty_layout_count(x->layout, x->shape));
    if (a->kind == TY_ACT_SIGMOID) /* 1/2 at 0 */
        ty_layout_zero_padding(y->layout, y->shape, y->data);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_activation_attrs *a = args->attrs;
    const ty_tensor *x = &args->x[0];
    if (args->wants_dx[0])
        ty_cpu_loops(dev)->activation_backward[a->kind](args->d_x[0].data, args->d_y.data, x->data,
                                                        ty_layout_count(x->layout, x->shape),
                                                        args->accumulates_dx[0]);
    return TY_OK;
}

const ty_op_impl ty_activation_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
