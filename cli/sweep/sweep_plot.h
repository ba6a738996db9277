/* A sweep's table as its charts want it, and what is made of the charts: files, and characters on a
 * terminal. */
#ifndef TY_CLI_SWEEP_SWEEP_PLOT_H
#define TY_CLI_SWEEP_SWEEP_PLOT_H

#include "cli/console.h"
#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_chart.h"

/* What s is now, in s->arena. Of a sweep that this process has run, it is over: no trial runs any more.
 * Errors: TY_ERR_NOMEM. */
ty_status sweep_view_of(sweep *s, sweep_view *out) TY_MUST_USE;

/* The same but for what mattered, which takes a while where there are many trials: order is NULL, too. */
ty_status sweep_view_trials(sweep *s, sweep_view *out) TY_MUST_USE;

/* Appends the chart in characters, c->width wide: these two have such a form. Nothing where there is no
 * finite value. Memory comes from arena. */
void sweep_print_history(const sweep_view *v, const console *c, ty_arena *arena, ty_text *out);
void sweep_print_intermediate(const sweep_view *v, const console *c, ty_arena *arena, ty_text *out);

#endif
