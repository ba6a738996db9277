/* One step of one layer on the GPU, for tests that let calls of CUDA and its libraries fail:
 *
 *   gpu_layer linear|conv2d fp32|tf32|bf16
 *
 * says what y is where x and the weights are 0 and bias c is c / 32, and exits with 0, or says in one
 * line what failed and exits with 8. Everything is given back in any case. */
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"

enum { MAX_BLOCKS = 16, SHOWN = 16, MOST_OUTPUTS = 2048 };

typedef struct layer {
    ty_ctx ctx;
    ty_device *dev;
    ty_op_args args;
    void *blocks[MAX_BLOCKS];
    int n_blocks;
    float y[MOST_OUTPUTS];
} layer;

static const ty_linear_attrs linear = {.out = 24, .has_bias = true, .activation = TY_ACT_TANH};
static const ty_conv2d_attrs conv2d = {.out = 16,
                                       .kernel = {3, 3},
                                       .stride = {1, 1},
                                       .padding = {1, 1},
                                       .groups = 1,
                                       .has_bias = true,
                                       .activation = TY_ACT_RELU};

static ty_status give(layer *l, size_t bytes, void **out) {
    if (bytes == 0)
        return TY_OK;
    TY_TRY(ty_device_alloc(&l->ctx, l->dev, bytes, out));
    l->blocks[l->n_blocks++] = *out;
    return TY_OK;
}

static ty_tensor tensor_of(ty_shape shape, ty_dtype dtype) {
    return (ty_tensor){.dtype = dtype,
                       .shape = shape,
                       .bytes = (size_t)ty_shape_count(shape) * ty_dtype_bytes(dtype)};
}

static ty_status prepare(layer *l, ty_op_id id, ty_precision precision) {
    const ty_dtype dtype = precision == TY_PRECISION_BF16 ? TY_DTYPE_BF16 : TY_DTYPE_F32;
    const bool is_linear = id == TY_OP_LINEAR;
    const ty_shape x = is_linear ? (ty_shape){2, {8, 16}} : (ty_shape){4, {2, 8, 6, 6}};
    const void *attrs = is_linear ? (const void *)&linear : (const void *)&conv2d;
    const ty_tensor in = tensor_of(x, TY_DTYPE_F32);
    ty_op_shapes shapes;
    TY_TRY(ty_ops[id].infer(&l->ctx, attrs, &in, &shapes));
    l->args = (ty_op_args){.id = id,
                           .attrs = attrs,
                           .is_training = true,
                           .wants_dx = {true},
                           .x = {tensor_of(x, dtype)},
                           .y = tensor_of(shapes.y, TY_DTYPE_F32)};
    for (int i = 0; i < shapes.n_params; i++)
        l->args.param[i] = l->args.d_param[i] = tensor_of(shapes.param[i].shape, TY_DTYPE_F32);
    return ty_device_op(l->dev, id)->prepare(&l->ctx, l->dev, &l->args);
}

/* prepare may have chosen other types, and so sizes, of what it reads. */
static ty_status give_tensor(layer *l, ty_tensor *tensor) {
    tensor->bytes = (size_t)ty_shape_count(tensor->shape) * ty_dtype_bytes(tensor->dtype);
    return give(l, tensor->bytes, &tensor->data);
}

static ty_status give_memory(layer *l) {
    ty_op_args *a = &l->args;
    a->d_x[0] = a->x[0];
    a->d_y = a->y;
    ty_tensor *const tensors[] = {&a->x[0],     &a->d_x[0],     &a->y,        &a->d_y,
                                  &a->param[0], &a->d_param[0], &a->param[1], &a->d_param[1]};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        TY_TRY(give_tensor(l, tensors[i]));
    return give(l, a->workspace_bytes, &a->workspace);
}

/* Multiples of 1 / 32 up to 1 are the same in both types; bf16 is the upper half of a float. */
static ty_status fill_bias(layer *l) {
    float wide[SHOWN];
    uint16_t narrow[SHOWN];
    const ty_tensor *bias = &l->args.param[1];
    for (int c = 0; c < SHOWN; c++) {
        uint32_t bits;
        wide[c] = (float)c / 32;
        memcpy(&bits, &wide[c], sizeof bits);
        narrow[c] = (uint16_t)(bits >> 16);
    }
    const bool is_bf16 = bias->dtype == TY_DTYPE_BF16;
    TY_TRY(ty_device_copy_in(&l->ctx, l->dev, bias->data, is_bf16 ? (void *)narrow : (void *)wide,
                             SHOWN * ty_dtype_bytes(bias->dtype)));
    return ty_device_sync(&l->ctx, l->dev);
}

/* The first sample's outputs: of an image, one pixel a channel. */
static ty_status show(layer *l) {
    const ty_shape y = l->args.y.shape;
    const int64_t plane = y.rank == 4 ? y.dims[2] * y.dims[3] : 1;
    TY_TRY(ty_tensor_copy_out(&l->ctx, l->dev, &l->args.y, l->y));
    TY_TRY(ty_device_sync(&l->ctx, l->dev));
    (void)printf("y");
    for (int c = 0; c < SHOWN; c++)
        (void)printf(" %.4f", (double)l->y[c * plane]);
    (void)printf("\n");
    return TY_OK;
}

static ty_status step(layer *l, ty_op_id id, ty_precision precision) {
    const ty_device_options options = {.name = "cuda", .max_isa_level = -1, .precision = precision};
    TY_TRY(ty_device_open(&l->ctx, &options, &l->dev));
    TY_TRY(prepare(l, id, precision));
    TY_TRY(give_memory(l));
    TY_TRY(fill_bias(l));
    const ty_op_impl *op = ty_device_op(l->dev, id);
    TY_TRY(op->forward(&l->ctx, l->dev, &l->args));
    TY_TRY(op->backward(&l->ctx, l->dev, &l->args));
    return show(l);
}

static void clear(layer *l, ty_op_id id) {
    while (l->n_blocks > 0)
        ty_device_free(l->dev, l->blocks[--l->n_blocks]);
    if (l->args.state)
        ty_device_op(l->dev, id)->release(l->dev, &l->args);
    ty_device_close(l->dev);
    ty_ctx_clear(&l->ctx);
}

int main(int argc, char **argv) {
    const char *op = argc > 1 ? argv[1] : "", *precision = argc > 2 ? argv[2] : "";
    const ty_op_id id = strcmp(op, "conv2d") == 0 ? TY_OP_CONV2D : TY_OP_LINEAR;
    const ty_precision kind = strcmp(precision, "bf16") == 0   ? TY_PRECISION_BF16
                              : strcmp(precision, "tf32") == 0 ? TY_PRECISION_TF32
                                                               : TY_PRECISION_FP32;
    layer l = {.n_blocks = 0};
    ty_ctx_init(&l.ctx);
    const ty_status st = step(&l, id, kind);
    if (st != TY_OK)
        (void)fprintf(stderr, "gpu_layer: %s: %s\n", ty_status_name(st), l.ctx.message);
    clear(&l, id);
    return st == TY_OK ? 0 : 8;
}
