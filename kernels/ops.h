/* What each op's file gives to the two tables of op.c. Private to kernels. */
#ifndef TY_KERNELS_OPS_H
#define TY_KERNELS_OPS_H

#include "kernels/attrs.h"
#include "kernels/op.h"

/* One row an op: its shapes and its CPU functions. */
#define TY_OP_DECLARE(op)                                                                          \
    ty_status ty_##op##_infer(ty_ctx *ctx, const void *attrs, const ty_tensor *in,                 \
                              ty_op_shapes *out) TY_MUST_USE;                                      \
    extern const ty_op_impl ty_##op##_cpu

TY_OP_DECLARE(linear);
TY_OP_DECLARE(conv2d);
TY_OP_DECLARE(pool2d);
TY_OP_DECLARE(batch_norm);
TY_OP_DECLARE(normalize);
TY_OP_DECLARE(activation);
TY_OP_DECLARE(dropout);
TY_OP_DECLARE(reshape);
TY_OP_DECLARE(add);
TY_OP_DECLARE(scale);
TY_OP_DECLARE(softmax_xent);
TY_OP_DECLARE(mse);

/* The release of an op that keeps no state. */
void ty_op_release_nothing(ty_device *dev, ty_op_args *args);

/* Fails with TY_ERR_CONFIG unless x is f32 of the given rank (0: any) with every dim positive. */
ty_status ty_op_want_f32(ty_ctx *ctx, const char *op, const ty_tensor *x, int rank) TY_MUST_USE;

/* "[64, 3, 28, 28]" for messages, cut at the buffer's end. */
enum { TY_SHAPE_TEXT = 128 };
const char *ty_shape_text(ty_shape shape, char text[TY_SHAPE_TEXT]);

/* *out is the shape with its count checked against overflow.
 * Errors: TY_ERR_CONFIG naming the op. */
ty_status ty_op_set_shape(ty_ctx *ctx, const char *op, ty_shape shape, ty_shape *out) TY_MUST_USE;

/* A window that slides over height and width: out = floor((in + 2 padding - kernel) / stride) + 1.
 * Errors: TY_ERR_CONFIG for numbers out of range or a window that fits nowhere. */
typedef struct ty_window2d {
    const char *op; /* for messages */
    const int64_t *kernel, *stride, *padding;
} ty_window2d;
ty_status ty_op_slide(ty_ctx *ctx, const ty_window2d *window, const int64_t in[2],
                      int64_t out[2]) TY_MUST_USE;

#endif
