/* What trials that were stopped early would have come to: the model is of whole trials, and a sweep that
 * stops most of them has few. A stopped trial is compared with those that went farther, by what they had
 * reported where it stopped: on the line through these and what they came to (for those that were stopped
 * themselves, their own outlook). The line is a ridge regression towards slope 1, "the distance stays",
 * which is what is known while hardly anyone went farther. Freeze-thaw models (Swersky, Snoek, Adams,
 * arXiv 1406.3896) do the same with a process over curves; a line a rung suffices for an order. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "hpo/samplers/gp_targets.h"

typedef struct stopped {
    size_t at; /* among rows */
    double step, value;
} stopped;

typedef struct outlooks {
    const ty_history *history;
    const size_t *rows;
    size_t n;
    double scale; /* of all values below, and of y while they are judged */
    double *y;
    bool *is_known; /* [n]: y stands */
} outlooks;

static double scale_of(const outlooks *o) {
    double most = 0;
    for (size_t i = 0; i < o->n; i++) {
        const ty_shown *t = &o->history->shown[o->rows[i]];
        most = isfinite(t->value) ? fmax(most, fabs(t->value)) : most;
        for (size_t r = t->first; r < t->first + t->reports; r++) {
            const double v = fabs(o->history->reported[r]);
            most = isfinite(v) ? fmax(most, v) : most;
        }
    }
    return ty_gp_scale(most);
}

static void scale_known(const outlooks *o) {
    for (size_t i = 0; i < o->n; i++)
        if (o->is_known[i])
            o->y[i] *= o->scale;
}

/* A line may leave the range of what it was laid through. */
static void scale_back(const outlooks *o) {
    for (size_t i = 0; i < o->n; i++)
        if (o->is_known[i])
            o->y[i] = fmin(fmax(o->y[i] / o->scale, -DBL_MAX), DBL_MAX);
}

/* Those who went farther first. */
static int compare_stopped(const void *a, const void *b) {
    const stopped *x = a, *y = b;
    const int by_step = (x->step < y->step) - (x->step > y->step);
    return by_step ? by_step : (x->at > y->at) - (x->at < y->at);
}

static size_t gather(const outlooks *o, stopped *out) {
    size_t count = 0;
    for (size_t i = 0; i < o->n; i++) {
        const ty_shown *t = &o->history->shown[o->rows[i]];
        if (t->state == TY_TRIAL_PRUNED && t->violation <= 0 && isfinite(t->value) &&
            t->reports > 0)
            out[count++] = (stopped){.at = i, .step = t->last_step, .value = o->scale * t->value};
    }
    qsort(out, count, sizeof *out, compare_stopped);
    return count;
}

static double there(const outlooks *o, size_t i, double step) {
    return o->is_known[i] ? o->scale * ty_history_reported(o->history, o->rows[i], step) : NAN;
}

/* y = mean_y + slope * (v - mean_v) */
typedef struct line {
    size_t count;
    double mean_v, mean_y, slope, least;
} line;

static double spread_of(const outlooks *o, const stopped *group, size_t n, const line *l) {
    double squares = 0;
    for (size_t i = 0; i < o->n; i++) {
        const double v = there(o, i, group->step);
        squares += isfinite(v) ? (v - l->mean_v) * (v - l->mean_v) : 0;
    }
    for (size_t i = 0; i < n; i++)
        squares += (group[i].value - l->mean_v) * (group[i].value - l->mean_v);
    return squares / (double)(l->count + n);
}

static line fit(const outlooks *o, const stopped *group, size_t n) {
    line l = {.least = INFINITY};
    for (size_t i = 0; i < o->n; i++) {
        const double v = there(o, i, group->step);
        if (!isfinite(v))
            continue;
        l.count++;
        l.mean_v += (v - l.mean_v) / (double)l.count;
        l.mean_y += (o->y[i] - l.mean_y) / (double)l.count;
        l.least = fmin(l.least, o->y[i]);
    }
    if (l.count == 0)
        return l;
    const double prior = spread_of(o, group, n, &l);
    double vv = prior, vy = prior;
    for (size_t i = 0; i < o->n; i++) {
        const double v = there(o, i, group->step);
        vv += isfinite(v) ? (v - l.mean_v) * (v - l.mean_v) : 0;
        vy += isfinite(v) ? (v - l.mean_v) * (o->y[i] - l.mean_y) : 0;
    }
    l.slope = vv > 0 ? fmax(vy / vv, 0) : 1;
    return l;
}

/* Of those who were stopped at one place. Where nobody is known who went farther, they have their values
 * if there is nobody else, and else what they have already. */
static void judge(outlooks *o, const stopped *group, size_t n, bool is_first) {
    const line l = fit(o, group, n);
    for (size_t i = 0; i < n; i++) {
        if (l.count > 0)
            o->y[group[i].at] = fmax(l.mean_y + l.slope * (group[i].value - l.mean_v), l.least);
        else if (is_first)
            o->y[group[i].at] = group[i].value;
    }
    for (size_t i = 0; i < n; i++)
        o->is_known[group[i].at] = l.count > 0 || is_first;
}

ty_status ty_gp_outlooks(ty_ctx *ctx, const ty_history *history, const size_t *rows, size_t n,
                         bool *is_known, double *y) {
    stopped *order = malloc((n + 1) * sizeof *order);
    if (!order)
        return ty_fail_nomem(ctx, "the outlooks of stopped trials");
    outlooks o = {.history = history, .rows = rows, .n = n, .y = y, .is_known = is_known};
    o.scale = scale_of(&o);
    scale_known(&o);
    bool is_first = true;
    for (size_t i = 0; i < n; i++)
        is_first = is_first && !is_known[i];
    const size_t count = gather(&o, order);
    for (size_t begin = 0, end; begin < count; begin = end, is_first = false) {
        for (end = begin; end < count && order[end].step == order[begin].step;)
            end++;
        judge(&o, order + begin, end - begin, is_first);
    }
    scale_back(&o);
    free(order);
    return TY_OK;
}
