/* A range that the metric must stay in. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/pruner.h"

typedef struct threshold_config {
    double lower, upper, warmup, interval;
} threshold_config;

static const ty_row rows[] = {{.key = "lower",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(threshold_config, lower),
                               .fallback = "\"auto\"",
                               .allows_auto = true,
                               .help = "least value of the metric that may go on; auto: none"},
                              {.key = "upper",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(threshold_config, upper),
                               .fallback = "\"auto\"",
                               .allows_auto = true,
                               .help = "greatest value of the metric that may go on; auto: none"},
                              {.key = "warmup",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(threshold_config, warmup),
                               .fallback = "0",
                               .min = 0,
                               .max = INFINITY,
                               .help = "resource before which no trial is stopped"},
                              {.key = "interval",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(threshold_config, interval),
                               .fallback = "1",
                               .min = 0,
                               .max = INFINITY,
                               .min_is_open = true,
                               .help = "resource between two judgements"}};
const ty_rows ty_pruner_threshold_rows = TY_ROWS(rows);

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    (void)ctx;
    const threshold_config *t = config;
    const double v = ty_board_unturn(board, own->value[own->count - 1]);
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (!ty_curve_is_due(own, t->warmup, t->interval))
        return TY_OK;
    if (isnan(v))
        ty_decision_set(out, TY_STOP, "its metric is not a number");
    else if (v < t->lower)
        ty_decision_set(out, TY_STOP, "%.6g is below %.6g", v, t->lower);
    else if (v > t->upper)
        ty_decision_set(out, TY_STOP, "%.6g is above %.6g", v, t->upper);
    return TY_OK;
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    (void)board;
    const threshold_config *t = config;
    if (t->lower > t->upper)
        return ty_fail(ctx, TY_ERR_CONFIG, "lower %g is above upper %g", t->lower, t->upper);
    return TY_OK;
}

const ty_pruner_type ty_pruner_threshold = {.judge = judge, .check = check};
