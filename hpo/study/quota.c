#include "hpo/study/quota.h"

#include <math.h>

#include "hpo/study/study_private.h"

/* --- who ---------------------------------------------------------------------------------------- */

/* NAN is worse than all others, and equal to itself. */
static int compare_worse_first(double a, double b) {
    if (isnan(a) || isnan(b))
        return isnan(b) - isnan(a);
    return (a < b) - (a > b);
}

/* One that nobody knows is the greatest: a NAN would have no place in the order. */
static double loss_of(const ty_quota_trial *t) {
    const double loss = t->chance * t->trained / (double)t->bytes;
    return isnan(loss) ? INFINITY : loss;
}

/* Below 0: a goes before b. */
static int compare(const ty_quota_trial *a, const ty_quota_trial *b) {
    const double loss_a = loss_of(a), loss_b = loss_of(b);
    if (loss_a != loss_b)
        return loss_a < loss_b ? -1 : 1;
    const int worse = compare_worse_first(a->value, b->value);
    return worse ? worse : (a->number > b->number) - (a->number < b->number);
}

/* The next behind index `last` in the order of their losses (n: the first of all); n for none. */
static size_t find_next(const ty_quota_trial *v, size_t n, size_t last) {
    size_t next = n;
    for (size_t i = 0; i < n; i++) {
        if (v[i].is_protected || v[i].bytes == 0 || (last < n && compare(&v[i], &v[last]) <= 0))
            continue;
        if (next == n || compare(&v[i], &v[next]) < 0)
            next = i;
    }
    return next;
}

size_t ty_quota_choose(const ty_quota_trial *v, size_t n, uint64_t max_bytes, size_t *losers,
                       uint64_t *left) {
    size_t count = 0, last = n;
    *left = 0;
    for (size_t i = 0; i < n; i++)
        *left += v[i].bytes;
    while (*left > max_bytes && (last = find_next(v, n, last)) < n) {
        losers[count++] = last;
        *left -= v[last].bytes;
    }
    return count;
}

/* --- what is at stake --------------------------------------------------------------------------- */

static double count_to_come(const ty_study *s) {
    const size_t total = s->sampler ? ty_sampler_total(s->sampler) : 0;
    double most = s->max_trials > 0 ? (double)s->max_trials : INFINITY;
    most = total > 0 ? fmin(most, (double)total) : most;
    return fmax(0, most - (double)s->count);
}

/* The value that a trial has as it stands: what it was told to be worth, else its last report. */
static double value_of(const ty_study *s, const ty_trial *t) {
    if (!isnan(t->value))
        return study_turn(s, t->value);
    return t->reports > 0 ? t->reported[t->reports - 1] : NAN;
}

/* Board and trials have the same indices: a board that sees all has all. */
static ty_quota_trial stake_of(const ty_study *s, const ty_board *board, size_t i) {
    const ty_trial *t = &s->trials[i]->seen;
    const ty_pruner_type *pruner = ty_pruner_of(s->options.pruner);
    ty_quota_trial out = {.number = i, .is_protected = t->state == TY_TRIAL_RUNNING};
    out.trained = t->reports > 0 ? t->resource[t->reports - 1] : 0;
    out.value = value_of(s, t);
    if (t->state == TY_TRIAL_PAUSED && pruner->chance)
        out.chance = pruner->chance(s->options.pruner->config, board, i);
    return out;
}

ty_status ty_study_stakes(ty_ctx *ctx, ty_study *s, ty_quota_trial *v) {
    ty_board board;
    const size_t sees_all = s->leg_count + (size_t)s->options.window;
    TY_TRY(study_board(ctx, s, sees_all, NO_TRIAL, &board));
    board.to_come = count_to_come(s);
    for (size_t i = 0; i < s->count; i++)
        v[i] = stake_of(s, &board, i);
    const ty_trial *best = ty_study_best(s);
    if (best)
        v[best->number].is_protected = true;
    return TY_OK;
}

/* --- the record --------------------------------------------------------------------------------- */

ty_status ty_study_strip(ty_ctx *ctx, ty_study *s, size_t trial) {
    if (trial >= s->count || s->trials[trial]->seen.state == TY_TRIAL_RUNNING)
        return ty_fail(ctx, TY_ERR_ARG, "trial %zu has no checkpoints to give up", trial);
    if (s->trials[trial]->seen.is_stripped)
        return TY_OK;
    TY_TRY(study_record(ctx, s, RECORD_STRIP,
                        json_pack("{s:I, s:I}", "trial", (json_int_t)trial, "time_ns",
                                  (json_int_t)ty_now_wall_ns(ctx))));
    return s->journal ? ty_journal_sync(ctx, s->journal) : TY_OK;
}
