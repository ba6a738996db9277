/* Batch normalisation against its definition in double. Tolerance: the mean of n numbers errs like
 * 2^-24 sqrt(n), and 1 / sqrt(variance) multiplies it; variances here are near 1/3. */
#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"
#include "op_bench.h"

/* Channel c of a [B, C, S] value: element (n, s) is data[n * step + s]. */
typedef struct channel {
    double *x, *y;
    int64_t batch, plane, step;
} channel;

static double mean_of(channel of) {
    double sum = 0;
    for (int64_t n = 0; n < of.batch; n++)
        for (int64_t s = 0; s < of.plane; s++)
            sum += of.x[n * of.step + s];
    return sum / (double)(of.batch * of.plane);
}

static double variance_of(channel of, double mean) {
    double sum = 0;
    for (int64_t n = 0; n < of.batch; n++)
        for (int64_t s = 0; s < of.plane; s++)
            sum += pow(of.x[n * of.step + s] - mean, 2);
    return sum / (double)(of.batch * of.plane);
}

typedef struct line {
    double mean, factor, shift;
    bool has_relu;
} line;

static void normalize(channel of, line by) {
    for (int64_t n = 0; n < of.batch; n++) {
        for (int64_t s = 0; s < of.plane; s++) {
            const double y = (of.x[n * of.step + s] - by.mean) * by.factor + by.shift;
            of.y[n * of.step + s] = by.has_relu && y < 0 ? 0 : y;
        }
    }
}

static void reference(op_values *v) {
    const ty_batch_norm_attrs *a = v->of->attrs;
    const ty_shape x = v->of->x[0].shape;
    const int64_t plane = x.rank == 4 ? x.dims[2] * x.dims[3] : 1;
    const double count = (double)(x.dims[0] * plane);
    for (int64_t c = 0; c < x.dims[1]; c++) {
        const channel of = {v->x[0] + c * plane, v->y + c * plane, x.dims[0], plane,
                            x.dims[1] * plane};
        double mean = v->stat[0][c], variance = v->stat[1][c];
        if (!v->of->is_inference) {
            mean = mean_of(of);
            variance = variance_of(of, mean);
            v->batch_stat[0][c] = mean;
            v->batch_stat[1][c] = count > 1 ? variance * count / (count - 1) : variance;
        }
        const double factor = v->param[0][c] / sqrt(variance + a->epsilon);
        normalize(of, (line){mean, factor, v->param[1][c], a->has_relu});
    }
}

static op_case case_of(const char *name, ty_shape x, const ty_batch_norm_attrs *attrs) {
    return (op_case){.name = name,
                     .id = TY_OP_BATCH_NORM,
                     .attrs = attrs,
                     .x = {{.shape = x, .wants_dx = true}},
                     .tolerance_forward = 4e-6,
                     .tolerance_backward = 1e-5,
                     .reference = reference};
}

static const ty_batch_norm_attrs plain = {.epsilon = 1e-5};
static const ty_batch_norm_attrs with_relu = {.epsilon = 1e-5, .has_relu = true};

static void check_both(const char *name, ty_shape x) {
    op_case c = case_of(name, x, &plain);
    op_check(&c);
    c.attrs = &with_relu;
    op_check(&c);
}

static void images_are_normalised_by_channel(void **state) {
    (void)state;
    check_both("16 channels", SHAPE(4, 16, 7, 7));
    check_both("1 channel", SHAPE(2, 1, 5, 5));
    check_both("20 channels", SHAPE(3, 20, 5, 4));
    check_both("several blocks of rows", SHAPE(13, 8, 13, 7));
    check_both("several blocks of rows of a wide vector", SHAPE(70, 256));
}

/* --- many rows -------------------------------------------------------------------------------- */

/* More blocks than a small GPU runs at once, and channels that no vector fits; in one call, because
 * the harness makes many. */
enum { MANY_ROWS = 43003, N_CHANNELS = 5, N_MANY = MANY_ROWS * N_CHANNELS };

typedef struct many {
    float x[N_MANY], dy[N_MANY], y[N_MANY], dx[N_MANY]; /* x and dy as the device rounds them */
    float mean[N_CHANNELS], variance[N_CHANNELS], d_gamma[N_CHANNELS], d_beta[N_CHANNELS];
    double rounding; /* of what the device stores */
} many;

static const float gammas[N_CHANNELS] = {1, 0.5F, 2, -1, 1.5F};
static const float betas[N_CHANNELS] = {0, 1, -0.5F, 0.25F, 0.125F};

static void run_many(many *m) {
    bench b;
    bench_open(&b);
    const ty_shape shape = SHAPE(MANY_ROWS, N_CHANNELS), channels = SHAPE(N_CHANNELS);
    ty_op_args args = {.id = TY_OP_BATCH_NORM,
                       .attrs = &plain,
                       .is_training = true,
                       .wants_dx = {true},
                       .x = {bench_put(&b, shape, m->x)},
                       .y = bench_put(&b, shape, NULL),
                       .d_x = {bench_put(&b, shape, NULL)},
                       .d_y = bench_put(&b, shape, m->dy)};
    args.param[0] = bench_put_raw(&b, channels, TY_DTYPE_F32, gammas);
    args.param[1] = bench_put_raw(&b, channels, TY_DTYPE_F32, betas);
    for (int i = 0; i < 2; i++) {
        args.d_param[i] = bench_put_raw(&b, channels, TY_DTYPE_F32, NULL);
        args.batch_stat[i] = bench_put_raw(&b, channels, TY_DTYPE_F32, NULL);
    }
    bench_prepare(&b, &args);
    bench_forward(&b, &args);
    bench_backward(&b, &args);
    bench_get(&b, &args.x[0], m->x);
    bench_get(&b, &args.d_y, m->dy);
    bench_get(&b, &args.y, m->y);
    bench_get(&b, &args.d_x[0], m->dx);
    bench_get(&b, &args.batch_stat[0], m->mean);
    bench_get(&b, &args.batch_stat[1], m->variance);
    bench_get(&b, &args.d_param[0], m->d_gamma);
    bench_get(&b, &args.d_param[1], m->d_beta);
    m->rounding = 2 * bench_rounding(&b); /* relative, at the lower end of a power of two */
    bench_release(&b, &args);
    bench_close(&b);
}

static void expect_near(const char *what, int64_t i, float got, double want, double allowed) {
    if (!(fabs((double)got - want) <= allowed))
        fail_msg("%s %lld is %.9g, want %.9g within %.3g", what, (long long)i, (double)got, want,
                 allowed);
}

/* Statistics that a CPU sums in float are off by some 1e-6, a deviation of 0.29 and gamma multiply that. */
static void expect_rows(const many *m, int c, double mean, double inverse) {
    double sum = 0, product = 0;
    for (int64_t i = c; i < N_MANY; i += N_CHANNELS) {
        sum += (double)m->dy[i];
        product += (double)m->dy[i] * ((double)m->x[i] - mean) * inverse;
    }
    /* Sums of MANY_ROWS numbers below 2, eight of them in float. */
    expect_near("d_beta", c, m->d_beta[c], sum, 1e-6 * MANY_ROWS);
    expect_near("d_gamma", c, m->d_gamma[c], product, 1e-6 * MANY_ROWS);
    for (int64_t i = c; i < N_MANY; i += N_CHANNELS) {
        const double hat = ((double)m->x[i] - mean) * inverse;
        const double gamma = (double)gammas[c];
        const double y = hat * gamma + (double)betas[c];
        const double dx =
            gamma * inverse * ((double)m->dy[i] - sum / MANY_ROWS - hat * product / MANY_ROWS);
        expect_near("y", i, m->y[i], y, 5e-5 + m->rounding * fabs(y));
        expect_near("d_x", i, m->dx[i], dx, 5e-5 + m->rounding * fabs(dx));
    }
}

static void many_rows_are_normalised_by_column(void **state) {
    (void)state;
    many *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (int64_t i = 0; i < N_MANY; i++) {
        m->x[i] = (float)(i * 7919 % 4093) / 4093 - 0.3F * (float)(i % N_CHANNELS);
        m->dy[i] = (float)(i * 6101 % 2039) / 1024 - 1;
    }
    run_many(m);
    for (int c = 0; c < N_CHANNELS; c++) {
        double mean = 0, squares = 0;
        for (int64_t i = c; i < N_MANY; i += N_CHANNELS)
            mean += (double)m->x[i] / MANY_ROWS;
        for (int64_t i = c; i < N_MANY; i += N_CHANNELS)
            squares += pow((double)m->x[i] - mean, 2);
        expect_near("mean", c, m->mean[c], mean, 4e-6);
        expect_near("variance", c, m->variance[c], squares / (MANY_ROWS - 1), 4e-6);
        expect_rows(m, c, mean, 1 / sqrt(squares / MANY_ROWS + plain.epsilon));
    }
    free(m);
}

/* ---------------------------------------------------------------------------------------------- */

static void rows_are_normalised_by_column(void **state) {
    (void)state;
    check_both("8 x 16", SHAPE(8, 16));
    check_both("33 x 5", SHAPE(33, 5));
    check_both("64 x 130", SHAPE(64, 130));
    check_both("33 x 264", SHAPE(33, 264)); /* more columns than a block has */
}

/* Sums of squares would lose all digits of the variance; what is left of them is lost by the mean,
 * which is a float. */
static void values_far_from_zero_keep_their_variance(void **state) {
    (void)state;
    op_case c = case_of("between 60 and 61", SHAPE(6, 16, 9, 5), &plain);
    c.x[0].low = 60;
    c.x[0].high = 61;
    c.tolerance_forward = 2e-5;
    c.tolerance_backward = 5e-5;
    op_check(&c);
}

static void a_single_sample_gives_the_shift(void **state) {
    (void)state;
    const op_case odd = case_of("1 x 6", SHAPE(1, 6), &plain);
    const op_case four = case_of("1 x 12", SHAPE(1, 12), &plain);
    const op_case eight = case_of("1 x 24", SHAPE(1, 24), &plain);
    op_check(&odd);
    op_check(&four);
    op_check(&eight);
}

static void inputs_may_come_in_any_layout(void **state) {
    (void)state;
    const void *layouts[] = {&ty_layout_blocked8, &ty_layout_blocked16, &ty_layout_channels_last};
    for (int i = 0; i < 3; i++) {
        for (int64_t channels = 16; channels <= 20; channels += 4) {
            op_case c =
                case_of("blocks of 8, 16, channels last", SHAPE(2, channels, 6, 6), &with_relu);
            c.x[0].layout = layouts[i];
            op_check(&c);
        }
    }
}

static void the_first_layer_computes_no_input_gradient(void **state) {
    (void)state;
    op_case c = case_of("no d_x", SHAPE(4, 16, 5, 5), &with_relu);
    c.x[0].wants_dx = false;
    op_check(&c);
}

static void evaluation_uses_the_running_statistics(void **state) {
    (void)state;
    op_case c = case_of("evaluation", SHAPE(4, 16, 5, 5), &with_relu);
    c.is_inference = true;
    op_check(&c);
    c = case_of("evaluation of rows", SHAPE(4, 10), &plain);
    c.is_inference = true;
    op_check(&c);
}

static void wrong_shapes_are_refused(void **state) {
    (void)state;
    op_case c = case_of("refused", SHAPE(4, 16, 5), &plain);
    op_check_refused(&c, "want 2 or 4 dimensions");
    const ty_batch_norm_attrs bad = {.epsilon = 0};
    c = case_of("refused", SHAPE(4, 16), &bad);
    op_check_refused(&c, "epsilon");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_normalised_by_channel),
        cmocka_unit_test(many_rows_are_normalised_by_column),
        cmocka_unit_test(rows_are_normalised_by_column),
        cmocka_unit_test(values_far_from_zero_keep_their_variance),
        cmocka_unit_test(a_single_sample_gives_the_shift),
        cmocka_unit_test(inputs_may_come_in_any_layout),
        cmocka_unit_test(the_first_layer_computes_no_input_gradient),
        cmocka_unit_test(evaluation_uses_the_running_statistics),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
