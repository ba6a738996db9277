/* The normal law for exact_normal.c and the loops: everything from Mills' ratio, so that tails keep
 * their digits. Private to hpo/exact*.c. */
#ifndef TY_HPO_EXACT_EXACT_NORMAL_INLINE_H
#define TY_HPO_EXACT_EXACT_NORMAL_INLINE_H

#include <math.h>

#include "hpo/exact/exact_inline.h"

#define LOG_ROOT_2_PI 0x1.d67f1c864beb5p-1
#define INVERSE_ROOT_2_PI 0x1.9884533d43651p-2
#define ROOT_2 0x1.6a09e667f3bcdp+0
#define ROOT_2_BY_PI 0x1.9884533d43651p-1
#define ROOT_2_PI 0x1.40d931ff62706p+1
#define INVERSE_ROOT_PI 0x1.20dd750429b6dp-1

/* Q(x) / phi(x), the upper tail over the density, for x >= 0 (0 at infinity), within 1e-15:
 * (x + 4) G(x) is smooth in t = (x - 4) / (x + 4), which takes [0, infinity] to [-1, 1] (the idea of
 * Shepherd & Laframboise 1981); polynomial of degree 24, off by at most 1.4e-17. */
static inline double mills_of(double x) {
    const double w = 1 / (x + 4), t = 1 - 8 * w, t2 = t * t, t4 = t2 * t2, t8 = t4 * t4;
    const double p0 = (0x1.e4aa012912ddep+0 - 0x1.8615d9b49165fp+0 * t) +
                      t2 * (0x1.f0d9856bc3b1p-1 - 0x1.dec30ee679054p-2 * t);
    const double p1 = (0x1.360ce26020419p-3 - 0x1.35aa3c952a44cp-6 * t) +
                      t2 * (-0x1.1dcfea7978eabp-7 + 0x1.0be6d67626502p-8 * t);
    const double p2 = (0x1.5e7b1b211cd4cp-12 - 0x1.2fb435c097a94p-11 * t) +
                      t2 * (-0x1.40ffdab014dc6p-18 + 0x1.71801234b62e4p-14 * t);
    const double p3 = (0x1.e237785e90992p-20 - 0x1.f20ec8ce0ecf6p-17 * t) +
                      t2 * (-0x1.a7cc0323f20c4p-20 + 0x1.58c5c2ab3ae68p-19 * t);
    const double p4 = (0x1.6ea9c5cbe15c1p-21 - 0x1.ae06eeda28ac4p-22 * t) +
                      t2 * (-0x1.d398e72f00fffp-23 + 0x1.803ba179e4c38p-25 * t);
    const double p5 = (0x1.cd5fd224e8805p-25 - 0x1.94b3e4fc98a2bp-30 * t) +
                      t2 * (-0x1.414f42abde6e4p-27 - 0x1.4aaaba2ef263cp-32 * t);
    const double low = (p0 + t4 * p1) + t8 * (p2 + t4 * p3);
    return (low + t8 * t8 * ((p4 + t4 * p5) + t8 * 0x1.d4fce22b76cf8p-31)) * w;
}

/* -x^2 as high + low, high exact: e^ would magnify the rounding of a square. */
typedef struct minus_square {
    double high, low;
} minus_square;

static inline minus_square minus_square_of(double x) {
    const double head = of_bits(bits_of(x) & ~UINT64_C(0x7ffffff));
    return (minus_square){-head * head, -(x - head) * (x + head)};
}

/* e^(-x^2 / 2) for x in [0, 40], where it is 0. */
static inline double bell_of(double x) {
    const minus_square s = minus_square_of(x);
    return exp_of_sum(0.5 * s.high, 0.5 * s.low);
}

/* Q(x) for x >= 0. */
static inline double upper_tail_of(double x) {
    const double near = choose(all_bits_if(x > 40), 40, x);
    return bell_of(near) * (mills_of(near) * INVERSE_ROOT_2_PI);
}

/* Below 0 log phi + log G, above it log(1 - Q). */
static inline double log_ndtr_of(double x) {
    const mask is_left = all_bits_if(x < 0);
    const double a = absolute(x), q = upper_tail_of(a), rest = 1 - q;
    const double g = mills_of(choose(all_bits_if(a > 0x1p1000), 0x1p1000, a)); /* never 0 */
    const double log = log_of_sum(choose(is_left, g, rest), choose(is_left, 0, (1 - rest) - q),
                                  choose(is_left, g - 1, -q));
    return unless_nan(x, choose(is_left, (log - LOG_ROOT_2_PI) - 0.5 * a * a, log));
}

/* The mean of phi over [m - h, m + h] divided by phi(m), for h <= 1/8 and |m h| <= 1/8, within 3e-16:
 * phi(m + s) / phi(m) = sum of He_k(m) (-s)^k / k!, of which the even ones stay; their terms by the
 * recurrence of Hermite's polynomials, He_(k+1) = m He_k - k He_(k-1). */
static inline double mean_of_density(double m, double h) {
    static const double inverse[] = {0,        1,        1 / 2.0,  1 / 3.0, 1 / 4.0,
                                     1 / 5.0,  1 / 6.0,  1 / 7.0,  1 / 8.0, 1 / 9.0,
                                     1 / 10.0, 1 / 11.0, 1 / 12.0, 1 / 13.0};
    const double mh = m * h, hh = h * h;
    double before = 1, term = mh, sum = 0;
    for (int k = 1; k < 12; k += 2) {
        before = (mh * term - hh * before) * inverse[k + 1];
        sum += before * inverse[k + 2];
        term = (mh * before - hh * term) * inverse[k + 2];
    }
    return 1 + sum;
}

/* What an interval [a, b] is turned into: b the end nearer to 0, a <= -|b|. */
typedef struct interval {
    double a, b;
} interval;

static inline interval turned(double a, double b) {
    const mask turns = all_bits_if(a + b > 0);
    return (interval){choose(turns, -b, a), choose(turns, -a, b)};
}

/* G(x) - e^-u G(y) for 0 <= x <= y, u = (y^2 - x^2) / 2: two terms that are not negative. */
static inline double mills_difference(double x, double y, double u) {
    const double g = mills_of(y);
    return (mills_of(x) - g) - expm1_of(-u) * g;
}

/* log(Phi(b) - Phi(a)), three ways that each keep their digits:
 *   narrow (b - a <= 1/4 and not far out for that): the density in the middle times a mean;
 *   one side of 0: log phi(b) + log of the difference of Mills' ratios;
 *   both sides: log(1 - Q - Q). */
static inline double log_ndtr_diff_of(double a, double b) {
    const interval i = turned(a, b);
    const double x = absolute(i.b), y = -i.a, width = i.b - i.a;
    const double middle = 0.5 * i.a + 0.5 * i.b, u = -middle * width;
    const mask is_narrow = all_bits_if(width <= 0.25) & all_bits_if(u <= 0.25);
    const mask is_both = all_bits_if(i.b > 0) & ~is_narrow;
    const double tails = upper_tail_of(x) + upper_tail_of(y), rest = 1 - tails;

    const mask is_tiny = all_bits_if(width < 0x1p-1000);
    const double scaled = choose(is_tiny, width * 0x1p60, width);
    const double part =
        choose(is_narrow, scaled * mean_of_density(middle, 0.5 * width), mills_difference(x, y, u));
    const double log =
        log_of_sum(choose(is_both, rest, part), choose(is_both, (1 - rest) - tails, 0),
                   choose(is_both, -tails, part - 1));
    const double at = choose(is_narrow, middle, x);
    const double shifted = (log - choose(is_tiny, 0x1.4cb5ecf0a965p+5, 0)) - LOG_ROOT_2_PI;
    const double value = choose(is_both, log, shifted - 0.5 * at * at);
    return choose(all_bits_if(a < b), value,
                  choose(all_bits_if(a == b), -infinity(), not_a_number()));
}

/* erf(x) for |x| <= 0.5: x P(x^2), off by at most 1.6e-17. */
static inline double erf_near_zero(double x) {
    const double z = x * x, z2 = z * z, z4 = z2 * z2;
    const double p0 = 0x1.20dd750429b6dp+0 - 0x1.812746b0379e5p-2 * z;
    const double p1 = 0x1.ce2f21a0428d7p-4 - 0x1.b82ce31268353p-6 * z;
    const double p2 = 0x1.565bcd036459ap-8 - 0x1.c02dafb3aa499p-11 * z;
    const double p3 = 0x1.f9a22149c2896p-14 - 0x1.f4abc1576eb2fp-17 * z;
    const double p4 = 0x1.b6716a70effa9p-20 - 0x1.3301c7784edf7p-23 * z;
    return x * ((p0 + z2 * p1) + z4 * ((p2 + z2 * p3) + z4 * p4));
}

/* e^(x^2) erfc(x) for x >= 0; far out, where x sqrt(2) would overflow, it is 1 / (x sqrt(pi)). */
static inline double erfcx_right(double x) {
    const double far = INVERSE_ROOT_PI / x, near = mills_of(x * ROOT_2) * ROOT_2_BY_PI;
    return choose(all_bits_if(x > 0x1p1000), far, near);
}

/* erfc(x) for x >= 0; 0 from 27.3 on. */
static inline double erfc_right(double x) {
    const minus_square s = minus_square_of(choose(all_bits_if(x > 28), 28, x));
    return exp_of_sum(s.high, s.low) * erfcx_right(x);
}

static inline double erf_of(double x) {
    const double a = absolute(x), rest = erfc_right(a);
    const double y = unless_nan(x, choose(all_bits_if(x < 0), rest - 1, 1 - rest));
    return choose(all_bits_if(a <= 0.5), erf_near_zero(x), y);
}

/* Around the median, |q| <= 0.425: x = q R(q^2), R of degree (5, 5) interpolated (4.6e-11), then one
 * step of Newton's for erf(x / sqrt 2) / 2 = q. */
static inline double quantile_near_median(double q) {
    const double z = q * q;
    double p = -0x1.7c054dede9d5ap+3;
    p = p * z + 0x1.97a5c0c16a7cfp+6;
    p = p * z - 0x1.4db8babb3e117p+7;
    p = p * z + 0x1.9a246c6080f66p+6;
    p = p * z - 0x1.ac1e603004f38p+4;
    p = p * z + 0x1.40d931ff62845p+1;
    double r = -0x1.3f9021753a704p+4;
    r = r * z + 0x1.47176f4a1916ap+6;
    r = r * z - 0x1.8c69b249953f9p+6;
    r = r * z + 0x1.970615f31ef8fp+5;
    r = r * z - 0x1.77197e8587798p+3;
    r = r * z + 1;
    const double x = q * p / r;
    const double off = 0.5 * erf_of(x * (0.5 * ROOT_2)) - q;
    return x - off * ROOT_2_PI / bell_of(absolute(x));
}

/* The x >= 0 with Q(x) = tail, for 0 < tail <= 0.075: rational in sqrt(-log tail), which all of
 * double's range takes to [1.6, 27.3] (Wichura 1988, AS 241; degree (7, 7), 2.3e-9), then one step of
 * Newton's for log Q(x) = log tail. */
static inline double quantile_of_tail(double tail) {
    const double log_tail = log_of(tail), r = sqrt(-log_tail);
    double p = 0x1.4cb1ee8c74f9ap-13;
    p = p * r + 0x1.14082167a26a6p-6;
    p = p * r + 0x1.e3affaa6cea85p-2;
    p = p * r + 0x1.180813d24a6e7p+2;
    p = p * r + 0x1.919fd17d55dddp+3;
    p = p * r + 0x1.0707ad66a17bfp+2;
    p = p * r - 0x1.628acbbf5d123p+3;
    p = p * r - 0x1.94ff3c7a57b7fp+1;
    double q = 0x1.691848d3352f4p-40;
    q = q * r + 0x1.d67fbce5ec47ap-14;
    q = q * r + 0x1.8660839c00e0ap-7;
    q = q * r + 0x1.5669145bf576ap-2;
    q = q * r + 0x1.8ffc124186ec2p+1;
    q = q * r + 0x1.319c18b156699p+3;
    q = q * r + 0x1.e3985495845f1p+2;
    q = q * r + 1;
    const double x = p / q;
    return x + (log_ndtr_of(-x) - log_tail) * mills_of(x);
}

static inline double ndtri_of(double p) {
    const double q = p - 0.5;
    const mask is_left = all_bits_if(q < 0), is_near = all_bits_if(absolute(q) <= 0.425);
    const double tail = quantile_of_tail(choose(is_left, p, 1 - p));
    const double x = choose(is_near, quantile_near_median(q), choose(is_left, -tail, tail));
    const double end = choose(is_left, -infinity(), infinity());
    const double inside = choose(all_bits_if(p == 0) | all_bits_if(p == 1), end, x);
    return choose(all_bits_if(p >= 0) & all_bits_if(p <= 1), inside, not_a_number());
}

#endif
