/* Linear layers on a GPU: three products of cuBLASLt (y, d_x, d_W) and what surrounds them.
 *
 *   forward    y = act(x W^T + b); bias and relu ride on the product, tanh and sigmoid follow it
 *   backward   dz = dy act'(z) and d_b += column sums of dz, in one pass over dy and y
 *              d_W += dz^T x and d_x = dz W
 *
 * cuBLASLt's epilogues for gradients are not used. DRELU_BGRAD belongs to the product that makes d_y,
 * which is another call's, and BGRADA/B overwrite a bias gradient that has to be added to; one pass
 * over dz, which the product then finds in the L2, costs less than a detour.
 *
 * In bf16 x, y, dz and the copies of W and b are bf16 (an epilogue's bias has its output's type);
 * sums, d_W and d_b are f32. */
#include <stdlib.h>

#include "kernels/cuda/affine_layer.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/workspace.h"

typedef struct linear_state {
    ty_cuda_layer layer;
    ty_cuda_gemm *forward, *to_weight, *to_x;
    size_t layer_bytes; /* of the workspace; the products' own begins there */
} linear_state;

static int64_t batch_of(const ty_op_args *args) {
    return args->x[0].shape.dims[0];
}

static int64_t width_of(const ty_op_args *args) {
    return args->x[0].shape.dims[1];
}

static const ty_linear_attrs *attrs_of(const ty_op_args *args) {
    return args->attrs;
}

/* --- preparing -------------------------------------------------------------------------------- */

static void release(ty_device *dev, ty_op_args *args) {
    linear_state *state = args->state;
    if (!state)
        return;
    ty_cuda_gemm_close(ty_cuda_of(dev), state->forward);
    ty_cuda_gemm_close(ty_cuda_of(dev), state->to_weight);
    ty_cuda_gemm_close(ty_cuda_of(dev), state->to_x);
    free(state);
    args->state = NULL;
}

static ty_status open_forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_linear_attrs *a = attrs_of(args);
    linear_state *state = args->state;
    const ty_cuda_gemm_spec spec = {.m = batch_of(args),
                                    .n = a->out,
                                    .k = width_of(args),
                                    .transposes_b = true,
                                    .input = args->x[0].dtype,
                                    .output = args->y.dtype,
                                    .has_bias = a->has_bias,
                                    .has_relu = a->activation == TY_ACT_RELU};
    return ty_cuda_gemm_open(ctx, ty_cuda_of(dev), &spec, &state->forward);
}

static ty_status open_backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_linear_attrs *a = attrs_of(args);
    linear_state *state = args->state;
    const ty_cuda_gemm_spec to_weight = {.m = a->out,
                                         .n = width_of(args),
                                         .k = batch_of(args),
                                         .transposes_a = true,
                                         .input = args->x[0].dtype,
                                         .output = TY_DTYPE_F32,
                                         .accumulates = true};
    const ty_cuda_gemm_spec to_x = {.m = batch_of(args),
                                    .n = width_of(args),
                                    .k = a->out,
                                    .input = args->x[0].dtype,
                                    .output = args->x[0].dtype,
                                    .accumulates = args->accumulates_dx[0]};
    TY_TRY(ty_cuda_gemm_open(ctx, ty_cuda_of(dev), &to_weight, &state->to_weight));
    if (!args->wants_dx[0])
        return TY_OK;
    return ty_cuda_gemm_open(ctx, ty_cuda_of(dev), &to_x, &state->to_x);
}

/* The layer's parts, then the products'. */
static void divide_workspace(ty_op_args *args) {
    linear_state *state = args->state;
    const ty_cuda_gemm *const products[] = {state->forward, state->to_weight, state->to_x};
    size_t most = 0;
    for (int i = 0; i < 3; i++)
        if (most < ty_cuda_gemm_workspace(products[i]))
            most = ty_cuda_gemm_workspace(products[i]);
    state->layer_bytes = ty_cuda_layer_place(&state->layer, args);
    args->workspace_bytes = ty_cuda_parts(state->layer_bytes + most);
}

static ty_cuda_layer layer_of(const ty_op_args *args) {
    const ty_linear_attrs *a = attrs_of(args);
    const linear_state *state = args->state;
    return (ty_cuda_layer){.rows = batch_of(args),
                           .columns = a->out,
                           .has_bias = a->has_bias,
                           .activation = a->activation,
                           .has_epilogue = ty_cuda_gemm_has_epilogue(state->forward)};
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    linear_state *state = calloc(1, sizeof *state);
    args->state = state;
    if (!state)
        return ty_fail_nomem(ctx, "a linear layer");
    ty_cuda_set_y(dev, args, NULL);
    args->aux.bytes = 0;
    args->param[0].dtype = args->param[1].dtype = ty_cuda_dtype(dev);
    ty_status st = open_forward(ctx, dev, args);
    if (st == TY_OK && args->is_training)
        st = open_backward(ctx, dev, args);
    if (st != TY_OK) {
        release(dev, args);
        return st;
    }
    state->layer = layer_of(args);
    divide_workspace(args);
    return TY_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static void *product_workspace(const ty_op_args *args) {
    const linear_state *state = args->state;
    return ty_cuda_part_at(args, state->layer_bytes);
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const linear_state *state = args->state;
    const ty_cuda_gemm_data data = {.a = args->x[0].data,
                                    .b = args->param[0].data,
                                    .bias = args->param[1].data,
                                    .d = args->y.data,
                                    .workspace = product_workspace(args)};
    TY_TRY(ty_cuda_gemm_run(ctx, ty_cuda_of(dev), state->forward, &data));
    return ty_cuda_layer_finish(ctx, dev, &state->layer, args);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const linear_state *state = args->state;
    void *dz;
    TY_TRY(ty_cuda_layer_begin(ctx, dev, &state->layer, args, &dz));
    const ty_cuda_gemm_data to_weight = {.a = dz,
                                         .b = args->x[0].data,
                                         .d = args->d_param[0].data,
                                         .workspace = product_workspace(args)};
    TY_TRY(ty_cuda_gemm_run(ctx, ty_cuda_of(dev), state->to_weight, &to_weight));
    if (!state->to_x)
        return TY_OK;
    const ty_cuda_gemm_data to_x = {.a = dz,
                                    .b = args->param[0].data,
                                    .d = args->d_x[0].data,
                                    .workspace = product_workspace(args)};
    return ty_cuda_gemm_run(ctx, ty_cuda_of(dev), state->to_x, &to_x);
}

/* --- predicting ------------------------------------------------------------------------------- */

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const linear_state *state = args->state;
    if (!is_backward) {
        ty_cuda_gemm_cost(state->forward, out);
        return 1 + ty_cuda_layer_finish_cost(&state->layer, args, out + 1);
    }
    int n = ty_cuda_layer_begin_cost(&state->layer, args, out);
    ty_cuda_gemm_cost(state->to_weight, &out[n++]);
    if (state->to_x)
        ty_cuda_gemm_cost(state->to_x, &out[n++]);
    return n;
}

const ty_op_impl ty_linear_cuda = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release, .cost = cost};
