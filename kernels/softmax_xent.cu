/* Softmax and cross-entropy in one op: logits [B, K] f32 or bf16, target i32 [B], weight f32 [B] ->
 * rows f32 [B, 4]. With m the largest logit, s the sum of exp(x - m), e the expected logit under the
 * smoothed target:
 *
 *     loss = log s + (m - e)        d_x = or += weight (exp(x - m) / s - target)
 *
 * Forward goes over a row once: each thread keeps its largest logit and its sum, corrected when a
 * larger one comes (Milakov & Gimelshein 2018), and they are put together by pairs. A warp has a row
 * of at most 1024 classes, a block a longer one, 16 bytes at a time. It keeps m and 1 / s of each row;
 * backward makes the probabilities again, 16 bytes of logits a thread, across the ends of rows.
 *
 * Targets out of range read nothing; their loss and gradient are NaN. Weight 0 has gradient 0.
 *
 * Roofline, bytes a logit f32 / bf16: forward 4 / 2, backward 8 / 4 (12 / 6 where it adds); 12 FLOP.
 * Of 8192 x 50257 logits in bf16: forward 530 us on an A100, 305 us on an H100; backward 1060 and 610. */
#include <math.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

enum { MAX_WARP_CLASSES = 1024 };

/* What forward keeps of a row. */
typedef struct kept {
    float max, inverse_sum;
} kept;

typedef struct xent_args {
    const void *logits;
    const int32_t *target;
    const float *weight; /* backward */
    float *rows;         /* forward */
    kept *keep;          /* NULL in evaluation */
    void *dx;
    int64_t n_rows, n_classes;
    int32_t ignore_index;
    float smoothing;
    float hit, base; /* the smoothed target of the true class, and of each other one */
    bool accumulates;
} xent_args;

static __device__ inline bool is_ignored(const xent_args &a, int32_t target) {
    return a.ignore_index != INT32_MIN && target == a.ignore_index;
}

static __device__ inline bool is_out_of_range(const xent_args &a, int32_t target) {
    return target < 0 || target >= a.n_classes;
}

/* --- forward ----------------------------------------------------------------------------------- */

/* What is known of some of a row's logits. */
typedef struct part {
    float max, sum;   /* of exp(x - max) */
    float total;      /* of x */
    int32_t first;    /* class of the largest, the first of equal ones; INT32_MAX: none is larger
                       than -infinity */
    int32_t n_before; /* classes that stand before the true one */
} part;

static __device__ inline part nothing(void) {
    return {-INFINITY, 0, 0, INT32_MAX, 0};
}

/* x - x is 0, or NaN for an infinity: an infinite logit has no softmax. */
static __device__ inline void take(part *p, float x, int32_t k, float of_target, int32_t target) {
    if (x > p->max) {
        p->sum = p->sum * expf(p->max - x) + (1.0F + (x - x));
        p->max = x;
        p->first = k;
    } else if (!(x == -INFINITY)) {
        p->sum += expf(x - p->max);
    }
    p->total += x;
    p->n_before += x > of_target || (x == of_target && k < target);
}

/* Nothing changes nothing: exp(-infinity - max) is 0, and NaN where both have nothing is left out. */
static __device__ inline float sum_against(float max, float sum, float of_both) {
    return sum == 0.0F ? 0.0F : sum * expf(max - of_both);
}

static __device__ inline part joined(const part &a, const part &b) {
    part both;
    both.max = fmaxf(a.max, b.max);
    both.sum = sum_against(a.max, a.sum, both.max) + sum_against(b.max, b.sum, both.max);
    both.total = a.total + b.total;
    if (a.max == b.max)
        both.first = a.first < b.first ? a.first : b.first;
    else
        both.first = a.max > b.max ? a.first : b.first;
    both.n_before = a.n_before + b.n_before;
    return both;
}

static __device__ inline part joined_by_warp(part p) {
#pragma unroll
    for (int step = TY_WARP / 2; step > 0; step /= 2) {
        const part other = {__shfl_xor_sync(0xffffffffU, p.max, step),
                            __shfl_xor_sync(0xffffffffU, p.sum, step),
                            __shfl_xor_sync(0xffffffffU, p.total, step),
                            __shfl_xor_sync(0xffffffffU, p.first, step),
                            __shfl_xor_sync(0xffffffffU, p.n_before, step)};
        p = joined(p, other);
    }
    return p;
}

static __device__ inline void tell(const xent_args &a, int64_t row, float4 numbers, kept keep) {
    *((float4 *)a.rows + row) = numbers;
    if (a.keep)
        a.keep[row] = keep;
}

/* True if the row has no loss of its own; by one thread of those that share the row. */
static __device__ inline bool tell_special(const xent_args &a, int64_t row, int32_t target,
                                           bool is_first) {
    const bool ignored = is_ignored(a, target);
    if (!ignored && !is_out_of_range(a, target))
        return false;
    if (is_first)
        tell(a, row, make_float4(ignored ? 0.0F : NAN, -1, 0, 0), {0, 0});
    return true;
}

static __device__ inline void tell_row(const xent_args &a, int64_t row, const part &p,
                                       float of_target) {
    const float mean = p.total / (float)a.n_classes;
    const float expected =
        a.smoothing > 0 ? (1.0F - a.smoothing) * of_target + a.smoothing * mean : of_target;
    const float loss = logf(p.sum) + (p.max - expected), inverse_sum = 1.0F / p.sum;
    const int32_t predicted = p.first == INT32_MAX ? 0 : p.first;
    tell(a, row, make_float4(loss, (float)predicted, inverse_sum, (float)p.n_before),
         {p.max, inverse_sum});
}

template <typename T> static __device__ inline void forward_by_warp(const xent_args &a) {
    const int64_t row = (int64_t)blockIdx.x * TY_BLOCK_WARPS + ty_warp();
    if (row >= a.n_rows) /* the whole warp */
        return;
    const int32_t target = a.target[row];
    if (tell_special(a, row, target, ty_lane() == 0))
        return;
    const T *x = (const T *)a.logits + row * a.n_classes;
    const float of_target = ty_load(x + target);
    part p = nothing();
    for (int32_t k = ty_lane(); k < (int32_t)a.n_classes; k += TY_WARP)
        take(&p, ty_load(x + k), k, of_target, target);
    p = joined_by_warp(p);
    if (ty_lane() == 0)
        tell_row(a, row, p, of_target);
}

/* A thread's part of a long row: what lies before the first whole 16 bytes and behind the last ones
 * is the first threads'. */
template <typename T>
static __device__ inline part part_of_row(const T *x, int64_t at, int64_t n, float of_target,
                                          int32_t target) {
    enum { N = ty_pack<T>::N };
    part p = nothing();
    const int64_t misaligned = (N - at % N) % N, head = misaligned < n ? misaligned : n;
    const int64_t n_packs = (n - head) / N, tail = head + n_packs * N;
    if (threadIdx.x < head)
        take(&p, ty_load(x + threadIdx.x), (int32_t)threadIdx.x, of_target, target);
    for (int64_t i = threadIdx.x; i < n_packs; i += TY_CUDA_THREADS) {
        const ty_pack<T> pack = ty_load_pack(x + head + i * N);
#pragma unroll
        for (int j = 0; j < N; j++)
            take(&p, pack.v[j], (int32_t)(head + i * N) + j, of_target, target);
    }
    if (tail + threadIdx.x < n)
        take(&p, ty_load(x + tail + threadIdx.x), (int32_t)tail + (int32_t)threadIdx.x, of_target,
             target);
    return p;
}

template <typename T> static __device__ inline void forward_by_block(const xent_args &a) {
    __shared__ part of_warps[TY_BLOCK_WARPS];
    const int64_t row = blockIdx.x;
    const int32_t target = a.target[row];
    if (tell_special(a, row, target, threadIdx.x == 0)) /* the whole block */
        return;
    const T *x = (const T *)a.logits + row * a.n_classes;
    const float of_target = ty_load(x + target);
    const part p =
        joined_by_warp(part_of_row(x, row * a.n_classes, a.n_classes, of_target, target));
    if (ty_lane() == 0)
        of_warps[ty_warp()] = p;
    __syncthreads();
    if (ty_warp() > 0)
        return;
    part of_row = ty_lane() < TY_BLOCK_WARPS ? of_warps[ty_lane()] : nothing();
    of_row = joined_by_warp(of_row);
    if (ty_lane() == 0)
        tell_row(a, row, of_row, of_target);
}

/* --- backward ---------------------------------------------------------------------------------- */

/* A row as backward sees it. */
typedef struct slope {
    int32_t target;
    float max, inverse_sum, weight;
    bool is_zero, is_nan;
} slope;

static __device__ inline slope slope_of(const xent_args &a, int64_t row) {
    const int32_t target = a.target[row];
    const float weight = a.weight[row];
    const kept keep = a.keep[row];
    const bool is_zero = weight == 0.0F || is_ignored(a, target);
    return {target, keep.max, keep.inverse_sum, weight, is_zero, is_out_of_range(a, target)};
}

/* The true class by itself: p - 1 first, as they are near each other. */
static __device__ inline float gradient(const xent_args &a, const slope &s, int32_t k, float x,
                                        float old) {
    if (s.is_zero)
        return old;
    if (s.is_nan)
        return NAN;
    const float p = expf(x - s.max) * s.inverse_sum;
    return (k == s.target ? p - a.hit : p - a.base) * s.weight + old;
}

/* Up to N elements of the flat logits, from `at` on; row and class are counted along. */
typedef struct place {
    int64_t row;
    int32_t k;
    slope of_row;
} place;

static __device__ inline place place_of(const xent_args &a, int64_t at) {
    const int64_t row = at / a.n_classes;
    return {row, (int32_t)(at - row * a.n_classes), slope_of(a, row)};
}

/* Within a pack: where a row ends before it does, there is a next one. */
static __device__ inline void step(const xent_args &a, place *p) {
    if (++p->k < (int32_t)a.n_classes)
        return;
    p->k = 0;
    p->of_row = slope_of(a, ++p->row);
}

template <typename T> static __device__ inline void backward_pack(const xent_args &a, int64_t at) {
    place here = place_of(a, at);
    T *dx = (T *)a.dx + at;
    ty_pack<T> pack = ty_load_pack((const T *)a.logits + at), old = {};
    if (a.accumulates)
        old = ty_load_pack(dx);
#pragma unroll
    for (int j = 0; j < ty_pack<T>::N; j++) {
        pack.v[j] = gradient(a, here.of_row, here.k, pack.v[j], old.v[j]);
        if (j + 1 < ty_pack<T>::N)
            step(a, &here);
    }
    ty_store_pack(dx, pack);
}

template <typename T> static __device__ inline void backward_of(const xent_args &a) {
    enum { N = ty_pack<T>::N };
    const int64_t thread = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    const int64_t n = a.n_rows * a.n_classes, last = n / N * N + thread;
    if (thread < n / N)
        backward_pack<T>(a, thread * N);
    if (thread < n % N) {
        const place here = place_of(a, last);
        T *dx = (T *)a.dx + last;
        ty_store(dx, gradient(a, here.of_row, here.k, ty_load((const T *)a.logits + last),
                              a.accumulates ? ty_load(dx) : 0.0F));
    }
}

#define KERNELS(type, T)                                                                           \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        softmax_xent_warp_##type(xent_args a) {                                                    \
        forward_by_warp<T>(a);                                                                     \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        softmax_xent_block_##type(xent_args a) {                                                   \
        forward_by_block<T>(a);                                                                    \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        softmax_xent_backward_##type(xent_args a) {                                                \
        backward_of<T>(a);                                                                         \
    }
KERNELS(f32, float)
KERNELS(bf16, ty_bf16)

/* --- the op ------------------------------------------------------------------------------------ */

typedef struct choice {
    const char *name;
    void (*kernel)(xent_args);
} choice;

enum { BY_WARP, BY_BLOCK, BACKWARD };

static const choice choices[][2] = {{{"softmax_xent_warp_f32", softmax_xent_warp_f32},
                                     {"softmax_xent_warp_bf16", softmax_xent_warp_bf16}},
                                    {{"softmax_xent_block_f32", softmax_xent_block_f32},
                                     {"softmax_xent_block_bf16", softmax_xent_block_bf16}},
                                    {{"softmax_xent_backward_f32", softmax_xent_backward_f32},
                                     {"softmax_xent_backward_bf16", softmax_xent_backward_bf16}}};

static const choice *choice_of(const ty_op_args *args, bool is_backward) {
    const bool is_long = args->x[0].shape.dims[1] > MAX_WARP_CLASSES;
    const int kind = is_backward ? BACKWARD : is_long ? BY_BLOCK : BY_WARP;
    return &choices[kind][args->x[0].dtype == TY_DTYPE_BF16];
}

static xent_args args_of(const ty_op_args *args) {
    const ty_softmax_xent_attrs *attrs = (const ty_softmax_xent_attrs *)args->attrs;
    const double share = attrs->label_smoothing / (double)args->x[0].shape.dims[1];
    xent_args a = {};
    a.logits = args->x[0].data;
    a.target = (const int32_t *)args->x[1].data;
    a.weight = (const float *)args->x[2].data;
    a.rows = (float *)args->y.data;
    a.keep = args->is_training ? (kept *)args->aux.data : NULL;
    a.dx = args->d_x[0].data;
    a.n_rows = args->x[0].shape.dims[0];
    a.n_classes = args->x[0].shape.dims[1];
    a.ignore_index = attrs->ignore_index;
    a.smoothing = (float)attrs->label_smoothing;
    a.hit = (float)(1 - attrs->label_smoothing + share);
    a.base = (float)share;
    a.accumulates = args->accumulates_dx[0];
    return a;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = NULL;
    args->y.bytes = (size_t)ty_shape_count(args->y.shape) * sizeof(float);
    args->aux.bytes = args->is_training ? (size_t)args->y.shape.dims[0] * sizeof(kept) : 0;
    return TY_OK;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const xent_args a = args_of(args);
    const choice *chosen = choice_of(args, false);
    const bool is_long = a.n_classes > MAX_WARP_CLASSES;
    const unsigned blocks =
        ty_cuda_exact_blocks(a.n_rows * (is_long ? (int64_t)TY_CUDA_THREADS : (int64_t)TY_WARP));
    chosen->kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, chosen->name);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const xent_args a = args_of(args);
    const choice *chosen = choice_of(args, true);
    const int64_t each = args->x[0].dtype == TY_DTYPE_BF16 ? 8 : 4;
    if (!args->wants_dx[0])
        return TY_OK;
    const unsigned blocks = ty_cuda_exact_blocks((a.n_rows * a.n_classes + each - 1) / each);
    chosen->kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, chosen->name);
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const double n = (double)ty_shape_count(args->x[0].shape);
    const int n_arrays = is_backward ? 2 + args->accumulates_dx[0] : 1;
    if (is_backward && !args->wants_dx[0])
        return 0;
    return ty_cuda_cost_one(&out[0], choice_of(args, is_backward)->name,
                            n * n_arrays * (double)ty_dtype_bytes(args->x[0].dtype), 12 * n);
}

const ty_op_impl ty_softmax_xent_cuda = {prepare, forward, backward, ty_cuda_release_nothing, cost};
