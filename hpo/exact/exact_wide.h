/* Numbers of twice double's digits as unevaluated sums (Dekker 1971; Knuth, The Art of Computer
 * Programming 2, 4.2.2), and their logarithm. For what is magnified afterwards: an exponent, a sum that
 * cancels. Products split their factors, which therefore stay below 2^990. Private to hpo/exact*.c. */
#ifndef TY_HPO_EXACT_EXACT_WIDE_H
#define TY_HPO_EXACT_EXACT_WIDE_H

#include "hpo/exact/exact_inline.h"

typedef struct wide {
    double high, low; /* |low| <= ulp(high) / 2 */
} wide;

/* a + b, exactly. */
static inline wide wide_sum(double a, double b) {
    const double sum = a + b, part = sum - a;
    return (wide){sum, (a - (sum - part)) + (b - part)};
}

/* a b, exactly. */
static inline wide wide_product(double a, double b) {
    const double a_far = a * 0x1.0000002p27, a_high = a_far - (a_far - a), a_low = a - a_high;
    const double b_far = b * 0x1.0000002p27, b_high = b_far - (b_far - b), b_low = b - b_high;
    const double product = a * b;
    const double off = ((a_high * b_high - product) + a_high * b_low) + a_low * b_high;
    return (wide){product, off + a_low * b_low};
}

static inline wide wide_add(wide a, wide b) {
    const wide high = wide_sum(a.high, b.high), low = wide_sum(a.low, b.low);
    const wide sum = wide_sum(high.high, high.low + low.high);
    return wide_sum(sum.high, sum.low + low.low);
}

static inline wide wide_negative(wide a) {
    return (wide){-a.high, -a.low};
}

static inline wide wide_times(wide a, wide b) {
    const wide p = wide_product(a.high, b.high);
    return wide_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

/* log(x) for finite x > 0, within 2^-64 of itself (exact_pow.c). */
wide ty_exact_wide_log(double x);

/* e^x within 0.7 ulp. */
double ty_exact_wide_exp(wide x);

#endif
