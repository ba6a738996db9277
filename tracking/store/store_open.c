/* Opening mlflow.db: made where it is missing, left alone where it is somebody else's. */
#include "tracking/store/store_sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tracking/store/schema.h"

static int on_busy(void *self, int n_calls) {
    ty_store *store = self;
    const int64_t now = ty_now_ns(store->clock);
    if (n_calls == 0)
        store->busy_since_ns = now;
    if (now - store->busy_since_ns >= TY_STORE_BUSY_MS * 1000000ll ||
        now >= atomic_load(store->give_up_ns))
        return 0;
    const struct timespec pause = {.tv_nsec = n_calls < 10 ? 1000000 : 20000000};
    (void)nanosleep(&pause, NULL);
    return 1;
}

static ty_status count_tables(ty_ctx *ctx, ty_store *store, int64_t *out) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(store->db, "SELECT count(*) FROM sqlite_master", -1, &stmt, NULL) !=
            SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        const ty_status st = ty_sql_fail(ctx, store);
        (void)sqlite3_finalize(stmt);
        return st;
    }
    *out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return TY_OK;
}

/* MLflow wants an experiment 0 and would put its artifacts here. */
static ty_status add_default_experiment(ty_ctx *ctx, ty_store *store) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *place = ty_arena_printf(&ctx->scratch, "%s/mlruns/0", store->folder);
    const char *uri = place ? ty_store_uri(&ctx->scratch, place) : NULL;
    const ty_status st = uri ? ty_sql_run(ctx, store, TY_SQL_ADD_DEFAULT, NULL, "si", uri,
                                          (int64_t)(ty_now_wall_ns(ctx) / 1000000))
                             : ty_fail_nomem(ctx, "the store's first experiment");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

/* Another process may have come first: looked at again under the lock. */
static ty_status create(ty_ctx *ctx, ty_store *store) {
    int64_t n_tables = 0;
    ty_status st = ty_store_begin(ctx, store);
    if (st == TY_OK)
        st = count_tables(ctx, store, &n_tables);
    if (st == TY_OK && n_tables == 0) {
        st = ty_schema_create(ctx, store->db);
        if (st == TY_OK)
            st = add_default_experiment(ctx, store);
    }
    if (st == TY_OK)
        st = ty_store_commit(ctx, store);
    if (st != TY_OK)
        ty_store_rollback(store);
    return st;
}

/* A write-ahead log wants shared memory, which network file systems have not. Where another
 * connection keeps the mode from changing, the one that it has is fine too. */
static ty_status set_modes(ty_ctx *ctx, ty_store *store) {
    const bool is_network = ty_disk_is_network(ctx, store->folder);
    (void)sqlite3_exec(store->db,
                       is_network ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL", NULL,
                       NULL, NULL);
    return ty_sql_exec(ctx, store,
                       is_network ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
}

static ty_status prepare_store(ty_ctx *ctx, ty_store *store) {
    int64_t n_tables = 0;
    (void)sqlite3_busy_handler(store->db, on_busy, store);
    /* A file that somebody else made is not to run anything here. */
    TY_TRY(ty_sql_exec(ctx, store, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"));
    /* What a statement of many rows would undo is kept in memory, not in a file for each. */
    TY_TRY(ty_sql_exec(ctx, store, "PRAGMA temp_store=MEMORY"));
    TY_TRY(ty_sql_exec(ctx, store, "PRAGMA foreign_keys=ON"));
    TY_TRY(count_tables(ctx, store, &n_tables));
    if (n_tables == 0)
        TY_TRY(create(ctx, store));
    const ty_status st = ty_schema_check(ctx, store->db);
    if (st != TY_OK)
        return ty_fail_within(ctx, st, "%s is no store that we know", store->path);
    TY_TRY(set_modes(ctx, store));
    TY_TRY(ty_schema_join(ctx, store->db));
    return ty_schema_has_column(ctx, store->db, "experiments", "workspace", &store->has_workspaces);
}

static ty_status open_file(ty_ctx *ctx, ty_store *store) {
    const int code =
        sqlite3_open_v2(store->path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!store->db)
        return ty_fail_nomem(ctx, "the store");
    return code == SQLITE_OK ? prepare_store(ctx, store) : ty_sql_fail(ctx, store);
}

ty_status ty_store_open(ty_ctx *ctx, const char *folder, const _Atomic int64_t *give_up_ns,
                        ty_store **out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, "mlflow.db");
    const ty_status st =
        path ? ty_store_open_file(ctx, path, give_up_ns, out) : ty_fail_nomem(ctx, "the store");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_store_open_file(ty_ctx *ctx, const char *file, const _Atomic int64_t *give_up_ns,
                             ty_store **out) {
    ty_store *store = calloc(1, sizeof *store);
    if (!store)
        return ty_fail_nomem(ctx, "the store");
    ty_status st = TY_OK;
    store->clock = ctx;
    store->give_up_ns = give_up_ns;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_absolute(&ctx->scratch, file);
    const char *folder = path ? ty_path_folder(&ctx->scratch, path) : NULL;
    store->folder = folder ? strdup(folder) : NULL;
    store->path = path ? strdup(path) : NULL;
    ty_arena_reset(&ctx->scratch, mark);
    st = store->folder && store->path ? open_file(ctx, store) : ty_fail_nomem(ctx, "the store");
    if (st == TY_OK)
        *out = store;
    else
        ty_store_close(store);
    return st;
}

void ty_store_close(ty_store *store) {
    if (!store)
        return;
    for (int i = 0; i < TY_SQL_COUNT; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    free(store->path);
    free(store->folder);
    free(store);
}

ty_status ty_store_begin(ty_ctx *ctx, ty_store *store) {
    return ty_sql_exec(ctx, store, "BEGIN IMMEDIATE");
}

ty_status ty_store_commit(ty_ctx *ctx, ty_store *store) {
    return ty_sql_exec(ctx, store, "COMMIT");
}

void ty_store_rollback(ty_store *store) {
    if (sqlite3_get_autocommit(store->db) == 0)
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}
