/* What MLflow's variables name by an id of MLflow's own, looked up where it is. */
#ifndef TY_TRACKING_NAMED_H
#define TY_TRACKING_NAMED_H

#include "tracking/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_named_run {
    const char *run_id, *experiment_id, *status;
    bool is_deleted;
} ty_named_run;

/* The name of an experiment of the target, in arena. Waits some seconds for a server; a store is
 * looked at and stays as it is.
 * Errors: TY_ERR_NOT_FOUND; TY_ERR_ARG it is deleted, or the target is offline; TY_ERR_BUSY the
 * target does not answer; TY_ERR_FAILED it lets nobody in; TY_ERR_IO. */
ty_status ty_named_experiment(ty_ctx *ctx, const ty_target *target, const char *id, ty_arena *arena,
                              const char **out_name) TY_MUST_USE;

/* A run of the target, in arena. Errors: the same; a deleted one is found. */
ty_status ty_named_run_read(ty_ctx *ctx, const ty_target *target, const char *run_id,
                            ty_arena *arena, ty_named_run *out) TY_MUST_USE;

/* The newest value of a run's metric. Errors: the same; TY_ERR_NOT_FOUND it has none. */
ty_status ty_named_run_metric(ty_ctx *ctx, const ty_target *target, const char *run_id,
                              const char *key, ty_arena *arena, double *out) TY_MUST_USE;

/* Whether the run in run_folder is the one that the target calls run_id. A folder that cannot be
 * read is none. */
bool ty_named_run_is(ty_ctx *ctx, const char *run_folder, const ty_target *target,
                     const char *run_id);

#ifdef __cplusplus
}
#endif
#endif
