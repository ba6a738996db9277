/* The inside of the CUDA plug-in: what a GPU handle is, and what every twin uses. Nothing outside
 * the plug-in includes this.
 *
 * One handle = one GPU of this process with four streams, one for each queue. Ops and flat kernels
 * run on the COMPUTE stream. Vendor libraries besides the runtime are opened when something first
 * needs them (vendor.h), so a model without convolutions needs no cuDNN. A described handle
 * (is_described) has neither streams nor memory: it plans, nothing more. */
#ifndef TY_KERNELS_CUDA_CUDA_H
#define TY_KERNELS_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#include "kernels/attrs.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ty_vendor_blas; /* vendor.h: cuBLASLt */
struct ty_vendor_dnn;  /* cuDNN */
struct ty_vendor_nccl;

/* What plans and predictions ask of a GPU, whether it is there or only described. */
typedef struct ty_gpu_facts {
    char model[64];
    int major, minor; /* compute capability */
    int multiprocessors;
    int max_threads_per_multiprocessor;
    int64_t memory_bytes;
    int64_t l2_bytes;
    double bandwidth;                          /* bytes/s, the data sheet's; 0: unknown */
    double flops_fp32, flops_tf32, flops_bf16; /* dense, the data sheet's; 0: unknown */
    const char *dnn_json; /* cuDNN's description for plans without the GPU; NULL: it is there */
} ty_gpu_facts;

/* Flat kernels get no workspace from a plan; norms keep their partial sums between two launches. */
enum { TY_CUDA_SCRATCH_BYTES = 1 << 20 };

typedef struct ty_cuda {
    ty_device device; /* first */
    ty_gpu_facts facts;
    int index; /* among the devices this process sees */
    cudaStream_t streams[TY_QUEUE_COUNT];
    void *scratch; /* TY_CUDA_SCRATCH_BYTES of device memory from open to close, for one call of a
                         flat kernel on the COMPUTE stream; NULL on a described handle */
    cudaEvent_t events[TY_QUEUE_COUNT]; /* one a queue, recorded anew by each ty_device_order: a
                                           wait looks only at the newest record before it */
    const struct ty_vendor_blas *blas;  /* NULL until ty_cuda_want_blas */
    const struct ty_vendor_dnn *dnn;
    const struct ty_vendor_nccl *nccl;
    void *blas_handle; /* cublasLtHandle_t */
    void *dnn_handle;  /* cudnnHandle_t */
    char model[64];
    char basis[208];  /* numeric's first part: the GPU, what drives it, libraries' versions */
    uint64_t engines; /* a hash of what ty_cuda_note_engine was told, in that order; 0: nothing */
    char numeric[256];
    char name[TY_DEVICE_NAME_BYTES];
} ty_cuda;

static inline ty_cuda *ty_cuda_of(ty_device *dev) {
    return (ty_cuda *)dev;
}
static inline const ty_cuda *ty_cuda_of_const(const ty_device *dev) {
    return (const ty_cuda *)dev;
}
static inline cudaStream_t ty_cuda_stream(const ty_device *dev) {
    return ty_cuda_of_const(dev)->streams[TY_QUEUE_COMPUTE];
}

/* --- errors ----------------------------------------------------------------------------------- */

/* TY_OK, or TY_ERR_DEVICE with
 * "<what>: <cudaGetErrorString> (<cudaGetErrorName>)". */
ty_status ty_cuda_check(ty_ctx *ctx, cudaError_t error, const char *what) TY_MUST_USE;

/* After a launch: cudaGetLastError, naming the kernel. Every launcher ends with it. */
ty_status ty_cuda_launched(ty_ctx *ctx, const char *kernel) TY_MUST_USE;

/* --- layouts ----------------------------------------------------------------------------------
 * A value is canonical (layout NULL) or, with four dimensions, channels last (NHWC in memory, dims
 * still [B, C, H, W]). No padding: bytes = count * dtype. With one channel or a plane of one element
 * both are the same memory, but layout tells them apart all the same. */
extern const int ty_cuda_channels_last_tag;
#define TY_CUDA_CHANNELS_LAST ((const void *)&ty_cuda_channels_last_tag)

static inline bool ty_cuda_is_channels_last(const ty_tensor *x) {
    return x->layout != NULL;
}

/* What activations of this device are stored as: f32, or bf16 where the precision says so. */
ty_dtype ty_cuda_dtype(const ty_device *dev);
/* Fills y's dtype (ty_cuda_dtype), layout and bytes. */
void ty_cuda_set_y(const ty_device *dev, ty_op_args *args, const void *layout);

/* --- launching --------------------------------------------------------------------------------- */

enum { TY_CUDA_THREADS = 256 };

/* Blocks for n threads' worth of work in a grid-stride loop: enough to fill the GPU several times,
 * never more than there is work. At least 1. */
unsigned ty_cuda_blocks(const ty_device *dev, int64_t n_threads);

/* The release of an op that keeps no state. */
void ty_cuda_release_nothing(ty_device *dev, ty_op_args *args);

/* One row of an op's cost, for ops of one kernel: kernel's name, bytes moved, flops. */
int ty_cuda_cost_one(ty_op_cost *out, const char *kernel, double bytes, double flops);

/* --- tables that the twins fill ----------------------------------------------------------------- */

extern const ty_op_impl ty_normalize_cuda, ty_linear_cuda, ty_conv2d_cuda, ty_activation_cuda,
    ty_pool2d_cuda, ty_batch_norm_cuda, ty_dropout_cuda, ty_reshape_cuda, ty_add_cuda,
    ty_scale_cuda, ty_softmax_xent_cuda, ty_mse_cuda;
extern const ty_flat_table ty_flat_cuda;
extern const ty_clique_table ty_clique_cuda;

/* backend.c */
extern const ty_backend ty_backend_plugin;

#ifdef __cplusplus
}
#endif
#endif
