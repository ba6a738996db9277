/* to[i] += from[i], i < n; to f32, from bf16: no engine of cuDNN adds the gradient of filters that it
 * computes from bf16 to f32.
 *
 * Roofline: bytes moved are 2 + 4 + 4 an element, 1 FLOP each. 2.36 M filters (512 x 512 x 3 x 3):
 * 23.6 MB, so memory decides: A100 15 us (1.55 TB/s), H100 9 us (2.7 TB/s). */
#include "kernels/cuda/widen_add.h"

#include "kernels/cuda/pack.cuh"

typedef ty_pack<ty_bf16> eight;

static __device__ inline void add_four(float *to, const float *from) {
    ty_pack<float> sum = ty_load_pack(to);
#pragma unroll
    for (int j = 0; j < 4; j++)
        sum.v[j] += from[j];
    ty_store_pack(to, sum);
}

extern "C" {

/* A thread a pack; the one behind the last whole pack has the rest. */
__global__ void __launch_bounds__(TY_CUDA_THREADS)
    widen_add(float *to, const ty_bf16 *from, int64_t n) {
    const int64_t i = ((int64_t)blockIdx.x * TY_CUDA_THREADS + threadIdx.x) * eight::N;
    if (i + eight::N <= n) {
        const eight some = ty_load_pack(from + i);
        add_four(to + i, some.v);
        add_four(to + i + 4, some.v + 4);
    } else {
        for (int64_t k = i; k < n; k++)
            to[k] += ty_load(from + k);
    }
}

ty_status ty_cuda_widen_add(ty_ctx *ctx, const ty_device *dev, float *to, const void *from,
                            int64_t n) {
    const int64_t at_once = (int64_t)TY_CUDA_THREADS * eight::N;
    const unsigned blocks = (unsigned)((n + at_once - 1) / at_once);
    widen_add<<<blocks, TY_CUDA_THREADS, 0, ty_cuda_stream(dev)>>>(to, (const ty_bf16 *)from, n);
    return ty_cuda_launched(ctx, "widen_add");
}

int ty_cuda_widen_add_cost(int64_t n, ty_op_cost *out) {
    return ty_cuda_cost_one(out, "widen_add", 10.0 * (double)n, (double)n);
}
}
