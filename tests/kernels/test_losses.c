/* Softmax cross-entropy and mean squared error against references in double, and what they make of
 * extremes. */
#include "op_bench.h"
#include "op_harness.h"

#include <math.h>
#include <stdlib.h>

static void xent_row_reference(const ty_softmax_xent_attrs *a, const double *x, int64_t n,
                               int64_t target, double row[TY_LOSS_ROW]) {
    double max = x[0], sum = 0, loss = 0;
    int64_t predicted = 0, rank = 0;
    for (int64_t k = 1; k < n; k++)
        if (x[k] > max)
            max = x[predicted = k];
    for (int64_t k = 0; k < n; k++)
        sum += exp(x[k] - max);
    for (int64_t k = 0; k < n; k++) {
        const double wanted =
            (k == target ? 1 - a->label_smoothing : 0) + a->label_smoothing / (double)n;
        loss -= wanted > 0 ? wanted * (x[k] - max - log(sum)) : 0;
        rank += x[k] > x[target] || (x[k] == x[target] && k < target);
    }
    row[0] = loss;
    row[1] = (double)predicted;
    row[2] = 1 / sum;
    row[3] = (double)rank;
}

static void xent_reference(op_values *v) {
    const ty_softmax_xent_attrs *a = v->of->attrs;
    const int64_t n = v->of->x[0].shape.dims[1];
    for (int64_t i = 0; i < v->shapes->y.dims[0]; i++) {
        const int64_t target = (int64_t)v->x[1][i];
        double *row = v->y + i * TY_LOSS_ROW;
        if (a->ignore_index != INT32_MIN && target == a->ignore_index) {
            row[0] = row[2] = row[3] = 0;
            row[1] = -1;
        } else {
            xent_row_reference(a, v->x[0] + i * n, n, target, row);
        }
    }
}

/* On a GPU a row is summed in f32: of n numbers a lane takes n / 32, up to 1024, then n / 256, and
 * joins its sum to others' 8 times at most. Each addition, and each correction by an exponential
 * within 2 ulp, errs by half an ulp: in the worst case half an ulp of f32 for each of them. The loss
 * takes that from log s, which shifts it by as much, and 8 more for the logarithm and what follows. */
static double gpu_bound(int64_t n) {
    const int64_t lanes = n > 1024 ? 256 : 32;
    return (double)((n + lanes - 1) / lanes + 2 * 8 + 8) * 0x1p-24;
}

static op_case xent_case(const ty_softmax_xent_attrs *attrs, int64_t n_rows, int64_t n_classes,
                         double width) {
    return (op_case){.name = "softmax_xent",
                     .id = TY_OP_SOFTMAX_XENT,
                     .attrs = attrs,
                     .x = {{TY_DTYPE_F32, SHAPE(n_rows, n_classes), NULL, true, -width, width},
                           {TY_DTYPE_I32, SHAPE(n_rows), NULL, false, 0, (double)n_classes},
                           {TY_DTYPE_F32, SHAPE(n_rows), NULL, false, 0.25, 2}},
                     .is_loss = true,
                     .seed = (uint64_t)n_classes,
                     .tolerance_forward = 3e-7,
                     .tolerance_backward = 5e-7,
                     .gpu_forward = gpu_bound(n_classes),
                     .gpu_backward = gpu_bound(n_classes),
                     .reference = xent_reference};
}

static void check_xent(int64_t n_rows, int64_t n_classes, double smoothing, int32_t ignore_index,
                       double width) {
    const ty_softmax_xent_attrs attrs = {.label_smoothing = smoothing,
                                         .ignore_index = ignore_index};
    const op_case c = xent_case(&attrs, n_rows, n_classes, width);
    op_check(&c);
}

static void cross_entropy_agrees_with_its_definition(void **state) {
    (void)state;
    const int64_t classes[] = {1,  2,  3,   10,   15,   16,   17,   31,
                               32, 33, 100, 1000, 1023, 1024, 1025, 2100};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        check_xent(5, classes[i], 0, INT32_MIN, 4);
    check_xent(64, 10, 0, INT32_MIN, 1);
    check_xent(1, 7, 0, INT32_MIN, 1);
    check_xent(257, 13, 0, INT32_MIN, 2);
}

static void cross_entropy_smooths_labels(void **state) {
    (void)state;
    check_xent(7, 10, 0.1, INT32_MIN, 3);
    check_xent(7, 33, 0.5, INT32_MIN, 3);
    check_xent(7, 1025, 0.01, INT32_MIN, 3);
}

static void cross_entropy_ignores_one_label(void **state) {
    (void)state;
    check_xent(64, 3, 0, 1, 3);
    check_xent(64, 3, 0.2, 0, 3);
}

static void every_other_target_is_1(op_values *v) {
    for (int64_t i = 0; i < v->of->x[1].shape.dims[0]; i += 2)
        v->x[1][i] = 1;
}

static void cross_entropy_ignores_one_label_of_many(void **state) {
    (void)state;
    const ty_softmax_xent_attrs attrs = {.ignore_index = 1};
    op_case c = xent_case(&attrs, 5, 1027, 3);
    c.adjust = every_other_target_is_1;
    op_check(&c);
}

static void losses_are_told_in_evaluation(void **state) {
    (void)state;
    const ty_softmax_xent_attrs attrs = {.ignore_index = 1};
    const int64_t classes[] = {10, 1027};
    for (int i = 0; i < 2; i++) {
        op_case c = xent_case(&attrs, 5, classes[i], 3);
        c.adjust = every_other_target_is_1;
        c.is_inference = true;
        op_check(&c);
    }
}

static void cross_entropy_refuses_what_does_not_fit(void **state) {
    (void)state;
    ty_softmax_xent_attrs attrs = {.label_smoothing = 0, .ignore_index = INT32_MIN};
    op_case c = {.name = "misfit",
                 .id = TY_OP_SOFTMAX_XENT,
                 .attrs = &attrs,
                 .x = {{TY_DTYPE_F32, SHAPE(4, 3), NULL, false, 0, 0},
                       {TY_DTYPE_I32, SHAPE(5), NULL, false, 0, 0},
                       {TY_DTYPE_F32, SHAPE(4), NULL, false, 0, 0}}};
    op_check_refused(&c, "target i32 [5]");
    c.x[1].shape = SHAPE(4);
    c.x[1].dtype = TY_DTYPE_F32;
    op_check_refused(&c, "want [B, K], i32 [B], f32 [B]");
    c.x[0].shape = SHAPE(4, 3, 2);
    op_check_refused(&c, "want 2 dimensions");
    attrs.label_smoothing = 1;
    op_check_refused(&c, "label_smoothing is 1");
}

/* --- extremes: called as the plan calls it ---------------------------------------------------- */

enum { MAX_ROWS = 4, MAX_CLASSES = 1040, FEW = 20 };

typedef struct xent_call {
    ty_softmax_xent_attrs attrs;
    int64_t n_rows, n_classes;
    float x[MAX_ROWS * MAX_CLASSES];
    int32_t target[MAX_ROWS];
    float weight[MAX_ROWS];
    float y[MAX_ROWS * TY_LOSS_ROW];
    float dx[MAX_ROWS * MAX_CLASSES];
} xent_call;

/* Answers how far a gradient may be off for its type's sake. */
static double run_xent(xent_call *c) {
    bench b;
    bench_open(&b);
    const ty_shape logits = SHAPE(c->n_rows, c->n_classes), rows = SHAPE(c->n_rows);
    ty_op_args args = {.id = TY_OP_SOFTMAX_XENT,
                       .attrs = &c->attrs,
                       .is_training = true,
                       .wants_dx = {true},
                       .x = {bench_put(&b, logits, c->x),
                             bench_put_raw(&b, rows, TY_DTYPE_I32, c->target),
                             bench_put_raw(&b, rows, TY_DTYPE_F32, c->weight)},
                       .d_x = {bench_put(&b, logits, NULL)},
                       .y = bench_put_raw(&b, SHAPE(c->n_rows, TY_LOSS_ROW), TY_DTYPE_F32, NULL)};
    bench_prepare(&b, &args);
    bench_forward(&b, &args);
    bench_backward(&b, &args);
    bench_get(&b, &args.y, c->y);
    bench_get(&b, &args.d_x[0], c->dx);
    bench_release(&b, &args);
    const double rounding = bench_rounding(&b);
    bench_close(&b);
    return rounding;
}

static void huge_logits_give_finite_losses_and_gradients(void **state) {
    (void)state;
    xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                   .n_rows = 3,
                   .n_classes = 3,
                   .x = {9984, -9984, 0, -9984, -9984, -9984, 0x1.fep127F, -0x1.fep127F, 0},
                   .target = {1, 2, 0},
                   .weight = {1, 1, 1}};
    const double rounding = run_xent(&c);
    assert_true(c.y[0] == 19968);
    assert_true(fabs((double)c.y[4] - log(3)) < 2e-7);
    assert_true(c.y[8] == 0);
    const float want[] = {1, -1, 0};
    for (int k = 0; k < 3; k++)
        assert_true(c.dx[k] == want[k]);
    for (int k = 3; k < 6; k++)
        assert_true(fabs((double)c.dx[k] - (k == 5 ? -2.0 / 3 : 1.0 / 3)) < 1e-7 + rounding);
    for (int k = 6; k < 9; k++)
        assert_true(c.dx[k] == 0);
}

/* A masked class: probability 0, gradient 0; as the target its loss is infinite and the health
 * check sees it. */
static void minus_infinity_masks_a_class(void **state) {
    (void)state;
    xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                   .n_rows = 2,
                   .n_classes = 3,
                   .x = {0, -INFINITY, 0, 0, -INFINITY, 0},
                   .target = {0, 1},
                   .weight = {1, 1}};
    (void)run_xent(&c);
    assert_true(fabs((double)c.y[0] - log(2)) < 1e-7);
    assert_true(c.dx[1] == 0 && c.dx[0] == -0.5F && c.dx[2] == 0.5F);
    assert_true(isinf(c.y[4]) && c.y[4] > 0);
    assert_true(c.y[7] == 2);
}

static void a_nan_among_logits_makes_the_loss_nan(void **state) {
    (void)state;
    for (int at = 0; at < FEW; at++) {
        xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                       .n_rows = 1,
                       .n_classes = at % 4 ? FEW : MAX_CLASSES,
                       .target = {3},
                       .weight = {1}};
        c.x[at] = at % 2 ? NAN : -NAN;
        (void)run_xent(&c);
        assert_true(isnan(c.y[0]));
        for (int k = 0; k < c.n_classes; k++)
            assert_true(isnan(c.dx[k]));
    }
}

static void a_row_of_nan_predicts_a_class_that_exists(void **state) {
    (void)state;
    for (int n = 1; n <= MAX_CLASSES; n += n < FEW ? 1 : MAX_CLASSES - FEW) {
        xent_call c = {
            .attrs = {.ignore_index = INT32_MIN}, .n_rows = 1, .n_classes = n, .weight = {1}};
        for (int k = 0; k < n; k++)
            c.x[k] = -NAN;
        (void)run_xent(&c);
        assert_true(isnan(c.y[0]) && c.y[1] == 0);
    }
}

static void ties_go_to_the_smaller_index(void **state) {
    (void)state;
    xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                   .n_rows = 2,
                   .n_classes = 5,
                   .x = {1, 2, 2, 2, 0, 1, 1, 1, 1, 1},
                   .target = {3, 0},
                   .weight = {1, 1}};
    (void)run_xent(&c);
    assert_true(c.y[1] == 1 && c.y[3] == 2);
    assert_true(c.y[5] == 0 && c.y[7] == 0 && c.y[6] == 0.2F);
}

static void ties_in_a_long_row_go_to_the_smaller_index(void **state) {
    (void)state;
    xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                   .n_rows = 1,
                   .n_classes = MAX_CLASSES,
                   .target = {513},
                   .weight = {1}};
    c.x[70] = c.x[513] = c.x[1030] = 2;
    (void)run_xent(&c);
    assert_true(c.y[1] == 70 && c.y[3] == 1);
}

static void a_target_out_of_range_reads_nothing_and_poisons_the_step(void **state) {
    (void)state;
    const int32_t targets[] = {-1, 3, MAX_CLASSES, INT32_MAX, INT32_MIN, -7};
    for (int i = 0; i < 6; i++) {
        xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                       .n_rows = 1,
                       .n_classes = i % 2 ? 3 : MAX_CLASSES,
                       .weight = {1}};
        c.target[0] = targets[i];
        (void)run_xent(&c);
        assert_true(isnan(c.y[0]) && c.y[1] == -1);
        for (int k = 0; k < c.n_classes; k++)
            assert_true(isnan(c.dx[k]));
    }
}

static void a_sample_of_weight_zero_has_no_gradient_whatever_it_holds(void **state) {
    (void)state;
    xent_call c = {.attrs = {.ignore_index = INT32_MIN},
                   .n_rows = 2,
                   .n_classes = 3,
                   .x = {NAN, INFINITY, 0, 1, 2, 3},
                   .target = {0, 99},
                   .weight = {0, 0}};
    (void)run_xent(&c);
    for (int k = 0; k < 6; k++)
        assert_true(c.dx[k] == 0);
}

/* --- mse -------------------------------------------------------------------------------------- */

static void mse_reference(op_values *v) {
    const int64_t n = v->of->x[0].shape.dims[1];
    for (int64_t i = 0; i < v->shapes->y.dims[0]; i++) {
        double *row = v->y + i * TY_LOSS_ROW;
        row[0] = row[2] = row[3] = 0;
        row[1] = v->x[0][i * n];
        for (int64_t k = i * n; k < (i + 1) * n; k++) {
            row[0] += (v->x[0][k] - v->x[1][k]) * (v->x[0][k] - v->x[1][k]) / (double)n;
            row[2] += fabs(v->x[0][k] - v->x[1][k]) / (double)n;
        }
    }
}

static op_case mse_case(int64_t n_rows, int64_t n) {
    static const ty_mse_attrs attrs = {0};
    return (op_case){.name = "mse",
                     .id = TY_OP_MSE,
                     .attrs = &attrs,
                     .x = {{TY_DTYPE_F32, SHAPE(n_rows, n), NULL, true, -3, 3},
                           {TY_DTYPE_F32, SHAPE(n_rows, n), NULL, false, -3, 3},
                           {TY_DTYPE_F32, SHAPE(n_rows), NULL, false, 0, 2}},
                     .is_loss = true,
                     .tolerance_forward = 2e-7,
                     .tolerance_backward = 3e-7,
                     .gpu_forward = gpu_bound(n),
                     .reference = mse_reference};
}

static void squared_error_agrees_with_its_definition(void **state) {
    (void)state;
    const int64_t outputs[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 100, 1000, 1023, 1024, 1025, 2051};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        const op_case c = mse_case(6, outputs[i]);
        op_check(&c);
    }
}

static void drop_a_weight(op_values *v) {
    v->x[2][1] = 0;
}

static void squared_error_of_weight_zero_has_no_gradient(void **state) {
    (void)state;
    op_case c = mse_case(3, 5);
    c.adjust = drop_a_weight;
    op_check(&c);
}

static void squared_error_refuses_unequal_shapes(void **state) {
    (void)state;
    op_case c = mse_case(3, 5);
    c.x[1].shape = SHAPE(3, 4);
    op_check_refused(&c, "prediction [3, 5], target [3, 4]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_agrees_with_its_definition),
        cmocka_unit_test(cross_entropy_smooths_labels),
        cmocka_unit_test(cross_entropy_ignores_one_label),
        cmocka_unit_test(cross_entropy_ignores_one_label_of_many),
        cmocka_unit_test(losses_are_told_in_evaluation),
        cmocka_unit_test(cross_entropy_refuses_what_does_not_fit),
        cmocka_unit_test(huge_logits_give_finite_losses_and_gradients),
        cmocka_unit_test(minus_infinity_masks_a_class),
        cmocka_unit_test(a_nan_among_logits_makes_the_loss_nan),
        cmocka_unit_test(a_row_of_nan_predicts_a_class_that_exists),
        cmocka_unit_test(ties_go_to_the_smaller_index),
        cmocka_unit_test(ties_in_a_long_row_go_to_the_smaller_index),
        cmocka_unit_test(a_target_out_of_range_reads_nothing_and_poisons_the_step),
        cmocka_unit_test(a_sample_of_weight_zero_has_no_gradient_whatever_it_holds),
        cmocka_unit_test(squared_error_agrees_with_its_definition),
        cmocka_unit_test(squared_error_of_weight_zero_has_no_gradient),
        cmocka_unit_test(squared_error_refuses_unequal_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
