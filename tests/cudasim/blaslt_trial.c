#include "blaslt_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cuda_api.h"
#include "rounding.h"

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

void trial_download(void *device, double *values, size_t n, cudaDataType_t type) {
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

size_t trial_index(const operand *o, int batch, int row, int column) {
    size_t one = o->elements / (size_t)o->batch;
    size_t at = o->is_row_major ? (size_t)row * (size_t)o->ld + (size_t)column
                                : (size_t)column * (size_t)o->ld + (size_t)row;
    return (size_t)batch * one + at;
}

void trial_set_desc(setup *s, cublasLtMatmulDescAttributes_t attribute, const void *value,
                    size_t bytes) {
    assert_int_equal(cublasLtMatmulDescSetAttribute(s->desc, attribute, value, bytes), 0);
}

static void add_epilogue(setup *s, const trial *t) {
    uint32_t epilogue = t->epilogue;
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
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
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->bias_device, sizeof s->bias_device);
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &s->aux_device,
                   sizeof s->aux_device);
    trial_set_desc(s, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld);
}

setup trial_start(const trial *t) {
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
    trial_set_desc(&s, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    trial_set_desc(&s, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
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

void trial_end(setup *s) {
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

cublasStatus_t trial_heuristic(const setup *s, cublasLtMatmulHeuristicResult_t *result) {
    int n = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(s->handle, s->desc, s->a.layout, s->b.layout, s->c.layout,
                                       s->d.layout, s->preference, 1, result, &n);
    return status ? status : n == 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t trial_multiply(const setup *s, const trial *t,
                              const cublasLtMatmulHeuristicResult_t *result) {
    return cublasLtMatmul(s->handle, s->desc, &t->alpha, s->a.device, s->a.layout, s->b.device,
                          s->b.layout, &t->beta, s->c.device, s->c.layout, s->d.device, s->d.layout,
                          &result->algo, s->workspace, t->workspace, NULL);
}
