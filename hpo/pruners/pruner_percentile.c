/* The median stopping rule (Golovin et al., KDD 2017, in the form that Optuna gave it): a trial's best
 * value so far against a percentile of what complete trials had at the same resource. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "hpo/pruners/pruner.h"

typedef struct percentile_config {
    double percentile, warmup, interval;
    int64_t startup_trials, min_trials;
} percentile_config;

#define COMMON_ROWS                                                                                \
    {.key = "startup_trials",                                                                      \
     .type = TY_ROW_INT,                                                                           \
     .offset = offsetof(percentile_config, startup_trials),                                        \
     .fallback = "5",                                                                              \
     .min = 0,                                                                                     \
     .max = 1000000,                                                                               \
     .help = "complete trials before anything is stopped"},                                        \
        {.key = "warmup",                                                                          \
         .type = TY_ROW_REAL,                                                                      \
         .offset = offsetof(percentile_config, warmup),                                            \
         .fallback = "0",                                                                          \
         .min = 0,                                                                                 \
         .max = INFINITY,                                                                          \
         .help = "resource before which no trial is stopped"},                                     \
        {.key = "interval",                                                                        \
         .type = TY_ROW_REAL,                                                                      \
         .offset = offsetof(percentile_config, interval),                                          \
         .fallback = "1",                                                                          \
         .min = 0,                                                                                 \
         .max = INFINITY,                                                                          \
         .min_is_open = true,                                                                      \
         .help = "resource between two judgements"},                                               \
    {                                                                                              \
        .key = "min_trials", .type = TY_ROW_INT,                                                   \
        .offset = offsetof(percentile_config, min_trials), .fallback = "1", .min = 1,              \
        .max = 1000000, .help = "trials with a value at a resource that are needed to judge there" \
    }

static const ty_row median_rows[] = {COMMON_ROWS};
static const ty_row percentile_rows[] = {{.key = "percentile",
                                          .type = TY_ROW_REAL,
                                          .offset = offsetof(percentile_config, percentile),
                                          .fallback = "25",
                                          .min = 0,
                                          .max = 100,
                                          .help = "trials among the best so many percent go on"},
                                         COMMON_ROWS};
const ty_rows ty_pruner_median_rows = TY_ROWS(median_rows);
const ty_rows ty_pruner_percentile_rows = TY_ROWS(percentile_rows);

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between order statistics (Hyndman & Fan 1996, type 7); n > 0, values sorted. From the nearer
 * of the two, so that it is exact at both. */
static double percentile_of(const double *values, size_t n, double percent) {
    const double at = (double)(n - 1) * (percent / 100);
    const size_t low = (size_t)floor(at), high = low + 1 < n ? low + 1 : low;
    const double a = values[low], b = values[high], t = at - (double)low;
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

/* What complete trials reported at a resource. */
typedef struct others {
    int64_t complete; /* trials */
    int64_t reports;  /* of them, there */
    size_t n;
    double *values; /* [n] that are numbers, as reported, sorted; scratch memory */
} others;

static ty_status gather(ty_ctx *ctx, const ty_board *board, double resource, others *out) {
    *out = (others){.values = ty_arena_array(&ctx->scratch, board->count + 1, sizeof(double))};
    if (!out->values)
        return ty_fail_nomem(ctx, "the values of trials");
    for (size_t i = 0; i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        if (c->state != TY_TRIAL_COMPLETE)
            continue;
        out->complete++;
        const size_t at = ty_curve_at(c, resource);
        out->reports += at < c->count;
        if (at < c->count && !isnan(c->value[at]))
            out->values[out->n++] = ty_board_unturn(board, c->value[at]);
    }
    qsort(out->values, out->n, sizeof *out->values, by_value);
    return TY_OK;
}

static void compare(double percent, const ty_board *board, const others *o, const ty_curve *own,
                    ty_decision *out) {
    const double best = ty_board_unturn(board, ty_curve_best(own));
    if (isnan(best)) {
        ty_decision_set(out, TY_STOP, "its metric is not a number");
        return;
    }
    if (o->n == 0)
        return;
    const double bound = percentile_of(o->values, o->n, board->is_turned ? 100 - percent : percent);
    if (board->is_turned ? best < bound : best > bound)
        ty_decision_set(out, TY_STOP, "best %.6g is behind %.6g, percentile %g of %zu trials at %g",
                        best, bound, percent, o->n, own->resource[own->count - 1]);
}

static ty_status judge_at(ty_ctx *ctx, const percentile_config *config, double percent,
                          const ty_board *board, const ty_curve *own, ty_decision *out) {
    others o;
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (!ty_curve_is_due(own, config->warmup, config->interval))
        return TY_OK;
    TY_TRY(gather(ctx, board, own->resource[own->count - 1], &o));
    if (o.complete == 0 || o.complete < config->startup_trials)
        return TY_OK;
    if (o.reports >= config->min_trials || isnan(ty_curve_best(own)))
        compare(percent, board, &o, own, out);
    return TY_OK;
}

static ty_status judge_median(ty_ctx *ctx, const void *config, const ty_board *board,
                              const ty_curve *own, ty_decision *out) {
    return judge_at(ctx, config, 50, board, own, out);
}

static ty_status judge_percentile(ty_ctx *ctx, const void *config, const ty_board *board,
                                  const ty_curve *own, ty_decision *out) {
    return judge_at(ctx, config, ((const percentile_config *)config)->percentile, board, own, out);
}

const ty_pruner_type ty_pruner_median = {.judge = judge_median};
const ty_pruner_type ty_pruner_percentile = {.judge = judge_percentile};
