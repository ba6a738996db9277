#include "kernels/cuda/affine_layer.h"

#include "kernels/cuda/affine.h"
#include "kernels/cuda/workspace.h"

size_t ty_cuda_layer_place(ty_cuda_layer *layer, const ty_op_args *args) {
    if (args->is_training && layer->activation != TY_ACT_NONE)
        layer->dz_bytes = ty_cuda_part(args->y.bytes);
    if (args->is_training && layer->has_bias)
        layer->partials_bytes =
            ty_cuda_part(ty_cuda_affine_partials(layer->rows, layer->columns, args->y.dtype));
    return layer->dz_bytes + layer->partials_bytes;
}

/* --- forward ---------------------------------------------------------------------------------- */

static ty_activation activation_left(const ty_cuda_layer *layer) {
    const bool is_done = layer->has_epilogue && layer->activation == TY_ACT_RELU;
    return is_done ? TY_ACT_NONE : layer->activation;
}

static bool is_bias_left(const ty_cuda_layer *layer) {
    return layer->has_bias && !layer->has_epilogue;
}

static bool is_finished(const ty_cuda_layer *layer) {
    return !is_bias_left(layer) && activation_left(layer) == TY_ACT_NONE;
}

static ty_cuda_affine_args rest_of(const ty_cuda_layer *layer, const ty_op_args *args) {
    return (ty_cuda_affine_args){.y = args->y.data,
                                 .bias = is_bias_left(layer) ? args->param[1].data : NULL,
                                 .rows = layer->rows,
                                 .columns = layer->columns,
                                 .dtype = args->y.dtype,
                                 .activation = activation_left(layer)};
}

ty_status ty_cuda_layer_finish(ty_ctx *ctx, const ty_device *dev, const ty_cuda_layer *layer,
                               const ty_op_args *args) {
    const ty_cuda_affine_args rest = rest_of(layer, args);
    return is_finished(layer) ? TY_OK : ty_cuda_affine(ctx, dev, &rest);
}

int ty_cuda_layer_finish_cost(const ty_cuda_layer *layer, const ty_op_args *args, ty_op_cost *out) {
    const ty_cuda_affine_args rest = rest_of(layer, args);
    return is_finished(layer) ? 0 : ty_cuda_affine_cost(&rest, out);
}

/* --- backward --------------------------------------------------------------------------------- */

static bool is_begun(const ty_cuda_layer *layer) {
    return !layer->has_bias && !layer->dz_bytes;
}

static ty_cuda_affine_grad_args start_of(const ty_cuda_layer *layer, const ty_op_args *args) {
    return (ty_cuda_affine_grad_args){.dy = args->d_y.data,
                                      .y = args->y.data,
                                      .dz = layer->dz_bytes ? ty_cuda_part_at(args, 0) : NULL,
                                      .d_bias = layer->has_bias ? args->d_param[1].data : NULL,
                                      .partials = ty_cuda_part_at(args, layer->dz_bytes),
                                      .rows = layer->rows,
                                      .columns = layer->columns,
                                      .dtype = args->y.dtype,
                                      .activation = layer->activation};
}

ty_status ty_cuda_layer_begin(ty_ctx *ctx, const ty_device *dev, const ty_cuda_layer *layer,
                              const ty_op_args *args, void **dz) {
    const ty_cuda_affine_grad_args start = start_of(layer, args);
    *dz = start.dz ? start.dz : args->d_y.data;
    return is_begun(layer) ? TY_OK : ty_cuda_affine_grad(ctx, dev, &start);
}

int ty_cuda_layer_begin_cost(const ty_cuda_layer *layer, const ty_op_args *args, ty_op_cost *out) {
    const ty_cuda_affine_grad_args start = start_of(layer, args);
    return is_begun(layer) ? 0 : ty_cuda_affine_grad_cost(&start, layer->has_bias, out);
}
