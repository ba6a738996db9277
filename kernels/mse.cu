/* Mean squared error, a row per sample: x [B, K] f32 or bf16, target f32 [B, K], weight f32 [B] ->
 * rows f32 [B, 4]; d_x = or += 2 weight / K (x - target), nothing where the weight is 0.
 *
 * Forward: a warp has a row of at most 1024 outputs, a block a longer one; sums are f32, by pairs over
 * lanes. Backward: a thread has 16 bytes of x, across the ends of rows.
 *
 * Roofline, bytes an output f32 / bf16: forward 8 / 6, backward 12 / 8 (16 / 10 where it adds); 5 FLOP
 * an output. Of 4096 x 1024 in f32: forward 22 us on an A100, 12 us on an H100; backward 32 and 19. */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

enum { MAX_WARP_OUTPUTS = 1024 };

typedef struct mse_args {
    const void *x;
    const float *target, *weight;
    float *rows;
    void *dx;
    int64_t n_rows, n_outputs;
    bool accumulates;
} mse_args;

typedef struct sums {
    float squares, absolutes;
} sums;

/* --- forward ----------------------------------------------------------------------------------- */

static __device__ inline void tell_row(const mse_args &a, int64_t row, sums s, float first) {
    const float n = (float)a.n_outputs;
    *((float4 *)a.rows + row) = make_float4(s.squares / n, first, s.absolutes / n, 0.0F);
}

/* Of every `stride`th output of a row, from `first` on. */
template <typename T>
static __device__ inline sums sums_of(const mse_args &a, const T *x, const float *target,
                                      int64_t first, int64_t stride) {
    sums s = {0, 0};
    for (int64_t k = first; k < a.n_outputs; k += stride) {
        const float difference = ty_load(x + k) - target[k];
        s.squares += difference * difference;
        s.absolutes += fabsf(difference);
    }
    return {ty_warp_sum(s.squares), ty_warp_sum(s.absolutes)};
}

template <typename T> static __device__ inline void forward_by_warp(const mse_args &a) {
    const int64_t row = (int64_t)blockIdx.x * TY_BLOCK_WARPS + ty_warp();
    if (row >= a.n_rows) /* the whole warp */
        return;
    const T *x = (const T *)a.x + row * a.n_outputs;
    const sums s = sums_of(a, x, a.target + row * a.n_outputs, ty_lane(), TY_WARP);
    if (ty_lane() == 0)
        tell_row(a, row, s, ty_load(x));
}

template <typename T> static __device__ inline void forward_by_block(const mse_args &a) {
    __shared__ sums of_warps[TY_BLOCK_WARPS];
    const int64_t row = blockIdx.x;
    const T *x = (const T *)a.x + row * a.n_outputs;
    const sums s = sums_of(a, x, a.target + row * a.n_outputs, threadIdx.x, TY_CUDA_THREADS);
    if (ty_lane() == 0)
        of_warps[ty_warp()] = s;
    __syncthreads();
    if (ty_warp() > 0)
        return;
    sums of_row = {0, 0};
    if (ty_lane() < TY_BLOCK_WARPS)
        of_row = of_warps[ty_lane()];
    of_row = {ty_warp_sum(of_row.squares), ty_warp_sum(of_row.absolutes)};
    if (ty_lane() == 0)
        tell_row(a, row, of_row, ty_load(x));
}

/* --- backward ---------------------------------------------------------------------------------- */

static __device__ inline float factor_of(const mse_args &a, int64_t row) {
    return 2.0F * a.weight[row] / (float)a.n_outputs;
}

/* A sample of weight 0 has gradient 0, whatever its numbers are. */
static __device__ inline float gradient(float factor, float x, float target, float old) {
    return factor == 0.0F ? old : old + factor * (x - target);
}

template <typename T> static __device__ inline void backward_pack(const mse_args &a, int64_t at) {
    enum { N = ty_pack<T>::N };
    int64_t row = at / a.n_outputs, k = at - row * a.n_outputs;
    float factor = factor_of(a, row);
    T *dx = (T *)a.dx + at;
    ty_pack<T> pack = ty_load_pack((const T *)a.x + at), old = {};
    if (a.accumulates)
        old = ty_load_pack(dx);
#pragma unroll
    for (int j = 0; j < N; j += 4) {
        const ty_pack<float> target = ty_load_pack(a.target + at + j);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            pack.v[j + i] = gradient(factor, pack.v[j + i], target.v[i], old.v[j + i]);
            /* Where a row ends before the pack does, there is a next one. */
            if (j + i + 1 < N && ++k == a.n_outputs) {
                k = 0;
                factor = factor_of(a, ++row);
            }
        }
    }
    ty_store_pack(dx, pack);
}

template <typename T> static __device__ inline void backward_of(const mse_args &a) {
    enum { N = ty_pack<T>::N };
    const int64_t thread = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
    const int64_t n = a.n_rows * a.n_outputs, last = n / N * N + thread;
    if (thread < n / N)
        backward_pack<T>(a, thread * N);
    if (thread < n % N) {
        T *dx = (T *)a.dx + last;
        ty_store(dx, gradient(factor_of(a, last / a.n_outputs), ty_load((const T *)a.x + last),
                              a.target[last], a.accumulates ? ty_load(dx) : 0.0F));
    }
}

#define KERNELS(type, T)                                                                           \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) mse_warp_##type(mse_args a) {    \
        forward_by_warp<T>(a);                                                                     \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) mse_block_##type(mse_args a) {   \
        forward_by_block<T>(a);                                                                    \
    }                                                                                              \
    extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)                                  \
        mse_backward_##type(mse_args a) {                                                          \
        backward_of<T>(a);                                                                         \
    }
KERNELS(f32, float)
KERNELS(bf16, ty_bf16)

/* --- the op ------------------------------------------------------------------------------------ */

typedef struct choice {
    const char *name;
    void (*kernel)(mse_args);
} choice;

enum { BY_WARP, BY_BLOCK, BACKWARD };

static const choice choices[][2] = {
    {{"mse_warp_f32", mse_warp_f32}, {"mse_warp_bf16", mse_warp_bf16}},
    {{"mse_block_f32", mse_block_f32}, {"mse_block_bf16", mse_block_bf16}},
    {{"mse_backward_f32", mse_backward_f32}, {"mse_backward_bf16", mse_backward_bf16}}};

static const choice *choice_of(const ty_op_args *args, bool is_backward) {
    const bool is_long = args->x[0].shape.dims[1] > MAX_WARP_OUTPUTS;
    const int kind = is_backward ? BACKWARD : is_long ? BY_BLOCK : BY_WARP;
    return &choices[kind][args->x[0].dtype == TY_DTYPE_BF16];
}

static mse_args args_of(const ty_op_args *args) {
    return {args->x[0].data,
            (const float *)args->x[1].data,
            (const float *)args->x[2].data,
            (float *)args->y.data,
            args->d_x[0].data,
            args->x[0].shape.dims[0],
            args->x[0].shape.dims[1],
            args->accumulates_dx[0]};
}

static ty_status prepare(ty_ctx *ctx, ty_device *dev, ty_op_args *args) {
    (void)ctx, (void)dev;
    args->y.layout = NULL;
    args->y.bytes = (size_t)ty_shape_count(args->y.shape) * sizeof(float);
    return TY_OK;
}

static ty_status forward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const mse_args a = args_of(args);
    const choice *chosen = choice_of(args, false);
    const bool is_long = a.n_outputs > MAX_WARP_OUTPUTS;
    const unsigned blocks =
        ty_cuda_exact_blocks(a.n_rows * (is_long ? (int64_t)TY_CUDA_THREADS : (int64_t)TY_WARP));
    chosen->kernel<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(a);
    return ty_cuda_launched(ctx, chosen->name);
}

static ty_status backward(ty_ctx *ctx, ty_device *dev, const ty_op_args *args) {
    const mse_args a = args_of(args);
    const choice *chosen = choice_of(args, true);
    const int64_t each = args->x[0].dtype == TY_DTYPE_BF16 ? 8 : 4;
    if (!args->wants_dx[0])
        return TY_OK;
    const unsigned blocks = ty_cuda_exact_blocks((a.n_rows * a.n_outputs + each - 1) / each);
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
                            n * (n_arrays * (double)ty_dtype_bytes(args->x[0].dtype) + 4), 5 * n);
}

const ty_op_impl ty_mse_cuda = {prepare, forward, backward, ty_cuda_release_nothing, cost};
