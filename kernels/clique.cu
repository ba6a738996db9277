/* to[i] = the sum over ranks r of parts[r][i], i < slice, in the tree over ranks
 * ((0+1)+(2+3))+((4+5)+(6+7))+..., ranks rounded up to a power of two, places without a rank left
 * out: the order of ty_comm_sum and ty_sum_tree, so that a GPU adds the same bits as they do.
 *
 * Shapes: parts [size][slice], to [slice], f32; slice a multiple of 4, both on 16 bytes.
 * Roofline: 4 (size + 1) slice bytes, (size - 1) slice FLOP: memory alone. 124 M parameters on 8
 * ranks are slices of 15.5 M: 558 MB, 360 us on A100 (1.55 TB/s), 207 us on H100 (2.7 TB/s).
 *
 * A thread adds four neighbouring elements of all ranks. Eight ranks at a time, a subtree of their
 * own, are read before they are added, so that their reads are under way together; sums of such
 * eights are kept as a binary counter keeps its digits: level l holds the sum of the 2^l eights
 * that are finished but have no partner yet. */
#include "kernels/cuda/nccl.h"

enum { AT_ONCE = 8, LEVELS = 11 }; /* TY_CLIQUE_MOST_RANKS is AT_ONCE << (LEVELS - 1) */

static __device__ __forceinline__ float4 add(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* The subtree over the first `count` of eight parts; 1 <= count. */
static __device__ __forceinline__ float4 sum_eight(const float4 *__restrict__ parts, int64_t stride,
                                                   int count) {
    float4 x[AT_ONCE];
    x[0] = parts[0];
#pragma unroll
    for (int k = 1; k < AT_ONCE; k++)
        x[k] = k < count ? parts[k * stride] : make_float4(0, 0, 0, 0);
#pragma unroll
    for (int width = 1; width < AT_ONCE; width *= 2) {
#pragma unroll
        for (int k = 0; k < AT_ONCE; k += 2 * width)
            x[k] = k + width < count ? add(x[k], x[k + width]) : x[k];
    }
    return x[0];
}

static __device__ __forceinline__ float4 sum_many(const float4 *__restrict__ parts, int64_t stride,
                                                  int size) {
    float4 levels[LEVELS];
    const int n = (size + AT_ONCE - 1) / AT_ONCE;
#pragma unroll
    for (int l = 0; l < LEVELS; l++)
        levels[l] = make_float4(0, 0, 0, 0);
    for (int g = 0; g < n; g++) {
        float4 sum = sum_eight(parts + g * AT_ONCE * stride, stride, size - g * AT_ONCE);
        bool is_carried = true;
#pragma unroll
        for (int l = 0; l < LEVELS; l++) {
            const bool is_taken = l < LEVELS - 1 && (g >> l & 1) != 0;
            if (is_carried && is_taken)
                sum = add(levels[l], sum);
            if (is_carried && !is_taken) {
                levels[l] = sum;
                is_carried = false;
            }
        }
    }
    float4 sum = make_float4(0, 0, 0, 0);
    bool has_sum = false;
#pragma unroll
    for (int l = 0; l < LEVELS; l++) {
        if (n >> l & 1) {
            sum = has_sum ? add(levels[l], sum) : levels[l];
            has_sum = true;
        }
    }
    return sum;
}

/* Four blocks a multiprocessor leave the eight reads their registers; asked for none, ptxas spills. */
static __global__ void __launch_bounds__(TY_CUDA_THREADS, 4)
    clique_sum_few(const float4 *__restrict__ parts, float4 *__restrict__ to, int64_t slice,
                   int size) {
    const int64_t step = (int64_t)gridDim.x * TY_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x; i < slice; i += step)
        to[i] = sum_eight(parts + i, slice, size);
}

static __global__ void __launch_bounds__(TY_CUDA_THREADS)
    clique_sum_many(const float4 *__restrict__ parts, float4 *__restrict__ to, int64_t slice,
                    int size) {
    const int64_t step = (int64_t)gridDim.x * TY_CUDA_THREADS;
    for (int64_t i = (int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x; i < slice; i += step)
        to[i] = sum_many(parts + i, slice, size);
}

extern "C" {

ty_status ty_clique_sum_slices_cuda(ty_ctx *ctx, ty_clique *clique, const float *parts, float *to,
                                    int64_t slice) {
    if (slice == 0)
        return TY_OK;
    const int64_t quads = slice / 4;
    const unsigned blocks = ty_cuda_blocks(clique->dev, quads);
    const cudaStream_t stream = ty_cuda_of(clique->dev)->streams[TY_QUEUE_COMM];
    const float4 *from = (const float4 *)parts;
    float4 *out = (float4 *)to;
    if (clique->size <= AT_ONCE)
        clique_sum_few<<<blocks, TY_CUDA_THREADS, 0, stream>>>(from, out, quads, clique->size);
    else
        clique_sum_many<<<blocks, TY_CUDA_THREADS, 0, stream>>>(from, out, quads, clique->size);
    return ty_cuda_launched(ctx, "clique_sum");
}

} /* extern "C" */
