/* Pools against plain loops in double. Tolerance: a maximum is exact; an average sums at most 28 x
 * 28 numbers. */
#include "op_harness.h"

#include <math.h>

#include "kernels/layout.h"

typedef struct plane {
    const double *data;
    int64_t height, width;
} plane;

static double pool_at(const ty_pool2d_attrs *a, plane x, int64_t p, int64_t q) {
    double most = -INFINITY, sum = 0;
    int64_t n = 0;
    for (int64_t r = 0; r < (a->is_global ? x.height : a->kernel[0]); r++) {
        for (int64_t s = 0; s < (a->is_global ? x.width : a->kernel[1]); s++) {
            const int64_t h = a->is_global ? r : p * a->stride[0] + r - a->padding[0];
            const int64_t w = a->is_global ? s : q * a->stride[1] + s - a->padding[1];
            if (h < 0 || h >= x.height || w < 0 || w >= x.width)
                continue;
            most = fmax(most, x.data[h * x.width + w]);
            sum += x.data[h * x.width + w];
            n++;
        }
    }
    return a->is_max ? most : sum / (double)n;
}

static void reference(op_values *v) {
    const int64_t *x = v->of->x[0].shape.dims, *y = v->shapes->y.dims;
    double *out = v->y;
    for (int64_t i = 0; i < y[0] * y[1]; i++) {
        const plane of = {v->x[0] + i * x[2] * x[3], x[2], x[3]};
        for (int64_t p = 0; p < y[2]; p++)
            for (int64_t q = 0; q < y[3]; q++)
                *out++ = pool_at(v->of->attrs, of, p, q);
    }
}

static op_case case_of(const char *name, ty_shape x, const ty_pool2d_attrs *attrs) {
    return (op_case){.name = name,
                     .id = TY_OP_POOL2D,
                     .attrs = attrs,
                     .x = {{.shape = x, .wants_dx = true}},
                     .tolerance_forward = 1e-6,
                     .tolerance_backward = 1e-6,
                     .reference = reference};
}

static ty_pool2d_attrs square(bool is_max, int64_t kernel, int64_t stride, int64_t padding) {
    return (ty_pool2d_attrs){.is_max = is_max,
                             .kernel = {kernel, kernel},
                             .stride = {stride, stride},
                             .padding = {padding, padding}};
}

static void check_both(const char *name, ty_shape x, ty_pool2d_attrs attrs) {
    for (int i = 0; i < 2; i++) {
        attrs.is_max = i == 0;
        const op_case c = case_of(name, x, &attrs);
        op_check(&c);
    }
}

static void max_and_average_pools_take_each_window(void **state) {
    (void)state;
    check_both("2x2", SHAPE(2, 16, 8, 8), square(true, 2, 2, 0));
    check_both("3x3 stride 2 padding 1", SHAPE(2, 8, 9, 7), square(true, 3, 2, 1));
    check_both("overlapping 3x3 stride 1", SHAPE(2, 5, 6, 6), square(true, 3, 1, 0));
}

static void odd_sizes_drop_what_no_window_covers(void **state) {
    (void)state;
    check_both("2x2 on 7x5", SHAPE(3, 3, 7, 5), square(true, 2, 2, 0));
    check_both("1x1 on 1x1", SHAPE(1, 1, 1, 1), square(true, 1, 1, 0));
    check_both("2x3 stride 3x2", SHAPE(2, 3, 8, 9),
               (ty_pool2d_attrs){.kernel = {2, 3}, .stride = {3, 2}, .padding = {1, 2}});
}

static void a_global_pool_is_one_window(void **state) {
    (void)state;
    check_both("global", SHAPE(2, 16, 7, 7), (ty_pool2d_attrs){.is_global = true});
    check_both("global 28x28", SHAPE(2, 3, 28, 28), (ty_pool2d_attrs){.is_global = true});
}

static void inputs_may_come_in_any_layout(void **state) {
    (void)state;
    const void *layouts[] = {&ty_layout_blocked8, &ty_layout_blocked16, &ty_layout_channels_last};
    for (int i = 0; i < 3; i++) {
        for (int64_t channels = 16; channels <= 20; channels += 4) {
            for (int is_max = 0; is_max < 2; is_max++) {
                const ty_pool2d_attrs attrs = square(is_max != 0, 2, 2, 0);
                op_case c =
                    case_of("blocks of 8, 16, channels last", SHAPE(2, channels, 6, 6), &attrs);
                c.x[0].layout = layouts[i];
                op_check(&c);
            }
        }
    }
}

static void evaluation_keeps_no_indices(void **state) {
    (void)state;
    const ty_pool2d_attrs attrs = square(true, 2, 2, 0);
    op_case c = case_of("evaluation", SHAPE(2, 16, 8, 8), &attrs);
    c.is_inference = true;
    op_check(&c);
}

static void windows_that_fit_nowhere_are_refused(void **state) {
    (void)state;
    ty_pool2d_attrs attrs = square(true, 5, 1, 0);
    op_case c = case_of("refused", SHAPE(2, 3, 4, 4), &attrs);
    op_check_refused(&c, "does not fit");
    attrs = square(true, 2, 2, 2);
    op_check_refused(&c, "less than the kernel");
    attrs = square(true, 2, 0, 0);
    op_check_refused(&c, "stride");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_and_average_pools_take_each_window),
        cmocka_unit_test(odd_sizes_drop_what_no_window_covers),
        cmocka_unit_test(a_global_pool_is_one_window),
        cmocka_unit_test(inputs_may_come_in_any_layout),
        cmocka_unit_test(evaluation_keeps_no_indices),
        cmocka_unit_test(windows_that_fit_nowhere_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
