#include "tracking/store/schema.h"

#include <string.h>

/* Tables, columns, types and the names of constraints and indexes are those of MLflow at alembic
 * revision 6953534de441: its migrations find them by these names. tiltyard_folded is ours: how far
 * each run's journal is in this file, written in the transaction that brings the rows. It has no
 * foreign key, so that it outlives a run that was deleted for good. */
static const char *const statements[] = {
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    "INSERT INTO alembic_version (version_num) VALUES ('6953534de441')",

    "CREATE TABLE experiments (experiment_id INTEGER NOT NULL, name VARCHAR(256) NOT NULL,"
    " artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT,"
    " last_update_time BIGINT, CONSTRAINT experiment_pk PRIMARY KEY (experiment_id),"
    " CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')),"
    " UNIQUE (name))",
    "CREATE TABLE experiment_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000),"
    " experiment_id INTEGER NOT NULL,"
    " CONSTRAINT experiment_tag_pk PRIMARY KEY (\"key\", experiment_id),"
    " FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id))",

    "CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20),"
    " source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256),"
    " status VARCHAR(9), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50),"
    " lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER,"
    " deleted_time BIGINT, CONSTRAINT run_pk PRIMARY KEY (run_uuid),"
    " CONSTRAINT source_type"
    " CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')),"
    " CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')),"
    " FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id),"
    " CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED')))",
    "CREATE TABLE params (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL,"
    " run_uuid VARCHAR(32) NOT NULL, CONSTRAINT param_pk PRIMARY KEY (\"key\", run_uuid),"
    " FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid))",
    "CREATE INDEX index_params_run_uuid ON params (run_uuid)",
    "CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(8000),"
    " run_uuid VARCHAR(32) NOT NULL, CONSTRAINT tag_pk PRIMARY KEY (\"key\", run_uuid),"
    " FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid))",
    "CREATE INDEX index_tags_run_uuid ON tags (run_uuid)",
    "CREATE TABLE metrics (\"key\" VARCHAR(250) NOT NULL, value FLOAT NOT NULL,"
    " timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL,"
    " is_nan BOOLEAN DEFAULT '0' NOT NULL,"
    " CONSTRAINT metric_pk PRIMARY KEY (\"key\", timestamp, step, run_uuid, value, is_nan),"
    " FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)))",
    "CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid)",
    "CREATE TABLE latest_metrics (\"key\" VARCHAR(250) NOT NULL, value FLOAT NOT NULL,"
    " timestamp BIGINT, step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL,"
    " run_uuid VARCHAR(32) NOT NULL, CONSTRAINT latest_metric_pk PRIMARY KEY (\"key\", run_uuid),"
    " FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)))",
    "CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid)",

    "CREATE TABLE datasets (dataset_uuid VARCHAR(36) NOT NULL, experiment_id INTEGER NOT NULL,"
    " name VARCHAR(500) NOT NULL, digest VARCHAR(36) NOT NULL,"
    " dataset_source_type VARCHAR(36) NOT NULL, dataset_source TEXT NOT NULL, dataset_schema TEXT,"
    " dataset_profile TEXT, CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest),"
    " CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id) ON DELETE CASCADE)",
    "CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid)",
    "CREATE INDEX index_datasets_experiment_id_dataset_source_type"
    " ON datasets (experiment_id, dataset_source_type)",
    "CREATE TABLE inputs (input_uuid VARCHAR(36) NOT NULL, source_type VARCHAR(36) NOT NULL,"
    " source_id VARCHAR(36) NOT NULL, destination_type VARCHAR(36) NOT NULL,"
    " destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL,"
    " CONSTRAINT inputs_pk"
    " PRIMARY KEY (source_type, source_id, destination_type, destination_id))",
    "CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid)",
    "CREATE INDEX index_inputs_destination_type_destination_id_source_type"
    " ON inputs (destination_type, destination_id, source_type)",
    "CREATE TABLE input_tags (input_uuid VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL,"
    " value VARCHAR(500) NOT NULL, CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name))",

    "CREATE TABLE logged_models (model_id VARCHAR(36) NOT NULL, experiment_id INTEGER NOT NULL,"
    " name VARCHAR(500) NOT NULL, artifact_location VARCHAR(1000) NOT NULL,"
    " creation_timestamp_ms BIGINT NOT NULL, last_updated_timestamp_ms BIGINT NOT NULL,"
    " status INTEGER NOT NULL, lifecycle_stage VARCHAR(32), model_type VARCHAR(500),"
    " source_run_id VARCHAR(32), status_message VARCHAR(1000),"
    " CONSTRAINT logged_models_pk PRIMARY KEY (model_id),"
    " CONSTRAINT logged_models_lifecycle_stage_check"
    " CHECK (lifecycle_stage IN ('active', 'deleted')),"
    " CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id) ON DELETE CASCADE)",
    "CREATE TABLE logged_model_metrics (model_id VARCHAR(36) NOT NULL,"
    " metric_name VARCHAR(500) NOT NULL, metric_timestamp_ms BIGINT NOT NULL,"
    " metric_step BIGINT NOT NULL, metric_value FLOAT, experiment_id INTEGER NOT NULL,"
    " run_id VARCHAR(32) NOT NULL, dataset_uuid VARCHAR(36), dataset_name VARCHAR(500),"
    " dataset_digest VARCHAR(36), CONSTRAINT logged_model_metrics_pk"
    " PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id),"
    " CONSTRAINT fk_logged_model_metrics_experiment_id FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id),"
    " CONSTRAINT fk_logged_model_metrics_model_id FOREIGN KEY(model_id)"
    " REFERENCES logged_models (model_id) ON DELETE CASCADE,"
    " CONSTRAINT fk_logged_model_metrics_run_id FOREIGN KEY(run_id)"
    " REFERENCES runs (run_uuid) ON DELETE CASCADE)",
    "CREATE INDEX index_logged_model_metrics_model_id ON logged_model_metrics (model_id)",
    "CREATE TABLE logged_model_params (model_id VARCHAR(36) NOT NULL,"
    " experiment_id INTEGER NOT NULL, param_key VARCHAR(255) NOT NULL, param_value TEXT NOT NULL,"
    " CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key),"
    " CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id),"
    " CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id)"
    " REFERENCES logged_models (model_id) ON DELETE CASCADE)",
    "CREATE TABLE logged_model_tags (model_id VARCHAR(36) NOT NULL,"
    " experiment_id INTEGER NOT NULL, tag_key VARCHAR(255) NOT NULL, tag_value TEXT NOT NULL,"
    " CONSTRAINT logged_model_tags_pk PRIMARY KEY (model_id, tag_key),"
    " CONSTRAINT fk_logged_model_tags_experiment_id FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id),"
    " CONSTRAINT fk_logged_model_tags_model_id FOREIGN KEY(model_id)"
    " REFERENCES logged_models (model_id) ON DELETE CASCADE)",

    "CREATE TABLE registered_models (name VARCHAR(256) NOT NULL, creation_time BIGINT,"
    " last_updated_time BIGINT, description VARCHAR(5000),"
    " CONSTRAINT registered_model_pk PRIMARY KEY (name), UNIQUE (name))",
    "CREATE TABLE registered_model_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000),"
    " name VARCHAR(256) NOT NULL, CONSTRAINT registered_model_tag_pk PRIMARY KEY (\"key\", name),"
    " FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE CASCADE)",
    "CREATE TABLE registered_model_aliases (alias VARCHAR(256) NOT NULL, version INTEGER NOT NULL,"
    " name VARCHAR(256) NOT NULL, CONSTRAINT registered_model_alias_pk PRIMARY KEY (name, alias),"
    " CONSTRAINT registered_model_alias_name_fkey FOREIGN KEY(name)"
    " REFERENCES registered_models (name) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE model_versions (name VARCHAR(256) NOT NULL, version INTEGER NOT NULL,"
    " creation_time BIGINT, last_updated_time BIGINT, description VARCHAR(5000),"
    " user_id VARCHAR(256), current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32),"
    " status VARCHAR(20), status_message VARCHAR(500), run_link VARCHAR(500),"
    " storage_location VARCHAR(500), CONSTRAINT model_version_pk PRIMARY KEY (name, version),"
    " FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE CASCADE)",
    "CREATE TABLE model_version_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000),"
    " name VARCHAR(256) NOT NULL, version INTEGER NOT NULL,"
    " CONSTRAINT model_version_tag_pk PRIMARY KEY (\"key\", name, version),"
    " FOREIGN KEY(name, version) REFERENCES model_versions (name, version) ON UPDATE CASCADE)",

    "CREATE TABLE trace_info (request_id VARCHAR(50) NOT NULL, experiment_id INTEGER NOT NULL,"
    " timestamp_ms BIGINT NOT NULL, execution_time_ms BIGINT, status VARCHAR(50) NOT NULL,"
    " CONSTRAINT trace_info_pk PRIMARY KEY (request_id),"
    " CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id)"
    " REFERENCES experiments (experiment_id))",
    "CREATE INDEX index_trace_info_experiment_id_timestamp_ms"
    " ON trace_info (experiment_id, timestamp_ms)",
    "CREATE TABLE trace_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(8000),"
    " request_id VARCHAR(50) NOT NULL, CONSTRAINT trace_tag_pk PRIMARY KEY (\"key\", request_id),"
    " CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id)"
    " REFERENCES trace_info (request_id) ON DELETE CASCADE)",
    "CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id)",
    "CREATE TABLE trace_request_metadata (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(8000),"
    " request_id VARCHAR(50) NOT NULL,"
    " CONSTRAINT trace_request_metadata_pk PRIMARY KEY (\"key\", request_id),"
    " CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id)"
    " REFERENCES trace_info (request_id) ON DELETE CASCADE)",
    "CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id)",
};

static const char own_table[] = "CREATE TABLE IF NOT EXISTS tiltyard_folded"
                                " (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY,"
                                " sequence BIGINT NOT NULL)";

typedef struct needed_column {
    const char *table, *column;
} needed_column;

/* The columns that our statements name. */
static const needed_column needed[] = {
    {"experiments", "experiment_id"},
    {"experiments", "name"},
    {"experiments", "artifact_location"},
    {"experiments", "lifecycle_stage"},
    {"experiments", "creation_time"},
    {"experiments", "last_update_time"},
    {"experiment_tags", "key"},
    {"experiment_tags", "value"},
    {"experiment_tags", "experiment_id"},
    {"runs", "run_uuid"},
    {"runs", "name"},
    {"runs", "source_type"},
    {"runs", "source_name"},
    {"runs", "entry_point_name"},
    {"runs", "user_id"},
    {"runs", "status"},
    {"runs", "start_time"},
    {"runs", "end_time"},
    {"runs", "source_version"},
    {"runs", "lifecycle_stage"},
    {"runs", "deleted_time"},
    {"runs", "artifact_uri"},
    {"runs", "experiment_id"},
    {"params", "key"},
    {"params", "value"},
    {"params", "run_uuid"},
    {"tags", "key"},
    {"tags", "value"},
    {"tags", "run_uuid"},
    {"metrics", "key"},
    {"metrics", "value"},
    {"metrics", "timestamp"},
    {"metrics", "run_uuid"},
    {"metrics", "step"},
    {"metrics", "is_nan"},
    {"latest_metrics", "key"},
    {"latest_metrics", "value"},
    {"latest_metrics", "timestamp"},
    {"latest_metrics", "step"},
    {"latest_metrics", "is_nan"},
    {"latest_metrics", "run_uuid"},
    {"datasets", "dataset_uuid"},
    {"datasets", "experiment_id"},
    {"datasets", "name"},
    {"datasets", "digest"},
    {"datasets", "dataset_source_type"},
    {"datasets", "dataset_source"},
    {"datasets", "dataset_schema"},
    {"datasets", "dataset_profile"},
    {"inputs", "input_uuid"},
    {"inputs", "source_type"},
    {"inputs", "source_id"},
    {"inputs", "destination_type"},
    {"inputs", "destination_id"},
    {"inputs", "step"},
    {"input_tags", "input_uuid"},
    {"input_tags", "name"},
    {"input_tags", "value"},
    {"logged_models", "model_id"},
    {"logged_models", "experiment_id"},
    {"logged_models", "name"},
    {"logged_models", "artifact_location"},
    {"logged_models", "creation_timestamp_ms"},
    {"logged_models", "last_updated_timestamp_ms"},
    {"logged_models", "status"},
    {"logged_models", "lifecycle_stage"},
    {"logged_models", "source_run_id"},
    {"logged_model_params", "model_id"},
    {"logged_model_params", "experiment_id"},
    {"logged_model_params", "param_key"},
    {"logged_model_params", "param_value"},
    {"logged_model_tags", "model_id"},
    {"logged_model_tags", "experiment_id"},
    {"logged_model_tags", "tag_key"},
    {"logged_model_tags", "tag_value"},
    {"logged_model_metrics", "model_id"},
    {"logged_model_metrics", "metric_name"},
    {"logged_model_metrics", "metric_timestamp_ms"},
    {"logged_model_metrics", "metric_step"},
    {"logged_model_metrics", "metric_value"},
    {"logged_model_metrics", "experiment_id"},
    {"logged_model_metrics", "run_id"},
    {"logged_model_metrics", "dataset_uuid"},
    {"logged_model_metrics", "dataset_name"},
    {"logged_model_metrics", "dataset_digest"},
};

/* Those of a registry: one that is foreign keeps no run from being recorded. */
static const needed_column needed_by_registry[] = {
    {"registered_models", "name"},
    {"registered_models", "creation_time"},
    {"registered_models", "last_updated_time"},
    {"registered_models", "description"},
    {"registered_model_tags", "key"},
    {"registered_model_tags", "value"},
    {"registered_model_tags", "name"},
    {"registered_model_aliases", "alias"},
    {"registered_model_aliases", "version"},
    {"registered_model_aliases", "name"},
    {"model_versions", "name"},
    {"model_versions", "version"},
    {"model_versions", "creation_time"},
    {"model_versions", "last_updated_time"},
    {"model_versions", "description"},
    {"model_versions", "current_stage"},
    {"model_versions", "source"},
    {"model_versions", "run_id"},
    {"model_versions", "status"},
    {"model_versions", "run_link"},
    {"model_versions", "storage_location"},
    {"model_version_tags", "key"},
    {"model_version_tags", "value"},
    {"model_version_tags", "name"},
    {"model_version_tags", "version"},
};
enum {
    STATEMENT_COUNT = sizeof statements / sizeof statements[0],
    NEEDED_COUNT = sizeof needed / sizeof needed[0],
    REGISTRY_COUNT = sizeof needed_by_registry / sizeof needed_by_registry[0]
};

static ty_status run_sql(ty_ctx *ctx, sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return ty_fail(ctx, TY_ERR_IO, "%s", sqlite3_errmsg(db));
    return TY_OK;
}

ty_status ty_schema_create(ty_ctx *ctx, sqlite3 *db) {
    for (int i = 0; i < STATEMENT_COUNT; i++)
        TY_TRY(run_sql(ctx, db, statements[i]));
    return TY_OK;
}

/* Whether one row answers sql with its texts bound. */
static ty_status answers(ty_ctx *ctx, sqlite3 *db, const char *sql, const char *table,
                         const char *column, bool *out) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return ty_fail(ctx, TY_ERR_IO, "%s", sqlite3_errmsg(db));
    (void)sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, column, -1, SQLITE_STATIC);
    const int code = sqlite3_step(stmt);
    *out = code == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return ty_fail(ctx, TY_ERR_IO, "%s", sqlite3_errmsg(db));
    return TY_OK;
}

ty_status ty_schema_has_column(ty_ctx *ctx, sqlite3 *db, const char *table, const char *column,
                               bool *out) {
    return answers(ctx, db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", table, column,
                   out);
}

typedef struct needs {
    const needed_column *v;
    int n;
} needs;

static bool is_needed(needs list, const char *table, const char *column) {
    for (int i = 0; i < list.n; i++)
        if (strcmp(list.v[i].table, table) == 0 && strcmp(list.v[i].column, column) == 0)
            return true;
    return false;
}

/* A column that we don't know and that takes no NULL and has no default would refuse every row of
 * ours. */
static ty_status check_demands(ty_ctx *ctx, sqlite3 *db, needs list, const char *table) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db,
                           "SELECT name FROM pragma_table_info(?1)"
                           " WHERE \"notnull\" <> 0 AND dflt_value IS NULL",
                           -1, &stmt, NULL) != SQLITE_OK)
        return ty_fail(ctx, TY_ERR_IO, "%s", sqlite3_errmsg(db));
    (void)sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    ty_status st = TY_OK;
    while (st == TY_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(stmt, 0);
        if (column && !is_needed(list, table, column))
            st = ty_fail(ctx, TY_ERR_INTEGRITY, "table %s demands a column that is new to us: %s",
                         table, column);
    }
    (void)sqlite3_finalize(stmt);
    return st;
}

static ty_status check_columns(ty_ctx *ctx, sqlite3 *db, needs list) {
    for (int i = 0; i < list.n; i++) {
        bool has_column = false;
        const char *table = list.v[i].table, *column = list.v[i].column;
        TY_TRY(ty_schema_has_column(ctx, db, table, column, &has_column));
        if (!has_column)
            return ty_fail(ctx, TY_ERR_INTEGRITY, "table %s has no column %s", table, column);
        if (i == 0 || strcmp(table, list.v[i - 1].table) != 0)
            TY_TRY(check_demands(ctx, db, list, table));
    }
    return TY_OK;
}

ty_status ty_schema_check(ty_ctx *ctx, sqlite3 *db) {
    return check_columns(ctx, db, (needs){needed, NEEDED_COUNT});
}

ty_status ty_schema_check_registry(ty_ctx *ctx, sqlite3 *db) {
    return check_columns(ctx, db, (needs){needed_by_registry, REGISTRY_COUNT});
}

ty_status ty_schema_join(ty_ctx *ctx, sqlite3 *db) {
    return run_sql(ctx, db, own_table);
}
