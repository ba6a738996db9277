/* The embedded store for those who only look: nothing is changed, and no file stays beside it. */
#ifndef TY_TRACKING_PEEK_H
#define TY_TRACKING_PEEK_H

#include <sqlite3.h>

#include "base/base.h"

/* Opens the database at path; a statement waits patience_ms for a lock. *out is the caller's to
 * sqlite3_close, also where SQLite refuses (its words are in it) or it is NULL (no memory). False:
 * refused. */
bool ty_peek_open(ty_ctx *ctx, const char *path, int patience_ms, sqlite3 **out) TY_MUST_USE;

#endif
