/* The cuDNN fake's rules, each broken once; and the same cases given to the real library, whose validation and planning
 * work without a GPU: what that refuses the fake must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "caught.h"
#include "cuda_api.h"
#include "dnn.h"
#include "dnn_case.h"

#define BF16 CUDNN_DATA_BFLOAT16
#define F32 CUDNN_DATA_FLOAT

/* A changed case and how far it comes with the fake. */
typedef struct row {
    dnn_case c;
    dnn_stage stage;
    bool has_engines;
    const char *words; /* of the fake's report */
    bool is_stricter;  /* the real library lets it pass */
} row;

#define CASE(...) CASE_(__VA_ARGS__)
#define CASE_(pass_, type_, ...)                                                                   \
    {                                                                                              \
        .pass = pass_, .type = type_, .n = 2, .c = 8, .h = 6, .w = 6, .k = 16, .r = 3, .s = 3,     \
        .pad = 1, .stride = 1, .groups = 1, .is_last = {true, true, true}, .alpha = 1,             \
        .alignment = 16, __VA_ARGS__                                                               \
    }
#define FWD CASE_FORWARD, F32
#define FWD_BF16 CASE_FORWARD, BF16

static const row rows[] = {
    {CASE(FWD, .name = "right"), STAGE_ENGINES, true, NULL, 0},
    {CASE(FWD_BF16, .name = "right"), STAGE_ENGINES, true, NULL, 0},
    {CASE(CASE_DATA, BF16, .name = "right"), STAGE_ENGINES, true, NULL, 0},
    {CASE(CASE_FILTER, F32, .name = "right", .beta = 1), STAGE_ENGINES, true, NULL, 0},
    {CASE(FWD, .name = "groups", .groups = 2), STAGE_ENGINES, true, NULL, 0},
    {CASE(FWD, .name = "canonical filters", .is_last = {true, false, true}), STAGE_ENGINES, true,
     NULL, 0},
    {CASE(FWD_BF16, .name = "canonical x", .is_last = {false, false, true}), STAGE_ENGINES, true,
     NULL, 0},
    {CASE(FWD, .name = "little alignment", .alignment = 4), STAGE_ENGINES, true, NULL, 0},
    {CASE(FWD, .name = "bias and ReLU", .has_bias = true, .has_relu = true), STAGE_ENGINES, true,
     NULL, 0},
    {CASE(FWD_BF16, .name = "bias and ReLU", .has_bias = true, .has_relu = true), STAGE_ENGINES,
     true, NULL, 0},
    {CASE(FWD, .name = "bias", .has_bias = true, .reverses_ops = true), STAGE_ENGINES, true, NULL,
     0},
    {CASE(FWD, .name = "y too high", .y_more = 1), STAGE_OP, false, "y is [2, 16, 7, 6]", 0},
    {CASE(FWD, .name = "y with more channels", .y_channels = 1), STAGE_OP, false,
     "y is [2, 17, 6, 6]", 0},
    {CASE(FWD, .name = "filters with other channels", .w_channels = -1), STAGE_OP, false,
     "no number of groups", 0},
    {CASE(FWD, .name = "filters that groups do not divide", .groups = 8, .k = 15), STAGE_OP, false,
     "no number of groups", 0},
    {CASE(FWD, .name = "no x", .missing = CASE_X), STAGE_OP, false, "_X was not set", 0},
    {CASE(FWD, .name = "no filters", .missing = CASE_W), STAGE_OP, false, "_W was not set", 0},
    {CASE(FWD, .name = "no y", .missing = CASE_Y), STAGE_OP, false, "_Y was not set", 0},
    {CASE(FWD, .name = "alignment of 3", .alignment = 3), STAGE_PARTS, false, "aligned to 3", 0},
    {CASE(FWD, .name = "alignment below an element", .alignment = 2), STAGE_PARTS, false,
     "aligned to 2", 0},
    {CASE(FWD, .name = "no alignment", .alignment = 0), STAGE_PARTS, false, "aligned to 0", 0},
    {CASE(FWD, .name = "negative padding", .pad = -1), STAGE_PARTS, false, "paddings of -1", 0},
    {CASE(FWD, .name = "filters of bf16, x of f32", .other_type_of = CASE_W, .other_type = BF16),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD_BF16, .name = "y of f32, x of bf16", .other_type_of = CASE_Y, .other_type = F32),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(CASE_FILTER, BF16, .name = "dW of f32, x of bf16", .other_type_of = CASE_W,
          .other_type = F32),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(CASE_DATA, BF16, .name = "dx of f32, dy of bf16", .other_type_of = CASE_X,
          .other_type = F32),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD_BF16, .name = "sums in bf16", .compute = BF16), STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD_BF16, .name = "bias of f32, y of bf16", .has_bias = true, .has_relu = true,
          .other_type_of = CASE_BIAS, .other_type = F32),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD_BF16, .name = "beta in a fused graph", .has_bias = true, .has_relu = true, .beta = 1),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD, .name = "a bias as large as y", .has_bias = true, .has_residual = true),
     STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD, .name = "ReLU without bias", .has_relu = true), STAGE_ENGINES, false, NULL, 0},
    {CASE(FWD, .name = "a bias with more channels", .has_bias = true, .bias_more = 1), STAGE_OP,
     false, "does not fit dimension 1", 0},
    {CASE(FWD, .name = "one id twice in an operation", .other_uid_of = CASE_W), STAGE_GRAPH, false,
     "two tensors of the id 1", true},
    {CASE(FWD, .name = "one id twice in a graph", .has_bias = true, .other_uid_of = CASE_BIAS),
     STAGE_GRAPH, false, "different tensors have the id 1", true},
    {CASE(FWD, .name = "a virtual output", .virtual_of = CASE_Y), STAGE_GRAPH, false, "never read",
     true},
    {CASE(FWD, .name = "a virtual input", .virtual_of = CASE_X), STAGE_GRAPH, false,
     "never written", true},
};
#define N_ROWS (sizeof rows / sizeof *rows)

/* The child's exit code: the stage in tens, whether there are configurations in ones. */
static int outcome_of(const dnn_api *api, const dnn_case *c, const char *json) {
    dnn_made made = dnn_build(api, c, json, NULL, CUDNN_HEUR_MODE_A);
    int code = 10 * (int)made.outcome.stage + (made.outcome.n_configs > 0);
    dnn_release(api, &made);
    return code;
}

static int run_fake(const void *arg) {
    dnn_api api = dnn_fake();
    return outcome_of(&api, arg, dnn_a100);
}

static void broken_rules_are_caught(void **state) {
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        caught c = run_apart(run_fake, &rows[i].c);
        int want = 10 * (int)rows[i].stage + rows[i].has_engines;
        bool is_said = rows[i].words ? strstr(c.text, rows[i].words) != NULL : c.text[0] == 0;
        if (c.exit_code != want || !is_said)
            fail_msg("%s: outcome %d, want %d; stderr wants \"%s\" and is:\n%s", rows[i].c.name,
                     c.exit_code, want, rows[i].words ? rows[i].words : "", c.text);
    }
}

/* The library, with all that it loads when it first plans: children then start with that. */
static bool has_library(dnn_api *api) {
    dnn_case right = dnn_right_case(CASE_FORWARD, F32);
    return dnn_real(api) && outcome_of(api, &right, dnn_a100) == 10 * STAGE_ENGINES + 1;
}

static int run_real(const void *arg) {
    dnn_api api;
    return dnn_real(&api) ? outcome_of(&api, arg, dnn_a100) : 77;
}

static void the_fake_refuses_what_the_library_refuses(void **state) {
    (void)state;
    dnn_api api;
    if (!has_library(&api)) {
        print_message("skipped: cuDNN is not installed\n");
        skip();
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        caught c = run_apart(run_real, &rows[i].c);
        bool is_refused = c.exit_code != 10 * STAGE_ENGINES + 1;
        bool is_refused_here = rows[i].stage != STAGE_ENGINES || !rows[i].has_engines;
        if (is_refused != is_refused_here && !(rows[i].is_stricter && !is_refused))
            fail_msg("%s: the library's outcome is %d, the fake %s it:\n%s", rows[i].c.name,
                     c.exit_code, is_refused_here ? "refuses" : "takes", c.text);
    }
}

static int run_t4(const void *arg) {
    dnn_api api = dnn_fake();
    return outcome_of(&api, arg, dnn_t4);
}

static void bf16_needs_an_ampere(void **state) {
    (void)state;
    dnn_case f32 = dnn_right_case(CASE_FORWARD, F32), bf16 = dnn_right_case(CASE_FORWARD, BF16);
    caught with = run_apart(run_t4, &f32), without = run_apart(run_t4, &bf16);
    assert_caught(&with, 10 * STAGE_ENGINES + 1, NULL);
    assert_caught(&without, 10 * STAGE_ENGINES, NULL);
}

/* --- calls out of order ----------------------------------------------------------------------- */

static cudnnBackendDescriptor_t make_tensor(const dnn_api *api) {
    cudnnBackendDescriptor_t t = NULL;
    int64_t dims[] = {2, 3, 4, 5}, strides[] = {60, 20, 5, 1}, uid = 1, alignment = 16;
    cudnnDataType_t type = F32;
    (void)api->create(CUDNN_BACKEND_TENSOR_DESCRIPTOR, &t);
    (void)api->set(t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    (void)api->set(t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    (void)api->set(t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    (void)api->set(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    (void)api->set(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    return t;
}

static cudnnStatus_t set_uid(const dnn_api *api, cudnnBackendDescriptor_t t, int type, int64_t n) {
    int64_t ids[] = {7, 8};
    return api->set(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, (cudnnBackendAttributeType_t)type, n, ids);
}

typedef cudnnStatus_t misuse_fn(const dnn_api *api, cudnnBackendDescriptor_t t);

static cudnnStatus_t wrong_type(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return set_uid(api, t, CUDNN_TYPE_INT32, 1);
}
static cudnnStatus_t wrong_count(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return set_uid(api, t, CUDNN_TYPE_INT64, 2);
}
static cudnnStatus_t no_count(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return set_uid(api, t, CUDNN_TYPE_INT64, 0);
}
static cudnnStatus_t no_value(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return api->set(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, NULL);
}
static cudnnStatus_t read_early(const dnn_api *api, cudnnBackendDescriptor_t t) {
    int64_t n = 0, uid = 0;
    return api->get(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &n, &uid);
}
static cudnnStatus_t set_late(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return api->finalize(t) ? CUDNN_STATUS_SUCCESS : set_uid(api, t, CUDNN_TYPE_INT64, 1);
}
static cudnnStatus_t finalize_twice(const dnn_api *api, cudnnBackendDescriptor_t t) {
    return api->finalize(t) ? CUDNN_STATUS_SUCCESS : api->finalize(t);
}
static cudnnStatus_t wrong_type_read(const dnn_api *api, cudnnBackendDescriptor_t t) {
    int64_t n = 0, uid = 0;
    return api->finalize(t)
               ? CUDNN_STATUS_SUCCESS
               : api->get(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT32, 1, &n, &uid);
}
static cudnnStatus_t fewer_strides(const dnn_api *api, cudnnBackendDescriptor_t t) {
    int64_t strides[] = {12, 4, 1};
    (void)api->set(t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 3, strides);
    return api->finalize(t);
}
static cudnnStatus_t negative_dimension(const dnn_api *api, cudnnBackendDescriptor_t t) {
    int64_t dims[] = {2, -3, 4, 5};
    (void)api->set(t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    return api->finalize(t);
}
static cudnnStatus_t null_descriptor(const dnn_api *api, cudnnBackendDescriptor_t t) {
    (void)t;
    return set_uid(api, NULL, CUDNN_TYPE_INT64, 1);
}
static cudnnStatus_t null_part(const dnn_api *api, cudnnBackendDescriptor_t t) {
    cudnnBackendDescriptor_t op = NULL, none = NULL;
    (void)t;
    (void)api->create(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, &op);
    return api->set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    1, &none);
}
static cudnnStatus_t unfinished_device(const dnn_api *api, cudnnBackendDescriptor_t t) {
    static const char json[] = "{\"deviceVer\":800}";
    cudnnBackendDescriptor_t device = NULL;
    (void)t;
    (void)api->create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &device);
    (void)api->set(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, sizeof json,
                   json);
    return api->finalize(device);
}
static cudnnStatus_t unequal_pack(const dnn_api *api, cudnnBackendDescriptor_t t) {
    cudnnBackendDescriptor_t pack = NULL;
    int64_t ids[] = {1, 2, 3};
    void *pointers[] = {&ids, &ids, &ids}, *workspace = NULL;
    (void)t;
    (void)api->create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    (void)api->set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
    (void)api->set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 2, pointers);
    (void)api->set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    return api->finalize(pack);
}

typedef struct misuse {
    const char *name;
    misuse_fn *run;
    const char *words;
} misuse;

static const misuse misuses[] = {
    {"an id as INT32", wrong_type, "is of type 3, not 23"},
    {"two ids", wrong_count, "takes 1 to 1 elements, not 2"},
    {"no ids", no_count, "takes 1 to 1 elements, not 0"},
    {"no value", no_value, "no value for"},
    {"reading before finalizing", read_early, "not finalized"},
    {"setting after finalizing", set_late, "after its descriptor was finalized"},
    {"finalizing twice", finalize_twice, "finalized already"},
    {"reading as another type", wrong_type_read, "is of type 3, not 23"},
    {"fewer strides than dimensions", fewer_strides, "4 dimensions, 3 strides"},
    {"a negative dimension", negative_dimension, "-3 elements"},
    {"no descriptor", null_descriptor, "no living descriptor"},
    {"no descriptor as a value", null_part, "no living descriptor"},
    {"a device half described", unfinished_device, "lacks maxGridSize"},
    {"a pack with fewer pointers than ids", unequal_pack, "3 ids, 2 pointers"},
};

static int run_misuse(const void *arg) {
    const misuse *m = arg;
    dnn_api api = dnn_fake();
    return m->run(&api, make_tensor(&api)) ? 1 : 0;
}

static int run_misuse_for_real(const void *arg) {
    const misuse *m = arg;
    dnn_api api;
    return !dnn_real(&api) ? 77 : m->run(&api, make_tensor(&api)) ? 1 : 0;
}

static void misuse_is_caught_as_the_library_does(void **state) {
    (void)state;
    dnn_api api;
    bool has_real = has_library(&api);
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        caught fake = run_apart(run_misuse, &misuses[i]);
        assert_caught(&fake, 1, misuses[i].words);
        if (!has_real)
            continue;
        caught real = run_apart(run_misuse_for_real, &misuses[i]);
        assert_caught(&real, 1, NULL);
    }
    if (!has_real)
        print_message("cuDNN is not installed: the fake was not compared with it\n");
}

static int make_unknown_descriptor(const void *arg) {
    (void)arg;
    cudnnBackendDescriptor_t d;
    return (int)cudnnBackendCreateDescriptor(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, &d);
}

static int set_unknown_attribute(const void *arg) {
    (void)arg;
    dnn_api api = dnn_fake();
    int64_t one = 1;
    return (int)api.set(make_tensor(&api), CUDNN_ATTR_TENSOR_VECTOR_COUNT, CUDNN_TYPE_INT64, 1,
                        &one);
}

static void what_is_not_modelled_ends_the_process(void **state) {
    (void)state;
    caught descriptor = run_apart(make_unknown_descriptor, NULL);
    caught attribute = run_apart(set_unknown_attribute, NULL);
    assert_caught(&descriptor, 99, "descriptor type 41 is not modelled");
    assert_caught(&attribute, 99, "attribute 904 of a TENSOR descriptor is not modelled");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_rules_are_caught),
        cmocka_unit_test(the_fake_refuses_what_the_library_refuses),
        cmocka_unit_test(bf16_needs_an_ampere),
        cmocka_unit_test(misuse_is_caught_as_the_library_does),
        cmocka_unit_test(what_is_not_modelled_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
