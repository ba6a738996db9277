/* Arithmetic over flat f32 buffers, and what a step decides.
 *   fill    to = value                                   4 bytes an element
 *   scale   x = factor x                                 8 bytes, 1 FLOP
 *   add     to = a + b                                  12 bytes, 1 FLOP
 *   blend   to = to + rate (from_scale from - to)       12 bytes, 4 FLOP
 *   loss    out += sum over rows of weight * loss       20 bytes a row (a row's other numbers share
 *           its 16 bytes), 2 FLOP
 *   judge   norms of segments to a verdict              16 bytes a segment, 2 FLOP
 * The first four take bytes / bandwidth: 25 M elements at 12 bytes 195 us on an A100 (1.55 TB/s),
 * 111 us on an H100 (2.7 TB/s). Their products and sums are rounded one by one, as on the CPU. loss
 * and judge add in the order of rows, as the CPU does, which makes them chains: 4 clocks a row, 3 us
 * for 1024 rows on an A100, 2.4 us on an H100; they are one block, whose threads fetch what its first
 * thread adds. */
#include <math.h>

#include "kernels/cuda/flat_kernels.h"
#include "kernels/cuda/launch.cuh"

/* Four floats a thread where every pointer allows it, and one of what is left. */
struct span {
    int64_t n, n_packs;
};

static span span_of(int64_t n, const void *a, const void *b, const void *c) {
    const bool is_aligned = (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) & 15U) == 0;
    const span s = {n, is_aligned ? n / 4 : 0};
    return s;
}

static unsigned blocks_of(span s) {
    const int64_t rest = s.n - 4 * s.n_packs;
    return ty_cuda_exact_blocks(s.n_packs > rest ? s.n_packs : rest);
}

static __device__ __forceinline__ int64_t pack_index(void) {
    return (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x;
}

/* Of the single element behind the packs. */
static __device__ __forceinline__ int64_t rest_index(span s) {
    return 4 * s.n_packs + pack_index();
}

/* --- elementwise ------------------------------------------------------------------------------ */

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)
    flat_fill(float *to, span s, float value) {
    const float4 four = make_float4(value, value, value, value);
    const int64_t i = pack_index(), j = rest_index(s);
    if (i < s.n_packs)
        ((float4 *)to)[i] = four;
    if (j < s.n)
        to[j] = value;
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)
    flat_scale(float *x, span s, float factor) {
    const int64_t i = pack_index(), j = rest_index(s);
    if (i < s.n_packs) {
        const float4 v = ((const float4 *)x)[i];
        ((float4 *)x)[i] = make_float4(factor * v.x, factor * v.y, factor * v.z, factor * v.w);
    }
    if (j < s.n)
        x[j] = factor * x[j];
}

/* to may be a or b. */
extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)
    flat_add(float *to, const float *a, const float *b, span s) {
    const int64_t i = pack_index(), j = rest_index(s);
    if (i < s.n_packs) {
        const float4 u = ((const float4 *)a)[i], v = ((const float4 *)b)[i];
        ((float4 *)to)[i] = make_float4(u.x + v.x, u.y + v.y, u.z + v.z, u.w + v.w);
    }
    if (j < s.n)
        to[j] = a[j] + b[j];
}

static __device__ __forceinline__ float blend_one(float to, float from, float rate, float scale) {
    return __fadd_rn(to, __fmul_rn(rate, __fsub_rn(__fmul_rn(scale, from), to)));
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) flat_blend(ty_blend_args a, span s) {
    if (a.verdict && a.verdict->is_skipped)
        return;
    const int64_t i = pack_index(), j = rest_index(s);
    if (i < s.n_packs) {
        const float4 f = ((const float4 *)a.from)[i];
        float4 t = ((const float4 *)a.to)[i];
        t.x = blend_one(t.x, f.x, a.rate, a.from_scale);
        t.y = blend_one(t.y, f.y, a.rate, a.from_scale);
        t.z = blend_one(t.z, f.z, a.rate, a.from_scale);
        t.w = blend_one(t.w, f.w, a.rate, a.from_scale);
        ((float4 *)a.to)[i] = t;
    }
    if (j < s.n)
        a.to[j] = blend_one(a.to[j], a.from[j], a.rate, a.from_scale);
}

static ty_status fill(ty_ctx *ctx, ty_device *dev, float *to, int64_t n, float value) {
    if (n <= 0)
        return TY_OK;
    const span s = span_of(n, to, NULL, NULL);
    flat_fill<<<blocks_of(s), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(to, s, value);
    return ty_cuda_launched(ctx, "flat_fill");
}

static ty_status scale(ty_ctx *ctx, ty_device *dev, float *x, int64_t n, float factor) {
    if (n <= 0)
        return TY_OK;
    const span s = span_of(n, x, NULL, NULL);
    flat_scale<<<blocks_of(s), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(x, s, factor);
    return ty_cuda_launched(ctx, "flat_scale");
}

static ty_status add(ty_ctx *ctx, ty_device *dev, float *to, const float *a, const float *b,
                     int64_t n) {
    if (n <= 0)
        return TY_OK;
    const span s = span_of(n, to, a, b);
    flat_add<<<blocks_of(s), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(to, a, b, s);
    return ty_cuda_launched(ctx, "flat_add");
}

static ty_status blend(ty_ctx *ctx, ty_device *dev, const ty_blend_args *args) {
    if (args->n <= 0)
        return TY_OK;
    const span s = span_of(args->n, args->to, args->from, NULL);
    flat_blend<<<blocks_of(s), TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(*args, s);
    return ty_cuda_launched(ctx, "flat_blend");
}

/* The GPU's own copy: nothing is computed. */
static ty_status copy(ty_ctx *ctx, ty_device *dev, float *to, const float *from, int64_t n) {
    if (n <= 0 || to == from)
        return TY_OK;
    return ty_cuda_check(ctx,
                         cudaMemcpyAsync(to, from, (size_t)n * sizeof *to, cudaMemcpyDeviceToDevice,
                                         ty_cuda_stream(dev)),
                         "copying a flat buffer");
}

/* --- in the order of rows --------------------------------------------------------------------- */

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)
    flat_loss(const float *rows, const float *weight, int64_t n, float *out) {
    __shared__ float loss[TY_CUDA_THREADS];
    float sum = 0;
    for (int64_t first = 0; first < n; first += TY_CUDA_THREADS) {
        const int64_t i = first + threadIdx.x;
        const int here = n - first < TY_CUDA_THREADS ? (int)(n - first) : (int)TY_CUDA_THREADS;
        if (i < n)
            loss[threadIdx.x] = weight[i] == 0 ? 0 : __fmul_rn(weight[i], rows[i * TY_LOSS_ROW]);
        __syncthreads();
        if (threadIdx.x == 0)
            for (int k = 0; k < here; k++)
                sum = __fadd_rn(sum, loss[k]);
        __syncthreads();
    }
    if (threadIdx.x == 0)
        out[0] = __fadd_rn(out[0], sum);
}

static ty_status loss(ty_ctx *ctx, ty_device *dev, const float *rows, const float *weight,
                      int64_t n, float *out) {
    flat_loss<<<1, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(rows, weight, n, out);
    return ty_cuda_launched(ctx, "flat_loss");
}

static __device__ ty_verdict verdict_of(const ty_judge_args &args, double squares,
                                        double n_nonfinite) {
    const double norm = sqrt(squares) / args.total_weight;
    const bool clips = args.max_norm > 0 && norm > args.max_norm;
    ty_verdict verdict;
    verdict.gradient_norm = norm;
    verdict.n_nonfinite = n_nonfinite;
    verdict.is_skipped = n_nonfinite > 0 || !isfinite(norm);
    verdict.grad_scale = (float)((clips ? args.max_norm / norm : 1) / args.total_weight);
    return verdict;
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS) flat_judge(ty_judge_args args) {
    __shared__ double norm[TY_CUDA_THREADS][2];
    double squares = 0, n_nonfinite = 0;
    for (int64_t first = 0; first < args.n_rows; first += TY_CUDA_THREADS) {
        const int64_t i = first + threadIdx.x;
        if (i < args.n_rows) {
            norm[threadIdx.x][0] = i < args.n_gradient_rows ? args.norms[2 * i] : 0;
            norm[threadIdx.x][1] = args.norms[2 * i + 1];
        }
        __syncthreads();
        for (int k = 0; threadIdx.x == 0 && k < TY_CUDA_THREADS && first + k < args.n_rows; k++) {
            squares += norm[k][0];
            n_nonfinite += norm[k][1];
        }
        __syncthreads();
    }
    if (threadIdx.x == 0)
        *args.verdict = verdict_of(args, squares, n_nonfinite);
}

static ty_status judge(ty_ctx *ctx, ty_device *dev, const ty_judge_args *args) {
    flat_judge<<<1, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(*args);
    return ty_cuda_launched(ctx, "flat_judge");
}

/* In the order of ty_flat_table. */
extern "C" const ty_flat_table ty_flat_cuda = {fill,
                                               copy,
                                               scale,
                                               ty_flat_cast_cuda,
                                               add,
                                               blend,
                                               ty_flat_norms_cuda,
                                               loss,
                                               judge,
                                               ty_flat_init_cuda,
                                               ty_flat_sgd_cuda,
                                               ty_flat_adamw_cuda};
