/* The error function's family and the normal law. */
#include "hpo/exact/exact.h"

#include "hpo/exact/exact_normal_inline.h"

double ty_exact_erf(double x) {
    return erf_of(x);
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

double ty_exact_ndtri(double p) {
    return ndtri_of(p);
}
