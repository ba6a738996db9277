/* What is known of a run's way to servers, where it may go, and how that is told. */
#include "tests/tracking/fixture.h"

#include "tracking/sinks/delivery.h"
#include "tracking/sinks/feeder.h"

static const char here[] = "http://here:5000", there[] = "https://there";

static ty_delivery *open_delivery(fixture *f, const char *uri) {
    ty_delivery *d = NULL;
    assert_ok(f, ty_dir_make(&f->ctx, f->run));
    assert_ok(f, ty_delivery_open(&f->ctx, f->run, uri, &d));
    return d;
}

static void what_is_noted_is_read_again(void **state) {
    fixture *f = *state;
    ty_delivered_file file = {.size = 3, .mtime_ns = 5};
    memset(file.sha256, 'a', 64);
    const ty_delivered_model model = {TY_DELIVERED_READY, "m-1", "mlflow-artifacts:/m"};
    ty_delivery *d = open_delivery(f, here);
    assert_ok(f, ty_delivery_note_run(&f->ctx, d, "7", "r\"1", "mlflow-artifacts:/7"));
    assert_ok(f, ty_delivery_note_ack(&f->ctx, d, 12));
    assert_ok(f, ty_delivery_note_ack(&f->ctx, d, 11)); /* never back */
    assert_ok(f, ty_delivery_note_file(&f->ctx, d, "artifacts/r.html", &file));
    assert_ok(f, ty_delivery_note_model(&f->ctx, d, "m-2", &model));
    const ty_dead_letter letter = {3, "metric", "loss", "because\nof it", 9};
    assert_ok(f, ty_delivery_note_dead(&f->ctx, d, &letter));
    assert_ok(f, ty_delivery_note_dead(&f->ctx, d, &letter)); /* once */
    ty_delivery_close(&f->ctx, d);
    ty_delivery_state s;
    ty_delivery_state_init(&s, here);
    assert_ok(f, ty_delivery_read(&f->ctx, f->run, &s));
    assert_string_equal(s.experiment_id, "7");
    assert_string_equal(s.run_id, "r\"1");
    assert_int_equal(s.acked, 12);
    const ty_delivered_file *kept = ty_keymap_find(&s.files, "artifacts/r.html");
    assert_non_null(kept);
    assert_int_equal(kept->mtime_ns, 5);
    const ty_delivered_model *known = ty_keymap_find(&s.models, "m-2");
    assert_non_null(known);
    assert_int_equal(known->state, TY_DELIVERED_READY);
    assert_string_equal(known->server_id, "m-1");
    assert_int_equal(s.dead.n, 1);
    assert_string_equal(((const ty_dead_letter *)s.dead.v[0].item)->words, "because\nof it");
    assert_false(s.is_gone);
    ty_delivery_state_clear(&s);
}

static void targets_know_nothing_of_each_other(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 2; i++) { /* there and back again */
        ty_delivery *d = open_delivery(f, here);
        assert_ok(f, ty_delivery_note_ack(&f->ctx, d, 10 + (uint64_t)i));
        ty_delivery_close(&f->ctx, d);
        d = open_delivery(f, there);
        assert_int_equal(ty_delivery_now(d)->acked, 5 * i);
        assert_ok(f, ty_delivery_note_ack(&f->ctx, d, 5));
        ty_delivery_close(&f->ctx, d);
    }
    ty_delivery_state s;
    ty_delivery_state_init(&s, here);
    assert_ok(f, ty_delivery_read(&f->ctx, f->run, &s));
    assert_int_equal(s.acked, 11);
    ty_delivery_state_clear(&s);
    ty_delivery_state_init(&s, NULL); /* the last one chosen */
    assert_ok(f, ty_delivery_read(&f->ctx, f->run, &s));
    assert_string_equal(s.uri, there);
    assert_int_equal(s.acked, 5);
    ty_delivery_state_clear(&s);
    ty_delivery_state_init(&s, "http://nobody");
    assert_ok(f, ty_delivery_read(&f->ctx, f->run, &s));
    assert_int_equal(s.target, -1);
    ty_delivery_state_clear(&s);
}

static void only_one_process_delivers_a_run(void **state) {
    fixture *f = *state;
    ty_delivery *d = open_delivery(f, here), *other = NULL;
    assert_int_equal(ty_delivery_open(&f->ctx, f->run, here, &other), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "another process delivers this run"));
    ty_delivery_close(&f->ctx, d);
    d = open_delivery(f, here);
    ty_delivery_close(&f->ctx, d);
}

static void foreign_records_are_refused(void **state) {
    fixture *f = *state;
    static const struct {
        uint32_t type;
        const char *payload;
    } bad[] = {
        {1, "{}"},
        {1, "[]"},
        {2, "{\"t\":0,\"run_id\":\"r\"}"},
        {3, "{\"t\":0,\"sequence\":-1}"},
        {3, "{\"t\":0,\"sequence\":\"1\"}"},
        {4, "{\"t\":0,\"path\":\"p\",\"size\":1,\"mtime_ns\":1,\"sha256\":\"short\"}"},
        {5,
         "{\"t\":0,\"model_id\":\"m\",\"server_id\":\"s\",\"artifact_uri\":\"a\",\"state\":\"x\"}"},
        {6, "{\"t\":0,\"what\":\"metric\"}"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ty_delivery_state s;
        const ty_journal_record target = {1, 1, "{\"uri\":\"http://here:5000\"}", 26};
        const ty_journal_record raw = {bad[i].type, 2, bad[i].payload, strlen(bad[i].payload)};
        ty_delivery_state_init(&s, here);
        assert_ok(f, ty_delivery_take(&f->ctx, &s, &target));
        assert_int_equal(ty_delivery_take(&f->ctx, &s, &raw), TY_ERR_INTEGRITY);
        assert_non_null(strstr(f->ctx.message, "record 2"));
        ty_delivery_state_clear(&s);
    }
}

/* --- where to --------------------------------------------------------------------------------- */

static const char *no_variables(const char *name) {
    (void)name;
    return NULL;
}

static const char *a_server(const char *name) {
    return strcmp(name, "MLFLOW_TRACKING_URI") == 0 ? "http://me:s3cret@HERE:5000/" : NULL;
}

static void the_config_comes_before_the_variable_and_the_folder_last(void **state) {
    fixture *f = *state;
    ty_target t;
    char path[2 * TEMP_FOLDER_BYTES];
    temp_folder_path(&f->folder, "mlflow.db", path);
    f->ctx.getenv = no_variables;
    assert_ok(f, ty_target_choose(&f->ctx, "", f->folder.path, &f->arena, &t));
    assert_int_equal(t.kind, TY_TARGET_STORE);
    assert_string_equal(t.path, path);
    f->ctx.getenv = a_server;
    assert_ok(f, ty_target_choose(&f->ctx, NULL, f->folder.path, &f->arena, &t));
    assert_int_equal(t.kind, TY_TARGET_SERVER);
    assert_string_equal(t.name, here);
    assert_string_equal(t.given, "http://me:s3cret@HERE:5000/");
    assert_ok(f, ty_target_choose(&f->ctx, "offline", f->folder.path, &f->arena, &t));
    assert_int_equal(t.kind, TY_TARGET_OFFLINE);
    assert_ok(f,
              ty_target_choose(&f->ctx, "sqlite:////a/../b/x.db", f->folder.path, &f->arena, &t));
    assert_string_equal(t.path, "/b/x.db");
    assert_string_equal(t.name, "sqlite:////b/x.db");
}

static void places_that_are_none_are_refused_without_their_secrets(void **state) {
    fixture *f = *state;
    ty_target t;
    static const char *const bad[] = {"./mlruns",           "/mlruns",
                                      "file:///mlruns",     "mlruns",
                                      "sqlite:///",         "sqlite:///a/",
                                      "sqlite:///:memory:", "databricks",
                                      "ftp://u:s3cret@h/",  "postgresql://u:s3cret@h/d"};
    f->ctx.getenv = no_variables;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ty_target_choose(&f->ctx, bad[i], ".", &f->arena, &t), TY_ERR_CONFIG);
        assert_non_null(strstr(f->ctx.message, "tracking.uri"));
        assert_null(strstr(f->ctx.message, "s3cret"));
    }
    assert_int_equal(ty_target_choose(&f->ctx, "http://u:s3cret@h", ".", &f->arena, &t),
                     TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "MLFLOW_TRACKING_PASSWORD"));
    assert_null(strstr(f->ctx.message, "s3cret"));
}

/* --- offline, and into stores elsewhere ------------------------------------------------------- */

static const char *always_offline(const char *name) {
    return strcmp(name, "MLFLOW_TRACKING_URI") == 0 ? "offline" : NULL;
}

static ty_target store_named(fixture *f, const char *name) {
    ty_target t;
    const char *uri = ty_arena_printf(&f->arena, "sqlite:///%s/%s", f->folder.path, name);
    assert_non_null(uri);
    assert_ok(f, ty_target_parse(&f->ctx, uri, &f->arena, &t));
    return t;
}

static void an_offline_run_comes_into_any_store_later_and_once(void **state) {
    fixture *f = *state;
    ty_sync_report r;
    char store[2 * TEMP_FOLDER_BYTES];
    f->ctx.getenv = always_offline;
    record_run(f, 1, 50);
    temp_folder_path(&f->folder, "mlflow.db", store);
    assert_false(ty_file_exists(&f->ctx, store));
    const ty_target t = store_named(f, "mlflow.db");
    assert_ok(f, ty_sync_look(&f->ctx, f->run, &t, &f->arena, &r));
    assert_false(ty_sync_is_complete(&r));
    assert_int_equal(r.points.all, 55);
    assert_int_equal(r.points.acked, 0);
    assert_true(r.pending_since_ns > 0);
    assert_false(ty_file_exists(&f->ctx, store)); /* looking makes none */
    for (int i = 0; i < 2; i++) {
        assert_ok(f, ty_sync_run(&f->ctx, f->folder.path, f->run, &t, &f->arena, &r));
        assert_true(ty_sync_is_complete(&r));
        assert_int_equal(r.points.acked, 55);
        assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "55");
        assert_string_equal(ask_store(f, "SELECT status FROM runs"), "FINISHED");
    }
}

static void a_live_run_is_left_to_its_own_process(void **state) {
    fixture *f = *state;
    ty_sync_report r;
    const ty_target t = store_named(f, "other.db");
    f->ctx.getenv = always_offline;
    ty_tracker *tracker = fixture_open(f);
    tell_start(f, tracker, 0);
    assert_ok(f, ty_tracker_flush(&f->ctx, tracker));
    assert_ok(f, ty_sync_run(&f->ctx, f->folder.path, f->run, &t, &f->arena, &r));
    assert_true(r.is_live);
    assert_false(ty_sync_is_complete(&r));
    tell_end(f, tracker, TY_RUN_FINISHED, "");
    fixture_close(f, tracker);
    assert_ok(f, ty_sync_run(&f->ctx, f->folder.path, f->run, &t, &f->arena, &r));
    assert_true(ty_sync_is_complete(&r));
}

static void a_dead_offline_run_makes_no_store(void **state) {
    fixture *f = *state;
    int64_t n_reaped = 0;
    char store[2 * TEMP_FOLDER_BYTES];
    f->ctx.getenv = always_offline;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ty_tracker *t = NULL;
        if (fixture_try_open(f, &t) == TY_OK) {
            tell_start(f, t, 0);
            (void)(ty_tracker_flush(&f->ctx, t) == TY_OK);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(f, ty_runs_reap(&f->ctx, f->folder.path, &n_reaped));
    assert_int_equal(n_reaped, 1);
    temp_folder_path(&f->folder, "mlflow.db", store);
    assert_false(ty_file_exists(&f->ctx, store));
}

/* --- the tag that ends a run ------------------------------------------------------------------ */

static void some_values_ask_for_no_end(void **state) {
    (void)state;
    static const char *const no[] = {"", "0", "false", "False", "no", "off"};
    static const char *const yes[] = {"1", "true", "please", "2"};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(ty_feeder_is_stop_value(no[i]));
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(ty_feeder_is_stop_value(yes[i]));
}

static void wait_for_store(fixture *f, ty_tracker *t) {
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    for (int i = 0; i < 6000 && !ty_tracker_describe(t)->experiment_id; i++)
        (void)usleep(10000);
    assert_non_null(ty_tracker_describe(t)->experiment_id);
}

static ty_answer tell_eval(fixture *f, ty_tracker *t, const char **reason) {
    const ty_observer observer = ty_tracker_observer(t);
    const ty_event event = {.kind = TY_EVENT_EVAL, .time_ns = ty_now_wall_ns(&f->ctx), .step = 9};
    return observer.notify(observer.self, &event, reason);
}

static ty_answer wait_for_stop(fixture *f, ty_tracker *t, int64_t ms, const char **reason) {
    ty_answer answer = TY_CONTINUE;
    for (int64_t i = 0; i < ms / 10 && answer == TY_CONTINUE; i++) {
        answer = tell_eval(f, t, reason);
        (void)usleep(10000);
    }
    return answer;
}

static void a_tag_set_in_mlflow_ends_the_run_once(void **state) {
    fixture *f = *state;
    const char *reason = NULL;
    f->ctx.getenv = no_variables;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    assert_int_equal(tell_eval(f, t, &reason), TY_CONTINUE);
    wait_for_store(f, t);
    change_store(f, "INSERT INTO tags (\"key\", value, run_uuid)"
                    " SELECT 'tiltyard.stop', 'true', run_uuid FROM runs");
    assert_int_equal(wait_for_stop(f, t, 60000, &reason), TY_STOP);
    assert_string_equal(reason, "tiltyard.stop set in MLflow");
    tell_end(f, t, TY_RUN_FINISHED, reason);
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE \"key\" = 'tiltyard.stopped'"),
                        "true");
    t = fixture_open(f); /* resumed: the same wish was granted */
    tell_start(f, t, 9);
    assert_int_equal(wait_for_stop(f, t, 2 * TY_FEEDER_LOOK_MS, &reason), TY_CONTINUE);
    change_store(f, "UPDATE tags SET value = 'again' WHERE \"key\" = 'tiltyard.stop'");
    assert_int_equal(wait_for_stop(f, t, 60000, &reason), TY_STOP);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(what_is_noted_is_read_again),
        ROW(targets_know_nothing_of_each_other),
        ROW(only_one_process_delivers_a_run),
        ROW(foreign_records_are_refused),
        ROW(the_config_comes_before_the_variable_and_the_folder_last),
        ROW(places_that_are_none_are_refused_without_their_secrets),
        ROW(an_offline_run_comes_into_any_store_later_and_once),
        ROW(a_live_run_is_left_to_its_own_process),
        ROW(a_dead_offline_run_makes_no_store),
        ROW(some_values_ask_for_no_end),
        ROW(a_tag_set_in_mlflow_ends_the_run_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
