/* Minimisation in a box. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/samplers/lbfgs.h"

enum { N = 6 };

typedef double function(const double *x, double *gradient);

static double rosenbrock(const double *x, double *g) {
    double sum = 0;
    for (int i = 0; i < N; i++)
        g[i] = 0;
    for (int i = 0; i + 1 < N; i++) {
        const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        sum += 100 * a * a + b * b;
        g[i] += -400 * x[i] * a - 2 * b;
        g[i + 1] += 200 * a;
    }
    return sum;
}

/* Its least point is outside of the box in every other dimension. */
static double bowl(const double *x, double *g) {
    double sum = 0;
    for (int i = 0; i < N; i++) {
        const double v = x[i] - (i % 2 ? 3 : 0.25);
        sum += (i + 1) * v * v;
        g[i] = 2 * (i + 1) * v;
    }
    return sum;
}

/* Not a number in half of the box. */
static double cliff(const double *x, double *g) {
    const double value = bowl(x, g);
    return x[0] < 0.1 ? NAN : value;
}

static size_t minimise(function *f, const double *start, double low, double high, double *best) {
    double lows[N], highs[N], gradient[N], memory[4096];
    assert_true(ty_lbfgs_room(N) <= sizeof memory / sizeof *memory);
    for (int i = 0; i < N; i++) {
        lows[i] = low;
        highs[i] = high;
    }
    ty_lbfgs s;
    ty_lbfgs_begin(&s, N, lows, highs, start, memory);
    s.gradient_goal = 1e-7;
    s.max_evaluations = 500;
    bool goes_on = true;
    while (goes_on) {
        for (int i = 0; i < N; i++)
            assert_true(s.at[i] >= low && s.at[i] <= high);
        const double value = f(s.at, gradient);
        goes_on = ty_lbfgs_take(&s, value, gradient);
    }
    for (int i = 0; i < N; i++)
        best[i] = s.best[i];
    return s.evaluations;
}

static void a_bent_valley_is_followed_to_its_end(void **state) {
    (void)state;
    const double start[N] = {-1.2, 1, -1.2, 1, -1.2, 1};
    double best[N];
    assert_in_range(minimise(rosenbrock, start, -5, 5, best), 20, 200);
    for (int i = 0; i < N; i++)
        assert_true(fabs(best[i] - 1) < 1e-4);
}

static void the_end_of_the_box_is_reached_and_not_passed(void **state) {
    (void)state;
    const double start[N] = {0.9, 0.1, 0.9, 0.1, 0.9, 0.1};
    double best[N];
    assert_in_range(minimise(bowl, start, 0, 1, best), 3, 60);
    for (int i = 0; i < N; i++)
        assert_true(fabs(best[i] - (i % 2 ? 1 : 0.25)) < 1e-6);
}

static void what_is_no_number_is_turned_away_from(void **state) {
    (void)state;
    const double start[N] = {0.9, 0.1, 0.9, 0.1, 0.9, 0.1};
    double best[N];
    minimise(cliff, start, 0, 1, best);
    assert_true(fabs(best[0] - 0.25) < 1e-6);
}

static void a_box_without_room_is_a_result(void **state) {
    (void)state;
    const double start[N] = {0.5};
    double best[N];
    assert_int_equal(minimise(bowl, start, 0.5, 0.5, best), 1);
    assert_true(best[0] == 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bent_valley_is_followed_to_its_end),
        cmocka_unit_test(the_end_of_the_box_is_reached_and_not_passed),
        cmocka_unit_test(what_is_no_number_is_turned_away_from),
        cmocka_unit_test(a_box_without_room_is_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
