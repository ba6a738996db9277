#include "tracking/runs/edits.h"

#include <string.h>

#include "tracking/store/peek.h"

enum { PATIENCE_MS = 2000 };

typedef struct reading {
    ty_ctx *ctx;
    ty_edits *edits;
    sqlite3 *db;
    /* The tags of the run that rows are coming for. */
    ty_run_edits *run;
    ty_run_value *tags;
    int64_t n, capacity;
} reading;

static const char *column(sqlite3_stmt *row, int at) {
    const char *text = (const char *)sqlite3_column_text(row, at);
    return text ? text : "";
}

static ty_status note_run(reading *r, sqlite3_stmt *row) {
    ty_run_edits *run = ty_keymap_put(&r->edits->runs, column(row, 0));
    if (!run)
        return ty_fail_nomem(r->ctx, "what was changed in MLflow");
    run->is_deleted = sqlite3_column_int(row, 1) != 0;
    run->name = sqlite3_column_type(row, 2) == SQLITE_NULL
                    ? NULL
                    : ty_arena_string(&r->edits->arena, column(row, 2));
    run->position = sqlite3_column_int64(row, 3);
    return TY_OK;
}

/* Rows come run by run; a run's tags move to the arena's end as they grow. */
static ty_status note_tag(reading *r, sqlite3_stmt *row) {
    ty_run_edits *run = ty_keymap_find(&r->edits->runs, column(row, 0));
    if (!run)
        return TY_OK;
    if (run != r->run) {
        r->run = run;
        r->n = r->capacity = 0;
    }
    if (r->n == r->capacity) {
        r->capacity = r->capacity != 0 ? r->capacity * 2 : 16;
        ty_run_value *tags = ty_arena_array(&r->edits->arena, (size_t)r->capacity, sizeof *tags);
        if (!tags)
            return ty_fail_nomem(r->ctx, "what was changed in MLflow");
        if (r->n != 0)
            memcpy(tags, r->tags, (size_t)r->n * sizeof *tags);
        r->tags = tags;
    }
    r->tags[r->n].key = ty_arena_string(&r->edits->arena, column(row, 1));
    r->tags[r->n].text = ty_arena_string(&r->edits->arena, column(row, 2));
    if (!r->tags[r->n].key || !r->tags[r->n].text)
        return ty_fail_nomem(r->ctx, "what was changed in MLflow");
    run->tags = r->tags;
    run->n_tags = ++r->n;
    return TY_OK;
}

/* What SQLite refuses is no failure of ours: *is_read says so. */
static ty_status each_row(reading *r, const char *sql,
                          ty_status (*note)(reading *r, sqlite3_stmt *row), bool *is_read) {
    sqlite3_stmt *row = NULL;
    ty_status st = TY_OK;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &row, NULL);
    while (st == TY_OK && row && (code = sqlite3_step(row)) == SQLITE_ROW)
        st = note(r, row);
    (void)sqlite3_finalize(row);
    *is_read = code == SQLITE_DONE;
    return st;
}

static ty_status read_all(reading *r, bool with_tags, bool *is_read) {
    TY_TRY(
        each_row(r,
                 "SELECT f.run_uuid, coalesce(r.lifecycle_stage = 'deleted', 1), r.name, f.sequence"
                 " FROM tiltyard_folded f LEFT JOIN runs r USING (run_uuid)",
                 note_run, is_read));
    if (!*is_read || !with_tags)
        return TY_OK;
    return each_row(r,
                    "SELECT run_uuid, \"key\", value FROM tags WHERE run_uuid IN"
                    " (SELECT run_uuid FROM tiltyard_folded) ORDER BY run_uuid, \"key\"",
                    note_tag, is_read);
}

static ty_status read_store(ty_ctx *ctx, const char *path, bool with_tags, ty_edits *edits) {
    reading r = {.ctx = ctx, .edits = edits};
    bool is_read = false;
    ty_status st = TY_OK;
    if (ty_peek_open(ctx, path, PATIENCE_MS, &r.db))
        st = read_all(&r, with_tags, &is_read);
    if (st == TY_OK && !is_read) {
        ty_log(ctx, TY_LOG_WARN, "tracking",
               "%s: %s; what was deleted, renamed or tagged in MLflow is not seen", path,
               r.db ? sqlite3_errmsg(r.db) : "out of memory");
        ty_edits_clear(edits);
    }
    (void)sqlite3_close(r.db);
    return st;
}

ty_status ty_edits_open(ty_ctx *ctx, const char *folder, bool with_tags, ty_edits *out) {
    *out = (ty_edits){0};
    ty_keymap_init(&out->runs, sizeof(ty_run_edits));
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, "mlflow.db");
    ty_status st = path ? TY_OK : ty_fail_nomem(ctx, "the store's name");
    if (st == TY_OK && ty_file_exists(ctx, path))
        st = read_store(ctx, path, with_tags, out);
    ty_arena_reset(&ctx->scratch, mark);
    if (st != TY_OK)
        ty_edits_clear(out);
    return st;
}

void ty_edits_clear(ty_edits *edits) {
    ty_keymap_clear(&edits->runs);
    ty_arena_clear(&edits->arena);
}

const ty_run_edits *ty_edits_of(const ty_edits *edits, const char *run_id) {
    return ty_keymap_find(&edits->runs, run_id);
}
