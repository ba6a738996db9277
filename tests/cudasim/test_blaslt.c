/* The cuBLASLt fake against plain loops in double, and its rules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blaslt.h"
#include "caught.h"
#include "cuda_api.h"
#include "rounding.h"

/* One multiplication to try: sizes, transposes, types, paddings of the leading dimensions, epilogue. */
typedef struct trial {
    int m, n, k, batch;
    bool trans_a, trans_b, is_row_major;
    cudaDataType_t in, out;
    cublasComputeType_t compute;
    int pad;
    float alpha, beta;
    cublasLtEpilogue_t epilogue;
    size_t workspace;
} trial;

typedef struct operand {
    cublasLtMatrixLayout_t layout;
    int rows, columns, ld, batch;
    bool is_row_major;
    cudaDataType_t type;
    size_t elements;
    double *values; /* as the device has them */
    void *device;
} operand;

typedef struct setup {
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t desc;
    cublasLtMatmulPreference_t preference;
    operand a, b, c, d;
    size_t bias_elements, aux_ld;
    double *bias, *aux;
    void *bias_device, *aux_device, *workspace;
} setup;

static size_t size_of(cudaDataType_t type) {
    return type == CUDA_R_16BF ? 2 : 4;
}

static double random_value(void) {
    return (double)rand() / RAND_MAX * 2 - 1;
}

/* Fills host and device with the same values of a type. */
static void *upload(double *values, size_t n, cudaDataType_t type) {
    uint8_t *bytes = calloc(n, size_of(type));
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) {
        float wide = (float)values[i];
        uint16_t narrow = cs_to_bf16(wide);
        memcpy(bytes + i * size_of(type), type == CUDA_R_16BF ? (void *)&narrow : (void *)&wide,
               size_of(type));
        values[i] = type == CUDA_R_16BF ? (double)cs_from_bf16(narrow) : (double)wide;
    }
    void *device = NULL;
    assert_int_equal(cudaMalloc(&device, n * size_of(type)), cudaSuccess);
    assert_int_equal(cudaMemcpy(device, bytes, n * size_of(type), cudaMemcpyHostToDevice), 0);
    free(bytes);
    return device;
}

static void download(void *device, double *values, size_t n, cudaDataType_t type) {
    uint8_t *bytes = calloc(n, size_of(type));
    assert_non_null(bytes);
    assert_int_equal(cudaMemcpy(bytes, device, n * size_of(type), cudaMemcpyDeviceToHost), 0);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)cs_element_load(bytes + i * size_of(type),
                                            type == CUDA_R_16BF ? CS_ELEMENT_BF16 : CS_ELEMENT_F32);
    free(bytes);
}

static operand make_operand(int rows, int columns, cudaDataType_t type, const trial *t) {
    operand o = {.rows = rows, .columns = columns, .batch = t->batch, .type = type};
    o.is_row_major = t->is_row_major;
    o.ld = (t->is_row_major ? columns : rows) + t->pad;
    size_t one = (size_t)o.ld * (size_t)(t->is_row_major ? rows : columns);
    o.elements = one * (size_t)t->batch;
    o.values = calloc(o.elements, sizeof *o.values);
    assert_non_null(o.values);
    for (size_t i = 0; i < o.elements; i++)
        o.values[i] = random_value();
    o.device = upload(o.values, o.elements, type);
    assert_int_equal(
        cublasLtMatrixLayoutCreate(&o.layout, type, (uint64_t)rows, (uint64_t)columns, o.ld), 0);
    int32_t order = t->is_row_major ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL;
    int32_t batch = t->batch;
    int64_t stride = (int64_t)one;
    assert_int_equal(cublasLtMatrixLayoutSetAttribute(o.layout, CUBLASLT_MATRIX_LAYOUT_ORDER,
                                                      &order, sizeof order),
                     0);
    assert_int_equal(cublasLtMatrixLayoutSetAttribute(o.layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                                      &batch, sizeof batch),
                     0);
    assert_int_equal(cublasLtMatrixLayoutSetAttribute(o.layout,
                                                      CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                      &stride, sizeof stride),
                     0);
    return o;
}

static void end_operand(operand *o) {
    free(o->values);
    assert_int_equal(cudaFree(o->device), 0);
    assert_int_equal(cublasLtMatrixLayoutDestroy(o->layout), 0);
}

static size_t index_of(const operand *o, int batch, int row, int column) {
    size_t one = o->elements / (size_t)o->batch;
    size_t at = o->is_row_major ? (size_t)row * (size_t)o->ld + (size_t)column
                                : (size_t)column * (size_t)o->ld + (size_t)row;
    return (size_t)batch * one + at;
}

static void set_desc(setup *s, cublasLtMatmulDescAttributes_t attribute, const void *value,
                     size_t bytes) {
    assert_int_equal(cublasLtMatmulDescSetAttribute(s->desc, attribute, value, bytes), 0);
}

static bool has_grad(cublasLtEpilogue_t e) {
    return e == CUBLASLT_EPILOGUE_DRELU_BGRAD || e == CUBLASLT_EPILOGUE_DGELU_BGRAD ||
           e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB;
}

static bool is_backward(cublasLtEpilogue_t e) {
    return e == CUBLASLT_EPILOGUE_DGELU || e == CUBLASLT_EPILOGUE_DGELU_BGRAD;
}

static void add_epilogue(setup *s, const trial *t) {
    uint32_t epilogue = t->epilogue;
    set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    s->bias_elements = (size_t)(t->epilogue == CUBLASLT_EPILOGUE_BGRADB ? t->n : t->m);
    s->bias = calloc(s->bias_elements, sizeof *s->bias);
    s->aux_ld = ((size_t)t->m + 7) / 8 * 8 + 8;
    s->aux = calloc(s->aux_ld * (size_t)t->n, sizeof *s->aux);
    assert_true(s->bias && s->aux);
    for (size_t i = 0; i < s->bias_elements; i++)
        s->bias[i] = random_value();
    for (size_t i = 0; i < s->aux_ld * (size_t)t->n; i++)
        s->aux[i] = 2 * random_value();
    s->bias_device = upload(s->bias, s->bias_elements, t->out);
    s->aux_device = upload(s->aux, s->aux_ld * (size_t)t->n, t->out);
    int64_t ld = (int64_t)s->aux_ld;
    set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->bias_device, sizeof s->bias_device);
    set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &s->aux_device, sizeof s->aux_device);
    set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
}

static setup start(const trial *t) {
    setup s = {0};
    int32_t ta = t->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N,
            tb = t->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint64_t workspace = t->workspace;
    assert_int_equal(cublasLtCreate(&s.handle), 0);
    assert_int_equal(cublasLtMatmulDescCreate(&s.desc, t->compute, CUDA_R_32F), 0);
    assert_int_equal(cublasLtMatmulPreferenceCreate(&s.preference), 0);
    assert_int_equal(cublasLtMatmulPreferenceSetAttribute(s.preference,
                                                          CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                          &workspace, sizeof workspace),
                     0);
    set_desc(&s, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    set_desc(&s, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
    s.a = make_operand(t->trans_a ? t->k : t->m, t->trans_a ? t->m : t->k, t->in, t);
    s.b = make_operand(t->trans_b ? t->n : t->k, t->trans_b ? t->k : t->n, t->in, t);
    s.c = make_operand(t->m, t->n, t->out, t);
    s.d = make_operand(t->m, t->n, t->out, t);
    if (t->workspace)
        assert_int_equal(cudaMalloc(&s.workspace, t->workspace), 0);
    if (t->epilogue)
        add_epilogue(&s, t);
    return s;
}

static void end(setup *s) {
    assert_int_equal(cudaDeviceSynchronize(), 0);
    end_operand(&s->a);
    end_operand(&s->b);
    end_operand(&s->c);
    end_operand(&s->d);
    assert_int_equal(cudaFree(s->workspace), 0);
    assert_int_equal(cudaFree(s->bias_device), 0);
    assert_int_equal(cudaFree(s->aux_device), 0);
    free(s->bias);
    free(s->aux);
    assert_int_equal(cublasLtMatmulDescDestroy(s->desc), 0);
    assert_int_equal(cublasLtMatmulPreferenceDestroy(s->preference), 0);
    assert_int_equal(cublasLtDestroy(s->handle), 0);
}

static cublasStatus_t heuristic(const setup *s, cublasLtMatmulHeuristicResult_t *result) {
    int n = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(s->handle, s->desc, s->a.layout, s->b.layout, s->c.layout,
                                       s->d.layout, s->preference, 1, result, &n);
    return status ? status : n == 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

static cublasStatus_t multiply(const setup *s, const trial *t,
                               const cublasLtMatmulHeuristicResult_t *result) {
    return cublasLtMatmul(s->handle, s->desc, &t->alpha, s->a.device, s->a.layout, s->b.device,
                          s->b.layout, &t->beta, s->c.device, s->c.layout, s->d.device, s->d.layout,
                          &result->algo, s->workspace, t->workspace, NULL);
}

/* --- what is right ---------------------------------------------------------------------------- */

/* To 11 significant bits, halves away from zero: TF32 in exact arithmetic. */
static double tf32(double x) {
    int exponent = 0;
    double fraction = frexp(x, &exponent);
    return x == 0 ? 0 : ldexp(round(ldexp(fraction, 11)), exponent - 11);
}

static double read_input(const operand *o, const trial *t, bool is_trans, int batch, int i, int j) {
    double x = o->values[index_of(o, batch, is_trans ? j : i, is_trans ? i : j)];
    return t->compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? tf32(x) : x;
}

static double gelu(double x) {
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double gelu_slope(double x) {
    double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 0.134145 * x * x);
}

static double finish(const setup *s, const trial *t, int i, int j, double x) {
    double aux = s->aux ? s->aux[(size_t)j * s->aux_ld + (size_t)i] : 0;
    switch (t->epilogue) {
    case CUBLASLT_EPILOGUE_BIAS:
        return x + s->bias[i];
    case CUBLASLT_EPILOGUE_RELU:
        return x > 0 ? x : 0;
    case CUBLASLT_EPILOGUE_RELU_BIAS:
        return x + s->bias[i] > 0 ? x + s->bias[i] : 0;
    case CUBLASLT_EPILOGUE_GELU:
        return gelu(x);
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
        return gelu(x + s->bias[i]);
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
        return x * gelu_slope(aux);
    default:
        return x;
    }
}

/* One output, and the sum of the absolute values of its terms: what the error bound is made of. */
static double reference(const setup *s, const trial *t, int batch, int i, int j, double *size) {
    double sum = 0, absolute = 0;
    for (int k = 0; k < t->k; k++) {
        double term = read_input(&s->a, t, t->trans_a, batch, i, k) *
                      read_input(&s->b, t, t->trans_b, batch, k, j);
        sum += term;
        absolute += fabs(term);
    }
    double old = (double)t->beta * s->c.values[index_of(&s->c, batch, i, j)];
    *size = fabs((double)t->alpha) * absolute + fabs(old) + 1;
    return finish(s, t, i, j, (double)t->alpha * sum + old);
}

/* Each of k + 4 roundings of fp32 loses at most 2^-24 of the terms' size; a bf16 output 2^-9 of itself. GELU's slope is
 * below 1.2. */
static double bound(const trial *t, double right, double size) {
    double narrow = t->out == CUDA_R_16BF ? ldexp(fabs(right), -8) : 0;
    return 1.2 * (t->k + 8) * ldexp(size, -23) + narrow + 1e-7;
}

static void check_bias_grad(const setup *s, const trial *t) {
    double *got = calloc(s->bias_elements, sizeof *got);
    assert_non_null(got);
    download(s->bias_device, got, s->bias_elements, t->out);
    for (int i = 0; i < (int)s->bias_elements; i++) {
        double right = 0, size = 1, one;
        if (t->epilogue == CUBLASLT_EPILOGUE_BGRADA || t->epilogue == CUBLASLT_EPILOGUE_BGRADB)
            for (int k = 0; k < t->k; k++) {
                double x = t->epilogue == CUBLASLT_EPILOGUE_BGRADA
                               ? read_input(&s->a, t, t->trans_a, 0, i, k)
                               : read_input(&s->b, t, t->trans_b, 0, k, i);
                right += x;
                size += fabs(x);
            }
        else
            for (int j = 0; j < t->n; j++) {
                right += reference(s, t, 0, i, j, &one);
                size += one;
            }
        if (!(fabs(got[i] - right) <= bound(t, right, size) + (t->n + 8) * ldexp(size, -23)))
            fail_msg("bias gradient %d of %dx%dx%d is %.9g, want %.9g", i, t->m, t->n, t->k, got[i],
                     right);
    }
    free(got);
}

static void check(const setup *s, const trial *t) {
    double *got = calloc(s->d.elements, sizeof *got);
    assert_non_null(got);
    download(s->d.device, got, s->d.elements, t->out);
    for (int batch = 0; batch < t->batch; batch++)
        for (int i = 0; i < t->m; i++)
            for (int j = 0; j < t->n; j++) {
                double size, right = reference(s, t, batch, i, j, &size);
                double x = got[index_of(&s->d, batch, i, j)];
                if (!(fabs(x - right) <= bound(t, right, size)))
                    fail_msg("D[%d](%d, %d) of %dx%dx%d, epilogue %d, is %.9g, want %.9g", batch, i,
                             j, t->m, t->n, t->k, (int)t->epilogue, x, right);
            }
    for (size_t i = 0; i < s->d.elements; i++) { /* what lies between the lines stays as it was */
        size_t in_line = i % (size_t)s->d.ld;
        if (in_line >= (size_t)(s->d.ld - t->pad) && got[i] != s->d.values[i])
            fail_msg("element %zu between lines changed", i);
    }
    free(got);
}

static void run(const trial *t) {
    setup s = start(t);
    cublasLtMatmulHeuristicResult_t result;
    assert_int_equal(heuristic(&s, &result), CUBLAS_STATUS_SUCCESS);
    assert_true(result.workspaceSize <= t->workspace);
    assert_int_equal(multiply(&s, t, &result), CUBLAS_STATUS_SUCCESS);
    check(&s, t);
    if (has_grad(t->epilogue))
        check_bias_grad(&s, t);
    end(&s);
}

#define F32 CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F
#define TF32 CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32
#define BF16 CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F
#define MIXED CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F

static void products_are_those_of_plain_loops(void **state) {
    (void)state;
    static const int sizes[][3] = {{1, 1, 1},    {7, 5, 3},    {16, 16, 16}, {17, 15, 33},
                                   {64, 48, 80}, {3, 129, 65}, {130, 1, 64}, {33, 31, 257}};
    static const trial types[] = {{0, 0, 0, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 0, TF32, 3, 0.5f, 1, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 0, BF16, 0, 1, 0.25f, 0, 0},
                                  {0, 0, 0, 1, 0, 0, 1, MIXED, 5, -2, 1, 0, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof types / sizeof *types; j++)
            for (int trans = 0; trans < 4; trans++) {
                trial t = types[j];
                t.m = sizes[i][0];
                t.n = sizes[i][1];
                t.k = sizes[i][2];
                t.trans_a = trans & 1;
                t.trans_b = trans & 2;
                run(&t);
            }
}

static void batches_and_workspaces_change_nothing(void **state) {
    (void)state;
    trial batch = {9, 11, 70, 3, 0, 1, 0, F32, 2, 1, 1, 0, 1 << 20};
    run(&batch);
    batch.is_row_major = true;
    run(&batch);
}

static void epilogues_are_their_formulas(void **state) {
    (void)state;
    static const cublasLtEpilogue_t epilogues[] = {
        CUBLASLT_EPILOGUE_BIAS,          CUBLASLT_EPILOGUE_RELU,        CUBLASLT_EPILOGUE_RELU_BIAS,
        CUBLASLT_EPILOGUE_GELU,          CUBLASLT_EPILOGUE_GELU_BIAS,   CUBLASLT_EPILOGUE_DGELU,
        CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA,
        CUBLASLT_EPILOGUE_BGRADB};
    for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++) {
        trial f32 = {13, 21, 37, 1, 0, 1, 0, F32, 4, 1, 0, epilogues[i], 0};
        trial bf16 = {24, 17, 64, 1, 1, 0, 0, BF16, 0, 1, 0, epilogues[i], 0};
        run(&f32);
        run(&bf16);
    }
}

static void aux_output_of_gelu_is_its_input(void **state) {
    (void)state;
    trial t = {13, 9, 20, 1, 0, 0, 0, F32, 0, 1, 0, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, 0};
    setup s = start(&t);
    cublasLtMatmulHeuristicResult_t result;
    assert_int_equal(heuristic(&s, &result), 0);
    assert_int_equal(multiply(&s, &t, &result), 0);
    size_t n = s.aux_ld * (size_t)t.n;
    double *aux = calloc(n, sizeof *aux);
    assert_non_null(aux);
    download(s.aux_device, aux, n, t.out);
    trial plain = t;
    plain.epilogue = CUBLASLT_EPILOGUE_BIAS;
    for (int j = 0; j < t.n; j++)
        for (int i = 0; i < t.m; i++) {
            double size, right = reference(&s, &plain, 0, i, j, &size);
            double x = aux[(size_t)j * s.aux_ld + (size_t)i];
            if (!(fabs(x - right) <= bound(&plain, right, size)))
                fail_msg("aux (%d, %d) is %.9g, want %.9g", i, j, x, right);
        }
    free(aux);
    end(&s);
}

/* ReLU's mask made by one call and used by the next one: the slope of what the first one kept. */
static void masks_of_relu_serve_its_gradient(void **state) {
    (void)state;
    trial forward = {19, 6, 30, 1, 0, 0, 0, F32, 0, 1, 0, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, 0};
    trial back = forward;
    back.epilogue = CUBLASLT_EPILOGUE_DRELU_BGRAD;
    setup f = start(&forward), b = start(&back);
    int64_t ld = 128;
    void *mask = NULL;
    assert_int_equal(cudaMalloc(&mask, 16 * (size_t)forward.n), 0);
    setup *both[] = {&f, &b};
    const trial *trials[] = {&forward, &back};
    for (int i = 0; i < 2; i++) {
        set_desc(both[i], CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
        set_desc(both[i], CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &mask, sizeof mask);
        cublasLtMatmulHeuristicResult_t result;
        assert_int_equal(heuristic(both[i], &result), 0);
        assert_int_equal(multiply(both[i], trials[i], &result), 0);
    }
    double *kept = calloc(f.d.elements, sizeof *kept), *got = calloc(b.d.elements, sizeof *got);
    assert_true(kept && got);
    download(f.d.device, kept, f.d.elements, forward.out);
    download(b.d.device, got, b.d.elements, back.out);
    int n_zero = 0;
    trial plain = back;
    plain.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    for (int i = 0; i < back.m; i++)
        for (int j = 0; j < back.n; j++) {
            double size, right = reference(&b, &plain, 0, i, j, &size);
            bool is_kept = kept[index_of(&f.d, 0, i, j)] > 0;
            double x = got[index_of(&b.d, 0, i, j)];
            n_zero += !is_kept;
            if (!(fabs(x - (is_kept ? right : 0)) <= bound(&back, right, size)))
                fail_msg("(%d, %d) is %.9g, want %.9g", i, j, x, is_kept ? right : 0);
        }
    assert_in_range(n_zero, 10, 19 * 6 - 10);
    free(kept);
    free(got);
    end(&f);
    end(&b);
    assert_int_equal(cudaFree(mask), 0);
}

static void order_of_sums_is_the_seed_s(void **state) {
    (void)state;
    uint32_t *one = cs_k_order(100, 7), *same = cs_k_order(100, 7), *other = cs_k_order(100, 8);
    assert_memory_equal(one, same, 100 * sizeof *one);
    assert_memory_not_equal(one, other, 100 * sizeof *one);
    bool seen[100] = {false};
    for (int i = 0; i < 100; i++)
        seen[one[i]] = true;
    for (int i = 0; i < 100; i++)
        assert_true(seen[i]);
    setenv("CUDASIM_K_ORDER", "natural", 1);
    assert_null(cs_k_order(100, 7));
    unsetenv("CUDASIM_K_ORDER");
    free(one);
    free(same);
    free(other);
}

static void heuristics_keep_to_the_workspace_and_to_what_they_are_told(void **state) {
    (void)state;
    trial t = {32, 32, 256, 1, 0, 0, 0, F32, 0, 1, 0, 0, 1 << 20};
    setup s = start(&t);
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
    assert_int_equal(heuristic(&s, results), CUBLAS_STATUS_NOT_SUPPORTED);
    unsetenv("CUDASIM_BLAS_HEURISTICS");
    end(&s);
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
    set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
}
static void bias_type(setup *s, trial *t) {
    (void)t;
    int32_t type = CUDA_R_16BF;
    set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type);
}
static void no_bias(setup *s, trial *t) {
    (void)t;
    void *none = NULL;
    set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &none, sizeof none);
}
static void host_bias(setup *s, trial *t) {
    (void)t;
    set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->bias, sizeof s->bias);
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
    setup s = start(&t);
    one->break_it(&s, &t);
    cublasLtMatmulHeuristicResult_t result;
    cublasStatus_t status = heuristic(&s, &result);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = multiply(&s, &t, &result);
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
    setup s = start(&t), o = start(&u);
    cublasLtMatmulHeuristicResult_t result;
    return heuristic(&o, &result) ? 1 : (int)multiply(&s, &t, &result);
}

static int run_invented_algo(const void *arg) {
    (void)arg;
    trial t = {16, 20, 24, 1, 0, 0, 0, F32, 0, 1, 0, 0, 0};
    setup s = start(&t);
    cublasLtMatmulHeuristicResult_t result = {0};
    return (int)multiply(&s, &t, &result);
}

static int run_small_workspace(const void *arg) {
    (void)arg;
    trial t = {16, 20, 640, 1, 0, 0, 0, F32, 0, 1, 0, 0, 1 << 16};
    setup s = start(&t);
    cublasLtMatmulHeuristicResult_t result;
    if (heuristic(&s, &result) || result.workspaceSize == 0)
        return 1;
    t.workspace = result.workspaceSize - 1;
    return (int)multiply(&s, &t, &result);
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
    setup s = start(&t), o = start(&t);
    cublasLtMatmulHeuristicResult_t result;
    cudaStream_t streams[2];
    cudaEvent_t event;
    if (heuristic(&s, &result) || cudaStreamCreateWithFlags(&streams[0], cudaStreamNonBlocking) ||
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_plain_loops),
        cmocka_unit_test(batches_and_workspaces_change_nothing),
        cmocka_unit_test(epilogues_are_their_formulas),
        cmocka_unit_test(aux_output_of_gelu_is_its_input),
        cmocka_unit_test(masks_of_relu_serve_its_gradient),
        cmocka_unit_test(order_of_sums_is_the_seed_s),
        cmocka_unit_test(heuristics_keep_to_the_workspace_and_to_what_they_are_told),
        cmocka_unit_test(broken_rules_are_caught),
        cmocka_unit_test(algorithms_belong_to_their_problem),
        cmocka_unit_test(a_workspace_shared_by_streams_needs_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
