/* Reports as paired samples: a trial's against those of the best one at the same resources. For trials
 * whose reports are not a curve but one result each, of a fold or an instance. */
#include <math.h>
#include <stddef.h>

#include "hpo/pruners/pruner.h"
#include "hpo/pruners/signed_rank.h"

typedef struct wilcoxon_config {
    double p;
    int64_t startup;
} wilcoxon_config;

static const ty_row rows[] = {{.key = "p",
                               .type = TY_ROW_REAL,
                               .offset = offsetof(wilcoxon_config, p),
                               .fallback = "0.1",
                               .min = 0,
                               .max = 1,
                               .help = "how improbable chance has to be as the reason"},
                              {.key = "startup",
                               .type = TY_ROW_INT,
                               .offset = offsetof(wilcoxon_config, startup),
                               .fallback = "2",
                               .min = 0,
                               .max = 1000000,
                               .help = "reports in common before anything is stopped"}};
const ty_rows ty_pruner_wilcoxon_rows = TY_ROWS(rows);

static bool is_finite(const ty_curve *c) {
    for (size_t i = 0; i < c->count; i++)
        if (!isfinite(c->value[i]))
            return false;
    return c->count > 0;
}

static double mean_of(const ty_curve *c) {
    double sum = 0;
    for (size_t i = 0; i < c->count; i++)
        sum += c->value[i];
    return sum / (double)c->count;
}

static const ty_curve *best_of(const ty_board *board) {
    const ty_curve *best = NULL;
    for (size_t i = 0; i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        if (c->state == TY_TRIAL_COMPLETE && (!best || c->told < best->told))
            best = c;
    }
    return best;
}

/* Own values minus best's where both reported; how many. */
static size_t pair(const ty_curve *own, const ty_curve *best, double *difference) {
    size_t n = 0;
    for (size_t i = 0, j = 0; i < own->count && j < best->count;) {
        if (own->resource[i] == best->resource[j])
            difference[n++] = own->value[i] - best->value[j];
        const double a = own->resource[i], b = best->resource[j];
        i += a <= b;
        j += b <= a;
    }
    return n;
}

static ty_status judge(ty_ctx *ctx, const void *config, const ty_board *board, const ty_curve *own,
                       ty_decision *out) {
    const wilcoxon_config *w = config;
    const ty_curve *best = best_of(board);
    double p = 1;
    *out = (ty_decision){.answer = TY_CONTINUE};
    if (!best || !is_finite(best) || !is_finite(own) || mean_of(best) >= mean_of(own))
        return TY_OK;
    double *difference = ty_arena_array(&ctx->scratch, own->count, sizeof *difference);
    if (!difference)
        return ty_fail_nomem(ctx, "differences between trials");
    const size_t n = pair(own, best, difference);
    if (n < 2 || n < (size_t)w->startup)
        return TY_OK;
    TY_TRY(ty_signed_rank_greater(ctx, difference, n, &p));
    if (p < w->p)
        ty_decision_set(out, TY_STOP, "worse than trial %zu in %zu paired reports (p = %.3g)",
                        best->number, n, p);
    return TY_OK;
}

const ty_pruner_type ty_pruner_wilcoxon = {.judge = judge};
