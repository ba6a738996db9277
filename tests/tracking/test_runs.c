/* Runs as their folders tell them, without a store. */
#include "tests/tracking/fixture.h"

#include <signal.h>

static ty_run_info *list(fixture *f, int64_t *n) {
    ty_run_info *infos = NULL;
    assert_ok(f, ty_runs_list(&f->ctx, f->folder.path, &f->arena, &infos, n));
    return infos;
}

static void record_named(fixture *f, const char *experiment, const char *name, int64_t last) {
    fixture_name_run(f, experiment, name);
    record_run(f, 1, last);
}

static void a_folder_without_runs_lists_none(void **state) {
    int64_t n = -1;
    (void)list(*state, &n);
    assert_int_equal(n, 0);
}

static void runs_are_listed_newest_first(void **state) {
    fixture *f = *state;
    int64_t n;
    record_named(f, "exp", "first", 10);
    record_named(f, "other", "second", 700);
    const ty_run_info *infos = list(f, &n);
    assert_int_equal(n, 2);
    assert_string_equal(infos[0].name, "second");
    assert_string_equal(infos[1].name, "first");
    assert_string_equal(infos[1].source, "tiltyard train x.json");
    assert_int_equal(infos[0].last_step, 700);
    assert_int_equal(infos[0].total_steps, 100);
    assert_int_equal(infos[0].state, TY_RUN_FINISHED);
    assert_false(infos[0].is_live);
    assert_true(infos[0].end_ns >= infos[0].start_ns && infos[1].start_ns > 0);
}

static void a_damaged_journal_is_said_and_left_out(void **state) {
    fixture *f = *state;
    int64_t n;
    record_named(f, "exp", "good", 10);
    record_named(f, "exp", "bad", 10);
    assert_ok(f, ty_file_write_atomic(&f->ctx, f->journal, "nonsense nonsense", 17));
    const ty_run_info *infos = list(f, &n);
    assert_int_equal(n, 1);
    assert_string_equal(infos[0].name, "good");
    assert_int_equal(fixture_said(f, "exp/bad is left out"), 1);
}

static void a_run_that_works_is_live(void **state) {
    fixture *f = *state;
    int64_t n;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    const ty_run_info *infos = list(f, &n);
    assert_true(infos[0].is_live);
    assert_int_equal(infos[0].state, TY_RUN_RUNNING);
    assert_int_equal(infos[0].end_ns, 0);
    tell_end(f, t, TY_RUN_KILLED, "SIGTERM");
    fixture_close(f, t);
    infos = list(f, &n);
    assert_false(infos[0].is_live);
    assert_string_equal(infos[0].reason, "SIGTERM");
}

static void a_run_is_read_with_all_it_told(void **state) {
    fixture *f = *state;
    ty_run_record r;
    record_run(f, 1, 30);
    record_run(f, 21, 600);
    assert_ok(f, ty_runs_read(&f->ctx, f->run, &f->arena, &r));
    assert_string_equal(r.info.name, "one");
    assert_int_equal(r.n_params, 1);
    assert_string_equal(r.params[0].text, "adamw");
    assert_int_equal(r.n_tags, 1);
    assert_int_equal(r.n_curves, 2);
    assert_string_equal(r.curves[0].key, "train/loss");
    assert_int_equal(r.curves[0].n, 600);
    for (int64_t i = 0; i < r.curves[0].n; i++) {
        assert_int_equal(r.curves[0].v[i].step, i + 1);
        assert_true(r.curves[0].v[i].value == 1 / (double)(i + 1));
    }
    assert_string_equal(r.metrics[1].key, "val/accuracy");
    assert_int_equal(r.metrics[1].step, 600);
    assert_true(r.metrics[1].value == 1 - 1 / 600.0);
}

static void assert_found(fixture *f, const char *which, const char *wanted) {
    const char *found = NULL;
    assert_ok(f, ty_runs_find(&f->ctx, f->folder.path, which, &f->arena, &found));
    assert_string_equal(found, wanted);
}

static void a_run_is_found_by_folder_name_and_id(void **state) {
    fixture *f = *state;
    record_named(f, "exp", "cnn-3f2a", 10);
    const char *id = ask_store(f, "SELECT run_uuid FROM runs");
    char prefix[8];
    (void)snprintf(prefix, sizeof prefix, "%.7s", id);
    assert_found(f, "cnn-3f2a", f->run);
    assert_found(f, id, f->run);
    assert_found(f, prefix, f->run);
    assert_found(f, f->run, f->run);
    assert_found(f, "runs/exp/cnn-3f2a", f->run);
    assert_found(f, "exp/cnn-3f2a/", f->run);
}

static void a_run_that_is_not_there_brings_its_neighbours(void **state) {
    fixture *f = *state;
    const char *found = NULL;
    record_named(f, "exp", "cnn-3f2a", 10);
    assert_int_equal(ty_runs_find(&f->ctx, f->folder.path, "cnn-3f2b", &f->arena, &found),
                     TY_ERR_NOT_FOUND);
    assert_non_null(strstr(f->ctx.message, "did you mean cnn-3f2a?"));
    assert_int_equal(ty_runs_find(&f->ctx, f->folder.path, "", &f->arena, &found), TY_ERR_ARG);
}

static void a_name_that_two_runs_have_is_refused_with_both(void **state) {
    fixture *f = *state;
    const char *found = NULL;
    record_named(f, "exp", "same", 10);
    record_named(f, "other", "same", 10);
    assert_int_equal(ty_runs_find(&f->ctx, f->folder.path, "same", &f->arena, &found), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "exp/same"));
    assert_non_null(strstr(f->ctx.message, "other/same"));
}

/* Runs a child that records and then dies by SIGKILL, its last point unsynced for up to a
 * second. */
static void die_in_a_run(fixture *f) {
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ty_tracker *t = fixture_open(f);
        tell_start(f, t, 0);
        tell_metric(f, t, "train/loss", 7, 1);
        assert_ok(f, ty_tracker_flush(&f->ctx, t));
        (void)kill(getpid(), SIGKILL);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
}

static int64_t reap(fixture *f) {
    int64_t n = -1;
    assert_ok(f, ty_runs_reap(&f->ctx, f->folder.path, &n));
    return n;
}

static void a_dead_run_is_reaped_once_in_journal_and_store(void **state) {
    fixture *f = *state;
    int64_t n;
    die_in_a_run(f);
    assert_int_equal(reap(f), 1);
    assert_int_equal(reap(f), 0);
    const ty_run_info *infos = list(f, &n);
    assert_int_equal(infos[0].state, TY_RUN_KILLED);
    assert_string_equal(infos[0].reason, "its process died");
    assert_true(infos[0].end_ns >= infos[0].start_ns);
    assert_string_equal(ask_store(f, "SELECT status FROM runs"), "KILLED");
    assert_string_equal(ask_store(f, "SELECT value FROM tags WHERE \"key\" = 'exit.reason'"),
                        "its process died");
}

static void a_reaped_run_goes_on_when_it_is_resumed(void **state) {
    fixture *f = *state;
    die_in_a_run(f);
    (void)reap(f);
    record_run(f, 1, 20);
    assert_string_equal(ask_store(f, "SELECT status FROM runs"), "FINISHED");
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics WHERE step = 7"), "1");
}

static void a_live_run_is_not_reaped(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    assert_int_equal(reap(f), 0);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT status FROM runs"), "FINISHED");
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_folder_without_runs_lists_none),
        ROW(runs_are_listed_newest_first),
        ROW(a_damaged_journal_is_said_and_left_out),
        ROW(a_run_that_works_is_live),
        ROW(a_run_is_read_with_all_it_told),
        ROW(a_run_is_found_by_folder_name_and_id),
        ROW(a_run_that_is_not_there_brings_its_neighbours),
        ROW(a_name_that_two_runs_have_is_refused_with_both),
        ROW(a_dead_run_is_reaped_once_in_journal_and_store),
        ROW(a_reaped_run_goes_on_when_it_is_resumed),
        ROW(a_live_run_is_not_reaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
