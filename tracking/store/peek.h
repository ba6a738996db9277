/* The embedded store for those who only look: nothing is changed, and no file stays beside it. */
#ifndef TY_TRACKING_STORE_PEEK_H
#define TY_TRACKING_STORE_PEEK_H

#include <sqlite3.h>

#include "base/base.h"

/* Opens the database at path; a statement waits patience_ms for a lock. *out is the caller's to
 * sqlite3_close, also where SQLite refuses (its words are in it) or it is NULL (no memory). False:
 * refused. */
bool ty_peek_open(ty_ctx *ctx, const char *path, int patience_ms, sqlite3 **out) TY_MUST_USE;

typedef struct ty_peek_query {
    const char *path, *sql, *id; /* ?1 is id */
    int patience_ms;
} ty_peek_query;

/* The first n columns of the first row, as texts in arena. A file that is missing is not made.
 * Errors: TY_ERR_NOT_FOUND no file, no such table, no row; TY_ERR_BUSY; TY_ERR_IO. */
ty_status ty_peek_ask(ty_ctx *ctx, const ty_peek_query *query, ty_arena *arena, const char **out,
                      int n) TY_MUST_USE;

#endif
