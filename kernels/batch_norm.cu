/* Batch normalisation (Ioffe & Szegedy 2015) over all but the channel, n numbers each:
 *   forward   mean, variance of x;  y = relu?((x - mean) inverse gamma + beta),
 *             inverse = 1 / sqrt(variance + epsilon)
 *   backward  x^ = (x - mean) inverse;  g = dy where the relu let y through, else 0
 *             d_beta += sum g;  d_gamma += sum g x^
 *             dx = or += gamma inverse (g - mean of g - x^ mean of g x^)
 * f32 or bf16 values; parameters and statistics f32. aux keeps mean and inverse; the relu's mask is
 * computed again from x, by the same operations and so with the same result.
 *
 * Each sum takes two launches and no atomics: a block adds its rows into one line of partial sums, a
 * second kernel adds the lines. Eight rows are added in float, the rest in double, and the forward
 * sums are of x less its first value, so that a mean far from 0 costs no digits. The order of
 * additions follows from the shape.
 *
 * Memory decides. Forward reads x twice and writes y, backward reads x and dy twice and writes dx: 12
 * and 20 bytes an element in f32, half in bf16; 7 and 15 FLOP. 256 x 64 x 56 x 56 in f32 (51 M
 * elements): forward 398 us, backward 663 us on an A100 (1.55 TB/s); 228 us and 380 us on an H100
 * (2.7 TB/s). The kernels between take 5 us. */
#include <math.h>

#include "kernels/cuda/affine.cuh"

/* x as a matrix of rows, one a number of a channel, by channels. With channels last it is that in
 * memory; else `plane` rows of a channel lie side by side, and only one column a thread is read. */
typedef struct norm_view {
    int64_t rows, channels, plane; /* plane 1: channels last */
    int64_t rows_per_block;
    int lanes_log2;
} norm_view;

typedef struct pair {
    double a, b;
} pair;

typedef struct norm_args {
    norm_view view;
    const void *x, *dy;
    void *to; /* y, or d_x */
    const float *gamma, *beta;
    float *mean, *inverse;   /* [C] */
    float *shift;            /* [C]: forward's sums are of x - shift */
    float *mean_g, *mean_gx; /* [C]: of backward */
    pair *partials;          /* [lines][C] */
    float *batch_mean, *batch_variance, *d_gamma, *d_beta;
    const float *running_variance;
    double epsilon, unbiased; /* n / (n - 1) */
    int n_lines;
    bool has_relu, accumulates;
} norm_args;

/* Of an element; V channels at once are channels last. */
template <int V>
static __device__ inline int64_t index_of(const norm_view &v, int64_t row, int64_t channel) {
    if (V > 1 || v.plane == 1)
        return row * v.channels + channel;
    return (row / v.plane * v.channels + channel) * v.plane + row % v.plane;
}

/* The first of a thread's channels and of its rows, and where its block's rows end. */
typedef struct norm_place {
    int64_t channel, row, end;
    int step;
} norm_place;

template <int V> static __device__ inline norm_place place_of(const norm_view &v) {
    const int lanes = 1 << v.lanes_log2;
    norm_place place;
    place.channel = ((int64_t)blockIdx.x * lanes + (threadIdx.x & (lanes - 1))) * V;
    place.row = (int64_t)blockIdx.y * v.rows_per_block + (threadIdx.x >> v.lanes_log2);
    place.end = min((int64_t)(blockIdx.y + 1) * v.rows_per_block, v.rows);
    place.step = TY_CUDA_THREADS >> v.lanes_log2;
    if (place.channel >= v.channels)
        place.end = 0;
    return place;
}

template <int V> struct norm_line { float mean[V], inverse[V], factor[V], beta[V]; };

template <int V>
static __device__ inline norm_line<V> line_of(const norm_args &a, const norm_place &place) {
    norm_line<V> line = {};
    if (place.end == 0)
        return line;
#pragma unroll
    for (int j = 0; j < V; j++) {
        line.mean[j] = a.mean[place.channel + j];
        line.inverse[j] = a.inverse[place.channel + j];
        line.factor[j] = __fmul_rn(line.inverse[j], a.gamma[place.channel + j]);
        line.beta[j] = a.beta[place.channel + j];
    }
    return line;
}

/* Before the relu. Rounded the same wherever it is computed. */
template <int V> static __device__ inline float value_of(const norm_line<V> &line, int j, float x) {
    return __fmaf_rn(__fsub_rn(x, line.mean[j]), line.factor[j], line.beta[j]);
}

/* dy where the relu let the value through. */
template <int V>
static __device__ inline float gradient_of(const norm_args &a, const norm_line<V> &line, int j,
                                           float x, float dy) {
    return a.has_relu && value_of(line, j, x) <= 0 ? 0 : dy;
}

/* --- sums --------------------------------------------------------------------------------------- */

/* The sums of threads that have the same channels; in the first of them when it returns. */
template <int V> static __device__ inline void add_up(pair sums[V], int lanes) {
    __shared__ pair shared[V][TY_CUDA_THREADS];
    const int t = (int)threadIdx.x;
#pragma unroll
    for (int j = 0; j < V; j++)
        shared[j][t] = sums[j];
    for (int half = TY_CUDA_THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
        if (t < half) {
#pragma unroll
            for (int j = 0; j < V; j++) {
                shared[j][t].a += shared[j][t + half].a;
                shared[j][t].b += shared[j][t + half].b;
            }
        }
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        sums[j] = shared[j][t];
}

template <int V>
static __device__ inline void put_line(const norm_args &a, const norm_place &place, pair sums[V]) {
    const int lanes = 1 << a.view.lanes_log2;
    add_up<V>(sums, lanes);
    if (threadIdx.x >= lanes || place.channel >= a.view.channels)
        return;
#pragma unroll
    for (int j = 0; j < V; j++)
        a.partials[blockIdx.y * a.view.channels + place.channel + j] = sums[j];
}

enum { N_IN_FLOAT = 8 };

/* Sums of x - shift and of its square. */
template <typename T, int V> static __device__ inline void sum_forward(const norm_args &a) {
    const norm_place place = place_of<V>(a.view);
    const T *x = (const T *)a.x;
    ty_group<T, V> shift = {};
    pair sums[V] = {};
    if (place.end > 0)
        shift = ty_load_group<T, V>(x + index_of<V>(a.view, 0, place.channel));
    for (int64_t row = place.row; row < place.end; row += N_IN_FLOAT * place.step) {
        float sum[V] = {}, square[V] = {};
#pragma unroll 4
        for (int k = 0; k < N_IN_FLOAT && row + k * place.step < place.end; k++) {
            const int64_t at = index_of<V>(a.view, row + k * place.step, place.channel);
            const ty_group<T, V> value = ty_load_group<T, V>(x + at);
#pragma unroll
            for (int j = 0; j < V; j++) {
                const float d = value.v[j] - shift.v[j];
                sum[j] += d;
                square[j] += d * d;
            }
        }
#pragma unroll
        for (int j = 0; j < V; j++) {
            sums[j].a += sum[j];
            sums[j].b += square[j];
        }
    }
    put_line<V>(a, place, sums);
    if (blockIdx.y == 0 && place.end > 0 && threadIdx.x < 1 << a.view.lanes_log2)
        for (int j = 0; j < V; j++)
            a.shift[place.channel + j] = shift.v[j];
}

/* Sums of g and of g x^. */
template <typename T, int V> static __device__ inline void sum_backward(const norm_args &a) {
    const norm_place place = place_of<V>(a.view);
    const norm_line<V> line = line_of<V>(a, place);
    pair sums[V] = {};
    for (int64_t row = place.row; row < place.end; row += N_IN_FLOAT * place.step) {
        float sum[V] = {}, product[V] = {};
#pragma unroll 2
        for (int k = 0; k < N_IN_FLOAT && row + k * place.step < place.end; k++) {
            const int64_t at = index_of<V>(a.view, row + k * place.step, place.channel);
            const ty_group<T, V> x = ty_load_group<T, V>((const T *)a.x + at);
            const ty_group<T, V> dy = ty_load_group<T, V>((const T *)a.dy + at);
#pragma unroll
            for (int j = 0; j < V; j++) {
                const float g = gradient_of(a, line, j, x.v[j], dy.v[j]);
                sum[j] += g;
                product[j] += g * ((x.v[j] - line.mean[j]) * line.inverse[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < V; j++) {
            sums[j].a += sum[j];
            sums[j].b += product[j];
        }
    }
    put_line<V>(a, place, sums);
}

/* --- elementwise -------------------------------------------------------------------------------- */

template <typename T, int V> static __device__ inline void apply(const norm_args &a) {
    const norm_place place = place_of<V>(a.view);
    const norm_line<V> line = line_of<V>(a, place);
#pragma unroll 4
    for (int64_t row = place.row; row < place.end; row += place.step) {
        const int64_t at = index_of<V>(a.view, row, place.channel);
        const ty_group<T, V> x = ty_load_group<T, V>((const T *)a.x + at);
        ty_group<T, V> y;
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float value = value_of(line, j, x.v[j]);
            y.v[j] = a.has_relu && value <= 0 ? 0 : value;
        }
        ty_store_group<T, V>((T *)a.to + at, y);
    }
}

template <typename T, int V> static __device__ inline void input_gradient(const norm_args &a) {
    const norm_place place = place_of<V>(a.view);
    const norm_line<V> line = line_of<V>(a, place);
    ty_group<T, V> mean_g = {}, mean_gx = {};
    for (int j = 0; j < V && place.end > 0; j++) {
        mean_g.v[j] = a.mean_g[place.channel + j];
        mean_gx.v[j] = a.mean_gx[place.channel + j];
    }
#pragma unroll 2
    for (int64_t row = place.row; row < place.end; row += place.step) {
        const int64_t at = index_of<V>(a.view, row, place.channel);
        const ty_group<T, V> x = ty_load_group<T, V>((const T *)a.x + at);
        const ty_group<T, V> dy = ty_load_group<T, V>((const T *)a.dy + at);
        ty_group<T, V> dx = {};
        if (a.accumulates)
            dx = ty_load_group<T, V>((const T *)a.to + at);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float g = gradient_of(a, line, j, x.v[j], dy.v[j]);
            const float x_hat = (x.v[j] - line.mean[j]) * line.inverse[j];
            dx.v[j] += line.factor[j] * (g - mean_g.v[j] - x_hat * mean_gx.v[j]);
        }
        ty_store_group<T, V>((T *)a.to + at, dx);
    }
}

/* --- by channel --------------------------------------------------------------------------------- */

enum { FINISH_LANES = 8 }; /* channels of a block; the rest of it shares the lines out */

/* The sums over all lines; in the first FINISH_LANES threads. */
static __device__ inline pair sum_lines(const norm_args &a, int64_t channel) {
    pair sums[1] = {};
    if (channel < a.view.channels)
        for (int line = (int)threadIdx.x / FINISH_LANES; line < a.n_lines;
             line += TY_CUDA_THREADS / FINISH_LANES) {
            const pair part = a.partials[line * a.view.channels + channel];
            sums[0].a += part.a;
            sums[0].b += part.b;
        }
    add_up<1>(sums, FINISH_LANES);
    return sums[0];
}

static __device__ inline int64_t finish_channel(void) {
    return (int64_t)blockIdx.x * FINISH_LANES + threadIdx.x % FINISH_LANES;
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) batch_norm_statistics(norm_args a) {
    const int64_t channel = finish_channel();
    const pair sums = sum_lines(a, channel);
    if (threadIdx.x >= FINISH_LANES || channel >= a.view.channels)
        return;
    const double n = (double)a.view.rows, shifted = sums.a / n;
    const double mean = a.shift[channel] + shifted;
    const double spread = sums.b / n - shifted * shifted;
    const double variance = spread < 0 ? 0 : spread; /* a NaN stays one */
    a.mean[channel] = (float)mean;
    a.inverse[channel] = (float)(1 / sqrt(variance + a.epsilon));
    a.batch_mean[channel] = (float)mean;
    a.batch_variance[channel] = (float)(variance * a.unbiased);
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) batch_norm_totals(norm_args a) {
    const int64_t channel = finish_channel();
    const pair sums = sum_lines(a, channel);
    if (threadIdx.x >= FINISH_LANES || channel >= a.view.channels)
        return;
    const double n = (double)a.view.rows;
    a.d_beta[channel] += (float)sums.a;
    a.d_gamma[channel] += (float)sums.b;
    a.mean_g[channel] = (float)(sums.a / n);
    a.mean_gx[channel] = (float)(sums.b / n);
}

/* What evaluation divides by. */
extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) batch_norm_running(norm_args a) {
    const int64_t channel = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    if (channel < a.view.channels)
        a.inverse[channel] = (float)(1 / sqrt(a.running_variance[channel] + a.epsilon));
}

/* --- kernels ------------------------------------------------------------------------------------ */

enum { SUM_FORWARD, SUM_BACKWARD, APPLY, GRADIENT, N_KERNELS };

typedef struct norm_kernel {
    const char *name;
    void (*run)(norm_args);
} norm_kernel;

/* "odd": one channel at a time, where packs do not fit them. */
#define NORM_KERNEL(name, body, type, width)                                                       \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) name(norm_args a) {              \
        body<type, width>(a);                                                                      \
    }
#define NORM_KERNELS(name, body)                                                                   \
    NORM_KERNEL(name##_f32, body, float, 4)                                                        \
    NORM_KERNEL(name##_f32_odd, body, float, 1)                                                    \
    NORM_KERNEL(name##_bf16, body, ty_bf16, 8)                                                     \
    NORM_KERNEL(name##_bf16_odd, body, ty_bf16, 1)
#define NORM_ROW(name)                                                                             \
    {                                                                                              \
        {{#name "_f32", name##_f32}, {#name "_f32_odd", name##_f32_odd}}, {                        \
            {#name "_bf16", name##_bf16}, {                                                        \
#name "_bf16_odd", name##_bf16_odd                                                 \
            }                                                                                      \
        }                                                                                          \
    }

NORM_KERNELS(batch_norm_sum, sum_forward)
NORM_KERNELS(batch_norm_grad_sum, sum_backward)
NORM_KERNELS(batch_norm, apply)
NORM_KERNELS(batch_norm_grad, input_gradient)

static const norm_kernel kernels[N_KERNELS][2][2] = {
    NORM_ROW(batch_norm_sum), NORM_ROW(batch_norm_grad_sum), NORM_ROW(batch_norm),
    NORM_ROW(batch_norm_grad)};

/* --- planning ----------------------------------------------------------------------------------- */

typedef struct norm_plan {
    norm_view view;
    ty_affine_grid grid;
    bool is_bf16, is_odd;
} norm_plan;

static norm_plan plan_of(const ty_op_args *args) {
    const ty_tensor *x = &args->x[0];
    const int64_t channels = x->shape.dims[1], rows = ty_shape_count(x->shape) / channels;
    const bool is_image = x->shape.rank == 4 && !ty_cuda_is_channels_last(x);
    norm_plan plan = {};
    plan.view.rows = rows;
    plan.view.channels = channels;
    plan.view.plane = is_image ? x->shape.dims[2] * x->shape.dims[3] : 1;
    plan.is_bf16 = x->dtype == TY_DTYPE_BF16;
    plan.is_odd = plan.view.plane > 1 || !ty_affine_is_wide(channels, x->dtype);
    if (plan.view.plane > 1) {
        plan.grid = ty_affine_grid_of(rows, 1, x->dtype);
        plan.grid.across = (unsigned)channels;
    } else {
        plan.grid = ty_affine_grid_of(rows, channels, x->dtype);
    }
    plan.view.rows_per_block = plan.grid.rows_per_block;
    plan.view.lanes_log2 = plan.grid.lanes_log2;
    return plan;
}

/* The workspace: partial sums, then three rows of channels. */
static size_t partial_bytes(const norm_plan *plan) {
    return plan->grid.down * (size_t)plan->view.channels * sizeof(pair);
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx;
    const norm_plan plan = plan_of(args);
    const size_t row = (size_t)plan.view.channels * sizeof(float);
    ty_cuda_set_y(dev, args, args->x[0].layout);
    args->aux.bytes = args->is_training ? 2 * row : 0;
    args->workspace_bytes = args->is_training ? partial_bytes(&plan) + 3 * row : row;
    return TY_OK;
}

static norm_args args_of(const norm_plan *plan, const ty_op_args *args) {
    const ty_batch_norm_attrs *attrs = (const ty_batch_norm_attrs *)args->attrs;
    const int64_t channels = plan->view.channels, rows = plan->view.rows;
    norm_args a = {};
    a.view = plan->view;
    a.x = args->x[0].data;
    a.gamma = (const float *)args->param[0].data;
    a.beta = (const float *)args->param[1].data;
    a.epsilon = attrs->epsilon;
    a.has_relu = attrs->has_relu;
    a.unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    a.n_lines = (int)plan->grid.down;
    if (!args->is_training) {
        a.mean = (float *)args->stat[0].data;
        a.running_variance = (const float *)args->stat[1].data;
        a.inverse = (float *)args->workspace;
        return a;
    }
    a.mean = (float *)args->aux.data;
    a.inverse = a.mean + channels;
    a.partials = (pair *)args->workspace;
    a.shift = (float *)((char *)args->workspace + partial_bytes(plan));
    a.mean_g = a.shift + channels;
    a.mean_gx = a.mean_g + channels;
    return a;
}

/* --- running ------------------------------------------------------------------------------------ */

static const norm_kernel *kernel_of(const norm_plan *plan, int which) {
    return &kernels[which][plan->is_bf16][plan->is_odd];
}

static ty_status launch(ty_ctx *ctx, ty_device *dev, const norm_plan *plan, int which,
                        const norm_args *a) {
    const norm_kernel *kernel = kernel_of(plan, which);
    const dim3 blocks(plan->grid.across, plan->grid.down);
    kernel->run<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(*a);
    return ty_cuda_launched(ctx, kernel->name);
}

static unsigned blocks_for(int64_t n, int each) {
    return (unsigned)((n + each - 1) / each);
}

static ty_status evaluate(ty_ctx *ctx, ty_device *dev, const norm_plan *plan, const norm_args *a) {
    const unsigned blocks = blocks_for(plan->view.channels, TY_CUDA_THREADS);
    batch_norm_running<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(*a);
    TY_TRY(ty_cuda_launched(ctx, "batch_norm_running"));
    return launch(ctx, dev, plan, APPLY, a);
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const norm_plan plan = plan_of(args);
    norm_args a = args_of(&plan, args);
    a.to = args->y.data;
    if (!args->is_training)
        return evaluate(ctx, dev, &plan, &a);
    a.batch_mean = (float *)args->batch_stat[0].data;
    a.batch_variance = (float *)args->batch_stat[1].data;
    TY_TRY(launch(ctx, dev, &plan, SUM_FORWARD, &a));
    batch_norm_statistics<<<blocks_for(plan.view.channels, FINISH_LANES), TY_CUDA_THREADS, 0,
                            ty_cuda_stream(dev)>>>(a);
    TY_TRY(ty_cuda_launched(ctx, "batch_norm_statistics"));
    return launch(ctx, dev, &plan, APPLY, &a);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const norm_plan plan = plan_of(args);
    norm_args a = args_of(&plan, args);
    a.dy = args->d_y.data;
    a.to = args->d_x[0].data;
    a.accumulates = args->accumulates_dx[0];
    a.d_gamma = (float *)args->d_param[0].data;
    a.d_beta = (float *)args->d_param[1].data;
    TY_TRY(launch(ctx, dev, &plan, SUM_BACKWARD, &a));
    batch_norm_totals<<<blocks_for(plan.view.channels, FINISH_LANES), TY_CUDA_THREADS, 0,
                        ty_cuda_stream(dev)>>>(a);
    TY_TRY(ty_cuda_launched(ctx, "batch_norm_totals"));
    return args->wants_dx[0] ? launch(ctx, dev, &plan, GRADIENT, &a) : TY_OK;
}

static int cost(const ty_device *dev, const ty_op_args *args, bool is_backward,
                ty_op_cost out[TY_OP_MAX_COSTS]) {
    (void)dev;
    const norm_plan plan = plan_of(args);
    const double n = (double)ty_shape_count(args->x[0].shape),
                 channels = (double)plan.view.channels;
    const double pass = n * (double)ty_dtype_bytes(args->x[0].dtype);
    const double lines = (double)partial_bytes(&plan);
    int count = 0;
    if (!args->is_training) {
        count += ty_cuda_cost_one(&out[count], "batch_norm_running", 8 * channels, 3 * channels);
        return count +
               ty_cuda_cost_one(&out[count], kernel_of(&plan, APPLY)->name, 2 * pass, 3 * n);
    }
    count += ty_cuda_cost_one(&out[count],
                              kernel_of(&plan, is_backward ? SUM_BACKWARD : SUM_FORWARD)->name,
                              (is_backward ? 2 : 1) * pass + lines, (is_backward ? 7 : 4) * n);
    count +=
        ty_cuda_cost_one(&out[count], is_backward ? "batch_norm_totals" : "batch_norm_statistics",
                         lines + 16 * channels, 2 * lines / 8);
    if (!is_backward)
        count += ty_cuda_cost_one(&out[count], kernel_of(&plan, APPLY)->name, 2 * pass, 3 * n);
    else if (args->wants_dx[0])
        count += ty_cuda_cost_one(&out[count], kernel_of(&plan, GRADIENT)->name,
                                  (args->accumulates_dx[0] ? 4 : 3) * pass, 8 * n);
    return count;
}

extern "C" const ty_op_impl ty_batch_norm_cuda = {prepare, forward, backward,
                                                  ty_cuda_release_nothing, cost};
