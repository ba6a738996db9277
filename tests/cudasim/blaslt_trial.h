/* One multiplication as the tests of the cuBLASLt fake set it up: descriptors, operands on host and device, calls. */
#ifndef TY_CUDASIM_BLASLT_TRIAL_H
#define TY_CUDASIM_BLASLT_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "blaslt.h"

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

/* Makes handle, descriptors and random operands; ends them. */
setup trial_start(const trial *t);
void trial_end(setup *s);

/* Asks for one algorithm; a lack of any is CUBLAS_STATUS_NOT_SUPPORTED too. */
cublasStatus_t trial_heuristic(const setup *s, cublasLtMatmulHeuristicResult_t *result);
cublasStatus_t trial_multiply(const setup *s, const trial *t,
                              const cublasLtMatmulHeuristicResult_t *result);

void trial_set_desc(setup *s, cublasLtMatmulDescAttributes_t attribute, const void *value,
                    size_t bytes);
/* n values from the device. */
void trial_download(void *device, double *values, size_t n, cudaDataType_t type);
/* Where an element lies in operand.values. */
size_t trial_index(const operand *o, int batch, int row, int column);

#define F32 CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F
#define TF32 CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32
#define BF16 CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F
#define MIXED CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F

#endif
