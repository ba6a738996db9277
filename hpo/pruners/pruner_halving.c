/* Successive halving without waiting (Li et al. 2018, arXiv 1810.05934), in the form that Optuna gave
 * it: who is not among the best of those that came to a rung before is stopped there. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/rungs.h"

typedef struct halving_config {
    int64_t eta, bootstrap, early_stopping_rate;
    double min_resource;
} halving_config;

static const ty_row rows[] = {
    TY_RUNGS_ETA_ROW(halving_config, "4"),
    {.key = "min_resource",
     .type = TY_ROW_REAL,
     .offset = offsetof(halving_config, min_resource),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 0,
     .max = INFINITY,
     .min_is_open = true,
     .help = "resource of the first rung; auto: a hundredth of a whole trial, at least 1"},
    TY_RUNGS_SKIP_ROW(halving_config),
    TY_RUNGS_BOOTSTRAP_ROW(halving_config)};
const ty_rows ty_pruner_halving_rows = TY_ROWS(rows);

/* Of a whole trial: as the sweep says, or the longest complete one; NAN before there is one. */
static double whole(const ty_board *board) {
    double most = board->max_resource;
    for (size_t i = 0; isnan(board->max_resource) && i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        if (c->state == TY_TRIAL_COMPLETE && c->count > 0)
            most = fmax(most, c->resource[c->count - 1]);
    }
    return most;
}

static double first_rung(const halving_config *h, const ty_board *board) {
    const double hundredth = floor(whole(board) / 100);
    double at = h->min_resource;
    if (isnan(at))
        at = hundredth < 1 ? 1 : hundredth;
    for (int64_t i = 0; i < h->early_stopping_rate; i++)
        at *= (double)h->eta;
    return at;
}

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    (void)ctx;
    const halving_config *h = config;
    const ty_rungs rungs = {.base = first_rung(h, board),
                            .eta = h->eta,
                            .top = isnan(board->max_resource) ? INFINITY : board->max_resource,
                            .bootstrap = h->bootstrap};
    ty_rungs_judge(&rungs, board, own, out);
    return TY_OK;
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    (void)board;
    const halving_config *h = config;
    if (h->bootstrap > 0 && isnan(h->min_resource))
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "bootstrap %lld stops trials at a first rung that is not known: want min_resource",
            (long long)h->bootstrap);
    return TY_OK;
}

const ty_pruner_type ty_pruner_halving = {.judge = judge, .check = check};
