/* What the files of the cuBLASLt fake share. Three kinds of descriptor, each a struct whose fields the program sets
 * through a table; a problem is what one multiplication is once its descriptors have been judged. */
#ifndef TY_CUDASIM_BLASLT_H
#define TY_CUDASIM_BLASLT_H

#pragma GCC visibility push(default)
#include <cublasLt.h>
#pragma GCC visibility pop

#include <stdbool.h>

#include "gemm.h"
#include "sim.h"

typedef struct cs_blas_handle {
    int device;
} cs_blas_handle;

typedef struct cs_blas_layout {
    uint32_t type;
    int32_t order;
    uint64_t rows, columns;
    int64_t ld;
    int32_t batch;
    int64_t batch_stride;
    int64_t plane_offset;
    uint32_t batch_mode;
} cs_blas_layout;

typedef struct cs_blas_desc {
    int32_t compute, scale, pointer_mode;
    int32_t trans_a, trans_b, trans_c;
    int32_t fill;
    uint32_t epilogue;
    uint64_t bias; /* device addresses */
    int64_t bias_stride;
    uint64_t aux;
    int64_t aux_ld, aux_stride;
    int32_t sm_count;
    int32_t aux_type, bias_type;
} cs_blas_desc;

typedef struct cs_blas_preference {
    uint32_t search;
    uint64_t workspace_max;
    uint32_t reductions;
    uint32_t align_a, align_b, align_c, align_d;
    float waves_max;
    uint64_t implementations;
} cs_blas_preference;

/* One multiplication: D = epilogue(alpha op(A) op(B) + beta C). */
typedef struct cs_blas_problem {
    cs_blas_desc desc;
    cs_blas_layout a, b, c, d;
    uint64_t m, n, k;
    int batch;
    uint64_t hash; /* of all above but pointers */
} cs_blas_problem;

/* A refusal and why. is_slip: the arguments contradict each other, which no program means to happen. */
typedef struct cs_verdict {
    cublasStatus_t status;
    bool is_slip;
    char why[200];
} cs_verdict;

/* What an algorithm handed out by the heuristics says, inside cublasLtMatmulAlgo_t. */
typedef struct cs_blas_algo {
    uint64_t magic, problem, id, workspace;
    uint16_t align_a, align_b, align_c, align_d, align_bias, align_aux;
    uint32_t device;
    uint64_t unused[2];
} cs_blas_algo;

/* The kinds that descriptors and handles are tracked as. */
#define CS_BLAS_HANDLE "cublasLt handle"
#define CS_BLAS_DESC "cublasLt matmul descriptor"
#define CS_BLAS_LAYOUT "cublasLt matrix layout"
#define CS_BLAS_PREFERENCE "cublasLt preference"

/* Opens an API function. An injected error, or one that sticks to the device, comes back at once. */
#define BLAS_ENTER(natural)                                                                        \
    do {                                                                                           \
        int injected_ = cs_enter(natural);                                                         \
        if (injected_)                                                                             \
            return (cublasStatus_t)cs_leave(injected_);                                            \
    } while (0)

static inline cublasStatus_t blas_leave(cublasStatus_t status) {
    return (cublasStatus_t)cs_library_leave((int)status);
}

/* Whether a handle or descriptor is alive; reports where it is not. */
bool cs_blas_is_alive(const char *kind, const void *object);

/* Reports a broken rule of the function in progress and returns status. */
cublasStatus_t cs_blas_report(cublasStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Judges descriptors as one problem. The descriptors are alive. */
bool cs_blas_judge(const cs_blas_desc *desc, const cs_blas_layout *a, const cs_blas_layout *b,
                   const cs_blas_layout *c, const cs_blas_layout *d, cs_blas_problem *problem,
                   cs_verdict *verdict);

/* What the epilogue's bits mean. */
bool cs_blas_has_bias(const cs_blas_desc *desc);      /* reads a bias */
bool cs_blas_has_bias_grad(const cs_blas_desc *desc); /* writes a bias gradient */
bool cs_blas_has_mask(const cs_blas_desc *desc);      /* the aux buffer holds ReLU's bits */
bool cs_blas_has_aux(const cs_blas_desc *desc);       /* there is an aux buffer, of either sort */
bool cs_blas_writes_aux(const cs_blas_desc *desc);
/* Elements of the bias, or of its gradient. */
uint64_t cs_blas_bias_length(const cs_blas_problem *p);

/* How an operand's elements are read under a compute type. */
cs_element cs_blas_element(const cs_blas_desc *desc, const cs_blas_layout *layout);

/* One queued multiplication, with all that it needs when it runs. */
typedef struct cs_blas_call {
    cs_blas_problem p;
    float alpha, beta;
    uint64_t a, b, c, d, workspace;
    uint64_t algo_id, algo_workspace;
    char what[96];
} cs_blas_call;
cs_blas_algo cs_blas_default_algo(const cs_blas_problem *p);
void cs_blas_compute(const cs_blas_call *call);

#endif
