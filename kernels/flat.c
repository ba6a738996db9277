/* Elementwise work and reduction over flat buffers, on the CPU. */
#include "kernels/flat.h"

#include <string.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"

ty_status ty_flat_fill(ty_ctx *ctx, ty_device *dev, float *to, int64_t n, float value) {
    (void)ctx;
    dev->loops->fill(to, n, value);
    return TY_OK;
}

ty_status ty_flat_copy(ty_ctx *ctx, ty_device *dev, float *to, const float *from, int64_t n) {
    (void)ctx, (void)dev;
    if (n > 0)
        memmove(to, from, (size_t)n * sizeof *to);
    return TY_OK;
}

ty_status ty_flat_scale(ty_ctx *ctx, ty_device *dev, float *x, int64_t n, float factor) {
    (void)ctx;
    dev->loops->scale(x, x, n, factor);
    return TY_OK;
}

ty_status ty_flat_add(ty_ctx *ctx, ty_device *dev, float *to, const float *a, const float *b,
                      int64_t n) {
    (void)ctx;
    dev->loops->add(to, a, b, n);
    return TY_OK;
}

ty_status ty_flat_blend(ty_ctx *ctx, ty_device *dev, float *to, const float *from, int64_t n,
                        float rate) {
    (void)ctx;
    dev->loops->blend(to, from, n, rate);
    return TY_OK;
}

ty_status ty_flat_norm(ty_ctx *ctx, ty_device *dev, const float *x, int64_t n, double *out) {
    (void)ctx;
    dev->loops->norm(x, n, out);
    return TY_OK;
}
