/* Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934): a trial that is not among the best
 * 1/eta of its rung is paused there with its checkpoint, and goes on as soon as it is. In mode stop,
 * and where it could not go on, it ends instead, as with halving. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/rungs.h"

typedef struct asha_config {
    int64_t eta, early_stopping_rate;
    double min_resource, max_resource;
    int mode;
} asha_config;

static const ty_row rows[] = {TY_RUNGS_ETA_ROW(asha_config, "3"), TY_RUNGS_MIN_ROW(asha_config),
                              TY_RUNGS_MAX_ROW(asha_config), TY_RUNGS_SKIP_ROW(asha_config),
                              TY_RUNGS_MODE_ROW(asha_config, "\"auto\"")};
const ty_rows ty_pruner_asha_rows = TY_ROWS(rows);

static ty_rungs rungs_of(const asha_config *a, const ty_board *board) {
    const double whole = isnan(a->max_resource) ? board->max_resource : a->max_resource;
    ty_rungs rungs = {.base = a->min_resource,
                      .eta = a->eta,
                      .top = isnan(whole) ? INFINITY : whole,
                      .pauses = ty_rungs_pauses(a->mode, board)};
    for (int64_t i = 0; i < a->early_stopping_rate; i++)
        rungs.base *= (double)a->eta;
    return rungs;
}

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    (void)ctx;
    const ty_rungs rungs = rungs_of(config, board);
    ty_rungs_judge(&rungs, board, own, out);
    return TY_OK;
}

static size_t promote(const void *config, const ty_board *board) {
    const ty_rungs rungs = rungs_of(config, board);
    if (!rungs.pauses)
        return board->count;
    const size_t i = ty_rungs_promote(&rungs, board);
    return i < board->count ? i : ty_rungs_finish(board);
}

static double chance(const void *config, const ty_board *board, size_t index) {
    const ty_rungs rungs = rungs_of(config, board);
    return ty_rungs_chance(&rungs, board, index);
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    const asha_config *a = config;
    return ty_rungs_check_mode(ctx, a->mode, board);
}

const ty_pruner_type ty_pruner_asha = {
    .judge = judge, .promote = promote, .chance = chance, .check = check};
