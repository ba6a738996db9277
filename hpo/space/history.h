/* What a sampler may see: the finished trials in the order in which they were shown, and the points
 * of the trials that are under way. Structure of arrays, append only: `count` says how much of it a
 * sampler's cache has already taken in, and what was shown changes only with `generation` (a paused
 * trial went on; sampler.c then opens its sampler anew). Which trials are shown when is the study's
 * decision (study.h), and it is what makes a parallel sweep repeatable. */
#ifndef TY_HPO_SPACE_HISTORY_H
#define TY_HPO_SPACE_HISTORY_H

#include <stdint.h>

#include "hpo/space/space.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_trial_state {
    TY_TRIAL_RUNNING,
    TY_TRIAL_COMPLETE,
    TY_TRIAL_PRUNED, /* stopped early: value is the last one reported, or NAN */
    TY_TRIAL_PAUSED, /* may be promoted */
    TY_TRIAL_FAILED
} ty_trial_state;

/* One trial as it is shown. Values are turned so that less is better. */
typedef struct ty_shown {
    size_t number;        /* from 0 */
    ty_trial_state state; /* COMPLETE or PRUNED */
    double value;         /* NAN only for a pruned one that reported nothing */
    double last_step;     /* of its last report, in the unit of the resource; 0 for none */
    /* Sum of how much black-box constraints are violated; 0: feasible. INFINITY for a trial that failed,
     * which is shown as a pruned one without a value. */
    double violation;
    size_t first,
        reports; /* of its curve in the history's (ty_history_trace sets them); 0: unknown */
} ty_shown;

typedef struct ty_history {
    const ty_space *space; /* borrowed */
    size_t dims;           /* space->count */
    uint64_t generation;   /* another one where what was shown was replaced: caches begin anew */
    size_t count, capacity;
    size_t imported; /* the first ones of them are no trials of the sweep */
    ty_shown *shown; /* [count] */
    double *x;       /* [dims][capacity]: parameter d of shown trial i is x[d * capacity + i] */
    double *z;       /* the same on the model scale; the index itself for choices; NAN inactive */
    double *resource, *reported; /* [traced]: curves, each where its trial's `first` says */
    size_t traced, trace_capacity;
    size_t pending_count, pending_capacity;
    size_t *pending;   /* numbers of the trials under way, ascending */
    double *pending_x; /* [dims][pending_capacity] */
    double *pending_z;
} ty_history;

/* An empty one. Accepts nothing else; ty_history_clear takes a zeroed one as well. */
void ty_history_init(ty_history *history, const ty_space *space);
void ty_history_clear(ty_history *history);

/* Shows a finished trial with its point x [dims]; it is no longer pending. */
ty_status ty_history_show(ty_ctx *ctx, ty_history *history, const ty_shown *trial,
                          const double *x) TY_MUST_USE;

/* Shown trial `index` went on and has ended again. */
void ty_history_replace(ty_history *history, size_t index, const ty_shown *trial);

/* What shown trial `index` reported on its way, turned as its value: resource [n] ascends, reported [n].
 * Copied. Errors: TY_ERR_NOMEM. */
ty_status ty_history_trace(ty_ctx *ctx, ty_history *history, size_t index, const double *resource,
                           const double *reported, size_t n) TY_MUST_USE;

/* What shown trial `index` had reported last at this resource or before it; NAN where it had not. */
double ty_history_reported(const ty_history *history, size_t index, double resource);

/* A trial has begun; its point is known, its value is not. */
ty_status ty_history_begin(ty_ctx *ctx, ty_history *history, size_t number,
                           const double *x) TY_MUST_USE;

/* A trial has ended without being shown, or will be shown now. Unknown numbers are ignored. */
void ty_history_forget(ty_history *history, size_t number);

/* Index into shown of the best feasible complete trial, the first of equals; count where there is none. */
size_t ty_history_best(const ty_history *history);

#ifdef __cplusplus
}
#endif
#endif
