/* Recording into a run that somebody else has made in MLflow's store. */
#include "tests/tracking/fixture.h"

static const char theirs[] = "0123456789abcdef0123456789abcdef";

/* A store with a run of others, whose artifacts lie in <folder>/their %folder. */
static void make_their_run(fixture *f) {
    char sql[4 * 1024];
    fixture_name_run(f, "exp", "first");
    record_run(f, 1, 3);
    (void)snprintf(
        sql, sizeof sql,
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time,"
        " lifecycle_stage, artifact_uri, experiment_id) VALUES ('%s', 'theirs', 'LOCAL', 'them',"
        " 'FINISHED', 5, 'active', 'file://%s/their%%20%%25folder', 0);"
        "INSERT INTO tags (\"key\", value, run_uuid) VALUES ('color', 'red', '%s');"
        "INSERT INTO params (\"key\", value, run_uuid) VALUES ('theirs', '1', '%s');"
        "INSERT INTO metrics (\"key\", value, timestamp, run_uuid, step, is_nan) VALUES"
        " ('train/loss', 9, 7, '%s', 1, 0)",
        theirs, f->folder.path, theirs, theirs, theirs);
    change_store(f, sql);
    fixture_name_run(f, "exp", "guest");
}

static ty_tracker *open_guest(fixture *f, const char *run_id) {
    ty_tracker *tracker = NULL;
    const ty_tracker_options options = {.folder = f->folder.path,
                                        .run_folder = f->run,
                                        .experiment = "exp",
                                        .run_name = "guest",
                                        .run_id = run_id,
                                        .source = "tiltyard train x.json"};
    assert_ok(f, ty_tracker_open(&f->ctx, &options, &tracker));
    return tracker;
}

static void publish(fixture *f, ty_tracker *t, const char *name, const char *content) {
    char path[4 * TEMP_FOLDER_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", f->run, name);
    assert_ok(f, ty_file_write_atomic(&f->ctx, path, content, strlen(content)));
    tell(f, t,
         (ty_event){.kind = TY_EVENT_FILE, .step = 1, .file = {.path = path, .folder = "sub"}});
}

static void record_guest(fixture *f, int64_t first, int64_t last, const char *content) {
    ty_tracker *t = open_guest(f, theirs);
    tell_start(f, t, first - 1);
    tell_text(f, t, TY_EVENT_PARAM, "ours", "2");
    tell_text(f, t, TY_EVENT_TAG, "color", "green");
    for (int64_t i = first; i <= last; i++)
        tell_metric(f, t, "train/loss", i, 1 / (double)i);
    publish(f, t, "page.html", content);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void assert_their_file(fixture *f, const char *want) {
    char path[3 * TEMP_FOLDER_BYTES];
    char *text = NULL;
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/their %%folder/sub/page.html", f->folder.path);
    assert_ok(f, ty_file_read_all(&f->ctx, path, 1000, &text, &bytes));
    assert_int_equal(bytes, strlen(want));
    assert_memory_equal(text, want, bytes);
    free(text);
}

static void a_run_that_was_named_gets_the_journal_and_keeps_what_it_has(void **state) {
    fixture *f = *state;
    make_their_run(f);
    record_guest(f, 1, 20, "<p>");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs"), "2");
    assert_string_equal(
        ask_store(f, "SELECT name || status || user_id || experiment_id || (end_time > 5)"
                     " FROM runs WHERE run_uuid LIKE '01234%'"),
        "theirsFINISHEDthem01");
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE run_uuid LIKE '01234%' AND"
                                     " \"key\" = 'color'"),
                        "red");
    assert_string_equal(ask_store(f, "SELECT \"key\" || value FROM params"
                                     " WHERE run_uuid LIKE '01234%' ORDER BY \"key\""),
                        "ours2|theirs1");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE run_uuid LIKE '01234%'"),
                        "21");
    assert_their_file(f, "<p>");
}

static void folding_again_adds_nothing_and_moves_nobodys_artifacts(void **state) {
    fixture *f = *state;
    ty_rebuild_report report = {0};
    make_their_run(f);
    record_guest(f, 1, 20, "<p>");
    const char *before = dump_store(f);
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    assert_int_equal(report.points_added + report.runs_added + report.values_added, 0);
    assert_string_equal(dump_store(f), before);
}

static void going_on_tells_the_same_run_more_and_shows_the_newest_file(void **state) {
    fixture *f = *state;
    make_their_run(f);
    record_guest(f, 1, 20, "<p>");
    record_guest(f, 21, 25, "<p>more");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE run_uuid LIKE '01234%'"),
                        "26");
    assert_their_file(f, "<p>more");
}

static void two_journals_of_one_run_lose_nothing(void **state) {
    fixture *f = *state;
    ty_rebuild_report report = {0};
    make_their_run(f);
    record_guest(f, 1, 20, "<p>");
    fixture_name_run(f, "exp", "second");
    ty_tracker *t = open_guest(f, theirs);
    tell_metric(f, t, "other", 1, 0.5);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE run_uuid LIKE '01234%'"),
                        "22");
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    assert_int_equal(report.points_added, 0);
}

static void a_run_of_ours_that_is_named_is_the_same_for_both_journals(void **state) {
    fixture *f = *state;
    fixture_name_run(f, "exp", "first");
    record_run(f, 1, 3);
    const char *ours = ask_store(f, "SELECT run_uuid FROM runs");
    fixture_name_run(f, "exp", "second");
    ty_tracker *t = open_guest(f, ours);
    tell_metric(f, t, "other", 1, 0.5);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    fixture_name_run(f, "exp", "first");
    record_run(f, 4, 6);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM runs"), "1");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "7");
}

static void a_lost_store_is_made_anew_with_the_id_that_was_named(void **state) {
    fixture *f = *state;
    ty_rebuild_report report = {0};
    char path[2 * TEMP_FOLDER_BYTES];
    make_their_run(f);
    record_guest(f, 1, 20, "<p>");
    temp_folder_path(&f->folder, "mlflow.db", path);
    assert_int_equal(unlink(path), 0);
    assert_ok(f, ty_runs_rebuild(&f->ctx, f->folder.path, &report));
    assert_int_equal(report.runs_added, 2);
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE run_uuid LIKE '01234%'"),
                        "20");
}

static void what_was_named_is_looked_up_and_the_store_stays_as_it_is(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    const char *name = NULL;
    ty_named_run run;
    temp_folder_path(&f->folder, "mlflow.db", path);
    const ty_target target = {.kind = TY_TARGET_STORE, .name = "the store", .path = path};
    assert_int_equal(ty_named_run_read(&f->ctx, &target, theirs, &f->arena, &run),
                     TY_ERR_NOT_FOUND);
    assert_false(ty_file_exists(&f->ctx, path));
    make_their_run(f);
    assert_ok(f, ty_named_run_read(&f->ctx, &target, theirs, &f->arena, &run));
    assert_string_equal(run.run_id, theirs);
    assert_string_equal(run.experiment_id, "0");
    assert_string_equal(run.status, "FINISHED");
    assert_false(run.is_deleted);
    change_store(f, "UPDATE runs SET lifecycle_stage = 'deleted'");
    assert_ok(f, ty_named_run_read(&f->ctx, &target, theirs, &f->arena, &run));
    assert_true(run.is_deleted);
    assert_ok(f, ty_named_experiment(&f->ctx, &target, "1", &f->arena, &name));
    assert_string_equal(name, "exp");
    static const char *const none[] = {"2", "01", "1x", "", "exp"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(ty_named_experiment(&f->ctx, &target, none[i], &f->arena, &name),
                         TY_ERR_NOT_FOUND);
    change_store(f, "UPDATE experiments SET lifecycle_stage = 'deleted'");
    assert_int_equal(ty_named_experiment(&f->ctx, &target, "1", &f->arena, &name), TY_ERR_ARG);
    const ty_target offline = {.kind = TY_TARGET_OFFLINE, .name = "offline"};
    assert_int_equal(ty_named_experiment(&f->ctx, &offline, "1", &f->arena, &name), TY_ERR_ARG);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(a_run_that_was_named_gets_the_journal_and_keeps_what_it_has),
        ROW(folding_again_adds_nothing_and_moves_nobodys_artifacts),
        ROW(going_on_tells_the_same_run_more_and_shows_the_newest_file),
        ROW(two_journals_of_one_run_lose_nothing),
        ROW(a_run_of_ours_that_is_named_is_the_same_for_both_journals),
        ROW(a_lost_store_is_made_anew_with_the_id_that_was_named),
        ROW(what_was_named_is_looked_up_and_the_store_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
