/* constant: 1 after the warm-up. */
#include "trainer/schedules/schedules.h"

typedef struct constant_config {
    ty_schedule_base base;
} constant_config;

static const ty_row rows[] = {TY_SCHEDULE_WARMUP_ROW(constant_config, "\"none\"")};
const ty_rows ty_schedule_constant_rows = TY_ROWS(rows);

double ty_schedule_constant(const void *config, const ty_extent *extent, int64_t step) {
    return ty_schedule_warmup(config, extent, step);
}
