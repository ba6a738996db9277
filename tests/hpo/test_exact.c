/* hpo/exact/exact.h: what the functions are at their edges, and the same bits at every instruction-set
 * level. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "hpo/exact/exact.h"

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void expect_bits(const char *what, double got, double want) {
    if (bits_of(got) != bits_of(want))
        fail_msg("%s is %a, want %a", what, got, want);
}

#define EXPECT_BITS(call, want) expect_bits(#call, call, want)

static void edges_are_what_the_header_says(void **state) {
    (void)state;
    EXPECT_BITS(ty_exact_exp(0), 1);
    EXPECT_BITS(ty_exact_exp(-INFINITY), 0);
    EXPECT_BITS(ty_exact_exp(INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_exp(709.8), INFINITY);
    EXPECT_BITS(ty_exact_exp(-745.2), 0);
    EXPECT_BITS(ty_exact_exp(-745), 0x1p-1074);
    EXPECT_BITS(ty_exact_exp(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_expm1(-0.0), -0.0);
    EXPECT_BITS(ty_exact_expm1(0x1p-1074), 0x1p-1074);
    EXPECT_BITS(ty_exact_expm1(-INFINITY), -1);
    EXPECT_BITS(ty_exact_expm1(INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_expm1(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_log(0), -INFINITY);
    EXPECT_BITS(ty_exact_log(-0.0), -INFINITY);
    EXPECT_BITS(ty_exact_log(1), 0);
    EXPECT_BITS(ty_exact_log(INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_log(-1), (double)NAN);
    EXPECT_BITS(ty_exact_log(-INFINITY), (double)NAN);
    EXPECT_BITS(ty_exact_log(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_log1p(-0.0), -0.0);
    EXPECT_BITS(ty_exact_log1p(0x1p-1074), 0x1p-1074);
    EXPECT_BITS(ty_exact_log1p(-1), -INFINITY);
    EXPECT_BITS(ty_exact_log1p(-1.5), (double)NAN);
    EXPECT_BITS(ty_exact_log1p(INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_log1p(-NAN), (double)NAN);
}

static void edges_of_the_normal_law_are_what_the_header_says(void **state) {
    (void)state;
    EXPECT_BITS(ty_exact_erf(-0.0), -0.0);
    EXPECT_BITS(ty_exact_erf(-INFINITY), -1);
    EXPECT_BITS(ty_exact_erf(INFINITY), 1);
    EXPECT_BITS(ty_exact_erf(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_erfc(0), 1);
    EXPECT_BITS(ty_exact_erfc(-INFINITY), 2);
    EXPECT_BITS(ty_exact_erfc(27.3), 0);
    EXPECT_BITS(ty_exact_erfc(INFINITY), 0);
    EXPECT_BITS(ty_exact_erfc(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_erfcx(-26.7), INFINITY);
    EXPECT_BITS(ty_exact_erfcx(-INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_erfcx(INFINITY), 0);
    EXPECT_BITS(ty_exact_erfcx(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_ndtr(-INFINITY), 0);
    EXPECT_BITS(ty_exact_ndtr(-38.6), 0);
    EXPECT_BITS(ty_exact_ndtr(0), 0.5);
    EXPECT_BITS(ty_exact_ndtr(INFINITY), 1);
    EXPECT_BITS(ty_exact_ndtr(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_log_ndtr(-INFINITY), -INFINITY);
    EXPECT_BITS(ty_exact_log_ndtr(-1e200), -INFINITY);
    EXPECT_BITS(ty_exact_log_ndtr(INFINITY), 0);
    EXPECT_BITS(ty_exact_log_ndtr(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_ndtri(0), -INFINITY);
    EXPECT_BITS(ty_exact_ndtri(-0.0), -INFINITY);
    EXPECT_BITS(ty_exact_ndtri(0.5), 0);
    EXPECT_BITS(ty_exact_ndtri(1), INFINITY);
    EXPECT_BITS(ty_exact_ndtri(-0x1p-1074), (double)NAN);
    EXPECT_BITS(ty_exact_ndtri(1.1), (double)NAN);
    EXPECT_BITS(ty_exact_ndtri(-NAN), (double)NAN);
}

static void edges_of_powers_are_what_c_has_but_for_nan(void **state) {
    (void)state;
    static const double numbers[] = {0.0,      -0.0,     1,         -1,        0.5,   -0.5,
                                     2,        -2,       3,         -3,        1e300, -1e300,
                                     INFINITY, 0x1p53,   -0x1p53,   0x1p-1074, 1e-5,  -1.5,
                                     0x1p-60,  -0x1p-60, -INFINITY, 1 + 1e-15};
    const size_t n = sizeof numbers / sizeof numbers[0];
    int n_edges = 0;
    for (size_t i = 0; i < n * n; i++) {
        const double x = numbers[i / n], y = numbers[i % n], want = pow(x, y);
        if (want == 0 || isinf(want) || want == 1 || want == -1) {
            expect_bits("pow", ty_exact_pow(x, y), want);
            n_edges++;
        } else if (isnan(want)) {
            expect_bits("pow", ty_exact_pow(x, y), (double)NAN);
        }
    }
    assert_true(n_edges > 200);
    EXPECT_BITS(ty_exact_pow(-NAN, 0), 1);
    EXPECT_BITS(ty_exact_pow(1, -NAN), 1);
    EXPECT_BITS(ty_exact_pow(-NAN, 1), (double)NAN);
    EXPECT_BITS(ty_exact_pow(2, -NAN), (double)NAN);
}

static void whole_powers_are_right_to_the_last_bit(void **state) {
    (void)state;
    for (int base = -99; base <= 99; base++) {
        double want = 1;
        for (int n = 0; fabs(want) <= 0x1p53 && n <= 53; n++, want *= base)
            expect_bits("pow", ty_exact_pow(base, n), want);
    }
    for (int n = -1074; n <= 1023; n++)
        expect_bits("pow", ty_exact_pow(2, n), ldexp(1, n));
}

static void edges_of_gamma_and_beta_are_what_the_header_says(void **state) {
    (void)state;
    EXPECT_BITS(ty_exact_lgamma(0), INFINITY);
    EXPECT_BITS(ty_exact_lgamma(1), 0);
    EXPECT_BITS(ty_exact_lgamma(2), 0);
    EXPECT_BITS(ty_exact_lgamma(-1), (double)NAN);
    EXPECT_BITS(ty_exact_lgamma(3e305), INFINITY);
    EXPECT_BITS(ty_exact_lgamma(INFINITY), INFINITY);
    EXPECT_BITS(ty_exact_lgamma(-NAN), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(2, 3, 0), 0);
    EXPECT_BITS(ty_exact_betainc(2, 3, 1), 1);
    EXPECT_BITS(ty_exact_betainc(2, 3, -0.1), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(2, 3, 1.1), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(0, 3, 0.5), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(2, 2e8, 0.5), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(-NAN, 3, 0.5), (double)NAN);
    EXPECT_BITS(ty_exact_betainc(2, 3, -NAN), (double)NAN);
    EXPECT_BITS(ty_exact_betainc_inv(2, 3, 0), 0);
    EXPECT_BITS(ty_exact_betainc_inv(2, 3, 1), 1);
    EXPECT_BITS(ty_exact_betainc_inv(2, 3, 1.5), (double)NAN);
    EXPECT_BITS(ty_exact_betainc_inv(2, 0, 0.5), (double)NAN);
    EXPECT_BITS(ty_exact_betainc_inv(2, 3, -NAN), (double)NAN);
}

static void edges_of_intervals_are_what_the_header_says(void **state) {
    (void)state;
    EXPECT_BITS(ty_exact_log_ndtr_diff(-INFINITY, INFINITY), 0);
    EXPECT_BITS(ty_exact_log_ndtr_diff(INFINITY, INFINITY), -INFINITY);
    EXPECT_BITS(ty_exact_log_ndtr_diff(-INFINITY, -INFINITY), -INFINITY);
    EXPECT_BITS(ty_exact_log_ndtr_diff(1.5, 1.5), -INFINITY);
    EXPECT_BITS(ty_exact_log_ndtr_diff(1.5, 1.25), (double)NAN);
    EXPECT_BITS(ty_exact_log_ndtr_diff(INFINITY, -INFINITY), (double)NAN);
    EXPECT_BITS(ty_exact_log_ndtr_diff(-NAN, 1), (double)NAN);
    EXPECT_BITS(ty_exact_log_ndtr_diff(1, -NAN), (double)NAN);
    EXPECT_BITS(ty_exact_log_ndtr_diff(1e160, INFINITY), -INFINITY);
    /* Next to nothing: the least interval there is, around the middle. */
    const double least = ty_exact_log_ndtr_diff(0, 0x1p-1074);
    assert_true(fabs(least - (-1074 * log(2) - 0.5 * log(2 * acos(-1)))) < 1e-12);
}

enum { N_ANY = 100003 };

/* Any bits at all: every exponent, infinities, NaNs; in every other place a number of ordinary
 * size. */
static double *any_numbers(void) {
    double *x = malloc(N_ANY * sizeof *x);
    assert_non_null(x);
    const ty_rng_key key = ty_rng_key_of(1, TY_STREAM_SYNTHETIC);
    for (uint64_t i = 0; i < N_ANY; i++) {
        const ty_rng_block block = ty_rng_draw(key, 0, i);
        uint64_t bits = block.v[0] | (uint64_t)block.v[1] << 32;
        if (i % 2)
            bits = (bits & UINT64_C(0x800fffffffffffff)) | (uint64_t)(1016 + block.v[2] % 18) << 52;
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

typedef void unary_loop(double *to, const double *x, int64_t n);
typedef double unary(double x);

static void expect_same(unary_loop *loop, unary *f, const double *x, double *to, int level) {
    loop(to, x, N_ANY);
    for (int i = 0; i < N_ANY; i++)
        if (bits_of(to[i]) != bits_of(f(x[i])))
            fail_msg("level %d of %a is %a, want %a", level, x[i], to[i], f(x[i]));
}

/* Neighbours as ends, and each number with itself and with what is near it. */
static void expect_same_diff(const ty_exact_loops *t, double *x, double *to, int level) {
    for (int i = 0; i + 1 < N_ANY; i += 16)
        x[i + 1] = i % 32 ? x[i] : x[i] + 0.01 * fabs(x[i]);
    t->log_ndtr_diff(to, x, x + 1, N_ANY - 1);
    for (int i = 0; i + 1 < N_ANY; i++) {
        const double want = ty_exact_log_ndtr_diff(x[i], x[i + 1]);
        if (bits_of(to[i]) != bits_of(want))
            fail_msg("level %d of (%a, %a) is %a, want %a", level, x[i], x[i + 1], to[i], want);
    }
}

/* Where a quantile has one, and everywhere. */
static void expect_same_quantiles(const ty_exact_loops *t, double *x, double *to, int level) {
    expect_same(t->ndtri, ty_exact_ndtri, x, to, level);
    for (int i = 0; i < N_ANY; i++)
        x[i] = (i + 0.5) / N_ANY * pow(2, -(i % 64));
    expect_same(t->ndtri, ty_exact_ndtri, x, to, level);
    for (int i = 0; i < N_ANY; i++)
        x[i] = 1 - x[i];
    expect_same(t->ndtri, ty_exact_ndtri, x, to, level);
}

static void arrays_have_the_same_bits_at_every_level(void **state) {
    (void)state;
    double *x = any_numbers(), *to = malloc(N_ANY * sizeof *to);
    assert_non_null(to);
    for (int level = 0; level < TY_EXACT_N_LEVELS; level++) {
        const ty_exact_loops *t = ty_exact_loops_at(level);
        if (!t) {
            print_message("this CPU lacks level %d\n", level);
            continue;
        }
        expect_same(t->exp, ty_exact_exp, x, to, level);
        expect_same(t->log, ty_exact_log, x, to, level);
        expect_same(t->log_ndtr, ty_exact_log_ndtr, x, to, level);
        expect_same_diff(t, x, to, level);
        double *p = any_numbers();
        expect_same_quantiles(t, p, to, level);
        free(p);
    }
    free(x);
    free(to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_what_the_header_says),
        cmocka_unit_test(edges_of_the_normal_law_are_what_the_header_says),
        cmocka_unit_test(edges_of_powers_are_what_c_has_but_for_nan),
        cmocka_unit_test(whole_powers_are_right_to_the_last_bit),
        cmocka_unit_test(edges_of_gamma_and_beta_are_what_the_header_says),
        cmocka_unit_test(edges_of_intervals_are_what_the_header_says),
        cmocka_unit_test(arrays_have_the_same_bits_at_every_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
