/* step: factor^k after k times `every`. */
#include "trainer/schedules/schedules.h"

#include <math.h>

typedef struct step_config {
    ty_schedule_base base;
    ty_amount every;
    double factor;
} step_config;

_Static_assert(sizeof(step_config) <= TY_SCHEDULE_CONFIG_BYTES, "grow TY_SCHEDULE_CONFIG_BYTES");

static const ty_row rows[] = {
    TY_SCHEDULE_WARMUP_ROW(step_config, "\"none\""),
    {.key = "every",
     .type = TY_ROW_AMOUNT,
     .offset = offsetof(step_config, every),
     .fallback = "\"30%\"",
     .units = TY_SCHEDULE_LENGTHS & ~(1u << TY_UNIT_NONE),
     .help = "time between two reductions"},
    {.key = "factor",
     .type = TY_ROW_REAL,
     .offset = offsetof(step_config, factor),
     .fallback = "0.1",
     .unit = "ratio",
     .min = 0,
     .max = 1,
     .min_is_open = true,
     .help = "what the rate is multiplied by"},
};
const ty_rows ty_schedule_step_rows = TY_ROWS(rows);

double ty_schedule_step(const void *config, const ty_extent *extent, int64_t step) {
    const step_config *keys = config;
    const int64_t every = ty_amount_steps(keys->every, extent);
    const double times = every > 0 ? (double)(step / every) : 0;
    return ty_schedule_warmup(config, extent, step) * pow(keys->factor, times);
}
