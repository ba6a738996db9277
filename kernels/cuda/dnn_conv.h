/* The three convolutions of a layer as plans of cuDNN. */
#ifndef TY_KERNELS_CUDA_DNN_CONV_H
#define TY_KERNELS_CUDA_DNN_CONV_H

#include "kernels/cuda/dnn.h"

/* Where ty_dnn_run finds the tensors of a convolution: data[i]. Backward passes write TY_CONV_X and
 * TY_CONV_FILTER, and read d_y as TY_CONV_Y. */
enum { TY_CONV_X, TY_CONV_FILTER, TY_CONV_Y, TY_CONV_BIAS };

typedef enum ty_dnn_conv_pass {
    TY_DNN_CONV_FORWARD,
    TY_DNN_CONV_BACKWARD_X,
    TY_DNN_CONV_BACKWARD_FILTER
} ty_dnn_conv_pass;

/* All tensors of one type; x in any layout, y channels last, the filters canonical [k, c / g, r, s]:
 * engines put in order what they need otherwise, in their workspace. */
typedef struct ty_dnn_conv_spec {
    ty_dnn_conv_pass pass;
    const ty_conv2d_attrs *attrs;
    const ty_tensor *x, *y;
    bool has_epilogue; /* forward: the bias of attrs, then its activation, in the same pass */
    bool accumulates;  /* backward: added to what is there */
    bool is_optional;  /* where no engine computes this, *out is NULL, and that is no error */
} ty_dnn_conv_spec;

/* *out is the caller's to close. Errors: TY_ERR_DEVICE no engine computes this, or cuDNN fails. */
ty_status ty_dnn_conv_open(ty_ctx *ctx, ty_cuda *dev, const ty_dnn_conv_spec *spec,
                           ty_dnn_plan **out) TY_MUST_USE;

#endif
