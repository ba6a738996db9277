/* What a run that goes on has evaluated before. Its evaluations are not repeated, and a sweep that was
 * killed may never have heard of them: they are told again, from the run's journal. */
#ifndef TY_CLI_SWEEP_TRIAL_PAST_H
#define TY_CLI_SWEEP_TRIAL_PAST_H

#include "base/base.h"

/* One evaluation as it was reported: metrics as in cli/sweep/trial.h, borrowed. */
typedef void trial_past_fn(void *self, int64_t step, double epoch, json_t *metrics);

/* Calls fn for each evaluation up to the step that start (a START event) goes on from, in order.
 * Errors: as ty_runs_read's. */
ty_status trial_past(ty_ctx *ctx, const ty_event *start, trial_past_fn *fn, void *self) TY_MUST_USE;

#endif
