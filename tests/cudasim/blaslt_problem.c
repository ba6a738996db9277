/* The rules of one multiplication: which types go together, what shapes, leading dimensions, orders and batches must
 * say to each other, and what each epilogue asks for. From cublasLt.h's own text and the tables of cublasLtMatmul in
 * NVIDIA's cuBLAS documentation. */
#include <stdarg.h>
#include <stdio.h>

#include "blaslt.h"

/* --- what an epilogue is made of -------------------------------------------------------------- */

typedef struct epilogue {
    uint32_t value;
    bool reads_bias, writes_bias_grad, has_mask, has_gelu_input, writes_aux;
} epilogue;

static const epilogue epilogues[] = {
    {.value = CUBLASLT_EPILOGUE_DEFAULT},
    {.value = CUBLASLT_EPILOGUE_RELU},
    {.value = CUBLASLT_EPILOGUE_RELU_AUX, .has_mask = true, .writes_aux = true},
    {.value = CUBLASLT_EPILOGUE_BIAS, .reads_bias = true},
    {.value = CUBLASLT_EPILOGUE_RELU_BIAS, .reads_bias = true},
    {.value = CUBLASLT_EPILOGUE_RELU_AUX_BIAS,
     .reads_bias = true,
     .has_mask = true,
     .writes_aux = true},
    {.value = CUBLASLT_EPILOGUE_DRELU, .has_mask = true},
    {.value = CUBLASLT_EPILOGUE_DRELU_BGRAD, .has_mask = true, .writes_bias_grad = true},
    {.value = CUBLASLT_EPILOGUE_GELU},
    {.value = CUBLASLT_EPILOGUE_GELU_AUX, .has_gelu_input = true, .writes_aux = true},
    {.value = CUBLASLT_EPILOGUE_GELU_BIAS, .reads_bias = true},
    {.value = CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
     .reads_bias = true,
     .has_gelu_input = true,
     .writes_aux = true},
    {.value = CUBLASLT_EPILOGUE_DGELU, .has_gelu_input = true},
    {.value = CUBLASLT_EPILOGUE_DGELU_BGRAD, .has_gelu_input = true, .writes_bias_grad = true},
    {.value = CUBLASLT_EPILOGUE_BGRADA, .writes_bias_grad = true},
    {.value = CUBLASLT_EPILOGUE_BGRADB, .writes_bias_grad = true},
};

static const epilogue *epilogue_of(const cs_blas_desc *desc) {
    for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++)
        if (epilogues[i].value == desc->epilogue)
            return &epilogues[i];
    cs_unknown(cs_current_function(), "epilogue %u is not modelled", desc->epilogue);
}

bool cs_blas_has_bias(const cs_blas_desc *desc) {
    return epilogue_of(desc)->reads_bias;
}

bool cs_blas_has_bias_grad(const cs_blas_desc *desc) {
    return epilogue_of(desc)->writes_bias_grad;
}

bool cs_blas_has_mask(const cs_blas_desc *desc) {
    return epilogue_of(desc)->has_mask;
}

bool cs_blas_has_aux(const cs_blas_desc *desc) {
    return epilogue_of(desc)->has_mask || epilogue_of(desc)->has_gelu_input;
}

bool cs_blas_writes_aux(const cs_blas_desc *desc) {
    return epilogue_of(desc)->writes_aux;
}

uint64_t cs_blas_bias_length(const cs_blas_problem *p) {
    return p->desc.epilogue == CUBLASLT_EPILOGUE_BGRADB ? p->n : p->m;
}

cs_element cs_blas_element(const cs_blas_desc *desc, const cs_blas_layout *layout) {
    if (layout->type == CUDA_R_16BF)
        return CS_ELEMENT_BF16;
    return desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? CS_ELEMENT_TF32 : CS_ELEMENT_F32;
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool refuse(cs_verdict *v, cublasStatus_t status, bool is_slip, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool refuse(cs_verdict *v, cublasStatus_t status, bool is_slip, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(v->why, sizeof v->why, format, arguments);
    va_end(arguments);
    v->status = status;
    v->is_slip = is_slip;
    return false;
}

#define SLIP(...) refuse(v, CUBLAS_STATUS_INVALID_VALUE, true, __VA_ARGS__)
#define UNSUPPORTED(...) refuse(v, CUBLAS_STATUS_NOT_SUPPORTED, false, __VA_ARGS__)

/* Which types go together: the rows of the documentation's table for the types this simulator has. */
static bool judge_types(const cs_blas_problem *p, cs_verdict *v) {
    static const struct {
        cublasComputeType_t compute;
        cudaDataType_t ab, cd;
    } rows[] = {
        {CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_32F},
        {CUBLAS_COMPUTE_32F, CUDA_R_16BF, CUDA_R_16BF},
        {CUBLAS_COMPUTE_32F, CUDA_R_16BF, CUDA_R_32F},
        {CUBLAS_COMPUTE_32F_PEDANTIC, CUDA_R_32F, CUDA_R_32F},
        {CUBLAS_COMPUTE_32F_PEDANTIC, CUDA_R_16BF, CUDA_R_16BF},
        {CUBLAS_COMPUTE_32F_PEDANTIC, CUDA_R_16BF, CUDA_R_32F},
        {CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F, CUDA_R_32F},
    };
    const uint32_t types[] = {p->a.type, p->b.type, p->c.type, p->d.type, (uint32_t)p->desc.scale};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i] != CUDA_R_32F && types[i] != CUDA_R_16BF)
            cs_unknown(cs_current_function(), "cudaDataType %u is not modelled", types[i]);
    if (p->desc.compute != CUBLAS_COMPUTE_32F && p->desc.compute != CUBLAS_COMPUTE_32F_PEDANTIC &&
        p->desc.compute != CUBLAS_COMPUTE_32F_FAST_TF32)
        cs_unknown(cs_current_function(), "compute type %d is not modelled", p->desc.compute);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (p->desc.compute == (int32_t)rows[i].compute && p->a.type == rows[i].ab &&
            p->b.type == rows[i].ab && p->c.type == rows[i].cd && p->d.type == rows[i].cd &&
            p->desc.scale == CUDA_R_32F)
            return true;
    return UNSUPPORTED("no row of the table has compute type %d, scale %d and A, B, C, D of types "
                       "%u, %u, %u, %u",
                       p->desc.compute, p->desc.scale, p->a.type, p->b.type, p->c.type, p->d.type);
}

static bool judge_layout(const char *name, const cs_blas_layout *l, int batch, bool is_written,
                         cs_verdict *v) {
    if (l->order != CUBLASLT_ORDER_COL && l->order != CUBLASLT_ORDER_ROW)
        cs_unknown(cs_current_function(), "order %d is not modelled", l->order);
    if (l->plane_offset != 0 || l->batch_mode != CUBLASLT_BATCH_MODE_STRIDED)
        cs_unknown(cs_current_function(), "planes and arrays of pointers are not modelled");
    if (l->rows == 0 || l->columns == 0 || l->rows > INT32_MAX || l->columns > INT32_MAX)
        return SLIP("%s has %llu rows and %llu columns", name, (unsigned long long)l->rows,
                    (unsigned long long)l->columns);
    uint64_t lead = l->order == CUBLASLT_ORDER_COL ? l->rows : l->columns;
    uint64_t lines = l->order == CUBLASLT_ORDER_COL ? l->columns : l->rows;
    if (l->ld < 0 || (uint64_t)l->ld < lead)
        return SLIP("%s's leading dimension is %lld, want at least %llu", name, (long long)l->ld,
                    (unsigned long long)lead);
    if (l->batch < 1 || l->batch != batch)
        return SLIP("%s has batch count %d, D %d", name, l->batch, batch);
    uint64_t extent = (lines - 1) * (uint64_t)l->ld + lead;
    bool may_repeat = l->batch_stride == 0 && !is_written;
    if (l->batch > 1 && !may_repeat && (l->batch_stride < 0 || (uint64_t)l->batch_stride < extent))
        return SLIP("%s's batch stride is %lld, its matrices have %llu elements", name,
                    (long long)l->batch_stride, (unsigned long long)extent);
    return true;
}

static bool judge_shapes(cs_blas_problem *p, cs_verdict *v) {
    const cs_blas_desc *desc = &p->desc;
    const int32_t trans[] = {desc->trans_a, desc->trans_b, desc->trans_c};
    for (size_t i = 0; i < 3; i++)
        if (trans[i] != CUBLAS_OP_N && (trans[i] != CUBLAS_OP_T || i == 2))
            cs_unknown(cs_current_function(), "transpose %d is not modelled", trans[i]);
    if (desc->fill != CUBLAS_FILL_MODE_FULL || desc->pointer_mode != CUBLASLT_POINTER_MODE_HOST)
        cs_unknown(cs_current_function(), "fill mode %d, pointer mode %d are not modelled",
                   desc->fill, desc->pointer_mode);
    uint64_t a_rows = desc->trans_a ? p->a.columns : p->a.rows;
    uint64_t a_columns = desc->trans_a ? p->a.rows : p->a.columns;
    uint64_t b_rows = desc->trans_b ? p->b.columns : p->b.rows;
    uint64_t b_columns = desc->trans_b ? p->b.rows : p->b.columns;
    if (a_columns != b_rows || a_rows != p->d.rows || b_columns != p->d.columns ||
        p->c.rows != p->d.rows || p->c.columns != p->d.columns)
        return SLIP("op(A) is %llu x %llu, op(B) %llu x %llu, C %llu x %llu, D %llu x %llu",
                    (unsigned long long)a_rows, (unsigned long long)a_columns,
                    (unsigned long long)b_rows, (unsigned long long)b_columns,
                    (unsigned long long)p->c.rows, (unsigned long long)p->c.columns,
                    (unsigned long long)p->d.rows, (unsigned long long)p->d.columns);
    p->m = a_rows;
    p->n = b_columns;
    p->k = a_columns;
    p->batch = p->d.batch;
    if (p->c.order != p->d.order)
        return UNSUPPORTED("C and D are of different orders");
    return judge_layout("A", &p->a, p->batch, false, v) &&
           judge_layout("B", &p->b, p->batch, false, v) &&
           judge_layout("C", &p->c, p->batch, false, v) &&
           judge_layout("D", &p->d, p->batch, true, v);
}

static bool judge_aux(const cs_blas_problem *p, const epilogue *e, cs_verdict *v) {
    int64_t step = e->has_mask ? 128 : 8;
    if (p->desc.aux_ld < (int64_t)p->m || p->desc.aux_ld % step)
        return SLIP("the aux buffer's leading dimension is %lld: want a multiple of %lld, at least "
                    "%llu",
                    (long long)p->desc.aux_ld, (long long)step, (unsigned long long)p->m);
    if (p->desc.aux_type != -1 && (e->has_mask || (uint32_t)p->desc.aux_type != p->d.type))
        return SLIP("aux data type %d, D's is %u%s", p->desc.aux_type, p->d.type,
                    e->has_mask ? "; a mask has none" : "");
    int64_t extent = (int64_t)p->n * p->desc.aux_ld;
    if (p->batch > 1 && (p->desc.aux_stride < extent || p->desc.aux_stride % step))
        return SLIP("the aux buffer's batch stride is %lld: want a multiple of %lld, at least %lld",
                    (long long)p->desc.aux_stride, (long long)step, (long long)extent);
    return true;
}

static bool judge_epilogue(const cs_blas_problem *p, cs_verdict *v) {
    const epilogue *e = epilogue_of(&p->desc);
    if (e->value == CUBLASLT_EPILOGUE_DEFAULT)
        return true;
    if (p->d.order != CUBLASLT_ORDER_COL)
        return UNSUPPORTED("an epilogue wants a column-major D");
    if ((e->reads_bias || e->writes_bias_grad) && p->desc.bias_type != -1 &&
        (uint32_t)p->desc.bias_type != p->d.type)
        return UNSUPPORTED("the bias is of type %d, D of %u", p->desc.bias_type, p->d.type);
    if (e->writes_bias_grad && p->batch > 1)
        return UNSUPPORTED("a bias gradient of a batch");
    bool wants_a = e->value == CUBLASLT_EPILOGUE_BGRADA;
    bool wants_b = e->value == CUBLASLT_EPILOGUE_BGRADB;
    if ((wants_a && p->a.order != CUBLASLT_ORDER_COL) ||
        (wants_b && p->b.order != CUBLASLT_ORDER_COL))
        return UNSUPPORTED("a bias gradient wants column-major inputs");
    return (!e->has_mask && !e->has_gelu_input) || judge_aux(p, e, v);
}

static uint64_t hash_layout(uint64_t hash, const cs_blas_layout *l) {
    const uint64_t words[] = {l->type,
                              (uint64_t)l->order,
                              l->rows,
                              l->columns,
                              (uint64_t)l->ld,
                              (uint64_t)l->batch,
                              (uint64_t)l->batch_stride};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = cs_shape_hash(hash, words[i]);
    return hash;
}

static uint64_t hash_problem(const cs_blas_problem *p) {
    const cs_blas_desc *d = &p->desc;
    const uint64_t words[] = {(uint64_t)d->compute,  (uint64_t)d->scale,
                              (uint64_t)d->trans_a,  (uint64_t)d->trans_b,
                              d->epilogue,           (uint64_t)d->bias_stride,
                              (uint64_t)d->aux_ld,   (uint64_t)d->aux_stride,
                              (uint64_t)d->aux_type, (uint64_t)d->bias_type};
    uint64_t hash = CS_SHAPE_SEED;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = cs_shape_hash(hash, words[i]);
    hash = hash_layout(hash_layout(hash, &p->a), &p->b);
    return hash_layout(hash_layout(hash, &p->c), &p->d);
}

bool cs_blas_judge(const cs_blas_desc *desc, const cs_blas_layout *a, const cs_blas_layout *b,
                   const cs_blas_layout *c, const cs_blas_layout *d, cs_blas_problem *problem,
                   cs_verdict *verdict) {
    *problem = (cs_blas_problem){.desc = *desc, .a = *a, .b = *b, .c = *c, .d = *d};
    *verdict = (cs_verdict){.status = CUBLAS_STATUS_SUCCESS};
    if (!judge_types(problem, verdict) || !judge_shapes(problem, verdict) ||
        !judge_epilogue(problem, verdict))
        return false;
    problem->hash = hash_problem(problem);
    return true;
}
