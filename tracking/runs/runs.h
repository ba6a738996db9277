/* Runs as their journals tell them: listed, found, read, folded into the store. */
#ifndef TY_TRACKING_RUNS_RUNS_H
#define TY_TRACKING_RUNS_RUNS_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A run as its folder tells it. Strings live in the arena given to the call. */
typedef struct ty_run_info {
    const char *folder, *experiment, *name, *run_id, *source, *reason;
    ty_run_state state;
    bool is_live;             /* a lease is held */
    int64_t start_ns, end_ns; /* end 0 while running */
    int64_t last_step, total_steps;
    const char *user;         /* NULL: not told */
    const char *artifact_uri; /* as the embedded store has it */
    bool is_deleted;          /* in MLflow; only ty_runs_select asks its store */
    bool is_sweep;            /* a sweep's own run; only ty_runs_select says it */
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

/* A model with all its files, in the run's folder. */
typedef struct ty_run_file {
    const char *path; /* relative to the package's folder */
    int64_t size;
    const char *sha256; /* hex */
} ty_run_file;

typedef struct ty_run_package {
    const char *model_id, *name;
    const char *folder; /* relative to the run's */
    int64_t step, time_ns;
    const ty_run_file *files;
    int64_t n_files;
} ty_run_package;

typedef struct ty_run_dataset {
    const char *name, *digest, *context; /* context: NULL where none was told */
} ty_run_dataset;

/* The checkpoint that a role's name stands for; the newest holds: "best", "last". */
typedef struct ty_run_checkpoint {
    const char *name, *path; /* path: relative to the run's folder where it lies in it */
    int64_t step;
} ty_run_checkpoint;

typedef struct ty_run_record {
    ty_run_info info;
    const ty_run_value *params, *tags, *metrics;
    int64_t n_params, n_tags, n_metrics;
    const ty_run_curve *curves;
    int64_t n_curves;
    const char *const *files; /* artifact paths relative to the run folder */
    int64_t n_files;
    const ty_run_package *packages; /* in the order they were told */
    int64_t n_packages;
    const ty_run_checkpoint *checkpoints; /* with the files */
    int64_t n_checkpoints;
    const ty_run_dataset *datasets; /* each name and digest once, contexts joined by ", " */
    int64_t n_datasets;
} ty_run_record;

/* Parts of a record that may be read alone; info is always there. */
enum {
    TY_RUN_PARAMS = 1,
    TY_RUN_TAGS = 2,
    TY_RUN_METRICS = 4, /* last points only: a small part of the work that curves are */
    TY_RUN_CURVES = 8,  /* and metrics */
    TY_RUN_FILES = 16,
    TY_RUN_DATASETS = 32,
    TY_RUN_PACKAGES = 64,
    TY_RUN_ALL = 127
};

/* All runs under <folder>/runs and those of sweeps, newest first. A damaged journal is reported through the log and
 * left out. */
ty_status ty_runs_list(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_run_info **out,
                       int64_t *out_n) TY_MUST_USE;

/* One run by its folder, its name, or its MLflow run id (or a unique prefix of 6 and more). The
 * run's folder in arena.
 * Errors: TY_ERR_NOT_FOUND with near names; TY_ERR_ARG where it is not unique. */
ty_status ty_runs_find(ty_ctx *ctx, const char *folder, const char *which, ty_arena *arena,
                       const char **out_run_folder) TY_MUST_USE;

/* The same, and, where no run is called so, a sweep's own run. */
ty_status ty_runs_find_any(ty_ctx *ctx, const char *folder, const char *which, ty_arena *arena,
                           const char **out_run_folder) TY_MUST_USE;

/* What the run's journal says, all of it in arena. Errors: TY_ERR_NOT_FOUND, TY_ERR_INTEGRITY. */
ty_status ty_runs_read(ty_ctx *ctx, const char *run_folder, ty_arena *arena,
                       ty_run_record *out) TY_MUST_USE;

/* Adds to the store what is in the journals and missing there; touches nothing that others wrote;
 * corrects artifact paths where the folder has moved. */
typedef struct ty_rebuild_report {
    int64_t runs, runs_added, points_added, values_added;
    int64_t runs_damaged; /* said through the log and left out */
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
