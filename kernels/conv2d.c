/* Convolution (cross-correlation, as every framework calls it) with bias and relu in one pass. The
 * forward pass picks the output's layout; each pass reorders what it needs otherwise. */
#include "kernels/cpu.h"

#include <stdlib.h>

#include "base/checked.h"
#include "kernels/loops.h"
#include "kernels/onednn.h"
#include "kernels/ops.h"

static ty_status check_attrs(ty_ctx *ctx, const ty_conv2d_attrs *a, int64_t channels) {
    if (a->activation != TY_ACT_NONE && a->activation != TY_ACT_RELU)
        return ty_fail(ctx, TY_ERR_CONFIG, "conv2d: only relu can be fused");
    if (a->groups < 1 || channels % a->groups != 0 || a->out % a->groups != 0)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "conv2d: groups is %lld, want a divisor of %lld input and %lld output channels",
            (long long)a->groups, (long long)channels, (long long)a->out);
    return TY_OK;
}

ty_status ty_conv2d_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    const ty_conv2d_attrs *a = attrs;
    TY_TRY(ty_op_want_f32(ctx, "conv2d", &in[0], 4));
    const int64_t *x = in[0].shape.dims;
    TY_TRY(check_attrs(ctx, a, x[1]));
    ty_shape y = {4, {x[0], a->out}}, weight;
    const ty_window2d window = {"conv2d", a->kernel, a->stride, a->padding};
    TY_TRY(ty_op_slide(ctx, &window, &x[2], &y.dims[2]));
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32, .n_params = a->has_bias ? 2 : 1};
    TY_TRY(ty_op_set_shape(ctx, "conv2d output", y, &out->y));
    TY_TRY(ty_op_set_shape(ctx, "conv2d weight",
                           (ty_shape){4, {a->out, x[1] / a->groups, a->kernel[0], a->kernel[1]}},
                           &weight));
    const int64_t taps = a->kernel[0] * a->kernel[1];
    out->param[0] = (ty_param_spec){.name = "weight",
                                    .shape = weight,
                                    .init = TY_INIT_KAIMING,
                                    .fan_in = weight.dims[1] * taps,
                                    .fan_out = a->out / a->groups * taps,
                                    .has_weight_decay = true};
    out->param[1] = (ty_param_spec){.name = "bias",
                                    .shape = {1, {a->out}},
                                    .init = TY_INIT_ZEROS,
                                    .fan_in = out->param[0].fan_in,
                                    .fan_out = out->param[0].fan_out};
    out->flops_forward = 2.0 * (double)ty_shape_count(y) * (double)out->param[0].fan_in;
    out->flops_backward = 2 * out->flops_forward;
    return TY_OK;
}

typedef struct conv_state {
    ty_onednn_call *forward, *to_x, *to_params;
    size_t dz_bytes; /* at the workspace's start: d_y through relu; 0: none */
} conv_state;

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    conv_state *state = args->state;
    if (!state)
        return;
    ty_onednn_call_close(state->forward);
    ty_onednn_call_close(state->to_x);
    ty_onednn_call_close(state->to_params);
    free(state);
    args->state = NULL;
}

static void need_workspace(ty_op_args *args, size_t before, const ty_onednn_call *call) {
    const size_t bytes = before + ty_onednn_call_workspace(call);
    if (args->workspace_bytes < bytes)
        args->workspace_bytes = bytes;
}

static ty_status prepare_forward(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    conv_state *state = args->state;
    ty_conv_spec spec = {.pass = TY_PASS_FORWARD,
                         .is_training = args->is_training,
                         .x = args->x[0],
                         .y = args->y,
                         .chooses_y = true,
                         .attrs = args->attrs};
    TY_TRY(ty_onednn_conv_open(ctx, dev, &spec, &state->forward));
    args->y.layout = spec.y.layout;
    args->y.bytes = ty_layout_bytes(args->y.layout, args->y.shape, TY_DTYPE_F32);
    need_workspace(args, 0, state->forward);
    return TY_OK;
}

static ty_status prepare_backward(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    conv_state *state = args->state;
    const ty_conv2d_attrs *a = args->attrs;
    ty_conv_spec spec = {.pass = TY_PASS_BACKWARD_PARAMS,
                         .is_training = true,
                         .x = args->x[0],
                         .y = args->y,
                         .attrs = args->attrs,
                         .accumulates = args->accumulates_dx[0]};
    if (a->activation == TY_ACT_RELU)
        state->dz_bytes = (args->y.bytes + 63) / 64 * 64;
    TY_TRY(ty_onednn_conv_open(ctx, dev, &spec, &state->to_params));
    need_workspace(args, state->dz_bytes, state->to_params);
    if (!args->wants_dx[0])
        return TY_OK;
    spec.pass = TY_PASS_BACKWARD_X;
    TY_TRY(ty_onednn_conv_open(ctx, dev, &spec, &state->to_x));
    need_workspace(args, state->dz_bytes, state->to_x);
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    args->state = calloc(1, sizeof(conv_state));
    if (!args->state)
        return ty_fail_nomem(ctx, "a convolution");
    args->aux.bytes = 0;
    args->workspace_bytes = 0;
    ty_status st = prepare_forward(ctx, dev, args);
    if (st == TY_OK && args->is_training)
        st = prepare_backward(ctx, dev, args);
    if (st != TY_OK)
        release(dev, args);
    return st;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const conv_state *state = args->state;
    void *const data[TY_ROLE_COUNT] = {[TY_ROLE_X] = args->x[0].data,
                                       [TY_ROLE_WEIGHT] = args->param[0].data,
                                       [TY_ROLE_BIAS] = args->param[1].data,
                                       [TY_ROLE_Y] = args->y.data};
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), state->forward, data, args->workspace);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const conv_state *state = args->state;
    void *dz = args->d_y.data;
    if (state->dz_bytes) { /* relu' follows from y; padding stays 0 because y's is */
        dz = args->workspace;
        ty_cpu_loops(dev)->activation_backward[TY_ACT_RELU](
            dz, args->d_y.data, args->y.data, ty_layout_count(args->y.layout, args->y.shape),
            false);
    }
    void *const data[TY_ROLE_COUNT] = {
        [TY_ROLE_X] = args->x[0].data,           [TY_ROLE_DX] = args->d_x[0].data,
        [TY_ROLE_WEIGHT] = args->param[0].data,  [TY_ROLE_DWEIGHT] = args->d_param[0].data,
        [TY_ROLE_DBIAS] = args->d_param[1].data, [TY_ROLE_DY] = dz};
    void *workspace = (char *)args->workspace + state->dz_bytes;
    TY_TRY(ty_onednn_run(ctx, ty_cpu_dnn(dev), state->to_params, data, workspace));
    if (!state->to_x)
        return TY_OK;
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), state->to_x, data, workspace);
}

const ty_op_impl ty_conv2d_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
