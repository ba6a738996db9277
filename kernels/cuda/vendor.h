/* cuBLASLt, cuDNN and NCCL as tables of the functions we use, opened when first needed. A function
 * is taken from what the process already has (RTLD_DEFAULT) or else from the library, which is looked
 * for by its name for this major version, then beside the runtime library, then where PyPI's wheels
 * put it (nvidia/cudnn/lib, nvidia/nccl/lib beside nvidia/cu13/lib). */
#ifndef TY_KERNELS_CUDA_VENDOR_H
#define TY_KERNELS_CUDA_VENDOR_H

#include <cublasLt.h>
#include <cudnn_graph.h>
#include <nccl.h>

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line a function; the member has the function's own name and type. */
#define TY_VENDOR_BLAS(X)                                                                          \
    X(cublasLtCreate)                                                                              \
    X(cublasLtDestroy)                                                                             \
    X(cublasLtGetVersion)                                                                          \
    X(cublasLtGetStatusString)                                                                     \
    X(cublasLtMatmul)                                                                              \
    X(cublasLtMatmulAlgoGetHeuristic)                                                              \
    X(cublasLtMatmulDescCreate)                                                                    \
    X(cublasLtMatmulDescDestroy)                                                                   \
    X(cublasLtMatmulDescSetAttribute)                                                              \
    X(cublasLtMatrixLayoutCreate)                                                                  \
    X(cublasLtMatrixLayoutDestroy)                                                                 \
    X(cublasLtMatrixLayoutSetAttribute)                                                            \
    X(cublasLtMatmulPreferenceCreate)                                                              \
    X(cublasLtMatmulPreferenceDestroy)                                                             \
    X(cublasLtMatmulPreferenceSetAttribute)

#define TY_VENDOR_DNN(X)                                                                           \
    X(cudnnCreate)                                                                                 \
    X(cudnnDestroy)                                                                                \
    X(cudnnSetStream)                                                                              \
    X(cudnnGetVersion)                                                                             \
    X(cudnnGetErrorString)                                                                         \
    X(cudnnGetLastErrorString)                                                                     \
    X(cudnnBackendCreateDescriptor)                                                                \
    X(cudnnBackendDestroyDescriptor)                                                               \
    X(cudnnBackendSetAttribute)                                                                    \
    X(cudnnBackendGetAttribute)                                                                    \
    X(cudnnBackendFinalize)                                                                        \
    X(cudnnBackendExecute)

#define TY_VENDOR_NCCL(X)                                                                          \
    X(ncclGetVersion)                                                                              \
    X(ncclGetErrorString)                                                                          \
    X(ncclGetLastError)                                                                            \
    X(ncclGetUniqueId)                                                                             \
    X(ncclCommInitRankConfig)                                                                      \
    X(ncclCommGetAsyncError)                                                                       \
    X(ncclCommAbort)                                                                               \
    X(ncclCommFinalize)                                                                            \
    X(ncclCommDestroy)                                                                             \
    X(ncclAllReduce)                                                                               \
    X(ncclAllGather)                                                                               \
    X(ncclSend)                                                                                    \
    X(ncclRecv)                                                                                    \
    X(ncclGroupStart)                                                                              \
    X(ncclGroupEnd)

#define TY_VENDOR_MEMBER(function) __typeof__(function) *function;
typedef struct ty_vendor_blas {
    TY_VENDOR_BLAS(TY_VENDOR_MEMBER)
} ty_vendor_blas;
typedef struct ty_vendor_dnn {
    TY_VENDOR_DNN(TY_VENDOR_MEMBER)
} ty_vendor_dnn;
typedef struct ty_vendor_nccl {
    TY_VENDOR_NCCL(TY_VENDOR_MEMBER)
} ty_vendor_nccl;
#undef TY_VENDOR_MEMBER

/* Open the library and, on a GPU that is there, make the handle; once per device handle. dev->blas,
 * dev->dnn, dev->nccl are set afterwards.
 * Errors: TY_ERR_DEVICE naming the library, what was looked for and found (missing, another major
 * version, a function missing). */
ty_status ty_cuda_want_blas(ty_ctx *ctx, ty_cuda *dev) TY_MUST_USE;
ty_status ty_cuda_want_dnn(ty_ctx *ctx, ty_cuda *dev) TY_MUST_USE;
ty_status ty_cuda_want_nccl(ty_ctx *ctx, ty_cuda *dev) TY_MUST_USE;
/* Libraries that share the runtime leave errors behind which they got over: the next launch would be
 * blamed for them. What a call returned is what counts, so this follows each that touches the GPU. */
static inline void ty_cuda_forget_error(void) {
    (void)cudaGetLastError();
}

/* Makes the choice of an engine a part of numeric: another one gives other bits. */
void ty_cuda_note_engine(ty_cuda *dev, int64_t engine, int64_t workspace);

/* Each library's version or why it can't be had, a line each. */
void ty_cuda_say_libraries(ty_ctx *ctx, char *out, size_t room);
/* Frees handles and tables. */
void ty_cuda_release_vendors(ty_cuda *dev);

#ifdef __cplusplus
}
#endif
#endif
