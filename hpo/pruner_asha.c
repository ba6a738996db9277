/* Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934): a trial that is not among the best
 * 1/eta of its rung is paused there with its checkpoint, and goes on as soon as it is. In mode stop it
 * ends instead, as with halving. */
#include <math.h>
#include <stddef.h>

#include "hpo/rungs.h"

static const char *const modes[] = {"promote", "stop", NULL};
enum { MODE_PROMOTE, MODE_STOP };

typedef struct asha_config {
    int64_t eta, early_stopping_rate;
    double min_resource, max_resource;
    int mode;
} asha_config;

static const ty_row rows[] = {
    {.key = "eta",
     .type = TY_ROW_INT,
     .offset = offsetof(asha_config, eta),
     .fallback = "3",
     .min = 2,
     .max = 1000,
     .help = "one in so many goes on from a rung"},
    {.key = "min_resource",
     .type = TY_ROW_REAL,
     .offset = offsetof(asha_config, min_resource),
     .fallback = "1",
     .min = 0,
     .max = INFINITY,
     .min_is_open = true,
     .help = "resource of the first rung"},
    {.key = "max_resource",
     .type = TY_ROW_REAL,
     .offset = offsetof(asha_config, max_resource),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 0,
     .max = INFINITY,
     .min_is_open = true,
     .help = "resource of a whole trial; auto: as the sweep says"},
    {.key = "early_stopping_rate",
     .type = TY_ROW_INT,
     .offset = offsetof(asha_config, early_stopping_rate),
     .fallback = "0",
     .min = 0,
     .max = 60,
     .help = "rungs that are left out below the first"},
    {.key = "mode",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(asha_config, mode),
     .fallback = "\"promote\"",
     .choices = modes,
     .help = "whether who does not go on from a rung waits for its promotion, or ends"}};
const ty_rows ty_pruner_asha_rows = TY_ROWS(rows);

static ty_rungs rungs_of(const asha_config *a, const ty_board *board) {
    const double whole = isnan(a->max_resource) ? board->max_resource : a->max_resource;
    ty_rungs rungs = {.base = a->min_resource,
                      .eta = a->eta,
                      .top = isnan(whole) ? INFINITY : whole,
                      .pauses = a->mode == MODE_PROMOTE};
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

const ty_pruner_type ty_pruner_asha = {.judge = judge, .promote = promote};
