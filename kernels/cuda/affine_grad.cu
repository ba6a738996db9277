/* dz[r, c] = dy[r, c] act'(z[r, c]), the derivative taken from y, and d_bias[c] += sum over r of
 * dz[r, c]; f32 or bf16, summed in f32. Without atomics: each block sums its rows into one line of
 * partial sums, a second launch adds the lines up; where one block has all rows it is done at once.
 * Every sum is a loop down the rows and then a tree over a block's threads, both given by the shape.
 *
 * Roofline: bytes moved are one read of dy and, with an activation, one read of y and one write of
 * dz; about 2 FLOP an element. 256 x 28 x 28 images of 16 channels in f32 with relu: 38.5 MB and
 * 6 MFLOP, so memory decides: A100 25 us (1.55 TB/s), H100 14 us (2.7 TB/s); half in bf16, a third
 * without activation. The second launch reads at most 1024 lines: 2-3 us. */
#include "kernels/cuda/affine.cuh"

typedef struct affine_grad {
    const void *dy, *y;
    void *dz;
    float *to; /* a line of partial sums a block down, or d_bias itself; NULL: no sums */
    int64_t rows, columns;
    int64_t rows_per_block;
    int lanes_log2;
    int activation;
    bool adds; /* to d_bias */
} affine_grad;

typedef struct bias_sum {
    const float *partials;
    float *d_bias;
    int64_t columns;
    int n_lines;
} bias_sum;

static __device__ inline float derivative(int activation, float y) {
    if (activation == TY_ACT_RELU)
        return y > 0 ? 1.0F : 0.0F;
    if (activation == TY_ACT_TANH)
        return 1 - y * y;
    return activation == TY_ACT_SIGMOID ? y * (1 - y) : 1.0F;
}

/* The sums of threads that have the same columns; in the first of them when it returns. */
template <int V> static __device__ inline void add_up(float sums[V], int lanes) {
    __shared__ float shared[V][TY_CUDA_THREADS];
    const int t = (int)threadIdx.x;
#pragma unroll
    for (int j = 0; j < V; j++)
        shared[j][t] = sums[j];
    for (int half = TY_CUDA_THREADS / 2; half >= lanes; half /= 2) {
        __syncthreads();
        if (t < half) {
#pragma unroll
            for (int j = 0; j < V; j++)
                shared[j][t] += shared[j][t + half];
        }
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        sums[j] = shared[j][t];
}

/* A relu whose output is 0 passes nothing on, not even a NaN. */
template <typename T, int V>
static __device__ inline ty_group<T, V> gradient(const affine_grad &a, int64_t at) {
    ty_group<T, V> dz = ty_load_group<T, V>((const T *)a.dy + at);
    if (a.activation == TY_ACT_NONE)
        return dz;
    const ty_group<T, V> y = ty_load_group<T, V>((const T *)a.y + at);
#pragma unroll
    for (int j = 0; j < V; j++) {
        const float slope = derivative(a.activation, y.v[j]);
        dz.v[j] = a.activation == TY_ACT_RELU && slope == 0 ? 0 : dz.v[j] * slope;
    }
    if (a.dz)
        ty_store_group<T, V>((T *)a.dz + at, dz);
    return dz;
}

template <typename T, int V> static __device__ inline void run(const affine_grad &a) {
    const int lanes = 1 << a.lanes_log2;
    const int64_t column = ((int64_t)blockIdx.x * lanes + (threadIdx.x & (lanes - 1))) * V;
    const int64_t first = (int64_t)blockIdx.y * a.rows_per_block;
    const int64_t last = min(first + a.rows_per_block, a.rows);
    float sums[V] = {};
    if (column < a.columns) {
        for (int64_t row = first + (threadIdx.x >> a.lanes_log2); row < last;
             row += TY_CUDA_THREADS >> a.lanes_log2) {
            const ty_group<T, V> dz = gradient<T, V>(a, row * a.columns + column);
#pragma unroll
            for (int j = 0; j < V; j++)
                sums[j] += dz.v[j];
        }
    }
    if (!a.to)
        return;
    add_up<V>(sums, lanes);
    if (threadIdx.x >= lanes || column >= a.columns)
        return;
    float *const to = a.to + (a.adds ? 0 : blockIdx.y * a.columns) + column;
#pragma unroll
    for (int j = 0; j < V; j++)
        to[j] = a.adds ? to[j] + sums[j] : sums[j];
}

enum { SUM_LANES = 8 }; /* a sector of 32 bytes; the rest of the block shares the lines out */

extern "C" {

__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_grad_f32(affine_grad a) {
    run<float, 4>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_grad_f32_odd(affine_grad a) {
    run<float, 1>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_grad_bf16(affine_grad a) {
    run<ty_bf16, 8>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_grad_bf16_odd(affine_grad a) {
    run<ty_bf16, 1>(a);
}

__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_grad_sum(bias_sum a) {
    const int64_t column = (int64_t)blockIdx.x * SUM_LANES + threadIdx.x % SUM_LANES;
    float sums[1] = {};
    if (column < a.columns)
        for (int line = (int)threadIdx.x / SUM_LANES; line < a.n_lines;
             line += TY_CUDA_THREADS / SUM_LANES)
            sums[0] += a.partials[line * a.columns + column];
    add_up<1>(sums, SUM_LANES);
    if (threadIdx.x < SUM_LANES && column < a.columns)
        a.d_bias[column] += sums[0];
}

static const struct {
    const char *name;
    void (*kernel)(affine_grad);
} kernels[2][2] = {
    {{"affine_grad_f32_odd", affine_grad_f32_odd}, {"affine_grad_f32", affine_grad_f32}},
    {{"affine_grad_bf16_odd", affine_grad_bf16_odd}, {"affine_grad_bf16", affine_grad_bf16}}};

size_t ty_cuda_affine_partials(int64_t rows, int64_t columns, ty_dtype dtype) {
    const unsigned lines = ty_affine_grid_of(rows, columns, dtype).down;
    return lines > 1 ? lines * (size_t)columns * sizeof(float) : 0;
}

static ty_status sum_lines(ty_ctx *ctx, const ty_device *dev, const ty_cuda_affine_grad_args *args,
                           unsigned n_lines) {
    const bias_sum a = {args->partials, args->d_bias, args->columns, (int)n_lines};
    const unsigned blocks = (unsigned)((args->columns + SUM_LANES - 1) / SUM_LANES);
    affine_grad_sum<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, "affine_grad_sum");
}

ty_status ty_cuda_affine_grad(ty_ctx *ctx, const ty_device *dev,
                              const ty_cuda_affine_grad_args *args) {
    const ty_affine_grid grid = ty_affine_grid_of(args->rows, args->columns, args->dtype);
    const bool adds = grid.down == 1;
    const affine_grad a = {args->dy,
                           args->y,
                           args->dz,
                           args->d_bias && !adds ? args->partials : args->d_bias,
                           args->rows,
                           args->columns,
                           grid.rows_per_block,
                           grid.lanes_log2,
                           args->activation,
                           adds};
    const bool is_bf16 = args->dtype == TY_DTYPE_BF16;
    const auto &chosen = kernels[is_bf16][ty_affine_is_wide(args->columns, args->dtype)];
    chosen.kernel<<<dim3(grid.across, grid.down), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    TY_TRY(ty_cuda_launched(ctx, chosen.name));
    return args->d_bias && !adds ? sum_lines(ctx, dev, args, grid.down) : TY_OK;
}

int ty_cuda_affine_grad_cost(const ty_cuda_affine_grad_args *args, bool has_bias, ty_op_cost *out) {
    const unsigned lines = ty_affine_grid_of(args->rows, args->columns, args->dtype).down;
    const double n = (double)args->rows * (double)args->columns;
    const bool is_wide = ty_affine_is_wide(args->columns, args->dtype);
    const double passes = args->activation == TY_ACT_NONE ? 1 : 3;
    int count = ty_cuda_cost_one(out, kernels[args->dtype == TY_DTYPE_BF16][is_wide].name,
                                 passes * n * (double)ty_dtype_bytes(args->dtype), 2 * n);
    if (has_bias && lines > 1)
        count += ty_cuda_cost_one(out + 1, "affine_grad_sum",
                                  (double)lines * (double)args->columns * sizeof(float),
                                  (double)lines * (double)args->columns);
    return count;
}
}
