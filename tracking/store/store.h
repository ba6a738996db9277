/* mlflow.db, row by row: the statements, and what MLflow wants in their values. Nothing here
 * changes a row that somebody else wrote, apart from a run's status and end, which are ours. All
 * calls but open and close want a transaction. */
#ifndef TY_TRACKING_STORE_STORE_H
#define TY_TRACKING_STORE_STORE_H

#include <stdatomic.h>

#include "tracking/journal/record.h"

typedef struct ty_store ty_store;

enum { TY_STORE_BUSY_MS = 20000 };

/* Opens <folder>/mlflow.db, creating it at the schema that every MLflow since 3.0 takes up. A
 * statement that meets a lock waits TY_STORE_BUSY_MS, or until *give_up_ns (ty_now_ns; another
 * thread may change it). *out is the caller's to close.
 * Errors: TY_ERR_BUSY; TY_ERR_INTEGRITY no database, or one that our statements don't fit;
 * TY_ERR_IO. */
ty_status ty_store_open(ty_ctx *ctx, const char *folder, const _Atomic int64_t *give_up_ns,
                        ty_store **out) TY_MUST_USE;

/* The same for a database of any name. */
ty_status ty_store_open_file(ty_ctx *ctx, const char *path, const _Atomic int64_t *give_up_ns,
                             ty_store **out) TY_MUST_USE;
void ty_store_close(ty_store *store); /* rolls back; accepts NULL */

/* begin takes the write lock at once. Errors: TY_ERR_BUSY; TY_ERR_IO. rollback cannot fail. */
ty_status ty_store_begin(ty_ctx *ctx, ty_store *store) TY_MUST_USE;
ty_status ty_store_commit(ty_ctx *ctx, ty_store *store) TY_MUST_USE;
void ty_store_rollback(ty_store *store);

/* How far a journal is in the store: its last sequence, -1 where nothing is. Needs no
 * transaction. */
ty_status ty_store_position(ty_ctx *ctx, ty_store *store, const char *journal_id,
                            int64_t *out) TY_MUST_USE;
ty_status ty_store_set_position(ty_ctx *ctx, ty_store *store, const char *journal_id,
                                int64_t sequence) TY_MUST_USE;

/* A run of others in which a journal of ours records: edits of it are looked for from here on. */
ty_status ty_store_note_guest(ty_ctx *ctx, ty_store *store, const char *run_id) TY_MUST_USE;

/* The experiment of a run; -1: there is no such run. */
ty_status ty_store_find_run(ty_ctx *ctx, ty_store *store, const char *run_id,
                            int64_t *out_experiment_id) TY_MUST_USE;

/* Adds the run of a RUN record (its experiment too, where it is missing) with its tags; run_folder
 * is absolute. */
ty_status ty_store_add_run(ty_ctx *ctx, ty_store *store, const ty_track_record *run,
                           const char *run_folder, int64_t *out_experiment_id) TY_MUST_USE;

/* *added counts rows that were not there. A row that is there stays as it is. */
ty_status ty_store_add_param(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                             const char *value, int64_t *added) TY_MUST_USE;
ty_status ty_store_add_points(ty_ctx *ctx, ty_store *store, const char *run_id,
                              const ty_track_point *points, int64_t n, int64_t *added) TY_MUST_USE;
ty_status ty_store_add_dataset(ty_ctx *ctx, ty_store *store, const char *run_id,
                               int64_t experiment_id, const ty_track_record *dataset,
                               int64_t *added) TY_MUST_USE;

/* previous is what we wrote before, NULL for nothing: a tag that was since changed or taken away in
 * MLflow stays so. */
ty_status ty_store_set_tag(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                           const char *previous, const char *value, int64_t *added) TY_MUST_USE;

/* A tag's value as it is by now; "" where there is none. Needs no transaction. */
ty_status ty_store_read_tag(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                            ty_text *out) TY_MUST_USE;

/* The model of a PACKAGE record of a run, with the run's params and those of its tags that say where
 * it is from, as an output of the run; its metrics are the run's test/... points of that step. */
ty_status ty_store_add_model(ty_ctx *ctx, ty_store *store, const char *run_id,
                             const char *run_folder, const ty_track_record *package,
                             int64_t *added) TY_MUST_USE;

/* The run's test/... points at step become metrics of its models of that step, too. */
ty_status ty_store_link_points(ty_ctx *ctx, ty_store *store, const char *run_id,
                               int64_t step) TY_MUST_USE;

/* As MLflow deletes a run: its UI hides it and can restore it. */
ty_status ty_store_delete_run(ty_ctx *ctx, ty_store *store, const char *run_id) TY_MUST_USE;

/* end_ns 0: it runs. */
ty_status ty_store_set_state(ty_ctx *ctx, ty_store *store, const char *run_id, ty_run_state state,
                             int64_t end_ns) TY_MUST_USE;

/* Where a run's artifacts lie by the store, in arena, NULL where there is no such run; and the run
 * is told to be elsewhere. URIs are paths with %, # and ? escaped, as MLflow unescapes them. */
ty_status ty_store_artifact_uri(ty_ctx *ctx, ty_store *store, const char *run_id, ty_arena *arena,
                                char **out) TY_MUST_USE;
ty_status ty_store_set_artifact_uri(ty_ctx *ctx, ty_store *store, const char *run_id,
                                    const char *uri) TY_MUST_USE;
char *ty_store_uri(ty_arena *arena, const char *path);

/* Whether a run's artifacts lie outside of the folder (a path with a / at its end, as a URI). */
ty_status ty_store_has_moved(ty_ctx *ctx, ty_store *store, const char *folder_uri,
                             bool *out) TY_MUST_USE;

/* Experiments, logged models and versions below one folder are told to be below another; both URIs
 * end with /. */
ty_status ty_store_move_locations(ty_ctx *ctx, ty_store *store, const char *from_uri,
                                  const char *to_uri) TY_MUST_USE;

#endif
