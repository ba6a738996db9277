/* The table of ops and the CPU's table of their functions: one row an op in each. */
#include "kernels/op.h"

#include <stdio.h>

#include "base/checked.h"
#include "kernels/ops.h"

const ty_op ty_ops[TY_OP_COUNT] = {
    [TY_OP_LINEAR] = {0}, /* rows come with their ops */
};

static const ty_op_impl *const cpu_impls[TY_OP_COUNT] = {
    [TY_OP_LINEAR] = NULL,
};

const ty_op_impl *ty_device_op(const ty_device *dev, ty_op_id id) {
    (void)dev; /* one kind of device in this build */
    return cpu_impls[id];
}

const char *ty_shape_text(ty_shape shape, char text[TY_SHAPE_TEXT]) {
    size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < shape.rank; i++)
        used += (size_t)snprintf(text + used, TY_SHAPE_TEXT - used, "%s%lld", i ? ", " : "",
                                 (long long)shape.dims[i]);
    (void)snprintf(text + used, TY_SHAPE_TEXT - used, "]");
    return text;
}

ty_status ty_op_want_f32(ty_ctx *ctx, const char *op, const ty_tensor *x, int rank) {
    char text[TY_SHAPE_TEXT];
    if (x->dtype != TY_DTYPE_F32)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: input is %s, want f32", op,
                       ty_dtype_name(x->dtype));
    if (rank && x->shape.rank != rank)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: input has shape %s, want %d dimensions", op,
                       ty_shape_text(x->shape, text), rank);
    ty_shape checked;
    return ty_op_set_shape(ctx, op, x->shape, &checked);
}

ty_status ty_op_set_shape(ty_ctx *ctx, const char *op, ty_shape shape, ty_shape *out) {
    char text[TY_SHAPE_TEXT];
    int64_t bytes = 8; /* of the widest element */
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] <= 0 || !ty_mul_i64(bytes, shape.dims[i], &bytes))
            return ty_fail(ctx, TY_ERR_CONFIG, "%s: shape %s is %s", op, ty_shape_text(shape, text),
                           shape.dims[i] <= 0 ? "empty" : "too large");
    *out = shape;
    return TY_OK;
}
