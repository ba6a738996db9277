/* Studies with pruners that stop, pause and promote: what test_study.c says of those without. */
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

static const char *const pruners[] = {
    "\"asha\"",
    "{\"type\": \"asha\", \"eta\": 2}",
    "{\"type\": \"asha\", \"mode\": \"stop\"}",
    "{\"type\": \"hyperband\", \"mode\": \"promote\"}",
    "\"hyperband\"",
    "\"median\"",
    "{\"type\": \"wandb\", \"min_iter\": 1}",
};

enum { PRUNERS = sizeof pruners / sizeof *pruners };

/* From here on the study is a new one with this pruner. */
static void choose(study_case *f, const char *json) {
    ty_doc_close(f->hpo.pruner_doc);
    f->hpo.pruner_doc = NULL;
    study_case_ok(f, ty_pruner_read_json(&f->ctx, json, &f->hpo.pruner_doc, &f->hpo.pruner));
    (void)unlink(f->path);
    memset(f->has_trained, 0, sizeof f->has_trained);
    f->trained = 0;
}

static void the_number_of_workers_changes_nothing(void **state) {
    study_case *f = *state;
    f->is_in_memory = true;
    for (size_t p = 0; p < PRUNERS; p++) {
        ty_text one = {0};
        choose(f, pruners[p]);
        study_case_run_all(f, 1, 1, &one);
        for (uint64_t delays = 1; delays <= 4; delays++)
            for (int workers = 2; workers <= MAX_WORKERS; workers *= 2) {
                ty_text other = {0};
                study_case_run_all(f, workers, delays, &other);
                assert_string_equal(ty_text_string(&one), ty_text_string(&other));
                ty_text_clear(&other);
            }
        ty_text_clear(&one);
    }
}

static void stop_and_go_on(study_case *f, ty_text *out) {
    ty_draws draws = ty_draws_open(11, TY_DRAW_PRIOR, 1, 0);
    bool is_done = false;
    for (uint64_t sitting = 0; !is_done; sitting++) {
        ty_study *s = study_case_open(f);
        is_done = study_case_run(f, s, 1 + (int)ty_draw_below(&draws, MAX_WORKERS), sitting + 100,
                                 1 + ty_draw_below(&draws, 60));
        if (is_done)
            study_case_describe(s, out);
        ty_study_close(s);
    }
}

static void stopped_anywhere_it_goes_on_as_if_nothing_had_been(void **state) {
    study_case *f = *state;
    for (size_t p = 0; p < PRUNERS; p++) {
        ty_text whole = {0}, pieces = {0};
        choose(f, pruners[p]);
        study_case_run_all(f, 3, 5, &whole);
        assert_int_equal(unlink(f->path), 0);
        stop_and_go_on(f, &pieces);
        assert_string_equal(ty_text_string(&whole), ty_text_string(&pieces));
        ty_text_clear(&whole);
        ty_text_clear(&pieces);
    }
}

static void cut_anywhere_it_becomes_the_same_sweep(void **state) {
    study_case *f = *state;
    for (size_t p = 0; p < PRUNERS; p++) {
        ty_text whole = {0};
        struct stat st;
        choose(f, pruners[p]);
        study_case_run_all(f, 2, 3, &whole);
        assert_int_equal(stat(f->path, &st), 0);
        ty_draws draws = ty_draws_open(12, TY_DRAW_PRIOR, 2, 0);
        for (uint64_t i = 0; i < 6; i++) {
            ty_text again = {0};
            const size_t bytes = (size_t)st.st_size;
            assert_int_equal(truncate(f->path, (off_t)(8 + ty_draw_below(&draws, bytes - 8))), 0);
            study_case_run_all(f, 2, 30 + i, &again);
            assert_string_equal(ty_text_string(&whole), ty_text_string(&again));
            ty_text_clear(&again);
        }
        ty_text_clear(&whole);
    }
}

static void every_decision_can_be_derived_again(void **state) {
    study_case *f = *state;
    static const ty_order orders[] = {TY_ORDER_WINDOW, TY_ORDER_REPLAY};
    for (size_t p = 0; p < PRUNERS; p++)
        for (size_t i = 0; i < 2; i++) {
            ty_text text = {0};
            size_t decisions = 0;
            f->hpo.options.order = orders[i];
            choose(f, pruners[p]);
            study_case_run_all(f, 5, 9, &text);
            study_case_ok(
                f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
            assert_true(decisions >= f->trained);
            ty_text_clear(&text);
        }
}

static size_t count_distinct(const study_case *f) {
    size_t n = 0;
    for (size_t t = 0; t < MAX_TRIALS; t++)
        for (size_t e = 0; e <= EPOCHS; e++)
            n += f->has_trained[t][e];
    return n;
}

/* Paused trials go on from where they were: what was trained is never trained again. */
static void no_epoch_is_trained_twice(void **state) {
    study_case *f = *state;
    f->is_in_memory = true;
    for (size_t p = 0; p < PRUNERS; p++)
        for (int workers = 1; workers <= MAX_WORKERS; workers *= 2) {
            ty_text text = {0};
            choose(f, pruners[p]);
            study_case_run_all(f, workers, 17, &text);
            assert_int_equal(f->trained, count_distinct(f));
            assert_true(f->trained < 30 * EPOCHS);
            ty_text_clear(&text);
        }
}

typedef struct tally {
    size_t by_state[TY_TRIAL_FAILED + 1], legs, epochs;
} tally;

static tally count_trials(const ty_study *s) {
    tally n = {0};
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        n.by_state[t->state]++;
        n.legs += t->leg_count;
        n.epochs += t->reports;
    }
    return n;
}

/* Of the trials that came to an epoch, how many stayed there, and how many that went on or stayed are
 * worse than the best of those that stayed. */
typedef struct rung {
    size_t n, stayed, worse;
} rung;

static rung look_at(const ty_study *s, size_t epoch) {
    rung r = {0};
    double best = INFINITY;
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        if (t->reports == epoch && t->reported[epoch - 1] < best)
            best = t->reported[epoch - 1];
    }
    for (size_t i = 0; i < ty_study_count(s); i++) {
        const ty_trial *t = ty_study_trial(s, i);
        r.n += t->reports >= epoch;
        r.stayed += t->reports == epoch;
        r.worse += t->reports >= epoch && t->reported[epoch - 1] >= best;
    }
    return r;
}

/* With points drawn alike of 30 trials 10 or a few more come to rung 3, and 3 or a few more to the end:
 * who was among the best third once. Who stayed never became one of them. */
static void the_best_third_of_each_rung_is_promoted(void **state) {
    study_case *f = *state;
    f->is_in_memory = true;
    ty_doc_close(f->hpo.sampler_doc);
    f->hpo.sampler_doc = NULL;
    study_case_ok(
        f, ty_sampler_read_json(&f->ctx, "\"random\"", &f->hpo.sampler_doc, &f->hpo.sampler));
    choose(f, pruners[0]);
    ty_study *s = study_case_open(f);
    assert_true(study_case_run(f, s, 4, 2, 100000));
    const tally n = count_trials(s);
    assert_int_equal(n.by_state[TY_TRIAL_COMPLETE] + n.by_state[TY_TRIAL_PAUSED], 30);
    assert_int_equal(n.epochs, f->trained);
    assert_true(n.legs > 30);
    assert_in_range(n.by_state[TY_TRIAL_COMPLETE], 3, 6);
    assert_non_null(ty_study_best(s));
    for (size_t epoch = 1; epoch < EPOCHS; epoch *= 3) {
        const rung r = look_at(s, epoch);
        assert_true(r.stayed > 0 && r.n - r.stayed >= r.n / 3);
        assert_true(r.n - r.worse >= r.n / 3); /* so many are ahead of the best that stayed */
    }
    ty_study_close(s);
}

static void too_few_trials_for_a_promotion_still_have_a_best_one(void **state) {
    study_case *f = *state;
    f->is_in_memory = true;
    f->hpo.options.max_trials = 2;
    for (int workers = 1; workers <= 2; workers++) {
        choose(f, pruners[0]);
        ty_study *s = study_case_open(f);
        assert_true(study_case_run(f, s, workers, 2, 100000));
        const tally n = count_trials(s);
        assert_int_equal(n.by_state[TY_TRIAL_COMPLETE], 1);
        assert_int_equal(n.by_state[TY_TRIAL_PAUSED], 1);
        assert_int_equal(ty_study_best(s)->leg_count, 3);
        assert_int_equal(f->trained, EPOCHS + 1);
        ty_study_close(s);
    }
}

static void a_pruner_whose_keys_contradict_each_other_opens_no_study(void **state) {
    study_case *f = *state;
    ty_study *s = NULL;
    choose(f, "{\"type\": \"threshold\", \"lower\": 1, \"upper\": 0}");
    assert_int_equal(ty_study_open(&f->ctx, f->path, &f->hpo.options, &s), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "lower 1 is above upper 0"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, study_case_set_up, study_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_number_of_workers_changes_nothing),
        TEST(stopped_anywhere_it_goes_on_as_if_nothing_had_been),
        TEST(cut_anywhere_it_becomes_the_same_sweep),
        TEST(every_decision_can_be_derived_again),
        TEST(no_epoch_is_trained_twice),
        TEST(the_best_third_of_each_rung_is_promoted),
        TEST(too_few_trials_for_a_promotion_still_have_a_best_one),
        TEST(a_pruner_whose_keys_contradict_each_other_opens_no_study),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
