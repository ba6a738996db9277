/* The attributes of each op: plain values, no pointers to device memory. */
#ifndef TY_KERNELS_ATTRS_H
#define TY_KERNELS_ATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_activation {
    TY_ACT_NONE, TY_ACT_RELU, TY_ACT_GELU, TY_ACT_SILU, TY_ACT_TANH, TY_ACT_SIGMOID
} ty_activation;

/* y = (x - mean[c]) * inverse_std[c], c the second dimension of x. */
typedef struct ty_normalize_attrs {
    int64_t n_channels; /* 1: one pair for everything */
    const float *mean, *inverse_std; /* host memory, copied by prepare */
} ty_normalize_attrs;

/* y = act(x W^T + b). A fused activation keeps y for backward, which is why only those whose
 * derivative follows from y may be fused: none, relu, tanh, sigmoid. */
typedef struct ty_linear_attrs {
    int64_t out;
    bool has_bias;
    ty_activation activation;
} ty_linear_attrs;

typedef struct ty_conv2d_attrs {
    int64_t out;
    int64_t kernel[2], stride[2], padding[2];
    int64_t groups;
    bool has_bias;
    ty_activation activation; /* none or relu */
} ty_conv2d_attrs;

typedef struct ty_activation_attrs {
    ty_activation kind; /* gelu is the exact one, x Phi(x) */
} ty_activation_attrs;

typedef struct ty_pool2d_attrs {
    bool is_max;     /* otherwise average over the elements inside the image */
    bool is_global;  /* one window over the whole plane */
    int64_t kernel[2], stride[2], padding[2];
} ty_pool2d_attrs;

/* Ioffe & Szegedy 2015. Biased batch variance normalises; batch_stat receives mean and UNBIASED
 * variance, as PyTorch's running statistics take it. */
typedef struct ty_batch_norm_attrs {
    double epsilon;
    bool has_relu;
} ty_batch_norm_attrs;

typedef struct ty_dropout_attrs {
    double rate; /* probability of zero; the rest is scaled by 1 / (1 - rate) */
} ty_dropout_attrs;

typedef struct ty_reshape_attrs {
    ty_shape shape; /* dims[0] is ignored: the batch stays */
} ty_reshape_attrs;

typedef struct ty_scale_attrs {
    double factor;
} ty_scale_attrs;

/* Rows of both losses, one per sample: {loss, a, b, c}. The loss is not multiplied by the sample's
 * weight; the gradient is: d_x = weight * d loss / d x, a SUM over samples (the update divides by
 * the total weight, so ranks and shards only add).
 *   softmax_xent  a = predicted class, b = its probability, c = rank of the true class (0 = correct; ties by index)
 *   mse           a = first prediction, b = mean absolute error, c = 0
 * A target equal to ignore_index makes loss and gradient 0 and a = -1 (the trainer gives it weight
 * 0). Any other target outside [0, K) makes both NaN. A sample of weight 0 has gradient 0, whatever
 * its numbers are. */
typedef struct ty_softmax_xent_attrs {
    double label_smoothing; /* Szegedy et al. 2016: target = (1 - s) onehot + s / K */
    int32_t ignore_index;   /* INT32_MIN: none */
} ty_softmax_xent_attrs;

/* loss = mean over the K outputs of (prediction - target)^2. */
typedef struct ty_mse_attrs {
    int unused;
} ty_mse_attrs;

enum { TY_LOSS_ROW = 4 };

#ifdef __cplusplus
}
#endif
#endif
