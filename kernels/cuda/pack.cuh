/* Sixteen bytes of f32 or bf16 as floats, which is what kernels compute in. Every tensor's data is
 * aligned to 16 bytes, so pack i of a tensor lies at element i * ty_pack<T>::N. */
#ifndef TY_KERNELS_CUDA_PACK_H
#define TY_KERNELS_CUDA_PACK_H

#include <cuda_bf16.h>
#include <stdint.h>

typedef __nv_bfloat16 ty_bf16;

template <typename T> struct ty_pack;

template <> struct ty_pack<float> {
    enum { N = 4 };
    float v[N];
};

template <> struct ty_pack<ty_bf16> {
    enum { N = 8 };
    float v[N];
};

/* --- one element ------------------------------------------------------------------------------ */

static __device__ inline float ty_load(const float *from) {
    return *from;
}

static __device__ inline float ty_load(const ty_bf16 *from) {
    return __bfloat162float(*from);
}

static __device__ inline float ty_load(const uint8_t *from) {
    return (float)*from;
}

static __device__ inline void ty_store(float *to, float value) {
    *to = value;
}

/* To the nearest, ties to even; NaN stays NaN. */
static __device__ inline void ty_store(ty_bf16 *to, float value) {
    *to = __float2bfloat16_rn(value);
}

/* --- sixteen bytes ---------------------------------------------------------------------------- */

static __device__ inline ty_pack<float> ty_load_pack(const float *from) {
    const float4 four = *(const float4 *)from;
    return {{four.x, four.y, four.z, four.w}};
}

static __device__ inline float ty_low_half(uint32_t pair) {
    return __uint_as_float(pair << 16);
}

static __device__ inline float ty_high_half(uint32_t pair) {
    return __uint_as_float(pair & 0xffff0000U);
}

static __device__ inline ty_pack<ty_bf16> ty_load_pack(const ty_bf16 *from) {
    const uint4 q = *(const uint4 *)from;
    return {{ty_low_half(q.x), ty_high_half(q.x), ty_low_half(q.y), ty_high_half(q.y),
             ty_low_half(q.z), ty_high_half(q.z), ty_low_half(q.w), ty_high_half(q.w)}};
}

static __device__ inline void ty_store_pack(float *to, const ty_pack<float> &pack) {
    *(float4 *)to = make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3]);
}

static __device__ inline uint32_t ty_pair_of(float low, float high) {
    return (uint32_t)__bfloat16_as_ushort(__float2bfloat16_rn(low)) |
           (uint32_t)__bfloat16_as_ushort(__float2bfloat16_rn(high)) << 16;
}

static __device__ inline void ty_store_pack(ty_bf16 *to, const ty_pack<ty_bf16> &pack) {
    *(uint4 *)to = make_uint4(ty_pair_of(pack.v[0], pack.v[1]), ty_pair_of(pack.v[2], pack.v[3]),
                              ty_pair_of(pack.v[4], pack.v[5]), ty_pair_of(pack.v[6], pack.v[7]));
}

#endif
