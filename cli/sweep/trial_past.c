#include "cli/sweep/trial_past.h"

#include <math.h>
#include <string.h>

#include "tracking/tracking.h"

/* The curve that every evaluation of validation data adds a point to. */
static const ty_run_curve *evaluations(const ty_run_record *record) {
    for (int64_t i = 0; i < record->n_curves; i++)
        if (strcmp(record->curves[i].key, "val/loss") == 0)
            return &record->curves[i];
    return NULL;
}

/* A metric's newest point in (after, step]. */
static const ty_run_point *newest(const ty_run_curve *curve, int64_t after, int64_t step) {
    for (int64_t i = curve->n; i-- > 0;)
        if (curve->v[i].step <= step)
            return curve->v[i].step > after ? &curve->v[i] : NULL;
    return NULL;
}

static json_t *metrics_at(const ty_run_record *record, int64_t after, int64_t step) {
    json_t *metrics = json_object();
    for (int64_t i = 0; i < record->n_curves; i++) {
        const ty_run_point *point = newest(&record->curves[i], after, step);
        if (point)
            (void)json_object_set_new(metrics, record->curves[i].key,
                                      isfinite(point->value) ? json_real(point->value)
                                                             : json_null());
    }
    return metrics;
}

static void tell_all(const ty_run_record *record, const ty_event *e, trial_past_fn *fn,
                     void *self) {
    const ty_run_curve *curve = evaluations(record);
    int64_t after = -1;
    for (int64_t i = 0; curve && i < curve->n && curve->v[i].step <= e->start.from_step; i++) {
        const int64_t step = curve->v[i].step;
        json_t *metrics = metrics_at(record, after, step);
        fn(self, step,
           (double)(step * e->start.samples_per_step) / (double)e->start.samples_per_epoch,
           metrics);
        json_decref(metrics);
        after = step;
    }
}

ty_status trial_past(ty_ctx *ctx, const ty_event *e, trial_past_fn *fn, void *self) {
    ty_arena arena = {0};
    ty_run_record record = {0};
    if (!e->start.is_resumed || !e->start.run_folder)
        return TY_OK;
    const ty_status st = ty_runs_read(ctx, e->start.run_folder, &arena, &record);
    if (st == TY_OK)
        tell_all(&record, e, fn, self);
    ty_arena_clear(&arena);
    return st;
}
