/* y = x0 + x1. Bytes: 12 an element forward, 8 backward for each input. Where the inputs' layouts
 * differ, y has the one that is not canonical; where neither is, y is canonical. */
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"
#include "kernels/relayout.h"

ty_status ty_add_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    (void)attrs;
    TY_TRY(ty_op_want_f32(ctx, "add", &in[0], 0));
    TY_TRY(ty_op_want_f32(ctx, "add", &in[1], 0));
    const ty_shape a = in[0].shape, b = in[1].shape;
    if (a.rank != b.rank || memcmp(a.dims, b.dims, (size_t)a.rank * sizeof a.dims[0]) != 0) {
        char text_a[TY_SHAPE_TEXT], text_b[TY_SHAPE_TEXT];
        return ty_fail(ctx, TY_ERR_CONFIG, "add: inputs have shapes %s and %s, want the same",
                       ty_shape_text(a, text_a), ty_shape_text(b, text_b));
    }
    *out = (ty_op_shapes){.y = a, .y_dtype = TY_DTYPE_F32};
    out->flops_forward = (double)ty_shape_count(a);
    return TY_OK;
}

static const void *common_layout(const void *a, const void *b) {
    if (a == b || !b)
        return a;
    return a ? NULL : b;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = common_layout(args->x[0].layout, args->x[1].layout);
    args->y.bytes = ty_layout_bytes(args->y.layout, args->y.shape, TY_DTYPE_F32);
    return TY_OK;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_tensor *a = &args->x[0], *b = &args->x[1], *y = &args->y;
    if (a->layout == b->layout) {
        ty_cpu_loops(dev)->add(y->data, a->data, b->data, ty_layout_count(y->layout, y->shape));
        return TY_OK;
    }
    ty_relayout(dev, y->shape, a->layout, a->data, y->layout, y->data, false);
    ty_relayout(dev, y->shape, b->layout, b->data, y->layout, y->data, true);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const ty_tensor *dy = &args->d_y;
    for (int i = 0; i < 2; i++)
        if (args->wants_dx[i])
            ty_relayout(dev, dy->shape, dy->layout, dy->data, args->x[i].layout, args->d_x[i].data,
                        args->accumulates_dx[i]);
    return TY_OK;
}

const ty_op_impl ty_add_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
