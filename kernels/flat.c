/* Flat kernels, by device, behind the checks of what has no meaning on any. */
#include "kernels/backend.h"
#include "kernels/flat_step.h"

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

static ty_status check_start(ty_ctx *ctx, const ty_segment *segment) {
    const bool is_uniform = segment->init == TY_INIT_XAVIER || segment->init == TY_INIT_KAIMING;
    if (!is_uniform || ty_init_bound_of(segment) >= 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_ARG,
                   "starting %s: its fans are %lld in and %lld out, want more than 0",
                   segment->name, (long long)segment->fan_in, (long long)segment->fan_out);
}

ty_status ty_flat_init(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) {
    for (int64_t i = 0; i < args->n_segments; i++)
        TY_TRY(check_start(ctx, &args->segments[i]));
    return dev->backend->flat->init(ctx, dev, args);
}

ty_status ty_flat_sgd(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) {
    if (args->momentum != 0 && !args->velocity)
        return ty_fail(ctx, TY_ERR_ARG, "SGD with momentum %g was given no velocity",
                       args->momentum);
    if (args->step < 1)
        return ty_fail(ctx, TY_ERR_ARG, "SGD was given step %lld, want 1 or more",
                       (long long)args->step);
    return dev->backend->flat->sgd(ctx, dev, args);
}

ty_status ty_flat_adamw(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) {
    if (args->step < 1)
        return ty_fail(ctx, TY_ERR_ARG, "AdamW was given step %lld, want 1 or more",
                       (long long)args->step);
    if (!(args->beta1 >= 0 && args->beta1 < 1 && args->beta2 >= 0 && args->beta2 < 1))
        return ty_fail(ctx, TY_ERR_ARG, "AdamW was given betas %g and %g, want 0 <= beta < 1",
                       args->beta1, args->beta2);
    return dev->backend->flat->adamw(ctx, dev, args);
}
