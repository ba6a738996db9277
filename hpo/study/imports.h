/* Trials of other searches, which a sweep knows from its start: of a sweep of ours, of a study in an Optuna
 * journal (JSON lines, op codes 0 to 10 of Optuna 5), or runs as `tiltyard runs export` writes them. Each is an
 * object:
 *
 *   {"source": "sweeps/old", "number": 3, "params": {"lr": 0.1}, "state": "complete" | "pruned",
 *    "value": 0.4, "violation": 0, "last_step": 9}
 *
 * with the value as it was told (null: a pruned one that reported nothing). Failed, running and waiting
 * trials teach nothing and are not taken. Whether a trial is a point of the sweep's space is the study's
 * business. */
#ifndef TY_HPO_STUDY_IMPORTS_H
#define TY_HPO_STUDY_IMPORTS_H

#include "hpo/study/study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the trials of a sweep.journal, also of one that is being written, to the array trials.
 * Errors: TY_ERR_CONFIG it searched for the opposite; TY_ERR_NOT_FOUND; TY_ERR_INTEGRITY. */
ty_status ty_import_sweep(ty_ctx *ctx, const char *path, const char *source, bool maximize,
                          json_t *trials) TY_MUST_USE;

/* Whether this is how an Optuna journal begins. */
bool ty_import_is_optuna(const char *text, size_t bytes);

/* Appends the trials of a study in text; study names it (NULL: the only one). Lines that are torn, or none of
 * Optuna's, are passed over and counted in *unread.
 * Errors: TY_ERR_CONFIG there is no such study, or several, or one of several objectives or the opposite
 * one; TY_ERR_NOMEM. */
ty_status ty_import_optuna(ty_ctx *ctx, const char *text, size_t bytes, const char *source,
                           const char *study, bool maximize, json_t *trials,
                           size_t *unread) TY_MUST_USE;

/* What runs are to have been about. */
typedef struct ty_import_metric {
    const ty_space *space; /* whose params are taken, by their names */
    const char *name;
    bool maximize, takes_last; /* a run's value is its last point, and not its best one */
} ty_import_metric;

/* What was not taken. */
typedef struct ty_import_left {
    size_t unread;         /* lines or rows that are torn, or say nothing of a run */
    size_t unfinished;     /* runs that failed, or had not ended */
    size_t without_metric; /* runs without a value of the metric */
} ty_import_left;

/* What the next point of the metric's curve makes of a run: shown->value (NAN before the first one) and
 * last_step. */
void ty_import_take_point(const ty_import_metric *metric, double step, double value,
                          ty_shown *shown);

/* Whether this is how the lines (.jsonl) or the table (.csv) of `tiltyard runs export` begin. */
bool ty_import_is_runs(const char *text, size_t bytes);

/* Appends the runs of such a text that ended with a value of the metric, numbered by their order; adds to *left
 * what was not taken. A line says how its run ended (one that was killed is pruned); a table does not: there each
 * is complete.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_import_runs(ty_ctx *ctx, const char *text, size_t bytes, const char *source,
                         const ty_import_metric *metric, json_t *trials,
                         ty_import_left *left) TY_MUST_USE;

/* Appends one trial to trials; takes params. False when memory is out. */
bool ty_import_add(json_t *trials, const char *source, size_t number, json_t *params,
                   const ty_shown *shown);

#ifdef __cplusplus
}
#endif
#endif
