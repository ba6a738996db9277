#include "tracking/store/peek.h"

#include "tracking/store/store.h"

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

/* A query that does not fit the tables asks a store that has none of them. */
static ty_status judge(ty_ctx *ctx, sqlite3 *db, const ty_peek_query *query, int code) {
    if (code == SQLITE_ROW)
        return TY_OK;
    if (code == SQLITE_DONE || code == SQLITE_ERROR)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no %s", query->path, query->id);
    return ty_fail(ctx, code == SQLITE_BUSY ? TY_ERR_BUSY : TY_ERR_IO, "%s: %s", query->path,
                   sqlite3_errmsg(db));
}

static ty_status ask(ty_ctx *ctx, sqlite3 *db, const ty_peek_query *query, ty_arena *arena,
                     const char **out, int n) {
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(db, query->sql, -1, &row, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(row, 1, query->id, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    ty_status st = judge(ctx, db, query, code);
    for (int i = 0; st == TY_OK && i < n; i++) {
        const char *text = (const char *)sqlite3_column_text(row, i);
        if (!(out[i] = ty_arena_string(arena, text ? text : "")))
            st = ty_fail_nomem(ctx, "what the store says");
    }
    (void)sqlite3_finalize(row);
    return st;
}

ty_status ty_peek_ask(ty_ctx *ctx, const ty_peek_query *query, ty_arena *arena, const char **out,
                      int n) {
    sqlite3 *db = NULL;
    if (!ty_file_exists(ctx, query->path))
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no %s", query->path);
    const ty_status st = ty_peek_open(ctx, query->path, query->patience_ms, &db)
                             ? ask(ctx, db, query, arena, out, n)
                             : ty_fail(ctx, TY_ERR_IO, "%s: %s", query->path,
                                       db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_close(db);
    return st;
}
