/* CMA-ES itself: roots of its matrix, weights, the margin, a warm start. Its trajectory is held to the
 * reference's in tests/interop/test_cma.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "hpo/samplers/cma.h"

static double number(uint64_t i) {
    return ty_rng_uniform(ty_rng_draw(ty_rng_key_of(1, TY_STREAM_SYNTHETIC), i, 0).v[0]) - 0.5;
}

static void expect_near(double got, double want, double within) {
    if (!(fabs(got - want) <= within))
        fail_msg("got %.17g, want %.17g within %g", got, want, within);
}

static void eigenvectors_compose_the_matrix_again(void **state) {
    (void)state;
    enum { MAX = 24 };
    double A[MAX * MAX], spoilt[MAX * MAX], value[MAX], V[MAX * MAX];
    for (size_t n = 1; n <= MAX; n++) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++)
                A[i * n + j] = A[j * n + i] = number(i * MAX + j);
        for (size_t i = 0; i < n * n; i++)
            spoilt[i] = A[i];
        ty_cma_eigen(spoilt, n, value, V);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0, product = 0;
                for (size_t k = 0; k < n; k++) {
                    sum += V[i * n + k] * value[k] * V[j * n + k];
                    product += V[k * n + i] * V[k * n + j];
                }
                expect_near(sum, A[i * n + j], 1e-13);
                expect_near(product, i == j, 1e-13);
            }
        for (size_t i = 1; i < n; i++)
            assert_true(value[i - 1] <= value[i]);
    }
}

static void open_cma(ty_ctx *ctx, ty_cma *s, const ty_cma_options *options) {
    ty_ctx_init(ctx);
    assert_int_equal(ty_cma_init(ctx, s, options), TY_OK);
}

/* Generations on a tilted ellipsoid, every point by normals of our own. */
static void run(ty_cma *s, size_t generations) {
    const size_t n = s->dims;
    double *x = calloc(s->population * n, sizeof *x), *value = calloc(s->population, sizeof *value);
    double *sorted = calloc(s->population * n, sizeof *sorted);
    assert_true(x && value && sorted);
    for (size_t g = 0; g < generations; g++) {
        for (size_t k = 0; k < s->population; k++) {
            double normal[16];
            for (size_t d = 0; d < n; d++)
                normal[d] = 3 * number((g * 1000 + k) * 16 + d);
            ty_cma_point(s, normal, x + k * n);
            value[k] = 0;
            for (size_t d = 0; d < n; d++) {
                const double v = x[k * n + d] - 0.3 + (d > 0 ? 0.5 * x[k * n + d - 1] : 0);
                value[k] += (double)(1 + 10 * d) * v * v;
            }
        }
        for (size_t k = 0; k < s->population; k++) {
            size_t rank = 0;
            for (size_t m = 0; m < s->population; m++)
                rank += value[m] < value[k] || (value[m] == value[k] && m < k);
            for (size_t d = 0; d < n; d++)
                sorted[rank * n + d] = x[k * n + d];
        }
        ty_cma_tell(s, sorted, (double)g, (double)g + 1);
    }
    free(x);
    free(value);
    free(sorted);
}

static void roots_are_those_of_the_covariance(void **state) {
    (void)state;
    const double mean[5] = {0.5, 0.5, 0.5, 0.5, 0.5};
    ty_ctx ctx;
    ty_cma s;
    open_cma(&ctx, &s, &(ty_cma_options){.dims = 5, .mean = mean, .sigma = 0.2});
    run(&s, 30);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            double square = 0, unit = 0;
            for (size_t k = 0; k < 5; k++) {
                square += s.root[i * 5 + k] * s.root[k * 5 + j];
                unit += s.root[i * 5 + k] * s.unroot[k * 5 + j];
            }
            expect_near(square, s.C[i * 5 + j], 1e-12);
            expect_near(unit, i == j, 1e-10);
        }
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
}

static void a_separable_one_has_no_correlations(void **state) {
    (void)state;
    const double mean[4] = {0.5, 0.5, 0.5, 0.5};
    ty_ctx ctx;
    ty_cma s;
    open_cma(&ctx, &s,
             &(ty_cma_options){.dims = 4, .mean = mean, .sigma = 0.2, .is_separable = true});
    run(&s, 20);
    for (size_t i = 0; i < 16; i++)
        assert_true(i % 5 == 0 ? s.C[i] > 0 : s.C[i] == 0);
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
}

static void a_foreign_point_is_brought_near_and_a_near_one_left_alone(void **state) {
    (void)state;
    const double mean[2] = {0.5, 0.5};
    ty_ctx ctx;
    ty_cma s;
    open_cma(&ctx, &s, &(ty_cma_options){.dims = 2, .mean = mean, .sigma = 0.01});
    double far[2] = {1, 0}, near[2] = {0.51, 0.49};
    ty_cma_shorten(&s, far);
    ty_cma_shorten(&s, near);
    const double length = hypot(far[0] - 0.5, far[1] - 0.5) / 0.01;
    expect_near(length, sqrt(2) + 1, 1e-12);
    expect_near(far[0] - 0.5, 0.5 - far[1], 1e-15);
    assert_true(near[0] == 0.51 && near[1] == 0.49);
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
}

/* Cells of a quarter each. */
static bool quarters(const void *self, size_t dim, double m, double *low, double *high) {
    (void)self;
    (void)dim;
    const double cell = m < 0.25 ? 0 : m < 0.5 ? 1 : m < 0.75 ? 2 : 3;
    *low = cell == 0 ? 0.25 : cell / 4;
    *high = cell == 3 ? 0.75 : (cell + 1) / 4;
    return true;
}

/* Without the margin a lattice freezes once sigma is far below a cell. */
static void the_margin_keeps_neighbours_likely(void **state) {
    (void)state;
    const double mean[2] = {0.6, 0.9};
    ty_ctx ctx;
    ty_cma s;
    open_cma(
        &ctx, &s,
        &(ty_cma_options){.dims = 2, .mean = mean, .sigma = 0.2, .lattice = {.ends = quarters}});
    run(&s, 60);
    for (size_t d = 0; d < 2; d++) {
        double low, high;
        quarters(NULL, d, s.mean[d], &low, &high);
        const double scale = s.sigma * s.stretch[d] * sqrt(s.C[d * 3]);
        const double below = 0.5 * erfc((s.mean[d] - low) / scale / sqrt(2));
        const double above = 0.5 * erfc((high - s.mean[d]) / scale / sqrt(2));
        if (low == high)
            assert_true(fmin(below, above) >= 0.999 * s.margin);
        else
            assert_true(fmin(below, above) >= 0.499 * s.margin);
    }
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
}

/* Two values, whose cells meet at a half. */
static bool halves(const void *self, size_t dim, double m, double *low, double *high) {
    (void)self;
    (void)dim;
    (void)m;
    *low = *high = 0.5;
    return true;
}

static void a_mean_on_the_only_end_keeps_its_room(void **state) {
    (void)state;
    const double mean = 0.5, still[4] = {0.5, 0.5, 0.5, 0.5};
    ty_ctx ctx;
    ty_cma s;
    open_cma(
        &ctx, &s,
        &(ty_cma_options){.dims = 1, .mean = &mean, .sigma = 0.2, .lattice = {.ends = halves}});
    for (int i = 0; i < 3; i++)
        ty_cma_tell(&s, still, 0, 1);
    expect_near(ty_cma_encode(&s, 0, 0.7), 0.7, 1e-12);
    expect_near(ty_cma_decode(&s, 0, 0.7), 0.7, 1e-12);
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
}

static void a_warm_start_resembles_its_points(void **state) {
    (void)state;
    const double x[3 * 2] = {0.2, 0.4, 0.3, 0.6, 0.4, 0.8};
    double mean[2], cov[4], scratch[2 * 4 + 2];
    const double sigma = ty_cma_resemble(x, 3, 2, mean, cov, scratch);
    expect_near(mean[0], 0.3, 1e-15);
    expect_near(mean[1], 0.6, 1e-15);
    expect_near(cov[0] * cov[3] - cov[1] * cov[2], 1, 1e-12);
    expect_near(sigma * sigma * cov[0], 0.01 + 0.02 / 3, 1e-14);
    expect_near(sigma * sigma * cov[1], 0.04 / 3, 1e-14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors_compose_the_matrix_again),
        cmocka_unit_test(roots_are_those_of_the_covariance),
        cmocka_unit_test(a_separable_one_has_no_correlations),
        cmocka_unit_test(a_foreign_point_is_brought_near_and_a_near_one_left_alone),
        cmocka_unit_test(the_margin_keeps_neighbours_likely),
        cmocka_unit_test(a_mean_on_the_only_end_keeps_its_room),
        cmocka_unit_test(a_warm_start_resembles_its_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
