/* How far the loops' own functions are from the truth, in units of the last place of the true
 * value, over the whole range of float. The bounds are those that the comments of loops_math.h and
 * base/maths.h promise. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/maths.h"
#include "kernels/cpu.h"
#include "kernels/loops.h"

enum { N_AT_ONCE = 4096 };

/* The distance in ulps of `want`; below FLT_MIN in ulps of FLT_MIN. */
static double ulps(float got, double want) {
    if ((double)got == want || (isinf(got) && fabs(want) > (double)FLT_MAX))
        return 0;
    int exponent;
    (void)frexp(fmax(fabs(want), (double)FLT_MIN), &exponent);
    return fabs((double)got - want) / ldexp(1, exponent - FLT_MANT_DIG);
}

typedef double truth(double x);

typedef struct worst {
    double ulps;
    float at;
} worst;

/* Over `from`, `from` * ratio, ... up to `to`, both signs where asked. */
static worst worst_of(ty_activation_loop *loop, truth *f, float from, float to, float ratio) {
    worst found = {0, 0};
    float x[N_AT_ONCE], y[N_AT_ONCE];
    for (float next = from; fabsf(next) < fabsf(to);) {
        for (int i = 0; i < N_AT_ONCE; i++, next *= ratio)
            x[i] = fabsf(next) < fabsf(to) ? next : to;
        loop(y, x, N_AT_ONCE);
        for (int i = 0; i < N_AT_ONCE; i++) {
            const double off = ulps(y[i], f((double)x[i]));
            if (off > found.ulps)
                found = (worst){off, x[i]};
        }
    }
    return found;
}

/* From `least` < 0 up. */
static void expect_within(ty_activation kind, truth *f, float least, double bound) {
    const ty_loops *t = ty_loops_at(0);
    const worst down = worst_of(t->activation[kind], f, -1e-30F, least, 1.00003F);
    const worst up = worst_of(t->activation[kind], f, 1e-30F, 200, 1.00003F);
    print_message("activation %d: %.2f ulp at %g, %.2f ulp at %g\n", (int)kind, down.ulps,
                  (double)down.at, up.ulps, (double)up.at);
    assert_true(down.ulps <= bound);
    assert_true(up.ulps <= bound);
}

static double true_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double true_silu(double x) {
    return x / (1 + exp(-x));
}

static double true_gelu(double x) {
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

static void tanh_is_within_2_ulp(void **state) {
    (void)state;
    expect_within(TY_ACT_TANH, tanh, -200, 2);
}

static void sigmoid_is_within_3_ulp(void **state) {
    (void)state;
    expect_within(TY_ACT_SIGMOID, true_sigmoid, -200, 3);
}

/* Further down the sigmoid is a denormal number, and x multiplies its rounding. */
static void silu_is_within_4_ulp_down_to_minus_87(void **state) {
    (void)state;
    expect_within(TY_ACT_SILU, true_silu, -86, 4);
}

static void gelu_is_within_6_ulp_until_its_tail_is_denormal(void **state) {
    (void)state;
    expect_within(TY_ACT_GELU, true_gelu, -12.8F, 6);
}

/* exp shows in the gradient of softmax: for logits (0, x), x <= 0, the element of x is e^x / (1 +
 * e^x), and here its factor is set to 1. */
static void exp_is_within_1_5_ulp_denormals_included(void **state) {
    (void)state;
    const ty_xent_row row = {.max = 0, .inverse_sum = 1};
    float x[N_AT_ONCE], y[N_AT_ONCE];
    double most = 0;
    x[0] = 0;
    for (float next = -1e-10F; next > -110;) {
        for (int i = 1; i < N_AT_ONCE; i++, next *= 1.00003F)
            x[i] = next;
        ty_loops_at(0)->xent_backward(y, x, N_AT_ONCE, 0, 0, &row, 1, false);
        for (int i = 1; i < N_AT_ONCE; i++)
            most = fmax(most, ulps(y[i], exp((double)x[i])));
    }
    print_message("exp: %.2f ulp\n", most);
    assert_true(most <= 1.5);
}

static double worst_log(double from, double to, double ratio) {
    double most = 0;
    for (double x = from; x < to; x *= ratio) {
        const long double want = logl((long double)x);
        int exponent;
        (void)frexpl(want, &exponent);
        const double off = (double)(fabsl((long double)ty_maths_log(x) - want) /
                                    ldexpl(1, exponent - DBL_MANT_DIG));
        most = fmax(most, off);
    }
    return most;
}

static void log_is_within_2_ulp(void **state) {
    (void)state;
    const double most = fmax(worst_log(1e-300, 1e300, 1.0037), worst_log(0.5, 2, 1.00000371));
    print_message("log: %.2f ulp\n", most);
    assert_true(most <= 2);
    assert_true(ty_maths_log(1) == 0);
    assert_true(isnan(ty_maths_log(NAN)) && isnan(ty_maths_log(INFINITY)));
}

static void exp_in_double_is_within_2_ulp_of_what_is_not_positive(void **state) {
    (void)state;
    double most = 0;
    for (double x = -1e-12; x > -708; x *= 1.0001) {
        const long double want = expl((long double)x);
        int exponent;
        (void)frexpl(want, &exponent);
        const double off = (double)(fabsl((long double)ty_maths_exp_negative(x) - want) /
                                    ldexpl(1, exponent - DBL_MANT_DIG));
        most = fmax(most, off);
    }
    print_message("exp in double: %.2f ulp\n", most);
    assert_true(most <= 2);
    assert_true(ty_maths_exp_negative(0) == 1 && ty_maths_exp_negative(-0.0) == 1);
    assert_true(ty_maths_exp_negative(-709) == 0 && ty_maths_exp_negative(-(double)INFINITY) == 0);
    assert_true(isnan(ty_maths_exp_negative((double)NAN)));
}

static void sine_and_cosine_are_within_1_ulp_of_a_quarter_turn(void **state) {
    (void)state;
    for (int i = -100000; i <= 100000; i++) {
        const double x = (double)i * (0.78539816339744828 / 100000);
        assert_true(fabs(ty_maths_sin_quarter(x) - sin(x)) <= DBL_EPSILON * fabs(sin(x)));
        assert_true(fabs(ty_maths_cos_quarter(x) - cos(x)) <= DBL_EPSILON);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tanh_is_within_2_ulp),
        cmocka_unit_test(sigmoid_is_within_3_ulp),
        cmocka_unit_test(silu_is_within_4_ulp_down_to_minus_87),
        cmocka_unit_test(gelu_is_within_6_ulp_until_its_tail_is_denormal),
        cmocka_unit_test(exp_is_within_1_5_ulp_denormals_included),
        cmocka_unit_test(log_is_within_2_ulp),
        cmocka_unit_test(exp_in_double_is_within_2_ulp_of_what_is_not_positive),
        cmocka_unit_test(sine_and_cosine_are_within_1_ulp_of_a_quarter_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
