/* A study as Optuna knows one. Its journal (JSON lines, storages/journal of Optuna 5) is a copy of
 * ours, that optuna-dashboard and optuna.visualization open while the sweep runs: sweep.journal is the
 * truth, and what lacks here is added from it.
 *
 * Optuna has neither paused trials nor legs: a paused trial runs until its sweep is exported, where it
 * counts as pruned. Its distributions are flat or logarithmic, so that a normal or a beta becomes a
 * range of values that holds (nearly) all of it, and a logarithmic lattice a logarithmic range. */
#ifndef TY_HPO_OPTUNA_OPTUNA_H
#define TY_HPO_OPTUNA_OPTUNA_H

#include "base/text.h"
#include "hpo/study/study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is to be seen; all of it borrowed. */
typedef struct ty_optuna_view {
    const ty_study *study;
    const ty_space *space;
    const char *name;   /* of the study */
    const char *metric; /* of its one objective */
    bool maximize;
    bool has_limits; /* trials say by how much they violate constraints */
} ty_optuna_view;

/* Adds a parameter's distribution as Optuna writes it: {"name": "FloatDistribution", ...}. */
void ty_optuna_add_distribution(const ty_param *p, ty_text *out);

/* Adds {"name": "<distribution>", ...} of the parameters that play a part in x: each a string that
 * holds JSON, as Optuna's storages want it. */
void ty_optuna_add_distributions(const ty_space *space, const double *x, ty_text *out);

/* The whole journal of a study of which nothing follows.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_optuna_export(ty_ctx *ctx, const ty_optuna_view *view, ty_text *out) TY_MUST_USE;

typedef struct ty_optuna_tee ty_optuna_tee;

/* Opens the journal at path to be written along: what it lacks is added, and where it is none of this
 * study, or has more than this study, it is made anew. Lines of others (the notes that a dashboard
 * keeps there) stay. One writer of ours at a time. *out is the caller's to close.
 * Errors: TY_ERR_IO, TY_ERR_NOMEM. */
ty_status ty_optuna_tee_open(ty_ctx *ctx, const char *path, const ty_optuna_view *view,
                             ty_optuna_tee **out) TY_MUST_USE;

/* Adds what the study knows since the last time, in whole lines; not synced, since it can be had again.
 * Errors: TY_ERR_IO (the next call tries again), TY_ERR_NOMEM. */
ty_status ty_optuna_tee_write(ty_ctx *ctx, ty_optuna_tee *tee) TY_MUST_USE;
void ty_optuna_tee_close(ty_ctx *ctx, ty_optuna_tee *tee);

#ifdef __cplusplus
}
#endif
#endif
