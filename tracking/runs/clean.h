/* Runs that are not wanted any more: marked as deleted, and what nobody needs taken off the disk. */
#ifndef TY_TRACKING_RUNS_CLEAN_H
#define TY_TRACKING_RUNS_CLEAN_H

#include "base/base.h"
#include "tracking/runs/select.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Marks a run as deleted: in the embedded store as MLflow does (its UI can restore it), or, where
 * the store does not have it, by a file `deleted` in its folder. Nothing is taken off the disk.
 * Errors: TY_ERR_BUSY somebody works on the run, or the store is locked; TY_ERR_INTEGRITY, TY_ERR_IO
 * the store. */
ty_status ty_runs_delete(ty_ctx *ctx, const char *folder, const char *run_folder,
                         const char *run_id) TY_MUST_USE;

/* Bytes that a run's folder takes on the disk. */
int64_t ty_run_bytes(ty_ctx *ctx, const char *run_folder);

/* Versions of registered models that come from the run, "net 3, net 4", in arena; "" for none.
 * Errors: TY_ERR_BUSY, TY_ERR_INTEGRITY the store, which may not be passed over: what is registered
 * is never touched. */
ty_status ty_run_registered(ty_ctx *ctx, const char *folder, const ty_run_record *run,
                            ty_arena *arena, const char **out) TY_MUST_USE;

/* Whether somebody brings the run to a server now. */
bool ty_run_is_delivered(ty_ctx *ctx, const char *run_folder);

/* Bytes that a run's checkpoints take, under all their names. */
int64_t ty_run_checkpoint_bytes(ty_ctx *ctx, const char *run_folder);

/* Takes all checkpoints of a run off the disk: if it goes on it begins anew. After a crash it goes on from
 * its newest one or anew, never from one between. `before` (NULL: nobody) is called while the run is
 * held and nothing is touched yet; what it fails with is returned. folder: the working folder.
 * Errors: TY_ERR_BUSY somebody works on the run or brings it to a server, or a registered version comes
 * from it; TY_ERR_INTEGRITY as ty_run_registered and ty_runs_read; TY_ERR_IO. */
ty_status ty_run_drop_checkpoints(ty_ctx *ctx, const char *folder, const char *run_folder,
                                  ty_status (*before)(ty_ctx *ctx, void *self),
                                  void *self) TY_MUST_USE;

typedef enum ty_clean_kind {
    TY_CLEAN_RUN,        /* the folder of a run that is deleted in MLflow */
    TY_CLEAN_CHECKPOINT, /* one that is neither best nor last nor a package's */
    TY_CLEAN_LEFTOVER    /* of a write that did not come to its end */
} ty_clean_kind;

typedef struct ty_clean_item {
    ty_clean_kind kind;
    const char *run, *run_folder, *path; /* path is absolute and in run_folder */
    const char *why;
    int64_t bytes;
} ty_clean_item;

typedef struct ty_clean_options {
    int64_t keep_best; /* > 0: only so many runs of an experiment keep any checkpoint: the best by
                              the metric that they keep their best checkpoint by */
    int64_t older_than_ns; /* > 0: only runs that ended so long ago */
} ty_clean_options;

/* What may go, run by run. Left alone: runs that somebody works on, all of a run that a registered
 * version comes from, checkpoints of a package's step (but for keep_best, which leaves the package),
 * and of runs that have not finished the two newest checkpoints. Everything in arena. Errors: as
 * ty_run_registered and ty_runs_select. */
ty_status ty_clean_plan(ty_ctx *ctx, const char *folder, const ty_clean_options *options,
                        ty_arena *arena, const ty_clean_item **out, int64_t *out_n) TY_MUST_USE;

/* Takes away n items of one run, holding its lease.
 * Errors: TY_ERR_BUSY somebody works on the run; TY_ERR_IO. */
ty_status ty_clean_run(ty_ctx *ctx, const ty_clean_item *items, int64_t n) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
