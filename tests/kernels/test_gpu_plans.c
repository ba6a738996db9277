/* What the real cuDNN plans for GPUs that are not here: nothing is simulated, nothing runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"

static const char *const gpus[] = {"a100", "h100"};
static const ty_precision precisions[] = {TY_PRECISION_FP32, TY_PRECISION_TF32, TY_PRECISION_BF16};

typedef struct conv_case {
    const char *name;
    ty_shape x;
    ty_conv2d_attrs attrs;
} conv_case;

#define IMAGES(n, c, h, w)                                                                         \
    {                                                                                              \
        4, {                                                                                       \
            n, c, h, w                                                                             \
        }                                                                                          \
    }
#define SQUARE(k, r, s, p)                                                                         \
    .out = (k), .kernel = {r, r}, .stride = {s, s}, .padding = {p, p}, .groups = 1

/* Those of configs/, then what layers may ask for besides. */
static const conv_case cases[] = {
    {"fashion_mnist, first", IMAGES(32, 1, 28, 28), {SQUARE(16, 3, 1, 1)}},
    {"fashion_mnist, second", IMAGES(32, 16, 14, 14), {SQUARE(32, 3, 1, 1)}},
    {"synthetic", IMAGES(8, 1, 8, 8), {SQUARE(8, 3, 1, 1)}},
    {"bias", IMAGES(32, 16, 14, 14), {SQUARE(32, 3, 1, 1), .has_bias = true}},
    {"bias and relu",
     IMAGES(32, 64, 56, 56),
     {SQUARE(64, 3, 1, 1), .has_bias = true, .activation = TY_ACT_RELU}},
    {"relu alone", IMAGES(4, 16, 9, 9), {SQUARE(24, 3, 1, 1), .activation = TY_ACT_RELU}},
    {"first of a large net", IMAGES(32, 3, 224, 224), {SQUARE(64, 7, 2, 3), .has_bias = true}},
    {"1 x 1 with stride", IMAGES(8, 64, 14, 14), {SQUARE(128, 1, 2, 0), .has_bias = true}},
    {"one of everything", IMAGES(1, 1, 1, 1), {SQUARE(1, 1, 1, 0), .has_bias = true}},
    {"odd channels", IMAGES(3, 5, 7, 9), {SQUARE(6, 3, 2, 1), .has_bias = true}},
    {"oblong",
     IMAGES(2, 2, 5, 6),
     {.out = 3,
      .kernel = {3, 2},
      .stride = {1, 2},
      .padding = {2, 0},
      .groups = 1,
      .has_bias = true}},
    {"two groups",
     IMAGES(8, 32, 6, 6),
     {.out = 32,
      .kernel = {3, 3},
      .stride = {1, 1},
      .padding = {1, 1},
      .groups = 2,
      .has_bias = true}},
    {"three groups",
     IMAGES(2, 9, 7, 7),
     {.out = 6, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .groups = 3}},
    {"depthwise",
     IMAGES(8, 32, 28, 28),
     {.out = 32,
      .kernel = {3, 3},
      .stride = {1, 1},
      .padding = {1, 1},
      .groups = 32,
      .has_bias = true}},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* One prepared call on a described GPU. */
typedef struct fixture {
    ty_ctx ctx;
    ty_device *dev;
    ty_op_args args;
} fixture;

static void set_up(fixture *f, const char *gpu, ty_precision precision) {
    memset(f, 0, sizeof *f);
    ty_ctx_init(&f->ctx);
    const ty_device_options options = {.name = gpu, .max_isa_level = -1, .precision = precision};
    if (ty_device_open(&f->ctx, &options, &f->dev) != TY_OK)
        fail_msg("%s", f->ctx.message);
}

static void tear_down(fixture *f) {
    if (f->args.state)
        ty_device_op(f->dev, f->args.id)->release(f->dev, &f->args);
    ty_device_close(f->dev);
    ty_ctx_clear(&f->ctx);
}

/* A value of this device: what the op before would have made. */
static ty_tensor value_of(const fixture *f, ty_shape shape, const void *layout) {
    const bool is_bf16 = ty_device_describe(f->dev)->precision == TY_PRECISION_BF16;
    const ty_dtype dtype = is_bf16 ? TY_DTYPE_BF16 : TY_DTYPE_F32;
    return (ty_tensor){.dtype = dtype,
                       .shape = shape,
                       .layout = layout,
                       .bytes = (size_t)ty_shape_count(shape) * ty_dtype_bytes(dtype)};
}

static ty_tensor parameter_of(ty_shape shape) {
    return (ty_tensor){.dtype = TY_DTYPE_F32,
                       .shape = shape,
                       .bytes = (size_t)ty_shape_count(shape) * sizeof(float)};
}

/* x canonical, or in the layout of another value; accumulates: everything that can be. */
static ty_status prepare(fixture *f, ty_op_id id, const void *attrs, ty_shape x, const void *layout,
                         bool accumulates) {
    ty_op_shapes shapes = {0};
    const ty_tensor in = parameter_of(x);
    assert_int_equal(ty_ops[id].infer(&f->ctx, attrs, &in, &shapes), TY_OK);
    f->args = (ty_op_args){.id = id,
                           .attrs = attrs,
                           .is_training = true,
                           .wants_dx = {true},
                           .accumulates_dx = {accumulates},
                           .x = {value_of(f, x, layout)},
                           .y = parameter_of(shapes.y)};
    for (int i = 0; i < shapes.n_params; i++)
        f->args.param[i] = f->args.d_param[i] = parameter_of(shapes.param[i].shape);
    return ty_device_op(f->dev, id)->prepare(&f->ctx, f->dev, &f->args);
}

static int costs_of(const fixture *f, bool is_backward, ty_op_cost out[TY_OP_MAX_COSTS]) {
    return ty_device_op(f->dev, f->args.id)->cost(f->dev, &f->args, is_backward, out);
}

/* --- what decides bits ------------------------------------------------------------------------ */

/* What a handle says of itself after a plan of 3 x 3 filters; out = 0: after none. */
static void numeric_after(int64_t out, char text[256]) {
    fixture f;
    const ty_conv2d_attrs attrs = {SQUARE(out, 3, 1, 1)};
    set_up(&f, "a100", TY_PRECISION_FP32);
    if (out > 0)
        assert_int_equal(
            prepare(&f, TY_OP_CONV2D, &attrs, (ty_shape)IMAGES(8, 16, 14, 14), NULL, false), TY_OK);
    (void)snprintf(text, 256, "%s", ty_device_describe(f.dev)->numeric);
    tear_down(&f);
}

static void the_engines_chosen_are_a_part_of_what_decides_bits(void **state) {
    (void)state;
    char none[256], first[256], again[256], other[256];
    numeric_after(0, none);
    numeric_after(32, first);
    numeric_after(32, again);
    numeric_after(5, other);
    assert_null(strstr(none, "engines-"));
    assert_non_null(strstr(first, " cudnn-"));
    assert_non_null(strstr(first, " engines-"));
    assert_string_equal(again, first);
    assert_string_not_equal(other, first);
}

/* --- convolutions ----------------------------------------------------------------------------- */

/* Matrix work of both passes, each of it by an engine of cuDNN. */
static int count_engines(const fixture *f) {
    ty_op_cost costs[TY_OP_MAX_COSTS];
    int n_engines = 0;
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        const int n = costs_of(f, is_backward, costs);
        for (int i = 0; i < n; i++) {
            assert_true(costs[i].bytes > 0 && costs[i].flops > 0);
            n_engines += strncmp(costs[i].engine, "cudnn engine ", 13) == 0;
            assert_int_equal(costs[i].is_matrix, costs[i].kernel == NULL);
        }
    }
    return n_engines;
}

static void check_planned(const conv_case *c, const char *gpu, ty_precision precision,
                          const void *layout) {
    fixture f;
    set_up(&f, gpu, precision);
    if (prepare(&f, TY_OP_CONV2D, &c->attrs, c->x, layout, layout != NULL) != TY_OK)
        fail_msg("%s on %s: %s", c->name, gpu, f.ctx.message);
    assert_int_equal(count_engines(&f), 3);
    assert_int_equal(f.args.y.dtype, f.args.x[0].dtype);
    assert_int_equal(f.args.param[0].dtype, f.args.x[0].dtype);
    assert_int_equal(f.args.y.bytes,
                     (size_t)ty_shape_count(f.args.y.shape) * ty_dtype_bytes(f.args.y.dtype));
    tear_down(&f);
}

/* The layout that y of any convolution has. */
static const void *layout_of_y(void) {
    fixture f;
    set_up(&f, "a100", TY_PRECISION_FP32);
    assert_int_equal(prepare(&f, TY_OP_CONV2D, &cases[0].attrs, cases[0].x, NULL, false), TY_OK);
    const void *layout = f.args.y.layout;
    tear_down(&f);
    return layout;
}

static void every_convolution_has_engines_on_described_gpus(void **state) {
    (void)state;
    const void *const layouts[] = {NULL, layout_of_y()};
    assert_non_null(layouts[1]);
    for (int i = 0; i < N_CASES; i++)
        for (int g = 0; g < 2; g++)
            for (int p = 0; p < 3; p++)
                for (int l = 0; l < 2; l++)
                    check_planned(&cases[i], gpus[g], precisions[p], layouts[l]);
}

static const conv_case *case_named(const char *name) {
    for (int i = 0; i < N_CASES; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    fail_msg("no case %s", name);
    return NULL;
}

static void check_forward(const char *name, const char *gpu, ty_precision precision,
                          int n_kernels) {
    const conv_case *c = case_named(name);
    ty_op_cost costs[TY_OP_MAX_COSTS];
    fixture f;
    set_up(&f, gpu, precision);
    assert_int_equal(prepare(&f, TY_OP_CONV2D, &c->attrs, c->x, NULL, false), TY_OK);
    const int n = costs_of(&f, false, costs);
    if (n != n_kernels)
        fail_msg("%s on %s: %d kernels, want %d", name, gpu, n, n_kernels);
    tear_down(&f);
}

static void bias_and_relu_ride_on_the_convolution(void **state) {
    (void)state;
    for (int g = 0; g < 2; g++) {
        for (int p = 0; p < 3; p++) {
            check_forward("bias", gpus[g], precisions[p], 1);
            check_forward("bias and relu", gpus[g], precisions[p], 1);
            check_forward("depthwise", gpus[g], precisions[p], 1);
            check_forward("relu alone", gpus[g], precisions[p], 2);
        }
    }
}

static void engine_of(const char *gpu, ty_precision precision, char out[96]) {
    const conv_case *c = case_named("bias and relu");
    ty_op_cost costs[TY_OP_MAX_COSTS];
    fixture f;
    set_up(&f, gpu, precision);
    assert_int_equal(prepare(&f, TY_OP_CONV2D, &c->attrs, c->x, layout_of_y(), false), TY_OK);
    (void)costs_of(&f, false, costs);
    memcpy(out, costs[0].engine, 96);
    tear_down(&f);
}

/* Heuristics put engines for tensor cores first where they may. */
static void only_tf32_lets_tensor_cores_round_f32(void **state) {
    (void)state;
    for (int g = 0; g < 2; g++) {
        char exact[96], rounded[96];
        engine_of(gpus[g], TY_PRECISION_FP32, exact);
        engine_of(gpus[g], TY_PRECISION_TF32, rounded);
        assert_string_not_equal(exact, rounded);
    }
}

static void the_same_shape_gets_the_same_engine(void **state) {
    (void)state;
    for (int g = 0; g < 2; g++) {
        char first[96], again[96];
        engine_of(gpus[g], TY_PRECISION_BF16, first);
        engine_of(gpus[g], TY_PRECISION_BF16, again);
        assert_string_equal(first, again);
    }
}

static void what_no_engine_computes_is_named(void **state) {
    (void)state;
    const ty_conv2d_attrs attrs = {SQUARE(3, 3, 1, 1)};
    fixture f;
    set_up(&f, "h100", TY_PRECISION_FP32);
    const ty_shape x = IMAGES(1, 3, 1 << 20, 1 << 20);
    assert_int_equal(prepare(&f, TY_OP_CONV2D, &attrs, x, NULL, false), TY_ERR_DEVICE);
    assert_non_null(
        strstr(f.ctx.message, "conv2d forward: f32 [1, 3, 1048576, 1048576], 3 filters"));
    assert_non_null(strstr(f.ctx.message, "H100"));
    assert_null(f.args.state);
    tear_down(&f);
}

/* --- linear layers ---------------------------------------------------------------------------- */

static void products_are_planned_without_asking_cublas(void **state) {
    (void)state;
    const ty_linear_attrs attrs = {.out = 128, .has_bias = true, .activation = TY_ACT_RELU};
    for (int g = 0; g < 2; g++) {
        for (int p = 0; p < 3; p++) {
            ty_op_cost costs[TY_OP_MAX_COSTS];
            fixture f;
            set_up(&f, gpus[g], precisions[p]);
            assert_int_equal(
                prepare(&f, TY_OP_LINEAR, &attrs, (ty_shape){2, {32, 784}}, NULL, true), TY_OK);
            assert_int_equal(costs_of(&f, false, costs), 1);
            assert_non_null(strstr(costs[0].engine, "chosen on the device"));
            assert_true(costs[0].is_matrix && costs[0].flops == 2.0 * 32 * 784 * 128);
            assert_int_equal(costs_of(&f, true, costs), 3);
            assert_string_equal(costs[0].kernel, precisions[p] == TY_PRECISION_BF16
                                                     ? "affine_grad_bf16"
                                                     : "affine_grad_f32");
            assert_true(f.args.workspace_bytes > f.args.y.bytes);
            tear_down(&f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engines_chosen_are_a_part_of_what_decides_bits),
        cmocka_unit_test(every_convolution_has_engines_on_described_gpus),
        cmocka_unit_test(bias_and_relu_ride_on_the_convolution),
        cmocka_unit_test(only_tf32_lets_tensor_cores_round_f32),
        cmocka_unit_test(the_same_shape_gets_the_same_engine),
        cmocka_unit_test(what_no_engine_computes_is_named),
        cmocka_unit_test(products_are_planned_without_asking_cublas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
