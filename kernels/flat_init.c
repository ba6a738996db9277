/* How parameters start, on the CPU. */
#include "kernels/flat.h"

#include <math.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"

/* Half the width of the uniform law that a segment starts with; negative where its fans make
 * none. */
static double bound_of(const ty_segment *segment) {
    const bool is_xavier = segment->init == TY_INIT_XAVIER;
    const double fans = (double)segment->fan_in + (is_xavier ? (double)segment->fan_out : 0);
    return fans > 0 ? sqrt(6 / fans) : -1;
}

static ty_status init_uniform(ty_ctx *ctx, ty_device *dev, const ty_segment *segment, float *to,
                              ty_rng_key key, uint64_t number) {
    const double bound = bound_of(segment);
    if (bound < 0)
        return ty_fail(ctx, TY_ERR_ARG,
                       "starting %s: its fans are %lld in and %lld out, want more than 0",
                       segment->name, (long long)segment->fan_in, (long long)segment->fan_out);
    ty_cpu_loops(dev)->uniform(to, segment->count, key, number, (float)bound);
    return TY_OK;
}

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
        return init_uniform(ctx, dev, segment, to, key, number);
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
