/* What a layer does when CUDA, cuBLASLt or cuDNN fails it: any call of any function, in turn. It ends
 * in order with one line that says what was attempted, or goes on where the failure is an answer
 * ("this engine will not do"); nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"

static child *run_layer(const char *op, const char *precision, const char *setting) {
    child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->program = GPU_LAYER;
    c->arguments[0] = op;
    c->arguments[1] = precision;
    c->settings[0] = "TILTYARD_CUDA_PLUGIN=" GPU_PLUGIN;
    c->settings[1] = setting;
    child_run(c);
    return c;
}

/* How often the layer calls a function. */
static int calls_of(const char *output, const char *function) {
    char line[96];
    (void)snprintf(line, sizeof line, "cudasim: calls %s ", function);
    const char *at = strstr(output, line);
    return at ? atoi(at + strlen(line)) : 0;
}

/* A failure ends in 8 with a line of the program's. Some are answers, after which it goes on. */
static void check_ends_well(const child *c, const char *what) {
    const bool is_clean = !strstr(c->output, "cudasim: leak") && c->status < 99;
    const bool says =
        strstr(c->output, "gpu_layer: ERR_DEVICE: ") || strstr(c->output, "gpu_layer: ERR_NOMEM: ");
    if (!is_clean || (c->status != 0 && c->status != 8) || says != (c->status == 8))
        fail_msg("%s with %s: exit %d and\n%s", what, c->settings[1], c->status, c->output);
}

/* The first call, the last and one between. */
static int fail_calls_of(const char *op, const char *precision, const char *function, int n_calls) {
    const int which[] = {1, (n_calls + 1) / 2, n_calls};
    int n_failed = 0;
    for (int i = 0; i < 3; i++) {
        char setting[128];
        if (i > 0 && which[i] == which[i - 1])
            continue;
        (void)snprintf(setting, sizeof setting, "CUDASIM_FAIL=%s:%d", function, which[i]);
        child *c = run_layer(op, precision, setting);
        check_ends_well(c, op);
        n_failed += c->status == 8;
        free(c);
    }
    return n_failed;
}

/* must: a failure of theirs may not pass unnoticed. */
typedef struct function {
    const char *name;
    bool must;
} function;

static void sweep(const char *op, const char *precision, const function *functions, size_t n) {
    child *traced = run_layer(op, precision, "CUDASIM_TRACE=1");
    if (traced->status != 0)
        fail_msg("%s: exit %d and\n%s", op, traced->status, traced->output);
    for (size_t i = 0; i < n; i++) {
        const int n_calls = calls_of(traced->output, functions[i].name);
        if (n_calls == 0)
            fail_msg("%s never calls %s, or the trace is cut", op, functions[i].name);
        const int n_failed = fail_calls_of(op, precision, functions[i].name, n_calls);
        if (functions[i].must && n_failed == 0)
            fail_msg("%s: no failure of %s was noticed", op, functions[i].name);
    }
    free(traced);
}

static void a_linear_layer_survives_any_failing_call(void **state) {
    (void)state;
    static const function functions[] = {{"cublasLtCreate", true},
                                         {"cublasLtMatmulDescCreate", true},
                                         {"cublasLtMatmulDescSetAttribute", true},
                                         {"cublasLtMatrixLayoutCreate", true},
                                         {"cublasLtMatmulPreferenceCreate", true},
                                         {"cublasLtMatmulPreferenceSetAttribute", true},
                                         {"cublasLtMatmulAlgoGetHeuristic", false},
                                         {"cublasLtMatmul", true},
                                         {"cudaMalloc", true}};
    sweep("linear", "fp32", functions, sizeof functions / sizeof functions[0]);
}

static void a_convolution_survives_any_failing_call(void **state) {
    (void)state;
    static const function functions[] = {{"cudnnCreate", true},
                                         {"cudnnSetStream", true},
                                         {"cudnnBackendCreateDescriptor", true},
                                         {"cudnnBackendSetAttribute", true},
                                         {"cudnnBackendGetAttribute", false},
                                         {"cudnnBackendFinalize", true},
                                         {"cudnnBackendExecute", true},
                                         {"cudaMalloc", true}};
    sweep("conv2d", "bf16", functions, sizeof functions / sizeof functions[0]);
}

/* What the layer says of y; the caller frees it. */
static char *output_of(const char *op, const char *precision, const char *setting) {
    child *c = run_layer(op, precision, setting);
    const char *y = strstr(c->output, "y 0.0000 ");
    if (c->status != 0 || !y)
        fail_msg("%s with %s: exit %d and\n%s", op, setting, c->status, c->output);
    char *line = strndup(y, strcspn(y, "\n"));
    free(c);
    return line;
}

/* CUBLAS_STATUS_NOT_SUPPORTED is how cuBLASLt says that it has no algorithm. */
static void a_product_without_an_epilogue_has_its_bias_added(void **state) {
    (void)state;
    static const char *const precisions[] = {"fp32", "bf16"};
    for (int i = 0; i < 2; i++) {
        char *fused = output_of("linear", precisions[i], "CUDASIM_TRACE=0");
        char *left_over =
            output_of("linear", precisions[i], "CUDASIM_FAIL=cublasLtMatmulAlgoGetHeuristic:1:15");
        assert_non_null(strstr(fused, " 0.0312 "));
        assert_string_equal(left_over, fused);
        free(fused);
        free(left_over);
    }
}

/* CUDNN_STATUS_NOT_SUPPORTED, whichever descriptor is told so: the graph without its epilogue is used
 * instead (the first 13 descriptors are those of the one with it), and where there is no other, the
 * error says what was wanted. */
static void a_graph_that_cudnn_does_not_support_is_not_planned(void **state) {
    (void)state;
    enum { WITH_EPILOGUE = 13 };
    char *fused = output_of("conv2d", "fp32", "CUDASIM_TRACE=0");
    child *traced = run_layer("conv2d", "fp32", "CUDASIM_TRACE=1");
    const int n_calls = calls_of(traced->output, "cudnnBackendFinalize");
    int n_unplanned = 0;
    assert_in_range(n_calls, WITH_EPILOGUE + 1, 200);
    for (int i = 1; i <= n_calls; i++) {
        char setting[128];
        (void)snprintf(setting, sizeof setting, "CUDASIM_FAIL=cudnnBackendFinalize:%d:3000", i);
        child *c = run_layer("conv2d", "fp32", setting);
        check_ends_well(c, "conv2d");
        n_unplanned += strstr(c->output, " has no engine for conv2d backward") &&
                       strstr(c->output, ": CUDNN_STATUS_NOT_SUPPORTED");
        if ((i <= WITH_EPILOGUE || c->status == 0) && !strstr(c->output, fused))
            fail_msg("with %s: exit %d, want %s in\n%s", setting, c->status, fused, c->output);
        free(c);
    }
    assert_in_range(n_unplanned, 2, n_calls);
    free(traced);
    free(fused);
}

/* --- GPUs that lack something ------------------------------------------------------------------- */

static void check_on(const char *profile, const char *precision, int status, const char *says) {
    static const char *const ops[] = {"linear", "conv2d"};
    for (int i = 0; i < 2; i++) {
        child *c = run_layer(ops[i], precision, profile);
        if (c->status != status || !strstr(c->output, says))
            fail_msg("%s with %s in %s: exit %d, want %d and \"%s\" in\n%s", ops[i], profile,
                     precision, c->status, status, says, c->output);
        free(c);
    }
}

static void layers_run_on_every_gpu_in_what_it_has(void **state) {
    (void)state;
    check_on("CUDASIM_PROFILE=t4", "fp32", 0, "");
    check_on("CUDASIM_PROFILE=h100", "tf32", 0, "");
    check_on("CUDASIM_PROFILE=h100", "bf16", 0, "");
}

static void a_gpu_without_a_precision_is_refused_when_it_is_opened(void **state) {
    (void)state;
    check_on("CUDASIM_PROFILE=t4", "bf16", 8, "gpu_layer: ERR_CONFIG: ");
    check_on("CUDASIM_PROFILE=t4", "bf16", 8,
             "compute capability 7.5, and precision \"bf16\" wants");
    check_on("CUDASIM_PROFILE=t4", "tf32", 8, "precision \"tf32\" wants 8.0 or later");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_layer_survives_any_failing_call),
        cmocka_unit_test(a_convolution_survives_any_failing_call),
        cmocka_unit_test(a_product_without_an_epilogue_has_its_bias_added),
        cmocka_unit_test(a_graph_that_cudnn_does_not_support_is_not_planned),
        cmocka_unit_test(layers_run_on_every_gpu_in_what_it_has),
        cmocka_unit_test(a_gpu_without_a_precision_is_refused_when_it_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
