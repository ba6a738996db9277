/* Deleting runs, and who of them is registered. */
#include "tracking/runs/clean.h"

#include <string.h>

#include "tracking/store/peek.h"
#include "tracking/journal/record.h"
#include "tracking/runs/remove.h"
#include "tracking/runs/run_info.h"
#include "tracking/store/store.h"

enum { LEASE_MS = 30000, PATIENCE_MS = 20000 };

int64_t ty_run_bytes(ty_ctx *ctx, const char *run_folder) {
    return ty_remove_bytes(ctx, run_folder);
}

/* --- deleting --------------------------------------------------------------------------------- */

static ty_status mark_in_store(ty_ctx *ctx, ty_store *store, const char *run_id, bool *is_there) {
    int64_t experiment = -1;
    TY_TRY(ty_store_begin(ctx, store));
    ty_status st = ty_store_find_run(ctx, store, run_id, &experiment);
    if (st == TY_OK && experiment >= 0)
        st = ty_store_delete_run(ctx, store, run_id);
    if (st == TY_OK)
        st = ty_store_commit(ctx, store);
    if (st != TY_OK)
        ty_store_rollback(store);
    *is_there = experiment >= 0;
    return st;
}

static ty_status mark_folder(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, run_folder, TY_RUN_DELETED_NAME);
    const ty_status st =
        path ? ty_file_write_atomic(ctx, path, "", 0) : ty_fail_nomem(ctx, "a run's folder");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status mark(ty_ctx *ctx, const char *folder, const char *run_folder, const char *run_id) {
    const _Atomic int64_t give_up_ns = ty_now_ns(ctx) + PATIENCE_MS * 1000000ll;
    ty_store *store = NULL;
    bool is_there = false;
    const char *path = ty_path_join(&ctx->scratch, folder, "mlflow.db");
    if (!path)
        return ty_fail_nomem(ctx, "the store's name");
    if (ty_file_exists(ctx, path)) {
        TY_TRY(ty_store_open(ctx, folder, &give_up_ns, &store));
        const ty_status st = mark_in_store(ctx, store, run_id, &is_there);
        ty_store_close(store);
        if (st != TY_OK || is_there)
            return st;
    }
    return mark_folder(ctx, run_folder);
}

ty_status ty_runs_delete(ty_ctx *ctx, const char *folder, const char *run_folder,
                         const char *run_id) {
    ty_arena arena = {0};
    ty_lease *lease = NULL;
    const char *lease_path = ty_track_lease_path(&arena, run_folder);
    ty_status st = lease_path ? ty_lease_acquire(ctx, lease_path, LEASE_MS, &lease)
                              : ty_fail_nomem(ctx, "a lease's name");
    if (st == TY_OK)
        st = mark(ctx, folder, run_folder, run_id);
    ty_lease_release(ctx, lease);
    ty_arena_clear(&arena);
    return st;
}

/* --- what is registered ----------------------------------------------------------------------- */

static bool has_package(const ty_run_record *run, const char *source) {
    for (int64_t i = 0; i < run->n_packages; i++)
        if (strstr(source, run->packages[i].model_id))
            return true;
    return false;
}

/* A version is the run's by its run id, by the logged model that it was made of, or by its place. */
static bool is_of_run(const ty_run_record *run, sqlite3_stmt *row, const char *place) {
    const char *const run_id = (const char *)sqlite3_column_text(row, 2);
    if (run_id && strcmp(run_id, run->info.run_id) == 0)
        return true;
    for (int at = 3; at <= 4; at++) {
        const char *const source = (const char *)sqlite3_column_text(row, at);
        if (source &&
            (strstr(source, place) || has_package(run, source) || strstr(source, run->info.run_id)))
            return true;
    }
    return false;
}

static ty_status cannot_ask(ty_ctx *ctx, sqlite3 *db, const char *path) {
    const int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
    return ty_fail(ctx,
                   code == SQLITE_BUSY || code == SQLITE_LOCKED ? TY_ERR_BUSY : TY_ERR_INTEGRITY,
                   "%s: what is registered cannot be read, and what is may not be touched: %s",
                   path, db ? sqlite3_errmsg(db) : "out of memory");
}

static ty_status ask(ty_ctx *ctx, sqlite3 *db, const char *path, const ty_run_record *run,
                     const char *place, ty_text *out) {
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(db,
                                  "SELECT name, version, run_id, source, storage_location"
                                  " FROM model_versions WHERE current_stage IS NULL"
                                  " OR current_stage <> 'Deleted_Internal' ORDER BY name, version",
                                  -1, &row, NULL);
    while (row && (code = sqlite3_step(row)) == SQLITE_ROW)
        if (is_of_run(run, row, place))
            ty_text_addf(out, "%s%s %lld", out->length ? ", " : "",
                         (const char *)sqlite3_column_text(row, 0),
                         (long long)sqlite3_column_int64(row, 1));
    (void)sqlite3_finalize(row);
    if (code == SQLITE_DONE)
        return TY_OK;
    return cannot_ask(ctx, db, path);
}

static ty_status ask_store(ty_ctx *ctx, const char *path, const ty_run_record *run,
                           const char *place, ty_text *out) {
    sqlite3 *db = NULL;
    ty_status st = TY_OK;
    if (ty_peek_open(ctx, path, PATIENCE_MS, &db)) {
        st = ask(ctx, db, path, run, place, out);
    } else {
        st = cannot_ask(ctx, db, path);
    }
    (void)sqlite3_close(db);
    return st;
}

ty_status ty_run_registered(ty_ctx *ctx, const char *folder, const ty_run_record *run,
                            ty_arena *arena, const char **out) {
    ty_text names = {0};
    const char *path = ty_path_join(arena, folder, "mlflow.db");
    const char *slash = ty_arena_printf(arena, "%s/", run->info.folder);
    const char *place = slash ? ty_store_uri(arena, slash) : NULL;
    ty_status st = path && place ? TY_OK : ty_fail_nomem(ctx, "what is registered");
    if (st == TY_OK && ty_file_exists(ctx, path))
        st = ask_store(ctx, path, run, place, &names);
    *out = ty_arena_string(arena, ty_text_string(&names));
    if (st == TY_OK && (!*out || names.is_short))
        st = ty_fail_nomem(ctx, "what is registered");
    ty_text_clear(&names);
    return st;
}
