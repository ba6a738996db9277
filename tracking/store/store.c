#include "tracking/store/store.h"

#include <string.h>

#include "tracking/identity.h"
#include "tracking/limits.h"
#include "tracking/store/store_sql.h"
#include "tracking/tags.h"

static const int64_t ns_per_ms = 1000000;

ty_status ty_store_position(ty_ctx *ctx, ty_store *store, const char *journal_id, int64_t *out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_POSITION, &row, &has_row, "s", journal_id));
    *out = has_row ? sqlite3_column_int64(row, 0) : -1;
    (void)sqlite3_reset(row);
    return TY_OK;
}

ty_status ty_store_set_position(ty_ctx *ctx, ty_store *store, const char *journal_id,
                                int64_t sequence) {
    return ty_sql_run(ctx, store, TY_SQL_SET_POSITION, NULL, "si", journal_id, sequence);
}

ty_status ty_store_note_guest(ty_ctx *ctx, ty_store *store, const char *run_id) {
    return ty_sql_run(ctx, store, TY_SQL_NOTE_GUEST, NULL, "s", run_id);
}

ty_status ty_store_find_run(ty_ctx *ctx, ty_store *store, const char *run_id,
                            int64_t *out_experiment_id) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_FIND_RUN, &row, &has_row, "s", run_id));
    *out_experiment_id = has_row ? sqlite3_column_int64(row, 0) : -1;
    (void)sqlite3_reset(row);
    return TY_OK;
}

/* --- experiments and runs --------------------------------------------------------------------- */

static ty_status find_experiment(ty_ctx *ctx, ty_store *store, const char *name, int64_t *out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_FIND_EXPERIMENT, &row, &has_row, "n", name,
                      ty_limit_bytes(name, TY_LIMIT_EXPERIMENT)));
    *out = has_row ? sqlite3_column_int64(row, 0) : -1;
    if (has_row && sqlite3_column_int(row, 1) != 0)
        ty_log(ctx, TY_LOG_WARN, "tracking",
               "experiment %s is deleted in MLflow; the run is recorded there and shows once the "
               "experiment is restored",
               name);
    (void)sqlite3_reset(row);
    return TY_OK;
}

/* Artifacts of runs that others add to the experiment go beside ours. */
static ty_status add_experiment(ty_ctx *ctx, ty_store *store, const ty_track_record *run,
                                int64_t *out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = TY_OK;
    const char *place =
        ty_arena_printf(&ctx->scratch, "%s/runs/%s", store->folder, run->run.experiment);
    const char *uri = place ? ty_store_uri(&ctx->scratch, place) : NULL;
    if (uri)
        st = ty_sql_run(ctx, store, TY_SQL_ADD_EXPERIMENT, NULL, "nsi", run->run.experiment,
                        ty_limit_bytes(run->run.experiment, TY_LIMIT_EXPERIMENT), uri,
                        run->time_ns / ns_per_ms);
    else
        st = ty_fail_nomem(ctx, "an experiment's name");
    *out = sqlite3_last_insert_rowid(store->db);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status add_own_tags(ty_ctx *ctx, ty_store *store, const ty_track_record *run) {
    const char *tags[TY_TRACK_OWN_TAGS][2];
    ty_track_own_tags(run, tags);
    for (size_t i = 0; i < TY_TRACK_OWN_TAGS; i++)
        if (tags[i][1])
            TY_TRY(
                ty_store_set_tag(ctx, store, run->run.run_id, tags[i][0], NULL, tags[i][1], NULL));
    return TY_OK;
}

static ty_status add_run_row(ty_ctx *ctx, ty_store *store, const ty_track_record *run,
                             const char *run_folder, int64_t experiment_id) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *place = ty_track_artifacts_path(&ctx->scratch, run_folder);
    const char *uri = place ? ty_store_uri(&ctx->scratch, place) : NULL;
    const ty_status st =
        uri ? ty_sql_run(ctx, store, TY_SQL_ADD_RUN, NULL, "snsisi", run->run.run_id, run->run.name,
                         ty_limit_bytes(run->run.name, TY_LIMIT_NAME),
                         run->run.user ? run->run.user : "", run->time_ns / ns_per_ms, uri,
                         experiment_id)
            : ty_fail_nomem(ctx, "a run's artifact folder");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status add_experiment_tags(ty_ctx *ctx, ty_store *store, const ty_track_record *run,
                                     int64_t experiment_id) {
    const char *tags[TY_TRACK_EXPERIMENT_TAGS][2];
    ty_track_experiment_tags(run, tags);
    for (int i = 0; i < TY_TRACK_EXPERIMENT_TAGS; i++)
        if (tags[i][1])
            TY_TRY(ty_sql_run(ctx, store, TY_SQL_ADD_EXPERIMENT_TAG, NULL, "isn", experiment_id,
                              tags[i][0], tags[i][1],
                              ty_limit_bytes(tags[i][1], TY_LIMIT_EXPERIMENT_TAG)));
    return TY_OK;
}

ty_status ty_store_add_run(ty_ctx *ctx, ty_store *store, const ty_track_record *run,
                           const char *run_folder, int64_t *out_experiment_id) {
    TY_TRY(find_experiment(ctx, store, run->run.experiment, out_experiment_id));
    if (*out_experiment_id < 0)
        TY_TRY(add_experiment(ctx, store, run, out_experiment_id));
    TY_TRY(add_experiment_tags(ctx, store, run, *out_experiment_id));
    TY_TRY(add_run_row(ctx, store, run, run_folder, *out_experiment_id));
    return add_own_tags(ctx, store, run);
}

ty_status ty_store_set_state(ty_ctx *ctx, ty_store *store, const char *run_id, ty_run_state state,
                             int64_t end_ns) {
    return ty_sql_run(ctx, store, TY_SQL_SET_STATE, NULL, "ssi", run_id, ty_track_state_name(state),
                      end_ns / ns_per_ms);
}

ty_status ty_store_delete_run(ty_ctx *ctx, ty_store *store, const char *run_id) {
    return ty_sql_run(ctx, store, TY_SQL_DELETE_RUN, NULL, "si", run_id,
                      (int64_t)(ty_now_wall_ns(ctx) / ns_per_ms));
}

/* --- what a run says -------------------------------------------------------------------------- */

ty_status ty_store_add_param(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                             const char *value, int64_t *added) {
    char clean[TY_LIMIT_KEY_BYTES];
    ty_limit_key(key, clean);
    return ty_sql_run(ctx, store, TY_SQL_ADD_PARAM, added, "ssn", run_id, clean, value,
                      ty_limit_bytes(value, TY_LIMIT_PARAM));
}

ty_status ty_store_set_tag(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                           const char *previous, const char *value, int64_t *added) {
    char clean[TY_LIMIT_KEY_BYTES];
    ty_limit_key(key, clean);
    const int bytes = ty_limit_bytes(value, TY_LIMIT_TAG);
    if (!previous)
        return ty_sql_run(ctx, store, TY_SQL_ADD_TAG, added, "ssn", run_id, clean, value, bytes);
    return ty_sql_run(ctx, store, TY_SQL_CHANGE_TAG, added, "ssnn", run_id, clean, value, bytes,
                      previous, ty_limit_bytes(previous, TY_LIMIT_TAG));
}

ty_status ty_store_read_tag(ty_ctx *ctx, ty_store *store, const char *run_id, const char *key,
                            ty_text *out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_READ_TAG, &row, &has_row, "ss", run_id, key));
    const char *value = has_row ? (const char *)sqlite3_column_text(row, 0) : NULL;
    ty_text_add(out, value ? value : "");
    (void)sqlite3_reset(row);
    return TY_OK;
}

/* --- data sets -------------------------------------------------------------------------------- */

/* The text in the first column of the row that answers; "" where there is none. */
static ty_status ask_id(ty_ctx *ctx, sqlite3_stmt *row, bool has_row, char out[64]) {
    const char *text = has_row ? (const char *)sqlite3_column_text(row, 0) : "";
    const size_t length = text ? strlen(text) : 64;
    if (length < 64)
        memcpy(out, text, length + 1);
    (void)sqlite3_reset(row);
    return length < 64 ? TY_OK
                       : ty_fail(ctx, TY_ERR_INTEGRITY, "the store holds an id that is none");
}

/* MLflow keeps a source as JSON. */
static const char *source_json(const char *source, ty_text *buffer) {
    if (!source || source[0] == '{')
        return source ? source : "{}";
    ty_text_add(buffer, "{\"uri\": ");
    ty_text_add_json(buffer, source);
    ty_text_add(buffer, "}");
    return ty_text_string(buffer);
}

static ty_status dataset_id(ty_ctx *ctx, ty_store *store, int64_t experiment_id,
                            const ty_track_record *r, char out[64]) {
    sqlite3_stmt *row;
    bool has_row;
    ty_text buffer = {0};
    const int name_bytes = ty_limit_bytes(r->dataset.name, TY_LIMIT_DATASET);
    const int digest_bytes = ty_limit_bytes(r->dataset.digest, TY_LIMIT_DIGEST);
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_FIND_DATASET, &row, &has_row, "inn", experiment_id,
                      r->dataset.name, name_bytes, r->dataset.digest, digest_bytes));
    TY_TRY(ask_id(ctx, row, has_row, out));
    if (has_row)
        return TY_OK;
    TY_TRY(ty_identity_random(ctx, out));
    const ty_status st =
        ty_sql_run(ctx, store, TY_SQL_ADD_DATASET, NULL, "sinnsss", out, experiment_id,
                   r->dataset.name, name_bytes, r->dataset.digest, digest_bytes,
                   source_json(r->dataset.source, &buffer), r->dataset.schema, r->dataset.profile);
    ty_text_clear(&buffer);
    return st;
}

static ty_status input_id(ty_ctx *ctx, ty_store *store, const char *dataset, const char *run_id,
                          int64_t *added, char out[64]) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_FIND_INPUT, &row, &has_row, "ss", dataset, run_id));
    TY_TRY(ask_id(ctx, row, has_row, out));
    if (has_row)
        return TY_OK;
    TY_TRY(ty_identity_random(ctx, out));
    return ty_sql_run(ctx, store, TY_SQL_ADD_INPUT, added, "sss", out, dataset, run_id);
}

ty_status ty_store_add_dataset(ty_ctx *ctx, ty_store *store, const char *run_id,
                               int64_t experiment_id, const ty_track_record *r, int64_t *added) {
    char dataset[64], input[64];
    TY_TRY(dataset_id(ctx, store, experiment_id, r, dataset));
    TY_TRY(input_id(ctx, store, dataset, run_id, added, input));
    if (!r->dataset.context)
        return TY_OK;
    return ty_sql_run(ctx, store, TY_SQL_ADD_CONTEXT, NULL, "sn", input, r->dataset.context,
                      ty_limit_bytes(r->dataset.context, TY_LIMIT_CONTEXT));
}

/* --- places ----------------------------------------------------------------------------------- */

char *ty_store_uri(ty_arena *arena, const char *path) {
    ty_text uri = {0};
    for (; *path != '\0'; path++) {
        if (strchr("%#?", *path))
            ty_text_addf(&uri, "%%%02X", (unsigned char)*path);
        else
            ty_text_add_n(&uri, path, 1);
    }
    char *copy = uri.is_short ? NULL : ty_arena_string(arena, ty_text_string(&uri));
    ty_text_clear(&uri);
    return copy;
}

ty_status ty_store_artifact_uri(ty_ctx *ctx, ty_store *store, const char *run_id, ty_arena *arena,
                                char **out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_ARTIFACT_URI, &row, &has_row, "s", run_id));
    const char *uri = has_row ? (const char *)sqlite3_column_text(row, 0) : NULL;
    *out = has_row ? ty_arena_string(arena, uri ? uri : "") : NULL;
    (void)sqlite3_reset(row);
    return has_row && !*out ? ty_fail_nomem(ctx, "a run's artifact folder") : TY_OK;
}

ty_status ty_store_set_artifact_uri(ty_ctx *ctx, ty_store *store, const char *run_id,
                                    const char *uri) {
    return ty_sql_run(ctx, store, TY_SQL_SET_ARTIFACT_URI, NULL, "ss", run_id, uri);
}

ty_status ty_store_has_moved(ty_ctx *ctx, ty_store *store, const char *folder_uri, bool *out) {
    sqlite3_stmt *row;
    TY_TRY(ty_sql_ask(ctx, store, TY_SQL_HAS_MOVED, &row, out, "s", folder_uri));
    (void)sqlite3_reset(row);
    return TY_OK;
}

ty_status ty_store_move_locations(ty_ctx *ctx, ty_store *store, const char *from_uri,
                                  const char *to_uri) {
    static const ty_sql moves[] = {TY_SQL_MOVE_EXPERIMENTS, TY_SQL_MOVE_MODELS,
                                   TY_SQL_MOVE_VERSIONS};
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        TY_TRY(ty_sql_run(ctx, store, moves[i], NULL, "ss", from_uri, to_uri));
    return TY_OK;
}
