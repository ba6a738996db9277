/* Mean squared error, a row per sample. Bytes: 8 an output forward, 12 backward. A sample of weight
 * 0 (padding) has gradient 0 whatever its numbers are. */
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"
#include "kernels/ops.h"

ty_status ty_mse_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    (void)attrs;
    char prediction[TY_SHAPE_TEXT], target[TY_SHAPE_TEXT], weight[TY_SHAPE_TEXT];
    TY_TRY(ty_op_want_f32(ctx, "mse", &in[0], 2));
    TY_TRY(ty_op_want_f32(ctx, "mse", &in[1], 2));
    TY_TRY(ty_op_want_f32(ctx, "mse", &in[2], 1));
    const int64_t *x = in[0].shape.dims, *t = in[1].shape.dims;
    if (x[0] != t[0] || x[1] != t[1] || x[0] != in[2].shape.dims[0])
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "mse: prediction %s, target %s, weight %s; want [B, K], [B, K], [B]",
                       ty_shape_text(in[0].shape, prediction), ty_shape_text(in[1].shape, target),
                       ty_shape_text(in[2].shape, weight));
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32};
    TY_TRY(
        ty_op_set_shape(ctx, "mse", (ty_shape){.rank = 2, .dims = {x[0], TY_LOSS_ROW}}, &out->y));
    out->flops_forward = 3 * (double)ty_shape_count(in[0].shape);
    out->flops_backward = 2 * (double)ty_shape_count(in[0].shape);
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
    const int64_t n_rows = args->x[0].shape.dims[0], n = args->x[0].shape.dims[1];
    const float *x = args->x[0].data, *target = args->x[1].data;
    float *y = args->y.data;
    for (int64_t i = 0; i < n_rows; i++) {
        ty_mse_row told;
        ty_cpu_loops(dev)->mse_forward(x + i * n, target + i * n, n, &told);
        const float row[TY_LOSS_ROW] = {told.loss, x[i * n], told.mean_absolute, 0};
        memcpy(y + i * TY_LOSS_ROW, row, sizeof row);
    }
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    (void)ctx;
    const int64_t n_rows = args->x[0].shape.dims[0], n = args->x[0].shape.dims[1];
    const float *x = args->x[0].data, *target = args->x[1].data, *weight = args->x[2].data;
    float *dx = args->d_x[0].data;
    if (!args->wants_dx[0])
        return TY_OK;
    for (int64_t i = 0; i < n_rows; i++) {
        if (weight[i] != 0)
            ty_cpu_loops(dev)->mse_backward(dx + i * n, x + i * n, target + i * n, n,
                                            (float)(2 * (double)weight[i] / (double)n),
                                            args->accumulates_dx[0]);
        else if (!args->accumulates_dx[0])
            ty_cpu_loops(dev)->fill(dx + i * n, n, 0);
    }
    return TY_OK;
}

const ty_op_impl ty_mse_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = ty_op_release_nothing};
