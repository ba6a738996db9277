/* A device handle is one queue of work: a GPU with its streams, or one CPU thread ("lane"). Calls
 * on one handle run in order; a CPU handle must be opened, used and closed by one thread, and
 * computes on that thread alone. */
#ifndef TY_KERNELS_DEVICE_H
#define TY_KERNELS_DEVICE_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_device ty_device;

typedef enum ty_device_kind { TY_DEVICE_IS_CPU, TY_DEVICE_IS_CUDA } ty_device_kind;

/* What a GPU multiplies with; the CPU knows only the first.
 *   fp32  every product exact to f32
 *   tf32  matrix products and convolutions round their inputs to 10 bits of mantissa
 *   bf16  activations and copies of matrices in bf16; sums, gradients of parameters, statistics and
 *         the weights that the optimizer changes in f32 */
typedef enum ty_precision {
    TY_PRECISION_FP32,
    TY_PRECISION_TF32,
    TY_PRECISION_BF16,
    TY_PRECISION_COUNT
} ty_precision;

typedef struct ty_device_options {
    const char *name;  /* "cpu", "cuda", "cuda:1", or a described GPU to plan for: "a100", "h100" */
    int max_isa_level; /* caps our CPU loops and oneDNN (ranks agree on the weakest); -1: no cap */
    int local_rank;    /* of this process on its host: "cuda" is the device local_rank modulo
                              the number of devices this process sees */
    ty_precision precision;
} ty_device_options;

enum { TY_DEVICE_UUID_BYTES = 16, TY_DEVICE_NAME_BYTES = 16, TY_DEVICE_REASON_BYTES = 512 };

/* What a name stands for here. */
typedef struct ty_device_found {
    ty_device_kind kind;
    char name[TY_DEVICE_NAME_BYTES];     /* "cpu", "cuda:0": what to open */
    char model[64];                      /* "NVIDIA H100 80GB HBM3" */
    uint8_t uuid[TY_DEVICE_UUID_BYTES];  /* zeros for the CPU */
    int64_t memory_bytes;                /* of the GPU; 0 for the CPU */
    int n_devices;                       /* GPUs that this process sees */
    char reason[TY_DEVICE_REASON_BYTES]; /* "auto" chose the CPU: why no GPU; else empty */
} ty_device_found;

typedef struct ty_device_info {
    ty_device_kind kind;
    const char *name;    /* "cpu", "cuda:0" */
    const char *model;   /* "AMD EPYC 9554" */
    const char *numeric; /* what decides bits: "cpu avx512 onednn-2.6.3"; equal text, equal bits */
    int isa_level;       /* index into ty_isa_names, CPU only */
    ty_precision precision;
    int64_t memory_bytes; /* of the GPU; 0 for the CPU */
    bool is_described;    /* plans only: it has no memory and runs nothing */
    /* The data sheet's, for predictions; 0: unknown. Of device memory in bytes/s, of matrix products
     * by ty_precision in FLOP/s. */
    double peak_bandwidth, peak_flops[TY_PRECISION_COUNT];
} ty_device_info;

/* Instruction-set levels of our own CPU loops, weakest first; ends with NULL. */
extern const char *const ty_isa_names[];

/* The strongest level this CPU has. */
int ty_isa_best(void);

/* What "auto", "cuda" or "cpu" means on this host, without opening it: "auto" is the GPU that "cuda"
 * would be, or the CPU with the reason why there is none. Loads the CUDA plug-in where the name may
 * need it. Not collective: ranks compare their answers.
 * Errors: TY_ERR_DEVICE with the reason. */
ty_status ty_device_find(ty_ctx *ctx, const ty_device_options *options,
                         ty_device_found *out) TY_MUST_USE;

/* The GPU libraries found and their versions, or why one can't be had, a line each; empty where the
 * plug-in can't be had. Opens them all: for people who ask. */
void ty_device_say_libraries(ty_ctx *ctx, char *out, size_t room);

/* options->name is no "auto". *out is the caller's to close, on the same thread.
 * Errors: TY_ERR_DEVICE with the reason; TY_ERR_CONFIG a precision that the device lacks. */
ty_status ty_device_open(ty_ctx *ctx, const ty_device_options *options,
                         ty_device **out) TY_MUST_USE;
void ty_device_close(ty_device *dev); /* accepts NULL */
/* Borrowed, as long as the device is open. */
const ty_device_info *ty_device_describe(const ty_device *dev);

/* Zeroed memory on the device, aligned to 64 bytes (on the CPU: ready for huge pages where large; on
 * a GPU: to 256). Never called inside a step.
 * Errors: TY_ERR_NOMEM on the CPU, TY_ERR_DEVICE on a GPU. */
ty_status ty_device_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) TY_MUST_USE;
void ty_device_free(ty_device *dev, void *memory);

/* Zeroed host memory that the device copies from and to without a detour (pinned). */
ty_status ty_device_alloc_host(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) TY_MUST_USE;
void ty_device_free_host(ty_device *dev, void *memory);

/* --- queues -----------------------------------------------------------------------------------
 * A GPU works on several queues at once; ops and flat kernels are on COMPUTE. Work on one queue runs
 * in order; between two of them only ty_device_order says what waits for what. On the CPU everything
 * is done when the call returns, and these calls do nothing. */
typedef enum ty_queue {
    TY_QUEUE_COMPUTE,
    TY_QUEUE_COPY_IN,
    TY_QUEUE_COPY_OUT,
    TY_QUEUE_COMM,
    TY_QUEUE_COUNT
} ty_queue;

/* What is queued on `after` from now on starts when all that is queued on `before` so far is done. */
ty_status ty_device_order(ty_ctx *ctx, ty_device *dev, ty_queue before, ty_queue after) TY_MUST_USE;

typedef enum ty_copy { TY_COPY_IN, TY_COPY_OUT, TY_COPY_WITHIN } ty_copy;

/* Queues a copy: host to device, device to host, device to device. Host memory must be from
 * ty_device_alloc_host, or the call may wait until it has read it; it must stay valid and, for
 * copies in, unchanged until the queue's next sync. */
ty_status ty_device_copy(ty_ctx *ctx, ty_device *dev, ty_queue queue, ty_copy kind, void *to,
                         const void *from, size_t bytes) TY_MUST_USE;
/* The same on COMPUTE. */
ty_status ty_device_copy_in(ty_ctx *ctx, ty_device *dev, void *to_device, const void *from_host,
                            size_t bytes) TY_MUST_USE;
ty_status ty_device_copy_out(ty_ctx *ctx, ty_device *dev, void *to_host, const void *from_device,
                             size_t bytes) TY_MUST_USE;

/* Whether all that was queued on the device is done; failures of queued work surface here. For
 * loops that look after other ranks while they wait. */
ty_status ty_device_poll(ty_ctx *ctx, ty_device *dev, bool *is_idle) TY_MUST_USE;

/* Waits for all queued work of all queues; failures of queued work surface here. Never called
 * inside a step's stream of ops. */
ty_status ty_device_sync(ty_ctx *ctx, ty_device *dev) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
