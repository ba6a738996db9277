/* Convolutions on a GPU: up to three plans of cuDNN and what surrounds them.
 *
 *   forward    y = act(conv(x, w) + b); bias and relu in the same pass where there is an engine
 *   backward   dz = dy [y > 0] and d_b += sums of dz over images and pixels, in one pass
 *              d_w += conv'(x, dz), d_x = conv'(dz, w)
 *
 * y lies channels last, which every engine for tensor cores wants; x as it comes, filters canonical:
 * cuDNN has engines for every mixture and puts in order what they need otherwise. So there are no
 * copies of our own, but for d_w in bf16: its engines give bf16, which is then added to the f32. */
#include <stdlib.h>

#include "kernels/cuda/affine_layer.h"
#include "kernels/cuda/dnn_conv.h"
#include "kernels/cuda/widen_add.h"
#include "kernels/cuda/workspace.h"

typedef struct conv_state {
    ty_cuda_layer layer;
    ty_dnn_plan *forward, *to_filter, *to_x;
    size_t layer_bytes, dw_bytes; /* of the workspace, in this order; the plans' own follows */
} conv_state;

static const ty_conv2d_attrs *attrs_of(const ty_op_args *args) {
    return args->attrs;
}

static int64_t pixels_of(const ty_op_args *args) {
    const int64_t *y = args->y.shape.dims;
    return y[0] * y[2] * y[3];
}

/* --- preparing -------------------------------------------------------------------------------- */

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    conv_state *state = args->state;
    if (!state)
        return;
    ty_dnn_plan_close(state->forward);
    ty_dnn_plan_close(state->to_filter);
    ty_dnn_plan_close(state->to_x);
    free(state);
    args->state = NULL;
}

static ty_dnn_conv_spec spec_of(const ty_op_args *args, ty_dnn_conv_pass pass) {
    return (ty_dnn_conv_spec){.pass = pass, .attrs = args->attrs, .x = &args->x[0], .y = &args->y};
}

/* Engines for a relu without a bias there are none. */
static ty_status open_forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    conv_state *state = args->state;
    ty_dnn_conv_spec spec = spec_of(args, TY_DNN_CONV_FORWARD);
    if (attrs_of(args)->has_bias) {
        spec.has_epilogue = spec.is_optional = true;
        TY_TRY(ty_dnn_conv_open(ctx, ty_cuda_of(dev), &spec, &state->forward));
    }
    state->layer.has_epilogue = state->forward != NULL;
    if (state->layer.has_epilogue)
        return TY_OK;
    spec.has_epilogue = spec.is_optional = false;
    return ty_dnn_conv_open(ctx, ty_cuda_of(dev), &spec, &state->forward);
}

static ty_status open_backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    conv_state *state = args->state;
    ty_dnn_conv_spec spec = spec_of(args, TY_DNN_CONV_BACKWARD_FILTER);
    spec.accumulates = args->x[0].dtype == TY_DTYPE_F32;
    TY_TRY(ty_dnn_conv_open(ctx, ty_cuda_of(dev), &spec, &state->to_filter));
    if (!args->wants_dx[0])
        return TY_OK;
    spec = spec_of(args, TY_DNN_CONV_BACKWARD_X);
    spec.accumulates = args->accumulates_dx[0];
    return ty_dnn_conv_open(ctx, ty_cuda_of(dev), &spec, &state->to_x);
}

static void divide_workspace(ty_op_args *args) {
    conv_state *state = args->state;
    const ty_dnn_plan *const plans[] = {state->forward, state->to_filter, state->to_x};
    size_t most = 0;
    for (int i = 0; i < 3; i++)
        if (most < ty_dnn_workspace(plans[i]))
            most = ty_dnn_workspace(plans[i]);
    state->layer_bytes = ty_cuda_layer_place(&state->layer, args);
    if (args->is_training && args->x[0].dtype == TY_DTYPE_BF16)
        state->dw_bytes = ty_cuda_part((size_t)ty_shape_count(args->param[0].shape) *
                                       ty_dtype_bytes(TY_DTYPE_BF16));
    args->workspace_bytes = ty_cuda_parts(state->layer_bytes + state->dw_bytes + most);
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    const ty_conv2d_attrs *a = attrs_of(args);
    conv_state *state = calloc(1, sizeof *state);
    args->state = state;
    if (!state)
        return ty_fail_nomem(ctx, "a convolution");
    state->layer = (ty_cuda_layer){.rows = pixels_of(args),
                                   .columns = a->out,
                                   .has_bias = a->has_bias,
                                   .activation = a->activation};
    ty_cuda_set_y(dev, args, TY_CUDA_CHANNELS_LAST);
    args->aux.bytes = 0;
    args->param[0].dtype = args->param[1].dtype = ty_cuda_dtype(dev);
    ty_status st = open_forward(ctx, dev, args);
    if (st == TY_OK && args->is_training)
        st = open_backward(ctx, dev, args);
    if (st != TY_OK) {
        release(dev, args);
        return st;
    }
    divide_workspace(args);
    return TY_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static void *plan_workspace(const ty_op_args *args) {
    const conv_state *state = args->state;
    return ty_cuda_part_at(args, state->layer_bytes + state->dw_bytes);
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const conv_state *state = args->state;
    void *const data[TY_DNN_MAX_DATA] = {
        [TY_CONV_X] = args->x[0].data,
        [TY_CONV_FILTER] = args->param[0].data,
        [TY_CONV_Y] = args->y.data,
        [TY_CONV_BIAS] = state->layer.has_epilogue ? args->param[1].data : NULL};
    TY_TRY(ty_dnn_run(ctx, ty_cuda_of(dev), state->forward, data, plan_workspace(args)));
    return ty_cuda_layer_finish(ctx, dev, &state->layer, args);
}

static ty_status add_filter_gradient(ty_ctx *ctx, ty_device *dev, const ty_op_args *args,
                                     void *dz) {
    const conv_state *state = args->state;
    void *dw = state->dw_bytes ? ty_cuda_part_at(args, state->layer_bytes) : args->d_param[0].data;
    void *const data[TY_DNN_MAX_DATA] = {
        [TY_CONV_X] = args->x[0].data, [TY_CONV_FILTER] = dw, [TY_CONV_Y] = dz};
    TY_TRY(ty_dnn_run(ctx, ty_cuda_of(dev), state->to_filter, data, plan_workspace(args)));
    if (!state->dw_bytes)
        return TY_OK;
    return ty_cuda_widen_add(ctx, dev, args->d_param[0].data, dw,
                             ty_shape_count(args->param[0].shape));
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const conv_state *state = args->state;
    void *dz;
    TY_TRY(ty_cuda_layer_begin(ctx, dev, &state->layer, args, &dz));
    TY_TRY(add_filter_gradient(ctx, dev, args, dz));
    if (!state->to_x)
        return TY_OK;
    void *const data[TY_DNN_MAX_DATA] = {
        [TY_CONV_X] = args->d_x[0].data, [TY_CONV_FILTER] = args->param[0].data, [TY_CONV_Y] = dz};
    return ty_dnn_run(ctx, ty_cuda_of(dev), state->to_x, data, plan_workspace(args));
}

/* --- predicting ------------------------------------------------------------------------------- */

/* Each of the three convolutions multiplies the same numbers and moves the same tensors; what adds
 * reads its result, too. */
static void cost_of_plan(const ty_op_args *args, const ty_dnn_plan *plan, double more_bytes,
                         ty_op_cost *out) {
    const double y = (double)ty_shape_count(args->y.shape);
    const double w = (double)ty_shape_count(args->param[0].shape);
    const double x = (double)ty_shape_count(args->x[0].shape);
    const double bytes = (double)ty_dtype_bytes(args->x[0].dtype);
    *out = (ty_op_cost){.flops = 2 * y * w / (double)attrs_of(args)->out,
                        .bytes = bytes * (x + w + y) + more_bytes,
                        .is_matrix = true};
    ty_dnn_describe(plan, out->engine, sizeof out->engine);
}

static int cost_of_backward(const ty_op_args *args, ty_op_cost *out) {
    const conv_state *state = args->state;
    const double w_bytes = 4 * (double)ty_shape_count(args->param[0].shape);
    int n = ty_cuda_layer_begin_cost(&state->layer, args, out);
    cost_of_plan(args, state->to_filter, state->dw_bytes ? 0 : w_bytes, &out[n++]);
    if (state->dw_bytes)
        n += ty_cuda_widen_add_cost(ty_shape_count(args->param[0].shape), &out[n]);
    if (state->to_x)
        cost_of_plan(args, state->to_x, args->accumulates_dx[0] ? (double)args->x[0].bytes : 0,
                     &out[n++]);
    return n;
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const conv_state *state = args->state;
    if (is_backward)
        return cost_of_backward(args, out);
    cost_of_plan(args, state->forward, 0, out);
    return 1 + ty_cuda_layer_finish_cost(&state->layer, args, out + 1);
}

const ty_op_impl ty_conv2d_cuda = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release, .cost = cost};
