#include "hpo/space/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ty_history_init(ty_history *h, const ty_space *space) {
    *h = (ty_history){.space = space, .dims = space->count};
}

void ty_history_clear(ty_history *h) {
    free(h->shown);
    free(h->x);
    free(h->z);
    free(h->resource);
    free(h->reported);
    free(h->pending);
    free(h->pending_x);
    free(h->pending_z);
    *h = (ty_history){0};
}

/* Moves columns of `used` to a new stride. */
static bool widen(double **columns, size_t dims, size_t used, size_t from, size_t to) {
    double *wide = calloc(to, (dims ? dims : 1) * sizeof *wide);
    if (!wide)
        return false;
    for (size_t d = 0; d < dims && used; d++)
        memcpy(wide + d * to, *columns + d * from, used * sizeof *wide);
    free(*columns);
    *columns = wide;
    return true;
}

static size_t grown(size_t capacity) {
    return capacity ? 2 * capacity : 64;
}

static ty_status reserve_shown(ty_ctx *ctx, ty_history *h) {
    if (h->count < h->capacity)
        return TY_OK;
    const size_t to = grown(h->capacity);
    ty_shown *shown = realloc(h->shown, to * sizeof *shown);
    if (!shown)
        return ty_fail_nomem(ctx, "the history of trials");
    h->shown = shown;
    if (!widen(&h->x, h->dims, h->count, h->capacity, to) ||
        !widen(&h->z, h->dims, h->count, h->capacity, to))
        return ty_fail_nomem(ctx, "the history of trials");
    h->capacity = to;
    return TY_OK;
}

static ty_status reserve_pending(ty_ctx *ctx, ty_history *h) {
    if (h->pending_count < h->pending_capacity)
        return TY_OK;
    const size_t to = grown(h->pending_capacity), from = h->pending_capacity;
    size_t *pending = realloc(h->pending, to * sizeof *pending);
    if (!pending)
        return ty_fail_nomem(ctx, "the trials under way");
    h->pending = pending;
    if (!widen(&h->pending_x, h->dims, h->pending_count, from, to) ||
        !widen(&h->pending_z, h->dims, h->pending_count, from, to))
        return ty_fail_nomem(ctx, "the trials under way");
    h->pending_capacity = to;
    return TY_OK;
}

static double scaled(const ty_param *p, double v) {
    return isnan(v) || !ty_param_is_numeric(p) ? v : ty_param_z(p, v);
}

ty_status ty_history_show(ty_ctx *ctx, ty_history *h, const ty_shown *trial, const double *x) {
    TY_TRY(reserve_shown(ctx, h));
    ty_history_forget(h, trial->number);
    h->shown[h->count] = *trial;
    for (size_t d = 0; d < h->dims; d++) {
        h->x[d * h->capacity + h->count] = x[d];
        h->z[d * h->capacity + h->count] = scaled(&h->space->params[d], x[d]);
    }
    h->count++;
    return TY_OK;
}

void ty_history_replace(ty_history *h, size_t index, const ty_shown *trial) {
    h->shown[index] = *trial;
    h->generation++;
}

static bool reserve_trace(ty_history *h, size_t n) {
    size_t to = h->trace_capacity;
    while (to < h->traced + n)
        to = grown(to);
    double *resource = realloc(h->resource, (to ? to : 1) * sizeof *resource);
    h->resource = resource ? resource : h->resource;
    double *reported = realloc(h->reported, (to ? to : 1) * sizeof *reported);
    h->reported = reported ? reported : h->reported;
    if (!resource || !reported)
        return false;
    h->trace_capacity = to;
    return true;
}

ty_status ty_history_trace(ty_ctx *ctx, ty_history *h, size_t index, const double *resource,
                           const double *reported, size_t n) {
    if (!reserve_trace(h, n))
        return ty_fail_nomem(ctx, "the curves of trials");
    for (size_t i = 0; i < n; i++) {
        h->resource[h->traced + i] = resource[i];
        h->reported[h->traced + i] = reported[i];
    }
    h->shown[index].first = h->traced;
    h->shown[index].reports = n;
    h->traced += n;
    return TY_OK;
}

double ty_history_reported(const ty_history *h, size_t index, double resource) {
    const ty_shown *t = &h->shown[index];
    size_t low = t->first, high = t->first + t->reports;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (h->resource[middle] <= resource)
            low = middle + 1;
        else
            high = middle;
    }
    return low > t->first ? h->reported[low - 1] : NAN;
}

static void move_column(double *column, size_t to, size_t from, size_t n) {
    memmove(column + to, column + from, n * sizeof *column);
}

/* Moves the pending trials from index `from` on to index `to`. */
static void shift_pending(ty_history *h, size_t to, size_t from) {
    const size_t n = h->pending_count - from;
    memmove(h->pending + to, h->pending + from, n * sizeof *h->pending);
    for (size_t d = 0; d < h->dims; d++) {
        move_column(h->pending_x + d * h->pending_capacity, to, from, n);
        move_column(h->pending_z + d * h->pending_capacity, to, from, n);
    }
}

ty_status ty_history_begin(ty_ctx *ctx, ty_history *h, size_t number, const double *x) {
    ty_history_forget(h, number);
    TY_TRY(reserve_pending(ctx, h));
    size_t at = h->pending_count;
    while (at > 0 && h->pending[at - 1] > number)
        at--;
    shift_pending(h, at + 1, at);
    h->pending_count++;
    h->pending[at] = number;
    for (size_t d = 0; d < h->dims; d++) {
        h->pending_x[d * h->pending_capacity + at] = x[d];
        h->pending_z[d * h->pending_capacity + at] = scaled(&h->space->params[d], x[d]);
    }
    return TY_OK;
}

void ty_history_forget(ty_history *h, size_t number) {
    size_t at = 0;
    while (at < h->pending_count && h->pending[at] != number)
        at++;
    if (at == h->pending_count)
        return;
    shift_pending(h, at, at + 1);
    h->pending_count--;
}

static bool is_better(const ty_shown *a, const ty_shown *b) {
    return a->state == TY_TRIAL_COMPLETE && a->violation <= 0 && (!b || a->value < b->value);
}

size_t ty_history_best(const ty_history *h) {
    size_t best = h->count;
    for (size_t i = 0; i < h->count; i++)
        if (is_better(&h->shown[i], best < h->count ? &h->shown[best] : NULL))
            best = i;
    return best;
}
