/* The same numbers in canonical order under another shape. Bytes: 8 an element, each way; one pass
 * from whatever layout. */
#include "kernels/cpu.h"
#include "kernels/ops.h"
#include "kernels/relayout.h"

ty_status ty_reshape_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    const ty_reshape_attrs *a = attrs;
    char seen[TY_SHAPE_TEXT], wanted[TY_SHAPE_TEXT];
    TY_TRY(ty_op_want_f32(ctx, "reshape", &in[0], 0));
    ty_shape shape = a->shape;
    if (shape.rank < 1 || shape.rank > TY_MAX_RANK)
        return ty_fail(ctx, TY_ERR_CONFIG, "reshape: %d dimensions were asked for, want 1 to %d",
                       shape.rank, TY_MAX_RANK);
    shape.dims[0] = in[0].shape.dims[0];
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32};
    TY_TRY(ty_op_set_shape(ctx, "reshape", shape, &out->y));
    if (ty_shape_count(shape) != ty_shape_count(in[0].shape))
        return ty_fail(ctx, TY_ERR_CONFIG, "reshape: %s does not hold the numbers of %s",
                       ty_shape_text(shape, wanted), ty_shape_text(in[0].shape, seen));
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = NULL;
    args->y.bytes = ty_layout_bytes(NULL, args->y.shape, TY_DTYPE_F32);
    return TY_OK;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_tensor *x = &args->x[0];
    ty_relayout(dev, x->shape, x->layout, x->data, NULL, args->y.data, false);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_tensor *x = &args->x[0];
    if (args->wants_dx[0])
        ty_relayout(dev, x->shape, NULL, args->d_y.data, x->layout, args->d_x[0].data,
                    args->accumulates_dx[0]);
    return TY_OK;
}

const ty_op_impl ty_reshape_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
