/* Elementary functions in double that give the same bits on every machine. libm's do not: it picks
 * its code, with or without fused multiply-add, by the CPU it finds. Inline and without branches,
 * so that loops over them vectorise. A .cu file may call them on both sides if it is compiled without
 * contraction. */
#ifndef TY_BASE_MATHS_H
#define TY_BASE_MATHS_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __CUDACC__
#define TY_BOTH_SIDES __host__ __device__
#else
#define TY_BOTH_SIDES
#endif

/* ln(x) for normal x > 0, within 2 ulp; NaN for NaN and infinity: x = 2^e m, m in [sqrt(1/2),
 * sqrt(2)); ln m = 2 atanh(s), s = (m - 1) / (m + 1), the series up to s^23 (s^2 <= 0.0295, so the
 * first term left out is below 1e-18). */
TY_BOTH_SIDES static inline double ty_maths_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* Moves sqrt(1/2) to 1, where the exponent field counts from; logical shifts vectorise. */
    const uint64_t moved = bits + (UINT64_C(0x3ff0000000000000) - UINT64_C(0x3fe6a09e667f3bcd));
    const int32_t exponent = (int32_t)(uint32_t)(moved >> 52) - 1023;
    bits -= ((moved >> 52) - 1023) << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1), z = s * s;
    /* In pairs and pairs of pairs (Estrin 1960): a chain of eleven makes a processor wait. */
    const double z2 = z * z, z4 = z2 * z2;
    const double p0 = 2.0 / 3 + 2.0 / 5 * z, p1 = 2.0 / 7 + 2.0 / 9 * z;
    const double p2 = 2.0 / 11 + 2.0 / 13 * z, p3 = 2.0 / 15 + 2.0 / 17 * z;
    const double p4 = 2.0 / 19 + 2.0 / 21 * z, p5 = 2.0 / 23;
    const double p = (p0 + z2 * p1) + z4 * ((p2 + z2 * p3) + z4 * (p4 + z2 * p5));
    /* ln 2 in two parts, the first so short that its product with an exponent is exact. */
    const double e = exponent;
    const double low = e * 0x1.a39ef35793c76p-33 + (x - x); /* 0, or what is not a number */
    return e * 0x1.62e42feep-1 + (2 * s + (s * z * p + low));
}

/* exp(x) for x <= 0, within 2 ulp; 0 below -708, NaN for NaN: x = k ln 2 + r, |r| <= ln 2 / 2, Taylor's
 * series of e^r up to r^13 (the first term left out is below 1e-17), times 2^k. */
TY_BOTH_SIDES static inline double ty_maths_exp_negative(double x) {
    const double clamped = x > -708 ? x : -708;
    const int64_t k = (int64_t)(clamped * 1.4426950408889634 - 0.5);
    const double e = (double)k;
    const double r = (clamped - e * 0x1.62e42feep-1) - e * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    const uint64_t bits = (uint64_t)(k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return x >= -708 ? p * scale : (x < -708 ? 0 : x);
}

/* sin and cos of x in [-pi/4, pi/4], within 1 ulp: Taylor's series, the first term left out below
 * 1e-16. */
TY_BOTH_SIDES static inline double ty_maths_sin_quarter(double x) {
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

TY_BOTH_SIDES static inline double ty_maths_cos_quarter(double x) {
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

#ifdef __cplusplus
}
#endif
#endif
