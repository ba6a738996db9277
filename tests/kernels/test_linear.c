/* Linear layers against a plain triple loop in double. Tolerance: sums of up to 784 products in
 * f32, each rounded to 2^-24, err like sqrt(784) * 2^-24 = 2e-6 of their largest; backward sums
 * over the batch alike. */
#include "op_harness.h"

#include <math.h>

static double activate(ty_activation kind, double x) {
    if (kind == TY_ACT_RELU)
        return x > 0 ? x : 0;
    if (kind == TY_ACT_TANH)
        return tanh(x);
    return kind == TY_ACT_SIGMOID ? 1 / (1 + exp(-x)) : x;
}

static void reference(op_values *v) {
    const ty_linear_attrs *a = v->of->attrs;
    const int64_t batch = v->of->x[0].shape.dims[0], width = v->of->x[0].shape.dims[1];
    for (int64_t b = 0; b < batch; b++) {
        for (int64_t o = 0; o < a->out; o++) {
            double sum = a->has_bias ? v->param[1][o] : 0;
            for (int64_t i = 0; i < width; i++)
                sum += v->x[0][b * width + i] * v->param[0][o * width + i];
            v->y[b * a->out + o] = activate(a->activation, sum);
        }
    }
}

/* A GPU in bf16 keeps dz and, before tanh and sigmoid, which follow the product, also z. Their
 * derivatives come from the y that it kept, so that in a bias gradient the errors of so many samples
 * meet, each as likely up as down. */
static int roundings_of(ty_activation activation, int64_t batch) {
    const bool is_smooth = activation == TY_ACT_TANH || activation == TY_ACT_SIGMOID;
    return is_smooth ? 3 + (int)sqrt((double)batch) : 1;
}

static void check(const char *name, int64_t batch, int64_t width, ty_linear_attrs attrs) {
    const op_case c = {.name = name,
                       .id = TY_OP_LINEAR,
                       .attrs = &attrs,
                       .x = {{.shape = SHAPE(batch, width), .wants_dx = true}},
                       .tolerance_forward = 2e-6,
                       .tolerance_backward = 4e-6,
                       .bf16_roundings = roundings_of(attrs.activation, batch),
                       .reference = reference};
    op_check(&c);
}

static void a_linear_layer_is_a_matrix_product_with_bias(void **state) {
    (void)state;
    check("16 x 784 -> 32", 16, 784, (ty_linear_attrs){.out = 32, .has_bias = true});
    check("64 x 128 -> 10", 64, 128, (ty_linear_attrs){.out = 10, .has_bias = true});
    check("no bias", 32, 48, (ty_linear_attrs){.out = 24});
}

static void odd_and_tiny_shapes_are_right(void **state) {
    (void)state;
    check("1 x 1 -> 1", 1, 1, (ty_linear_attrs){.out = 1, .has_bias = true});
    check("1 x 37 -> 5", 1, 37, (ty_linear_attrs){.out = 5, .has_bias = true});
    check("7 x 13 -> 3", 7, 13, (ty_linear_attrs){.out = 3, .has_bias = true});
    check("33 x 17 -> 65", 33, 17, (ty_linear_attrs){.out = 65, .has_bias = true});
    check("8 x 4 -> 8", 8, 4, (ty_linear_attrs){.out = 8, .has_bias = true});
}

static void fused_activations_are_applied_and_derived_from_the_output(void **state) {
    (void)state;
    for (ty_activation kind = TY_ACT_RELU; kind <= TY_ACT_SIGMOID; kind++) {
        if (kind == TY_ACT_GELU || kind == TY_ACT_SILU)
            continue;
        check("relu, tanh, sigmoid in turn", 16, 24,
              (ty_linear_attrs){.out = 20, .has_bias = true, .activation = kind});
    }
}

/* A bias gradient is summed by one block, by several, or by several that have more than one column
 * of blocks beside them. */
static void tall_batches_are_summed_whole(void **state) {
    (void)state;
    for (ty_activation kind = TY_ACT_NONE; kind <= TY_ACT_TANH; kind++) {
        if (kind == TY_ACT_GELU || kind == TY_ACT_SILU)
            continue;
        check("63 x 2 -> 136", 63, 2,
              (ty_linear_attrs){.out = 136, .has_bias = true, .activation = kind});
        check("130 x 3 -> 136", 130, 3,
              (ty_linear_attrs){.out = 136, .has_bias = true, .activation = kind});
        check("2049 x 1 -> 1", 2049, 1,
              (ty_linear_attrs){.out = 1, .has_bias = true, .activation = kind});
        check("517 x 2 -> 33", 517, 2,
              (ty_linear_attrs){.out = 33, .has_bias = true, .activation = kind});
    }
}

static void the_first_layer_computes_no_input_gradient(void **state) {
    (void)state;
    const ty_linear_attrs attrs = {.out = 12, .has_bias = true, .activation = TY_ACT_RELU};
    const op_case c = {.name = "no d_x",
                       .id = TY_OP_LINEAR,
                       .attrs = &attrs,
                       .x = {{.shape = SHAPE(9, 14)}},
                       .tolerance_forward = 2e-6,
                       .tolerance_backward = 4e-6,
                       .reference = reference};
    op_check(&c);
}

static void evaluation_needs_no_gradients(void **state) {
    (void)state;
    const ty_linear_attrs attrs = {.out = 12, .has_bias = true, .activation = TY_ACT_RELU};
    const op_case c = {.name = "evaluation",
                       .id = TY_OP_LINEAR,
                       .attrs = &attrs,
                       .x = {{.shape = SHAPE(9, 14)}},
                       .is_inference = true,
                       .tolerance_forward = 2e-6,
                       .reference = reference};
    op_check(&c);
}

static void wrong_shapes_are_refused(void **state) {
    (void)state;
    ty_linear_attrs attrs = {.out = 4};
    op_case c = {
        .name = "rank", .id = TY_OP_LINEAR, .attrs = &attrs, .x = {{.shape = SHAPE(2, 3, 4)}}};
    op_check_refused(&c, "want 2 dimensions");
    c.x[0].shape = SHAPE(0, 3);
    op_check_refused(&c, "empty");
    c.x[0].shape = SHAPE(2, 3);
    c.x[0].dtype = TY_DTYPE_U8;
    op_check_refused(&c, "u8, want f32");
    c.x[0].dtype = TY_DTYPE_F32;
    attrs.out = INT64_MAX / 8;
    op_check_refused(&c, "too large");
    attrs = (ty_linear_attrs){.out = 4, .activation = TY_ACT_GELU};
    op_check_refused(&c, "fused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_layer_is_a_matrix_product_with_bias),
        cmocka_unit_test(odd_and_tiny_shapes_are_right),
        cmocka_unit_test(fused_activations_are_applied_and_derived_from_the_output),
        cmocka_unit_test(tall_batches_are_summed_whole),
        cmocka_unit_test(the_first_layer_computes_no_input_gradient),
        cmocka_unit_test(evaluation_needs_no_gradients),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
