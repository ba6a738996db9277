/* The table of ops and the CPU's table of their functions: one row an op in each. */
#include "kernels/op.h"

#include <stdio.h>

#include "base/checked.h"
#include "kernels/cpu.h"
#include "kernels/ops.h"

const ty_op ty_ops[TY_OP_COUNT] = {
    [TY_OP_NORMALIZE] = {.name = "normalize",
                         .n_inputs = 1,
                         .attrs_bytes = sizeof(ty_normalize_attrs),
                         .infer = ty_normalize_infer},
    [TY_OP_LINEAR] = {.name = "linear",
                      .n_inputs = 1,
                      .backward_reads = TY_READS_X | TY_READS_Y,
                      .attrs_bytes = sizeof(ty_linear_attrs),
                      .has_backward = true,
                      .infer = ty_linear_infer},
    [TY_OP_CONV2D] = {.name = "conv2d",
                      .n_inputs = 1,
                      .backward_reads = TY_READS_X | TY_READS_Y,
                      .attrs_bytes = sizeof(ty_conv2d_attrs),
                      .has_backward = true,
                      .infer = ty_conv2d_infer},
    [TY_OP_POOL2D] = {.name = "pool2d",
                      .n_inputs = 1,
                      .backward_reads = TY_READS_AUX,
                      .attrs_bytes = sizeof(ty_pool2d_attrs),
                      .has_backward = true,
                      .infer = ty_pool2d_infer},
    [TY_OP_BATCH_NORM] = {.name = "batch_norm",
                          .n_inputs = 1,
                          .backward_reads = TY_READS_X | TY_READS_AUX,
                          .attrs_bytes = sizeof(ty_batch_norm_attrs),
                          .has_backward = true,
                          .infer = ty_batch_norm_infer},
    [TY_OP_ACTIVATION] = {.name = "activation",
                          .n_inputs = 1,
                          .backward_reads = TY_READS_X,
                          .attrs_bytes = sizeof(ty_activation_attrs),
                          .has_backward = true,
                          .infer = ty_activation_infer},
    [TY_OP_DROPOUT] = {.name = "dropout",
                       .n_inputs = 1,
                       .attrs_bytes = sizeof(ty_dropout_attrs),
                       .has_backward = true,
                       .infer = ty_dropout_infer},
    [TY_OP_RESHAPE] = {.name = "reshape",
                       .n_inputs = 1,
                       .attrs_bytes = sizeof(ty_reshape_attrs),
                       .has_backward = true,
                       .infer = ty_reshape_infer},
    [TY_OP_ADD] = {.name = "add", .n_inputs = 2, .has_backward = true, .infer = ty_add_infer},
    [TY_OP_SCALE] = {.name = "scale",
                     .n_inputs = 1,
                     .attrs_bytes = sizeof(ty_scale_attrs),
                     .has_backward = true,
                     .infer = ty_scale_infer},
    [TY_OP_SOFTMAX_XENT] = {.name = "softmax_xent",
                            .n_inputs = 3,
                            .backward_reads = TY_READS_X | TY_READS_AUX,
                            .attrs_bytes = sizeof(ty_softmax_xent_attrs),
                            .has_backward = true,
                            .infer = ty_softmax_xent_infer},
    [TY_OP_MSE] = {.name = "mse",
                   .n_inputs = 3,
                   .backward_reads = TY_READS_X,
                   .attrs_bytes = sizeof(ty_mse_attrs),
                   .has_backward = true,
                   .infer = ty_mse_infer},
};

const ty_op_impl *const ty_cpu_ops[TY_OP_COUNT] = {
    [TY_OP_NORMALIZE] = &ty_normalize_cpu,
    [TY_OP_LINEAR] = &ty_linear_cpu,
    [TY_OP_CONV2D] = &ty_conv2d_cpu,
    [TY_OP_POOL2D] = &ty_pool2d_cpu,
    [TY_OP_BATCH_NORM] = &ty_batch_norm_cpu,
    [TY_OP_ACTIVATION] = &ty_activation_cpu,
    [TY_OP_DROPOUT] = &ty_dropout_cpu,
    [TY_OP_RESHAPE] = &ty_reshape_cpu,
    [TY_OP_ADD] = &ty_add_cpu,
    [TY_OP_SCALE] = &ty_scale_cpu,
    [TY_OP_SOFTMAX_XENT] = &ty_softmax_xent_cpu,
    [TY_OP_MSE] = &ty_mse_cpu,
};

const ty_op_impl *ty_device_op(const ty_device *dev, ty_op_id id) {
    return dev->backend->ops[id];
}

int ty_op_costs(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    const ty_op_impl *impl = ty_device_op(dev, args->id);
    const int n = impl && impl->cost ? impl->cost(dev, args, is_backward, out) : 0;
    for (int i = 0; i < n; i++)
        ty_op_note_kernel(dev, &out[i]);
    return n;
}

void ty_op_note_kernel(const ty_device *dev, ty_op_cost *cost) {
    if (dev->backend->note_kernel)
        dev->backend->note_kernel(dev, cost);
}

void ty_op_release_nothing(ty_device *dev, ty_op_args *args) {
    (void)dev, (void)args;
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

ty_status ty_op_slide(ty_ctx *ctx, const ty_window2d *window, const int64_t in[2], int64_t out[2]) {
    static const char *const axis[] = {"height", "width"};
    for (int i = 0; i < 2; i++) {
        const int64_t kernel = window->kernel[i], stride = window->stride[i];
        const int64_t padding = window->padding[i];
        if (kernel < 1 || stride < 1 || padding < 0 || padding > INT32_MAX)
            return ty_fail(ctx, TY_ERR_CONFIG,
                           "%s: kernel %lld, stride %lld, padding %lld in %s, want >= 1, 1, 0",
                           window->op, (long long)kernel, (long long)stride, (long long)padding,
                           axis[i]);
        if (in[i] + 2 * padding < kernel)
            return ty_fail(ctx, TY_ERR_CONFIG,
                           "%s: a kernel of %lld does not fit into a %s of %lld with padding %lld",
                           window->op, (long long)kernel, axis[i], (long long)in[i],
                           (long long)padding);
        out[i] = (in[i] + 2 * padding - kernel) / stride + 1;
    }
    return TY_OK;
}
