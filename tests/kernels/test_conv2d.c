/* Convolutions against seven plain loops in double. Tolerance: sums of up to C R S = 288 products
 * forward, and of B P Q products in the weights' gradient, each rounded to 2^-24. */
#include "op_harness.h"

#include "kernels/layout.h"

typedef struct place {
    int64_t n, k, p, q; /* of the output */
} place;

static double at(const op_values *v, const place *to) {
    const ty_conv2d_attrs *a = v->of->attrs;
    const int64_t *x = v->of->x[0].shape.dims;
    const int64_t channels = x[1] / a->groups, first = to->k / (a->out / a->groups) * channels;
    double sum = a->has_bias ? v->param[1][to->k] : 0;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t r = 0; r < a->kernel[0]; r++) {
            for (int64_t s = 0; s < a->kernel[1]; s++) {
                const int64_t h = to->p * a->stride[0] + r - a->padding[0];
                const int64_t w = to->q * a->stride[1] + s - a->padding[1];
                if (h < 0 || h >= x[2] || w < 0 || w >= x[3])
                    continue;
                sum += v->x[0][((to->n * x[1] + first + c) * x[2] + h) * x[3] + w] *
                       v->param[0][((to->k * channels + c) * a->kernel[0] + r) * a->kernel[1] + s];
            }
        }
    }
    return a->activation == TY_ACT_RELU && sum < 0 ? 0 : sum;
}

static void reference(op_values *v) {
    const int64_t *y = v->shapes->y.dims;
    double *out = v->y;
    for (int64_t n = 0; n < y[0]; n++)
        for (int64_t k = 0; k < y[1]; k++)
            for (int64_t p = 0; p < y[2]; p++)
                for (int64_t q = 0; q < y[3]; q++)
                    *out++ = at(v, &(place){n, k, p, q});
}

static op_case case_of(const char *name, ty_shape x, const ty_conv2d_attrs *attrs) {
    return (op_case){.name = name,
                     .id = TY_OP_CONV2D,
                     .attrs = attrs,
                     .x = {{.shape = x, .wants_dx = true}},
                     .tolerance_forward = 2e-6,
                     .tolerance_backward = 4e-6,
                     .reference = reference};
}

static void check(const char *name, ty_shape x, ty_conv2d_attrs attrs) {
    const op_case c = case_of(name, x, &attrs);
    op_check(&c);
}

/* Square: out channels, kernel, stride, padding. */
static ty_conv2d_attrs square(int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
    return (ty_conv2d_attrs){.out = out,
                             .kernel = {kernel, kernel},
                             .stride = {stride, stride},
                             .padding = {padding, padding},
                             .groups = 1,
                             .has_bias = true};
}

static void a_convolution_slides_its_kernel(void **state) {
    (void)state;
    check("16 -> 32, 3x3", SHAPE(2, 16, 8, 8), square(32, 3, 1, 1));
    check("1 -> 16, 3x3", SHAPE(2, 1, 14, 14), square(16, 3, 1, 1));
    check("3 -> 16, 7x7 stride 2", SHAPE(2, 3, 17, 17), square(16, 7, 2, 3));
    check("16 -> 8, 1x1", SHAPE(2, 16, 5, 5), square(8, 1, 1, 0));
    check("32 -> 32, 1x1 stride 2", SHAPE(2, 32, 6, 6), square(32, 1, 2, 0));
}

static void odd_channels_and_sizes_are_right(void **state) {
    (void)state;
    check("1 -> 1, 1x1 on 1x1", SHAPE(1, 1, 1, 1), square(1, 1, 1, 0));
    check("5 -> 6, stride 2", SHAPE(3, 5, 7, 9), square(6, 3, 2, 1));
    check("12 -> 20", SHAPE(2, 12, 6, 5), square(20, 3, 1, 1));
    check("6 -> 16, 5x5", SHAPE(2, 6, 9, 9), square(16, 5, 1, 0));
    check("2 -> 3, 3x2 stride 1x2 padding 2x0", SHAPE(2, 2, 5, 6),
          (ty_conv2d_attrs){.out = 3,
                            .kernel = {3, 2},
                            .stride = {1, 2},
                            .padding = {2, 0},
                            .groups = 1,
                            .has_bias = true});
}

static void groups_see_only_their_own_channels(void **state) {
    (void)state;
    ty_conv2d_attrs attrs = square(32, 3, 1, 1);
    attrs.groups = 2;
    check("32 -> 32 in 2 groups", SHAPE(2, 32, 6, 6), attrs);
    attrs.groups = 32;
    check("32 -> 32 depthwise", SHAPE(2, 32, 6, 6), attrs);
    attrs = square(6, 3, 2, 1);
    attrs.groups = 3;
    check("9 -> 6 in 3 groups", SHAPE(2, 9, 7, 7), attrs);
}

static void a_fused_relu_is_applied_and_derived_from_the_output(void **state) {
    (void)state;
    ty_conv2d_attrs attrs = square(16, 3, 1, 1);
    attrs.activation = TY_ACT_RELU;
    check("relu", SHAPE(2, 16, 7, 7), attrs);
    attrs.out = 10;
    check("relu, padded channels", SHAPE(2, 4, 7, 7), attrs);
    attrs.has_bias = false;
    check("relu without bias", SHAPE(2, 4, 7, 7), attrs);
}

/* A bias gradient is the sum of more pixels than one block of a GPU sums. */
static void large_images_are_summed_whole(void **state) {
    (void)state;
    ty_conv2d_attrs attrs = square(16, 1, 1, 0);
    check("16 of 969 pixels", SHAPE(3, 1, 17, 19), attrs);
    attrs.activation = TY_ACT_RELU;
    check("relu, 16 of 969 pixels", SHAPE(3, 1, 17, 19), attrs);
    attrs.has_bias = false;
    check("relu without bias, 16 of 969 pixels", SHAPE(3, 1, 17, 19), attrs);
    attrs.out = 3;
    check("relu, 3 of 969 pixels", SHAPE(3, 1, 17, 19), attrs);
}

static void inputs_may_come_in_any_layout(void **state) {
    (void)state;
    const void *layouts[] = {&ty_layout_blocked8, &ty_layout_blocked16, &ty_layout_channels_last};
    for (int i = 0; i < 3; i++) {
        for (int64_t channels = 16; channels <= 20; channels += 4) {
            const ty_conv2d_attrs attrs = square(24, 3, 1, 1);
            op_case c = case_of("blocks of 8, 16, channels last", SHAPE(2, channels, 5, 6), &attrs);
            c.x[0].layout = layouts[i];
            op_check(&c);
        }
    }
}

static void the_first_layer_computes_no_input_gradient(void **state) {
    (void)state;
    const ty_conv2d_attrs attrs = square(16, 3, 1, 1);
    op_case c = case_of("no d_x", SHAPE(2, 1, 9, 9), &attrs);
    c.x[0].wants_dx = false;
    op_check(&c);
}

static void evaluation_needs_no_gradients(void **state) {
    (void)state;
    ty_conv2d_attrs attrs = square(16, 3, 1, 1);
    attrs.activation = TY_ACT_RELU;
    op_case c = case_of("evaluation", SHAPE(2, 3, 9, 9), &attrs);
    c.is_inference = true;
    op_check(&c);
}

static void wrong_shapes_are_refused(void **state) {
    (void)state;
    ty_conv2d_attrs attrs = square(4, 3, 1, 0);
    op_case c = case_of("refused", SHAPE(2, 3, 2, 5), &attrs);
    op_check_refused(&c, "does not fit");
    c.x[0].shape = SHAPE(2, 3, 5);
    op_check_refused(&c, "want 4 dimensions");
    c.x[0].shape = SHAPE(2, 3, 5, 5);
    attrs.groups = 2;
    op_check_refused(&c, "groups");
    attrs = square(4, 3, 0, 0);
    op_check_refused(&c, "stride");
    attrs = square(0, 3, 1, 0);
    op_check_refused(&c, "empty");
    attrs = square(4, 3, 1, 0);
    attrs.activation = TY_ACT_TANH;
    op_check_refused(&c, "fused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_convolution_slides_its_kernel),
        cmocka_unit_test(odd_channels_and_sizes_are_right),
        cmocka_unit_test(groups_see_only_their_own_channels),
        cmocka_unit_test(a_fused_relu_is_applied_and_derived_from_the_output),
        cmocka_unit_test(large_images_are_summed_whole),
        cmocka_unit_test(inputs_may_come_in_any_layout),
        cmocka_unit_test(the_first_layer_computes_no_input_gradient),
        cmocka_unit_test(evaluation_needs_no_gradients),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
