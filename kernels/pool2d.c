/* Max and average pooling. Max keeps where each maximum was; average divides by the elements inside
 * the image. */
#include "kernels/cpu.h"

#include <stdlib.h>

#include "kernels/onednn.h"
#include "kernels/ops.h"

/* A global pool is one window over the whole plane. */
static ty_pool2d_attrs resolve(const ty_pool2d_attrs *a, ty_shape x) {
    if (!a->is_global)
        return *a;
    return (ty_pool2d_attrs){
        .is_max = a->is_max, .kernel = {x.dims[2], x.dims[3]}, .stride = {1, 1}, .padding = {0, 0}};
}

ty_status ty_pool2d_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in, ty_op_shapes *out) {
    TY_TRY(ty_op_want_f32(ctx, "pool2d", &in[0], 4));
    const int64_t *x = in[0].shape.dims;
    const ty_pool2d_attrs a = resolve(attrs, in[0].shape);
    for (int i = 0; i < 2;
         i++) /* a window may not lie outside the image: it would have no maximum */
        if (a.padding[i] >= a.kernel[i])
            return ty_fail(ctx, TY_ERR_CONFIG,
                           "pool2d: padding is %lld, want less than the kernel's %lld",
                           (long long)a.padding[i], (long long)a.kernel[i]);
    ty_shape y = {4, {x[0], x[1]}};
    const ty_window2d window = {"pool2d", a.kernel, a.stride, a.padding};
    TY_TRY(ty_op_slide(ctx, &window, &x[2], &y.dims[2]));
    *out = (ty_op_shapes){.y_dtype = TY_DTYPE_F32};
    TY_TRY(ty_op_set_shape(ctx, "pool2d output", y, &out->y));
    out->flops_forward = (double)ty_shape_count(y) * (double)(a.kernel[0] * a.kernel[1]);
    out->flops_backward = out->flops_forward;
    return TY_OK;
}

typedef struct pool_state {
    ty_onednn_call *forward, *backward;
} pool_state;

static void release(ty_device *dev, ty_op_args *args) {
    (void)dev;
    pool_state *state = args->state;
    if (!state)
        return;
    ty_onednn_call_close(state->forward);
    ty_onednn_call_close(state->backward);
    free(state);
    args->state = NULL;
}

static ty_status prepare_calls(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    pool_state *state = args->state;
    const ty_pool2d_attrs attrs = resolve(args->attrs, args->x[0].shape);
    ty_pool_spec spec = {.pass = TY_PASS_FORWARD,
                         .is_training = args->is_training,
                         .x = args->x[0],
                         .y = args->y,
                         .attrs = &attrs};
    TY_TRY(ty_onednn_pool_open(ctx, dev, &spec, &state->forward));
    args->aux.bytes = ty_onednn_call_kept(state->forward);
    args->workspace_bytes = ty_onednn_call_workspace(state->forward);
    if (!args->is_training || !args->wants_dx[0])
        return TY_OK;
    spec.pass = TY_PASS_BACKWARD_X;
    spec.accumulates = args->accumulates_dx[0];
    TY_TRY(ty_onednn_pool_open(ctx, dev, &spec, &state->backward));
    const size_t bytes = ty_onednn_call_workspace(state->backward);
    if (args->workspace_bytes < bytes)
        args->workspace_bytes = bytes;
    return TY_OK;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    args->state = calloc(1, sizeof(pool_state));
    if (!args->state)
        return ty_fail_nomem(ctx, "a pool");
    args->y.layout = args->x[0].layout;
    args->y.bytes = ty_layout_bytes(args->y.layout, args->y.shape, TY_DTYPE_F32);
    const ty_status st = prepare_calls(ctx, dev, args);
    if (st != TY_OK)
        release(dev, args);
    return st;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const pool_state *state = args->state;
    void *const data[TY_ROLE_COUNT] = {
        [TY_ROLE_X] = args->x[0].data, [TY_ROLE_Y] = args->y.data, [TY_ROLE_KEPT] = args->aux.data};
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), state->forward, data, args->workspace);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const pool_state *state = args->state;
    if (!state->backward)
        return TY_OK;
    void *const data[TY_ROLE_COUNT] = {[TY_ROLE_DX] = args->d_x[0].data,
                                       [TY_ROLE_DY] = args->d_y.data,
                                       [TY_ROLE_KEPT] = args->aux.data};
    return ty_onednn_run(ctx, ty_cpu_dnn(dev), state->backward, data, args->workspace);
}

const ty_op_impl ty_pool2d_cpu = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
