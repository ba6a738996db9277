/* The Gaussian process: its matrices against plain loops at every instruction-set level, its gradients
 * against differences, points that are added against points that were there. Values are held to NumPy's
 * and mpmath's in tests/interop/test_gp.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "hpo/exact/exact.h"
#include "hpo/samplers/gp.h"

enum { N_NUMBERS = 3, DIMS = 4 };

static double number(uint64_t i) {
    return ty_rng_uniform(ty_rng_draw(ty_rng_key_of(2, TY_STREAM_SYNTHETIC), i, 0).v[0]);
}

static void make_point(size_t i, double *point) {
    for (size_t d = 0; d < N_NUMBERS; d++)
        point[d] = number(i * 8 + d);
    point[N_NUMBERS] = floor(3 * number(i * 8 + N_NUMBERS));
}

static double make_value(const double *p) {
    return 2 * (p[0] - 0.3) * (p[0] - 0.3) + p[1] * p[2] + (p[3] == 1 ? 0.4 : 0) - 0.5;
}

static const double theta_0[DIMS + TY_GP_EXTRA] = {0.3, -0.5, 1.2, 0.1, 0.4, -3};

static void open_gp(ty_ctx *ctx, ty_gp *gp, size_t n) {
    bool has_grown;
    ty_ctx_init(ctx);
    ty_gp_init(gp, N_NUMBERS, DIMS);
    assert_int_equal(ty_gp_reserve(ctx, gp, n, &has_grown), TY_OK);
    for (size_t i = 0; i < n; i++) {
        double point[DIMS];
        make_point(i, point);
        ty_gp_put(gp, i, point);
        gp->y[i] = make_value(point);
    }
    gp->n = n;
    ty_gp_set(gp, theta_0);
}

static void close_gp(ty_ctx *ctx, ty_gp *gp) {
    ty_gp_clear(gp);
    ty_ctx_clear(ctx);
}

static void expect_near(double got, double want, double within) {
    if (!(fabs(got - want) <= within))
        fail_msg("got %.17g, want %.17g within %g", got, want, within);
}

static double kernel(const ty_gp *gp, size_t i, size_t j) {
    double sum = 0;
    for (size_t d = 0; d < DIMS; d++) {
        const double gap = gp->x[d * gp->capacity + i] - gp->x[d * gp->capacity + j];
        sum += gp->weight[d] * (d < N_NUMBERS ? gap * gap : gap != 0);
    }
    const double root = sqrt(5 * sum);
    return gp->scale * ty_exact_exp(-root) * (5.0 / 3 * sum + root + 1);
}

/* U^T U is the matrix, W U^T the identity; a pad of another size than a tile's is among them. */
static void factors_compose_the_kernel_matrix(void **state) {
    (void)state;
    for (size_t n = 1; n <= 41; n += 5) {
        ty_ctx ctx;
        ty_gp gp;
        open_gp(&ctx, &gp, n);
        ty_gp_factor(&gp, 0, n);
        const size_t c = gp.capacity;
        for (size_t i = 0; i < n; i++)
            for (size_t j = i; j < n; j++) {
                double product = 0, unit = 0;
                for (size_t k = 0; k <= i; k++)
                    product += gp.U[k * c + i] * gp.U[k * c + j];
                for (size_t k = i; k <= j; k++)
                    unit += gp.W[j * c + k] * gp.U[i * c + k];
                expect_near(product, kernel(&gp, i, j) + (i == j ? gp.noise : 0), 1e-13);
                expect_near(unit, i == j, 1e-11);
            }
        close_gp(&ctx, &gp);
    }
}

/* One sum an output, in one order: that of the textbook's three loops. */
static void the_factor_has_the_bits_of_plain_loops(void **state) {
    (void)state;
    enum { N = 29 };
    ty_ctx ctx;
    ty_gp gp;
    open_gp(&ctx, &gp, N);
    ty_gp_factor(&gp, 0, N);
    double A[N][N];
    for (size_t i = 0; i < N; i++)
        for (size_t j = i; j < N; j++) {
            A[i][j] = kernel(&gp, i, j) + (i == j ? gp.noise : 0);
            for (size_t k = 0; k < i; k++)
                A[i][j] -= A[k][i] * A[k][j];
            A[i][j] = i == j ? sqrt(A[i][j]) : A[i][j] / A[i][i];
            if (A[i][j] != gp.U[i * gp.capacity + j])
                fail_msg("U[%zu][%zu] is %a, want %a", i, j, gp.U[i * gp.capacity + j], A[i][j]);
        }
    close_gp(&ctx, &gp);
}

/* Everything that the loops compute, one after the other. */
typedef struct results {
    double loss, gradient[DIMS + TY_GP_EXTRA], value[TY_GP_LANES];
    double slope[N_NUMBERS * TY_GP_LANES];
    double U[50 * 50], W[50 * 50];
} results;

static void compute(ty_gp *gp, results *r) {
    const size_t n = gp->n;
    double at[DIMS * TY_GP_LANES];
    for (size_t i = 0; i < DIMS * TY_GP_LANES; i++)
        at[i] = i < N_NUMBERS * TY_GP_LANES ? number(i + 7777) : (double)(i % 3);
    r->loss = ty_gp_loss(gp, theta_0, r->gradient);
    ty_gp_acquisition a;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    assert_int_equal(ty_gp_acquisition_init(&ctx, &a, gp, -0.4, 0, 1, NULL), TY_OK);
    ty_gp_acquire(&a, at, r->value, r->slope);
    ty_gp_acquisition_clear(&a);
    ty_ctx_clear(&ctx);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            r->U[i * 50 + j] = j >= i ? gp->U[i * gp->capacity + j] : 0;
            r->W[i * 50 + j] = j <= i ? gp->W[i * gp->capacity + j] : 0;
        }
}

static void every_level_has_the_same_bits(void **state) {
    (void)state;
    results *want = calloc(2, sizeof *want), *got = want + 1;
    assert_non_null(want);
    for (size_t n = 1; n <= 50; n += 7) {
        ty_ctx ctx;
        ty_gp gp;
        open_gp(&ctx, &gp, n);
        gp.loops = ty_gp_loops_at(0);
        compute(&gp, want);
        for (int level = 1; level < TY_EXACT_N_LEVELS; level++) {
            gp.loops = ty_gp_loops_at(level);
            if (!gp.loops)
                continue; /* this CPU lacks it; the levels below were compared */
            compute(&gp, got);
            assert_memory_equal(got, want, sizeof *want);
        }
        close_gp(&ctx, &gp);
    }
    free(want);
}

static void a_point_that_is_added_gives_the_bits_of_one_that_was_there(void **state) {
    (void)state;
    enum { N = 45 };
    for (size_t kept = 1; kept < N; kept += 3) {
        ty_ctx ctx, other;
        ty_gp whole, grown;
        open_gp(&ctx, &whole, N);
        open_gp(&other, &grown, N);
        ty_gp_factor(&whole, 0, N);
        ty_gp_factor(&grown, 0, kept);
        ty_gp_factor(&grown, kept, N);
        for (size_t i = 0; i < N; i++) {
            assert_memory_equal(whole.U + i * whole.capacity + i, grown.U + i * grown.capacity + i,
                                (N - i) * sizeof(double));
            assert_memory_equal(whole.W + i * whole.capacity, grown.W + i * grown.capacity,
                                (i + 1) * sizeof(double));
        }
        close_gp(&ctx, &whole);
        close_gp(&other, &grown);
    }
}

static void the_loss_has_the_slope_it_says(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_gp gp;
    open_gp(&ctx, &gp, 37);
    double theta[DIMS + TY_GP_EXTRA], gradient[DIMS + TY_GP_EXTRA], unused[DIMS + TY_GP_EXTRA];
    memcpy(theta, theta_0, sizeof theta);
    ty_gp_loss(&gp, theta, gradient);
    for (size_t i = 0; i < DIMS + TY_GP_EXTRA; i++) {
        const double h = 1e-5;
        theta[i] = theta_0[i] + h;
        const double up = ty_gp_loss(&gp, theta, unused);
        theta[i] = theta_0[i] - h;
        const double down = ty_gp_loss(&gp, theta, unused);
        theta[i] = theta_0[i];
        expect_near(gradient[i], (up - down) / (2 * h), 1e-6 * (1 + fabs(gradient[i])));
    }
    close_gp(&ctx, &gp);
}

static void a_fit_ends_where_the_loss_is_flat(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_gp gp;
    open_gp(&ctx, &gp, 60);
    double theta[DIMS + TY_GP_EXTRA], gradient[DIMS + TY_GP_EXTRA];
    ty_gp_default_theta(&gp, theta);
    const double before = ty_gp_loss(&gp, theta, gradient);
    assert_int_equal(ty_gp_fit(&ctx, &gp, theta), TY_OK);
    assert_true(ty_gp_loss(&gp, theta, gradient) < before);
    for (size_t i = 0; i < DIMS + TY_GP_EXTRA; i++)
        assert_true(fabs(gradient[i]) < 0.05);
    close_gp(&ctx, &gp);
}

/* With and without points under way. */
static void expect_slopes(size_t n_pending, size_t n_fantasies) {
    enum { N = 30 };
    ty_ctx ctx;
    ty_gp gp;
    open_gp(&ctx, &gp, N + n_pending);
    ty_gp_factor(&gp, 0, N + n_pending);
    ty_gp_whiten(&gp);
    double normals[64 * 5], at[DIMS * TY_GP_LANES], value[TY_GP_LANES];
    double slope[N_NUMBERS * TY_GP_LANES], up[TY_GP_LANES], down[TY_GP_LANES];
    for (size_t i = 0; i < 64 * 5; i++)
        normals[i] = 3 * (number(i + 9999) - 0.5);
    ty_gp_acquisition a;
    assert_int_equal(ty_gp_acquisition_init(&ctx, &a, &gp, -0.45, n_pending, n_fantasies, normals),
                     TY_OK);
    for (size_t i = 0; i < DIMS * TY_GP_LANES; i++)
        at[i] = i < N_NUMBERS * TY_GP_LANES ? number(i + 5555) : (double)(i % 3);
    ty_gp_acquire(&a, at, value, slope);
    for (size_t i = 0; i < N_NUMBERS * TY_GP_LANES; i++) {
        const double here = at[i], h = 1e-6;
        at[i] = here + h;
        ty_gp_acquire(&a, at, up, NULL);
        at[i] = here - h;
        ty_gp_acquire(&a, at, down, NULL);
        at[i] = here;
        const size_t lane = i % TY_GP_LANES;
        expect_near(slope[i], (up[lane] - down[lane]) / (2 * h), 1e-4 * (1 + fabs(slope[i])));
    }
    ty_gp_acquisition_clear(&a);
    close_gp(&ctx, &gp);
}

static void expected_improvement_has_the_slope_it_says(void **state) {
    (void)state;
    expect_slopes(0, 1);
    expect_slopes(1, 64);
    expect_slopes(5, 64);
}

/* phi(z) + z Phi(z) itself where that can be computed, its asymptote far out, and no step between. */
static void log_improvement_is_right_everywhere(void **state) {
    (void)state;
    double slope;
    for (double z = -5; z < 8; z += 0.37) {
        const double phi = exp(-0.5 * z * z) / sqrt(2 * M_PI), Phi = 0.5 * erfc(-z / sqrt(2));
        expect_near(ty_gp_log_ei(z, &slope), log(phi + z * Phi), 1e-9);
        expect_near(slope, Phi / (phi + z * Phi), 1e-7 * (1 + fabs(z)));
    }
    const double far = -1e5;
    expect_near(ty_gp_log_ei(far, &slope) / (-0.5 * far * far), 1, 1e-8);
    expect_near(slope / -far, 1, 1e-6);
    const double above = ty_gp_log_ei(-1e4 + 1e-6, &slope),
                 below = ty_gp_log_ei(-1e4 - 1e-6, &slope);
    expect_near(above - below, 2e-6 * 1e4, 1e-3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_compose_the_kernel_matrix),
        cmocka_unit_test(the_factor_has_the_bits_of_plain_loops),
        cmocka_unit_test(every_level_has_the_same_bits),
        cmocka_unit_test(a_point_that_is_added_gives_the_bits_of_one_that_was_there),
        cmocka_unit_test(the_loss_has_the_slope_it_says),
        cmocka_unit_test(a_fit_ends_where_the_loss_is_flat),
        cmocka_unit_test(expected_improvement_has_the_slope_it_says),
        cmocka_unit_test(log_improvement_is_right_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
