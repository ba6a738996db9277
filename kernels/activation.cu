/* Elementwise activations, y = f(x), d_x = or += d_y f'(x), f32 inside whatever the type in memory.
 * f and f' as in kernels/loops_ops.h; the functions are CUDA's, within 2 ulp (exp, tanh), 5 ulp (the
 * normal law's distribution).
 *
 * Roofline, bytes an element f32 / bf16: forward 8 / 4, backward 12 / 6 (16 / 8 where it adds). Of
 * 16.8 M elements (32 x 64 x 90 x 90) in f32: forward 87 us on an A100, 50 us on an H100; backward 130
 * and 75. At most 30 instructions an element, so memory is what they wait for. */
#include "kernels/cuda/map.cuh"

static __device__ inline float exp_of_minus(float magnitude) {
    return expf(-magnitude);
}

/* 1 / (1 + e^-x) by e^-|x|, so that neither side overflows or cancels. */
static __device__ inline float sigmoid_of(float x) {
    const float e = exp_of_minus(fabsf(x));
    return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

struct none {
    static __device__ float at(const float *in, float) { return in[0]; }
};

/* NaN stays NaN: a lost one would hide. */
struct relu {
    static __device__ float at(const float *in, float) { return in[0] < 0.0F ? 0.0F : in[0]; }
};

struct gelu {
    static __device__ float at(const float *in, float) { return in[0] * normcdff(in[0]); }
};

struct silu {
    static __device__ float at(const float *in, float) { return in[0] * sigmoid_of(in[0]); }
};

struct hyperbolic {
    static __device__ float at(const float *in, float) { return tanhf(in[0]); }
};

struct sigmoid {
    static __device__ float at(const float *in, float) { return sigmoid_of(in[0]); }
};

/* Slopes are given d_y and x. */
struct relu_slope {
    static __device__ float at(const float *in, float) { return in[1] > 0.0F ? in[0] : 0.0F; }
};

/* Phi(x) + x phi(x). */
struct gelu_slope {
    static __device__ float at(const float *in, float) {
        const float x = in[1], density = 0.3989422804F * exp_of_minus(0.5F * x * x);
        return in[0] * (normcdff(x) + x * density);
    }
};

/* s (1 + x (1 - s)), 1 - s as the sigmoid of -x. */
struct silu_slope {
    static __device__ float at(const float *in, float) {
        const float x = in[1], e = exp_of_minus(fabsf(x)), inverse = 1.0F / (1.0F + e);
        const float s = (x < 0.0F ? e : 1.0F) * inverse, rest = (x < 0.0F ? 1.0F : e) * inverse;
        return in[0] * (s * (1.0F + x * rest));
    }
};

struct hyperbolic_slope {
    static __device__ float at(const float *in, float) {
        const float t = tanhf(in[1]);
        return in[0] * ((1.0F - t) * (1.0F + t));
    }
};

/* s (1 - s) = e / (1 + e)^2. */
struct sigmoid_slope {
    static __device__ float at(const float *in, float) {
        const float e = exp_of_minus(fabsf(in[1])), inverse = 1.0F / (1.0F + e);
        return in[0] * (e * inverse * inverse);
    }
};

TY_MAP_KERNELS(activation_none, 1, none)
TY_MAP_KERNELS(activation_relu, 1, relu)
TY_MAP_KERNELS(activation_gelu, 1, gelu)
TY_MAP_KERNELS(activation_silu, 1, silu)
TY_MAP_KERNELS(activation_tanh, 1, hyperbolic)
TY_MAP_KERNELS(activation_sigmoid, 1, sigmoid)
TY_MAP_KERNELS(activation_relu_backward, 2, relu_slope)
TY_MAP_KERNELS(activation_gelu_backward, 2, gelu_slope)
TY_MAP_KERNELS(activation_silu_backward, 2, silu_slope)
TY_MAP_KERNELS(activation_tanh_backward, 2, hyperbolic_slope)
TY_MAP_KERNELS(activation_sigmoid_backward, 2, sigmoid_slope)

/* By ty_activation; the slope of none is d_y itself. */
static const ty_map_kernels *const forwards[] = {&activation_none, &activation_relu,
                                                 &activation_gelu, &activation_silu,
                                                 &activation_tanh, &activation_sigmoid};
static const ty_map_kernels *const backwards[] = {
    &activation_none,          &activation_relu_backward, &activation_gelu_backward,
    &activation_silu_backward, &activation_tanh_backward, &activation_sigmoid_backward};

static ty_activation kind_of(const ty_op_args *args) {
    return ((const ty_activation_attrs *)args->attrs)->kind;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_tensor *x = &args->x[0];
    const ty_map_args map = {args->y.data, {x->data}, ty_shape_count(x->shape), 0, false};
    return ty_cuda_map(ctx, dev, forwards[kind_of(args)], x->dtype, &map);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_tensor *x = &args->x[0];
    const ty_map_args map = {args->d_x[0].data,
                             {args->d_y.data, x->data},
                             ty_shape_count(x->shape),
                             0,
                             args->accumulates_dx[0]};
    if (!args->wants_dx[0])
        return TY_OK;
    return ty_cuda_map(ctx, dev, backwards[kind_of(args)], x->dtype, &map);
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    if (!is_backward)
        return ty_cuda_map_cost(&out[0], forwards[kind_of(args)], &args->y, 2, 10);
    if (!args->wants_dx[0])
        return 0;
    return ty_cuda_map_cost(&out[0], backwards[kind_of(args)], &args->y,
                            3 + args->accumulates_dx[0], 20);
}

const ty_op_impl ty_activation_cuda = {ty_cuda_prepare_like_x, forward, backward,
                                       ty_cuda_release_nothing, cost};
