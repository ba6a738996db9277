#include "tracking/store/store_sql.h"

#include <stdarg.h>
#include <string.h>

/* ? is the value after the last. */
#define ADD_POINTS "INSERT INTO metrics (run_uuid, \"key\", step, timestamp, value, is_nan) VALUES "
#define A_POINT "(?1, ?, ?, ?, ?, ?)"
#define POINTS_4 A_POINT ", " A_POINT ", " A_POINT ", " A_POINT
#define POINTS_8 POINTS_4 ", " POINTS_4
#define POINTS_16 POINTS_8 ", " POINTS_8
#define POINTS_64 POINTS_16 ", " POINTS_16 ", " POINTS_16 ", " POINTS_16
#define POINT_KNOWN " ON CONFLICT DO NOTHING"

/* Columns are named, so that the same text fits a schema that MLflow has widened. Uniqueness is the
 * only conflict that is passed over: a broken CHECK or reference must be heard. Names are unique
 * within a workspace since MLflow 3.10; ours is the one that it calls default. What stands in braces
 * is there where the store has workspaces. */
static const char *const texts[TY_SQL_COUNT] = {
    [TY_SQL_POSITION] = "SELECT sequence FROM tiltyard_folded WHERE run_uuid = ?1",
    [TY_SQL_SET_POSITION] = "INSERT INTO tiltyard_folded (run_uuid, sequence) VALUES (?1, ?2)"
                            " ON CONFLICT (run_uuid) DO UPDATE SET sequence = excluded.sequence",
    /* Position 0 is no journal's: each begins with record 1. */
    [TY_SQL_NOTE_GUEST] = "INSERT INTO tiltyard_folded (run_uuid, sequence) VALUES (?1, 0)"
                          " ON CONFLICT DO NOTHING",
    [TY_SQL_FIND_EXPERIMENT] = "SELECT experiment_id, lifecycle_stage = 'deleted' FROM experiments"
                               " WHERE name = ?1{ AND workspace = 'default'}",
    [TY_SQL_ADD_DEFAULT] = "INSERT INTO experiments (experiment_id, name, artifact_location,"
                           " lifecycle_stage, creation_time, last_update_time)"
                           " VALUES (0, 'Default', ?1, 'active', ?2, ?2)",
    [TY_SQL_ADD_EXPERIMENT] = "INSERT INTO experiments (name, artifact_location, lifecycle_stage,"
                              " creation_time, last_update_time) VALUES (?1, ?2, 'active', ?3, ?3)",
    [TY_SQL_ADD_EXPERIMENT_TAG] = "INSERT INTO experiment_tags (\"key\", value, experiment_id)"
                                  " VALUES (?2, ?3, ?1) ON CONFLICT DO NOTHING",
    [TY_SQL_FIND_RUN] = "SELECT experiment_id FROM runs WHERE run_uuid = ?1",
    [TY_SQL_ADD_RUN] =
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name,"
        " user_id, status, start_time, source_version, lifecycle_stage, artifact_uri,"
        " experiment_id)"
        " VALUES (?1, ?2, 'LOCAL', '', '', ?3, 'RUNNING', ?4, '', 'active', ?5, ?6)",
    [TY_SQL_SET_STATE] =
        "UPDATE runs SET status = ?2, end_time = nullif(?3, 0) WHERE run_uuid = ?1",
    [TY_SQL_DELETE_RUN] = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?2"
                          " WHERE run_uuid = ?1 AND lifecycle_stage <> 'deleted'",
    [TY_SQL_ADD_PARAM] = "INSERT INTO params (\"key\", value, run_uuid) VALUES (?2, ?3, ?1)"
                         " ON CONFLICT DO NOTHING",
    [TY_SQL_ADD_TAG] = "INSERT INTO tags (\"key\", value, run_uuid) VALUES (?2, ?3, ?1)"
                       " ON CONFLICT DO NOTHING",
    [TY_SQL_CHANGE_TAG] = "UPDATE tags SET value = ?3"
                          " WHERE run_uuid = ?1 AND \"key\" = ?2 AND value = ?4",
    [TY_SQL_READ_TAG] = "SELECT value FROM tags WHERE run_uuid = ?1 AND \"key\" = ?2",
    [TY_SQL_ADD_POINT] = ADD_POINTS A_POINT POINT_KNOWN,
    [TY_SQL_ADD_POINTS_16] = ADD_POINTS POINTS_16 POINT_KNOWN,
    [TY_SQL_ADD_POINTS_128] = ADD_POINTS POINTS_64 ", " POINTS_64 POINT_KNOWN,
    [TY_SQL_SET_LATEST] =
        "INSERT INTO latest_metrics (run_uuid, \"key\", step, timestamp, value, is_nan)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (\"key\", run_uuid) DO UPDATE SET"
        " step = excluded.step, timestamp = excluded.timestamp, value = excluded.value,"
        " is_nan = excluded.is_nan"
        " WHERE (excluded.step, excluded.timestamp, excluded.value)"
        " > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)",
    [TY_SQL_FIND_DATASET] = "SELECT dataset_uuid FROM datasets"
                            " WHERE experiment_id = ?1 AND name = ?2 AND digest = ?3",
    [TY_SQL_ADD_DATASET] = "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest,"
                           " dataset_source_type, dataset_source, dataset_schema, dataset_profile)"
                           " VALUES (?1, ?2, ?3, ?4, 'local', ?5, ?6, ?7)",
    [TY_SQL_FIND_INPUT] =
        "SELECT input_uuid FROM inputs WHERE source_type = 'DATASET' AND source_id = ?1"
        " AND destination_type = 'RUN' AND destination_id = ?2",
    [TY_SQL_ADD_INPUT] = "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type,"
                         " destination_id) VALUES (?1, 'DATASET', ?2, 'RUN', ?3)",
    /* One data set may have two roles in a run, and MLflow keeps one tag for them. */
    [TY_SQL_ADD_CONTEXT] = "INSERT INTO input_tags (input_uuid, name, value)"
                           " VALUES (?1, 'mlflow.data.context', ?2) ON CONFLICT (input_uuid, name)"
                           " DO UPDATE SET value = value || ', ' || excluded.value"
                           " WHERE instr(value, excluded.value) = 0",
    [TY_SQL_ADD_MODEL] =
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,"
        " creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage, source_run_id)"
        " SELECT ?2, experiment_id, ?3, ?4, ?5, ?5, 2, 'active', ?1 FROM runs WHERE run_uuid = ?1"
        " ON CONFLICT DO NOTHING",
    [TY_SQL_ADD_MODEL_PARAMS] =
        "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value)"
        " SELECT m.model_id, m.experiment_id, p.\"key\", p.value FROM logged_models m JOIN params p"
        " ON p.run_uuid = ?1 WHERE m.model_id = ?2 ON CONFLICT DO NOTHING",
    [TY_SQL_ADD_MODEL_TAGS] =
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
        " SELECT m.model_id, m.experiment_id, t.\"key\", t.value FROM logged_models m JOIN tags t"
        " ON t.run_uuid = ?1 WHERE m.model_id = ?2 AND t.\"key\" IN (SELECT value FROM "
        "json_each(?3))"
        " ON CONFLICT DO NOTHING",
    [TY_SQL_ADD_MODEL_NOTE] =
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
        " SELECT model_id, experiment_id, 'mlflow.note.content', ?2 FROM logged_models"
        " WHERE model_id = ?1 ON CONFLICT DO NOTHING",
    [TY_SQL_ADD_OUTPUT] =
        "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id,"
        " step) VALUES (?1, 'RUN_OUTPUT', ?2, 'MODEL_OUTPUT', ?3, ?4) ON CONFLICT DO NOTHING",
    /* The data is the run's that was used for testing; a model that was deleted for good is
     * none. */
    [TY_SQL_ADD_MODEL_POINTS] =
        "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,"
        " metric_value, experiment_id, run_id, dataset_uuid, dataset_name, dataset_digest)"
        " SELECT m.model_id, p.\"key\", p.timestamp, p.step, p.value, m.experiment_id, p.run_uuid,"
        " d.dataset_uuid, d.name, d.digest FROM metrics p JOIN inputs o"
        " ON o.source_type = 'RUN_OUTPUT' AND o.source_id = p.run_uuid"
        " AND o.destination_type = 'MODEL_OUTPUT' AND o.step = p.step"
        " JOIN logged_models m ON m.model_id = o.destination_id LEFT JOIN datasets d"
        " ON d.dataset_uuid = (SELECT i.source_id FROM inputs i JOIN input_tags t"
        " ON t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context'"
        " WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN'"
        " AND i.destination_id = p.run_uuid AND instr(t.value, 'test') > 0 LIMIT 1)"
        " WHERE p.run_uuid = ?1 AND p.step = ?2 AND substr(p.\"key\", 1, 5) = 'test/'"
        " ON CONFLICT DO NOTHING",
    [TY_SQL_ARTIFACT_URI] = "SELECT artifact_uri FROM runs WHERE run_uuid = ?1",
    [TY_SQL_SET_ARTIFACT_URI] = "UPDATE runs SET artifact_uri = ?2 WHERE run_uuid = ?1",
    [TY_SQL_HAS_MOVED] = "SELECT 1 FROM runs JOIN tiltyard_folded USING (run_uuid)"
                         " WHERE sequence > 0 AND substr(artifact_uri, 1, length(?1)) <> ?1"
                         " LIMIT 1",
    [TY_SQL_MOVE_EXPERIMENTS] = "UPDATE experiments SET artifact_location = ?2 ||"
                                " substr(artifact_location, length(?1) + 1)"
                                " WHERE substr(artifact_location, 1, length(?1)) = ?1",
    [TY_SQL_MOVE_MODELS] = "UPDATE logged_models SET artifact_location = ?2 ||"
                           " substr(artifact_location, length(?1) + 1)"
                           " WHERE substr(artifact_location, 1, length(?1)) = ?1",
    [TY_SQL_MOVE_VERSIONS] = "UPDATE model_versions SET storage_location = ?2 ||"
                             " substr(storage_location, length(?1) + 1)"
                             " WHERE substr(storage_location, 1, length(?1)) = ?1",
    [TY_SQL_LOGGED_MODEL] = "SELECT artifact_location, source_run_id FROM logged_models"
                            " WHERE model_id = ?1",
    [TY_SQL_MODELS] =
        "SELECT name, creation_time, last_updated_time, description FROM registered_models m"
        " WHERE (?1 IS NULL OR name = ?1){ AND workspace = 'default'} AND NOT EXISTS"
        " (SELECT 1 FROM registered_model_tags t WHERE t.name = m.name{ AND t.workspace = "
        "'default'}"
        " AND t.\"key\" = 'mlflow.prompt.is_prompt' AND lower(t.value) = 'true') ORDER BY name",
    [TY_SQL_MODEL_TAGS] = "SELECT \"key\", value FROM registered_model_tags WHERE name = ?1"
                          "{ AND workspace = 'default'} ORDER BY \"key\"",
    [TY_SQL_MODEL_ALIASES] = "SELECT alias, version FROM registered_model_aliases WHERE name = ?1"
                             "{ AND workspace = 'default'} ORDER BY alias",
    [TY_SQL_MAKE_MODEL] =
        "INSERT INTO registered_models (name, creation_time, last_updated_time, description)"
        " VALUES (?1, ?2, ?2, ?3) ON CONFLICT DO NOTHING",
    [TY_SQL_TOUCH_MODEL] = "UPDATE registered_models SET last_updated_time = ?2 WHERE name = ?1"
                           "{ AND workspace = 'default'}",
    [TY_SQL_TAG_MODEL] = "INSERT OR REPLACE INTO registered_model_tags (name, \"key\", value)"
                         " VALUES (?1, ?2, ?3)",
    [TY_SQL_UNTAG_MODEL] = "DELETE FROM registered_model_tags WHERE name = ?1 AND \"key\" = ?2"
                           "{ AND workspace = 'default'}",
    [TY_SQL_DESCRIBE_MODEL] =
        "UPDATE registered_models SET description = ?2, last_updated_time = ?3"
        " WHERE name = ?1{ AND workspace = 'default'}",
    [TY_SQL_VERSIONS] =
        "SELECT name, version, creation_time, last_updated_time, description, source, run_id,"
        " status, run_link, storage_location FROM model_versions WHERE name = ?1"
        " AND (?2 = 0 OR version = ?2) AND current_stage IS NOT 'Deleted_Internal'"
        "{ AND workspace = 'default'} ORDER BY version DESC",
    [TY_SQL_VERSION_TAGS] = "SELECT \"key\", value FROM model_version_tags"
                            " WHERE name = ?1 AND version = ?2{ AND workspace = 'default'}"
                            " ORDER BY \"key\"",
    [TY_SQL_VERSION_OF_UID] =
        "SELECT v.version FROM model_version_tags t JOIN model_versions v"
        " ON v.name = t.name AND v.version = t.version{ AND v.workspace = t.workspace}"
        " WHERE t.name = ?1 AND t.\"key\" = 'tiltyard.uid' AND t.value = ?2"
        " AND v.current_stage IS NOT 'Deleted_Internal'{ AND t.workspace = 'default'} LIMIT 1",
    /* Numbers of deleted versions are not given again. */
    [TY_SQL_ADD_VERSION] =
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,"
        " current_stage, source, run_id, status, run_link, storage_location)"
        " SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?2, ?3, 'None', ?4, ?5, 'READY', ?6, ?7"
        " FROM model_versions WHERE name = ?1{ AND workspace = 'default'} RETURNING version",
    [TY_SQL_TAG_VERSION] =
        "INSERT OR REPLACE INTO model_version_tags (name, version, \"key\", value)"
        " VALUES (?1, ?2, ?3, ?4)",
    [TY_SQL_UNTAG_VERSION] = "DELETE FROM model_version_tags WHERE name = ?1 AND version = ?2"
                             " AND \"key\" = ?3{ AND workspace = 'default'}",
    [TY_SQL_DESCRIBE_VERSION] = "UPDATE model_versions SET description = ?3, last_updated_time = ?4"
                                " WHERE name = ?1 AND version = ?2{ AND workspace = 'default'}",
    /* What MLflow shows on the model's page as its versions. */
    [TY_SQL_LINK_VERSION] =
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
        " SELECT model_id, experiment_id, 'mlflow.modelVersions',"
        " json_array(json_object('name', ?2, 'version', ?3)) FROM logged_models WHERE model_id = ?1"
        " ON CONFLICT (model_id, tag_key) DO UPDATE SET tag_value = CASE WHEN json_valid(tag_value)"
        " THEN json_insert(tag_value, '$[#]', json_object('name', ?2, 'version', ?3))"
        " ELSE excluded.tag_value END",
    [TY_SQL_ALIAS] = "SELECT version FROM registered_model_aliases WHERE name = ?1 AND alias = ?2"
                     "{ AND workspace = 'default'}",
    [TY_SQL_SET_ALIAS] = "INSERT OR REPLACE INTO registered_model_aliases (name, alias, version)"
                         " VALUES (?1, ?2, ?3)",
    [TY_SQL_DELETE_ALIAS] = "DELETE FROM registered_model_aliases WHERE name = ?1 AND alias = ?2"
                            "{ AND workspace = 'default'}",
};

ty_status ty_sql_fail(ty_ctx *ctx, const ty_store *store) {
    const int code = sqlite3_errcode(store->db) & 0xff;
    ty_status st = TY_ERR_IO;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        st = TY_ERR_BUSY;
    else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        st = TY_ERR_INTEGRITY;
    return ty_fail(ctx, st, "%s: %s", store->path, sqlite3_errmsg(store->db));
}

ty_status ty_sql_exec(ty_ctx *ctx, ty_store *store, const char *sql) {
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return ty_sql_fail(ctx, store);
    return TY_OK;
}

/* The text without the braces, and without what they hold where is_kept is false. */
static void add_text(ty_text *out, const char *text, bool is_kept) {
    for (const char *brace; (brace = strchr(text, '{')) != NULL;) {
        const char *end = strchr(brace, '}');
        ty_text_add_n(out, text, (size_t)(brace - text));
        if (is_kept)
            ty_text_add_n(out, brace + 1, (size_t)(end - brace - 1));
        text = end + 1;
    }
    ty_text_add(out, text);
}

static ty_status prepare(ty_ctx *ctx, ty_store *store, ty_sql which) {
    ty_text text = {0};
    add_text(&text, texts[which], store->has_workspaces);
    const int code = text.is_short ? SQLITE_NOMEM
                                   : sqlite3_prepare_v3(store->db, ty_text_string(&text), -1,
                                                        SQLITE_PREPARE_PERSISTENT,
                                                        &store->statements[which], NULL);
    ty_text_clear(&text);
    return code == SQLITE_OK ? TY_OK : ty_sql_fail(ctx, store);
}

ty_status ty_sql_statement(ty_ctx *ctx, ty_store *store, ty_sql which, sqlite3_stmt **out) {
    if (!store->statements[which])
        TY_TRY(prepare(ctx, store, which));
    *out = store->statements[which];
    return TY_OK;
}

/* Values stay the caller's: each is bound anew before the statement steps again. */
static void bind(sqlite3_stmt *stmt, const char *format, va_list args) {
    for (int at = 1; format[at - 1] != '\0'; at++) {
        const char letter = format[at - 1];
        if (letter == 'i') {
            (void)sqlite3_bind_int64(stmt, at, va_arg(args, int64_t));
        } else if (letter == 'd') {
            (void)sqlite3_bind_double(stmt, at, va_arg(args, double));
        } else {
            const char *text = va_arg(args, const char *);
            const int bytes = letter == 'n' ? va_arg(args, int) : -1;
            (void)sqlite3_bind_text(stmt, at, text, bytes, SQLITE_STATIC);
        }
    }
}

ty_status ty_sql_finish(ty_ctx *ctx, ty_store *store, sqlite3_stmt *stmt, int64_t *changes) {
    const ty_status st = sqlite3_step(stmt) == SQLITE_DONE ? TY_OK : ty_sql_fail(ctx, store);
    if (st == TY_OK && changes)
        *changes += sqlite3_changes(store->db);
    (void)sqlite3_reset(stmt);
    return st;
}

ty_status ty_sql_run(ty_ctx *ctx, ty_store *store, ty_sql which, int64_t *changes,
                     const char *format, ...) {
    sqlite3_stmt *stmt;
    TY_TRY(ty_sql_statement(ctx, store, which, &stmt));
    va_list args;
    va_start(args, format);
    bind(stmt, format, args);
    va_end(args);
    return ty_sql_finish(ctx, store, stmt, changes);
}

ty_status ty_sql_ask(ty_ctx *ctx, ty_store *store, ty_sql which, sqlite3_stmt **out, bool *has_row,
                     const char *format, ...) {
    TY_TRY(ty_sql_statement(ctx, store, which, out));
    va_list args;
    va_start(args, format);
    bind(*out, format, args);
    va_end(args);
    const int code = sqlite3_step(*out);
    *has_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return TY_OK;
    const ty_status st = ty_sql_fail(ctx, store);
    (void)sqlite3_reset(*out);
    return st;
}
