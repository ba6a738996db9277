#include "tracking/peek.h"

#include "tracking/store.h"

/* A file that somebody else made is not to run anything here. */
static bool is_readable(sqlite3 *db, int patience_ms) {
    (void)sqlite3_busy_timeout(db, patience_ms);
    return sqlite3_exec(
               db,
               "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA query_only=ON;"
               "SELECT count(*) FROM sqlite_master",
               NULL, NULL, NULL) == SQLITE_OK;
}

/* A write-ahead log wants a file beside the database, which a folder that can only be read has not:
 * there nobody writes, either. */
static bool open_unchanging(ty_ctx *ctx, const char *path, sqlite3 **out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *escaped = ty_store_uri(&ctx->scratch, path);
    const char *uri =
        escaped ? ty_arena_printf(&ctx->scratch, "file:%s?immutable=1", escaped) : NULL;
    (void)sqlite3_close(*out);
    *out = NULL;
    const bool is_open =
        uri &&
        sqlite3_open_v2(uri, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                        NULL) == SQLITE_OK;
    ty_arena_reset(&ctx->scratch, mark);
    return is_open;
}

/* Opened for writing, so that the last one to close it takes the log's files along. */
bool ty_peek_open(ty_ctx *ctx, const char *path, int patience_ms, sqlite3 **out) {
    *out = NULL;
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
            SQLITE_OK &&
        is_readable(*out, patience_ms))
        return true;
    const int code = *out ? sqlite3_errcode(*out) & 0xff : SQLITE_NOMEM;
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY)
        return false;
    return open_unchanging(ctx, path, out) && is_readable(*out, patience_ms);
}
