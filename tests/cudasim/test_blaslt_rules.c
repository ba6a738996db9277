/* The rules of the cuBLASLt fake: every wrong call is caught, and said in words. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blaslt_trial.h"
#include "caught.h"
#include "cuda_api.h"

static void heuristics_keep_to_the_workspace_and_to_what_they_are_told(void **state) {
    (void)state;
    trial t = {32, 32, 256, 1, 0, 0, 0, F32, 0, 1, 0, 0, 1 << 20};
    setup s = trial_start(&t);
    cublasLtMatmulHeuristicResult_t results[8];
    int n = 0;
    assert_int_equal(cublasLtMatmulAlgoGetHeuristic(s.handle, s.desc, s.a.layout, s.b.layout,
                                                    s.c.layout, s.d.layout, s.preference, 8,
                                                    results, &n),
                     0);
    assert_int_equal(n, 3);
    assert_int_equal(results[0].workspaceSize, 32 * 32 * 4 * 4);
    uint64_t little = 32 * 32 * 2 * 4;
    assert_int_equal(cublasLtMatmulPreferenceSetAttribute(s.preference,
                                                          CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                          &little, sizeof little),
                     0);
    assert_int_equal(cublasLtMatmulAlgoGetHeuristic(s.handle, s.desc, s.a.layout, s.b.layout,
                                                    s.c.layout, s.d.layout, s.preference, 8,
                                                    results, &n),
                     0);
    assert_int_equal(n, 2);
    assert_true(results[0].workspaceSize <= little);
    setenv("CUDASIM_BLAS_HEURISTICS", "0", 1);
    assert_int_equal(trial_heuristic(&s, results), CUBLAS_STATUS_NOT_SUPPORTED);
    unsetenv("CUDASIM_BLAS_HEURISTICS");
    trial_end(&s);
}

/* --- broken rules ----------------------------------------------------------------------------- */

/* What a wrong call changes of a right one. */
typedef struct slip {
    const char *name;
    void (*break_it)(setup *s, trial *t);
    int status;        /* of the heuristics, or of the product where those succeed */
    const char *words; /* of the report; NULL: there is none */
} slip;

static void set_layout(operand *o, cublasLtMatrixLayoutAttribute_t attribute, int64_t value,
                       size_t bytes) {
    cublasLtMatrixLayoutSetAttribute(o->layout, attribute, &value, bytes);
}

static void short_ld(setup *s, trial *t) {
    set_layout(&s->a, CUBLASLT_MATRIX_LAYOUT_LD, t->m - 1, 8);
}
static void other_k(setup *s, trial *t) {
    set_layout(&s->b, CUBLASLT_MATRIX_LAYOUT_ROWS, t->k - 1, 8);
}
static void mixed_orders(setup *s, trial *t) {
    set_layout(&s->c, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW, 4);
    set_layout(&s->c, CUBLASLT_MATRIX_LAYOUT_LD, t->n + 16, 8);
}
static void mixed_types(setup *s, trial *t) {
    (void)t;
    set_layout(&s->b, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_16BF, 4);
}
static void unknown_type(setup *s, trial *t) {
    (void)t;
    set_layout(&s->b, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_16F, 4);
}
static void unknown_order(setup *s, trial *t) {
    (void)t;
    set_layout(&s->b, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_COL32, 4);
}
static void unknown_attribute(setup *s, trial *t) {
    (void)t;
    int8_t fast = 1;
    cublasLtMatmulDescSetAttribute(s->desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast);
}
static void wrong_size(setup *s, trial *t) {
    (void)t;
    int64_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    if (cublasLtMatmulDescSetAttribute(s->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                       sizeof epilogue) != CUBLAS_STATUS_INVALID_VALUE)
        abort();
}
static void batch_of_one_operand(setup *s, trial *t) {
    (void)t;
    set_layout(&s->a, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 2, 4);
}
static void aux_ld_of_mask(setup *s, trial *t) {
    uint32_t epilogue = t->epilogue = CUBLASLT_EPILOGUE_RELU_AUX;
    int64_t ld = 24;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
}
static void bias_type(setup *s, trial *t) {
    (void)t;
    int32_t type = CUDA_R_16BF;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type);
}
static void no_bias(setup *s, trial *t) {
    (void)t;
    void *none = NULL;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &none, sizeof none);
}
static void host_bias(setup *s, trial *t) {
    (void)t;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->bias, sizeof s->bias);
}
static void bias_inside(setup *s, trial *t) {
    (void)t;
    void *inside = (char *)s->bias_device + 4;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &inside, sizeof inside);
}
static void dead_layout(setup *s, trial *t) {
    (void)t;
    cublasLtMatrixLayoutDestroy(s->a.layout);
}
static void misaligned_a(setup *s, trial *t) {
    (void)t;
    s->a.device = (char *)s->a.device + 4;
}
static void in_place_b(setup *s, trial *t) {
    (void)t;
    s->d.device = s->b.device;
}
static void other_c(setup *s, trial *t) {
    set_layout(&s->c, CUBLASLT_MATRIX_LAYOUT_LD, t->m, 8);
    s->c.device = s->d.device;
}
static void small_d(setup *s, trial *t) {
    (void)t;
    cudaFree(s->d.device);
    cudaMalloc(&s->d.device, 64);
}
static void freed_a(setup *s, trial *t) {
    (void)t;
    cudaFree(s->a.device);
}
static void host_a(setup *s, trial *t) {
    (void)t;
    void *host = NULL;
    cudaMallocHost(&host, 1 << 16);
    s->a.device = host;
}
static void unwritten_a(setup *s, trial *t) {
    (void)t;
    cudaMalloc(&s->a.device, s->a.elements * 4);
}

static const slip slips[] = {
    {"a leading dimension below the rows", short_ld, 7,
     "leading dimension is 15, want at least 16"},
    {"op(A) and op(B) of different k", other_k, 7, "op(A) is 16 x 24, op(B) 23 x 20"},
    {"C and D of different orders", mixed_orders, 15, NULL},
    {"types that no row of the table has", mixed_types, 15, NULL},
    {"half precision", unknown_type, 99, "cudaDataType 2 is not modelled"},
    {"tiled orders", unknown_order, 99, "order 2 is not modelled"},
    {"an attribute of fp8", unknown_attribute, 99, "attribute 25 is not modelled"},
    {"an attribute of the wrong size", wrong_size, 0, "EPILOGUE takes 4 bytes, not 8"},
    {"batches of one operand only", batch_of_one_operand, 7, "A has batch count 2, D 1"},
    {"a mask's leading dimension", aux_ld_of_mask, 7, "want a multiple of 128, at least 16"},
    {"a bias of another type than D", bias_type, 15, NULL},
    {"no bias", no_bias, 7, "the bias at 0"},
    {"a bias in host memory", host_bias, 7, NULL},
    {"a bias at an odd place", bias_inside, 7, "the bias at"},
    {"a layout that was destroyed", dead_layout, 7, "is no living cublasLt matrix layout"},
    {"an A less aligned than promised", misaligned_a, 7, "A at"},
    {"D in place of B", in_place_b, 7, "B overlaps D"},
    {"D in place of a C that is another matrix", other_c, 7, "without being the same matrix"},
    {"D's memory too small", small_d, 7, "bounds"},
    {"A's memory freed", freed_a, 7, "use-after-free"},
    {"A in host memory", host_a, 7, "host"},
    {"A never written", unwritten_a, 0, "uninitialised"},
};

static int run_slip(const void *arg) {
    const slip *one = arg;
    trial t = {16, 20, 24, 1, 0, 0, 0, F32, 4, 1, 1, CUBLASLT_EPILOGUE_BIAS, 0};
    setup s = trial_start(&t);
    one->break_it(&s, &t);
    cublasLtMatmulHeuristicResult_t result;
    cublasStatus_t status = trial_heuristic(&s, &result);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = trial_multiply(&s, &t, &result);
    cudaDeviceSynchronize();
    return (int)status;
}

static void broken_rules_are_caught(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        caught c = run_apart(run_slip, &slips[i]);
        if (c.exit_code != slips[i].status || (slips[i].words && !strstr(c.text, slips[i].words)))
            fail_msg("%s: ended with %d, want %d; stderr wants \"%s\" and is:\n%s", slips[i].name,
                     c.exit_code, slips[i].status, slips[i].words ? slips[i].words : "", c.text);
    }
}

/* The slips of the call itself: the algorithm and the workspace. */
static int run_other_algo(const void *arg) {
    (void)arg;
    trial t = {16, 20, 24, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0},
          u = {16, 20, 32, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0};
    setup s = trial_start(&t), o = trial_start(&u);
    cublasLtMatmulHeuristicResult_t result;
    return trial_heuristic(&o, &result) ? 1 : (int)trial_multiply(&s, &t, &result);
}

static int run_invented_algo(const void *arg) {
    (void)arg;
    trial t = {16, 20, 24, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0};
    setup s = trial_start(&t);
    cublasLtMatmulHeuristicResult_t result = {0};
    return (int)trial_multiply(&s, &t, &result);
}

static int run_small_workspace(const void *arg) {
    (void)arg;
    trial t = {16, 20, 640, 1, 0, 0, 0, F32, 0, 1, 0, 0, 1 << 16};
    setup s = trial_start(&t);
    cublasLtMatmulHeuristicResult_t result;
    if (trial_heuristic(&s, &result) || result.workspaceSize == 0)
        return 1;
    t.workspace = result.workspaceSize - 1;
    return (int)trial_multiply(&s, &t, &result);
}

static void algorithms_belong_to_their_problem(void **state) {
    (void)state;
    caught other = run_apart(run_other_algo, NULL), invented = run_apart(run_invented_algo, NULL);
    caught small = run_apart(run_small_workspace, NULL);
    assert_caught(&other, 7, "chosen for another problem");
    assert_caught(&invented, 7, "not from the heuristics");
    assert_caught(&small, 7, "needs a workspace of 5120 bytes, there are 5119");
}

/* Two streams share one workspace with nothing between them. */
static int run_shared_workspace(const void *arg) {
    bool has_event = *(const bool *)arg;
    trial t = {16, 20, 640, 1, 0, 0, 0, F32, 0, 1, 0, 0, 1 << 16};
    setup s = trial_start(&t), o = trial_start(&t);
    cublasLtMatmulHeuristicResult_t result;
    cudaStream_t streams[2];
    cudaEvent_t event;
    if (trial_heuristic(&s, &result) ||
        cudaStreamCreateWithFlags(&streams[0], cudaStreamNonBlocking) ||
        cudaStreamCreateWithFlags(&streams[1], cudaStreamNonBlocking) || cudaEventCreate(&event) ||
        cudaDeviceSynchronize())
        return 1;
    for (int i = 0; i < 2; i++) {
        setup *one = i ? &o : &s;
        if (cublasLtMatmul(one->handle, one->desc, &t.alpha, one->a.device, one->a.layout,
                           one->b.device, one->b.layout, &t.beta, one->c.device, one->c.layout,
                           one->d.device, one->d.layout, &result.algo, s.workspace, t.workspace,
                           streams[i]))
            return 1;
        if (i == 0 && has_event &&
            (cudaEventRecord(event, streams[0]) || cudaStreamWaitEvent(streams[1], event, 0)))
            return 1;
    }
    return (int)cudaDeviceSynchronize();
}

static void a_workspace_shared_by_streams_needs_an_event(void **state) {
    (void)state;
    bool without = false, with = true;
    caught bad = run_apart(run_shared_workspace, &without);
    caught good = run_apart(run_shared_workspace, &with);
    assert_caught(&bad, 0, "missing-event");
    assert_caught(&good, 0, NULL);
    assert_null(strstr(good.text, "cudasim"));
}

/* --- against the real library's descriptors, which work without a GPU -------------------------- */

enum { OF_DESC, OF_LAYOUT, OF_PREFERENCE };

typedef struct blas_api {
    __typeof__(cublasLtMatmulDescCreate) *create_desc;
    __typeof__(cublasLtMatmulDescSetAttribute) *set_desc;
    __typeof__(cublasLtMatrixLayoutCreate) *create_layout;
    __typeof__(cublasLtMatrixLayoutSetAttribute) *set_layout;
    __typeof__(cublasLtMatmulPreferenceCreate) *create_preference;
    __typeof__(cublasLtMatmulPreferenceSetAttribute) *set_preference;
} blas_api;

typedef struct attribute_question {
    bool is_real;
    int of, attribute;
} attribute_question;

static bool load_real(blas_api *out) {
    static const char *const names[] = {
        "cublasLtMatmulDescCreate",       "cublasLtMatmulDescSetAttribute",
        "cublasLtMatrixLayoutCreate",     "cublasLtMatrixLayoutSetAttribute",
        "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute"};
    void *library = dlopen(CUBLAS_PATH, RTLD_LAZY | RTLD_LOCAL), *symbols[6] = {NULL};
    for (int i = 0; library && i < 6; i++)
        symbols[i] = dlsym(library, names[i]);
    memcpy(out, symbols, sizeof *out);
    return symbols[0] && symbols[1] && symbols[2] && symbols[3] && symbols[4] && symbols[5];
}

/* Which of 1, 2, 4, 8 and 16 bytes an attribute takes, as bits. */
static int sizes_taken(const void *arg) {
    const attribute_question *q = arg;
    blas_api api = {cublasLtMatmulDescCreate,       cublasLtMatmulDescSetAttribute,
                    cublasLtMatrixLayoutCreate,     cublasLtMatrixLayoutSetAttribute,
                    cublasLtMatmulPreferenceCreate, cublasLtMatmulPreferenceSetAttribute};
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t layout;
    cublasLtMatmulPreference_t preference;
    if ((q->is_real && !load_real(&api)) ||
        api.create_desc(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F) ||
        api.create_layout(&layout, CUDA_R_32F, 4, 4, 4) || api.create_preference(&preference))
        return 64;
    int taken = 0;
    for (int i = 0; i < 5; i++) {
        uint64_t zero[2] = {0, 0};
        size_t n = (size_t)1 << i;
        cublasStatus_t status =
            q->of == OF_DESC
                ? api.set_desc(desc, (cublasLtMatmulDescAttributes_t)q->attribute, zero, n)
            : q->of == OF_LAYOUT
                ? api.set_layout(layout, (cublasLtMatrixLayoutAttribute_t)q->attribute, zero, n)
                : api.set_preference(preference, (cublasLtMatmulPreferenceAttributes_t)q->attribute,
                                     zero, n);
        taken |= (status == CUBLAS_STATUS_SUCCESS) << i;
    }
    return taken;
}

static void attributes_have_the_sizes_of_the_real_ones(void **state) {
    (void)state;
    static const int desc[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 22, 26};
    static const int layout[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const int preference[] = {0, 1, 3, 5, 6, 7, 8, 9, 12};
    static const int *const all[] = {desc, layout, preference};
    static const size_t n[] = {sizeof desc / sizeof *desc, sizeof layout / sizeof *layout,
                               sizeof preference / sizeof *preference};
    blas_api api;
    if (!load_real(&api)) {
        print_message("skipped: cuBLASLt is not installed\n");
        skip();
    }
    for (int of = 0; of < 3; of++)
        for (size_t i = 0; i < n[of]; i++) {
            attribute_question real = {true, of, all[of][i]}, fake = {false, of, all[of][i]};
            caught r = run_apart(sizes_taken, &real), f = run_apart(sizes_taken, &fake);
            if (f.exit_code == 0 || f.exit_code > 31 || (f.exit_code & ~r.exit_code))
                fail_msg("attribute %d of kind %d: the library takes sizes %#x, the fake %#x",
                         all[of][i], of, r.exit_code, f.exit_code);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heuristics_keep_to_the_workspace_and_to_what_they_are_told),
        cmocka_unit_test(broken_rules_are_caught),
        cmocka_unit_test(attributes_have_the_sizes_of_the_real_ones),
        cmocka_unit_test(algorithms_belong_to_their_problem),
        cmocka_unit_test(a_workspace_shared_by_streams_needs_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
