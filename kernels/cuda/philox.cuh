/* Philox4x32-10 (Salmon et al. 2011) on the device: the twin of ty_rng_draw, word for word
 * (base/rng.h says what keys and counters are; keys are made on the host). */
#ifndef TY_KERNELS_CUDA_PHILOX_H
#define TY_KERNELS_CUDA_PHILOX_H

#include "base/rng.h"

static __device__ __forceinline__ ty_rng_block ty_cuda_draw(ty_rng_key key, uint64_t a,
                                                            uint64_t b) {
    uint32_t c0 = (uint32_t)a, c1 = (uint32_t)(a >> 32), c2 = (uint32_t)b, c3 = (uint32_t)(b >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53U * c0, p1 = (uint64_t)0xCD9E8D57U * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ key.k[0];
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ key.k[1];
        c3 = (uint32_t)p0;
        key.k[0] += 0x9E3779B9U;
        key.k[1] += 0xBB67AE85U;
    }
    const ty_rng_block block = {{c0, c1, c2, c3}};
    return block;
}

#endif
