/* The incomplete beta function: the distribution of Beta(a, b), and with it those of Student, Fisher
 * and the binomial law. */
#include "hpo/exact/exact.h"

#include <stdbool.h>

#include "hpo/exact/exact_gamma.h"
#include "hpo/exact/exact_wide.h"

static wide wide_log(wide x) {
    return wide_add(ty_exact_wide_log(x.high), (wide){x.low / x.high, 0});
}

static wide scaled(wide x, double by) {
    return wide_times(x, (wide){by, 0});
}

/* log Gamma(v.high + v.low), wide where it is large (then without log(2 pi) / 2, which *halves
 * counts). */
static wide log_gamma(wide v, int *halves) {
    if (v.high < TY_EXACT_STIRLING_FROM)
        return (wide){ty_exact_lgamma(v.high), 0};
    *halves += 1;
    const wide below = wide_add(v, (wide){-0.5, 0});
    const wide main = wide_add(wide_times(below, wide_log(v)), wide_negative(v));
    return wide_add(main, (wide){ty_exact_stirling_rest(v.high), 0});
}

/* x and 1 - x, both to the last digit: powers of thousands magnify a rounding. */
typedef struct point {
    wide x, y;
} point;

static point point_at(double x) {
    return (point){{x, 0}, wide_sum(1, -x)};
}

/* x^a y^b / B(a, b). Its logarithm is a small difference of large terms, so they are wide. */
static double power_term(double a, double b, point at) {
    int plus = 0, minus = 0;
    wide sum = wide_add(scaled(wide_log(at.x), a), scaled(wide_log(at.y), b));
    sum = wide_add(sum, log_gamma(wide_sum(a, b), &plus));
    sum = wide_add(sum, wide_negative(log_gamma((wide){a, 0}, &minus)));
    sum = wide_add(sum, wide_negative(log_gamma((wide){b, 0}, &minus)));
    return ty_exact_wide_exp(wide_add(sum, (wide){(plus - minus) * HALF_LOG_2_PI, 0}));
}

/* beta0 + alpha1 / (beta1 + alpha2 / ...) of Didonato & Morris (1992, Algorithm 708), whose terms are
 * positive up to m = b where x is below the mean, so that nothing cancels. By the method of Lentz
 * (1976). */
static double fraction(double a, double b, point at) {
    const double epsilon = 0x1p-54, x = at.x.high;
    /* a y - b x: how far below the mean x is. */
    const double distance = wide_add(scaled(at.y, a), wide_negative(scaled(at.x, b))).high;
    enum { N_MOST = 100000 };
    double value = a * (distance + 1) / (a + 1), up = value, down = 0;
    for (int k = 1; k < N_MOST; k++) {
        const double m = k, odd = a + 2 * m - 1;
        const double alpha = (a + m - 1) / odd * ((a + b + m - 1) / odd) * (m * x) * ((b - m) * x);
        const double beta =
            m + m * (b - m) * x / odd + (a + m) * (distance + 1 + m * (2 - x)) / (a + 2 * m + 1);
        down = 1 / (beta + alpha * down);
        up = beta + alpha / up;
        value *= up * down;
        if (absolute(up * down - 1) <= epsilon)
            break;
    }
    return value;
}

/* I_x(a, b) with x on the side of the mean where the fraction converges fast. */
static double lower_side(double a, double b, point at) {
    return power_term(a, b, at) / fraction(a, b, at);
}

static bool is_shape(double a) {
    return a > 0 && a <= 1e8;
}

/* Next to 1 the fraction would take too long, so that there what is below the mean, too, is told by
 * what is above it. */
static double incomplete(double a, double b, point at) {
    const double x = at.x.high;
    if (x <= (a + 1) / (a + b + 2) || (x <= a / (a + b) && at.y.high > 1e-5))
        return lower_side(a, b, at);
    return 1 - lower_side(b, a, (point){at.y, at.x});
}

double ty_exact_betainc(double a, double b, double x) {
    if (!is_shape(a) || !is_shape(b) || !(x >= 0 && x <= 1))
        return not_a_number();
    return x == 0 || x == 1 ? x : incomplete(a, b, point_at(x));
}

/* The point whose nearer end is t away: from 0, or (is_right) from 1. */
static point point_from_end(double t, bool is_right) {
    const point at = point_at(t);
    return is_right ? (point){at.y, at.x} : at;
}

typedef struct bracket {
    double low, high;
} bracket;

/* The number in the middle of all doubles between the ends: never more than 63 of them. */
static double halfway(bracket k) {
    return of_bits(bits_of(k.low) + (bits_of(k.high) - bits_of(k.low)) / 2);
}

/* One step of Newton's from t for log I as a function of log t, which is nearly straight in a tail. */
static double newton(double a, double b, double p, double t, bool is_right, double value) {
    const double slope = power_term(a, b, point_from_end(t, is_right)) / (1 - t); /* t dI / dt */
    const double step = log1p_of((p - value) / value) * value / slope;
    return t * exp_of(is_right ? -step : step);
}

/* The t of the point with I = p, 0 < p < 1. Newton's steps where they stay in the bracket; every eighth
 * one halves it, so that the end comes whatever the others do. */
static double solve(double a, double b, double p, bool is_right) {
    enum { N_MOST = 8 * 64 };
    bracket k = {0, 0.5};
    double t = clamped((is_right ? b : a) / (a + b), 0x1p-1022, 0.5);
    for (int i = 1; i < N_MOST && bits_of(k.high) - bits_of(k.low) > 1; i++) {
        const double value = incomplete(a, b, point_from_end(t, is_right));
        if ((value < p) != is_right)
            k.low = t;
        else
            k.high = t;
        const double next = newton(a, b, p, t, is_right, value);
        if (absolute(next - t) <= 0x1p-49 * t) /* the next step is the square of this one */
            return next;
        t = i % 8 && next > k.low && next < k.high ? next : halfway(k);
    }
    return k.high;
}

double ty_exact_betainc_inv(double a, double b, double p) {
    if (!is_shape(a) || !is_shape(b) || !(p >= 0 && p <= 1))
        return not_a_number();
    if (p == 0 || p == 1)
        return p;
    const bool is_right = ty_exact_betainc(a, b, 0.5) < p;
    const double t = solve(a, b, p, is_right);
    return is_right ? 1 - t : t;
}
