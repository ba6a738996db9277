/* Pools over windows of an image, and back:
 *   max      y = the largest x of the window; the first of equals. Where it lies in the window is kept
 *            for backward, a byte each (four where windows have more than 256 elements). A NaN is
 *            larger than any number, so that nothing hides it.
 *   average  y = the sum of x / how many of the window's elements lie inside the image
 * Backward gathers: each x looks at the windows it is in, so no two threads write to one place and no
 * atomics are needed. With channels last a thread has 16 bytes of neighbouring channels; in canonical
 * order, or where packs do not fit the channels, one element. Windows of 64 elements and more (the
 * pool over the whole plane) are shared out over a block.
 *
 * Memory decides: forward reads x and writes y and the places, backward reads dy and the places and
 * writes dx; 1 FLOP an element of a window. 256 x 64 x 56 x 56 in f32 (51 M elements), 2 x 2 with
 * stride 2: 270 M bytes each way, 174 us on an A100 (1.55 TB/s), 100 us on an H100 (2.7 TB/s); x or
 * dy that several windows share comes from the caches. */
#include <math.h>

#include "kernels/cuda/affine.cuh"

enum { WIDE_WINDOW = 64, MAX_TILES = 65535 };

/* One side of a pool: sizes, and how far neighbours lie from each other in memory. */
typedef struct pool_side {
    uint32_t height, width;
    int64_t of_image, of_channel, of_row, of_column;
} pool_side;

typedef struct pool_args {
    const void *from; /* x, or d_y */
    void *to;         /* y, or d_x */
    void *index;      /* [y], where the maximum lies in its window; NULL: not wanted */
    pool_side x, y;
    uint32_t channels;
    int32_t kernel[2], stride[2], padding[2];
    uint32_t n; /* threads with work: groups of y, or of x in backward */
    int lanes_log2;
    bool is_channels_last, is_wide_index, accumulates;
} pool_args;

/* What a thread or a block works on. */
typedef struct pool_place {
    uint32_t image, channel;
    int32_t row, column;
} pool_place;

template <int V>
static __device__ inline pool_place place_of(const pool_args &a, const pool_side &side,
                                             uint32_t i) {
    pool_place place;
    if (a.is_channels_last) {
        place.channel = i % (a.channels / V) * V;
        i /= a.channels / V;
    }
    place.column = (int32_t)(i % side.width);
    i /= side.width;
    place.row = (int32_t)(i % side.height);
    i /= side.height;
    if (!a.is_channels_last) {
        place.channel = i % a.channels;
        i /= a.channels;
    }
    place.image = i;
    return place;
}

static __device__ inline int64_t index_of(const pool_side &side, const pool_place &place,
                                          int32_t row, int32_t column) {
    return place.image * side.of_image + place.channel * side.of_channel + row * side.of_row +
           column * side.of_column;
}

/* Rows and columns of a window that lie inside the image. */
typedef struct pool_window {
    int32_t first[2], end[2]; /* in the image */
    int32_t origin[2];        /* of the window, maybe outside */
} pool_window;

static __device__ inline pool_window window_of(const pool_args &a, int32_t row, int32_t column) {
    const int32_t at[2] = {row, column};
    const int32_t size[2] = {(int32_t)a.x.height, (int32_t)a.x.width};
    pool_window w;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        w.origin[k] = at[k] * a.stride[k] - a.padding[k];
        w.first[k] = max(w.origin[k], 0);
        w.end[k] = min(w.origin[k] + a.kernel[k], size[k]);
    }
    return w;
}

static __device__ inline int32_t count_of(const pool_window &w) {
    return (w.end[0] - w.first[0]) * (w.end[1] - w.first[1]);
}

static __device__ inline int32_t offset_in(const pool_args &a, const pool_window &w, int32_t row,
                                           int32_t column) {
    return (row - w.origin[0]) * a.kernel[1] + (column - w.origin[1]);
}

/* Whether the element at i is before the best so far. */
static __device__ inline bool is_better(float value, int32_t i, float best, int32_t best_i) {
    if (value != value)
        return best == best || i < best_i;
    return value > best || (value == best && i < best_i);
}

/* Four bytes at a time where there are several: their place is a multiple of V then. */
template <int V>
static __device__ inline void store_index(const pool_args &a, int64_t at, const int32_t where[V]) {
    if (!a.index)
        return;
    if (a.is_wide_index) {
#pragma unroll
        for (int j = 0; j < V; j++)
            ((int32_t *)a.index)[at + j] = where[j];
    } else if (V == 1) {
        ((uint8_t *)a.index)[at] = (uint8_t)where[0];
    } else {
#pragma unroll
        for (int j = 0; j + 3 < V; j += 4)
            ((uint32_t *)a.index)[(at + j) / 4] =
                (uint32_t)(where[j] | where[j + 1] << 8 | where[j + 2] << 16 | where[j + 3] << 24);
    }
}

template <int V>
static __device__ inline void load_index(const pool_args &a, int64_t at, int32_t where[V]) {
    if (a.is_wide_index) {
#pragma unroll
        for (int j = 0; j < V; j++)
            where[j] = ((const int32_t *)a.index)[at + j];
    } else if (V == 1) {
        where[0] = ((const uint8_t *)a.index)[at];
    } else {
#pragma unroll
        for (int j = 0; j < V; j++)
            where[j] = (int32_t)(((const uint32_t *)a.index)[(at + j) / 4] >> 8 * (j % 4) & 0xffU);
    }
}

static __device__ inline uint32_t thread_index(void) {
    return blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
}

/* --- forward ------------------------------------------------------------------------------------ */

template <typename T, int V> static __device__ inline void pool_max(const pool_args &a) {
    if (thread_index() >= a.n)
        return;
    const pool_place place = place_of<V>(a, a.y, thread_index());
    const pool_window w = window_of(a, place.row, place.column);
    ty_group<T, V> best;
    int32_t where[V];
#pragma unroll
    for (int j = 0; j < V; j++) {
        best.v[j] = -INFINITY;
        where[j] = INT32_MAX;
    }
    for (int32_t r = w.first[0]; r < w.end[0]; r++) {
        for (int32_t s = w.first[1]; s < w.end[1]; s++) {
            const ty_group<T, V> x =
                ty_load_group<T, V>((const T *)a.from + index_of(a.x, place, r, s));
#pragma unroll
            for (int j = 0; j < V; j++) {
                if (is_better(x.v[j], offset_in(a, w, r, s), best.v[j], where[j])) {
                    best.v[j] = x.v[j];
                    where[j] = offset_in(a, w, r, s);
                }
            }
        }
    }
    const int64_t at = index_of(a.y, place, place.row, place.column);
    ty_store_group<T, V>((T *)a.to + at, best);
    store_index<V>(a, at, where);
}

template <typename T, int V> static __device__ inline void pool_average(const pool_args &a) {
    if (thread_index() >= a.n)
        return;
    const pool_place place = place_of<V>(a, a.y, thread_index());
    const pool_window w = window_of(a, place.row, place.column);
    const float count = (float)count_of(w);
    ty_group<T, V> sum = {};
    for (int32_t r = w.first[0]; r < w.end[0]; r++) {
        for (int32_t s = w.first[1]; s < w.end[1]; s++) {
            const ty_group<T, V> x =
                ty_load_group<T, V>((const T *)a.from + index_of(a.x, place, r, s));
#pragma unroll
            for (int j = 0; j < V; j++)
                sum.v[j] += x.v[j];
        }
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        sum.v[j] /= count;
    ty_store_group<T, V>((T *)a.to + index_of(a.y, place, place.row, place.column), sum);
}

/* --- forward, a block a window ------------------------------------------------------------------ */

/* blockIdx.x is the window, blockIdx.y its channels: `lanes` groups of them side by side, the rest of
 * the block shares out the window's elements. */
template <int V>
static __device__ inline pool_place wide_place_of(const pool_args &a, bool *has_channel) {
    uint32_t i = blockIdx.x;
    const uint32_t lane = threadIdx.x & ((1U << a.lanes_log2) - 1);
    pool_place place;
    place.channel = ((blockIdx.y << a.lanes_log2) + lane) * V;
    place.column = (int32_t)(i % a.y.width);
    i /= a.y.width;
    place.row = (int32_t)(i % a.y.height);
    place.image = i / a.y.height;
    *has_channel = place.channel < a.channels;
    return place;
}

template <typename T, int V> static __device__ inline void wide_max(const pool_args &a) {
    __shared__ float shared_best[V][TY_CUDA_THREADS];
    __shared__ int32_t shared_where[V][TY_CUDA_THREADS];
    bool has_channel;
    const pool_place place = wide_place_of<V>(a, &has_channel);
    const pool_window w = window_of(a, place.row, place.column);
    const int32_t columns = w.end[1] - w.first[1], t = (int32_t)threadIdx.x;
    ty_group<T, V> best;
    int32_t where[V];
#pragma unroll
    for (int j = 0; j < V; j++) {
        best.v[j] = -INFINITY;
        where[j] = INT32_MAX;
    }
    for (int32_t i = t >> a.lanes_log2; has_channel && i < count_of(w);
         i += TY_CUDA_THREADS >> a.lanes_log2) {
        const int32_t r = w.first[0] + i / columns, s = w.first[1] + i % columns;
        const ty_group<T, V> x =
            ty_load_group<T, V>((const T *)a.from + index_of(a.x, place, r, s));
#pragma unroll
        for (int j = 0; j < V; j++) {
            if (is_better(x.v[j], offset_in(a, w, r, s), best.v[j], where[j])) {
                best.v[j] = x.v[j];
                where[j] = offset_in(a, w, r, s);
            }
        }
    }
#pragma unroll
    for (int j = 0; j < V; j++) {
        shared_best[j][t] = best.v[j];
        shared_where[j][t] = where[j];
    }
    for (int half = TY_CUDA_THREADS / 2; half >= 1 << a.lanes_log2; half /= 2) {
        __syncthreads();
        for (int j = 0; j < V && t < half; j++) {
            const float other = shared_best[j][t + half];
            if (is_better(other, shared_where[j][t + half], shared_best[j][t],
                          shared_where[j][t])) {
                shared_best[j][t] = other;
                shared_where[j][t] = shared_where[j][t + half];
            }
        }
    }
    if (t >= 1 << a.lanes_log2 || !has_channel)
        return;
#pragma unroll
    for (int j = 0; j < V; j++) {
        best.v[j] = shared_best[j][t];
        where[j] = shared_where[j][t];
    }
    const int64_t at = index_of(a.y, place, place.row, place.column);
    ty_store_group<T, V>((T *)a.to + at, best);
    store_index<V>(a, at, where);
}

template <typename T, int V> static __device__ inline void wide_average(const pool_args &a) {
    __shared__ float shared[V][TY_CUDA_THREADS];
    bool has_channel;
    const pool_place place = wide_place_of<V>(a, &has_channel);
    const pool_window w = window_of(a, place.row, place.column);
    const int32_t columns = w.end[1] - w.first[1], t = (int32_t)threadIdx.x;
    ty_group<T, V> sum = {};
    for (int32_t i = t >> a.lanes_log2; has_channel && i < count_of(w);
         i += TY_CUDA_THREADS >> a.lanes_log2) {
        const int32_t r = w.first[0] + i / columns, s = w.first[1] + i % columns;
        const ty_group<T, V> x =
            ty_load_group<T, V>((const T *)a.from + index_of(a.x, place, r, s));
#pragma unroll
        for (int j = 0; j < V; j++)
            sum.v[j] += x.v[j];
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        shared[j][t] = sum.v[j];
    for (int half = TY_CUDA_THREADS / 2; half >= 1 << a.lanes_log2; half /= 2) {
        __syncthreads();
        for (int j = 0; j < V && t < half; j++)
            shared[j][t] += shared[j][t + half];
    }
    if (t >= 1 << a.lanes_log2 || !has_channel)
        return;
#pragma unroll
    for (int j = 0; j < V; j++)
        sum.v[j] = shared[j][t] / (float)count_of(w);
    ty_store_group<T, V>((T *)a.to + index_of(a.y, place, place.row, place.column), sum);
}

/* --- backward ----------------------------------------------------------------------------------- */

/* The windows that an x lies in: rows and columns of y. */
typedef struct pool_cover {
    int32_t first[2], end[2];
} pool_cover;

static __device__ inline pool_cover cover_of(const pool_args &a, const pool_place &place) {
    const int32_t at[2] = {place.row, place.column};
    const int32_t size[2] = {(int32_t)a.y.height, (int32_t)a.y.width};
    pool_cover cover;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        const int32_t last = at[k] + a.padding[k], before = last - a.kernel[k];
        cover.first[k] = before < 0 ? 0 : before / a.stride[k] + 1;
        cover.end[k] = min(last / a.stride[k] + 1, size[k]);
    }
    return cover;
}

template <typename T, int V>
static __device__ inline void store_gradient(const pool_args &a, const pool_place &place,
                                             ty_group<T, V> dx) {
    T *to = (T *)a.to + index_of(a.x, place, place.row, place.column);
    if (a.accumulates) {
        const ty_group<T, V> before = ty_load_group<T, V>(to);
#pragma unroll
        for (int j = 0; j < V; j++)
            dx.v[j] += before.v[j];
    }
    ty_store_group<T, V>(to, dx);
}

template <typename T, int V> static __device__ inline void max_gradient(const pool_args &a) {
    if (thread_index() >= a.n)
        return;
    const pool_place place = place_of<V>(a, a.x, thread_index());
    const pool_cover cover = cover_of(a, place);
    ty_group<T, V> dx = {};
    for (int32_t p = cover.first[0]; p < cover.end[0]; p++) {
        for (int32_t q = cover.first[1]; q < cover.end[1]; q++) {
            const int32_t here = offset_in(a, window_of(a, p, q), place.row, place.column);
            const int64_t at = index_of(a.y, place, p, q);
            const ty_group<T, V> dy = ty_load_group<T, V>((const T *)a.from + at);
            int32_t where[V];
            load_index<V>(a, at, where);
#pragma unroll
            for (int j = 0; j < V; j++)
                dx.v[j] += where[j] == here ? dy.v[j] : 0;
        }
    }
    store_gradient<T, V>(a, place, dx);
}

template <typename T, int V> static __device__ inline void average_gradient(const pool_args &a) {
    if (thread_index() >= a.n)
        return;
    const pool_place place = place_of<V>(a, a.x, thread_index());
    const pool_cover cover = cover_of(a, place);
    ty_group<T, V> dx = {};
    for (int32_t p = cover.first[0]; p < cover.end[0]; p++) {
        for (int32_t q = cover.first[1]; q < cover.end[1]; q++) {
            const float share = 1 / (float)count_of(window_of(a, p, q));
            const ty_group<T, V> dy =
                ty_load_group<T, V>((const T *)a.from + index_of(a.y, place, p, q));
#pragma unroll
            for (int j = 0; j < V; j++)
                dx.v[j] += dy.v[j] * share;
        }
    }
    store_gradient<T, V>(a, place, dx);
}

/* --- kernels ------------------------------------------------------------------------------------ */

typedef struct pool_kernel {
    const char *name;
    void (*run)(pool_args);
} pool_kernel;

/* "odd": one element at a time, where packs do not fit the channels or the order is canonical. */
#define POOL_KERNEL(name, body, type, width)                                                       \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) name(pool_args a) {              \
        body<type, width>(a);                                                                      \
    }
#define POOL_KERNELS(name, body)                                                                   \
    POOL_KERNEL(name##_f32, body, float, 4)                                                        \
    POOL_KERNEL(name##_f32_odd, body, float, 1)                                                    \
    POOL_KERNEL(name##_bf16, body, ty_bf16, 8)                                                     \
    POOL_KERNEL(name##_bf16_odd, body, ty_bf16, 1)
#define POOL_ROW(name)                                                                             \
    {                                                                                              \
        {{#name "_f32", name##_f32}, {#name "_f32_odd", name##_f32_odd}}, {                        \
            {#name "_bf16", name##_bf16}, {                                                        \
#name "_bf16_odd", name##_bf16_odd                                                 \
            }                                                                                      \
        }                                                                                          \
    }

POOL_KERNELS(pool2d_max, pool_max)
POOL_KERNELS(pool2d_average, pool_average)
POOL_KERNELS(pool2d_max_wide, wide_max)
POOL_KERNELS(pool2d_average_wide, wide_average)
POOL_KERNELS(pool2d_max_grad, max_gradient)
POOL_KERNELS(pool2d_average_grad, average_gradient)

/* [kind][is average][is bf16][is odd] */
enum { FORWARD, FORWARD_WIDE, BACKWARD, N_KINDS };
static const pool_kernel kernels[N_KINDS][2][2][2] = {
    {POOL_ROW(pool2d_max), POOL_ROW(pool2d_average)},
    {POOL_ROW(pool2d_max_wide), POOL_ROW(pool2d_average_wide)},
    {POOL_ROW(pool2d_max_grad), POOL_ROW(pool2d_average_grad)}};

/* --- planning ----------------------------------------------------------------------------------- */

typedef struct pool_plan {
    pool_args a;      /* all but pointers and n */
    dim3 wide_blocks; /* where windows are shared out */
    int64_t n_x, n_y; /* groups */
    int64_t window;
    size_t index_bytes; /* of one */
    bool is_max, is_bf16, is_odd, is_shared_out;
} pool_plan;

static pool_side side_of(const ty_tensor *value) {
    const int64_t *d = value->shape.dims;
    const bool is_last = ty_cuda_is_channels_last(value);
    pool_side side;
    side.height = (uint32_t)d[2];
    side.width = (uint32_t)d[3];
    side.of_image = d[1] * d[2] * d[3];
    side.of_channel = is_last ? 1 : d[2] * d[3];
    side.of_row = is_last ? d[1] * d[3] : d[3];
    side.of_column = is_last ? d[1] : 1;
    return side;
}

/* Large windows get a block each, neighbouring channels side by side in it where they are that in
 * memory. */
static void plan_wide(pool_plan *plan, const int64_t *y) {
    const int64_t width = plan->is_odd ? 1 : plan->is_bf16 ? 8 : 4, groups = y[1] / width;
    while (plan->a.is_channels_last && plan->a.lanes_log2 < 5 &&
           (INT64_C(1) << plan->a.lanes_log2) < groups)
        plan->a.lanes_log2++;
    const int64_t lanes = INT64_C(1) << plan->a.lanes_log2, tiles = (groups + lanes - 1) / lanes;
    plan->is_shared_out = plan->window >= WIDE_WINDOW && tiles <= MAX_TILES;
    if (plan->is_shared_out)
        plan->wide_blocks = dim3((unsigned)(y[0] * y[2] * y[3]), (unsigned)tiles);
}

static pool_plan plan_of(const ty_op_args *args) {
    const ty_pool2d_attrs *attrs = (const ty_pool2d_attrs *)args->attrs;
    const ty_tensor *x = &args->x[0];
    ty_tensor y = args->y;
    y.layout = x->layout;
    pool_plan plan = {};
    plan.is_max = attrs->is_max;
    plan.is_bf16 = x->dtype == TY_DTYPE_BF16;
    plan.a.is_channels_last = ty_cuda_is_channels_last(x);
    plan.is_odd = !plan.a.is_channels_last || !ty_affine_is_wide(x->shape.dims[1], x->dtype);
    plan.a.x = side_of(x);
    plan.a.y = side_of(&y);
    plan.a.channels = (uint32_t)x->shape.dims[1];
    plan.window = 1;
    for (int k = 0; k < 2; k++) {
        const int64_t size = attrs->is_global ? x->shape.dims[2 + k] : attrs->kernel[k];
        plan.a.kernel[k] = (int32_t)size;
        plan.a.stride[k] = attrs->is_global ? 1 : (int32_t)attrs->stride[k];
        plan.a.padding[k] = attrs->is_global ? 0 : (int32_t)attrs->padding[k];
        plan.window *= size;
    }
    plan.a.is_wide_index = plan.window > 256;
    plan.index_bytes = plan.a.is_wide_index ? sizeof(int32_t) : sizeof(uint8_t);
    const int64_t width = plan.is_odd ? 1 : plan.is_bf16 ? 8 : 4;
    plan.n_x = ty_shape_count(x->shape) / width;
    plan.n_y = ty_shape_count(y.shape) / width;
    plan_wide(&plan, y.shape.dims);
    return plan;
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    const int64_t most = ty_shape_count(args->x[0].shape);
    ty_cuda_set_y(dev, args, args->x[0].layout);
    if (most > INT32_MAX)
        return ty_fail(ctx, TY_ERR_DEVICE,
                       "pool2d: an input of %lld elements, want at most %d on a GPU: use smaller "
                       "batches",
                       (long long)most, INT32_MAX);
    const pool_plan plan = plan_of(args);
    args->aux.bytes = args->is_training && plan.is_max
                          ? (size_t)ty_shape_count(args->y.shape) * plan.index_bytes
                          : 0;
    args->workspace_bytes = 0;
    return TY_OK;
}

/* --- running ------------------------------------------------------------------------------------ */

static const pool_kernel *kernel_of(const pool_plan *plan, bool is_backward) {
    const int kind = is_backward ? BACKWARD : plan->is_shared_out ? FORWARD_WIDE : FORWARD;
    return &kernels[kind][!plan->is_max][plan->is_bf16][plan->is_odd];
}

static ty_status launch(ty_ctx *ctx, ty_device *dev, const pool_plan *plan, bool is_backward,
                        dim3 blocks) {
    const pool_kernel *kernel = kernel_of(plan, is_backward);
    kernel->run<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(plan->a);
    return ty_cuda_launched(ctx, kernel->name);
}

static dim3 blocks_for(int64_t n) {
    return dim3((unsigned)((n + TY_CUDA_THREADS - 1) / TY_CUDA_THREADS));
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    pool_plan plan = plan_of(args);
    plan.a.from = args->x[0].data;
    plan.a.to = args->y.data;
    plan.a.index = args->is_training && plan.is_max ? args->aux.data : NULL;
    plan.a.n = (uint32_t)plan.n_y;
    return launch(ctx, dev, &plan, false,
                  plan.is_shared_out ? plan.wide_blocks : blocks_for(plan.n_y));
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    if (!args->wants_dx[0])
        return TY_OK;
    pool_plan plan = plan_of(args);
    plan.a.from = args->d_y.data;
    plan.a.to = args->d_x[0].data;
    plan.a.index = args->aux.data;
    plan.a.n = (uint32_t)plan.n_x;
    plan.a.accumulates = args->accumulates_dx[0];
    return launch(ctx, dev, &plan, true, blocks_for(plan.n_x));
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const pool_plan plan = plan_of(args);
    const double each = (double)ty_dtype_bytes(args->x[0].dtype);
    const double x = (double)ty_shape_count(args->x[0].shape);
    const double y = (double)ty_shape_count(args->y.shape);
    const double index = plan.is_max && args->is_training ? (double)plan.index_bytes * y : 0;
    const double adds = is_backward && args->accumulates_dx[0] ? x * each : 0;
    if (is_backward && !args->wants_dx[0])
        return 0;
    return ty_cuda_cost_one(out, kernel_of(&plan, is_backward)->name, (x + y) * each + index + adds,
                            y * (double)plan.window);
}

extern "C" const ty_op_impl ty_pool2d_cuda = {prepare, forward, backward, ty_cuda_release_nothing,
                                              cost};
