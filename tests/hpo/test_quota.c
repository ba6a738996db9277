/* Whose checkpoints go when there is no room for all, and that no decision of a sweep notices it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/pruners/urn.h"
#include "hpo/study/quota.h"
#include "tests/hpo/pruner_case.h"
#include "tests/hpo/study_case.h"

/* --- who ---------------------------------------------------------------------------------------- */

/* What is chosen of v, as "2 0 1", and the bytes that are left. */
static void expect_chosen(const ty_quota_trial *v, size_t n, uint64_t most, const char *wanted,
                          uint64_t wanted_left) {
    size_t losers[16];
    uint64_t left = 0;
    ty_text said = {0};
    const size_t count = ty_quota_choose(v, n, most, losers, &left);
    for (size_t i = 0; i < count; i++)
        ty_text_addf(&said, "%s%zu", i ? " " : "", losers[i]);
    assert_string_equal(ty_text_string(&said), wanted);
    assert_int_equal(left, wanted_left);
    ty_text_clear(&said);
}

static void the_least_chance_times_training_a_byte_goes_first(void **state) {
    (void)state;
    const ty_quota_trial v[] = {
        {.number = 0, .chance = 0.5, .trained = 4, .value = 1, .bytes = 100},  /* 0.020 a byte */
        {.number = 1, .chance = 0.5, .trained = 2, .value = 1, .bytes = 100},  /* 0.010 */
        {.number = 2, .chance = 0.1, .trained = 8, .value = 1, .bytes = 100},  /* 0.008 */
        {.number = 3, .chance = 0.5, .trained = 4, .value = 1, .bytes = 1000}, /* 0.002 */
    };
    expect_chosen(v, 4, 1300, "", 1300);
    expect_chosen(v, 4, 1299, "3", 300);
    expect_chosen(v, 4, 299, "3 2", 200);
    expect_chosen(v, 4, 100, "3 2 1", 100);
    expect_chosen(v, 4, 99, "3 2 1 0", 0);
}

static void who_has_nothing_to_lose_goes_before_all_and_of_these_the_worst(void **state) {
    (void)state;
    const ty_quota_trial v[] = {
        {.number = 0, .chance = 1e-9, .trained = 1, .value = 9, .bytes = 10},
        {.number = 1, .trained = 9, .value = 0.5, .bytes = 10},
        {.number = 2, .trained = 9, .value = 0.7, .bytes = 10},
        {.number = 3, .trained = 1, .value = NAN, .bytes = 10},
        {.number = 4, .trained = 9, .value = 0.7, .bytes = 10},
        {.number = 5, .trained = 1, .value = NAN, .bytes = 10},
    };
    expect_chosen(v, 6, 0, "3 5 2 4 1 0", 0);
}

static void who_is_protected_or_has_nothing_is_never_taken(void **state) {
    (void)state;
    const ty_quota_trial v[] = {
        {.number = 0, .is_protected = true, .value = 1, .bytes = 50},
        {.number = 1, .value = 1, .bytes = 0},
        {.number = 2, .chance = 1, .trained = 9, .value = 1, .bytes = 50},
    };
    expect_chosen(v, 3, 60, "2", 50);
    expect_chosen(v, 3, 10, "2", 50); /* the caller sees that it cannot be kept */
    expect_chosen(v, 0, 10, "", 0);
}

static void a_loss_that_nobody_knows_is_the_greatest(void **state) {
    (void)state;
    const ty_quota_trial v[] = {
        {.number = 0, .chance = NAN, .trained = 4, .value = 1, .bytes = 10},
        {.number = 1, .chance = 0.5, .trained = NAN, .value = 2, .bytes = 10},
        {.number = 2, .chance = 1, .trained = 1e300, .value = 1, .bytes = 10},
        {.number = 3, .trained = INFINITY, .value = NAN, .bytes = 10},
    };
    expect_chosen(v, 4, 30, "2", 30);
    expect_chosen(v, 4, 0, "2 3 1 0", 0);
}

/* --- chances ------------------------------------------------------------------------------------ */

static void expect_chance(double had, double wanted) {
    if (!(fabs(had - wanted) <= 1e-12))
        fail_msg("a chance of %.17g, want %.17g", had, wanted);
}

/* Counted out by hand: of 3 in a random order, the first one seen is the best with 1/3. */
static void a_place_among_few_says_a_little_of_the_place_among_all(void **state) {
    (void)state;
    expect_chance(ty_urn_chance(1, 0, 3, 3), 1.0 / 3);
    expect_chance(ty_urn_chance(2, 0, 3, 3), 2.0 / 3);
    expect_chance(ty_urn_chance(2, 1, 3, 3), 0);
    expect_chance(ty_urn_chance(3, 0, 3, 3), 1);
    expect_chance(ty_urn_chance(3, 0, 5, 3), 3.0 / 5);  /* only the best of 5 goes on */
    expect_chance(ty_urn_chance(2, 1, 6, 3), 1.0 / 15); /* both of the two places */
    expect_chance(ty_urn_chance(1, 0, INFINITY, 3), 1.0 / 3);
    expect_chance(ty_urn_chance(2, 1, INFINITY, 2), 0.25);
    expect_chance(ty_urn_chance(2, 0, INFINITY, 2), 0.75);
}

/* Far beyond what a double's exponent could hold of the single weights. */
static void many_are_no_trouble(void **state) {
    (void)state;
    expect_chance(ty_urn_chance(9999, 4999, INFINITY, 2), 0.5);
    const double few = ty_urn_chance(5000, 2500, 20000, 2);
    const double same = ty_urn_chance(5000, 2499, 20000, 2);
    assert_true(few > 0.48 && few < 0.5 && same > 0.5 && same < 0.52);
    expect_chance(few + ty_urn_chance(5000, 2499, 20000, 2), 1); /* the two in the middle */
    expect_chance(ty_urn_chance(5000, 4999, 20000, 2), 0);
}

static double chance_at(pruner_case *c, size_t index) {
    return ty_pruner_of(&c->pruner)->chance(c->pruner.config, &c->board, index);
}

static void rungs_say_how_many_will_come(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"asha\", \"eta\": 2, \"max_resource\": 8}");
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(2.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(1.0, 1.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(3.0));
    expect_chance(chance_at(c, 0), 0); /* nobody comes any more: one of three goes on */
    c->board.to_come = 1;
    expect_chance(chance_at(c, 0), ty_urn_chance(3, 1, 4, 2));
    expect_chance(chance_at(c, 1), ty_urn_chance(1, 0, 2, 2));
    expect_chance(chance_at(c, 2), 0);
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(NAN)); /* it was at the rung, with no number */
    expect_chance(chance_at(c, 0), ty_urn_chance(3, 1, 4, 2));
    expect_chance(chance_at(c, 3), 0);
    c->board.to_come = INFINITY;
    expect_chance(chance_at(c, 0), ty_urn_chance(3, 1, INFINITY, 2));
    pruner_case_choose(c, "{\"type\": \"hyperband\", \"eta\": 2, \"max_resource\": 8, \"mode\": "
                          "\"promote\"}");
    for (size_t i = 0; i < 3; i++)
        assert_true(chance_at(c, i) >= 0 && chance_at(c, i) <= 1);
}

/* --- no decision notices ------------------------------------------------------------------------ */

typedef struct taker {
    study_case *f;
    ty_draws draws;
    ty_study *s;
    size_t taken;
} taker;

/* Now and then there is room for few checkpoints only, each as large as the others. */
static void take_some(void *self, const ty_study *seen) {
    taker *k = self;
    ty_quota_trial v[MAX_TRIALS] = {0};
    size_t losers[MAX_TRIALS];
    uint64_t left = 0;
    const size_t n = ty_study_count(seen);
    if (ty_draw_below(&k->draws, 4) > 0)
        return;
    study_case_ok(k->f, ty_study_stakes(&k->f->ctx, k->s, v));
    for (size_t i = 0; i < n; i++) {
        assert_true(v[i].chance >= 0 && v[i].chance <= 1);
        v[i].bytes = ty_study_trial(seen, i)->is_stripped ? 0 : 10;
    }
    const size_t count = ty_quota_choose(v, n, 10 * ty_draw_below(&k->draws, 6), losers, &left);
    for (size_t i = 0; i < count; i++) {
        const ty_trial *t = ty_study_trial(seen, losers[i]);
        assert_true(t->state != TY_TRIAL_RUNNING && t != ty_study_best(seen));
        study_case_ok(k->f, ty_study_strip(&k->f->ctx, k->s, losers[i]));
        assert_true(t->is_stripped);
    }
    k->taken += count;
}

static void choose_pruner(study_case *f, const char *json, ty_doc **doc) {
    assert_int_equal(ty_pruner_read_json(&f->ctx, json, doc, &f->hpo.pruner), TY_OK);
}

static double sum_retrained(const ty_study *s) {
    double sum = 0;
    for (size_t i = 0; i < ty_study_count(s); i++)
        sum += ty_study_trial(s, i)->retrained;
    return sum;
}

static size_t count_distinct(const study_case *f) {
    size_t n = 0;
    for (size_t i = 0; i < MAX_TRIALS; i++)
        for (int e = 0; e <= EPOCHS; e++)
            n += f->has_trained[i][e];
    return n;
}

/* A sweep whose checkpoints are taken now and then, in pieces of `turns`. Returns what was trained again. */
static double run_with_takings(study_case *f, int workers, uint64_t seed, size_t turns,
                               ty_text *out) {
    taker k = {.f = f, .draws = ty_draws_open(seed, TY_DRAW_PRIOR, 1, 0)};
    double again = 0;
    f->after_turn = take_some;
    f->self = &k;
    for (bool is_done = false; !is_done;) {
        k.s = study_case_open(f);
        is_done = study_case_run(f, k.s, workers, seed++, turns);
        again = sum_retrained(k.s);
        if (is_done)
            study_case_describe(k.s, out);
        ty_study_close(k.s);
    }
    f->after_turn = NULL;
    assert_true(k.taken > 0);
    return again;
}

static void start_anew(study_case *f) {
    (void)remove(f->path);
    memset(f->has_trained, 0, sizeof f->has_trained);
    f->trained = 0;
}

static void decisions_are_the_same_and_what_is_trained_again_is_counted(void **state) {
    static const char *const pruners[] = {
        "{\"type\": \"asha\", \"eta\": 2}",
        "{\"type\": \"hyperband\", \"eta\": 3, \"mode\": \"promote\"}", "\"median\""};
    study_case *f = *state;
    double most = 0;
    for (size_t i = 0; i < 3 * 4; i++) {
        ty_doc *doc = NULL;
        ty_text plain = {0}, taken = {0};
        const int workers = i % 2 ? 3 : 1;
        choose_pruner(f, pruners[i / 4], &doc);
        f->hpo.options.order = i % 4 == 2 ? TY_ORDER_REPLAY : TY_ORDER_WINDOW;
        start_anew(f);
        study_case_run_all(f, workers, i, &plain);
        assert_int_equal(f->trained, count_distinct(f));
        start_anew(f);
        const double again = run_with_takings(f, workers, 40 + i, 1000000, &taken);
        assert_string_equal(ty_text_string(&taken), ty_text_string(&plain));
        assert_int_equal(f->trained, count_distinct(f) + (size_t)again);
        most = fmax(most, again);
        ty_text_clear(&plain);
        ty_text_clear(&taken);
        ty_doc_close(doc);
    }
    assert_true(most > 0); /* else nothing was shown */
}

static void it_goes_on_after_any_number_of_ends(void **state) {
    study_case *f = *state;
    ty_doc *doc = NULL;
    ty_text plain = {0}, taken = {0};
    size_t decisions = 0;
    choose_pruner(f, "{\"type\": \"asha\", \"eta\": 2}", &doc);
    study_case_run_all(f, 2, 1, &plain);
    start_anew(f);
    const double again = run_with_takings(f, 2, 7, 40, &taken);
    assert_string_equal(ty_text_string(&taken), ty_text_string(&plain));
    ty_study *s = NULL;
    study_case_ok(f, ty_study_read(&f->ctx, f->path, &f->hpo.options, &s));
    assert_true(sum_retrained(s) == again && again > 0);
    ty_study_close(s);
    study_case_ok(f, ty_study_replay(&f->ctx, f->path, &f->hpo.options, NULL, NULL, &decisions));
    assert_true(decisions > 30);
    ty_text_clear(&plain);
    ty_text_clear(&taken);
    ty_doc_close(doc);
}

static void nothing_is_taken_from_who_runs(void **state) {
    study_case *f = *state;
    ty_ask ask;
    ty_study *s = study_case_open(f);
    study_case_ok(f, ty_study_ask(&f->ctx, s, "w", &ask));
    assert_int_equal(ty_study_strip(&f->ctx, s, 0), TY_ERR_ARG);
    assert_int_equal(ty_study_strip(&f->ctx, s, 1), TY_ERR_ARG);
    const ty_told told = {.state = TY_TRIAL_COMPLETE, .value = 1};
    study_case_ok(f, ty_study_tell(&f->ctx, s, 0, &told));
    study_case_ok(f, ty_study_strip(&f->ctx, s, 0));
    study_case_ok(f, ty_study_strip(&f->ctx, s, 0)); /* said twice, it is so once */
    ty_study_close(s);
    s = study_case_open(f);
    assert_true(ty_study_trial(s, 0)->is_stripped);
    ty_study_close(s);
}

#define ON(place, name) cmocka_unit_test_setup_teardown(name, place##_set_up, place##_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_chance_times_training_a_byte_goes_first),
        cmocka_unit_test(who_has_nothing_to_lose_goes_before_all_and_of_these_the_worst),
        cmocka_unit_test(who_is_protected_or_has_nothing_is_never_taken),
        cmocka_unit_test(a_loss_that_nobody_knows_is_the_greatest),
        cmocka_unit_test(a_place_among_few_says_a_little_of_the_place_among_all),
        cmocka_unit_test(many_are_no_trouble),
        ON(pruner_case, rungs_say_how_many_will_come),
        ON(study_case, decisions_are_the_same_and_what_is_trained_again_is_counted),
        ON(study_case, it_goes_on_after_any_number_of_ends),
        ON(study_case, nothing_is_taken_from_who_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
