/* Parzen estimators: the same bits however they came about and at every instruction-set level; densities
 * against their definition in plain double, and against what densities are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/samplers/parzen_private.h"
#include "tests/hpo/sampler_cases.h"

enum { MAX_AXES = 8, MAX_POINTS = 400 };

/* An estimator over all parameters of a space, and points to put into it: [n][axes]. */
typedef struct fixture {
    ty_ctx ctx;
    case_space s;
    ty_parzen_axis v[MAX_AXES];
    ty_parzen_axes axes;
    double z[MAX_POINTS][MAX_AXES];
    ty_parzen_point points[MAX_POINTS];
} fixture;

static bool is_fixed(const ty_param *p) {
    return ty_param_cardinality(p) == 1;
}

static void set_points(fixture *f, uint64_t seed) {
    for (size_t i = 0; i < MAX_POINTS; i++) {
        double x[TY_SPACE_MAX_PARAMS];
        ty_draws draws = ty_draws_open(seed, TY_DRAW_MODEL, i, 0);
        for (size_t d = 0; d < f->s.space.count; d++) {
            const ty_param *p = &f->s.space.params[d];
            x[d] =
                ty_param_quantile(p, i % 3 ? 0.4 + 0.01 * ty_draw(&draws) : ty_draw_open(&draws));
            f->z[i][d] = ty_param_is_numeric(p) ? ty_param_z(p, x[d]) : x[d];
        }
        f->points[i] = (ty_parzen_point){.trial = 2 * i, .z = f->z[i], .stride = 1};
    }
}

static void open_fixture(fixture *f, uint64_t seed) {
    ty_ctx_init(&f->ctx);
    case_space_open(&f->ctx, &f->s, seed, false);
    size_t n = 0;
    for (size_t d = 0; d < f->s.space.count; d++)
        if (!is_fixed(&f->s.space.params[d]))
            f->v[n++] = (ty_parzen_axis){.param = &f->s.space.params[d], .index = d};
    f->axes = ty_parzen_axes_of(f->v, n);
    set_points(f, seed);
}

static void close_fixture(fixture *f) {
    case_space_close(&f->s);
    ty_ctx_clear(&f->ctx);
}

static ty_parzen *open_with(fixture *f, const ty_parzen_point *points, size_t n) {
    ty_parzen *p = NULL;
    assert_int_equal(ty_parzen_open(&f->ctx, &f->axes, true, &p), TY_OK);
    assert_int_equal(ty_parzen_set(&f->ctx, p, points, n), TY_OK);
    return p;
}

/* Log densities at 40 places of the fixture's points and draws. */
static void densities(ty_parzen *p, double *out) {
    for (size_t i = 0; i < 40; i++) {
        double x[TY_SPACE_MAX_PARAMS];
        ty_parzen_place places[MAX_AXES];
        ty_draws draws = ty_draws_open(9, TY_DRAW_MODEL, i, 0);
        ty_parzen_draw(p, &draws, x, places);
        ty_parzen_log_density(p, places, 1, &out[i]);
        assert_true(out[i] == out[i]); /* a number */
    }
}

static void expect_same_estimators(fixture *f, ty_parzen *a, ty_parzen *b, const char *what) {
    double of_a[40], of_b[40];
    assert_int_equal(a->count, b->count);
    for (size_t axis = 0; axis < f->axes.numeric_count; axis++)
        for (int c = 0; c < TY_PARZEN_COLUMNS; c++)
            assert_memory_equal(ty_parzen_column_of(a, axis, (ty_parzen_column)c),
                                ty_parzen_column_of(b, axis, (ty_parzen_column)c),
                                a->count * sizeof(double));
    densities(a, of_a);
    densities(b, of_b);
    if (memcmp(of_a, of_b, sizeof of_a) != 0)
        fail_msg("%s: other densities with %zu points", what, a->count);
}

/* Points come, go and change sides in any order; each time a new estimator must be the same. */
static void an_estimator_is_what_its_points_make_it(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        fixture f;
        open_fixture(&f, seed);
        ty_parzen *p = open_with(&f, f.points, 0);
        ty_draws draws = ty_draws_open(seed, TY_DRAW_MODEL, 1, 0);
        bool is_in[MAX_POINTS] = {false};
        for (int round = 0; round < 60; round++) {
            const size_t until =
                20 + (size_t)round * 6 < MAX_POINTS ? 20 + (size_t)round * 6 : MAX_POINTS;
            for (size_t i = 0; i < 1 + ty_draw_below(&draws, round % 10 ? 4 : 60); i++) {
                const size_t k = ty_draw_below(&draws, until);
                is_in[k] = !is_in[k];
            }
            ty_parzen_point points[MAX_POINTS];
            size_t n = 0;
            for (size_t i = 0; i < MAX_POINTS; i++)
                if (is_in[i])
                    points[n++] = f.points[i];
            assert_int_equal(ty_parzen_set(&f.ctx, p, points, n), TY_OK);
            ty_parzen *fresh = open_with(&f, points, n);
            expect_same_estimators(&f, p, fresh, "point by point");
            ty_parzen_close(fresh);
        }
        ty_parzen_close(p);
        close_fixture(&f);
    }
}

static void a_trial_whose_point_changed_is_another_point(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 3);
    ty_parzen *p = open_with(&f, f.points, 30);
    f.points[7].z = f.z[90];
    assert_int_equal(ty_parzen_set(&f.ctx, p, f.points, 30), TY_OK);
    ty_parzen *fresh = open_with(&f, f.points, 30);
    expect_same_estimators(&f, p, fresh, "another point");
    ty_parzen_close(fresh);
    ty_parzen_close(p);
    close_fixture(&f);
}

static void every_level_has_the_same_bits(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fixture f;
        open_fixture(&f, seed);
        ty_parzen *p = open_with(&f, f.points, MAX_POINTS);
        double want[40], got[40];
        densities(p, want);
        for (int level = 0; level < TY_PARZEN_LEVELS; level++) {
            p->loops = ty_parzen_loops_at(level);
            if (!p->loops) {
                print_message("this CPU lacks level %d\n", level);
                continue;
            }
            densities(p, got);
            assert_memory_equal(got, want, sizeof want);
        }
        ty_parzen_close(p);
        close_fixture(&f);
    }
}

/* --- against the definition ------------------------------------------------------------------------ */

static double phi(double x) {
    return 0.5 * erfc(-x * sqrt(0.5));
}

/* The density at u of n points on one smooth axis, all of it written out; points by age. */
static double plain_density(const double *u, size_t n, double x) {
    const double pi = 3.14159265358979323846;
    double sum = 0, weights = 0;
    for (size_t i = 0; i <= n; i++) {
        double left = -1, right = 2, sigma = 1, middle = 0.5, weight = 1;
        if (i < n) {
            middle = u[i];
            for (size_t k = 0; k < n; k++) {
                left = k != i && u[k] <= u[i] ? fmax(left, u[k]) : left;
                right = k != i && u[k] > u[i] ? fmin(right, u[k]) : right;
            }
            const double to_left = left < 0 ? (n > 1 ? 0 : middle) : middle - left;
            const double to_right = right > 1 ? (n > 1 ? 0 : 1 - middle) : right - middle;
            sigma = fmin(fmax(fmax(to_left, to_right), 1 / fmin(100, (double)n + 2)), 1);
            if (i + 25 < n)
                weight = n == 26
                             ? 1.0 / 26
                             : 1 / (double)n + (double)i * (1 - 1 / (double)n) / ((double)n - 26);
        }
        const double t = (x - middle) / sigma;
        const double mass = phi((1 - middle) / sigma) - phi(-middle / sigma);
        sum += weight * exp(-0.5 * t * t) / (sqrt(2 * pi) * sigma * mass);
        weights += weight;
    }
    return sum / weights;
}

static void a_density_is_what_its_definition_says(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 25, 26, 27, 97, 98, 99, 300};
    fixture f;
    ty_ctx_init(&f.ctx);
    case_cube_open(&f.ctx, &f.s, 1);
    f.v[0] = (ty_parzen_axis){.param = &f.s.space.params[0], .index = 0};
    f.axes = ty_parzen_axes_of(f.v, 1);
    set_points(&f, 1);
    double u[MAX_POINTS];
    for (size_t i = 0; i < MAX_POINTS; i++)
        u[i] = f.z[i][0];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        ty_parzen *p = open_with(&f, f.points, sizes[s]);
        for (double x = 0; x <= 1; x += 0.0078125) {
            const ty_parzen_place place = {x, x, x};
            double log_density = 0;
            ty_parzen_log_density(p, &place, 1, &log_density);
            const double want = log(plain_density(u, sizes[s], x));
            if (!(fabs(log_density - want) < 1e-11 * (1 + fabs(want))))
                fail_msg("%zu points at %g: %.15g, want %.15g", sizes[s], x, log_density, want);
        }
        ty_parzen_close(p);
    }
    close_fixture(&f);
}

/* What is drawn has the density that is said: the mass of all lattice values and choices is 1. */
static void masses_add_up_to_one(void **state) {
    (void)state;
    static const double probabilities[3] = {0.25, 0, 0.75};
    ty_param params[] = {
        {.name = "p0", .prior = TY_PRIOR_UNIFORM, .low = -4, .high = 11, .step = 5, .is_int = true},
        {.name = "p1", .prior = TY_PRIOR_CHOICE, .choice_count = 3, .probabilities = probabilities},
        {.name = "p2", .prior = TY_PRIOR_LOG, .low = 1, .high = 6, .is_int = true}};
    fixture f;
    memset(&f, 0, sizeof f);
    ty_ctx_init(&f.ctx);
    f.s.space = (ty_space){.params = params, .count = 3};
    assert_int_equal(ty_space_seal(&f.ctx, &f.s.space), TY_OK);
    for (size_t d = 0; d < 3; d++)
        f.v[d] = (ty_parzen_axis){.param = &params[d], .index = d};
    f.axes = ty_parzen_axes_of(f.v, 3);
    set_points(&f, 5);
    for (size_t n = 0; n < 200; n += 1 + n / 2) {
        ty_parzen *p = open_with(&f, f.points, n);
        double mass = 0, log_mass = 0;
        for (double a = -4; a <= 11; a += 5)
            for (double b = 0; b <= 2; b++)
                for (double c = 1; c <= 6; c++) {
                    ty_parzen_place places[3];
                    ty_parzen_place_of(&f.axes, (const double[]){a, b, c}, places);
                    ty_parzen_log_density(p, places, 1, &log_mass);
                    mass += exp(log_mass);
                }
        assert_true(fabs(mass - 1) < 1e-9);
        ty_parzen_close(p);
    }
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_estimator_is_what_its_points_make_it),
        cmocka_unit_test(a_trial_whose_point_changed_is_another_point),
        cmocka_unit_test(every_level_has_the_same_bits),
        cmocka_unit_test(a_density_is_what_its_definition_says),
        cmocka_unit_test(masses_add_up_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
