/* Batch normalisation (Ioffe & Szegedy 2015) over all but the channel: y = relu?(scale (x - mean) /
 * sqrt(variance + epsilon)
 * + shift). aux keeps the batch's mean and biased variance, and the relu's mask. */
#include "kernels/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/loops.h"
#include "kernels/onednn.h"
#include "kernels/ops.h"

ty_status ty_batch_norm_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in,
                              ty_op_shapes *out) {
    const ty_batch_norm_attrs *a = attrs;
    TY_TRY(ty_op_want_f32(ctx, "batch_norm", &in[0], 0));
    const ty_shape x = in[0].shape;
    char text[TY_SHAPE_TEXT];
    if (x.rank != 2 && x.rank != 4)
        return ty_fail(ctx, TY_ERR_CONFIG, "batch_norm: input has shape %s, want 2 or 4 dimensions",
                       ty_shape_text(x, text));
    if (!(a->epsilon > 0))
        return ty_fail(ctx, TY_ERR_CONFIG, "batch_norm: epsilon is %g, want > 0", a->epsilon);
    const ty_shape channels = {1, {x.dims[1]}};
    *out = (ty_op_shapes){.y = x, .y_dtype = TY_DTYPE_F32, .n_params = 2, .n_stats = 2};
    out->param[0] = (ty_param_spec){.name = "weight", .shape = channels, .init = TY_INIT_ONES};
    out->param[1] = (ty_param_spec){.name = "bias", .shape = channels, .init = TY_INIT_ZEROS};
    out->stat[0] =
        (ty_param_spec){.name = "running_mean", .shape = channels, .init = TY_INIT_ZEROS};
    out->stat[1] = (ty_param_spec){.name = "running_var", .shape = channels, .init = TY_INIT_ONES};
    out->flops_forward = 8.0 * (double)ty_shape_count(x);
    out->flops_backward = 2 * out->flops_forward;
    return TY_OK;
}

/* aux: mean [C], variance [C], each rounded up to 64 bytes, then what oneDNN keeps. */
typedef struct norm_state {
    ty_onednn_call *forward, *backward;
    size_t channel_bytes;  /* of one of the two */
    size_t unwanted_bytes; /* at the workspace's start: d_x that nobody wants; 0: it is wanted */
    double unbiased;       /* variance's factor, n / (n - 1) */
} norm_state;

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    norm_state *state = args->state;
    if (!state)
        return;
    ty_onednn_call_close(state->forward);
    ty_onednn_call_close(state->backward);
    free(state);
    args->state = NULL;
}

/* [B, C] is [B, C, 1, 1] with channels last, which oneDNN is faster at than at two dimensions. */
static ty_tensor as_image(ty_tensor x) {
    if (x.shape.rank == 2) {
        x.shape = (ty_shape){4, {x.shape.dims[0], x.shape.dims[1], 1, 1}};
        x.layout = &ty_layout_channels_last;
    }
    return x;
}

static ty_status prepare_calls(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    norm_state *state = args->state;
    const ty_batch_norm_attrs *a = args->attrs;
    ty_norm_spec spec = {.pass = TY_PASS_FORWARD,
                         .is_training = args->is_training,
                         .x = as_image(args->x[0]),
                         .epsilon = a->epsilon,
                         .has_relu = a->has_relu};
    TY_TRY(ty_onednn_norm_open(ctx, dev, &spec, &state->forward));
    args->workspace_bytes = ty_onednn_call_workspace(state->forward);
    args->aux.bytes = 0;
    if (!args->is_training)
        return TY_OK;
    args->aux.bytes = 2 * state->channel_bytes + ty_onednn_call_kept(state->forward);
    spec.pass = TY_PASS_BACKWARD_X;
    spec.accumulates = args->accumulates_dx[0];
    TY_TRY(ty_onednn_norm_open(ctx, dev, &spec, &state->backward));
    if (!args->wants_dx[0])
        state->unwanted_bytes = (args->y.bytes + 63) / 64 * 64;
    const size_t bytes = state->unwanted_bytes + ty_onednn_call_workspace(state->backward);
    if (args->workspace_bytes < bytes)
        args->workspace_bytes = bytes;
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    norm_state *state = calloc(1, sizeof *state);
    if (!state)
        return ty_fail_nomem(ctx, "a batch normalisation");
    const int64_t channels = args->x[0].shape.dims[1];
    const int64_t n = ty_shape_count(args->x[0].shape) / channels;
    state->channel_bytes = ((size_t)channels * sizeof(float) + 63) / 64 * 64;
    state->unbiased = n > 1 ? (double)n / (double)(n - 1) : 1;
    args->state = state;
    args->y.layout = args->x[0].layout;
    args->y.bytes = ty_layout_bytes(args->y.layout, args->y.shape, TY_DTYPE_F32);
    const ty_status st = prepare_calls(ctx, dev, args);
    if (st != TY_OK)
        release(dev, args);
    return st;
}

static char *kept_of(const ty_op_args *args) {
    const norm_state *state = args->state;
    return (char *)args->aux.data + 2 * state->channel_bytes;
}

static void *variance_of(const ty_op_args *args) {
    const norm_state *state = args->state;
    return (char *)args->aux.data + state->channel_bytes;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const norm_state *state = args->state;
    const bool is_training = args->is_training;
    void *const data[TY_ROLE_COUNT] = {
        [TY_ROLE_X] = args->x[0].data,
        [TY_ROLE_Y] = args->y.data,
        [TY_ROLE_SCALE] = args->param[0].data,
        [TY_ROLE_SHIFT] = args->param[1].data,
        [TY_ROLE_MEAN] = is_training ? args->aux.data : args->stat[0].data,
        [TY_ROLE_VARIANCE] = is_training ? variance_of(args) : args->stat[1].data,
        [TY_ROLE_KEPT] = is_training ? kept_of(args) : NULL};
    TY_TRY(ty_onednn_run(ctx, ty_cpu_dnn(dev), state->forward, data, args->workspace));
    if (!is_training)
        return TY_OK;
    const int64_t channels = args->x[0].shape.dims[1];
    memcpy(args->batch_stat[0].data, args->aux.data, (size_t)channels * sizeof(float));
    ty_cpu_loops(dev)->scale(args->batch_stat[1].data, variance_of(args), channels,
                             (float)state->unbiased);
    return TY_OK;
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const norm_state *state = args->state;
    void *const data[TY_ROLE_COUNT] = {[TY_ROLE_X] = args->x[0].data,
                                       [TY_ROLE_MEAN] = args->aux.data,
                                       [TY_ROLE_VARIANCE] = variance_of(args),
                                       [TY_ROLE_SCALE] = args->param[0].data,
                                       [TY_ROLE_DY] = args->d_y.data,
                                       [TY_ROLE_DX] = state->unwanted_bytes ? args->workspace
                                                                            : args->d_x[0].data,
                                       [TY_ROLE_DSCALE] = args->d_param[0].data,
                                       [TY_ROLE_DSHIFT] = args->d_param[1].data,
                                       [TY_ROLE_KEPT] = kept_of(args)};
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), state->backward, data,
                         (char *)args->workspace + state->unwanted_bytes);
}

const ty_op_impl ty_batch_norm_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
