/* AdamW over the segment table, on the CPU. What does not change within a step is computed in
 * double, once. */
#include "kernels/flat.h"

#include <math.h>

#include "kernels/cpu.h"
#include "kernels/loops.h"

static ty_status check(ty_ctx *ctx, const ty_adamw_args *args) {
    if (args->step < 1)
        return ty_fail(ctx, TY_ERR_ARG, "AdamW was given step %lld, want 1 or more",
                       (long long)args->step);
    if (!(args->beta1 >= 0 && args->beta1 < 1 && args->beta2 >= 0 && args->beta2 < 1))
        return ty_fail(ctx, TY_ERR_ARG, "AdamW was given betas %g and %g, want 0 <= beta < 1",
                       args->beta1, args->beta2);
    return TY_OK;
}

/* beta^n by squaring: libm's pow has other bits on other CPUs. */
static double power(double beta, int64_t n) {
    double result = 1;
    for (; n > 0; n /= 2, beta *= beta)
        if (n % 2)
            result *= beta;
    return result;
}

ty_status ty_flat_adamw_cpu(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) {
    TY_TRY(check(ctx, args));
    if (args->verdict->is_skipped)
        return TY_OK;
    const double correction1 = 1 - power(args->beta1, args->step);
    const double correction2 = 1 - power(args->beta2, args->step);
    for (int64_t i = 0; i < args->n_segments; i++) {
        const ty_segment *s = &args->segments[i];
        const double rate = args->learning_rate * s->learning_rate;
        const ty_adamw_loop loop = {
            .grad_scale = (float)args->verdict->grad_scale,
            .keep = (float)(1 - rate * args->weight_decay * s->weight_decay),
            .one_minus_beta1 = (float)(1 - args->beta1),
            .beta2 = (float)args->beta2,
            .one_minus_beta2 = (float)(1 - args->beta2),
            .step_size = (float)(rate / correction1),
            .inverse_root = (float)(1 / sqrt(correction2)),
            .epsilon = (float)args->epsilon,
        };
        ty_cpu_loops(dev)->adamw(&loop, args->params + s->offset, args->grads + s->offset,
                                 args->m + s->offset, args->v + s->offset, s->count);
    }
    return TY_OK;
}
