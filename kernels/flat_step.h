/* What an optimizer's step is for one segment: computed in double, once, and the same on every
 * device. grad_scale is left to the verdict, which lies on the device. Private to kernels and to the
 * plug-in. */
#ifndef TY_KERNELS_FLAT_STEP_H
#define TY_KERNELS_FLAT_STEP_H

#include <math.h>

#include "kernels/flat.h"
#include "kernels/loops.h"

static inline ty_sgd_loop ty_sgd_step_of(const ty_sgd_args *args, const ty_segment *segment) {
    ty_sgd_loop step;
    step.grad_scale = 0;
    step.weight_decay = (float)(args->weight_decay * segment->weight_decay);
    step.momentum = (float)args->momentum;
    step.learning_rate = (float)(args->learning_rate * segment->learning_rate);
    step.is_first = args->step == 1;
    step.is_nesterov = args->is_nesterov;
    return step;
}

/* beta^n by squaring: libm's pow has other bits on other CPUs. */
static inline double ty_flat_power(double beta, int64_t n) {
    double result = 1;
    for (; n > 0; n /= 2, beta *= beta)
        if (n % 2)
            result *= beta;
    return result;
}

static inline ty_adamw_loop ty_adamw_step_of(const ty_adamw_args *args, const ty_segment *segment) {
    const double rate = args->learning_rate * segment->learning_rate;
    const double correction1 = 1 - ty_flat_power(args->beta1, args->step);
    const double correction2 = 1 - ty_flat_power(args->beta2, args->step);
    ty_adamw_loop step;
    step.grad_scale = 0;
    step.keep = (float)(1 - rate * args->weight_decay * segment->weight_decay);
    step.one_minus_beta1 = (float)(1 - args->beta1);
    step.beta2 = (float)args->beta2;
    step.one_minus_beta2 = (float)(1 - args->beta2);
    step.step_size = (float)(rate / correction1);
    step.inverse_root = (float)(1 / sqrt(correction2));
    step.epsilon = (float)args->epsilon;
    return step;
}

/* Half the width of the uniform law that a segment starts with; negative where its fans make
 * none. */
static inline double ty_init_bound_of(const ty_segment *segment) {
    const bool is_xavier = segment->init == TY_INIT_XAVIER;
    const double fans = (double)segment->fan_in + (is_xavier ? (double)segment->fan_out : 0);
    return fans > 0 ? sqrt(6 / fans) : -1;
}

#endif
