/* The launchers that .cu files of flat kernels give the table in flat.cu. Private to the plug-in. */
#ifndef TY_KERNELS_CUDA_FLAT_KERNELS_H
#define TY_KERNELS_CUDA_FLAT_KERNELS_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

ty_status ty_flat_cast_cuda(ty_ctx *ctx, ty_device *dev, const ty_cast_args *args);
ty_status ty_flat_norms_cuda(ty_ctx *ctx, ty_device *dev, const float *x,
                             const ty_segment *segments, int64_t n_segments, double *out);
ty_status ty_flat_init_cuda(ty_ctx *ctx, ty_device *dev, const ty_init_args *args);
ty_status ty_flat_sgd_cuda(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args);
ty_status ty_flat_adamw_cuda(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args);

#ifdef __cplusplus
}
#endif
#endif
