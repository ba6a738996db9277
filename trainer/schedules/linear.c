/* linear: 1 - p (1 - floor). */
#include "trainer/schedules/schedules.h"

typedef struct linear_config {
    ty_schedule_base base;
} linear_config;

static const ty_row rows[] = {TY_SCHEDULE_WARMUP_ROW(linear_config, "\"5%\""),
                              TY_SCHEDULE_MIN_ROW(linear_config, "\"0%\"")};
const ty_rows ty_schedule_linear_rows = TY_ROWS(rows);

double ty_schedule_linear(const void *config, const ty_extent *extent, int64_t step) {
    const double progress = ty_schedule_progress(config, extent, step);
    return ty_schedule_warmup(config, extent, step) *
           (1 - progress * (1 - ty_schedule_floor(config)));
}
