/* The door of tracking: a run is written to its journal first; sinks replay the journal into MLflow:
 * into the embedded store, mlflow.db in MLflow's own SQLite schema, or to a server over REST. */
#ifndef TY_TRACKING_TRACKING_H
#define TY_TRACKING_TRACKING_H

#include "base/base.h"
#include "tracking/artifact.h"
#include "tracking/identity.h"
#include "tracking/runs/clean.h"
#include "tracking/client/mlflow.h"
#include "tracking/named.h"
#include "tracking/store/registry_store.h"
#include "tracking/runs/runs.h"
#include "tracking/runs/select.h"
#include "tracking/sinks/sync.h"
#include "tracking/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_tracker ty_tracker;

typedef struct ty_tracker_options {
    const char *folder;      /* the working folder; holds mlflow.db where nothing else is chosen */
    const ty_target *target; /* where the run is recorded, borrowed with its strings as long as the
                                tracker is open; NULL: where the environment says */
    const char *run_folder;  /* holds run.journal and artifacts/ */
    const char *experiment;
    const char *run_name;
    const char
        *run_id; /* a run of the target that a new journal records into; NULL: one of its own */
    /* Of the experiment, where it has none: a description in Markdown; the metric that counts, and
     * whether more of it is better ("max", "min"). May be NULL. */
    const char *experiment_note, *primary_metric, *primary_goal;
    const char *source; /* argv as typed, for mlflow.source.name */
} ty_tracker_options;

typedef struct ty_tracker_ids {
    char run_id[33];           /* 32 hex; record 1 of the journal */
    const char *target;        /* "sqlite:///.../mlflow.db", "http://host:5000" or "offline" */
    const char *experiment_id; /* NULL until the store or the server was reached */
    const char *their_run_id;  /* with it: what MLflow calls the run, which a server names anew */
    bool is_away;              /* the store or server did not answer the last attempt */
    const char *deep_link;     /* with it: "/#/experiments/1/runs?workflowType=machine_learning", or
                                  the whole URL of the run on a server */
} ty_tracker_ids;

/* Opens or continues the run's journal (lease beside it), starts the writer thread and the one that
 * feeds the store or the server. These being busy, gone or full never fails this or the run: it is
 * said once and goes on later. *out is the caller's to close.
 * Errors: TY_ERR_BUSY another process works on the run; TY_ERR_IO the journal; TY_ERR_CONFIG and
 * TY_ERR_ARG as ty_target_choose's. */
ty_status ty_tracker_open(ty_ctx *ctx, const ty_tracker_options *options,
                          ty_tracker **out) TY_MUST_USE;
/* Borrowed, as long as the tracker is open; what the store answers is filled in by later calls. */
const ty_tracker_ids *ty_tracker_describe(ty_tracker *tracker);

/* The observer to wire: costs under a microsecond per metric point and never waits for disk or
 * network; where the ring is full it writes to the journal in line. Points of a key come in rising
 * steps: one at or before the key's last step is known and is not recorded again. A step below 0
 * has no meaning and becomes the next one of its key. Any thread may notify. FILEs and MODELs
 * appear in the run's artifacts folder (MODELs as checkpoints/<name>) as links to the file told. A
 * PACKAGE lies inside the run's folder, whole when it is told, and is not changed from then on. An
 * EVAL is answered with TY_STOP where the run's tag tiltyard.stop was set in MLflow. */
ty_observer ty_tracker_observer(ty_tracker *tracker);

/* Everything noted so far is in the journal and synced. */
ty_status ty_tracker_flush(ty_ctx *ctx, ty_tracker *tracker) TY_MUST_USE;

/* Flushes (a run without a STATE since its START ends as KILLED), feeds what is left (waiting at most
 * deadline_ms for a store or server; who brings the rest is said) and closes. Accepts NULL. */
ty_status ty_tracker_close(ty_ctx *ctx, ty_tracker *tracker, int deadline_ms);

#ifdef __cplusplus
}
#endif
#endif
