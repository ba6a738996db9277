/* wsd: 1 until the last `decay`, then down to min_lr along a line or along 1 - sqrt (Haegele et al.
 * 2024). */
#include "trainer/schedules/schedules.h"

#include <math.h>

typedef struct wsd_config {
    ty_schedule_base base;
    ty_amount decay;
    int shape;
} wsd_config;

_Static_assert(sizeof(wsd_config) <= TY_SCHEDULE_CONFIG_BYTES, "grow TY_SCHEDULE_CONFIG_BYTES");

enum { SHAPE_LINEAR, SHAPE_SQRT };
static const char *const shapes[] = {"linear", "sqrt", NULL};

static const ty_row rows[] = {
    TY_SCHEDULE_WARMUP_ROW(wsd_config, "\"5%\""),
    TY_SCHEDULE_MIN_ROW(wsd_config, "\"0%\""),
    {.key = "decay",
     .type = TY_ROW_AMOUNT,
     .offset = offsetof(wsd_config, decay),
     .fallback = "\"20%\"",
     .units = TY_SCHEDULE_LENGTHS,
     .help = "time of the decay at the end"},
    {.key = "shape",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(wsd_config, shape),
     .fallback = "\"linear\"",
     .choices = shapes,
     .help = "of the decay"},
};
const ty_rows ty_schedule_wsd_rows = TY_ROWS(rows);

double ty_schedule_wsd(const void *config, const ty_extent *extent, int64_t step) {
    const wsd_config *keys = config;
    const int64_t decay = ty_amount_steps(keys->decay, extent);
    const int64_t into = step - (extent->total_steps - decay);
    const double progress = decay > 0 && into > 0 ? fmin((double)into / (double)decay, 1) : 0;
    const double low = ty_schedule_floor(&keys->base);
    const double fallen = keys->shape == SHAPE_SQRT ? sqrt(progress) : progress;
    return ty_schedule_warmup(&keys->base, extent, step) * (1 - fallen * (1 - low));
}
