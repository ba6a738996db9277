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

typedef struct ty_device_info {
    const char *name;    /* "cpu" */
    const char *model;   /* "AMD EPYC 9554" */
    const char *numeric; /* what decides bits: "cpu avx512 onednn-2.6.3"; equal text, equal bits */
    int isa_level;       /* index into ty_isa_names, CPU only */
} ty_device_info;

/* Instruction-set levels of our own CPU loops, weakest first; ends with NULL. */
extern const char *const ty_isa_names[];

/* The strongest level this CPU has. */
int ty_isa_best(void);

/* name: "cpu", "cuda", "auto". max_isa_level caps our loops and oneDNN (ranks agree on the
 * weakest); negative: no cap. *out is the caller's to close, on the same thread.
 * Errors: TY_ERR_DEVICE with the reason. */
ty_status ty_device_open(ty_ctx *ctx, const char *name, int max_isa_level, ty_device **out) TY_MUST_USE;
void ty_device_close(ty_device *dev); /* accepts NULL */
/* Borrowed, as long as the device is open. */
const ty_device_info *ty_device_describe(const ty_device *dev);

/* Zeroed memory on the device, aligned to 64 bytes (on the CPU: ready for huge pages where
 * large). */
ty_status ty_device_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) TY_MUST_USE;
void ty_device_free(ty_device *dev, void *memory);

/* Queued copies between host and device memory; host memory must stay valid until the next sync. */
ty_status ty_device_copy_in(ty_ctx *ctx, ty_device *dev, void *to_device, const void *from_host,
                            size_t bytes) TY_MUST_USE;
ty_status ty_device_copy_out(ty_ctx *ctx, ty_device *dev, void *to_host, const void *from_device,
                             size_t bytes) TY_MUST_USE;
/* Waits for all queued work; failures of queued work surface here. Never called inside a step's
 * stream of ops. */
ty_status ty_device_sync(ty_ctx *ctx, ty_device *dev) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
