/* A study as its users know it: asked and told in any order, killed anywhere, always the same sweep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include <math.h>

#include "hpo/study/study_private.h"
#include "tests/hpo/study_case.h"

static void one_worker_runs_all_trials(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, 1, 1, 100000));
    assert_int_equal(ty_study_count(s), 30);
    const ty_trial *best = ty_study_best(s);
    for (size_t i = 0; i < 30; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        assert_int_equal(t->state, TY_TRIAL_COMPLETE);
        assert_int_equal(t->reports, EPOCHS);
        assert_true(t->value == study_case_loss(t, EPOCHS) && t->value >= best->value);
    }
    ty_study_close(s);
}

static void the_number_of_workers_changes_nothing(void **state) {
    study_case *f = *state;
    ty_text one = {0};
    study_case_run_all(f, 1, 1, &one);
    for (uint64_t delays = 1; delays <= 6; delays++)
        for (int workers = 2; workers <= MAX_WORKERS; workers *= 2) {
            ty_text other = {0};
            assert_int_equal(unlink(f->path), 0);
            study_case_run_all(f, workers, delays, &other);
            assert_string_equal(ty_text_string(&one), ty_text_string(&other));
            ty_text_clear(&other);
        }
    ty_text_clear(&one);
}

/* Stops anywhere, with workers in the middle of trials, and goes on with others. */
static void stopped_anywhere_it_goes_on_as_if_nothing_had_been(void **state) {
    study_case *f = *state;
    ty_text whole = {0}, pieces = {0};
    study_case_run_all(f, 3, 5, &whole);
    assert_int_equal(unlink(f->path), 0);
    ty_draws draws = ty_draws_open(11, TY_DRAW_PRIOR, 1, 0);
    bool is_done = false;
    uint64_t sittings = 0;
    while (!is_done) {
        ty_study *s = study_case_open(f);
        is_done = study_case_run(f, s, 1 + (int)ty_draw_below(&draws, MAX_WORKERS),
                                 ++sittings + 100, 1 + ty_draw_below(&draws, 60));
        if (is_done)
            study_case_describe(s, &pieces);
        ty_study_close(s);
    }
    assert_true(sittings > 5);
    assert_string_equal(ty_text_string(&whole), ty_text_string(&pieces));
    ty_text_clear(&whole);
    ty_text_clear(&pieces);
}

/* A journal cut at any byte is one that was killed there. */
static void cut_anywhere_nothing_that_was_told_is_lost(void **state) {
    study_case *f = *state;
    ty_text whole = {0};
    struct stat st;
    study_case_run_all(f, 2, 3, &whole);
    assert_int_equal(stat(f->path, &st), 0);
    ty_draws draws = ty_draws_open(12, TY_DRAW_PRIOR, 2, 0);
    for (int i = 0; i < 20; i++) {
        ty_text again = {0};
        const size_t bytes = (size_t)st.st_size;
        assert_int_equal(truncate(f->path, (off_t)(8 + ty_draw_below(&draws, bytes - 8))), 0);
        study_case_run_all(f, 2, 30 + (uint64_t)i, &again);
        assert_string_equal(ty_text_string(&whole), ty_text_string(&again));
        ty_text_clear(&again);
    }
    ty_text_clear(&whole);
}

static void replay_all(study_case *f, size_t at_least) {
    size_t decisions = 0;
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions >= at_least);
}

static void every_decision_can_be_derived_again(void **state) {
    study_case *f = *state;
    static const ty_order orders[] = {TY_ORDER_WINDOW, TY_ORDER_REPLAY};
    for (int i = 0; i < 2; i++) {
        ty_text text = {0};
        f->hpo.options.order = orders[i];
        study_case_run_all(f, 5, 9, &text);
        replay_all(f, 30 + 30 * EPOCHS);
        assert_int_equal(unlink(f->path), 0);
        ty_text_clear(&text);
    }
}

static void count_difference(void *self, size_t trial, const char *what) {
    (void)trial;
    assert_non_null(strstr(what, "point"));
    ++*(int *)self;
}

static void a_decision_that_differs_is_told(void **state) {
    study_case *f = *state;
    ty_text text = {0};
    size_t decisions = 0;
    int differences = 0;
    study_case_run_all(f, 2, 4, &text);
    f->hpo.params[0].low = 1e-4; /* the sampler now draws from elsewhere */
    study_case_ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    f->hpo.params[0].from = f->hpo.params[0].to = 0;
    study_case_ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    assert_int_equal(ty_study_replay(&f->ctx, f->path, &f->hpo.options, count_difference,
                                     &differences, &decisions),
                     TY_ERR_INTEGRITY);
    assert_int_equal(differences, 30);
    ty_text_clear(&text);
}

static void a_trial_that_is_lost_runs_again_and_then_fails(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    const size_t leg = ask.trial->legs[0].number;
    study_case_ok(f, ty_study_lose(&f->ctx, s, 0, 1, "its worker died"));
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    assert_int_equal(ask.trial->legs[0].number, leg);
    assert_true(ask.goes_on);
    assert_string_equal(ask.trial->worker, "v");
    study_case_ok(f, ty_study_lose(&f->ctx, s, 0, 1, "its worker died"));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_FAILED);
    assert_string_equal(ty_study_trial(s, 0)->reason, "its worker died");
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    ty_study_close(s);
}

/* A message may name a file of any bytes, or have been cut within a character. */
static void words_that_are_no_utf8_are_kept_as_what_can_be_read(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "caf\xe9", &ask));
    assert_string_equal(ask.trial->worker, "caf\xef\xbf\xbd");
    study_case_ok(f, ty_study_lose(&f->ctx, s, 0, 1, "/data/\xff is gone"));
    assert_string_equal(ty_study_trial(s, 0)->reason, "/data/\xef\xbf\xbd is gone");
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(
        f, ty_study_tell(
               &f->ctx, s, 0,
               &(ty_told){.state = TY_TRIAL_FAILED, .value = NAN, .reason = "it said \"caf\xc3"}));
    assert_string_equal(ty_study_trial(s, 0)->reason, "it said \"caf\xef\xbf\xbd");
    ty_study_close(s);
}

static void told_late_or_twice_the_first_counts(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(f,
                  ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 2}));
    study_case_ok(f,
                  ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 1}));
    assert_true(ty_study_trial(s, 0)->value == 2);
    study_case_ok(f, ty_study_lose(&f->ctx, s, 0, 0, "late"));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_COMPLETE);
    const ty_report report = {.step = 1, .resource = 1, .value = 1};
    ty_decision verdict;
    assert_int_equal(ty_study_report(&f->ctx, s, 0, &report, &verdict), TY_ERR_ARG);
    assert_int_equal(ty_study_report(&f->ctx, s, 5, &report, &verdict), TY_ERR_NOT_FOUND);
    ty_study_close(s);
}

static void what_is_not_a_number_fails_and_failures_end_the_sweep(void **state) {
    study_case *f = *state;
    f->hpo.options.max_consecutive_failures = 3;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    for (int i = 0; i < 3; i++) {
        study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
        assert_int_equal(ask.kind, TY_ASK_TRIAL);
        study_case_ok(f, ty_study_tell(&f->ctx, s, ask.trial->number,
                                       &(ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN}));
        assert_int_equal(ask.trial->state, TY_TRIAL_FAILED);
        assert_string_equal(ask.trial->reason, "it reported no value of the metric");
    }
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_DONE);
    assert_string_equal(ask.reason, "too many trials in a row failed");
    assert_null(ty_study_best(s));
    ty_study_close(s);
}

static void the_target_ends_the_sweep(void **state) {
    study_case *f = *state;
    f->hpo.options.maximize = true;
    f->hpo.options.target = 0.9;
    f->hpo.options.window = 1;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(
        f, ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 0.5}));
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_TRIAL);
    study_case_ok(
        f, ty_study_tell(&f->ctx, s, 1, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 0.95}));
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_DONE);
    assert_string_equal(ask.reason, "the target is reached");
    assert_int_equal(ty_study_best(s)->number, 1);
    ty_study_close(s);
}

static void enqueued_points_come_first(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    const double x[FIXTURE_DIMS] = {0.01, 3, 1, 0.5};
    json_t *point =
        json_pack("{s:f, s:i, s:s, s:f}", "rate", 0.01, "layers", 3, "kind", "b", "momentum", 0.5);
    study_case_ok(f, ty_study_enqueue(&f->ctx, s, point));
    ty_study_close(s);
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_memory_equal(ask.trial->x, x, sizeof x);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_true(memcmp(ask.trial->x, x, sizeof x) != 0);
    ty_study_close(s);
    json_decref(point);
}

static void more_trials_later_are_the_same_as_more_from_the_beginning(void **state) {
    study_case *f = *state;
    ty_text whole = {0}, less = {0};
    study_case_run_all(f, 3, 5, &whole);
    assert_int_equal(unlink(f->path), 0);
    for (int64_t most = 9; most <= 30; most += 7) {
        f->hpo.options.max_trials = most;
        ty_text_clear(&less);
        study_case_run_all(f, 2, (uint64_t)most, &less);
    }
    assert_string_equal(ty_text_string(&whole), ty_text_string(&less));
    replay_all(f, 30);
    ty_text_clear(&whole);
    ty_text_clear(&less);
}

static void another_sweep_is_refused(void **state) {
    study_case *f = *state;
    ty_study *s = study_case_open(f), *other = NULL;
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &other), TY_ERR_BUSY);
    ty_study_close(s);
    ty_study_options options = f->hpo.options;
    options.seed = 8;
    assert_int_equal(ty_study_open(&f->ctx, f->path, &options, &other), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "another seed"));
    options = f->hpo.options;
    options.identity = "{\"space\":1}";
    assert_int_equal(ty_study_open(&f->ctx, f->path, &options, &other), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "another identity"));
}

static int64_t hand_of_clock(void *self) {
    return *(const int64_t *)self;
}

static void a_report_begins_a_trials_lease_again(void **state) {
    study_case *f = *state;
    int64_t now_ns = 1000000000;
    const ty_clock clock = {
        .wall_ns = hand_of_clock, .monotonic_ns = f->ctx.clock->monotonic_ns, .self = &now_ns};
    const ty_clock *real = f->ctx.clock;
    ty_ask ask;
    ty_decision verdict;
    f->hpo.options.lease_s = 10;
    ty_study *s = study_case_open(f);
    f->ctx.clock = &clock;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    now_ns += 9000000000;
    study_case_ok(f, ty_study_report(&f->ctx, s, 0, &(ty_report){.step = 1, .value = 1}, &verdict));
    now_ns += 9000000000;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    now_ns += 2000000000;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    f->ctx.clock = real;
    ty_study_close(s);
}

/* As a record was before reports told of it. */
static void a_report_that_says_nothing_of_a_lease_leaves_it_as_it_was(void **state) {
    study_case *f = *state;
    static const char report[] =
        "{\"trial\":0,\"step\":1.0,\"resource\":1.0,\"value\":1.0,\"answer\":0,\"reason\":\"\"}";
    ty_ask ask;
    f->hpo.options.lease_s = 3600;
    ty_study *s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(f, study_fold(&f->ctx, s, RECORD_REPORT, report, strlen(report)));
    assert_int_equal(ty_study_trial(s, 0)->reports, 1);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    assert_false(ty_study_trial(s, 0)->is_lost);
    ty_study_close(s);
}

/* Samplers count by what they are shown. */
static void a_record_of_a_point_that_could_not_be_asked_is_damage(void **state) {
    study_case *f = *state;
    static const char *const records[] = {
        "{\"trial\":0,\"origin\":0,\"worker\":\"w\",\"x\":[0.01,3,3,0.5]}",
        "{\"trial\":0,\"origin\":0,\"worker\":\"w\",\"x\":[0.01,3,-1,0.5]}",
        "{\"trial\":0,\"origin\":0,\"worker\":\"w\",\"x\":[0.01,3,0.5,0.5]}",
        "{\"trial\":0,\"origin\":0,\"worker\":\"w\",\"x\":[0.01,3,null,null]}",
        "{\"trial\":0,\"origin\":9,\"worker\":\"w\",\"x\":[0.01,3,1,0.5]}",
        "{\"trial\":0,\"origin\":0,\"worker\":\"w\",\"x\":[0.01,\"inf\",0,0.5]}"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        f->is_in_memory = true;
        ty_study *s = study_case_open(f);
        assert_int_equal(study_fold(&f->ctx, s, RECORD_ASK, records[i], strlen(records[i])),
                         TY_ERR_INTEGRITY);
        ty_study_close(s);
    }
}

/* A sampler's bug is an error of its day, not the end of what was found before it. */
static void a_point_that_could_not_be_asked_is_never_recorded(void **state) {
    study_case *f = *state;
    ty_param *rate = &f->hpo.params[0];
    const ty_param sound = *rate;
    ty_ask ask;
    ty_study *s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    rate->z_low = rate->z_high = rate->low = rate->high =
        NAN; /* what is drawn from it is no number */
    assert_int_equal(ty_study_ask(&f->ctx, s, "w", &ask), TY_ERR_INTERNAL);
    assert_non_null(strstr(f->ctx.message, "trial 1"));
    ty_study_close(s);
    *rate = sound;
    s = study_case_open(f);
    assert_int_equal(ty_study_count(s), 1);
    assert_true(study_case_run(f, s, 1, 1, 100000));
    ty_study_close(s);
}

static void a_lease_that_ran_out_gives_the_trial_to_another(void **state) {
    study_case *f = *state;
    f->hpo.options.lease_s = 3600;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ty_study_close(s);
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    ty_study_close(s);
    f->hpo.options.lease_s = 0; /* one that keeps the study to the end takes them all */
    s = study_case_open(f);
    assert_true(ty_study_trial(s, 0)->is_lost && ty_study_trial(s, 1)->is_lost);
    ty_study_close(s);
    f->hpo.options.lease_s = 1e-9;
    assert_int_equal(unlink(f->path), 0);
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    assert_true(ask.goes_on);
    ty_study_close(s);
}

/* sweep.lease as a process of another host wrote it age_ms ago. */
static void leave_lease(study_case *f, int64_t age_ms) {
    char text[512], path[2 * TEMP_FOLDER_BYTES];
    memset(text, '\n', sizeof text);
    const int length =
        snprintf(text, sizeof text,
                 "tiltyard-lease 1\nhost far\nboot other\npid 17\ntaken_ns 1\nttl_ms 30000\n"
                 "beat_ms %lld\n",
                 (long long)(ty_now_wall_ns(&f->ctx) / 1000000 - age_ms));
    const int more = snprintf(text + length, sizeof text - (size_t)length, "check %016llx\n",
                              (unsigned long long)ty_hash64(text, (size_t)length));
    text[length + more] = '\n';
    temp_folder_path(&f->folder, "sweep.lease", path);
    study_case_ok(f, ty_file_write_atomic(&f->ctx, path, text, sizeof text));
}

static void a_scheduler_on_another_host_is_named_and_followed_when_its_lease_ran_out(void **state) {
    study_case *f = *state;
    ty_study *s = NULL;
    leave_lease(f, 12000);
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &s), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "process 17 on host far, last seen 12."));
    assert_false(ty_file_exists(&f->ctx, f->path));
    leave_lease(f, 31000);
    s = study_case_open(f);
    ty_study_close(s);
}

static void a_late_tell_of_one_that_was_followed_changes_nothing(void **state) {
    study_case *f = *state;
    const ty_told told = {.state = TY_TRIAL_COMPLETE, .value = 2};
    const ty_report report = {.step = 1, .resource = 1, .value = 1};
    struct stat before, after;
    ty_study *s = study_case_open(f);
    ty_ask ask;
    ty_decision verdict;
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    leave_lease(f, 0);
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(ty_study_tell(&f->ctx, s, 0, &told), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "taken over by process 17 on host far"));
    assert_int_equal(ty_study_report(&f->ctx, s, 0, &report, &verdict), TY_ERR_BUSY);
    assert_int_equal(ty_study_ask(&f->ctx, s, "w", &ask), TY_ERR_BUSY);
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_RUNNING);
    ty_study_close(s);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &s), TY_ERR_BUSY);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_worker_runs_all_trials),
        TEST(the_number_of_workers_changes_nothing),
        TEST(stopped_anywhere_it_goes_on_as_if_nothing_had_been),
        TEST(cut_anywhere_nothing_that_was_told_is_lost),
        TEST(every_decision_can_be_derived_again),
        TEST(a_decision_that_differs_is_told),
        TEST(a_trial_that_is_lost_runs_again_and_then_fails),
        TEST(words_that_are_no_utf8_are_kept_as_what_can_be_read),
        TEST(told_late_or_twice_the_first_counts),
        TEST(what_is_not_a_number_fails_and_failures_end_the_sweep),
        TEST(the_target_ends_the_sweep),
        TEST(enqueued_points_come_first),
        TEST(more_trials_later_are_the_same_as_more_from_the_beginning),
        TEST(another_sweep_is_refused),
        TEST(a_record_of_a_point_that_could_not_be_asked_is_damage),
        TEST(a_point_that_could_not_be_asked_is_never_recorded),
        TEST(a_lease_that_ran_out_gives_the_trial_to_another),
        TEST(a_report_begins_a_trials_lease_again),
        TEST(a_report_that_says_nothing_of_a_lease_leaves_it_as_it_was),
        TEST(a_scheduler_on_another_host_is_named_and_followed_when_its_lease_ran_out),
        TEST(a_late_tell_of_one_that_was_followed_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
