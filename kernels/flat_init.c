/* How parameters start, on the CPU. */
#include "kernels/cpu.h"
#include "kernels/flat_step.h"

static ty_status init_segment(ty_ctx *ctx, ty_device *dev, const ty_segment *segment, float *to,
                              ty_rng_key key, uint64_t number) {
    const float deviation = 0.02F;
    switch (segment->init) {
    case TY_INIT_ZEROS:
        ty_cpu_loops(dev)->fill(to, segment->count, 0);
        return TY_OK;
    case TY_INIT_ONES:
        ty_cpu_loops(dev)->fill(to, segment->count, 1);
        return TY_OK;
    case TY_INIT_NORMAL:
        ty_cpu_loops(dev)->normal(to, segment->count, key, number, deviation);
        return TY_OK;
    case TY_INIT_XAVIER:
    case TY_INIT_KAIMING:
        ty_cpu_loops(dev)->uniform(to, segment->count, key, number,
                                   (float)ty_init_bound_of(segment));
        return TY_OK;
    }
    return ty_fail(ctx, TY_ERR_INTERNAL, "starting %s: no such start as %d", segment->name,
                   (int)segment->init);
}

ty_status ty_flat_init_cpu(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) {
    const ty_rng_key key = ty_rng_key_of(args->seed, TY_STREAM_INIT);
    for (int64_t i = 0; i < args->n_segments; i++) {
        const ty_segment *segment = &args->segments[i];
        TY_TRY(init_segment(ctx, dev, segment, args->params + segment->offset, key, (uint64_t)i));
    }
    return TY_OK;
}
