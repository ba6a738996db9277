/* The plug-in's columns of the backend's table that are about the GPU itself (kernels/backend.h). */
#ifndef TY_KERNELS_CUDA_DEVICE_H
#define TY_KERNELS_CUDA_DEVICE_H

#include "kernels/cuda/cuda.h"

ty_status ty_cuda_find(ty_ctx *ctx, const ty_device_options *options,
                       ty_device_found *out) TY_MUST_USE;
ty_status ty_cuda_open(ty_ctx *ctx, const ty_device_options *options, ty_device **out) TY_MUST_USE;
void ty_cuda_close(ty_device *dev);
ty_status ty_cuda_alloc(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) TY_MUST_USE;
void ty_cuda_free(ty_device *dev, void *memory);
ty_status ty_cuda_alloc_host(ty_ctx *ctx, ty_device *dev, size_t bytes, void **out) TY_MUST_USE;
void ty_cuda_free_host(ty_device *dev, void *memory);
ty_status ty_cuda_order(ty_ctx *ctx, ty_device *dev, ty_queue before, ty_queue after) TY_MUST_USE;
ty_status ty_cuda_copy(ty_ctx *ctx, ty_device *dev, ty_queue queue, ty_copy kind, void *to,
                       const void *from, size_t bytes) TY_MUST_USE;
ty_status ty_cuda_poll(ty_ctx *ctx, ty_device *dev, bool *is_idle) TY_MUST_USE;
ty_status ty_cuda_sync(ty_ctx *ctx, ty_device *dev) TY_MUST_USE;
ty_status ty_cuda_tensor_copy_out(ty_ctx *ctx, ty_device *dev, const ty_tensor *tensor,
                                  void *host) TY_MUST_USE;

/* --- described.c: GPUs that are not here ------------------------------------------------------- */

bool ty_cuda_is_described(const char *name);
ty_status ty_cuda_find_described(ty_ctx *ctx, const ty_device_options *options,
                                 ty_device_found *out) TY_MUST_USE;
ty_status ty_cuda_open_described(ty_ctx *ctx, const ty_device_options *options,
                                 ty_device **out) TY_MUST_USE;

#endif
