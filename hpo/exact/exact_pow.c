/* Powers, by a logarithm of twice double's digits. */
#include "hpo/exact/exact.h"

#include <math.h>
#include <stdbool.h>

#include "hpo/exact/exact_wide.h"

/* (f / (2 + f)) in full: a quotient and what is left of it. */
static wide wide_ratio(double f) {
    const wide below = wide_sum(2, f);
    const double s = f / below.high;
    const wide back = wide_product(s, below.high);
    return wide_sum(s, (((f - back.high) - back.low) - s * below.low) / below.high);
}

/* log(1 + f) = 2 s + 2/3 s^3 + 2/5 s^5 + ..., s = f / (2 + f), up to s^23; the first two terms are wide,
 * the third and its followers, below 2e-4 of the first, are not. */
static wide wide_log_near_one(double f) {
    const wide s = wide_ratio(f), square = wide_times(s, s);
    const double z = square.high;
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
    const wide two_thirds = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
    const wide cubic = wide_times(square, wide_add(two_thirds, (wide){p * z, 0}));
    return wide_add((wide){2 * s.high, 2 * s.low}, wide_times(s, cubic));
}

wide ty_exact_wide_log(double x) {
    const bool is_small = x < 0x1p-1022;
    const log_parts l = log_parts_of(is_small ? x * 0x1p54 : x);
    const double e = is_small ? l.e - 54 : l.e;
    /* The first part of ln 2 is so short that its product with an exponent is exact. */
    const wide rest = wide_product(e, 0x1.ef35793c7673p-45);
    const wide power = wide_sum(e * 0x1.62e42fefa38p-1, rest.high);
    return wide_add((wide){power.high, power.low + rest.low}, wide_log_near_one(l.f));
}

double ty_exact_wide_exp(wide x) {
    /* Beyond that the result is 0 or infinite, and the low part may be anything. */
    const double low = absolute(x.high) < 750 ? x.low : 0;
    const exp_parts e = exp_parts_of(clamped(x.high, -746, 710), low);
    const two_powers scale = powers_of_two(e.n);
    const wide sum = wide_sum(1, e.r);
    return (sum.high + (sum.low + e.tail)) * scale.a * scale.b;
}

static bool is_integer(double y) {
    return absolute(y) >= 0x1p53 || floor(y) == y;
}

static bool is_odd(double y) {
    return absolute(y) < 0x1p53 && floor(y) == y && (int64_t)y % 2 != 0;
}

/* x^y for x >= 0 and what is no NaN. */
static double power_of_positive(double x, double y) {
    if (x == 1 || y == 0)
        return 1;
    if (x == 0 || x == infinity() || absolute(y) == infinity())
        return (x > 1) == (y > 0) ? infinity() : 0;
    /* |log x| >= 2^-53: further out it is 0 or infinite anyhow. */
    const double exponent = clamped(y, -0x1p66, 0x1p66);
    return ty_exact_wide_exp(wide_times(ty_exact_wide_log(x), (wide){exponent, 0}));
}

double ty_exact_pow(double x, double y) {
    if (y == 0 || x == 1)
        return 1;
    if (x != x || y != y || (x < 0 && x != -infinity() && !is_integer(y)))
        return not_a_number();
    const double magnitude = power_of_positive(absolute(x), y);
    return bits_of(x) >> 63 && is_odd(y) ? -magnitude : magnitude;
}
