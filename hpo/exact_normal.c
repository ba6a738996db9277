/* The error function's family and the normal law. */
#include "hpo/exact.h"

#include <math.h>

#include "hpo/exact_normal_inline.h"

#define ROOT_2 0x1.6a09e667f3bcdp+0
#define ROOT_2_BY_PI 0x1.9884533d43651p-1
#define ROOT_2_PI 0x1.40d931ff62706p+1
#define INVERSE_ROOT_PI 0x1.20dd750429b6dp-1

/* erf(x) for |x| <= 0.5: x P(x^2), off by at most 1.6e-17. */
static double erf_near_zero(double x) {
    const double z = x * x, z2 = z * z, z4 = z2 * z2;
    const double p0 = 0x1.20dd750429b6dp+0 - 0x1.812746b0379e5p-2 * z;
    const double p1 = 0x1.ce2f21a0428d7p-4 - 0x1.b82ce31268353p-6 * z;
    const double p2 = 0x1.565bcd036459ap-8 - 0x1.c02dafb3aa499p-11 * z;
    const double p3 = 0x1.f9a22149c2896p-14 - 0x1.f4abc1576eb2fp-17 * z;
    const double p4 = 0x1.b6716a70effa9p-20 - 0x1.3301c7784edf7p-23 * z;
    return x * ((p0 + z2 * p1) + z4 * ((p2 + z2 * p3) + z4 * p4));
}

/* e^(x^2) erfc(x) for x >= 0; far out, where x sqrt(2) would overflow, it is 1 / (x sqrt(pi)). */
static double erfcx_right(double x) {
    return x > 0x1p1000 ? INVERSE_ROOT_PI / x : mills_of(x * ROOT_2) * ROOT_2_BY_PI;
}

/* erfc(x) for x >= 0; 0 from 27.3 on. */
static double erfc_right(double x) {
    const minus_square s = minus_square_of(x > 28 ? 28 : x);
    return exp_of_sum(s.high, s.low) * erfcx_right(x);
}

double ty_exact_erf(double x) {
    const double a = absolute(x);
    if (a <= 0.5)
        return erf_near_zero(x);
    return unless_nan(x, x < 0 ? erfc_right(a) - 1 : 1 - erfc_right(a));
}

double ty_exact_erfc(double x) {
    const double a = absolute(x);
    if (a <= 0.5)
        return 1 - erf_near_zero(x);
    return unless_nan(x, x < 0 ? 2 - erfc_right(a) : erfc_right(a));
}

double ty_exact_erfcx(double x) {
    if (x >= 0)
        return erfcx_right(x);
    const minus_square s = minus_square_of(x < -27 ? -27 : x);
    const double growth = exp_of_sum(-s.high, -s.low); /* infinite at -27 */
    return unless_nan(x, 2 * growth - erfcx_right(-x));
}

double ty_exact_ndtr(double x) {
    const double q = upper_tail_of(absolute(x));
    return unless_nan(x, x < 0 ? q : 1 - q);
}

double ty_exact_log_ndtr(double x) {
    return log_ndtr_of(x);
}

double ty_exact_log_ndtr_diff(double a, double b) {
    return log_ndtr_diff_of(a, b);
}

/* Around the median, |q| <= 0.425: x = q R(q^2), R of degree (5, 5) interpolated (4.6e-11), then one
 * step of Newton's for erf(x / sqrt 2) / 2 = q. */
static double quantile_near_median(double q) {
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
    const double off = 0.5 * ty_exact_erf(x * (0.5 * ROOT_2)) - q;
    return x - off * ROOT_2_PI / bell_of(absolute(x));
}

/* The x >= 0 with Q(x) = tail, for 0 < tail <= 0.075: rational in sqrt(-log tail), which all of
 * double's range takes to [1.6, 27.3] (Wichura 1988, AS 241; degree (7, 7), 2.3e-9), then one step of
 * Newton's for log Q(x) = log tail. */
static double quantile_of_tail(double tail) {
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

double ty_exact_ndtri(double p) {
    if (!(p >= 0 && p <= 1))
        return not_a_number();
    if (p == 0 || p == 1)
        return p == 0 ? -infinity() : infinity();
    const double q = p - 0.5;
    if (absolute(q) <= 0.425)
        return quantile_near_median(q);
    return q < 0 ? -quantile_of_tail(p) : quantile_of_tail(1 - p);
}
