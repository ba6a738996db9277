/* AdamW over the segment table, on the CPU. */
#include "kernels/cpu.h"
#include "kernels/flat_step.h"

ty_status ty_flat_adamw_cpu(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) {
    (void)ctx;
    for (int64_t i = 0; i < args->n_segments && !args->verdict->is_skipped; i++) {
        const ty_segment *s = &args->segments[i];
        ty_adamw_loop step = ty_adamw_step_of(args, s);
        step.grad_scale = args->verdict->grad_scale;
        ty_cpu_loops(dev)->adamw(&step, args->params + s->offset, args->grads + s->offset,
                                 args->m + s->offset, args->v + s->offset, s->count);
    }
    return TY_OK;
}
