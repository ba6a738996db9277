/* Stochastic gradient descent over the segment table, on the CPU. */
#include "kernels/flat.h"

#include "kernels/cpu.h"
#include "kernels/loops.h"

ty_status ty_flat_sgd_cpu(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) {
    if (args->momentum != 0 && !args->velocity)
        return ty_fail(ctx, TY_ERR_ARG, "SGD with momentum %g was given no velocity",
                       args->momentum);
    if (args->step < 1)
        return ty_fail(ctx, TY_ERR_ARG, "SGD was given step %lld, want 1 or more",
                       (long long)args->step);
    for (int64_t i = 0; i < args->n_segments && !args->verdict->is_skipped; i++) {
        const ty_segment *s = &args->segments[i];
        const ty_sgd_loop loop = {.grad_scale = (float)args->verdict->grad_scale,
                                  .weight_decay = (float)(args->weight_decay * s->weight_decay),
                                  .momentum = (float)args->momentum,
                                  .learning_rate = (float)(args->learning_rate * s->learning_rate),
                                  .is_first = args->step == 1,
                                  .is_nesterov = args->is_nesterov};
        float *velocity = args->momentum != 0 ? args->velocity + s->offset : NULL;
        ty_cpu_loops(dev)->sgd(&loop, args->params + s->offset, args->grads + s->offset, velocity,
                               s->count);
    }
    return TY_OK;
}
