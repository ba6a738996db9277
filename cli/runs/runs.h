/* What the verbs of `tiltyard runs` share; one file each, runs_<verb>.c. */
#ifndef TY_CLI_RUNS_RUNS_H
#define TY_CLI_RUNS_RUNS_H

#include "cli/cli.h"
#include "cli/table.h"
#include "tracking/tracking.h"

/* "finished", "failed", "killed", "running", or "died": running, and nobody works on it. */
const char *runs_state(const ty_run_info *run);
/* Green, yellow or red by how it ended. */
const char *runs_state_color(const console *c, const ty_run_info *run);
/* "2026-11-23 07:15" in local time, "-" for 0. */
const char *runs_time(int64_t ns, char out[32]);

/* Whether a metric is the better the higher (1) or the lower (-1) it is, by what the run was told to
 * keep its best checkpoint by, or else by the metric's name; 0: nobody knows. */
int runs_goal(const ty_run_record *run, const char *metric);

/* The members of a run that each verb's JSON begins with, without braces. */
void runs_add_json(ty_text *out, const ty_run_info *run);
/* , "name": {"key": "text", ...} */
void runs_add_values_json(ty_text *out, const char *name, const ty_run_value *v, int64_t n);
/* A cell as a JSON value; null where there is none. */
void runs_add_cell_json(ty_text *out, const ty_run_cell *cell);
/* A metric's, param's or attribute's value as a text in arena; "-" where there is none. */
const char *runs_cell_text(ty_arena *arena, const ty_run_cell *cell);

/* The run that the operand at that place names, read with all its parts. */
ty_status runs_read(cli *app, ty_arena *arena, int operand, ty_run_record *out) TY_MUST_USE;

/* The verbs. Operands: args.operand[0] is the verb itself. */
ty_status runs_list(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_show(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_diff(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_plot(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_export(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_remove(cli *app, ty_arena *arena) TY_MUST_USE;
ty_status runs_clean(cli *app, ty_arena *arena) TY_MUST_USE;

#endif
