/* What NVIDIA's management library (NVML, part of the driver) says of one GPU: memory, use, power.
 * The library is opened at run time and never needed. */
#ifndef TY_BASE_NVML_H
#define TY_BASE_NVML_H

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_nvml ty_nvml;

enum { TY_NVML_UUID_BYTES = 16 };

/* The GPU, or the part of one (MIG), with this UUID; CUDA tells the same. library: a file's name;
 * NULL: the driver's own.
 * Owns:   *out is the caller's to close; one thread at a time may use it.
 * Errors: TY_ERR_NOT_FOUND no such library or GPU; TY_ERR_FAILED with NVML's own words. */
ty_status ty_nvml_open(ty_ctx *ctx, const char *library, const uint8_t uuid[TY_NVML_UUID_BYTES],
                       ty_nvml **out) TY_MUST_USE;
void ty_nvml_close(ty_nvml *nvml); /* accepts NULL */

/* The GPU's number as nvidia-smi counts, whatever part of the machine's GPUs this process sees. */
int ty_nvml_index(const ty_nvml *nvml);

/* NAN where the GPU does not say. */
typedef struct ty_nvml_reading {
    double memory_used, memory_total; /* bytes */
    double busy_percent;              /* of the time, something ran on it */
    double watts, watts_limit;
} ty_nvml_reading;

void ty_nvml_read(const ty_nvml *nvml, ty_nvml_reading *out);

#ifdef __cplusplus
}
#endif
#endif
