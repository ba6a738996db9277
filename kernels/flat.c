/* Flat kernels, by device. */
#include "kernels/backend.h"

ty_status ty_flat_fill(ty_ctx *ctx, ty_device *dev, float *to, int64_t n, float value) {
    return dev->backend->flat->fill(ctx, dev, to, n, value);
}

ty_status ty_flat_copy(ty_ctx *ctx, ty_device *dev, float *to, const float *from, int64_t n) {
    return dev->backend->flat->copy(ctx, dev, to, from, n);
}

ty_status ty_flat_scale(ty_ctx *ctx, ty_device *dev, float *x, int64_t n, float factor) {
    return dev->backend->flat->scale(ctx, dev, x, n, factor);
}

ty_status ty_flat_cast(ty_ctx *ctx, ty_device *dev, const ty_cast_args *args) {
    return dev->backend->flat->cast(ctx, dev, args);
}

ty_status ty_flat_add(ty_ctx *ctx, ty_device *dev, float *to, const float *a, const float *b,
                      int64_t n) {
    return dev->backend->flat->add(ctx, dev, to, a, b, n);
}

ty_status ty_flat_blend(ty_ctx *ctx, ty_device *dev, const ty_blend_args *args) {
    return dev->backend->flat->blend(ctx, dev, args);
}

ty_status ty_flat_norms(ty_ctx *ctx, ty_device *dev, const float *x, const ty_segment *segments,
                        int64_t n_segments, double *out) {
    return dev->backend->flat->norms(ctx, dev, x, segments, n_segments, out);
}

ty_status ty_flat_loss(ty_ctx *ctx, ty_device *dev, const float *rows, const float *weight,
                       int64_t n, float *out) {
    return dev->backend->flat->loss(ctx, dev, rows, weight, n, out);
}

ty_status ty_flat_judge(ty_ctx *ctx, ty_device *dev, const ty_judge_args *args) {
    return dev->backend->flat->judge(ctx, dev, args);
}

ty_status ty_flat_init(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) {
    return dev->backend->flat->init(ctx, dev, args);
}

ty_status ty_flat_sgd(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) {
    return dev->backend->flat->sgd(ctx, dev, args);
}

ty_status ty_flat_adamw(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) {
    return dev->backend->flat->adamw(ctx, dev, args);
}
