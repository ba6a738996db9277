/* y[r, c] = act(y[r, c] + b[c]) in place, for r < rows, c < columns; f32 or bf16, computed in f32.
 * What cuBLASLt's and cuDNN's epilogues leave over: tanh and sigmoid, relu without a bias.
 *
 * Roofline: bytes moved are one read and one write of y; about 2 FLOP an element (relu), 20 (tanh).
 * 256 x 28 x 28 images of 16 channels in f32: 25.7 MB and 6 MFLOP, so memory decides:
 * A100 17 us (1.55 TB/s), H100 9.5 us (2.7 TB/s); half in bf16. */
#include "kernels/cuda/affine.cuh"

typedef struct affine {
    void *y;
    const void *bias;
    int64_t rows, columns;
    int64_t rows_per_block;
    int lanes_log2;
    int activation;
} affine;

static __device__ inline float activate(int activation, float z) {
    if (activation == TY_ACT_RELU)
        return z > 0 ? z : 0;
    if (activation == TY_ACT_TANH)
        return tanhf(z);
    return activation == TY_ACT_SIGMOID ? 1 / (1 + expf(-z)) : z;
}

template <typename T, int V> static __device__ inline void run(const affine &a) {
    const int lanes = 1 << a.lanes_log2;
    const int64_t column = ((int64_t)blockIdx.x * lanes + (threadIdx.x & (lanes - 1))) * V;
    const int64_t first = (int64_t)blockIdx.y * a.rows_per_block;
    const int64_t last = min(first + a.rows_per_block, a.rows);
    if (column >= a.columns)
        return;
    ty_group<T, V> bias = {};
    if (a.bias)
        bias = ty_load_group<T, V>((const T *)a.bias + column);
    for (int64_t row = first + (threadIdx.x >> a.lanes_log2); row < last;
         row += TY_CUDA_THREADS >> a.lanes_log2) {
        T *const at = (T *)a.y + row * a.columns + column;
        ty_group<T, V> y = ty_load_group<T, V>(at);
#pragma unroll
        for (int j = 0; j < V; j++)
            y.v[j] = activate(a.activation, y.v[j] + bias.v[j]);
        ty_store_group<T, V>(at, y);
    }
}

extern "C" {

__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_f32(affine a) {
    run<float, 4>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_f32_odd(affine a) {
    run<float, 1>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_bf16(affine a) {
    run<ty_bf16, 8>(a);
}
__global__ void __launch_bounds__(TY_CUDA_THREADS) affine_bf16_odd(affine a) {
    run<ty_bf16, 1>(a);
}

static const struct {
    const char *name;
    void (*kernel)(affine);
} kernels[2][2] = {{{"affine_f32_odd", affine_f32_odd}, {"affine_f32", affine_f32}},
                   {{"affine_bf16_odd", affine_bf16_odd}, {"affine_bf16", affine_bf16}}};

ty_status ty_cuda_affine(ty_ctx *ctx, const ty_device *dev, const ty_cuda_affine_args *args) {
    const ty_affine_grid grid = ty_affine_grid_of(args->rows, args->columns, args->dtype);
    const affine a = {args->y,         args->bias,          args->rows,
                      args->columns,   grid.rows_per_block, grid.lanes_log2,
                      args->activation};
    const bool is_bf16 = args->dtype == TY_DTYPE_BF16;
    const auto &chosen = kernels[is_bf16][ty_affine_is_wide(args->columns, args->dtype)];
    chosen.kernel<<<dim3(grid.across, grid.down), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, chosen.name);
}

int ty_cuda_affine_cost(const ty_cuda_affine_args *args, ty_op_cost *out) {
    const double n = (double)args->rows * (double)args->columns;
    const bool is_wide = ty_affine_is_wide(args->columns, args->dtype);
    return ty_cuda_cost_one(out, kernels[args->dtype == TY_DTYPE_BF16][is_wide].name,
                            2 * n * (double)ty_dtype_bytes(args->dtype), 2 * n);
}
}
