/* Dropout (Srivastava et al. 2014, scaled in training): y = x / (1 - rate) or 0, d_x alike from d_y.
 * Element i of a sample, in canonical order, is dropped by word i % 4 of Philox(key of (seed, step,
 * op), sample id, i / 4): the same mask as on the CPU, drawn again in backward. A thread has the 16
 * bytes of one pack where samples are whole packs, else the elements that they would hold. Canonical
 * elements share blocks of four words; in channels last neighbours are a plane apart, and each draws
 * a block of its own.
 *
 * Roofline, bytes an element f32 / bf16: 8 / 4, 12 / 6 where it adds; 25 integer FLOP an element, 100
 * in channels last (10 rounds of 2 wide products and 4 exclusive ors). Of 16.8 M elements in f32: 87
 * us on an A100, 50 us on an H100, in channels last 95 and 60 us, when the products count. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/philox.cuh"
#include "kernels/cuda/relayout.h"

typedef struct drop_args {
    void *to;
    const void *from;
    const int64_t *sample_ids;
    int64_t n_samples, n_each; /* elements of a sample */
    int64_t packs_each;        /* of a sample, the last one perhaps not whole */
    int64_t channels, plane;   /* of a sample in channels last; channels 0: canonical */
    ty_rng_key key;
    uint32_t threshold; /* a word below it drops the element: rate * 2^32 */
    float scale;
    bool accumulates;
} drop_args;

/* Where the element that lies at `at` in its sample stands in canonical order. */
static __device__ inline int64_t canonical_of(const drop_args &a, int64_t at) {
    return a.channels ? at % a.channels * a.plane + at / a.channels : at;
}

/* Word i of a block, which lies in registers. */
static __device__ inline uint32_t word_of(const ty_rng_block &block, int64_t i) {
    const uint32_t low = i & 1 ? block.v[1] : block.v[0], high = i & 1 ? block.v[3] : block.v[2];
    return i & 2 ? high : low;
}

/* The words of N elements that lie together; N is a multiple of 4, and so is `at`. */
template <int N>
static __device__ inline void draw(const drop_args &a, uint64_t sample, int64_t at,
                                   uint32_t words[N]) {
    if (a.channels) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            const int64_t element = canonical_of(a, at + j);
            words[j] = word_of(ty_cuda_draw(a.key, sample, (uint64_t)element / 4), element % 4);
        }
        return;
    }
#pragma unroll
    for (int j = 0; j < N; j += 4) {
        const ty_rng_block block = ty_cuda_draw(a.key, sample, (uint64_t)(at + j) / 4);
#pragma unroll
        for (int k = 0; k < 4; k++)
            words[j + k] = block.v[k];
    }
}

static __device__ inline float dropped(const drop_args &a, uint32_t word, float x, float old) {
    const float value = word < a.threshold ? 0.0F : a.scale * x;
    return a.accumulates ? old + value : value;
}

template <typename T>
static __device__ inline void drop_pack(const drop_args &a, const uint32_t *words, int64_t at) {
    T *to = (T *)a.to + at;
    ty_pack<T> pack = ty_load_pack((const T *)a.from + at), old = {};
    if (a.accumulates)
        old = ty_load_pack(to);
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j++)
        pack.v[j] = dropped(a, words[j], pack.v[j], old.v[j]);
    ty_store_pack(to, pack);
}

template <typename T>
static __device__ inline void drop_some(const drop_args &a, const uint32_t *words, int64_t at,
                                        int64_t n) {
    T *to = (T *)a.to + at;
    const T *from = (const T *)a.from + at;
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j++)
        if (j < n)
            ty_store(to + j, dropped(a, words[j], ty_load(from + j),
                                     a.accumulates ? ty_load(to + j) : 0.0F));
}

template <typename T> static __device__ inline void drop(const drop_args &a) {
    enum { N = ty_pack<T>::N };
    const int64_t thread = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    const int64_t sample = thread / a.packs_each, at = thread % a.packs_each * N;
    uint32_t words[N];
    if (sample >= a.n_samples)
        return;
    draw<N>(a, (uint64_t)a.sample_ids[sample], at, words);
    if (a.n_each % N == 0)
        drop_pack<T>(a, words, sample * a.n_each + at);
    else
        drop_some<T>(a, words, sample * a.n_each + at, a.n_each - at);
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) dropout_f32(drop_args a) {
    drop<float>(a);
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) dropout_bf16(drop_args a) {
    drop<ty_bf16>(a);
}

static drop_args args_of(const ty_op_args *args) {
    const ty_dropout_attrs *attrs = (const ty_dropout_attrs *)args->attrs;
    const ty_shape shape = args->y.shape;
    const ty_rng_key of_step = ty_rng_key_mix(ty_rng_key_of(args->env->seed, TY_STREAM_DROPOUT),
                                              (uint64_t)args->env->step);
    drop_args a = {};
    a.sample_ids = args->env->sample_ids;
    a.n_samples = shape.dims[0];
    a.n_each = ty_shape_count(shape) / a.n_samples;
    if (args->y.layout && !ty_cuda_is_same_memory(shape, args->y.layout, NULL)) {
        a.channels = shape.dims[1];
        a.plane = shape.dims[2] * shape.dims[3];
    }
    a.key = ty_rng_key_mix(of_step, (uint64_t)args->op_number);
    a.threshold = (uint32_t)(attrs->rate * 0x1p32);
    a.scale = (float)(1 / (1 - attrs->rate));
    return a;
}

static bool drops(const ty_op_args *args) {
    return args->is_training && ((const ty_dropout_attrs *)args->attrs)->rate > 0;
}

/* Where nothing is dropped. */
static ty_cuda_relayout_args copy_of(const ty_op_args *args, const ty_tensor *from,
                                     const ty_tensor *to, bool accumulates) {
    const ty_tensor *y = &args->y;
    return {y->shape,
            y->dtype,
            from->data,
            y->layout,
            to->data,
            y->layout,
            accumulates ? to->data : NULL};
}

static ty_status pass(ty_ctx *ctx, ty_device *dev, const ty_op_args *args, const ty_tensor *from,
                      const ty_tensor *to, bool accumulates) {
    const bool is_bf16 = args->y.dtype == TY_DTYPE_BF16;
    const int64_t each = is_bf16 ? (int64_t)ty_pack<ty_bf16>::N : (int64_t)ty_pack<float>::N;
    if (!drops(args)) {
        const ty_cuda_relayout_args copy = copy_of(args, from, to, accumulates);
        return ty_cuda_relayout(ctx, dev, &copy);
    }
    drop_args a = args_of(args);
    a.to = to->data;
    a.from = from->data;
    a.accumulates = accumulates;
    a.packs_each = (a.n_each + each - 1) / each;
    const unsigned blocks = ty_cuda_exact_blocks(a.n_samples * a.packs_each);
    void (*kernel)(drop_args) = is_bf16 ? dropout_bf16 : dropout_f32;
    kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, is_bf16 ? "dropout_bf16" : "dropout_f32");
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    return pass(ctx, dev, args, &args->x[0], &args->y, false);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    if (!args->wants_dx[0])
        return TY_OK;
    return pass(ctx, dev, args, &args->d_y, &args->d_x[0], args->accumulates_dx[0]);
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const bool accumulates = is_backward && args->accumulates_dx[0];
    const double n = (double)ty_shape_count(args->y.shape);
    if (is_backward && !args->wants_dx[0])
        return 0;
    if (!drops(args)) {
        const ty_cuda_relayout_args copy = copy_of(args, &args->x[0], &args->y, accumulates);
        return ty_cuda_relayout_cost(&copy, &out[0]);
    }
    return ty_cuda_cost_one(&out[0],
                            args->y.dtype == TY_DTYPE_BF16 ? "dropout_bf16" : "dropout_f32",
                            (accumulates ? 3 : 2) * n * (double)ty_dtype_bytes(args->y.dtype),
                            (args->y.layout ? 100 : 25) * n);
}

const ty_op_impl ty_dropout_cuda = {ty_cuda_prepare_like_x, forward, backward,
                                    ty_cuda_release_nothing, cost};
