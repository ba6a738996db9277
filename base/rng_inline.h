/* How random bits become numbers, as inline functions: rng.c calls them one by one, loops over
 * whole arrays inline them and vectorise (kernels/loops_random.h), and both get the same bits. */
#ifndef TY_BASE_RNG_INLINE_H
#define TY_BASE_RNG_INLINE_H

#include <math.h>

#include "base/maths.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [0, 1) with 24 bits. Through int32_t, which vector units convert and uint32_t they do not. */
TY_BOTH_SIDES static inline float ty_rng_inline_uniform(uint32_t bits) {
    return (float)(int32_t)(bits >> 8) * 0x1p-24F;
}

/* Box & Muller 1958: radius sqrt(-2 ln a), a in (0, 1], angle 2 pi b. The angle's nearest quarter
 * turn is cut off in integers, exactly; what is left lies in [-pi/4, pi/4). */
TY_BOTH_SIDES static inline void ty_rng_inline_normal2(uint32_t bits_a, uint32_t bits_b, float *x,
                                                       float *y) {
    const double a = ((double)(int32_t)(bits_a ^ 0x80000000U) + 2147483649.0) * 0x1p-32;
    const double radius = sqrt(-2 * ty_maths_log(a));
    const uint32_t turned = bits_b + 0x20000000U;
    const double rest = (double)((int32_t)(turned & 0x3fffffffU) - 0x20000000);
    const double angle = rest * (0x1.921fb54442d18p+0 * 0x1p-30);
    const double s = ty_maths_sin_quarter(angle), c = ty_maths_cos_quarter(angle);
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
