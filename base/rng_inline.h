/* How random bits become numbers, as inline functions: rng.c calls them one by one, vector loops
 * over whole arrays (kernels/loops_body.h), and both get the same bits. Nothing here branches,
 * calls libm (whose bits depend on the machine it chose its code for) or needs a fused
 * multiply-add. */
#ifndef TY_BASE_RNG_INLINE_H
#define TY_BASE_RNG_INLINE_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [0, 1) with 24 bits. Through int32_t, which vector units convert and uint32_t they do not. */
static inline float ty_rng_inline_uniform(uint32_t bits) {
    return (float)(int32_t)(bits >> 8) * 0x1p-24F;
}

/* ln(x) for normal x > 0, within 2 ulp: x = 2^e m, m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m -
 * 1) / (m + 1)), the series up to s^23 (s^2 <= 0.0295, so the first term left out is below 1e-18).
 */
static inline double ty_rng_inline_log(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int64_t above_half = bits - INT64_C(0x3fe6a09e667f3bcd); /* sqrt(1/2) */
    const int64_t exponent = above_half >> 52;
    bits -= exponent * (INT64_C(1) << 52);
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1), z = s * s;
    double p = 2.0 / 23;
    p = p * z + 2.0 / 21;
    p = p * z + 2.0 / 19;
    p = p * z + 2.0 / 17;
    p = p * z + 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
    p = p * z + 2.0 / 7;
    p = p * z + 2.0 / 5;
    p = p * z + 2.0 / 3;
    /* ln 2 in two parts, the first with so few bits that its product with an exponent is exact. */
    const double e = (double)(int32_t)exponent;
    return e * 0x1.62e42feep-1 + (2 * s + (s * z * p + e * 0x1.a39ef35793c76p-33));
}

/* sin and cos of x in [-pi/4, pi/4], within 1 ulp: Taylor's series, the first term left out below
 * 1e-16. */
static inline double ty_rng_inline_sin(double x) {
    const double z = x * x;
    double p = -1.0 / 1307674368000;
    p = p * z + 1.0 / 6227020800;
    p = p * z - 1.0 / 39916800;
    p = p * z + 1.0 / 362880;
    p = p * z - 1.0 / 5040;
    p = p * z + 1.0 / 120;
    p = p * z - 1.0 / 6;
    return x + x * z * p;
}

static inline double ty_rng_inline_cos(double x) {
    const double z = x * x;
    double p = 1.0 / 20922789888000;
    p = p * z - 1.0 / 87178291200;
    p = p * z + 1.0 / 479001600;
    p = p * z - 1.0 / 3628800;
    p = p * z + 1.0 / 40320;
    p = p * z - 1.0 / 720;
    p = p * z + 1.0 / 24;
    p = p * z - 1.0 / 2;
    return 1 + z * p;
}

/* Box & Muller 1958: radius sqrt(-2 ln a), a in (0, 1], angle 2 pi b. The angle's nearest quarter
 * turn is cut off in integers, exactly; what is left lies in [-pi/4, pi/4). */
static inline void ty_rng_inline_normal2(uint32_t bits_a, uint32_t bits_b, float *x, float *y) {
    const double a = ((double)(int32_t)(bits_a ^ 0x80000000U) + 2147483649.0) * 0x1p-32;
    const double radius = __builtin_sqrt(-2 * ty_rng_inline_log(a));
    const uint32_t turned = bits_b + 0x20000000U;
    const double rest = (double)((int32_t)(turned & 0x3fffffffU) - 0x20000000);
    const double angle = rest * (0x1.921fb54442d18p+0 * 0x1p-30);
    const double s = ty_rng_inline_sin(angle), c = ty_rng_inline_cos(angle);
    const uint32_t quarter = turned >> 30;
    const double cos_turned = quarter & 1U ? s : c, sin_turned = quarter & 1U ? c : s;
    const double cos_sign = (quarter + 1U) & 2U ? -1 : 1, sin_sign = quarter & 2U ? -1 : 1;
    *x = (float)(radius * cos_turned * cos_sign);
    *y = (float)(radius * sin_turned * sin_sign);
}

#ifdef __cplusplus
}
#endif
#endif
