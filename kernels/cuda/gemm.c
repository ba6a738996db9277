/* cuBLASLt counts by columns. A matrix that lies row by row is to it the transposed one, so d = a b
 * is asked for as d' = b' a': its A is our b, its rows are our columns, and its bias, one number a
 * row, is ours a column. */
#include "kernels/cuda/gemm.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/vendor.h"

enum {
    ALIGNMENT = 16, /* of every matrix and vector: parameters begin at multiples of 16 elements */
    MAX_CANDIDATES = 8 /* algorithms asked for; the first that can run is taken */
};

struct ty_cuda_gemm {
    ty_cuda_gemm_spec spec;
    bool has_epilogue;
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, d; /* ours */
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace;
};

/* What NVIDIA recommends for cuBLAS: more buys nothing, less loses split sums. */
static size_t workspace_limit(const ty_gpu_facts *facts) {
    if (facts->major == 9 || facts->major == 10)
        return (size_t)32 << 20;
    return (size_t)(facts->major > 10 ? 12 : 4) << 20;
}

/* --- errors ----------------------------------------------------------------------------------- */

static ty_status fail(ty_ctx *ctx, const ty_cuda *dev, const ty_cuda_gemm_spec *spec,
                      const char *doing, cublasStatus_t status) {
    return ty_fail(ctx, TY_ERR_DEVICE,
                   "%s a product [%lld, %lld] x [%lld, %lld] of %s into %s with cuBLASLt: %s",
                   doing, (long long)spec->m, (long long)spec->k, (long long)spec->k,
                   (long long)spec->n, ty_dtype_name(spec->input), ty_dtype_name(spec->output),
                   dev->blas->cublasLtGetStatusString(status));
}

/* --- describing the product ------------------------------------------------------------------- */

static cudaDataType type_of(ty_dtype dtype) {
    return dtype == TY_DTYPE_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static cublasComputeType_t compute_type(const ty_cuda *dev, const ty_cuda_gemm_spec *spec) {
    const bool is_tf32 =
        spec->input == TY_DTYPE_F32 && dev->device.info.precision != TY_PRECISION_FP32;
    return is_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/* A matrix of so many rows of ours. */
static cublasStatus_t make_layout(const ty_vendor_blas *blas, ty_dtype dtype, int64_t rows,
                                  int64_t columns, cublasLtMatrixLayout_t *out) {
    return blas->cublasLtMatrixLayoutCreate(out, type_of(dtype), (uint64_t)columns, (uint64_t)rows,
                                            columns);
}

static cublasStatus_t make_layouts(const ty_vendor_blas *blas, ty_cuda_gemm *g) {
    const ty_cuda_gemm_spec *s = &g->spec;
    cublasStatus_t st = make_layout(blas, s->input, s->transposes_a ? s->k : s->m,
                                    s->transposes_a ? s->m : s->k, &g->a);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = make_layout(blas, s->input, s->transposes_b ? s->n : s->k,
                         s->transposes_b ? s->k : s->n, &g->b);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = make_layout(blas, s->output, s->m, s->n, &g->d);
    return st;
}

static cublasStatus_t set_transposed(const ty_vendor_blas *blas, cublasLtMatmulDesc_t product,
                                     cublasLtMatmulDescAttributes_t which, bool is_transposed) {
    const int32_t operation = is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    return blas->cublasLtMatmulDescSetAttribute(product, which, &operation, sizeof operation);
}

static cublasStatus_t set_bias(const ty_vendor_blas *blas, cublasLtMatmulDesc_t product,
                               const void *bias) {
    return blas->cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                sizeof bias);
}

/* The heuristics read from the bias pointer how it is aligned, and nothing else of it. */
static cublasStatus_t set_epilogue(const ty_vendor_blas *blas, const ty_cuda_gemm *g) {
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    if (g->has_epilogue && g->spec.has_bias)
        epilogue = g->spec.has_relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    else if (g->has_epilogue && g->spec.has_relu)
        epilogue = CUBLASLT_EPILOGUE_RELU;
    const cublasStatus_t st = blas->cublasLtMatmulDescSetAttribute(
        g->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (st != CUBLAS_STATUS_SUCCESS || !g->spec.has_bias)
        return st;
    return set_bias(blas, g->product, g->has_epilogue ? (const void *)(uintptr_t)ALIGNMENT : NULL);
}

static cublasStatus_t describe(const ty_cuda *dev, ty_cuda_gemm *g) {
    const ty_vendor_blas *blas = dev->blas;
    cublasStatus_t st = make_layouts(blas, g);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = blas->cublasLtMatmulDescCreate(&g->product, compute_type(dev, &g->spec), CUDA_R_32F);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = set_transposed(blas, g->product, CUBLASLT_MATMUL_DESC_TRANSA, g->spec.transposes_b);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = set_transposed(blas, g->product, CUBLASLT_MATMUL_DESC_TRANSB, g->spec.transposes_a);
    return st;
}

/* --- choosing an algorithm -------------------------------------------------------------------- */

static cublasStatus_t set_preference(const ty_vendor_blas *blas,
                                     cublasLtMatmulPreference_t preference, size_t limit) {
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint64_t bytes = limit;
    const uint32_t alignment = ALIGNMENT;
    /* Split sums that meet in the output would be rounded to its type between. */
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasStatus_t st = blas->cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = blas->cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions);
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++)
        if (st == CUBLAS_STATUS_SUCCESS)
            st = blas->cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &alignment,
                                                            sizeof alignment);
    return st;
}

static cublasStatus_t ask(const ty_cuda *dev, ty_cuda_gemm *g,
                          cublasLtMatmulPreference_t preference, size_t limit) {
    cublasLtMatmulHeuristicResult_t found[MAX_CANDIDATES] = {0};
    int n = 0;
    cublasStatus_t st = set_preference(dev->blas, preference, limit);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = dev->blas->cublasLtMatmulAlgoGetHeuristic(dev->blas_handle, g->product, g->b, g->a,
                                                       g->d, g->d, preference, MAX_CANDIDATES,
                                                       found, &n);
    for (int i = 0; i < n && st == CUBLAS_STATUS_SUCCESS; i++) {
        if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize <= limit) {
            g->algorithm = found[i].algo;
            g->workspace = found[i].workspaceSize;
            return CUBLAS_STATUS_SUCCESS;
        }
    }
    return st == CUBLAS_STATUS_SUCCESS ? CUBLAS_STATUS_NOT_SUPPORTED : st;
}

/* With the epilogue, without it (the caller's kernel is cheaper than a product without workspace),
 * and both again without workspace. */
static cublasStatus_t choose(const ty_cuda *dev, ty_cuda_gemm *g,
                             cublasLtMatmulPreference_t preference) {
    const bool wants_epilogue = g->spec.has_bias || g->spec.has_relu;
    cublasStatus_t st = CUBLAS_STATUS_NOT_SUPPORTED;
    for (int attempt = 0; attempt < 4 && st == CUBLAS_STATUS_NOT_SUPPORTED; attempt++) {
        g->has_epilogue = attempt % 2 == 0;
        if (g->has_epilogue && !wants_epilogue)
            continue;
        st = set_epilogue(dev->blas, g);
        if (st == CUBLAS_STATUS_SUCCESS)
            st = ask(dev, g, preference, attempt < 2 ? workspace_limit(&dev->facts) : 0);
    }
    return st;
}

static cublasStatus_t plan(const ty_cuda *dev, ty_cuda_gemm *g) {
    cublasLtMatmulPreference_t preference = NULL;
    cublasStatus_t st = describe(dev, g);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = dev->blas->cublasLtMatmulPreferenceCreate(&preference);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = choose(dev, g, preference);
    if (preference)
        (void)dev->blas->cublasLtMatmulPreferenceDestroy(preference);
    ty_cuda_forget_error();
    return st;
}

/* --- opening, closing ------------------------------------------------------------------------- */

/* Without the GPU cuBLASLt answers nothing, so the most is reckoned with. */
static void plan_described(const ty_cuda *dev, ty_cuda_gemm *g) {
    g->has_epilogue = g->spec.has_bias || g->spec.has_relu;
    g->workspace = workspace_limit(&dev->facts);
}

ty_status ty_cuda_gemm_open(ty_ctx *ctx, ty_cuda *dev, const ty_cuda_gemm_spec *spec,
                            ty_cuda_gemm **out) {
    const bool is_described = dev->device.info.is_described;
    if (!is_described)
        TY_TRY(ty_cuda_want_blas(ctx, dev));
    ty_cuda_gemm *g = calloc(1, sizeof *g);
    if (!g)
        return ty_fail_nomem(ctx, "a matrix product");
    g->spec = *spec;
    if (is_described) {
        plan_described(dev, g);
        *out = g;
        return TY_OK;
    }
    const cublasStatus_t status = plan(dev, g);
    if (status != CUBLAS_STATUS_SUCCESS) {
        ty_cuda_gemm_close(dev, g);
        return fail(ctx, dev, spec, "planning", status);
    }
    *out = g;
    return TY_OK;
}

void ty_cuda_gemm_close(const ty_cuda *dev, ty_cuda_gemm *g) {
    if (!g)
        return;
    if (g->product)
        (void)dev->blas->cublasLtMatmulDescDestroy(g->product);
    cublasLtMatrixLayout_t const layouts[] = {g->a, g->b, g->d};
    for (int i = 0; i < 3; i++)
        if (layouts[i])
            (void)dev->blas->cublasLtMatrixLayoutDestroy(layouts[i]);
    ty_cuda_forget_error();
    free(g);
}

size_t ty_cuda_gemm_workspace(const ty_cuda_gemm *g) {
    return g ? g->workspace : 0;
}

bool ty_cuda_gemm_has_epilogue(const ty_cuda_gemm *g) {
    return g->has_epilogue;
}

/* --- running ---------------------------------------------------------------------------------- */

ty_status ty_cuda_gemm_run(ty_ctx *ctx, const ty_cuda *dev, const ty_cuda_gemm *g,
                           const ty_cuda_gemm_data *data) {
    const float alpha = 1, beta = g->spec.accumulates ? 1 : 0;
    cublasStatus_t st = CUBLAS_STATUS_SUCCESS;
    if (g->has_epilogue && g->spec.has_bias)
        st = set_bias(dev->blas, g->product, data->bias);
    if (st == CUBLAS_STATUS_SUCCESS)
        st = dev->blas->cublasLtMatmul(dev->blas_handle, g->product, &alpha, data->b, g->b, data->a,
                                       g->a, &beta, data->d, g->d, data->d, g->d, &g->algorithm,
                                       g->workspace ? data->workspace : NULL, g->workspace,
                                       ty_cuda_stream(&dev->device));
    ty_cuda_forget_error();
    return st == CUBLAS_STATUS_SUCCESS ? TY_OK : fail(ctx, dev, &g->spec, "queueing", st);
}

void ty_cuda_gemm_cost(const ty_cuda_gemm *g, ty_op_cost *out) {
    const ty_cuda_gemm_spec *s = &g->spec;
    const double m = (double)s->m, n = (double)s->n, k = (double)s->k;
    const double in = (double)ty_dtype_bytes(s->input), to = (double)ty_dtype_bytes(s->output);
    *out = (ty_op_cost){.flops = 2 * m * n * k,
                        .bytes = in * (m * k + k * n) + to * m * n * (s->accumulates ? 2 : 1),
                        .is_matrix = true};
    if (g->product)
        (void)snprintf(out->engine, sizeof out->engine, "cublasLt, %.1f MiB workspace",
                       (double)g->workspace / (1 << 20));
    else
        (void)snprintf(out->engine, sizeof out->engine,
                       "cublasLt, chosen on the device (up to %zu MiB workspace)",
                       g->workspace >> 20);
}
