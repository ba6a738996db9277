/* One run's journal on its way into the store: read record by record, written in short
 * transactions. Each brings rows and, with them, how far the journal is folded, so that whoever
 * folds next goes on there: nothing is added twice, and what was taken away in MLflow since does
 * not come back. */
#ifndef TY_TRACKING_STORE_FOLD_H
#define TY_TRACKING_STORE_FOLD_H

#include "tracking/journal/keymap.h"
#include "tracking/store/store.h"
#include "tracking/tracking.h"

enum { TY_FOLD_MAX_ROWS = 1000 };

typedef struct ty_fold ty_fold;

/* Opens the journal in run_folder (absolute). *out is the caller's to close.
 * Errors: TY_ERR_NOT_FOUND, TY_ERR_INTEGRITY. */
ty_status ty_fold_open(ty_ctx *ctx, const char *run_folder, ty_fold **out) TY_MUST_USE;
void ty_fold_close(ty_fold *fold); /* accepts NULL */

/* Folds what the journal has up to last_sequence (UINT64_MAX: all there is), at most
 * TY_FOLD_MAX_ROWS rows; *has_more says to come again. On failure nothing of it is in the store and
 * the same call may be made again, also with another store. Adds to report.
 * Errors: TY_ERR_BUSY, TY_ERR_INTEGRITY, TY_ERR_IO. */
ty_status ty_fold_some(ty_ctx *ctx, ty_fold *fold, ty_store *store, uint64_t last_sequence,
                       ty_rebuild_report *report, bool *has_more) TY_MUST_USE;

/* Whether the journal, not the store, was what failed. */
bool ty_fold_is_damaged(const ty_fold *fold);

/* The run's id, "" until its journal was read. */
const char *ty_fold_run_id(const ty_fold *fold);

/* The run's experiment in the store, -1 until it is known. */
int64_t ty_fold_experiment(const ty_fold *fold);

#endif
