/* What a decision may see. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/study/study_private.h"

double study_turn(const ty_study *s, double value) {
    return s->options.maximize ? -value : value;
}

size_t study_horizon(const ty_study *s, size_t leg) {
    const size_t window = (size_t)s->options.window;
    if (s->options.order != TY_ORDER_WINDOW)
        return s->leg_count;
    return leg >= window ? leg - window + 1 : 0;
}

static const ty_leg *leg_at(const ty_study *s, size_t leg) {
    const leg_place *place = &s->legs[leg];
    return place->trial == NO_TRIAL ? NULL : &s->trials[place->trial]->legs[place->index];
}

static bool has_ended(const ty_study *s, size_t leg) {
    const ty_leg *l = leg_at(s, leg);
    return !l || l->state != TY_TRIAL_RUNNING;
}

bool study_is_decidable(const ty_study *s, size_t leg) {
    if (s->options.order != TY_ORDER_WINDOW)
        return true;
    const size_t horizon = study_horizon(s, leg);
    for (size_t l = s->shown; l < horizon; l++)
        if (!has_ended(s, l))
            return false;
    return true;
}

bool study_same_point(const double *a, const double *b, size_t dims) {
    for (size_t d = 0; d < dims; d++)
        if (!(isnan(a[d]) && isnan(b[d])) && memcmp(&a[d], &b[d], sizeof *a) != 0)
            return false;
    return true;
}

/* --- the history -------------------------------------------------------------------------------- */

static double last_of(const double *values, size_t n, double otherwise) {
    return n > 0 ? values[n - 1] : otherwise;
}

/* A paused trial counts as one that was pruned there, until it goes on; one that failed as worse than all
 * others, so that models leave the region in which trials fail. */
static ty_shown shown_of(const ty_study *s, const trial_memory *t, const ty_leg *leg) {
    if (leg->state == TY_TRIAL_FAILED)
        return (ty_shown){.number = s->import_count + t->seen.number,
                          .state = TY_TRIAL_PRUNED,
                          .value = NAN,
                          .violation = INFINITY};
    const bool is_complete = leg->state == TY_TRIAL_COMPLETE;
    const double told = study_turn(s, leg->value);
    return (ty_shown){
        .number = s->import_count + t->seen.number,
        .state = is_complete ? TY_TRIAL_COMPLETE : TY_TRIAL_PRUNED,
        .value = is_complete || !isnan(told) ? told : last_of(t->reported, leg->reports, NAN),
        .last_step = last_of(t->resource, leg->reports, 0),
        .violation = leg->violation};
}

/* While all have failed there is nothing to be worse than: a model would take the first for the best. A
 * trial that failed on its way is what it was when it waited. */
static bool is_left_out(const ty_study *s, const trial_memory *t, const ty_leg *leg) {
    return leg->state == TY_TRIAL_FAILED && (t->shown_at != NOT_SHOWN || s->history.count == 0);
}

static ty_status show_leg(ty_ctx *ctx, ty_study *s, size_t leg) {
    const ty_leg *l = leg_at(s, leg);
    if (!l)
        return TY_OK;
    trial_memory *t = s->trials[s->legs[leg].trial];
    if (!t->seen.is_known)
        return TY_OK;
    if (is_left_out(s, t, l)) {
        ty_history_forget(&s->history, s->import_count + t->seen.number);
        return TY_OK;
    }
    const ty_shown shown = shown_of(s, t, l);
    if (t->shown_at != NOT_SHOWN) {
        ty_history_replace(&s->history, t->shown_at, &shown);
    } else {
        t->shown_at = s->history.count;
        TY_TRY(ty_history_show(ctx, &s->history, &shown, t->x));
    }
    return ty_history_trace(ctx, &s->history, t->shown_at, t->resource, t->reported, l->reports);
}

static ty_status begin_leg(ty_ctx *ctx, ty_study *s, size_t leg) {
    if (!leg_at(s, leg))
        return TY_OK;
    const trial_memory *t = s->trials[s->legs[leg].trial];
    return t->shown_at == NOT_SHOWN && t->seen.is_known
               ? ty_history_begin(ctx, &s->history, s->import_count + t->seen.number, t->x)
               : TY_OK;
}

ty_status study_show_history(ty_ctx *ctx, ty_study *s, size_t leg) {
    const bool is_window = s->options.order == TY_ORDER_WINDOW;
    const size_t end = is_window ? study_horizon(s, leg) : s->told_count;
    TY_TRY(study_show_imports(ctx, s));
    for (; s->begun < leg; s->begun++)
        TY_TRY(begin_leg(ctx, s, s->begun));
    for (; s->shown < end; s->shown++)
        TY_TRY(show_leg(ctx, s, is_window ? s->shown : s->told[s->shown]));
    return TY_OK;
}

/* --- the board ---------------------------------------------------------------------------------- */

/* The trial as leg `leg` may see it; false where it was not asked for yet. */
static bool curve_of(const ty_study *s, const trial_memory *t, size_t leg, ty_curve *out) {
    const bool is_window = s->options.order == TY_ORDER_WINDOW;
    const size_t horizon = study_horizon(s, leg);
    *out = (ty_curve){.number = t->seen.number,
                      .state = t->seen.state,
                      .told = NAN,
                      .count = t->seen.reports,
                      .resource = t->resource,
                      .value = t->reported};
    if (t->seen.state == TY_TRIAL_COMPLETE)
        out->told = study_turn(s, t->seen.value);
    if (!is_window)
        return true;
    out->count = 0;
    for (size_t i = 0; i < t->seen.leg_count && t->legs[i].number < leg; i++) {
        const bool is_seen = t->legs[i].number < horizon;
        out->state = is_seen ? t->legs[i].state : TY_TRIAL_RUNNING;
        out->count = is_seen ? t->legs[i].reports : out->count;
    }
    if (out->state != TY_TRIAL_COMPLETE)
        out->told = NAN;
    return t->legs[0].number < leg;
}

ty_status study_board(ty_ctx *ctx, ty_study *s, size_t leg, size_t without, ty_board *out) {
    if (s->curve_capacity < s->count) {
        ty_curve *curves = reallocarray(s->curves, 2 * s->count, sizeof *curves);
        if (!curves)
            return ty_fail_nomem(ctx, "the curves of a sweep");
        s->curves = curves;
        s->curve_capacity = 2 * s->count;
    }
    *out = (ty_board){.sweep = s->options.name,
                      .max_resource = s->options.max_resource,
                      .starts_over = s->options.starts_over,
                      .is_turned = s->options.maximize,
                      .curves = s->curves};
    for (size_t i = 0; i < s->count; i++)
        if (i != without)
            out->count += curve_of(s, s->trials[i], leg, &s->curves[out->count]);
    return TY_OK;
}
