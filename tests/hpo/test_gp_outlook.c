/* What stopped trials would have come to, against curves whose ends are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "hpo/samplers/gp_targets.h"

enum { MOST = 32 };

typedef struct fixture {
    ty_ctx ctx;
    ty_space space; /* without parameters */
    ty_history history;
    size_t rows[MOST];
    bool is_known[MOST];
    double y[MOST];
} fixture;

static void open_fixture(fixture *f) {
    *f = (fixture){0};
    ty_ctx_init(&f->ctx);
    ty_history_init(&f->history, &f->space);
    for (size_t i = 0; i < MOST; i++)
        f->rows[i] = i;
}

static void close_fixture(fixture *f) {
    ty_history_clear(&f->history);
    ty_ctx_clear(&f->ctx);
}

/* A trial with these reports, one a step. */
static void show(fixture *f, ty_trial_state state, size_t n, const double *reported) {
    static const double step[] = {1, 2, 3};
    const size_t at = f->history.count;
    const ty_shown shown = {
        .number = at, .state = state, .value = reported[n - 1], .last_step = (double)n};
    assert_int_equal(ty_history_show(&f->ctx, &f->history, &shown, NULL), TY_OK);
    assert_int_equal(ty_history_trace(&f->ctx, &f->history, at, step, reported, n), TY_OK);
    f->is_known[at] = state == TY_TRIAL_COMPLETE;
    f->y[at] = f->is_known[at] ? shown.value : NAN;
}

static void judge(fixture *f) {
    assert_int_equal(
        ty_gp_outlooks(&f->ctx, &f->history, f->rows, f->history.count, f->is_known, f->y), TY_OK);
}

static void expect_near(double got, double want, double within) {
    if (!(fabs(got - want) <= within))
        fail_msg("got %.17g, want %.17g within %g", got, want, within);
}

/* Whole trials fall to half of their first report plus one. */
static void show_halving(fixture *f, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const double first = 2 + (double)i / 4;
        show(f, TY_TRIAL_COMPLETE, 3, (double[]){first, 0.7 * first, 1 + first / 2});
    }
}

static void a_stopped_trial_lies_on_the_line_of_those_that_went_farther(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show_halving(&f, 16);
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){5});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){8});
    judge(&f);
    assert_true(f.is_known[16] && f.is_known[17]);
    expect_near(f.y[16], 3.5, 0.1);
    expect_near(f.y[17], 5, 0.3);
    close_fixture(&f);
}

static void distances_stay_while_hardly_anyone_went_farther(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_COMPLETE, 2, (double[]){3, 1});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){5});
    judge(&f);
    expect_near(f.y[1], 3, 1e-12);
    close_fixture(&f);
}

static void a_stopped_trial_never_is_the_best(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show_halving(&f, 8);
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){-100});
    judge(&f);
    expect_near(f.y[8], 2, 0);
    close_fixture(&f);
}

static void rungs_are_judged_by_the_rungs_above_them(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){6}); /* is only comparable with the next two */
    show(&f, TY_TRIAL_PRUNED, 2, (double[]){5, 4});
    show(&f, TY_TRIAL_PRUNED, 2, (double[]){4, 3});
    show(&f, TY_TRIAL_COMPLETE, 3, (double[]){3, 2, 1});
    judge(&f);
    expect_near(f.y[2], 2, 1e-12);
    expect_near(f.y[1], 3, 1e-12);
    expect_near(f.y[0], 4, 1e-12);
    close_fixture(&f);
}

static void without_whole_trials_those_that_went_farthest_are_the_measure(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){6});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){5});
    judge(&f);
    expect_near(f.y[0], 6, 0);
    expect_near(f.y[1], 5, 0);
    close_fixture(&f);
}

/* Whole trials whose way nobody knows, as Optuna's that reported nothing, are no measure. */
static void nothing_is_known_where_nobody_can_be_compared(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_COMPLETE, 1, (double[]){1});
    f.history.shown[0].reports = 0;
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){5});
    judge(&f);
    assert_false(f.is_known[1]);
    double y[2];
    assert_int_equal(ty_gp_targets(&f.ctx, &f.history, f.rows, 2, y), TY_OK);
    assert_true(isfinite(y[1]) && y[1] >= y[0]);
    close_fixture(&f);
}

static void no_number_and_infinity_spoil_no_line(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show_halving(&f, 4);
    show(&f, TY_TRIAL_COMPLETE, 3, (double[]){NAN, INFINITY, 1.9});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){NAN});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){3});
    judge(&f);
    assert_false(f.is_known[5]);
    assert_true(isfinite(f.y[6]));
    double y[MOST];
    assert_int_equal(ty_gp_targets(&f.ctx, &f.history, f.rows, f.history.count, y), TY_OK);
    for (size_t i = 0; i < f.history.count; i++)
        assert_true(isfinite(y[i]));
    close_fixture(&f);
}

/* Of all that is shown; they have to be numbers, with some distance between them. */
static void expect_targets(fixture *f, double *y) {
    const size_t n = f->history.count;
    double least = INFINITY, most = -INFINITY;
    assert_int_equal(ty_gp_targets(&f->ctx, &f->history, f->rows, n, y), TY_OK);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            fail_msg("target %zu is %g", i, y[i]);
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    if (!(most - least > 1))
        fail_msg("targets of deviation 1 reach from %g to %g", least, most);
}

static void show_whole(fixture *f, size_t n, const double *values) {
    for (size_t i = 0; i < n; i++)
        show(f, TY_TRIAL_COMPLETE, 1, &values[i]);
}

static void values_at_the_ends_of_their_range_have_targets(void **state) {
    fixture f;
    double y[MOST];
    static const double ends[] = {DBL_MAX, 1e308, -1e308, -DBL_MAX, 0};
    static const double good[] = {1e200, 2e200, 3e200, 4e200, 9e200};
    static const double bad[] = {1, 1 + 1e-9, 1 + 2e-9, 2, DBL_MAX};
    static const double alike[] = {1, 1, 1, 1, DBL_MAX};
    static const double *const values[] = {ends, good, bad, alike};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        open_fixture(&f);
        show_whole(&f, 5, values[i]);
        expect_targets(&f, y);
        for (size_t a = 0; a < 5; a++)
            for (size_t b = 0; b < 5; b++)
                assert_false(values[i][a] < values[i][b] && y[a] > y[b]);
        close_fixture(&f);
    }
}

/* As a small sweep's, whatever the unit of its metric. */
static void reports_at_the_ends_of_their_range_have_an_outlook(void **state) {
    static const double units[] = {1, 0x1p700, 0x1p1015};
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        fixture f;
        const double u = units[i];
        double y[MOST];
        open_fixture(&f);
        for (double first = 2; first < 10; first++)
            show(&f, TY_TRIAL_COMPLETE, 2, (double[]){first * u, (1 + first / 2) * u});
        show(&f, TY_TRIAL_PRUNED, 1, (double[]){8 * u});
        judge(&f);
        expect_near(f.y[8] / u, 5, 0.3);
        expect_targets(&f, y);
        close_fixture(&f);
    }
}

static void no_outlook_is_beyond_all_numbers(void **state) {
    fixture f;
    double y[MOST];
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_COMPLETE, 2, (double[]){-1e308, -1e308});
    show(&f, TY_TRIAL_COMPLETE, 2, (double[]){1, 1e308});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){1e308});
    show(&f, TY_TRIAL_PRUNED, 1, (double[]){-1e308});
    judge(&f);
    assert_true(f.y[2] >= f.y[3] && isfinite(f.y[2]) && f.y[3] >= -1e308);
    expect_targets(&f, y);
    close_fixture(&f);
}

static void a_curve_is_read_at_a_resource_or_before_it(void **state) {
    fixture f;
    (void)state;
    open_fixture(&f);
    show(&f, TY_TRIAL_PRUNED, 3, (double[]){6, 5, 4});
    assert_true(isnan(ty_history_reported(&f.history, 0, 0.5)));
    expect_near(ty_history_reported(&f.history, 0, 1), 6, 0);
    expect_near(ty_history_reported(&f.history, 0, 2.9), 5, 0);
    expect_near(ty_history_reported(&f.history, 0, 100), 4, 0);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_trial_lies_on_the_line_of_those_that_went_farther),
        cmocka_unit_test(distances_stay_while_hardly_anyone_went_farther),
        cmocka_unit_test(a_stopped_trial_never_is_the_best),
        cmocka_unit_test(rungs_are_judged_by_the_rungs_above_them),
        cmocka_unit_test(without_whole_trials_those_that_went_farthest_are_the_measure),
        cmocka_unit_test(nothing_is_known_where_nobody_can_be_compared),
        cmocka_unit_test(no_number_and_infinity_spoil_no_line),
        cmocka_unit_test(values_at_the_ends_of_their_range_have_targets),
        cmocka_unit_test(reports_at_the_ends_of_their_range_have_an_outlook),
        cmocka_unit_test(no_outlook_is_beyond_all_numbers),
        cmocka_unit_test(a_curve_is_read_at_a_resource_or_before_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
