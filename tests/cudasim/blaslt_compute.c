/* What a multiplication computes when its turn in the stream comes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blaslt.h"
#include "memory.h"
#include "rounding.h"

/* Where element (row, column) of a matrix lies. */
static uint64_t address_of(const cs_blas_layout *l, uint64_t base, uint64_t row, uint64_t column,
                           int batch) {
    uint64_t at = l->order == CUBLASLT_ORDER_COL ? row + column * (uint64_t)l->ld
                                                 : row * (uint64_t)l->ld + column;
    return base +
           (at + (uint64_t)batch * (uint64_t)l->batch_stride) * (l->type == CUDA_R_16BF ? 2 : 4);
}

static float load(uint64_t address, uint32_t type) {
    return cs_element_load(cs_alias(address),
                           type == CUDA_R_16BF ? CS_ELEMENT_BF16 : CS_ELEMENT_F32);
}

static void store(uint64_t address, uint32_t type, float value) {
    uint16_t narrow = cs_to_bf16(value);
    if (type == CUDA_R_16BF)
        memcpy(cs_alias(address), &narrow, sizeof narrow);
    else
        memcpy(cs_alias(address), &value, sizeof value);
}

/* Checks or marks a matrix line by line, so that what lies between lines stays as it is. */
static void for_lines(const cs_blas_call *call, const cs_blas_layout *l, uint64_t base,
                      bool is_write) {
    uint64_t bytes_each = l->type == CUDA_R_16BF ? 2 : 4;
    bool is_column = l->order == CUBLASLT_ORDER_COL;
    uint64_t lines = is_column ? l->columns : l->rows, lead = is_column ? l->rows : l->columns;
    for (int batch = 0; batch < l->batch; batch++)
        for (uint64_t i = 0; i < lines; i++) {
            uint64_t at = address_of(l, base, is_column ? 0 : i, is_column ? i : 0, batch);
            if (is_write)
                cs_init_mark(at, lead * bytes_each);
            else if (!cs_init_check(call->what, at, lead * bytes_each))
                return;
        }
}

/* --- epilogue --------------------------------------------------------------------------------- */

/* GELU as these epilogues approximate it: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
static float gelu(float x) {
    return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

static float gelu_slope(float x) {
    float t = tanhf(0.7978845608f * (x + 0.044715f * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.7978845608f * (1 + 3 * 0.044715f * x * x);
}

/* The order of a mask's bits is the library's own business: only its epilogues may read it. */
static uint64_t mask_bit(const cs_blas_problem *p, uint64_t row, uint64_t column, int batch) {
    uint64_t at =
        (uint64_t)batch * (uint64_t)p->desc.aux_stride + column * (uint64_t)p->desc.aux_ld;
    return at + ((row & ~127ull) | ((row & 127) ^ 37));
}

static uint64_t aux_address(const cs_blas_problem *p, uint64_t row, uint64_t column, int batch) {
    uint64_t at =
        (uint64_t)batch * (uint64_t)p->desc.aux_stride + column * (uint64_t)p->desc.aux_ld + row;
    return p->desc.aux + at * (p->d.type == CUDA_R_16BF ? 2 : 4);
}

static void set_mask(const cs_blas_problem *p, uint64_t bit, bool is_on) {
    uint8_t *byte = cs_alias(p->desc.aux + bit / 8), mask = (uint8_t)(1 << bit % 8);
    *byte = (uint8_t)(is_on ? *byte | mask : *byte & ~mask);
}

static bool mask_at(const cs_blas_problem *p, uint64_t bit) {
    return *cs_alias(p->desc.aux + bit / 8) >> bit % 8 & 1;
}

typedef struct place {
    uint64_t row, column;
    int batch;
} place;

static float bias_at(const cs_blas_problem *p, place at) {
    uint64_t i = at.row + (uint64_t)at.batch * (uint64_t)p->desc.bias_stride;
    return load(p->desc.bias + i * (p->d.type == CUDA_R_16BF ? 2 : 4), p->d.type);
}

static float relu(float x) {
    return x < 0 ? 0 : x; /* a NaN stays one */
}

/* What becomes of alpha AB + beta C. */
static float finish(const cs_blas_problem *p, place at, float x) {
    if (cs_blas_has_bias(&p->desc))
        x += bias_at(p, at);
    switch (p->desc.epilogue) {
    case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
        set_mask(p, mask_bit(p, at.row, at.column, at.batch), x > 0);
        return relu(x);
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
        return relu(x);
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
        store(aux_address(p, at.row, at.column, at.batch), p->d.type, x);
        return gelu(x);
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
        return gelu(x);
    case CUBLASLT_EPILOGUE_DRELU:
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
        return mask_at(p, mask_bit(p, at.row, at.column, at.batch)) ? x : 0;
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
        return x * gelu_slope(load(aux_address(p, at.row, at.column, at.batch), p->d.type));
    default: /* the others change nothing */
        return x;
    }
}

/* --- the product ------------------------------------------------------------------------------ */

static cs_matrix view(const cs_blas_problem *p, const cs_blas_layout *l, uint64_t base,
                      bool is_trans, int batch) {
    bool is_column = (l->order == CUBLASLT_ORDER_COL) != is_trans;
    return (cs_matrix){.bytes = cs_alias(address_of(l, base, 0, 0, batch)),
                       .element = cs_blas_element(&p->desc, l),
                       .row_stride = is_column ? 1 : l->ld,
                       .column_stride = is_column ? l->ld : 1};
}

/* D of one matrix of the batch, and the sums of its rows where the epilogue wants them. */
static void write_out(const cs_blas_call *call, int batch, const float *product, float *row_sums) {
    const cs_blas_problem *p = &call->p;
    for (uint64_t j = 0; j < p->n; j++)
        for (uint64_t i = 0; i < p->m; i++) {
            float x = call->alpha * product[i * p->n + j];
            if (call->beta != 0)
                x += call->beta * load(address_of(&p->c, call->c, i, j, batch), p->c.type);
            x = finish(p, (place){i, j, batch}, x);
            row_sums[i] += x;
            store(address_of(&p->d, call->d, i, j, batch), p->d.type, x);
        }
}

/* The sums over k of op(A)'s rows or op(B)'s columns. */
static void sum_inputs(const cs_blas_problem *p, const cs_gemm *g, float *sums) {
    bool is_a = p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADA;
    const cs_matrix *x = is_a ? &g->a : &g->b;
    int64_t along = is_a ? x->column_stride : x->row_stride;
    int64_t across = is_a ? x->row_stride : x->column_stride;
    for (uint64_t i = 0; i < cs_blas_bias_length(p); i++) {
        sums[i] = 0;
        for (size_t l = 0; l < g->k; l++) {
            size_t k = g->k_order ? g->k_order[l] : l;
            int64_t at = (int64_t)i * across + (int64_t)k * along;
            sums[i] +=
                cs_element_load(x->bytes + at * (int64_t)cs_element_bytes(x->element), x->element);
        }
    }
}

static void write_bias_grad(const cs_blas_problem *p, const float *sums) {
    uint64_t bytes_each = p->d.type == CUDA_R_16BF ? 2 : 4;
    for (uint64_t i = 0; i < cs_blas_bias_length(p); i++)
        store(p->desc.bias + i * bytes_each, p->d.type, sums[i]);
    cs_init_mark(p->desc.bias, cs_blas_bias_length(p) * bytes_each);
}

static void check_inputs(const cs_blas_call *call) {
    const cs_blas_problem *p = &call->p;
    uint64_t bytes_each = p->d.type == CUDA_R_16BF ? 2 : 4;
    for_lines(call, &p->a, call->a, false);
    for_lines(call, &p->b, call->b, false);
    if (call->beta != 0)
        for_lines(call, &p->c, call->c, false);
    for (int batch = 0; cs_blas_has_bias(&p->desc) && batch < p->batch; batch++)
        cs_init_check(call->what,
                      p->desc.bias + (uint64_t)(batch * p->desc.bias_stride) * bytes_each,
                      p->m * bytes_each);
}

/* The aux buffer, column by column: a mask's in whole groups of 128 bits, as only those are defined. */
static void touch_aux(const cs_blas_call *call) {
    const cs_blas_problem *p = &call->p;
    bool is_mask = cs_blas_has_mask(&p->desc), is_write = cs_blas_writes_aux(&p->desc);
    uint64_t bytes = is_mask ? (p->m + 127) / 128 * 16 : p->m * (p->d.type == CUDA_R_16BF ? 2 : 4);
    for (int batch = 0; cs_blas_has_aux(&p->desc) && batch < p->batch; batch++)
        for (uint64_t j = 0; j < p->n; j++) {
            uint64_t bit =
                (uint64_t)batch * (uint64_t)p->desc.aux_stride + j * (uint64_t)p->desc.aux_ld;
            uint64_t at = is_mask ? p->desc.aux + bit / 8 : aux_address(p, 0, j, batch);
            if (is_write)
                cs_init_mark(at, bytes);
            else if (!cs_init_check(call->what, at, bytes))
                return;
        }
}

void cs_blas_compute(const cs_blas_call *call) {
    const cs_blas_problem *p = &call->p;
    uint32_t *order = cs_k_order(p->k, cs_shape_hash(p->hash, call->algo_id));
    float *product = cs_must_alloc(p->m * p->n * sizeof *product);
    float *sums = calloc(p->m > p->n ? p->m : p->n, sizeof *sums);
    if (!sums)
        abort();
    check_inputs(call);
    touch_aux(call);
    if (call->algo_workspace) /* partial sums of nobody's: poison */
        memset(cs_alias(call->workspace), 0xFF, call->algo_workspace);
    for (int batch = 0; batch < p->batch; batch++) {
        cs_gemm g = {.m = p->m,
                     .n = p->n,
                     .k = p->k,
                     .a = view(p, &p->a, call->a, p->desc.trans_a == CUBLAS_OP_T, batch),
                     .b = view(p, &p->b, call->b, p->desc.trans_b == CUBLAS_OP_T, batch),
                     .k_order = order,
                     .c = product};
        cs_gemm_run(&g);
        write_out(call, batch, product, sums);
        if (p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADA ||
            p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADB)
            sum_inputs(p, &g, sums);
    }
    if (cs_blas_has_bias_grad(&p->desc))
        write_bias_grad(p, sums);
    for_lines(call, &p->d, call->d, true);
    free(order);
    free(product);
    free(sums);
}
