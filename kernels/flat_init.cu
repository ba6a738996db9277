/* How parameters start, one launch for all segments of a usual net: elements 4 i .. 4 i + 3 of
 * segment s from the words of Philox(seed, INIT, s, i).
 *   zeros, ones   0, 1
 *   normal        0.02 z, z by Box-Muller in double
 *   uniform       bound (2 u - 1)
 * This file is compiled without contraction (CMakeLists.txt), so all of it has the CPU's bits.
 *
 * Moves 4 bytes an element and computes 15 integer operations; normal adds 30 FLOP in double, which
 * bounds it: 25 M elements uniformly 70 us on an A100 (1.55 TB/s), 40 us on an H100 (2.7 TB/s), of a
 * normal law 0.1 ms on both, where double is half as fast as float. Once a run. */
#include "base/rng_inline.h"
#include "kernels/cuda/flat_kernels.h"
#include "kernels/cuda/flat_rows.cuh"
#include "kernels/cuda/philox.cuh"
#include "kernels/flat_step.h"

struct init_call {
    float *params;
    ty_rng_key key;
    ty_cuda_rows rows; /* by: the law, as a whole number; the uniform law's bound */
};

static __device__ __forceinline__ float4 uniform4(ty_rng_block words, float bound) {
    return make_float4(bound * (2.0F * ty_rng_inline_uniform(words.v[0]) - 1.0F),
                       bound * (2.0F * ty_rng_inline_uniform(words.v[1]) - 1.0F),
                       bound * (2.0F * ty_rng_inline_uniform(words.v[2]) - 1.0F),
                       bound * (2.0F * ty_rng_inline_uniform(words.v[3]) - 1.0F));
}

static __device__ __forceinline__ float4 normal4(ty_rng_block words) {
    const float deviation = 0.02F;
    float4 z;
    ty_rng_inline_normal2(words.v[0], words.v[1], &z.x, &z.y);
    ty_rng_inline_normal2(words.v[2], words.v[3], &z.z, &z.w);
    return make_float4(deviation * z.x, deviation * z.y, deviation * z.z, deviation * z.w);
}

static __device__ __forceinline__ float4 start4(const init_call &call, const ty_cuda_row &row,
                                                int64_t i) {
    const int law = (int)row.by[0];
    if (law == TY_INIT_ZEROS)
        return make_float4(0, 0, 0, 0);
    if (law == TY_INIT_ONES)
        return make_float4(1, 1, 1, 1);
    const ty_rng_block words = ty_cuda_draw(call.key, (uint64_t)row.segment, (uint64_t)i / 4);
    return law == TY_INIT_NORMAL ? normal4(words) : uniform4(words, row.by[1]);
}

extern "C" __global__ void __launch_bounds__(TY_CUDA_THREADS)
    flat_init(const __grid_constant__ init_call call) {
    const ty_cuda_row &row = call.rows.row[ty_cuda_row_of(call.rows, blockIdx.x)];
    const int64_t first = (int64_t)(blockIdx.x - row.first_block) * TY_CUDA_CHUNK;
    for (int k = 0; k < TY_CUDA_CHUNK; k += 4 * TY_CUDA_THREADS) {
        const int64_t i = first + k + 4 * (int64_t)threadIdx.x;
        if (i >= row.count)
            break;
        ty_cuda_store4(call.params + row.offset, i, row.count, start4(call, row, i));
    }
}

extern "C" ty_status ty_flat_init_cuda(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) {
    init_call call;
    call.params = args->params;
    call.key = ty_rng_key_of(args->seed, TY_STREAM_INIT);
    for (int64_t at = 0; at < args->n_segments;) {
        at = ty_cuda_pack(args->segments, args->n_segments, at, &call.rows);
        for (int i = 0; i < call.rows.n; i++) {
            ty_cuda_row *row = &call.rows.row[i];
            row->by[0] = (float)args->segments[row->segment].init;
            row->by[1] = (float)ty_init_bound_of(&args->segments[row->segment]);
        }
        if (call.rows.n == 0)
            continue;
        flat_init<<<call.rows.n_blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(call);
        TY_TRY(ty_cuda_launched(ctx, "flat_init"));
    }
    return TY_OK;
}
