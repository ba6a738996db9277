/* The door of tracking: a run is written to its journal first; sinks replay the journal into
 * MLflow. Here: the embedded store, mlflow.db in MLflow's own SQLite schema. Later: a server over
 * REST. */
#ifndef TY_TRACKING_TRACKING_H
#define TY_TRACKING_TRACKING_H

#include "base/base.h"
#include "tracking/mlflow.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_tracker ty_tracker;

typedef struct ty_tracker_options {
    const char *store_folder; /* holds mlflow.db */
    const char *run_folder;   /* holds run.journal and artifacts/ */
    const char *experiment;
    const char *run_name;
    const char *source;       /* argv as typed, for mlflow.source.name */
} ty_tracker_options;

typedef struct ty_tracker_ids {
    char run_id[33];          /* 32 hex; record 1 of the journal */
    const char *experiment_id; /* NULL until the store was reached */
    const char *deep_link;    /* "/#/experiments/1/runs?workflowType=machine_learning" */
} ty_tracker_ids;

/* Opens or continues the run's journal (lease beside it), starts the writer thread and the folding
 * thread. The store being busy, foreign or full never fails this or the run: it is said once and
 * folding goes on later. *out is the caller's to close.
 * Errors: TY_ERR_BUSY another process works on the run; TY_ERR_IO the journal. */
ty_status ty_tracker_open(ty_ctx *ctx, const ty_tracker_options *options, ty_tracker **out) TY_MUST_USE;
/* Borrowed, as long as the tracker is open; what the store answers is filled in by later calls. */
const ty_tracker_ids *ty_tracker_describe(ty_tracker *tracker);

/* The observer to wire: costs under a microsecond per metric point and never waits for disk or
 * network; where the ring is full it writes to the journal in line. Points of a key come in rising
 * steps: one at or before the key's last step is known and is not recorded again. A step below 0
 * has no meaning and becomes the next one of its key. Any thread may notify. FILEs and MODELs
 * appear in the run's artifacts folder (MODELs as checkpoints/<name>) as links to the file told. */
ty_observer ty_tracker_observer(ty_tracker *tracker);

/* Everything noted so far is in the journal and synced. */
ty_status ty_tracker_flush(ty_ctx *ctx, ty_tracker *tracker) TY_MUST_USE;

/* Flushes (a run without a STATE since its START ends as KILLED), folds what is left (waiting at
 * most deadline_ms for a busy store; the rest is folded by the next start or by `runs rebuild`) and
 * closes. Accepts NULL. */
ty_status ty_tracker_close(ty_ctx *ctx, ty_tracker *tracker, int deadline_ms);

/* A run as its folder tells it. Strings live in the arena given to the call. */
typedef struct ty_run_info {
    const char *folder, *experiment, *name, *run_id, *source, *reason;
    ty_run_state state;
    bool is_live;              /* a lease is held */
    int64_t start_ns, end_ns;  /* end 0 while running */
    int64_t last_step, total_steps;
} ty_run_info;

typedef struct ty_run_value {
    const char *key, *text; /* params and tags */
    double value;           /* metrics: the last point */
    int64_t step;
} ty_run_value;

typedef struct ty_run_point {
    int64_t step, time_ns;
    double value;
} ty_run_point;

typedef struct ty_run_curve {
    const char *key;
    const ty_run_point *v;
    int64_t n;
} ty_run_curve;

typedef struct ty_run_record {
    ty_run_info info;
    const ty_run_value *params, *tags, *metrics;
    int64_t n_params, n_tags, n_metrics;
    const ty_run_curve *curves;
    int64_t n_curves;
    const char *const *files; /* artifact paths relative to the run folder */
    int64_t n_files;
} ty_run_record;

/* All runs under <folder>/runs, newest first. A damaged journal is reported through the log and
 * left out. */
ty_status ty_runs_list(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_run_info **out,
                       int64_t *out_n) TY_MUST_USE;

/* One run by its folder, its name, or its MLflow run id (or a unique prefix of 6 and more). The
 * run's folder in arena.
 * Errors: TY_ERR_NOT_FOUND with near names; TY_ERR_ARG where it is not unique. */
ty_status ty_runs_find(ty_ctx *ctx, const char *folder, const char *which, ty_arena *arena,
                       const char **out_run_folder) TY_MUST_USE;

/* What the run's journal says, all of it in arena. Errors: TY_ERR_NOT_FOUND, TY_ERR_INTEGRITY. */
ty_status ty_runs_read(ty_ctx *ctx, const char *run_folder, ty_arena *arena, ty_run_record *out) TY_MUST_USE;

/* Adds to the store what is in the journals and missing there; touches nothing that others wrote;
 * corrects artifact paths where the folder has moved. */
typedef struct ty_rebuild_report {
    int64_t runs, runs_added, points_added, values_added;
} ty_rebuild_report;
ty_status ty_runs_rebuild(ty_ctx *ctx, const char *folder, ty_rebuild_report *out) TY_MUST_USE;

/* Marks runs whose process died (state RUNNING, no live lease) as KILLED, in journal and store.
 * Called on each start. */
ty_status ty_runs_reap(ty_ctx *ctx, const char *folder, int64_t *out_reaped) TY_MUST_USE;

/* The path in MLflow's UI that shows the newest run's experiment; in arena.
 * Errors: TY_ERR_BUSY, TY_ERR_INTEGRITY the store. */
ty_status ty_runs_deep_link(ty_ctx *ctx, const char *folder, ty_arena *arena,
                            const char **out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
