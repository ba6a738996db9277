/* The matrix product under the fakes of cuBLASLt and cuDNN: fp32 sums whose order a seed chooses. Every output is
 * summed by itself over k in the order asked for, so the instruction set changes no bit. */
#ifndef TY_CUDASIM_GEMM_H
#define TY_CUDASIM_GEMM_H

#include <stddef.h>
#include <stdint.h>

typedef enum cs_element {
    CS_ELEMENT_F32,  /* float as it is */
    CS_ELEMENT_TF32, /* float, rounded to TF32 when it is read */
    CS_ELEMENT_BF16
} cs_element;

/* Element (row, column) lies at bytes + (row * row_stride + column * column_stride) * size of element. */
typedef struct cs_matrix {
    const uint8_t *bytes;
    cs_element element;
    int64_t row_stride, column_stride;
} cs_matrix;

typedef struct cs_gemm {
    size_t m, n, k;
    cs_matrix a, b;          /* m x k, k x n */
    const uint32_t *k_order; /* a permutation of 0 .. k-1, or NULL: ascending */
    float *c;                /* m x n, rows one after another; written */
} cs_gemm;

void cs_gemm_run(const cs_gemm *gemm);

/* The order of summation of one problem: a permutation chosen by CUDASIM_SEED and shape, equal for equal ones
 * (CUDASIM_K_ORDER=natural: NULL, which is ascending). The caller frees it. */
uint32_t *cs_k_order(size_t k, uint64_t shape);

/* A hash for shapes: FNV-1a over 64-bit words. */
uint64_t cs_shape_hash(uint64_t hash, uint64_t word);
#define CS_SHAPE_SEED 0xCBF29CE484222325ull

float cs_element_load(const uint8_t *bytes, cs_element element);
size_t cs_element_bytes(cs_element element);

/* malloc that ends the process when there is none. */
void *cs_must_alloc(size_t bytes);

#endif
