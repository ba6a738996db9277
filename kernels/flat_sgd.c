/* Stochastic gradient descent over the segment table, on the CPU. */
#include "kernels/cpu.h"
#include "kernels/flat_step.h"

ty_status ty_flat_sgd_cpu(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) {
    (void)ctx;
    for (int64_t i = 0; i < args->n_segments && !args->verdict->is_skipped; i++) {
        const ty_segment *s = &args->segments[i];
        ty_sgd_loop step = ty_sgd_step_of(args, s);
        step.grad_scale = args->verdict->grad_scale;
        float *velocity = args->momentum != 0 ? args->velocity + s->offset : NULL;
        ty_cpu_loops(dev)->sgd(&step, args->params + s->offset, args->grads + s->offset, velocity,
                               s->count);
    }
    return TY_OK;
}
