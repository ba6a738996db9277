/* Activation, add, scale, reshape and normalize against plain references in double, in every
 * layout. */
#include "op_harness.h"

#include <math.h>
#include <string.h>

#include "kernels/layout.h"

static int64_t count_of(const op_values *v) {
    return ty_shape_count(v->shapes->y);
}

/* --- activation ------------------------------------------------------------------------------ */

static double act(ty_activation kind, double x) {
    switch (kind) {
    case TY_ACT_NONE:
        return x;
    case TY_ACT_RELU:
        return x > 0 ? x : 0;
    case TY_ACT_GELU:
        return 0.5 * x * erfc(-x * sqrt(0.5));
    case TY_ACT_SILU:
        return x / (1 + exp(-x));
    case TY_ACT_TANH:
        return tanh(x);
    case TY_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    }
    return NAN;
}

static void activation_reference(op_values *v) {
    const ty_activation_attrs *a = v->of->attrs;
    for (int64_t i = 0; i < count_of(v); i++)
        v->y[i] = act(a->kind, v->x[0][i]);
}

/* Keeps relu's corner out of reach of the finite differences. */
static void leave_zero(op_values *v) {
    for (int64_t i = 0; i < ty_shape_count(v->of->x[0].shape); i++)
        if (fabs(v->x[0][i]) < 1e-3)
            v->x[0][i] = 0.5;
}

/* On a GPU: half an ulp for the product and 5 ulp for the normal law's distribution, exp within 2;
 * backward two of such terms. */
static void check_activation(ty_shape shape, const void *layout) {
    static const char *const names[] = {"none", "relu", "gelu", "silu", "tanh", "sigmoid"};
    for (int kind = TY_ACT_NONE; kind <= TY_ACT_SIGMOID; kind++) {
        const ty_activation_attrs attrs = {.kind = (ty_activation)kind};
        const op_case c = {.name = names[kind],
                           .id = TY_OP_ACTIVATION,
                           .attrs = &attrs,
                           .x = {{TY_DTYPE_F32, shape, layout, true, -6, 6}},
                           .tolerance_forward = 3e-7,
                           .tolerance_backward = 5e-7,
                           .gpu_forward = 8 * 0x1p-24,
                           .gpu_backward = 12 * 0x1p-24,
                           .reference = activation_reference,
                           .adjust = leave_zero};
        op_check(&c);
    }
}

static void activations_agree_with_their_formulas(void **state) {
    (void)state;
    check_activation(SHAPE(1), NULL);
    check_activation(SHAPE(3, 5), NULL);
    check_activation(SHAPE(2, 3, 7, 5), NULL);
    check_activation(SHAPE(17, 61), NULL);
    for (int64_t n = 1023; n <= 1025; n++) /* of 16 bytes, a block has 1024 or 2048 numbers */
        check_activation(SHAPE(2, n), NULL);
}

static void activations_keep_a_layout_and_its_zero_padding(void **state) {
    (void)state;
    check_activation(SHAPE(2, 3, 5, 7), &ty_layout_blocked8);
    check_activation(SHAPE(2, 19, 3, 3), &ty_layout_blocked16);
    check_activation(SHAPE(3, 5, 4, 4), &ty_layout_channels_last);
}

/* oneDNN's kernels read the padding, so it has to be zeros also where f(0) is not. */
static void sigmoid_writes_zeros_into_padding(void **state) {
    (void)state;
    enum { N = 8 * 4 };
    const ty_activation_attrs attrs = {.kind = TY_ACT_SIGMOID};
    const ty_shape shape = SHAPE(1, 3, 2, 2);
    float x[N] = {0}, y[N];
    ty_ctx ctx;
    ty_device *dev = NULL;
    ty_ctx_init(&ctx);
    if (strcmp(op_test_device(&ctx, "cpu"), "cpu") != 0)
        skip(); /* layouts with padding are the CPU's alone */
    assert_int_equal(op_open_device(&ctx, "cpu", TY_PRECISION_FP32, &dev), TY_OK);
    const ty_tensor value = {
        .data = x, .shape = shape, .layout = &ty_layout_blocked8, .bytes = sizeof x};
    ty_op_args args = {.id = TY_OP_ACTIVATION, .attrs = &attrs, .x = {value}, .y = value};
    args.y.data = y;
    assert_int_equal(ty_device_op(dev, TY_OP_ACTIVATION)->forward(&ctx, dev, &args), TY_OK);
    for (int i = 0; i < N; i++)
        assert_true(y[i] == (i % 8 < 3 ? 0.5F : 0.0F));
    ty_device_close(dev);
    ty_ctx_clear(&ctx);
}

static void an_unknown_activation_is_refused(void **state) {
    (void)state;
    const ty_activation_attrs attrs = {.kind = (ty_activation)17};
    op_check_refused(&(op_case){.name = "unknown kind",
                                .id = TY_OP_ACTIVATION,
                                .attrs = &attrs,
                                .x = {{TY_DTYPE_F32, SHAPE(2, 2), NULL, false, 0, 0}}},
                     "17");
}

/* --- scale, add ------------------------------------------------------------------------------ */

static void scale_reference(op_values *v) {
    const ty_scale_attrs *a = v->of->attrs;
    for (int64_t i = 0; i < count_of(v); i++)
        v->y[i] = a->factor * v->x[0][i];
}

static void scale_multiplies(void **state) {
    (void)state;
    const ty_scale_attrs attrs = {.factor = -0.37};
    op_case c = {.name = "scale",
                 .id = TY_OP_SCALE,
                 .attrs = &attrs,
                 .x = {{TY_DTYPE_F32, SHAPE(3, 17), NULL, true, 0, 0}},
                 .tolerance_forward = 1e-7,
                 .tolerance_backward = 2e-7,
                 .reference = scale_reference};
    op_check(&c);
    c.x[0].shape = SHAPE(2, 5, 3, 3);
    c.x[0].layout = &ty_layout_blocked16;
    op_check(&c);
    c.x[0].layout = NULL;
    op_check(&c);
    for (int64_t n = 1; n <= 17; n++) {
        c.x[0].shape = SHAPE(n);
        op_check(&c);
    }
    c.x[0].shape = SHAPE(7, 130003); /* more blocks than a GPU has room for at a time */
    c.is_inference = true;           /* backward runs the same kernel */
    op_check(&c);
}

static void a_scale_that_is_not_finite_is_refused(void **state) {
    (void)state;
    const ty_scale_attrs attrs = {.factor = INFINITY};
    op_check_refused(&(op_case){.name = "infinite factor",
                                .id = TY_OP_SCALE,
                                .attrs = &attrs,
                                .x = {{TY_DTYPE_F32, SHAPE(2, 2), NULL, false, 0, 0}}},
                     "inf");
}

static void add_reference(op_values *v) {
    for (int64_t i = 0; i < count_of(v); i++)
        v->y[i] = v->x[0][i] + v->x[1][i];
}

static void add_sums_in_every_pair_of_layouts(void **state) {
    (void)state;
    const void *const layouts[] = {NULL, &ty_layout_blocked8, &ty_layout_blocked16,
                                   &ty_layout_channels_last};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++)
            op_check(&(op_case){.name = "add",
                                .id = TY_OP_ADD,
                                .x = {{TY_DTYPE_F32, SHAPE(2, 11, 3, 5), layouts[a], true, 0, 0},
                                      {TY_DTYPE_F32, SHAPE(2, 11, 3, 5), layouts[b], a != 2, 0, 0}},
                                .tolerance_forward = 1e-7,
                                .tolerance_backward = 2e-7,
                                .reference = add_reference});
}

static void add_sums_whatever_the_number_of_elements(void **state) {
    (void)state;
    const ty_shape shapes[] = {SHAPE(1),       SHAPE(7),          SHAPE(8, 128),      SHAPE(5, 205),
                               SHAPE(2, 1025), SHAPE(1, 1, 3, 3), SHAPE(3, 33, 5, 13)};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        op_check(&(op_case){.name = "add",
                            .id = TY_OP_ADD,
                            .x = {{TY_DTYPE_F32, shapes[i], NULL, true, 0, 0},
                                  {TY_DTYPE_F32, shapes[i], NULL, true, 0, 0}},
                            .tolerance_forward = 1e-7,
                            .tolerance_backward = 2e-7,
                            .reference = add_reference});
}

static void add_refuses_unequal_shapes(void **state) {
    (void)state;
    op_check_refused(&(op_case){.name = "unequal",
                                .id = TY_OP_ADD,
                                .x = {{TY_DTYPE_F32, SHAPE(2, 3), NULL, false, 0, 0},
                                      {TY_DTYPE_F32, SHAPE(2, 4), NULL, false, 0, 0}}},
                     "[2, 3] and [2, 4]");
    op_check_refused(&(op_case){.name = "unequal ranks",
                                .id = TY_OP_ADD,
                                .x = {{TY_DTYPE_F32, SHAPE(2, 3), NULL, false, 0, 0},
                                      {TY_DTYPE_F32, SHAPE(2, 3, 1), NULL, false, 0, 0}}},
                     "want the same");
}

/* --- reshape --------------------------------------------------------------------------------- */

static void reshape_reference(op_values *v) {
    for (int64_t i = 0; i < count_of(v); i++)
        v->y[i] = v->x[0][i];
}

static void reshape_keeps_canonical_order_from_every_layout(void **state) {
    (void)state;
    const void *const layouts[] = {NULL, &ty_layout_blocked8, &ty_layout_blocked16,
                                   &ty_layout_channels_last};
    const ty_reshape_attrs flat = {.shape = SHAPE(0, 11 * 15)}, folded = {.shape = SHAPE(0, 5, 33)};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            op_check(&(op_case){.name = "reshape",
                                .id = TY_OP_RESHAPE,
                                .attrs = k ? &flat : &folded,
                                .x = {{TY_DTYPE_F32, SHAPE(3, 11, 3, 5), layouts[i], true, 0, 0}},
                                .tolerance_forward = 0,
                                .tolerance_backward = 2e-7,
                                .reference = reshape_reference});
}

/* Tiles of 32 x 32 that are not full, just full, more than full; images made of rows, and of images. */
static void reshape_turns_tiles_of_every_size(void **state) {
    (void)state;
    const ty_shape images[] = {SHAPE(1, 1, 1, 1),   SHAPE(2, 31, 1, 33), SHAPE(1, 32, 4, 8),
                               SHAPE(3, 33, 31, 1), SHAPE(2, 65, 7, 7),  SHAPE(1, 3, 40, 41)};
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        const int64_t *d = images[i].dims;
        const ty_reshape_attrs flat = {.shape = SHAPE(0, d[1] * d[2] * d[3])};
        const ty_reshape_attrs image = {.shape = images[i]},
                               other = {.shape = SHAPE(0, d[2], d[1], d[3])};
        op_case c = {.name = "reshape",
                     .id = TY_OP_RESHAPE,
                     .attrs = &flat,
                     .x = {{TY_DTYPE_F32, images[i], NULL, true, 0, 0}},
                     .tolerance_backward = 2e-7,
                     .reference = reshape_reference};
        op_check(&c);
        c.attrs = &other;
        op_check(&c);
        c.attrs = &image;
        c.x[0].shape = SHAPE(d[0], d[1] * d[2] * d[3]);
        op_check(&c);
    }
}

static void reshape_refuses_another_number_of_elements(void **state) {
    (void)state;
    const ty_reshape_attrs attrs = {.shape = SHAPE(0, 7)}, none = {.shape = {0}};
    op_case c = {.name = "too few",
                 .id = TY_OP_RESHAPE,
                 .attrs = &attrs,
                 .x = {{TY_DTYPE_F32, SHAPE(2, 2, 4), NULL, false, 0, 0}}};
    op_check_refused(&c, "[2, 7] does not hold the numbers of [2, 2, 4]");
    c.attrs = &none;
    op_check_refused(&c, "0 dimensions");
}

/* --- normalize ------------------------------------------------------------------------------- */

static void normalize_reference(op_values *v) {
    const ty_normalize_attrs *a = v->of->attrs;
    const ty_shape shape = v->shapes->y;
    const int64_t n_channels = shape.rank > 1 ? shape.dims[1] : 1;
    const int64_t plane = count_of(v) / shape.dims[0] / n_channels;
    for (int64_t i = 0; i < count_of(v); i++) {
        const int64_t c = a->n_channels == 1 ? 0 : i / plane % n_channels;
        v->y[i] = (v->x[0][i] - (double)a->mean[c]) * (double)a->inverse_std[c];
    }
}

static void check_normalize(ty_shape shape, int64_t n_channels) {
    static const float mean[] = {0.5F, 100, -3, 7, 0.01F}, inverse_std[] = {2, 0.01F, 1.5F, -1, 30};
    const ty_normalize_attrs attrs = {
        .n_channels = n_channels, .mean = mean, .inverse_std = inverse_std};
    op_case c = {.name = "normalize f32",
                 .id = TY_OP_NORMALIZE,
                 .attrs = &attrs,
                 .x = {{TY_DTYPE_F32, shape, NULL, false, -5, 5}},
                 .tolerance_forward = 2e-7,
                 .reference = normalize_reference};
    op_check(&c);
    c.name = "normalize u8";
    c.x[0].dtype = TY_DTYPE_U8;
    c.x[0].low = 0;
    c.x[0].high = 256;
    op_check(&c);
}

static void normalize_takes_a_pair_per_channel(void **state) {
    (void)state;
    check_normalize(SHAPE(4), 1);
    check_normalize(SHAPE(7, 5), 5);
    check_normalize(SHAPE(2, 3, 5, 7), 3);
    check_normalize(SHAPE(2, 5, 1, 1), 5);
    check_normalize(SHAPE(3, 1, 28, 28), 1);
    check_normalize(SHAPE(3, 4, 9), 1);
    check_normalize(SHAPE(1), 1);
    check_normalize(SHAPE(2, 1025), 1);
    check_normalize(SHAPE(205, 5), 5);
    check_normalize(SHAPE(1, 3, 16, 16), 3);
    check_normalize(SHAPE(2, 2, 8, 129), 2);
    check_normalize(SHAPE(1, 5, 1, 257), 1);
}

static void normalize_refuses_other_channels_and_types(void **state) {
    (void)state;
    const ty_normalize_attrs attrs = {.n_channels = 2};
    op_case c = {.name = "wrong channels",
                 .id = TY_OP_NORMALIZE,
                 .attrs = &attrs,
                 .x = {{TY_DTYPE_U8, SHAPE(2, 3, 4, 4), NULL, false, 0, 0}}};
    op_check_refused(&c, "2 channels for input of shape [2, 3, 4, 4]");
    c.x[0].dtype = TY_DTYPE_I64;
    op_check_refused(&c, "i64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_agree_with_their_formulas),
        cmocka_unit_test(activations_keep_a_layout_and_its_zero_padding),
        cmocka_unit_test(sigmoid_writes_zeros_into_padding),
        cmocka_unit_test(an_unknown_activation_is_refused),
        cmocka_unit_test(scale_multiplies),
        cmocka_unit_test(a_scale_that_is_not_finite_is_refused),
        cmocka_unit_test(add_sums_in_every_pair_of_layouts),
        cmocka_unit_test(add_sums_whatever_the_number_of_elements),
        cmocka_unit_test(add_refuses_unequal_shapes),
        cmocka_unit_test(reshape_keeps_canonical_order_from_every_layout),
        cmocka_unit_test(reshape_turns_tiles_of_every_size),
        cmocka_unit_test(reshape_refuses_another_number_of_elements),
        cmocka_unit_test(normalize_takes_a_pair_per_channel),
        cmocka_unit_test(normalize_refuses_other_channels_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
