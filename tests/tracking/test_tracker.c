/* A run from its events to its journal: exact, never twice, never lost. */
#include "tests/tracking/fixture.h"

#include <math.h>

typedef struct tally {
    int64_t n_points, n_records, by_type[TY_TRACK_END];
    int64_t expected_step; /* of key "k", where points must come without a gap */
    ty_text text;
} tally;

static void count(void *self, const ty_track_record *r) {
    tally *t = self;
    t->n_records++;
    if (r->type < TY_TRACK_END)
        t->by_type[r->type]++;
    if (r->type != TY_TRACK_METRICS)
        return;
    t->n_points += r->points.n;
    for (int64_t i = 0; i < r->points.n; i++)
        if (strcmp(r->points.v[i].key, "k") == 0)
            assert_int_equal(r->points.v[i].step, t->expected_step++);
}

static tally tally_journal(fixture *f) {
    tally t = {0};
    each_record(f, count, &t);
    return t;
}

/* One line a record, without what differs from run to run. */
static void write_line(void *self, const ty_track_record *r) {
    ty_text *out = self;
    if (r->type == TY_TRACK_RUN)
        ty_text_addf(out, "run %s/%s %s\n", r->run.experiment, r->run.name, r->run.source);
    else if (r->type == TY_TRACK_START)
        ty_text_addf(out, "start %d %d of %d\n", (int)r->start.is_resumed, (int)r->start.from_step,
                     (int)r->start.total_steps);
    else if (r->type == TY_TRACK_PARAM || r->type == TY_TRACK_TAG)
        ty_text_addf(out, "%s %s=%s\n", r->type == TY_TRACK_TAG ? "tag" : "param", r->text.key,
                     r->text.value);
    else if (r->type == TY_TRACK_DATASET)
        ty_text_addf(out, "data %s %s %s\n", r->dataset.name, r->dataset.digest,
                     r->dataset.context);
    else if (r->type == TY_TRACK_FILE || r->type == TY_TRACK_MODEL)
        ty_text_addf(out, "file %s as %s\n", r->file.path, r->file.artifact);
    else if (r->type == TY_TRACK_STATE)
        ty_text_addf(out, "state %s '%s' at %d\n",
                     ty_track_state_name((ty_run_state)r->state.state), r->state.reason,
                     (int)r->step);
    for (int64_t i = 0; r->type == TY_TRACK_METRICS && i < r->points.n; i++)
        ty_text_addf(out, "%s %d at %d: %g\n", r->points.v[i].key, (int)r->points.v[i].step,
                     (int)(r->points.v[i].time_ns % 1000), r->points.v[i].value);
}

static void make_file(fixture *f, const char *name, char out[4 * TEMP_FOLDER_BYTES]) {
    (void)snprintf(out, 4 * TEMP_FOLDER_BYTES, "%s/%s", f->run, name);
    assert_ok(f, ty_file_write_atomic(&f->ctx, out, name, strlen(name)));
}

static void the_journal_says_what_was_told(void **state) {
    fixture *f = *state;
    char path[4 * TEMP_FOLDER_BYTES];
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    tell_text(f, t, TY_EVENT_PARAM, "optimizer.type", "sgd");
    tell(f, t,
         (ty_event){.kind = TY_EVENT_METRIC, .time_ns = 5001, .step = 1, .metric = {"a", 0.5}});
    tell(f, t,
         (ty_event){
             .kind = TY_EVENT_METRIC, .time_ns = 5002, .step = 1, .metric = {"b", (double)NAN}});
    tell(f, t,
         (ty_event){.kind = TY_EVENT_METRIC, .time_ns = 5003, .step = 2, .metric = {"a", 0.25}});
    tell(f, t, (ty_event){.kind = TY_EVENT_STEP, .step = 2});
    tell_text(f, t, TY_EVENT_TAG, "color", "red");
    tell(f, t,
         (ty_event){.kind = TY_EVENT_DATASET,
                    .dataset = {.name = "d", .digest = "1f", .context = "test"}});
    make_file(f, "report.html", path);
    tell(f, t, (ty_event){.kind = TY_EVENT_FILE, .file = {path, ""}});
    make_file(f, "step_2.h5", path);
    tell(f, t, (ty_event){.kind = TY_EVENT_MODEL, .step = 2, .model = {"best", path}});
    tell_end(f, t, TY_RUN_FAILED, "diverged");
    fixture_close(f, t);
    ty_text text = {0};
    each_record(f, write_line, &text);
    assert_string_equal(ty_text_string(&text), "run exp/one tiltyard train x.json\n"
                                               "start 0 0 of 100\n"
                                               "param optimizer.type=sgd\n"
                                               "a 1 at 1: 0.5\n"
                                               "b 1 at 2: nan\n"
                                               "a 2 at 3: 0.25\n"
                                               "tag color=red\n"
                                               "data d 1f test\n"
                                               "file report.html as artifacts/report.html\n"
                                               "file step_2.h5 as artifacts/checkpoints/best.h5\n"
                                               "state FAILED 'diverged' at 100\n");
    ty_text_clear(&text);
    (void)snprintf(path, sizeof path, "%s/artifacts/checkpoints/best.h5", f->run);
    assert_true(ty_file_exists(&f->ctx, path));
    assert_int_equal(f->n_warnings, 0);
}

static void a_flush_makes_everything_durable_at_once(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    for (int64_t i = 0; i < 1000; i++)
        tell_metric(f, t, "k", i, 1);
    assert_ok(f, ty_tracker_flush(&f->ctx, t));
    assert_int_equal(tally_journal(f).n_points, 1000);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void what_is_to_be_kept_is_on_the_disk_at_once(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    const ty_observer observer = ty_tracker_observer(t);
    for (int64_t i = 0; i < 1000; i++)
        tell_metric(f, t, "k", i, 1);
    ty_observers_keep(&f->ctx, &(ty_observers){.v = &observer, .n = 1});
    assert_int_equal(tally_journal(f).n_points, 1000);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void a_storm_of_points_spills_and_loses_none(void **state) {
    fixture *f = *state;
    const int64_t n = 200000; /* twelve rings full */
    ty_tracker *t = fixture_open(f);
    for (int64_t i = 0; i < n; i++)
        tell_metric(f, t, "k", i, (double)i);
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
    const tally sum = tally_journal(f);
    assert_int_equal(sum.n_points, n);
    assert_int_equal(sum.expected_step, n); /* in order, without a gap */
    assert_string_equal(ask_store(f, "SELECT count(*) FROM metrics"), "200000");
}

static void a_point_costs_less_than_a_microsecond(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    const ty_observer observer = ty_tracker_observer(t);
    const char *reason;
    double best_ns = 1e9;
    int64_t step = 0;
    for (int round = 0; round < 20; round++) {
        const int64_t begin = ty_now_ns(&f->ctx);
        for (int i = 0; i < 1000; i++) {
            const ty_event event = {.kind = TY_EVENT_METRIC,
                                    .time_ns = begin + i,
                                    .step = step++,
                                    .metric = {"train/loss", 0.125}};
            (void)observer.notify(observer.self, &event, &reason);
        }
        const double ns = (double)(ty_now_ns(&f->ctx) - begin) / 1000;
        best_ns = ns < best_ns ? ns : best_ns;
        assert_ok(f, ty_tracker_flush(&f->ctx, t));
    }
    print_message("a metric point costs the training thread %.0f ns\n", best_ns);
    assert_true(best_ns <
                20000); /* sanitizers and loaded machines; the figure is what is looked at */
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void a_resumed_run_never_repeats_a_point(void **state) {
    fixture *f = *state;
    record_run(f, 1, 60);
    record_run(f, 41, 100); /* computes 41..60 again */
    const tally sum = tally_journal(f);
    assert_int_equal(sum.n_points, 100 + 10);
    assert_string_equal(ask_store(f, "SELECT count(*) || ' ' || count(DISTINCT step) FROM metrics"
                                     " WHERE \"key\" = 'train/loss'"),
                        "100 100");
    assert_int_equal(sum.by_type[TY_TRACK_RUN], 1);
    assert_int_equal(sum.by_type[TY_TRACK_START], 2);
}

static void a_resumed_run_repeats_no_param_or_tag(void **state) {
    fixture *f = *state;
    record_run(f, 1, 10);
    record_run(f, 11, 20);
    const tally sum = tally_journal(f);
    assert_int_equal(sum.by_type[TY_TRACK_PARAM], 1);
    assert_int_equal(sum.by_type[TY_TRACK_TAG], 1);
}

static void a_point_without_a_step_is_the_next_of_its_curve(void **state) {
    fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        ty_tracker *t = fixture_open(f);
        for (int i = 0; i < 3; i++)
            tell_metric(f, t, "system/x", -1, 0.5);
        tell_end(f, t, TY_RUN_FINISHED, "");
        fixture_close(f, t);
    }
    assert_string_equal(ask_store(f, "SELECT step FROM metrics ORDER BY step"), "0|1|2|3|4|5");
}

static void a_second_process_is_told_who_has_the_run(void **state) {
    fixture *f = *state;
    ty_tracker *first = fixture_open(f), *second = NULL;
    assert_int_equal(fixture_try_open(f, &second), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "held by process"));
    assert_null(second);
    tell_end(f, first, TY_RUN_FINISHED, "");
    fixture_close(f, first);
}

static void a_run_that_nobody_ended_is_killed(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, 0);
    fixture_close(f, t);
    assert_string_equal(ask_store(f, "SELECT status || (end_time IS NOT NULL) FROM runs"),
                        "KILLED1");
}

static void the_deep_link_is_known_once_the_store_was_reached(void **state) {
    fixture *f = *state;
    ty_tracker *t = fixture_open(f);
    assert_int_equal(strlen(ty_tracker_describe(t)->run_id), 32);
    for (int i = 0; i < 6000 && !ty_tracker_describe(t)->deep_link; i++)
        (void)usleep(10000);
    assert_string_equal(ty_tracker_describe(t)->experiment_id, "1");
    assert_string_equal(ty_tracker_describe(t)->deep_link,
                        "/#/experiments/1/runs?workflowType=machine_learning");
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

static void a_damaged_journal_is_refused_by_name(void **state) {
    fixture *f = *state;
    record_run(f, 1, 50);
    char *data = NULL;
    size_t bytes;
    ty_tracker *t = NULL;
    assert_ok(f, ty_file_read_all(&f->ctx, f->journal, 1 << 20, &data, &bytes));
    data[200] ^= 1;
    assert_ok(f, ty_file_write_atomic(&f->ctx, f->journal, data, bytes));
    free(data);
    assert_int_equal(fixture_try_open(f, &t), TY_ERR_INTEGRITY);
    assert_non_null(strstr(f->ctx.message, "run.journal"));
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(the_journal_says_what_was_told),
        ROW(a_flush_makes_everything_durable_at_once),
        ROW(what_is_to_be_kept_is_on_the_disk_at_once),
        ROW(a_storm_of_points_spills_and_loses_none),
        ROW(a_point_costs_less_than_a_microsecond),
        ROW(a_resumed_run_never_repeats_a_point),
        ROW(a_resumed_run_repeats_no_param_or_tag),
        ROW(a_point_without_a_step_is_the_next_of_its_curve),
        ROW(a_second_process_is_told_who_has_the_run),
        ROW(a_run_that_nobody_ended_is_killed),
        ROW(the_deep_link_is_known_once_the_store_was_reached),
        ROW(a_damaged_journal_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
