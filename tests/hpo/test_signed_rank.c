/* Wilcoxon's test against SciPy 1.17: scipy.stats.wilcoxon(d, alternative="greater",
 * zero_method="zsplit").pvalue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/pruners/signed_rank.h"

static void expect(const double *difference, size_t n, double want) {
    ty_ctx ctx;
    double p = NAN;
    ty_ctx_init(&ctx);
    assert_int_equal(ty_signed_rank_greater(&ctx, difference, n, &p), TY_OK);
    if (!(fabs(p - want) <= 1e-13 * want))
        fail_msg("%zu differences: %.17g, want %.17g", n, p, want);
    ty_ctx_clear(&ctx);
}

static void few_differences_are_counted_out(void **state) {
    (void)state;
    expect((const double[]){1, -2, 3, 4, 5}, 5, 0.09375);
    expect((const double[]){1, 1, -1, 2, 0, 3, -2, 5}, 8, 0.1328125);
    expect((const double[]){0, 0, 0}, 3, 1);
}

static void up_to_fifty_that_differ_are_counted_out_and_no_more(void **state) {
    (void)state;
    double d[51];
    for (int i = 0; i < 51; i++)
        d[i] = ((i * 37) % 101 - 40.5) * (1 + i / 1000.0);
    expect(d, 50, 0.019507762760930802);
    expect(d, 51, 0.02293712917283087);
}

static void many_that_are_tied_follow_the_normal_law(void **state) {
    (void)state;
    double d[20];
    for (int i = 0; i < 20; i++)
        d[i] = (i * 7) % 5 - 1.5 + 0.5 * (i % 2);
    expect(d, 20, 0.02466109886520718);
    expect((const double[20]){0}, 20, 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_differences_are_counted_out),
        cmocka_unit_test(up_to_fifty_that_differ_are_counted_out_and_no_more),
        cmocka_unit_test(many_that_are_tied_follow_the_normal_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
