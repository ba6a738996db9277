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
    study_case_ok(f, ty_study_enqueue(&f->ctx, s, x));
    ty_study_close(s);
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_memory_equal(ask.trial->x, x, sizeof x);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_true(memcmp(ask.trial->x, x, sizeof x) != 0);
    ty_study_close(s);
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
    f->hpo.options.lease_s = 1e-9;
    assert_int_equal(unlink(f->path), 0);
    s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    study_case_ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    assert_true(ask.goes_on);
    ty_study_close(s);
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
        TEST(told_late_or_twice_the_first_counts),
        TEST(what_is_not_a_number_fails_and_failures_end_the_sweep),
        TEST(the_target_ends_the_sweep),
        TEST(enqueued_points_come_first),
        TEST(more_trials_later_are_the_same_as_more_from_the_beginning),
        TEST(another_sweep_is_refused),
        TEST(a_lease_that_ran_out_gives_the_trial_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
