/* The last point of each metric, without decoding all points: a record of points begins with its
 * keys, and the steps of a key rise, so that only the last record with a key has to be decoded. */
#ifndef TY_TRACKING_RUNS_RUN_LAST_H
#define TY_TRACKING_RUNS_RUN_LAST_H

#include "tracking/journal/keymap.h"
#include "tracking/runs/runs.h"

typedef struct ty_run_last {
    ty_keymap newest; /* by key: struct ty_run_batch *, the last record that has it */
} ty_run_last;

void ty_run_last_init(ty_run_last *last);
void ty_run_last_clear(ty_run_last *last);

/* Notes the next METRICS record; its payload is copied where it is needed.
 * Errors: TY_ERR_INTEGRITY, TY_ERR_NOMEM. */
ty_status ty_run_last_note(ty_ctx *ctx, ty_run_last *last,
                           const ty_journal_record *raw) TY_MUST_USE;

/* The metrics in the order of their first appearance, in arena, and the highest step of all.
 * Errors: TY_ERR_INTEGRITY, TY_ERR_NOMEM. */
ty_status ty_run_last_give(ty_ctx *ctx, const ty_run_last *last, ty_arena *arena,
                           const ty_run_value **out, int64_t *out_n, int64_t *out_step) TY_MUST_USE;

#endif
