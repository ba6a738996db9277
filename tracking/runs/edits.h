/* What was changed in MLflow and no journal knows: runs deleted and renamed, tags set and taken
 * away. Read from the embedded store without writing to it. */
#ifndef TY_TRACKING_RUNS_EDITS_H
#define TY_TRACKING_RUNS_EDITS_H

#include "tracking/journal/keymap.h"
#include "tracking/runs/runs.h"

typedef struct ty_run_edits {
    bool is_deleted;          /* also for good: the store had it once */
    int64_t position;         /* the journal's records up to here are in the store */
    const char *name;         /* NULL: none */
    const ty_run_value *tags; /* all that the store has, in its order */
    int64_t n_tags;
} ty_run_edits;

typedef struct ty_edits {
    ty_keymap runs; /* ty_run_edits by run id */
    ty_arena arena;
} ty_edits;

/* Reads <folder>/mlflow.db, with tags where they are wanted. No store, one of a stranger's or one
 * that cannot be read now: no edits, and the last is said. Errors: TY_ERR_NOMEM. */
ty_status ty_edits_open(ty_ctx *ctx, const char *folder, bool with_tags, ty_edits *out) TY_MUST_USE;
void ty_edits_clear(ty_edits *edits); /* accepts a zeroed one */

/* NULL: the store does not have the run. */
const ty_run_edits *ty_edits_of(const ty_edits *edits, const char *run_id);

#endif
