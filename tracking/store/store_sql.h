/* The store's database: its statements by name, prepared once, run with values bound by letter. For
 * tracking/store*.c alone. */
#ifndef TY_TRACKING_STORE_STORE_SQL_H
#define TY_TRACKING_STORE_STORE_SQL_H

#include <sqlite3.h>

#include "tracking/store/store.h"

typedef enum ty_sql {
    TY_SQL_POSITION,
    TY_SQL_SET_POSITION,
    TY_SQL_NOTE_GUEST,
    TY_SQL_FIND_EXPERIMENT,
    TY_SQL_ADD_DEFAULT,
    TY_SQL_ADD_EXPERIMENT,
    TY_SQL_ADD_EXPERIMENT_TAG,
    TY_SQL_FIND_RUN,
    TY_SQL_ADD_RUN,
    TY_SQL_SET_STATE,
    TY_SQL_DELETE_RUN,
    TY_SQL_ADD_PARAM,
    TY_SQL_ADD_TAG,
    TY_SQL_CHANGE_TAG,
    TY_SQL_READ_TAG,
    TY_SQL_ADD_POINT,
    TY_SQL_ADD_POINTS_16,
    TY_SQL_ADD_POINTS_128,
    TY_SQL_SET_LATEST,
    TY_SQL_FIND_DATASET,
    TY_SQL_ADD_DATASET,
    TY_SQL_FIND_INPUT,
    TY_SQL_ADD_INPUT,
    TY_SQL_ADD_CONTEXT,
    TY_SQL_ADD_MODEL,
    TY_SQL_ADD_MODEL_PARAMS,
    TY_SQL_ADD_MODEL_TAGS,
    TY_SQL_ADD_MODEL_NOTE,
    TY_SQL_ADD_OUTPUT,
    TY_SQL_ADD_MODEL_POINTS,
    TY_SQL_ARTIFACT_URI,
    TY_SQL_SET_ARTIFACT_URI,
    TY_SQL_HAS_MOVED,
    TY_SQL_MOVE_EXPERIMENTS,
    TY_SQL_MOVE_MODELS,
    TY_SQL_MOVE_VERSIONS,
    TY_SQL_LOGGED_MODEL,
    TY_SQL_MODELS,
    TY_SQL_MODEL_TAGS,
    TY_SQL_MODEL_ALIASES,
    TY_SQL_MAKE_MODEL,
    TY_SQL_TOUCH_MODEL,
    TY_SQL_TAG_MODEL,
    TY_SQL_UNTAG_MODEL,
    TY_SQL_DESCRIBE_MODEL,
    TY_SQL_VERSIONS,
    TY_SQL_VERSION_TAGS,
    TY_SQL_VERSION_OF_UID,
    TY_SQL_ADD_VERSION,
    TY_SQL_TAG_VERSION,
    TY_SQL_UNTAG_VERSION,
    TY_SQL_DESCRIBE_VERSION,
    TY_SQL_LINK_VERSION,
    TY_SQL_ALIAS,
    TY_SQL_SET_ALIAS,
    TY_SQL_DELETE_ALIAS,
    TY_SQL_COUNT
} ty_sql;

struct ty_store {
    const ty_ctx *clock; /* the opener's; for the busy handler */
    sqlite3 *db;
    char *path, *folder;
    const _Atomic int64_t *give_up_ns;
    int64_t busy_since_ns;
    bool has_workspaces;
    sqlite3_stmt *statements[TY_SQL_COUNT];
};

/* The failure that SQLite just reported, as a status with the store's path in the message. */
ty_status ty_sql_fail(ty_ctx *ctx, const ty_store *store);

/* Runs a text without values. */
ty_status ty_sql_exec(ty_ctx *ctx, ty_store *store, const char *sql) TY_MUST_USE;

/* Runs a statement; the rows it wrote are added to *changes (may be NULL). format has a letter for
 * each value ?1, ?2...: s text or NULL, n (text, int bytes), i int64_t, d double. */
ty_status ty_sql_run(ty_ctx *ctx, ty_store *store, ty_sql which, int64_t *changes,
                     const char *format, ...) TY_MUST_USE;

/* For values that no format has letters for: the statement, to be bound; and its run, which adds to
 * *changes (may be NULL) as ty_sql_run does. */
ty_status ty_sql_statement(ty_ctx *ctx, ty_store *store, ty_sql which,
                           sqlite3_stmt **out) TY_MUST_USE;
ty_status ty_sql_finish(ty_ctx *ctx, ty_store *store, sqlite3_stmt *stmt,
                        int64_t *changes) TY_MUST_USE;

/* Asks for a row; on success the caller reads *out's columns while *has_row, and resets it in any
 * case. */
ty_status ty_sql_ask(ty_ctx *ctx, ty_store *store, ty_sql which, sqlite3_stmt **out, bool *has_row,
                     const char *format, ...) TY_MUST_USE;

#endif
