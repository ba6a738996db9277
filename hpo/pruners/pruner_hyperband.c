/* Hyperband (Li et al., JMLR 18, 2018) in the form that Optuna gave it: brackets of successive halving
 * without waiting, bracket b beginning at rung b. A trial's number draws its bracket, with the weights
 * that Hyperband's budgets have; only those of one bracket compete. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/rungs.h"

typedef struct hyperband_config {
    int64_t eta, bootstrap;
    double min_resource, max_resource;
    int mode;
} hyperband_config;

static const ty_row rows[] = {
    TY_RUNGS_ETA_ROW(hyperband_config, "3"), TY_RUNGS_MIN_ROW(hyperband_config),
    TY_RUNGS_MAX_ROW(hyperband_config), TY_RUNGS_BOOTSTRAP_ROW(hyperband_config),
    TY_RUNGS_MODE_ROW(hyperband_config, "\"stop\"")};
const ty_rows ty_pruner_hyperband_rows = TY_ROWS(rows);

static double whole(const hyperband_config *h, const ty_board *board) {
    return isnan(h->max_resource) ? board->max_resource : h->max_resource;
}

/* floor(log_eta(max / min)) + 1, without a logarithm that may lie below a whole number. */
static size_t count_brackets(const hyperband_config *h, const ty_board *board) {
    const double top = whole(h, board);
    size_t n = 0;
    for (double at = h->min_resource; at <= top && isfinite(at); at *= (double)h->eta)
        n++;
    return n;
}

/* ceil(n eta^s / (s + 1)) draws for the bracket with s rungs above its first. */
static uint64_t weight(const hyperband_config *h, size_t n, size_t bracket) {
    const size_t s = n - 1 - bracket;
    double w = (double)n;
    for (size_t i = 0; i < s; i++)
        w *= (double)h->eta;
    return (uint64_t)ceil(w / (double)(s + 1));
}

/* Bracket b of n. */
static ty_rungs rungs_of(const hyperband_config *h, const ty_board *board, size_t n, size_t b) {
    ty_rungs rungs = {.base = h->min_resource,
                      .eta = h->eta,
                      .top = whole(h, board),
                      .pauses = ty_rungs_pauses(h->mode, board),
                      .bootstrap = h->bootstrap};
    for (size_t i = 0; i < n; i++) {
        const uint64_t draws = weight(h, n, i);
        rungs.bracket.total += draws;
        rungs.bracket.from += i < b ? draws : 0;
        rungs.bracket.to += i <= b ? draws : 0;
        rungs.base *= i < b ? (double)h->eta : 1;
    }
    return rungs;
}

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    (void)ctx;
    const hyperband_config *h = config;
    const size_t n = count_brackets(h, board);
    *out = (ty_decision){.answer = TY_CONTINUE};
    for (size_t b = 0; b < n; b++) {
        const ty_rungs rungs = rungs_of(h, board, n, b);
        const uint64_t draw = ty_bracket_draw(board->sweep, own->number, rungs.bracket.total);
        if (draw >= rungs.bracket.from && draw < rungs.bracket.to)
            ty_rungs_judge(&rungs, board, own, out);
    }
    return TY_OK;
}

/* The bracket whose first rung is lowest first: its trials wait for the smallest share. */
static size_t promote(const void *config, const ty_board *board) {
    const hyperband_config *h = config;
    const size_t n = count_brackets(h, board);
    if (!ty_rungs_pauses(h->mode, board))
        return board->count;
    for (size_t b = 0; b < n; b++) {
        const ty_rungs rungs = rungs_of(h, board, n, b);
        const size_t i = ty_rungs_promote(&rungs, board);
        if (i < board->count)
            return i;
    }
    return ty_rungs_finish(board);
}

/* In the bracket that it competes in; in the others it has none. */
static double chance(const void *config, const ty_board *board, size_t index) {
    const hyperband_config *h = config;
    const size_t n = count_brackets(h, board);
    double most = 0;
    for (size_t b = 0; b < n; b++) {
        const ty_rungs rungs = rungs_of(h, board, n, b);
        most = fmax(most, ty_rungs_chance(&rungs, board, index));
    }
    return most;
}

static ty_status check(ty_ctx *ctx, const void *config, const ty_board *board) {
    const hyperband_config *h = config;
    const double top = whole(h, board);
    if (isnan(top))
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "hyperband's brackets follow from how long a whole trial is: want max_resource");
    if (top < h->min_resource || top / h->min_resource > 1e9)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "max_resource is %g, want %g to %g, min_resource and 1e9 times it", top,
                       h->min_resource, 1e9 * h->min_resource);
    if (ty_rungs_pauses(h->mode, board) && h->bootstrap > 0)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "bootstrap stops trials, mode promote pauses them: want one of the two");
    return ty_rungs_check_mode(ctx, h->mode, board);
}

const ty_pruner_type ty_pruner_hyperband = {
    .judge = judge, .promote = promote, .chance = chance, .check = check};
