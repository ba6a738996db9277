/* The journal's way into MLflow's store: once, whole, and never over what others did there. */
#include "tests/tracking/fixture.h"

static ty_rebuild_report rebuild(fixture *f) {
    ty_rebuild_report report = {0};
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    return report;
}

static void store_path(const fixture *f, char out[2 * TEMP_FOLDER_BYTES]) {
    temp_folder_path(&f->folder, "mlflow.db", out);
}

static void remove_store(fixture *f) {
    char path[2 * TEMP_FOLDER_BYTES];
    store_path(f, path);
    assert_int_equal(unlink(path), 0);
}

static void a_new_store_has_mlflows_revision_and_first_experiment(void **state) {
    fixture *f = *state;
    record_run(f, 1, 20);
    assert_string_equal(ask_store(f, "SELECT version_num FROM alembic_version"), "6953534de441");
    assert_string_equal(ask_store(f, "SELECT name FROM experiments ORDER BY experiment_id"),
                        "Default|exp");
    assert_string_equal(ask_store(f, "PRAGMA journal_mode"), "wal");
    assert_string_equal(ask_store(f, "PRAGMA foreign_key_check"), "");
    assert_string_equal(
        ask_store(f, "SELECT \"key\" || '=' || value FROM experiment_tags WHERE experiment_id = 1"),
        "mlflow.experimentKind=custom_model_development");
}

static void a_run_is_stored_as_mlflow_would(void **state) {
    fixture *f = *state;
    record_run(f, 1, 20);
    assert_string_equal(ask_store(f, "SELECT name || status || lifecycle_stage || source_type ||"
                                     " (end_time >= start_time) FROM runs"),
                        "oneFINISHEDactiveLOCAL1");
    char path[3 * TEMP_FOLDER_BYTES];
    (void)snprintf(path, sizeof path, "%s/artifacts", f->run);
    assert_string_equal(ask_store(f, "SELECT artifact_uri FROM runs"), path);
    assert_string_equal(ask_store(f, "SELECT \"key\" || '=' || value FROM params"),
                        "optimizer.type=adamw");
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE \"key\" IN"
                                     " ('mlflow.runName', 'mlflow.source.name') ORDER BY value"),
                        "one|tiltyard train x.json");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "22");
    assert_string_equal(ask_store(f, "SELECT \"key\" || step || ' ' || value FROM latest_metrics"
                                     " ORDER BY \"key\""),
                        "train/loss20 0.05|val/accuracy20 0.95");
}

static void the_latest_point_is_the_one_of_the_highest_step(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    tell_metric(f, t, "a", 5, 0.5);
    tell_metric(f, t, "a", 9, 0.25);
    tell_metric(f, t, "b", 1, 1e300 * 1e300);
    tell_metric(f, t, "c", 1, 0.0 / 0.0);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT \"key\" || step || ' ' || value || ' ' || is_nan"
                                     " FROM latest_metrics ORDER BY \"key\""),
                        "a9 0.25 0|b1 1.79769313486232e+308 0|c1 0.0 1");
}

static void folding_again_changes_nothing(void **state) {
    fixture *f = *state;
    record_run(f, 1, 50);
    const char *before = dump_store(f);
    const ty_rebuild_report report = rebuild(f);
    assert_int_equal(report.runs, 1);
    assert_int_equal(report.runs_added + report.points_added + report.values_added, 0);
    assert_string_equal(dump_store(f), before);
}

static void even_a_store_that_forgot_how_far_it_was_keeps_each_row_once(void **state) {
    fixture *f = *state;
    record_run(f, 1, 50);
    const char *before = dump_store(f);
    change_store(f, "DELETE FROM tiltyard_folded");
    (void)rebuild(f);
    assert_string_equal(dump_store(f), before);
}

static void a_lost_store_comes_back_from_the_journals(void **state) {
    fixture *f = *state;
    record_run(f, 1, 1500);
    const char *before = dump_store(f);
    remove_store(f);
    const ty_rebuild_report report = rebuild(f);
    assert_int_equal(report.runs_added, 1);
    assert_int_equal(report.points_added, 1650);
    assert_string_equal(dump_store(f), before);
}

static void what_was_done_in_mlflow_stays(void **state) {
    fixture *f = *state;
    record_run(f, 1, 50);
    change_store(f, "UPDATE tags SET value = 'my name' WHERE \"key\" = 'mlflow.runName';"
                    "UPDATE runs SET name = 'my name';"
                    "INSERT INTO tags (\"key\", value, run_uuid)"
                    " SELECT 'mlflow.note.content', 'a note', run_uuid FROM runs;"
                    "UPDATE tags SET value = 'blue' WHERE \"key\" = 'color';"
                    "DELETE FROM tags WHERE \"key\" = 'mlflow.source.name';"
                    "UPDATE experiments SET name = 'my experiment' WHERE name = 'exp';"
                    "UPDATE runs SET lifecycle_stage = 'deleted'");
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 50);
    tell_text(f, t, TY_EVENT_TAG, "color", "red");
    tell_metric(f, t, "train/loss", 51, 0.5);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    (void)rebuild(f);
    assert_string_equal(ask_store(f, "SELECT name || lifecycle_stage FROM runs"), "my namedeleted");
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE \"key\" IN ('mlflow.runName',"
                                     " 'mlflow.note.content', 'color', 'mlflow.source.name')"
                                     " ORDER BY value"),
                        "a note|blue|my name");
    assert_string_equal(ask_store(f, "SELECT name FROM experiments ORDER BY experiment_id"),
                        "Default|my experiment");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE step = 51"), "1");
}

static void a_tag_of_ours_that_nobody_touched_follows(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    ty_tracker *t = fixture_open(f);
    tell_text(f, t, TY_EVENT_TAG, "color", "red");
    tell_text(f, t, TY_EVENT_TAG, "color", "blue");
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE \"key\" = 'color'"), "blue");
}

static void a_run_deleted_for_good_does_not_come_back(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "DELETE FROM tags; DELETE FROM params; DELETE FROM latest_metrics;"
                    "DELETE FROM metrics; DELETE FROM runs"); /* as `mlflow gc` does */
    (void)rebuild(f);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs"), "0");
    record_run(f, 11, 20);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs"), "0");
    assert_true(fixture_said(f, "deleted from MLflow for good") > 0);
}

static void a_deleted_experiment_is_not_revived(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'exp'");
    fixture_name_run(f, "exp", "two");
    record_run(f, 1, 10);
    assert_string_equal(ask_store(f, "SELECT lifecycle_stage FROM experiments WHERE name = 'exp'"),
                        "deleted");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs"), "2");
    assert_int_equal(fixture_said(f, "experiment exp is deleted in MLflow"), 1);
}

static void one_data_set_in_two_roles_is_one_input_with_both(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    static const char *const contexts[] = {"training", "validation", "training"};
    for (int i = 0; i < 3; i++)
        tell(f, t,
             (ty_event){.kind = TY_EVENT_DATASET,
                        .dataset = {.name = "d",
                                    .digest = "0123456789012345678901234567890123456789",
                                    .source = "/data/d.csv",
                                    .context = contexts[i]}});
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT value FROM input_tags"), "training, validation");
    assert_string_equal(ask_store(f, "SELECT digest || dataset_source FROM datasets"),
                        "012345678901234567890123456789012345{\"uri\": \"/data/d.csv\"}");
}

/* --- stores that will not ---------------------------------------------------------------- */

static void a_busy_store_only_delays(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    sqlite3 *db = open_store_in(f->folder.path);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 10);
    for (int64_t i = 11; i <= 5000; i++)
        tell_metric(f, t, "train/loss", i, 1);
    assert_ok(f, ty_tracker_flush(&f->ctx, t)); /* nobody waits for the store here */
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE \"key\" = 'train/loss'"),
                        "5000");
}

static void a_store_that_stays_busy_is_left_at_the_deadline_and_completed_later(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    sqlite3 *db = open_store_in(f->folder.path);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ty_tracker *t = fixture_open(f);
    for (int64_t i = 11; i <= 500; i++)
        tell_metric(f, t, "train/loss", i, 1);
    tell_end(f, t, TY_RUN_FINISHED, "");
    const int64_t begin = ty_now_ns(&f->ctx);
    assert_ok(f, ty_tracker_close(&f->ctx, t, 300));
    const int64_t waited_ms = (ty_now_ns(&f->ctx) - begin) / 1000000;
    assert_in_range(waited_ms, 0, 5000);
    assert_int_equal(fixture_said(f, "not wholly in the store yet"), 1);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    const ty_rebuild_report report = rebuild(f);
    assert_int_equal(report.points_added, 490);
}

/* The run goes on, the journal is whole, and exactly one line says why MLflow is not. */
static void assert_only_the_journal_works(fixture *f, const char *why) {
    record_run(f, 1, 50);
    assert_int_equal(fixture_said(f, "the store cannot take the run now"), 1);
    assert_true(fixture_said(f, why) > 0);
    ty_run_record record;
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, &record));
    assert_int_equal(record.info.state, TY_RUN_FINISHED);
    assert_int_equal(record.curves[0].n, 50);
}

static void write_store(fixture *f, const char *content, size_t bytes) {
    char path[2 * TEMP_FOLDER_BYTES];
    store_path(f, path);
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, content, bytes));
}

static void a_store_that_is_no_database_is_said_once_and_left_alone(void **state) {
    fixture *f = *state;
    char garbage[8192];
    memset(garbage, 'x', sizeof garbage);
    write_store(f, garbage, sizeof garbage);
    assert_only_the_journal_works(f, "not a database");
    char path[2 * TEMP_FOLDER_BYTES], *now = NULL;
    size_t bytes;
    store_path(f, path);
    assert_ok(f, ty_file_read_all(&f->ctx, path, 1 << 20, &now, &bytes));
    assert_int_equal(bytes, sizeof garbage);
    assert_memory_equal(now, garbage, sizeof garbage);
    free(now);
}

static void somebody_elses_database_is_left_alone(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    sqlite3 *db = NULL;
    store_path(f, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE photos (id INTEGER)", NULL, NULL, NULL), 0);
    (void)sqlite3_close(db);
    assert_only_the_journal_works(f, "is no store that we know");
    assert_string_equal(ask_store(f, "SELECT name FROM sqlite_master"), "photos");
    assert_string_equal(ask_store(f, "PRAGMA journal_mode"), "delete");
}

static void a_store_without_a_column_we_need_is_said(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "ALTER TABLE metrics RENAME COLUMN is_nan TO is_odd");
    fixture_name_run(f, "exp", "two");
    assert_only_the_journal_works(f, "table metrics has no column is_nan");
}

static void a_store_that_demands_a_new_column_is_said(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "ALTER TABLE params RENAME TO old; CREATE TABLE params (\"key\" TEXT,"
                    " value TEXT, run_uuid TEXT, owner TEXT NOT NULL)");
    fixture_name_run(f, "exp", "two");
    assert_only_the_journal_works(f, "demands a column that is new to us: owner");
}

static void a_store_with_more_columns_and_workspaces_is_written_on(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "ALTER TABLE metrics ADD COLUMN note TEXT;"
                    "ALTER TABLE experiments ADD COLUMN workspace VARCHAR(63) DEFAULT 'default';"
                    "INSERT INTO experiments (name, lifecycle_stage, workspace)"
                    " VALUES ('other', 'active', 'theirs')");
    record_run(f, 11, 20);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "22");
    assert_int_equal(f->n_warnings, 0);
}

static void a_store_that_cannot_be_opened_is_said_once(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    store_path(f, path);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_only_the_journal_works(f, "unable to open database file");
}

static void a_store_that_is_replaced_while_a_run_lasts_gets_all_of_it(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    tell_metric(f, t, "a", 1, 1);
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    while (!ty_tracker_describe(t)->experiment_id)
        (void)usleep(1000);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    change_store(f, "DELETE FROM metrics; DELETE FROM latest_metrics; DELETE FROM tags;"
                    "DELETE FROM runs; DELETE FROM tiltyard_folded");
    t = fixture_open(f);
    tell_metric(f, t, "a", 2, 1);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT step FROM metrics ORDER BY step"), "1|2");
}

/* Whatever a disk made of the file: a status or a success, never a crash, and the journal is as it was. */
static void a_damaged_store_never_takes_the_run_along(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES], *data = NULL;
    size_t bytes;
    record_run(f, 1, 2000);
    store_path(f, path);
    assert_ok(f, ty_file_read_all(&f->ctx, path, 1 << 24, &data, &bytes));
    uint64_t draw = 1;
    int n_failed = 0;
    for (int i = 0; i < 200; i++) {
        char *damaged = malloc(bytes);
        assert_non_null(damaged);
        memcpy(damaged, data, bytes);
        for (int k = 0; k < 1 + i / 10; k++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            damaged[(draw >> 20) % (i % 2 ? bytes : 8192)] ^= (char)(1 << (draw >> 60) % 8);
        }
        write_store(f, damaged, i % 7 == 0 ? bytes / 2 + (size_t)i : bytes);
        free(damaged);
        ty_rebuild_report report;
        n_failed += ty_runs_rebuild(&f->ctx, f->folder.path, &report) != TY_OK;
    }
    free(data);
    assert_true(n_failed > 20);
    ty_run_record record;
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, &record));
    assert_int_equal(record.curves[0].n, 2000);
}

static void a_journal_that_was_put_back_goes_on_from_where_it_is(void **state) {
    fixture *f = *state;
    char *old = NULL;
    size_t bytes;
    record_run(f, 1, 10);
    assert_ok(f, ty_file_read_all(&f->ctx, f->journal, 1 << 20, &old, &bytes));
    for (int64_t i = 1; i < 9; i++)
        record_run(f, 10 * i + 1, 10 * i + 10);
    assert_ok(f, ty_file_write_atomic(&f->ctx, f->journal, old, bytes));
    free(old);
    record_run(f, 11, 200);
    assert_int_equal(fixture_said(f, "an older journal was put back"), 1);
    assert_string_equal(ask_store(f, "SELECT count(DISTINCT step) FROM metrics"), "200");
}

/* --- places ------------------------------------------------------------------------------ */

static void a_moved_folder_is_found_where_it_is(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    change_store(f, "INSERT INTO runs (run_uuid, name, lifecycle_stage, artifact_uri,"
                    " experiment_id, status, start_time) VALUES ('others', 'theirs', 'active',"
                    " '/elsewhere/artifacts', 1, 'FINISHED', 1);"
                    "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,"
                    " creation_timestamp_ms, last_updated_timestamp_ms, status) SELECT 'm-1', 1,"
                    " 'm', substr(artifact_uri, 1, length(artifact_uri) - 9) || 'models/m-1', 1, 1,"
                    " 2 FROM runs WHERE run_uuid <> 'others'");
    temp_folder moved = f->folder;
    (void)strcat(moved.path, "-moved");
    assert_int_equal(rename(f->folder.path, moved.path), 0);
    f->folder = moved;
    fixture_name_run(f, "exp", "two");
    record_run(f, 1, 10);
    char wanted[8 * TEMP_FOLDER_BYTES];
    const char *m = moved.path;
    (void)snprintf(wanted, sizeof wanted,
                   "%s/runs/exp/one/artifacts|/elsewhere/artifacts|"
                   "%s/runs/exp/two/artifacts",
                   m, m);
    assert_string_equal(ask_store(f, "SELECT artifact_uri FROM runs ORDER BY name = 'two', name"),
                        wanted);
    (void)snprintf(wanted, sizeof wanted, "%s/mlruns/0|%s/runs/exp", m, m);
    assert_string_equal(
        ask_store(f, "SELECT artifact_location FROM experiments ORDER BY experiment_id"), wanted);
    (void)snprintf(wanted, sizeof wanted, "%s/runs/exp/one/models/m-1", m);
    assert_string_equal(ask_store(f, "SELECT artifact_location FROM logged_models"), wanted);
}

static void odd_characters_in_a_path_are_escaped_as_mlflow_unescapes_them(void **state) {
    fixture *f = *state;
    fixture_name_run(f, "exp", "100% a#b?");
    record_run(f, 1, 10);
    const char *uri = ask_store(f, "SELECT artifact_uri FROM runs");
    assert_non_null(strstr(uri, "/runs/exp/100%25 a%23b%3F/artifacts"));
}

/* --- company ----------------------------------------------------------------------------- */

static void two_processes_fold_into_one_store(void **state) {
    fixture *f = *state;
    pid_t children[4];
    (void)fflush(NULL);
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            char name[16];
            (void)snprintf(name, sizeof name, "run-%d", i);
            fixture_name_run(f, "exp", name);
            record_run(f, 1, 3000);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int code = -1;
        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs WHERE status = 'FINISHED'"), "4");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM experiments"), "2");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "13200");
    assert_int_equal(rebuild(f).points_added, 0);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_new_store_has_mlflows_revision_and_first_experiment),
        ROW(a_run_is_stored_as_mlflow_would),
        ROW(the_latest_point_is_the_one_of_the_highest_step),
        ROW(folding_again_changes_nothing),
        ROW(even_a_store_that_forgot_how_far_it_was_keeps_each_row_once),
        ROW(a_lost_store_comes_back_from_the_journals),
        ROW(what_was_done_in_mlflow_stays),
        ROW(a_tag_of_ours_that_nobody_touched_follows),
        ROW(a_run_deleted_for_good_does_not_come_back),
        ROW(a_deleted_experiment_is_not_revived),
        ROW(one_data_set_in_two_roles_is_one_input_with_both),
        ROW(a_busy_store_only_delays),
        ROW(a_store_that_stays_busy_is_left_at_the_deadline_and_completed_later),
        ROW(a_store_that_is_no_database_is_said_once_and_left_alone),
        ROW(somebody_elses_database_is_left_alone),
        ROW(a_store_without_a_column_we_need_is_said),
        ROW(a_store_that_demands_a_new_column_is_said),
        ROW(a_store_with_more_columns_and_workspaces_is_written_on),
        ROW(a_store_that_cannot_be_opened_is_said_once),
        ROW(a_store_that_is_replaced_while_a_run_lasts_gets_all_of_it),
        ROW(a_damaged_store_never_takes_the_run_along),
        ROW(a_journal_that_was_put_back_goes_on_from_where_it_is),
        ROW(a_moved_folder_is_found_where_it_is),
        ROW(odd_characters_in_a_path_are_escaped_as_mlflow_unescapes_them),
        ROW(two_processes_fold_into_one_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
