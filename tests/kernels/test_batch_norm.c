/* Batch normalisation against its definition in double. Tolerance: the mean of n numbers errs like
 * 2^-24 sqrt(n), and 1 / sqrt(variance) multiplies it; variances here are near 1/3. */
#include "op_harness.h"

#include <math.h>

#include "kernels/layout.h"

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
}

static void rows_are_normalised_by_column(void **state) {
    (void)state;
    check_both("8 x 16", SHAPE(8, 16));
    check_both("33 x 5", SHAPE(33, 5));
    check_both("64 x 130", SHAPE(64, 130));
}

static void a_single_sample_gives_the_shift(void **state) {
    (void)state;
    const op_case c = case_of("1 x 6", SHAPE(1, 6), &plain);
    op_check(&c);
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
        cmocka_unit_test(rows_are_normalised_by_column),
        cmocka_unit_test(a_single_sample_gives_the_shift),
        cmocka_unit_test(inputs_may_come_in_any_layout),
        cmocka_unit_test(the_first_layer_computes_no_input_gradient),
        cmocka_unit_test(evaluation_uses_the_running_statistics),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
