/* y = act(x W^T + b). Backward: dz = dy act'(y), d_x = dz W, d_W += dz^T x, d_b += column sums of
 * dz. */
#include "kernels/cpu.h"

#include <stdlib.h>

#include "base/checked.h"
#include "kernels/loops.h"
#include "kernels/onednn.h"
#include "kernels/ops.h"

ty_status ty_linear_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    const ty_linear_attrs *a = attrs;
    TY_TRY(ty_op_want_f32(ctx, "linear", &in[0], 2));
    if (a->activation != TY_ACT_NONE && a->activation != TY_ACT_RELU &&
        a->activation != TY_ACT_TANH && a->activation != TY_ACT_SIGMOID)
        return ty_fail(ctx, TY_ERR_CONFIG, "linear: only relu, tanh and sigmoid can be fused");
    const int64_t batch = in[0].shape.dims[0], width = in[0].shape.dims[1];
    ty_shape weight;
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32, .n_params = a->has_bias ? 2 : 1};
    TY_TRY(ty_op_set_shape(ctx, "linear weight", (ty_shape){2, {a->out, width}}, &weight));
    TY_TRY(ty_op_set_shape(ctx, "linear output", (ty_shape){2, {batch, a->out}}, &out->y));
    out->param[0] = (ty_param_spec){.name = "weight",
                                    .shape = weight,
                                    .init = TY_INIT_KAIMING,
                                    .fan_in = width,
                                    .fan_out = a->out,
                                    .has_weight_decay = true};
    out->param[1] = (ty_param_spec){.name = "bias",
                                    .shape = {1, {a->out}},
                                    .init = TY_INIT_ZEROS,
                                    .fan_in = width,
                                    .fan_out = a->out};
    out->flops_forward = 2.0 * (double)batch * (double)width * (double)a->out;
    out->flops_backward = 2 * out->flops_forward;
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    const ty_linear_attrs *a = args->attrs;
    const ty_affine_spec spec = {.batch = args->x[0].shape.dims[0],
                                 .in = args->x[0].shape.dims[1],
                                 .out = a->out,
                                 .has_bias = a->has_bias,
                                 .activation = a->activation};
    ty_onednn_call *call = NULL;
    TY_TRY(ty_onednn_affine_open(ctx, dev, &spec, &call));
    args->y.layout = NULL;
    args->y.bytes = ty_layout_bytes(NULL, args->y.shape, TY_DTYPE_F32);
    args->aux.bytes = 0;
    args->workspace_bytes = ty_onednn_call_workspace(call);
    if (args->is_training && a->activation != TY_ACT_NONE && args->workspace_bytes < args->y.bytes)
        args->workspace_bytes = args->y.bytes; /* dz */
    args->state = call;
    return TY_OK;
}

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    ty_onednn_call_close(args->state);
    args->state = NULL;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    void *const data[TY_ROLE_COUNT] = {[TY_ROLE_X] = args->x[0].data,
                                       [TY_ROLE_WEIGHT] = args->param[0].data,
                                       [TY_ROLE_BIAS] = args->param[1].data,
                                       [TY_ROLE_Y] = args->y.data};
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), args->state, data, args->workspace);
}

/* The derivative from the output alone: relu' = [y > 0], tanh' = 1 - y^2, sigmoid' = y (1 - y). */
static void activation_backward(const ty_device *dev, ty_activation kind, float *dz,
                                const float *dy, const float *y, int64_t n) {
    if (kind == TY_ACT_RELU) {
        ty_cpu_loops(dev)->activation_backward[TY_ACT_RELU](dz, dy, y, n, false);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        dz[i] = dy[i] * (kind == TY_ACT_TANH ? 1 - y[i] * y[i] : y[i] * (1 - y[i]));
}

static const float *start_backward(const ty_device *dev, const ty_op_args *args) {
    const ty_linear_attrs *a = args->attrs;
    if (a->activation == TY_ACT_NONE)
        return args->d_y.data;
    activation_backward(dev, a->activation, args->workspace, args->d_y.data, args->y.data,
                        ty_shape_count(args->y.shape));
    return args->workspace;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_linear_attrs *a = args->attrs;
    const int64_t batch = args->x[0].shape.dims[0], width = args->x[0].shape.dims[1];
    const float *dz = start_backward(dev, args);
    const ty_gemm_args to_weight = {.m = a->out,
                                    .n = width,
                                    .k = batch,
                                    .transposes_a = true,
                                    .accumulates = true,
                                    .a = dz,
                                    .b = args->x[0].data,
                                    .c = args->d_param[0].data};
    TY_TRY(ty_onednn_gemm(ctx, &to_weight));
    float *d_bias = args->d_param[1].data;
    for (int64_t i = 0; i < batch && a->has_bias; i++)
        ty_cpu_loops(dev)->add(d_bias, d_bias, dz + i * a->out, a->out);
    if (!args->wants_dx[0])
        return TY_OK;
    const ty_gemm_args to_x = {.m = batch,
                               .n = width,
                               .k = a->out,
                               .accumulates = args->accumulates_dx[0],
                               .a = dz,
                               .b = args->param[0].data,
                               .c = args->d_x[0].data};
    return ty_onednn_gemm(ctx, &to_x);
}

const ty_op_impl ty_linear_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
