/* Elementwise work and reductions over flat buffers, on the CPU. */
#include "kernels/cpu.h"

#include <math.h>
#include <string.h>

#include "kernels/loops.h"

static ty_status fill(ty_ctx *ctx, ty_device *dev, float *to, int64_t n, float value) {
    (void)ctx;
    ty_cpu_loops(dev)->fill(to, n, value);
    return TY_OK;
}

static ty_status copy(ty_ctx *ctx, ty_device *dev, float *to, const float *from, int64_t n) {
    (void)ctx, (void)dev;
    if (n > 0)
        memmove(to, from, (size_t)n * sizeof *to);
    return TY_OK;
}

static ty_status scale(ty_ctx *ctx, ty_device *dev, float *x, int64_t n, float factor) {
    (void)ctx;
    ty_cpu_loops(dev)->scale(x, x, n, factor);
    return TY_OK;
}

static ty_status add(ty_ctx *ctx, ty_device *dev, float *to, const float *a, const float *b,
                     int64_t n) {
    (void)ctx;
    ty_cpu_loops(dev)->add(to, a, b, n);
    return TY_OK;
}

static ty_status blend(ty_ctx *ctx, ty_device *dev, const ty_blend_args *args) {
    (void)ctx;
    if (!args->verdict || !args->verdict->is_skipped)
        ty_cpu_loops(dev)->blend(args->to, args->from, args->n, args->rate, args->from_scale);
    return TY_OK;
}

static ty_status norms(ty_ctx *ctx, ty_device *dev, const float *x, const ty_segment *segments,
                       int64_t n_segments, double *out) {
    (void)ctx;
    for (int64_t i = 0; i < n_segments; i++)
        ty_cpu_loops(dev)->norm(x + segments[i].offset, segments[i].count, out + 2 * i);
    return TY_OK;
}

static ty_status loss(ty_ctx *ctx, ty_device *dev, const float *rows, const float *weight,
                      int64_t n, float *out) {
    (void)ctx, (void)dev;
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += weight[i] == 0 ? 0 : weight[i] * rows[i * TY_LOSS_ROW];
    out[0] += sum;
    return TY_OK;
}

static ty_status judge(ty_ctx *ctx, ty_device *dev, const ty_judge_args *args) {
    (void)ctx, (void)dev;
    double squares = 0, n_nonfinite = 0;
    for (int64_t i = 0; i < args->n_rows; i++) {
        squares += i < args->n_gradient_rows ? args->norms[2 * i] : 0;
        n_nonfinite += args->norms[2 * i + 1];
    }
    const double norm = sqrt(squares) / args->total_weight;
    const bool clips = args->max_norm > 0 && norm > args->max_norm;
    *args->verdict = (ty_verdict){
        .gradient_norm = norm,
        .grad_scale = (float)((clips ? args->max_norm / norm : 1) / args->total_weight),
        .n_nonfinite = n_nonfinite,
        .is_skipped = n_nonfinite > 0 || !isfinite(norm)};
    return TY_OK;
}

const ty_flat_table ty_flat_cpu = {.fill = fill,
                                   .copy = copy,
                                   .scale = scale,
                                   .cast = ty_flat_cast_cpu,
                                   .add = add,
                                   .blend = blend,
                                   .norms = norms,
                                   .loss = loss,
                                   .judge = judge,
                                   .init = ty_flat_init_cpu,
                                   .sgd = ty_flat_sgd_cpu,
                                   .adamw = ty_flat_adamw_cpu};
