/* What linear and conv2d have in common round their products: the rest of act(z + b) that the
 * product's epilogue left undone, and dz and the bias gradient before the products of the backward
 * pass. Parameter 0 is the weights, 1 the bias. */
#ifndef TY_KERNELS_CUDA_AFFINE_LAYER_H
#define TY_KERNELS_CUDA_AFFINE_LAYER_H

#include "kernels/cuda/cuda.h"

/* One layer's y as a matrix. */
typedef struct ty_cuda_layer {
    int64_t rows, columns;
    bool has_bias;
    ty_activation activation;
    bool has_epilogue; /* the product adds the bias and applies a relu */
    size_t dz_bytes,
        partials_bytes; /* the workspace's first parts, of ty_cuda_layer_place; 0: none */
} ty_cuda_layer;

/* Fills the two sizes, rounded up to parts (workspace.h); their sum, behind which there is room for
 * others. */
size_t ty_cuda_layer_place(ty_cuda_layer *layer, const ty_op_args *args);

/* After the product of the forward pass. */
ty_status ty_cuda_layer_finish(ty_ctx *ctx, const ty_device *dev, const ty_cuda_layer *layer,
                               const ty_op_args *args) TY_MUST_USE;

/* Before those of the backward pass: adds to the bias gradient; *dz is what they read, in the
 * workspace or d_y itself. */
ty_status ty_cuda_layer_begin(ty_ctx *ctx, const ty_device *dev, const ty_cuda_layer *layer,
                              const ty_op_args *args, void **dz) TY_MUST_USE;

/* Rows of predictions for the two; how many. */
int ty_cuda_layer_finish_cost(const ty_cuda_layer *layer, const ty_op_args *args, ty_op_cost *out);
int ty_cuda_layer_begin_cost(const ty_cuda_layer *layer, const ty_op_args *args, ty_op_cost *out);

#endif
