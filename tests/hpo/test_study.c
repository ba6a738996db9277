/* A study as its users know it: asked and told in any order, killed anywhere, always the same sweep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include <math.h>

#include "tests/hpo/hpo_fixture.h"
#include "tests/support/temp_folder.h"

enum { EPOCHS = 9, MAX_WORKERS = 8 };

typedef struct fixture {
    ty_ctx ctx;
    hpo_fixture hpo;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    hpo_fixture_open(&f->ctx, &f->hpo);
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "sweep.journal", f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    hpo_fixture_close(&f->hpo);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static void ok(fixture *f, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), f->ctx.message);
}

static ty_study *open_study(fixture *f) {
    ty_study *s = NULL;
    ok(f, ty_study_open(&f->ctx, f->path, &f->hpo.options, &s));
    return s;
}

static double loss_at(const ty_trial *t, int epoch) {
    return hpo_fixture_loss(t->x) + 1.0 / (epoch + (double)(t->number % 3));
}

/* A worker that trains an epoch a turn. */
typedef struct worker {
    size_t trial;
    int epoch;
    bool is_busy;
} worker;

static void end_leg(fixture *f, ty_study *s, worker *w, ty_told told) {
    ok(f, ty_study_tell(&f->ctx, s, w->trial, &told));
    w->is_busy = false;
}

static void train_epoch(fixture *f, ty_study *s, worker *w) {
    const ty_trial *t = ty_study_trial(s, w->trial);
    ty_decision verdict;
    w->epoch++;
    const ty_report report = {
        .step = 10 * w->epoch, .resource = w->epoch, .value = loss_at(t, w->epoch)};
    ok(f, ty_study_report(&f->ctx, s, w->trial, &report, &verdict));
    if (verdict.answer == TY_STOP)
        end_leg(f, s, w,
                (ty_told){.state = TY_TRIAL_PRUNED, .value = NAN, .reason = verdict.reason});
    else if (verdict.answer == TY_PAUSE)
        end_leg(f, s, w,
                (ty_told){.state = TY_TRIAL_PAUSED, .value = NAN, .reason = verdict.reason});
    else if (w->epoch == EPOCHS)
        end_leg(f, s, w, (ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN});
}

/* Where a trial goes on: behind the epochs that an ended leg trained (its checkpoint). */
static int checkpoint_of(const ty_trial *t) {
    return t->leg_count > 1 ? (int)t->resource[t->legs[t->leg_count - 2].reports - 1] : 0;
}

static ty_ask_kind take(fixture *f, ty_study *s, worker *w) {
    ty_ask ask;
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    if (ask.kind == TY_ASK_TRIAL)
        *w = (worker){
            .trial = ask.trial->number, .epoch = checkpoint_of(ask.trial), .is_busy = true};
    return ask.kind;
}

/* Workers in an order drawn from `delays`; ends after `turns` turns, or when all is done. */
static bool run(fixture *f, ty_study *s, int workers, uint64_t delays, size_t turns) {
    worker w[MAX_WORKERS] = {0};
    ty_draws draws = ty_draws_open(delays, TY_DRAW_PRIOR, 0, 0);
    int done = 0;
    for (size_t turn = 0; turn < turns && done < 1; turn++) {
        worker *one = &w[ty_draw_below(&draws, (size_t)workers)];
        if (one->is_busy)
            train_epoch(f, s, one);
        else
            done += take(f, s, one) == TY_ASK_DONE;
    }
    return done > 0;
}

/* All that must not depend on timing. */
static void describe(const ty_study *s, ty_text *out) {
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        ty_text_addf(out, "%zu %d %a:", i, (int)t->state, t->value);
        for (size_t d = 0; d < FIXTURE_DIMS; d++)
            ty_text_addf(out, " %a", t->x[d]);
        for (size_t r = 0; r < t->reports; r++)
            ty_text_addf(out, " %g=%a", t->resource[r], t->reported[r]);
        for (size_t l = 0; l < t->leg_count; l++)
            ty_text_addf(out, " leg %zu", t->legs[l].number);
        ty_text_addf(out, " %s\n", t->reason);
    }
}

static void run_to_the_end(fixture *f, int workers, uint64_t delays, ty_text *out) {
    ty_study *s = open_study(f);
    assert_true(run(f, s, workers, delays, 1000000));
    describe(s, out);
    ty_study_close(s);
}

static void one_worker_runs_all_trials(void **state) {
    fixture *f = *state;
    ty_study *s = open_study(f);
    assert_true(run(f, s, 1, 1, 100000));
    assert_int_equal(ty_study_count(s), 30);
    const ty_trial *best = ty_study_best(s);
    for (size_t i = 0; i < 30; i++) {
        const ty_trial *t = ty_study_trial(s, i);
        assert_int_equal(t->state, TY_TRIAL_COMPLETE);
        assert_int_equal(t->reports, EPOCHS);
        assert_true(t->value == loss_at(t, EPOCHS) && t->value >= best->value);
    }
    ty_study_close(s);
}

static void the_number_of_workers_changes_nothing(void **state) {
    fixture *f = *state;
    ty_text one = {0};
    run_to_the_end(f, 1, 1, &one);
    for (uint64_t delays = 1; delays <= 6; delays++)
        for (int workers = 2; workers <= MAX_WORKERS; workers *= 2) {
            ty_text other = {0};
            assert_int_equal(unlink(f->path), 0);
            run_to_the_end(f, workers, delays, &other);
            assert_string_equal(ty_text_string(&one), ty_text_string(&other));
            ty_text_clear(&other);
        }
    ty_text_clear(&one);
}

/* Stops anywhere, with workers in the middle of trials, and goes on with others. */
static void stopped_anywhere_it_goes_on_as_if_nothing_had_been(void **state) {
    fixture *f = *state;
    ty_text whole = {0}, pieces = {0};
    run_to_the_end(f, 3, 5, &whole);
    assert_int_equal(unlink(f->path), 0);
    ty_draws draws = ty_draws_open(11, TY_DRAW_PRIOR, 1, 0);
    bool is_done = false;
    uint64_t sittings = 0;
    while (!is_done) {
        ty_study *s = open_study(f);
        is_done = run(f, s, 1 + (int)ty_draw_below(&draws, MAX_WORKERS), ++sittings + 100,
                      1 + ty_draw_below(&draws, 60));
        if (is_done)
            describe(s, &pieces);
        ty_study_close(s);
    }
    assert_true(sittings > 5);
    assert_string_equal(ty_text_string(&whole), ty_text_string(&pieces));
    ty_text_clear(&whole);
    ty_text_clear(&pieces);
}

/* A journal cut at any byte is one that was killed there. */
static void cut_anywhere_nothing_that_was_told_is_lost(void **state) {
    fixture *f = *state;
    ty_text whole = {0};
    struct stat st;
    run_to_the_end(f, 2, 3, &whole);
    assert_int_equal(stat(f->path, &st), 0);
    ty_draws draws = ty_draws_open(12, TY_DRAW_PRIOR, 2, 0);
    for (int i = 0; i < 20; i++) {
        ty_text again = {0};
        const size_t bytes = (size_t)st.st_size;
        assert_int_equal(truncate(f->path, (off_t)(8 + ty_draw_below(&draws, bytes - 8))), 0);
        run_to_the_end(f, 2, 30 + (uint64_t)i, &again);
        assert_string_equal(ty_text_string(&whole), ty_text_string(&again));
        ty_text_clear(&again);
    }
    ty_text_clear(&whole);
}

static void replay_all(fixture *f, size_t at_least) {
    size_t decisions = 0;
    ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions >= at_least);
}

static void every_decision_can_be_derived_again(void **state) {
    fixture *f = *state;
    static const ty_order orders[] = {TY_ORDER_WINDOW, TY_ORDER_REPLAY};
    for (int i = 0; i < 2; i++) {
        ty_text text = {0};
        f->hpo.options.order = orders[i];
        run_to_the_end(f, 5, 9, &text);
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
    fixture *f = *state;
    ty_text text = {0};
    size_t decisions = 0;
    int differences = 0;
    run_to_the_end(f, 2, 4, &text);
    f->hpo.params[0].low = 1e-4; /* the sampler now draws from elsewhere */
    ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    f->hpo.params[0].from = f->hpo.params[0].to = 0;
    ok(f, ty_space_seal(&f->ctx, &f->hpo.space));
    assert_int_equal(ty_study_replay(&f->ctx, f->path, &f->hpo.options, count_difference,
                                     &differences, &decisions),
                     TY_ERR_INTEGRITY);
    assert_int_equal(differences, 30);
    ty_text_clear(&text);
}

static void a_trial_that_is_lost_runs_again_and_then_fails(void **state) {
    fixture *f = *state;
    ty_study *s = open_study(f);
    ty_ask ask;
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    const size_t leg = ask.trial->legs[0].number;
    ok(f, ty_study_lose(&f->ctx, s, 0, 1, "its worker died"));
    ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    assert_int_equal(ask.trial->legs[0].number, leg);
    assert_true(ask.goes_on);
    assert_string_equal(ask.trial->worker, "v");
    ok(f, ty_study_lose(&f->ctx, s, 0, 1, "its worker died"));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_FAILED);
    assert_string_equal(ty_study_trial(s, 0)->reason, "its worker died");
    ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    ty_study_close(s);
}

static void told_late_or_twice_the_first_counts(void **state) {
    fixture *f = *state;
    ty_study *s = open_study(f);
    ty_ask ask;
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ok(f, ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 2}));
    ok(f, ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 1}));
    assert_true(ty_study_trial(s, 0)->value == 2);
    ok(f, ty_study_lose(&f->ctx, s, 0, 0, "late"));
    assert_int_equal(ty_study_trial(s, 0)->state, TY_TRIAL_COMPLETE);
    const ty_report report = {.step = 1, .resource = 1, .value = 1};
    ty_decision verdict;
    assert_int_equal(ty_study_report(&f->ctx, s, 0, &report, &verdict), TY_ERR_ARG);
    assert_int_equal(ty_study_report(&f->ctx, s, 5, &report, &verdict), TY_ERR_NOT_FOUND);
    ty_study_close(s);
}

static void what_is_not_a_number_fails_and_failures_end_the_sweep(void **state) {
    fixture *f = *state;
    f->hpo.options.max_consecutive_failures = 3;
    ty_study *s = open_study(f);
    ty_ask ask;
    for (int i = 0; i < 3; i++) {
        ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
        assert_int_equal(ask.kind, TY_ASK_TRIAL);
        ok(f, ty_study_tell(&f->ctx, s, ask.trial->number,
                            &(ty_told){.state = TY_TRIAL_COMPLETE, .value = NAN}));
        assert_int_equal(ask.trial->state, TY_TRIAL_FAILED);
        assert_string_equal(ask.trial->reason, "it reported no value of the metric");
    }
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_DONE);
    assert_string_equal(ask.reason, "too many trials in a row failed");
    assert_null(ty_study_best(s));
    ty_study_close(s);
}

static void the_target_ends_the_sweep(void **state) {
    fixture *f = *state;
    f->hpo.options.maximize = true;
    f->hpo.options.target = 0.9;
    f->hpo.options.window = 1;
    ty_study *s = open_study(f);
    ty_ask ask;
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ok(f, ty_study_tell(&f->ctx, s, 0, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 0.5}));
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_TRIAL);
    ok(f, ty_study_tell(&f->ctx, s, 1, &(ty_told){.state = TY_TRIAL_COMPLETE, .value = 0.95}));
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ask.kind, TY_ASK_DONE);
    assert_string_equal(ask.reason, "the target is reached");
    assert_int_equal(ty_study_best(s)->number, 1);
    ty_study_close(s);
}

static void enqueued_points_come_first(void **state) {
    fixture *f = *state;
    ty_study *s = open_study(f);
    ty_ask ask;
    const double x[FIXTURE_DIMS] = {0.01, 3, 1, 0.5};
    ok(f, ty_study_enqueue(&f->ctx, s, x));
    ty_study_close(s);
    s = open_study(f);
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_memory_equal(ask.trial->x, x, sizeof x);
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_true(memcmp(ask.trial->x, x, sizeof x) != 0);
    ty_study_close(s);
}

static void another_sweep_is_refused(void **state) {
    fixture *f = *state;
    ty_study *s = open_study(f), *other = NULL;
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
    fixture *f = *state;
    f->hpo.options.lease_s = 3600;
    ty_study *s = open_study(f);
    ty_ask ask;
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ty_study_close(s);
    s = open_study(f);
    ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 1);
    ty_study_close(s);
    f->hpo.options.lease_s = 1e-9;
    assert_int_equal(unlink(f->path), 0);
    s = open_study(f);
    ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    ok(f, ty_study_ask(&f->ctx, s, "v", &ask));
    assert_int_equal(ask.trial->number, 0);
    assert_true(ask.goes_on);
    ty_study_close(s);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
        TEST(another_sweep_is_refused),
        TEST(a_lease_that_ran_out_gives_the_trial_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
