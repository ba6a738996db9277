/* W&B's early_terminate of type hyperband, for sweep files written for it: one bracket, whose bands are
 * counted in reports. At every report a trial is compared at the last band it has come to with all trials
 * that came there, those that came later included. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "hpo/pruners/pruner.h"

enum { MOST_BANDS = 100 };

typedef struct wandb_config {
    int64_t min_iter, max_iter, s;
    double eta;
    bool strict;
} wandb_config;

static const ty_row rows[] = {
    {.key = "min_iter",
     .type = TY_ROW_INT,
     .offset = offsetof(wandb_config, min_iter),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 1,
     .max = 1000000000,
     .help = "the first band, the next ones eta times as far; auto: max_iter says"},
    {.key = "max_iter",
     .type = TY_ROW_INT,
     .offset = offsetof(wandb_config, max_iter),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 1,
     .max = 1000000000,
     .help = "reports of a whole trial: bands at max_iter / eta^i, i up to s; auto: min_iter says"},
    {.key = "s",
     .type = TY_ROW_INT,
     .offset = offsetof(wandb_config, s),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 1,
     .max = 100,
     .help = "how many bands max_iter makes"},
    {.key = "eta",
     .type = TY_ROW_REAL,
     .offset = offsetof(wandb_config, eta),
     .fallback = "3",
     .min = 1,
     .max = INFINITY,
     .min_is_open = true,
     .help = "bands lie so many times apart, and one in so many goes on"},
    {.key = "strict",
     .type = TY_ROW_BOOL,
     .offset = offsetof(wandb_config, strict),
     .fallback = "true",
     .help = "compare the value at the band; else the best so far"}};
const ty_rows ty_pruner_wandb_rows = TY_ROWS(rows);

/* The last band below `reports`; -1 for none. Band b is the report with b before it. */
static int64_t last_band(const wandb_config *w, size_t reports) {
    const bool is_down = w->max_iter != TY_AUTO;
    const int64_t n = is_down ? w->s : MOST_BANDS;
    double band = is_down ? (double)w->max_iter / w->eta : (double)w->min_iter;
    int64_t last = -1;
    for (int64_t i = 0; i < n && band >= 1; i++) {
        if (floor(band) < (double)reports)
            last = (int64_t)band > last ? (int64_t)band : last;
        band = is_down ? band / w->eta : band * w->eta;
    }
    return last;
}

static size_t count_numbers(const ty_curve *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += isnan(c->value[i]) ? 0 : 1;
    return n;
}

/* The value with `before` numbers before it; NAN where there is none. */
static double number_at(const ty_curve *c, size_t before) {
    for (size_t i = 0; i < c->count; i++)
        if (!isnan(c->value[i]) && before-- == 0)
            return c->value[i];
    return NAN;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Values at a band, own included, sorted; scratch memory. */
static ty_status gather(ty_ctx *ctx, const ty_board *board, const ty_curve *own, size_t band,
                        double **out, size_t *n) {
    double *values = ty_arena_array(&ctx->scratch, board->count + 1, sizeof *values);
    if (!values)
        return ty_fail_nomem(ctx, "the values of trials");
    *n = 0;
    values[(*n)++] = number_at(own, band);
    for (size_t i = 0; i < board->count; i++) {
        const double value = number_at(&board->curves[i], band);
        if (!isnan(value))
            values[(*n)++] = value;
    }
    qsort(values, *n, sizeof *values, by_value);
    *out = values;
    return TY_OK;
}

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    const wandb_config *w = config;
    double *values = NULL;
    size_t n = 0;
    const int64_t band = last_band(w, count_numbers(own));
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (band < 0)
        return TY_OK;
    TY_TRY(gather(ctx, board, own, (size_t)band, &values, &n));
    const double threshold = values[(size_t)((1 / w->eta) * (double)n)];
    const double value = w->strict ? number_at(own, (size_t)band) : ty_curve_best(own);
    if (value > threshold)
        ty_decision_set(out, TY_STOP, "band %lld: %.6g is behind %.6g, the threshold of %zu trials",
                        (long long)band, ty_board_unturn(board, value),
                        ty_board_unturn(board, threshold), n);
    return TY_OK;
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    (void)board;
    const wandb_config *w = config;
    if (w->max_iter == TY_AUTO && w->min_iter == TY_AUTO)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "where the bands are is not said: want min_iter, or max_iter and s");
    if (w->max_iter != TY_AUTO && w->s == TY_AUTO)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "max_iter is %lld without s: want how many bands it makes",
                       (long long)w->max_iter);
    if (w->max_iter != TY_AUTO && (double)w->max_iter < w->eta)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "max_iter is %lld, want at least eta, %g: there is no band",
                       (long long)w->max_iter, w->eta);
    return TY_OK;
}

const ty_pruner_type ty_pruner_wandb = {.judge = judge, .check = check};
