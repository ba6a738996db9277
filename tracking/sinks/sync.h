/* Bringing runs to where MLflow looks after the fact, and telling how far they have come. For
 * commands: these calls wait. */
#ifndef TY_TRACKING_SINKS_SYNC_H
#define TY_TRACKING_SINKS_SYNC_H

#include "tracking/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_sync_letter {
    const char *what,
        *key;     /* "metric" "train/loss"; "param", "tag", "dataset", "file", "model", "status" */
    int64_t step; /* of a metric, -1 for none */
    const char *words; /* why */
} ty_sync_letter;

/* How many of a kind there are, and how many of them the target has. */
typedef struct ty_sync_count {
    int64_t all, acked;
} ty_sync_count;

/* How far a run has come. Strings live in the arena given to the call. */
typedef struct ty_sync_report {
    const char *folder, *name, *run_id;
    const char *target;                       /* ty_target.name */
    const char *experiment_id, *their_run_id; /* a server's; NULL until the run is there */
    bool is_live;                             /* its own process works on it, and delivers it */
    bool is_gone; /* it was deleted there for good, and is not sent again */
    ty_sync_count points, values, files, models; /* values: params, tags, data sets, states */
    int64_t pending_since_ns;                    /* the oldest of what is missing; 0: nothing is */
    const ty_sync_letter *dead; /* what the server refuses for good; not counted as acked */
    int64_t n_dead;
} ty_sync_report;

/* Whether nothing is left to be sent. */
bool ty_sync_is_complete(const ty_sync_report *report);

/* Where a run goes: the wish where there is one (else NULL), where it went before, else as
 * ty_target_choose says without a config. In arena.
 * Errors: as ty_target_choose's; TY_ERR_ARG it is to stay offline. */
ty_status ty_sync_choose(ty_ctx *ctx, const char *folder, const char *run_folder,
                         const ty_target *wish, ty_arena *arena, ty_target *out) TY_MUST_USE;

/* From the folder alone, without asking a server; an embedded store is looked at where it exists.
 * Errors: TY_ERR_INTEGRITY, TY_ERR_IO the run's journals; the store's. */
ty_status ty_sync_look(ty_ctx *ctx, const char *run_folder, const ty_target *target,
                       ty_arena *arena, ty_sync_report *out) TY_MUST_USE;

/* What the server has refused of the run is no longer refused: the next ty_sync_run sends it, and what
 * followed it, once more. Does nothing where nothing was, or the run's own process delivers it.
 * Errors: TY_ERR_BUSY another process delivers the run; TY_ERR_INTEGRITY, TY_ERR_IO. */
ty_status ty_sync_again(ty_ctx *ctx, const char *run_folder, const ty_target *target) TY_MUST_USE;

/* Brings all that the target lacks. A run that its own process works on is left to it. Doing it
 * again changes nothing. out is filled as by ty_sync_look wherever that is possible.
 * Errors: TY_ERR_BUSY the server does not answer, or another process delivers the run; TY_ERR_FAILED
 * it lets nobody in, or has deleted the run; TY_ERR_INTEGRITY, TY_ERR_IO the run's journals. */
ty_status ty_sync_run(ty_ctx *ctx, const char *folder, const char *run_folder,
                      const ty_target *target, ty_arena *arena, ty_sync_report *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
