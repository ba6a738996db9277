/* cosine: floor + (1 - floor) (1 + cos(pi p)) / 2. */
#include "trainer/schedules/schedules.h"

#include <math.h>

typedef struct cosine_config {
    ty_schedule_base base;
} cosine_config;

static const ty_row rows[] = {TY_SCHEDULE_WARMUP_ROW(cosine_config, "\"5%\""),
                              TY_SCHEDULE_MIN_ROW(cosine_config, "\"0%\"")};
const ty_rows ty_schedule_cosine_rows = TY_ROWS(rows);

double ty_schedule_cosine(const void *config, const ty_extent *extent, int64_t step) {
    const double low = ty_schedule_floor(config);
    const double wave = (1 + cos(M_PI * ty_schedule_progress(config, extent, step))) / 2;
    return ty_schedule_warmup(config, extent, step) * (low + (1 - low) * wave);
}
