/* hpo/exact/exact.h against the truth: a table of true values, identities between functions, and a digest of
 * many results, so that a machine whose bits differ says so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"
#include "hpo/exact/exact.h"

typedef enum function_name {
    EXP,
    EXPM1,
    LOG,
    LOG1P,
    POW,
    ERF,
    ERFC,
    ERFCX,
    NDTR,
    LOG_NDTR,
    NDTRI,
    LOG_NDTR_DIFF,
    LGAMMA,
    BETAINC,
    BETAINC_INV,
    N_FUNCTIONS
} function_name;

typedef double unary(double x);
typedef double binary(double x, double y);
typedef double ternary(double x, double y, double z);

typedef struct function {
    const char *name;
    unary *one;
    binary *two;
    ternary *three;
    double bound_ulps;  /* of the table's rows */
    double range[3][2]; /* of the arguments that the digest draws */
    int64_t n_draws;
    uint64_t digest;
} function;

/* 45 ulps are 1e-14. */
static const function functions[N_FUNCTIONS] = {
    [EXP] = {"exp", ty_exact_exp, NULL, NULL, 1, {{-746, 710}}, 100000, 0x22d0d6944ba236ff},
    [EXPM1] = {"expm1", ty_exact_expm1, NULL, NULL, 1, {{-3, 3}}, 100000, 0xbd9be1adedb26861},
    [LOG] = {"log", ty_exact_log, NULL, NULL, 1, {{0, 4}}, 100000, 0x13f62d6451fed726},
    [LOG1P] = {"log1p", ty_exact_log1p, NULL, NULL, 1, {{-1, 3}}, 100000, 0xf8c8f384ca03ef9a},
    [POW] = {"pow", NULL, ty_exact_pow, NULL, 1, {{0, 100}, {-50, 50}}, 100000, 0xbf03afcafe20bb82},
    [ERF] = {"erf", ty_exact_erf, NULL, NULL, 45, {{-6, 6}}, 100000, 0x8b3a9dc60bdafeac},
    [ERFC] = {"erfc", ty_exact_erfc, NULL, NULL, 45, {{-7, 28}}, 100000, 0x8ce8bf5485c5f1c6},
    [ERFCX] = {"erfcx", ty_exact_erfcx, NULL, NULL, 45, {{-27, 50}}, 100000, 0x7584478b61150b07},
    [NDTR] = {"ndtr", ty_exact_ndtr, NULL, NULL, 45, {{-40, 10}}, 100000, 0x4579352295ae02c5},
    [LOG_NDTR] =
        {"log_ndtr", ty_exact_log_ndtr, NULL, NULL, 45, {{-50, 40}}, 100000, 0x121d38f4bfaca2a8},
    [NDTRI] = {"ndtri", ty_exact_ndtri, NULL, NULL, 45, {{0, 1}}, 100000, 0x4c2d0ca8a536bb77},
    [LOG_NDTR_DIFF] = {"log_ndtr_diff",
                       NULL,
                       ty_exact_log_ndtr_diff,
                       NULL,
                       45,
                       {{-9, 3}, {-3, 9}},
                       100000,
                       0xce8cae0141a27366},
    [LGAMMA] = {"lgamma", ty_exact_lgamma, NULL, NULL, 45, {{0, 20}}, 100000, 0x3bbdfcd07aee85a6},
    [BETAINC] = {"betainc",
                 NULL,
                 NULL,
                 ty_exact_betainc,
                 45,
                 {{0, 30}, {0, 30}, {0, 1}},
                 100000,
                 0x6b654bbb020d26b6},
    /* Each is ten calls of betainc. */
    [BETAINC_INV] = {"betainc_inv",
                     NULL,
                     NULL,
                     ty_exact_betainc_inv,
                     45,
                     {{0, 30}, {0, 30}, {0, 1}},
                     5000,
                     0x7deb9e36c65dff5c},
};

static double call(const function *f, const double x[3]) {
    if (f->one)
        return f->one(x[0]);
    return f->two ? f->two(x[0], x[1]) : f->three(x[0], x[1], x[2]);
}

/* The distance in units in the last place of `want`. */
static double ulps(double got, double want) {
    const double size = fabs(want);
    return fabs(got - want) / (nextafter(size, INFINITY) - size);
}

typedef struct row {
    function_name of;
    double x[3], want;
} row;

#define ROW(of, x, y, z, want) {of, {x, y, z}, want},
static const row rows[] = {
#include "exact_truth.h"
};

/* Half an ulp is the table's own rounding. */
static void results_are_as_near_the_truth_as_the_header_says(void **state) {
    (void)state;
    double worst[N_FUNCTIONS] = {0};
    int n_rows[N_FUNCTIONS] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        const function *f = &functions[r->of];
        const double got = call(f, r->x), off = ulps(got, r->want);
        const bool is_steep = r->of == BETAINC && r->x[1] < 1; /* 5e-14 */
        if (!(off <= (is_steep ? 225 : f->bound_ulps) + 0.5))
            fail_msg("%s(%a, %a, %a) is %a, want %a: %.1f ulp off", f->name, r->x[0], r->x[1],
                     r->x[2], got, r->want, off);
        worst[r->of] = fmax(worst[r->of], off);
        n_rows[r->of]++;
    }
    for (int f = 0; f < BETAINC_INV; f++) {
        print_message("%-14s %2d rows, at most %4.1f ulp\n", functions[f].name, n_rows[f],
                      worst[f]);
        assert_true(n_rows[f] >= 20);
    }
}

/* --- random arguments ------------------------------------------------------------------------ */

/* In [low, high), 53 bits of the block (which, i). */
static double drawn(uint64_t which, uint64_t i, double low, double high) {
    const ty_rng_block block = ty_rng_draw(ty_rng_key_of(7, TY_STREAM_SYNTHETIC), which, i);
    const uint64_t bits = (block.v[0] | (uint64_t)block.v[1] << 32) >> 11;
    return low + (high - low) * ((double)bits * 0x1p-53);
}

/* Every eighth argument of a function of one is any bits at all. */
static void draw_arguments(function_name of, uint64_t i, double x[3]) {
    const function *f = &functions[of];
    for (uint64_t k = 0; k < 3; k++)
        x[k] = drawn(of * 4 + k, i, f->range[k][0], f->range[k][1]);
    if (!f->one || i % 8)
        return;
    const ty_rng_block block = ty_rng_draw(ty_rng_key_of(8, TY_STREAM_SYNTHETIC), of, i);
    memcpy(&x[0], block.v, sizeof x[0]);
}

static void every_machine_has_the_committed_bits(void **state) {
    (void)state;
    int n_wrong = 0;
    for (int of = 0; of < N_FUNCTIONS; of++) {
        const function *f = &functions[of];
        double *to = malloc((size_t)f->n_draws * sizeof *to);
        assert_non_null(to);
        for (int64_t i = 0; i < f->n_draws; i++) {
            double x[3];
            draw_arguments((function_name)of, (uint64_t)i, x);
            to[i] = call(f, x);
        }
        const uint64_t digest = ty_hash64(to, (size_t)f->n_draws * sizeof *to);
        free(to);
        if (digest == f->digest)
            continue;
        print_message("%s: the digest is 0x%016llx, want 0x%016llx\n", f->name,
                      (unsigned long long)digest, (unsigned long long)f->digest);
        n_wrong++;
    }
    assert_int_equal(n_wrong, 0);
}

/* --- identities ------------------------------------------------------------------------------ */

enum { N_IDENTITIES = 20000 };

static void expect_near(const char *what, double x, double got, double want, double relative) {
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%s at %a: %.17g, want %.17g", what, x, got, want);
}

static void logarithms_undo_exponentials(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES; i++) {
        const double x = drawn(100, i, -700, 700), small = drawn(101, i, -1, 1);
        expect_near("log exp", x, ty_exact_log(ty_exact_exp(x)), x, 3e-16 + 2e-16 / fabs(x));
        expect_near("log1p expm1", small, ty_exact_log1p(ty_exact_expm1(small)), small, 2e-15);
        const double base = drawn(102, i, 0, 1e6), y = drawn(103, i, -20, 20);
        expect_near("pow 1/2", base, ty_exact_pow(base, 0.5), sqrt(base), 3e-16);
        expect_near("pow y pow -y", base, ty_exact_pow(base, y) * ty_exact_pow(base, -y), 1, 1e-15);
    }
}

static void both_sides_of_the_normal_law_make_one(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES; i++) {
        const double x = drawn(110, i, -6, 6), far = drawn(111, i, 0, 26);
        expect_near("erf + erfc", x, ty_exact_erf(x) + ty_exact_erfc(x), 1, 1e-15);
        expect_near("-erf", x, -ty_exact_erf(-x), ty_exact_erf(x), 0);
        expect_near("ndtr", x, ty_exact_ndtr(x) + ty_exact_ndtr(-x), 1, 1e-15);
        expect_near("erfcx", far, ty_exact_erfcx(far) * ty_exact_exp(-far * far),
                    ty_exact_erfc(far), 3e-13);
        const double log = ty_exact_log_ndtr(x);
        expect_near("log_ndtr", x, ty_exact_exp(log), ty_exact_ndtr(x), 2e-14);
    }
}

static void the_quantile_undoes_the_distribution(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES; i++) {
        const double x = drawn(120, i, -37, -0.01), p = drawn(121, i, 0, 1);
        expect_near("ndtri ndtr", x, ty_exact_ndtri(ty_exact_ndtr(x)), x, 1e-14 + 2e-15 / fabs(x));
        expect_near("ndtri", p, ty_exact_ndtr(ty_exact_ndtri(p)), p, 1e-14);
        const double eighth = floor(p * 0x1p40) * 0x1p-40;
        expect_near("-ndtri", eighth, -ty_exact_ndtri(1 - eighth), ty_exact_ndtri(eighth), 0);
    }
}

static void intervals_add_up(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES; i++) {
        const double a = drawn(130, i, -12, 12);
        const double b = a + pow(2, drawn(131, i, -20, 3)), c = b + pow(2, drawn(132, i, -20, 3));
        const double ab = ty_exact_log_ndtr_diff(a, b), bc = ty_exact_log_ndtr_diff(b, c);
        const double ac = ty_exact_log_ndtr_diff(a, c);
        expect_near("sum", a, ty_exact_exp(ab - ac) + ty_exact_exp(bc - ac), 1, 1e-13);
        expect_near("mirror", a, ty_exact_log_ndtr_diff(-b, -a), ab, 0);
        expect_near("from -inf", a, ty_exact_log_ndtr_diff(-INFINITY, a), ty_exact_log_ndtr(a),
                    1e-14);
    }
}

static void gamma_and_beta_obey_their_recurrences(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES / 10; i++) {
        const double x = drawn(140, i, 0.01, 40), a = drawn(141, i, 0.01, 300);
        const double b = drawn(142, i, 0.01, 300), at = drawn(143, i, 0.001, 0.999);
        const double log = ty_exact_log(x), lgamma_x = ty_exact_lgamma(x);
        if (!(fabs(ty_exact_lgamma(x + 1) - lgamma_x - log) <= 1e-15 * (3 + fabs(lgamma_x) * 3)))
            fail_msg("lgamma at %a", x);
        expect_near("x^a", a, ty_exact_betainc(a, 1, at), ty_exact_pow(at, a), 2e-14);
        const double half = floor(at * 0x1p30) * 0x1p-30;
        expect_near("mirror", half, ty_exact_betainc(a, b, half) + ty_exact_betainc(b, a, 1 - half),
                    1, 1e-14);
    }
}

static void the_beta_quantile_undoes_its_distribution(void **state) {
    (void)state;
    for (uint64_t i = 0; i < N_IDENTITIES / 20; i++) {
        const double a = pow(2, drawn(150, i, -4, 12)), b = pow(2, drawn(151, i, -4, 12));
        const double p = drawn(152, i, 0, 1), x = ty_exact_betainc_inv(a, b, p);
        const double below = ty_exact_betainc(a, b, nextafter(nextafter(x, 0), 0));
        const double above = ty_exact_betainc(a, b, nextafter(nextafter(x, 1), 1));
        if (!(below <= p + 1e-13 * p && above >= p - 1e-13 * p))
            fail_msg("betainc_inv(%a, %a, %a) is %a: %a to %a", a, b, p, x, below, above);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_as_near_the_truth_as_the_header_says),
        cmocka_unit_test(every_machine_has_the_committed_bits),
        cmocka_unit_test(logarithms_undo_exponentials),
        cmocka_unit_test(both_sides_of_the_normal_law_make_one),
        cmocka_unit_test(the_quantile_undoes_the_distribution),
        cmocka_unit_test(intervals_add_up),
        cmocka_unit_test(gamma_and_beta_obey_their_recurrences),
        cmocka_unit_test(the_beta_quantile_undoes_its_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
