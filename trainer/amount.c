/* Everything is counted in samples: batches cross the borders of epochs, so an epoch is seldom a
 * whole number of steps. */
#include "trainer/amount.h"

#include <math.h>

/* 0: the amount has no length in samples. */
static double in_samples(ty_amount amount, const ty_extent *extent) {
    const double step = (double)extent->samples_per_step;
    switch (amount.unit) {
    case TY_UNIT_STEPS:
        return amount.value * step;
    case TY_UNIT_EPOCHS:
        return amount.value * (double)extent->samples_per_epoch;
    case TY_UNIT_SAMPLES:
        return amount.value;
    case TY_UNIT_PERCENT:
        return amount.value / 100 * (double)extent->total_steps * step;
    case TY_UNIT_NONE:
    case TY_UNIT_SECONDS:
    case TY_UNIT_BYTES:
        break;
    }
    return 0;
}

int64_t ty_amount_steps(ty_amount amount, const ty_extent *extent) {
    /* 30 % of 100 steps is 30, though 0.3 * 100 is a little more in binary. */
    const double steps = in_samples(amount, extent) / (double)extent->samples_per_step;
    return (int64_t)ceil(steps - 1e-9 * fmax(steps, 1));
}

bool ty_amount_is_due(ty_amount every, const ty_extent *extent, int64_t step) {
    const double period = in_samples(every, extent);
    if (period <= 0 || step <= 0)
        return false;
    const double now = (double)(step * extent->samples_per_step) / period;
    const double before = (double)((step - 1) * extent->samples_per_step) / period;
    return floor(now) > floor(before);
}
