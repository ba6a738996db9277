/* one_cycle: as PyTorch's OneCycleLR with cosine annealing: 1/divisor -> 1 over the warm-up, then 1
 * -> min_lr. */
#include "trainer/schedules/schedules.h"

#include <math.h>

typedef struct one_cycle_config {
    ty_schedule_base base;
    double divisor;
} one_cycle_config;

_Static_assert(sizeof(one_cycle_config) <= TY_SCHEDULE_CONFIG_BYTES,
               "grow TY_SCHEDULE_CONFIG_BYTES");

static const ty_row rows[] = {
    TY_SCHEDULE_WARMUP_ROW(one_cycle_config, "\"30%\""),
    TY_SCHEDULE_MIN_ROW(one_cycle_config, "\"0.0004%\""),
    {.key = "divisor",
     .type = TY_ROW_REAL,
     .offset = offsetof(one_cycle_config, divisor),
     .fallback = "25",
     .min = 1,
     .max = 1e9,
     .help = "the first rate is optimizer.learning_rate divided by this"},
};
const ty_rows ty_schedule_one_cycle_rows = TY_ROWS(rows);

static double anneal(double from, double to, double progress) {
    return to + (from - to) * (1 + cos(M_PI * progress)) / 2;
}

double ty_schedule_one_cycle(const void *config, const ty_extent *extent, int64_t step) {
    const one_cycle_config *keys = config;
    const double warmup = (double)ty_amount_steps(keys->base.warmup, extent);
    const double total = (double)extent->total_steps, now = fmin((double)step, total - 1);
    const double top = fmax(warmup - 1, 0); /* the step at which the rate is highest */
    if (now <= top)
        return anneal(1 / keys->divisor, 1, top > 0 ? now / top : 1);
    return anneal(1, ty_schedule_floor(&keys->base), (now - top) / (total - 1 - top));
}
