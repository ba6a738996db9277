/* Elementary functions in float for loops_body.h: no branches, no libm, no fused multiply-add, so
 * that they vectorise and give the same bits at every instruction-set level. Errors are measured in
 * tests/kernels/test_loops_math.c. */
#ifndef TY_KERNELS_LOOPS_MATH_H
#define TY_KERNELS_LOOPS_MATH_H

#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float absolute(float x) {
    return float_of_bits(bits_of_float(x) & 0x7fffffffU);
}

static inline float with_sign_of(float magnitude, float sign) {
    return float_of_bits(bits_of_float(magnitude) | (bits_of_float(sign) & 0x80000000U));
}

/* which ? a : b, in bits: given a branch, the compiler would compute what follows once for each
 * side. */
static inline float choose(int which, float a, float b) {
    const uint32_t mask = 0U - (uint32_t)which;
    return float_of_bits((bits_of_float(a) & mask) | (bits_of_float(b) & ~mask));
}

/* e^(x + low), |low| <= 0.1, within 1.5 ulp; 0 and infinity where float ends, denormals between,
 * NaN for NaN. Cody & Waite 1980: x = n ln 2 + r with ln 2 in two parts; e^r = 1 + r + r^2 q(r), q
 * interpolated at Chebyshev nodes on |r| <= ln 2 / 2 (relative error 1.1e-8); 2^n in two factors,
 * because n itself may lie outside float's exponents. */
static inline float exp_of_sum(float x, float low) {
    x = choose(x < -105.0F, -105.0F, x);
    x = choose(x > 89.0F, 89.0F, x);
    const float magic = 0x1.8p23F; /* adding it leaves an integer in the low bits */
    const float shifted = (x + low) * 0x1.715476p+0F + magic;
    const int32_t n = (int32_t)(bits_of_float(shifted) - bits_of_float(magic));
    const float whole = shifted - magic;
    const float r = ((x - whole * 0x1.62e4p-1F) - whole * 0x1.7f7d1cp-20F) + low;
    float q = 0x1.6d113ep-10F;
    q = q * r + 0x1.120ba2p-7F;
    q = q * r + 0x1.55551ap-5F;
    q = q * r + 0x1.5554dcp-3F;
    q = q * r + 0x1p-1F;
    const float p = 1.0F + (r + r * r * q);
    const int32_t half = n >> 1;
    const float a = float_of_bits((uint32_t)(half + 127) << 23);
    const float b = float_of_bits((uint32_t)(n - half + 127) << 23);
    return p * a * b;
}

static inline float exp_of(float x) {
    return exp_of_sum(x, 0.0F);
}

/* tanh within 2 ulp: below 0.625 x + x^3 q(x^2), q interpolated at Chebyshev nodes (relative error
 * 6e-9); above, 1 - 2 / (e^(2 |x|) + 1), where nothing cancels. */
static inline float tanh_of(float x) {
    const float a = absolute(x), z = x * x;
    float q = 0x1.2977d8p-9F;
    q = q * z - 0x1.10bbf4p-7F;
    q = q * z + 0x1.648e8ep-6F;
    q = q * z - 0x1.ba0718p-5F;
    q = q * z + 0x1.1110e4p-3F;
    q = q * z - 0x1.555556p-2F;
    const float near = x + x * z * q;
    const float far = with_sign_of(1.0F - 2.0F / (exp_of(2.0F * a) + 1.0F), x);
    return a < 0.625F ? near : far;
}

/* 1 / (1 + e^-x) within 3 ulp, by e^-|x| so that neither
 * side overflows or cancels. */
static inline float sigmoid_of(float x) {
    const float e = exp_of(-absolute(x));
    return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

/* The normal law's distribution Phi(x), within 6 ulp while it is normal (x >= -13), and density
 * phi(x). With z = |x| / sqrt 2, Phi(-|x|) = e^(-x^2 / 2) erfcx(z) / 2; erfcx(z) = t P(1 - t), t =
 * 1 / (1 + z / 2) (the form of Hastings 1955; P interpolated at Chebyshev nodes on z <= 11.5,
 * relative error 1.1e-8). x^2 / 2 is taken in two parts, because e^ would magnify its rounding. */
typedef struct normal_law {
    float distribution, density;
} normal_law;

static inline normal_law normal_law_at(float x) {
    float a = absolute(x);
    a = choose(a > 16.0F, 16.0F, a); /* the density is 0 from 14.4 on */
    const float high = float_of_bits(bits_of_float(a) & 0xfffff000U);
    const float density = exp_of_sum(-0.5F * high * high, -0.5F * (a - high) * (a + high));
    const float scaled = a * 0x1.6a09e6p-2F, t = 1.0F / (1.0F + scaled), u = scaled * t;
    float p = 0x1.217bfcp-5F;
    p = p * u - 0x1.503c4cp-3F;
    p = p * u + 0x1.1062b4p-2F;
    p = p * u - 0x1.5b984cp-3F;
    p = p * u + 0x1.707ec2p-4F;
    p = p * u - 0x1.f650f0p-4F;
    p = p * u - 0x1.7f1a8ap-4F;
    p = p * u + 0x1.b05388p-3F;
    p = p * u + 0x1.f23174p-2F;
    p = p * u - 0x1.41baf6p+0F;
    p = p * u + 0x1p+0F;
    const float tail = 0.5F * density * (t * p);
    return (normal_law){.distribution = x > 0.0F ? 1.0F - tail : tail,
                        .density = density * 0x1.988454p-2F}; /* 1 / sqrt(2 pi) */
}

#endif
