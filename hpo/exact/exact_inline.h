/* What exact.c and the loops of every level are made of: no branches, so that they vectorise; no
 * libm; no fused multiply-add; polynomials in a fixed order. Polynomials are interpolated at Chebyshev
 * nodes in 60 digits and rounded; the error of each is said beside it. Private to hpo/exact*.c. */
#ifndef TY_HPO_EXACT_EXACT_INLINE_H
#define TY_HPO_EXACT_EXACT_INLINE_H

#include <stdint.h>
#include <string.h>

static inline double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The answer to a comparison: all bits or none. Made as a double, because SSE2 compares doubles but no
 * 64-bit integers. */
typedef uint64_t mask;

static inline mask all_bits_if(int holds) {
    return bits_of(holds ? of_bits(UINT64_MAX) : 0.0);
}

/* which ? a : b, in bits: given a branch, the compiler would compute what follows once for each
 * side. */
static inline double choose(mask which, double a, double b) {
    return of_bits((bits_of(a) & which) | (bits_of(b) & ~which));
}

static inline double absolute(double x) {
    return of_bits(bits_of(x) & INT64_MAX);
}

static inline double infinity(void) {
    return of_bits(UINT64_C(0x7ff0000000000000));
}

static inline double not_a_number(void) {
    return of_bits(UINT64_C(0x7ff8000000000000));
}

/* y, or the one NaN where x is NaN: hardware keeps payloads, and which one it keeps is the
 * compiler's choice. */
static inline double unless_nan(double x, double y) {
    return choose(all_bits_if(x != x), not_a_number(), y);
}

/* 2^(n / 2 rounded down) and 2 to the rest: n itself may lie outside double's exponents. */
typedef struct two_powers {
    double a, b;
} two_powers;

static inline two_powers powers_of_two(int64_t n) {
    /* Logical shifts vectorise everywhere, arithmetic ones don't. */
    const uint64_t shifted = (uint64_t)(n + 4096), half = shifted >> 1;
    return (two_powers){of_bits((half - 2048 + 1023) << 52),
                        of_bits((shifted - half - 2048 + 1023) << 52)};
}

/* e^(x + low) = 2^n (1 + r + tail), |r| <= ln 2 / 2, for x in [-746, 710], |low| <= 0.1: x = n ln 2
 * + r with ln 2 in two parts (Cody & Waite 1980); tail = r^2 / 2 + r^3 q(r) and what r was rounded
 * by; r^2 q is off by at most 2.1e-18. */
typedef struct exp_parts {
    int64_t n;
    double r, tail;
} exp_parts;

static inline exp_parts exp_parts_of(double x, double low) {
    const double magic = 0x1.8p52; /* adding it leaves an integer in the low bits */
    const double shifted = (x + low) * 0x1.71547652b82fep+0 + magic;
    const double whole = shifted - magic;
    /* The first part of ln 2 is so short that its product with n is exact, and so is the
     * difference. */
    const double high = x - whole * 0x1.62e42fefa38p-1;
    const double rest = low - whole * 0x1.ef35793c7673p-45;
    const double r = high + rest, z = r * r, z2 = z * z;
    /* In pairs and pairs of pairs (Estrin 1960): a chain of ten makes a processor wait. */
    const double q0 = 0x1.5555555555556p-3 + 0x1.5555555555555p-5 * r;
    const double q1 = 0x1.11111111109b3p-7 + 0x1.6c16c16c167e1p-10 * r;
    const double q2 = 0x1.a01a01a7c41d5p-13 + 0x1.a01a01a47b054p-16 * r;
    const double q3 = 0x1.71de0dae63bb3p-19 + 0x1.27e4e1f48534fp-22 * r;
    const double q4 = 0x1.af38a9b0ec855p-26 + 0x1.1f66df7fca49fp-29 * r;
    const double q = (q0 + z * q1) + z2 * ((q2 + z * q3) + z2 * q4);
    const double tail = ((high - r) + rest) + (0.5 * z + z * r * q);
    return (exp_parts){(int64_t)(bits_of(shifted) - bits_of(magic)), r, tail};
}

static inline double clamped(double x, double least, double most) {
    x = choose(all_bits_if(x < least), least, x);
    return choose(all_bits_if(x > most), most, x);
}

static inline double exp_of_sum(double x, double low) {
    const exp_parts e = exp_parts_of(clamped(x, -746, 710), low);
    const two_powers scale = powers_of_two(e.n);
    return unless_nan(x, (1 + (e.r + e.tail)) * scale.a * scale.b);
}

static inline double exp_of(double x) {
    return exp_of_sum(x, 0);
}

/* From -38 down it is -1; up to there and from 710 on (1 - 2^-n) + (e^r - 1) loses nothing. */
static inline double expm1_of(double x) {
    const exp_parts e = exp_parts_of(clamped(x, -40, 710), 0);
    const two_powers scale = powers_of_two(e.n), inverse = powers_of_two(-e.n);
    const double one_less = 1 - inverse.a * inverse.b;
    const double high = e.r + e.tail, low = (e.r - high) + e.tail;
    const double y = ((one_less + high) + low) * scale.a * scale.b;
    return unless_nan(x, choose(all_bits_if(x == 0), x, y)); /* -0 stays */
}

/* log(1 + f) - f for 1 + f in [sqrt(1/2), sqrt(2)), times -1 (Tang 1990): with s = f / (2 + f),
 * log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R), R = s^2 P(s^2) off by at most 9.4e-18. */
static inline double log_deficit(double f) {
    const double s = f / (2 + f), half = 0.5 * f * f, z = s * s, z2 = z * z;
    const double p0 = 0x1.5555555555558p-1 + 0x1.99999999952ccp-2 * z;
    const double p1 = 0x1.2492492df3ba9p-2 + 0x1.c71c62e26208bp-3 * z;
    const double p2 = 0x1.7462b58e46ebep-3 + 0x1.39fe42e9740a7p-3 * z;
    const double p = (p0 + z2 * p1) + z2 * z2 * (p2 + z2 * 0x1.2b59b713616c9p-3);
    return half - s * (half + z * p);
}

/* x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), for normal x > 0. */
typedef struct log_parts {
    double e, f;
} log_parts;

static inline log_parts log_parts_of(double x) {
    /* Moves sqrt(1/2) to 1, where the exponent field counts from. */
    const uint64_t bits = bits_of(x), field = (bits + UINT64_C(0x00095f619980c433)) >> 52;
    const double e = of_bits(field | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
    return (log_parts){e, of_bits(bits - ((field - 1023) << 52)) - 1};
}

/* log(2^e (1 + f)) + tail. */
static inline double log_joined(double e, double f, double tail) {
    const double low = e * 0x1.ef35793c7673p-45 + tail;
    return e * 0x1.62e42fefa38p-1 - ((log_deficit(f) - low) - f);
}

/* y for x > 0, -infinity at 0, infinity there, NaN below and for NaN. */
static inline double log_edges(double x, double y) {
    y = choose(all_bits_if(x > 0), y, -infinity());
    y = choose(all_bits_if(x < infinity()), y, infinity());
    return choose(all_bits_if(x >= 0), y, not_a_number());
}

static inline double log_of(double x) {
    const mask is_small = all_bits_if(x < 0x1p-1022);
    const log_parts l = log_parts_of(choose(is_small, x * 0x1p54, x));
    return log_edges(x, log_joined(choose(is_small, l.e - 54, l.e), l.f, 0));
}

/* log(u + low), |low| <= ulp(u) / 2, for normal u > 0; near 1, where the logarithm is, without loss
 * if `near` is u + low - 1. */
static inline double log_of_sum(double u, double low, double near) {
    const log_parts l = log_parts_of(u);
    const mask is_near = all_bits_if(l.e == 0);
    return log_joined(l.e, choose(is_near, near, l.f), choose(is_near, 0, low / u));
}

static inline double log1p_of(double x) {
    const double u = 1 + x, part = u - 1;
    const double y = log_of_sum(u, (1 - (u - part)) + (x - part), x);
    return choose(all_bits_if(x == 0), x, log_edges(u, y)); /* -0 stays */
}

#endif
