/* The table, and what schedules share. */
#include "trainer/schedules/schedules.h"

#include <math.h>

#define ID_OF(name, needs_total, text) ID_##name,
#define ROW_OF(name, needs_total, text)                                                            \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = &ty_schedule_##name##_rows,                                                           \
     .struct_bytes = TY_SCHEDULE_CONFIG_BYTES,                                                     \
     .id = ID_##name},
#define FACTOR_OF(name, needs_total, text) [ID_##name] = ty_schedule_##name,
#define NEED_OF(name, needs_total, text) [ID_##name] = needs_total,

enum { TY_SCHEDULE_ROWS(ID_OF) };

const ty_variant_row ty_schedule_variants[] = {TY_SCHEDULE_ROWS(ROW_OF){.type = NULL}};

static ty_schedule_factor *const factors[] = {TY_SCHEDULE_ROWS(FACTOR_OF)};
static const bool types_need_total[] = {TY_SCHEDULE_ROWS(NEED_OF)};

double ty_schedule_at(const ty_variant *schedule, const ty_extent *extent, int64_t step) {
    return factors[schedule->row->id](schedule->config, extent, step);
}

/* By type, and where the warm-up is a share of the whole. */
bool ty_schedule_needs_total(const ty_variant *schedule) {
    const ty_schedule_base *base = schedule->config;
    return types_need_total[schedule->row->id] || base->warmup.unit == TY_UNIT_PERCENT;
}

int64_t ty_schedule_warmup_steps(const ty_variant *schedule, const ty_extent *extent) {
    const ty_schedule_base *base = schedule->config;
    return ty_amount_steps(base->warmup, extent);
}

double ty_schedule_warmup(const ty_schedule_base *base, const ty_extent *extent, int64_t step) {
    const int64_t warmup = ty_amount_steps(base->warmup, extent);
    return step < warmup ? (double)(step + 1) / (double)warmup : 1;
}

double ty_schedule_progress(const ty_schedule_base *base, const ty_extent *extent, int64_t step) {
    const int64_t warmup = ty_amount_steps(base->warmup, extent);
    const int64_t rest = extent->total_steps - warmup;
    if (step <= warmup || rest <= 0)
        return 0;
    return fmin((double)(step - warmup) / (double)rest, 1);
}

double ty_schedule_floor(const ty_schedule_base *base) {
    return base->min_lr.value / 100;
}
