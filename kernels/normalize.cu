/* y = (x - mean[c]) inverse_std[c], c the second dimension of x, from the numbers of a batch as they
 * are stored (u8 or f32, canonical) to activations: their type, and channels last where y has four
 * dimensions. It has no backward.
 *
 * Where that changes no order, a thread makes 16 bytes of y. Otherwise it has a pixel: it reads one
 * number of each plane, neighbours beside it, and writes them side by side.
 *
 * Roofline, 2 FLOP an element, bytes an element: from u8 to f32 5, to bf16 3; from f32 8 and 6. Of 9.6
 * M elements (64 x 3 x 224 x 224) from u8 to f32: 31 us on an A100, 18 us on an H100. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/relayout.h"

typedef struct normalize_args {
    void *y;
    const void *x;
    const float *mean, *inverse_std; /* [n_channels] */
    int64_t n;                       /* elements; of pixels: B H W */
    int64_t n_channels, plane;       /* n_channels 1: one pair for everything */
    int64_t channels;                /* of x */
} normalize_args;

static __device__ inline float normalized(const normalize_args &a, float x, int64_t channel) {
    const int64_t c = a.n_channels == 1 ? 0 : channel;
    return (x - a.mean[c]) * a.inverse_std[c];
}

static __device__ inline float normalized_at(const normalize_args &a, float x, int64_t at) {
    return normalized(a, x, a.n_channels == 1 ? 0 : at / a.plane % a.channels);
}

/* As many numbers of x as a pack of y has; from u8 in 4 or 8 bytes. */
template <typename T>
static __device__ inline void load_stored(const float *from, float to[ty_pack<T>::N]) {
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j += 4) {
        const float4 four = *(const float4 *)(from + j);
        to[j] = four.x;
        to[j + 1] = four.y;
        to[j + 2] = four.z;
        to[j + 3] = four.w;
    }
}

template <typename T>
static __device__ inline void load_stored(const uint8_t *from, float to[ty_pack<T>::N]) {
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j += 4) {
        const uchar4 four = *(const uchar4 *)(from + j);
        to[j] = (float)four.x;
        to[j + 1] = (float)four.y;
        to[j + 2] = (float)four.z;
        to[j + 3] = (float)four.w;
    }
}

template <typename X, typename T>
static __device__ inline void normalize_in_order(const normalize_args &a) {
    enum { N = ty_pack<T>::N };
    const int64_t thread = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x, at = thread * N;
    const int64_t last = a.n / N * N + thread; /* an element behind the last pack */
    const X *x = (const X *)a.x;
    T *y = (T *)a.y;
    if (at + N <= a.n) {
        ty_pack<T> pack;
        load_stored<T>(x + at, pack.v);
#pragma unroll
        for (int j = 0; j < N; j++)
            pack.v[j] = normalized_at(a, pack.v[j], at + j);
        ty_store_pack(y + at, pack);
    }
    if (thread < a.n % N)
        ty_store(y + last, normalized_at(a, ty_load(x + last), last));
}

template <typename X, typename T>
static __device__ inline void normalize_pixel(const normalize_args &a) {
    const int64_t pixel = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    if (pixel >= a.n)
        return;
    const X *x = (const X *)a.x + pixel / a.plane * a.channels * a.plane + pixel % a.plane;
    T *y = (T *)a.y + pixel * a.channels;
    for (int64_t c = 0; c < a.channels; c++)
        ty_store(y + c, normalized(a, ty_load(x + c * a.plane), c));
}

#define KERNELS(x_name, X, y_name, T)                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        normalize_##x_name##_##y_name(normalize_args a) {                                          \
        normalize_in_order<X, T>(a);                                                               \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        normalize_pixels_##x_name##_##y_name(normalize_args a) {                                   \
        normalize_pixel<X, T>(a);                                                                  \
    }
KERNELS(u8, uint8_t, f32, float)
KERNELS(u8, uint8_t, bf16, ty_bf16)
KERNELS(f32, float, f32, float)
KERNELS(f32, float, bf16, ty_bf16)

typedef struct choice {
    const char *name;
    void (*kernel)(normalize_args);
} choice;

/* By whether pixels are turned, x is f32, y is bf16. */
static const choice choices[2][2][2] = {
    {{{"normalize_u8_f32", normalize_u8_f32}, {"normalize_u8_bf16", normalize_u8_bf16}},
     {{"normalize_f32_f32", normalize_f32_f32}, {"normalize_f32_bf16", normalize_f32_bf16}}},
    {{{"normalize_pixels_u8_f32", normalize_pixels_u8_f32},
      {"normalize_pixels_u8_bf16", normalize_pixels_u8_bf16}},
     {{"normalize_pixels_f32_f32", normalize_pixels_f32_f32},
      {"normalize_pixels_f32_bf16", normalize_pixels_f32_bf16}}}};

static bool turns_pixels(const ty_op_args *args) {
    return args->y.layout && !ty_cuda_is_same_memory(args->y.shape, args->y.layout, NULL);
}

static const choice *choice_of(const ty_op_args *args) {
    return &choices[turns_pixels(args)][args->x[0].dtype == TY_DTYPE_F32]
                   [args->y.dtype == TY_DTYPE_BF16];
}

/* --- the op ------------------------------------------------------------------------------------ */

/* The state: mean[n_channels], then inverse_std[n_channels], on the device. */
static void release(ty_device *dev, ty_op_args *args) {
    if (args->state)
        dev->backend->free(dev, args->state);
    args->state = NULL;
}

/* Waits: afterwards the attributes may change, and the state may go again at once. */
static ty_status copy_pairs(ty_ctx *ctx, ty_device *dev, const ty_normalize_attrs *attrs,
                            float *to) {
    const size_t bytes = (size_t)attrs->n_channels * sizeof(float);
    TY_TRY(dev->backend->copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_IN, to, attrs->mean, bytes));
    TY_TRY(dev->backend->copy(ctx, dev, TY_QUEUE_COMPUTE, TY_COPY_IN, to + attrs->n_channels,
                              attrs->inverse_std, bytes));
    return dev->backend->sync(ctx, dev);
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    const ty_normalize_attrs *attrs = (const ty_normalize_attrs *)args->attrs;
    const size_t bytes = 2 * (size_t)attrs->n_channels * sizeof(float);
    ty_cuda_set_y(dev, args, args->y.shape.rank == 4 ? TY_CUDA_CHANNELS_LAST : NULL);
    if (dev->info.is_described)
        return TY_OK;
    TY_TRY(dev->backend->alloc(ctx, dev, bytes, &args->state));
    const ty_status st = copy_pairs(ctx, dev, attrs, (float *)args->state);
    if (st != TY_OK)
        release(dev, args);
    return st;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const ty_normalize_attrs *attrs = (const ty_normalize_attrs *)args->attrs;
    const float *mean = (const float *)args->state;
    const ty_shape shape = args->y.shape;
    const choice *chosen = choice_of(args);
    normalize_args a = {args->y.data,          args->x[0].data,   mean, mean + attrs->n_channels,
                        ty_shape_count(shape), attrs->n_channels, 1,    1};
    a.channels = shape.rank > 1 ? shape.dims[1] : 1;
    a.plane = a.n / shape.dims[0] / a.channels;
    const int64_t each = args->y.dtype == TY_DTYPE_BF16 ? 8 : 4;
    if (turns_pixels(args))
        a.n /= a.channels;
    const int64_t n_threads = turns_pixels(args) ? a.n : (a.n + each - 1) / each;
    chosen->kernel<<<ty_cuda_exact_blocks(n_threads), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, chosen->name);
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const double n = (double)ty_shape_count(args->y.shape);
    const size_t each = ty_dtype_bytes(args->x[0].dtype) + ty_dtype_bytes(args->y.dtype);
    return is_backward ? 0
                       : ty_cuda_cost_one(&out[0], choice_of(args)->name, n * (double)each, 2 * n);
}

const ty_op_impl ty_normalize_cuda = {prepare, forward, NULL, release, cost};
