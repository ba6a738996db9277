/* What whoever started us wants recorded where, by MLflow's own variables: MLFLOW_EXPERIMENT_NAME and
 * _ID where the config names no experiment, MLFLOW_RUN_ID. */
#ifndef TY_CLI_GIVEN_H
#define TY_CLI_GIVEN_H

#include "cli/job.h"

/* Before the config is checked: the experiment's name goes into it where it has none.
 * *names_experiment: it has one, so that no variable counts. */
ty_status given_name(cli *app, ty_doc *doc, bool *names_experiment) TY_MUST_USE;
ty_status given_set_experiment(cli *app, ty_doc *doc, const char *name) TY_MUST_USE;

/* When the target is known: the experiment's id is looked up there, and *is_new says that its name
 * went into the config.
 * Errors: TY_ERR_CONFIG there is none, or name and id do not agree; TY_ERR_BUSY nobody answers. */
ty_status given_id(cli *app, job *j, bool *is_new) TY_MUST_USE;

/* Sets j->given_run_id, NULL where the variable is not set. Errors: TY_ERR_CONFIG it is no id. */
ty_status given_run(cli *app, job *j) TY_MUST_USE;

/* Whether the target has the run that was named, so that a new journal may record into it. A server
 * that does not answer now keeps no run from training: it is asked again when the run is sent.
 * Errors: TY_ERR_CONFIG it has none, or that is deleted, or of another experiment than the one that was
 * named. */
ty_status given_run_check(cli *app, job *j) TY_MUST_USE;

#endif
