/* Pools against plain loops in double. Tolerance: a maximum is exact; an average sums at most 28 x
 * 28 numbers. */
#include "op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"
#include "op_rig.h"

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
    check_both("4x4 of 8 channels", SHAPE(1, 8, 9, 9), square(true, 4, 2, 0));
    check_both("4x4 of 5 channels", SHAPE(1, 5, 9, 9), square(true, 4, 2, 1));
}

/* Each number once a plane of 331 elements, exactly in bf16 too: equal maxima have no derivative. */
static void use_each_number_once(op_values *v) {
    const int64_t n = ty_shape_count(v->of->x[0].shape);
    const int64_t plane_size = v->of->x[0].shape.dims[2] * v->of->x[0].shape.dims[3];
    assert_true(plane_size < 331);
    for (int64_t i = 0; i < n; i++)
        v->x[0][i] = (double)((i % plane_size * 37 + i / plane_size) % 331 - 165) / 64;
}

static void check_large(const char *name, ty_shape x, ty_pool2d_attrs attrs) {
    for (int i = 0; i < 2; i++) {
        attrs.is_max = i == 0;
        op_case c = case_of(name, x, &attrs);
        c.adjust = use_each_number_once;
        op_check(&c);
    }
}

static void large_windows_are_shared_out(void **state) {
    (void)state;
    check_large("9x9 stride 2 padding 4", SHAPE(1, 16, 11, 10), square(true, 9, 2, 4));
    check_large("9x9 of 6 channels", SHAPE(1, 6, 11, 10), square(true, 9, 1, 0));
    check_large("global, more channels than a block has", SHAPE(1, 136, 8, 8),
                (ty_pool2d_attrs){.is_global = true});
    check_large("global, more than 256 elements", SHAPE(2, 8, 19, 17),
                (ty_pool2d_attrs){.is_global = true});
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

/* --- ties ------------------------------------------------------------------------------------- */

/* Few levels, so that every window has several maxima. */
static void use_few_levels(op_values *v) {
    const int64_t n = ty_shape_count(v->of->x[0].shape);
    for (int64_t i = 0; i < n; i++)
        v->x[0][i] = (double)(i * i % 11 / 4);
}

/* What the first maximum of each window gets, windows and their elements in order. */
static void first_maxima(const op_values *v, const double *d_y, double *d_x) {
    const ty_pool2d_attrs *a = v->of->attrs;
    const int64_t *x = v->of->x[0].shape.dims, *y = v->shapes->y.dims;
    for (int64_t i = 0; i < y[0] * y[1] * y[2] * y[3]; i++) {
        const int64_t p = i / y[3] % y[2], q = i % y[3];
        const double *of = v->x[0] + i / (y[2] * y[3]) * x[2] * x[3];
        const double most = pool_at(a, (plane){of, x[2], x[3]}, p, q);
        const int64_t top = a->is_global ? 0 : p * a->stride[0] - a->padding[0];
        const int64_t left = a->is_global ? 0 : q * a->stride[1] - a->padding[1];
        int64_t h = top > 0 ? top : 0, w = left > 0 ? left : 0;
        while (of[h * x[3] + w] != most) {
            const int64_t right = a->is_global ? x[3] : left + a->kernel[1];
            if (++w == (right < x[3] ? right : x[3])) {
                w = left > 0 ? left : 0;
                h++;
            }
        }
        d_x[of - v->x[0] + h * x[3] + w] += d_y[i];
    }
}

static void expect_first_maxima(const op_case *c, const place *where, const op_values *v) {
    const int64_t n_x = ty_shape_count(c->x[0].shape), n_y = ty_shape_count(v->shapes->y);
    double *d_y = new_values(n_y), *want = new_values(n_x);
    rig r;
    for (int64_t i = 0; i < n_y; i++)
        d_y[i] = (double)(1 + i % 7);
    first_maxima(v, d_y, want);
    if (rig_open(c, where, v, d_y, false, &r) != TY_OK)
        fail_msg("%s: %s", where->text, r.ctx.message);
    const ty_op_impl *impl = ty_device_op(r.dev, c->id);
    assert_int_equal(impl->forward(&r.ctx, r.dev, &r.args), TY_OK);
    assert_int_equal(impl->backward(&r.ctx, r.dev, &r.args), TY_OK);
    double *got = load(&r, &r.args.d_x[0]);
    rig_close(&r);
    for (int64_t i = 0; i < n_x; i++)
        if (!(got[i] == want[i]))
            fail_msg("%s on %s: d_x %lld is %g, want %g", c->name, where->text, (long long)i,
                     got[i], want[i]);
    free(got);
    free(want);
    free(d_y);
}

static void check_ties(const char *name, ty_shape x, ty_pool2d_attrs attrs) {
    op_case c = case_of(name, x, &attrs);
    c.adjust = use_few_levels;
    ty_ctx ctx;
    ty_op_shapes shapes;
    op_values v;
    ty_ctx_init(&ctx);
    place where = {.device = op_test_device(&ctx, "cpu"), .precision = op_test_precision(&ctx)};
    const ty_tensor in = tensor_of(x, TY_DTYPE_F32, NULL);
    assert_int_equal(ty_ops[TY_OP_POOL2D].infer(&ctx, &attrs, &in, &shapes), TY_OK);
    values_open(&c, &shapes, where.precision, &v);
    use_few_levels(&v);
    for (int i = 0; i < 2; i++) {
        where.is_channels_last = i == 1;
        (void)snprintf(where.text, sizeof where.text, "%s%s", where.device,
                       i == 1 ? " channels last" : "");
        expect_first_maxima(&c, &where, &v);
    }
    values_close(&v);
    ty_ctx_clear(&ctx);
}

static void the_first_of_equal_maxima_gets_the_gradient(void **state) {
    (void)state;
    check_ties("2x2", SHAPE(2, 16, 8, 6), square(true, 2, 2, 0));
    check_ties("overlapping 3x3 padding 1", SHAPE(2, 5, 7, 7), square(true, 3, 1, 1));
    check_ties("8x8 padding 3", SHAPE(1, 8, 12, 11), square(true, 8, 4, 3));
    check_ties("more than a small GPU has threads", SHAPE(2, 5, 67, 67), square(true, 2, 2, 0));
    check_ties("global", SHAPE(2, 8, 17, 16), (ty_pool2d_attrs){.is_max = true, .is_global = true});
}

/* ---------------------------------------------------------------------------------------------- */

static void evaluation_keeps_no_indices(void **state) {
    (void)state;
    const ty_pool2d_attrs small = square(true, 2, 2, 0), large = square(true, 9, 1, 0);
    const ty_shape shapes[] = {SHAPE(1, 16, 11, 10), SHAPE(1, 6, 11, 10)};
    for (int i = 0; i < 4; i++) {
        op_case c = case_of("evaluation", shapes[i % 2], i < 2 ? &small : &large);
        c.is_inference = true;
        op_check(&c);
    }
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
        cmocka_unit_test(large_windows_are_shared_out),
        cmocka_unit_test(odd_sizes_drop_what_no_window_covers),
        cmocka_unit_test(a_global_pool_is_one_window),
        cmocka_unit_test(inputs_may_come_in_any_layout),
        cmocka_unit_test(the_first_of_equal_maxima_gets_the_gradient),
        cmocka_unit_test(evaluation_keeps_no_indices),
        cmocka_unit_test(windows_that_fit_nowhere_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
