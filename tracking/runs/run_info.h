/* What everything that reads a run's journal shares. */
#ifndef TY_TRACKING_RUNS_RUN_INFO_H
#define TY_TRACKING_RUNS_RUN_INFO_H

#include "tracking/runs/edits.h"
#include "tracking/journal/record.h"
#include "tracking/tracking.h"

/* In the folder of a run that was deleted when the embedded store did not have it. */
#define TY_RUN_DELETED_NAME "deleted"

/* Brings info up to date with the next record; its strings are borrowed from the record. */
void ty_run_info_add(ty_run_info *info, const ty_track_record *record);

/* Whether somebody holds the run's lease. */
bool ty_run_is_live(ty_ctx *ctx, const char *run_folder);

/* How a journal is read: which parts; and, where edits are given, values as MLflow has them, with
 * its users' edits. */
typedef struct ty_run_reading {
    unsigned parts;
    const ty_edits *edits; /* NULL: as the journal tells it */
} ty_run_reading;

/* The wanted parts of one run, all in arena. Errors: as ty_runs_read. */
ty_status ty_run_read(ty_ctx *ctx, const char *run_folder, const ty_run_reading *how,
                      ty_arena *arena, ty_run_record *out) TY_MUST_USE;

#endif
