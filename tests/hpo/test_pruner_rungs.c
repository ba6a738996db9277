/* Pruners of the successive-halving kind. tests/interop compares those that Optuna has with it; here are
 * pausing and promoting, what is said, and the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/pruners/rungs.h"
#include "tests/hpo/pruner_case.h"

#define ASHA "{\"type\": \"asha\", \"eta\": 2, \"max_resource\": 8}" /* rungs 1, 2, 4 */

static size_t promoted(pruner_case *c) {
    return ty_pruner_of(&c->pruner)->promote(c->pruner.config, &c->board);
}

static ty_status check(pruner_case *c) {
    return ty_pruner_of(&c->pruner)->check(&c->ctx, c->pruner.config, &c->board);
}

static void halving_stops_who_is_not_among_the_best_of_a_rung(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"halving\", \"eta\": 2, \"min_resource\": 2}");
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 9.0), TY_CONTINUE, ""); /* the best of one */
    pruner_case_add(c, TY_TRIAL_PRUNED, VALUES(0.0, 1.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(9.0, 2.0, 0.0, 0.0));
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(9.0, 3.0));
    pruner_case_expect(c, VALUES(9.0, 2.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 2.5), TY_STOP,
                       "rung 0 at 2: 2.5 is not among the best 2 of 4");
    pruner_case_expect(c, VALUES(9.0, 2.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 2.0, 9.0, 0.5), TY_STOP,
                       "rung 1 at 4: 0.5 is not among the best 1 of 2");
    pruner_case_expect(c, VALUES(9.0, NAN), TY_STOP, "its metric is not a number");
}

static void halving_without_a_first_rung_waits_for_a_complete_trial(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "\"halving\"");
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(1.0));
    pruner_case_expect(c, VALUES(2.0), TY_CONTINUE, "");
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(1.0));
    pruner_case_expect(c, VALUES(2.0), TY_STOP, "rung 0 at 1");
    pruner_case_choose(c, "{\"type\": \"halving\", \"bootstrap\": 2}");
    assert_int_equal(check(c), TY_ERR_CONFIG);
    pruner_case_choose(c, "{\"type\": \"halving\", \"bootstrap\": 3, \"min_resource\": 1}");
    assert_int_equal(check(c), TY_OK);
    pruner_case_expect(c, VALUES(0.0), TY_STOP, "the first 3 only serve for comparison");
}

static void asha_pauses_until_a_trial_is_among_the_best(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, ASHA);
    pruner_case_expect(c, VALUES(5.0), TY_PAUSE,
                       "rung 0 at 1: 5 waits for others, 1 of 2 are there");
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(5.0));
    assert_int_equal(promoted(c), 1); /* nobody */
    pruner_case_expect(c, VALUES(6.0), TY_PAUSE, "rung 0 at 1: 6 is not among the best 1 of 2");
    pruner_case_expect(c, VALUES(5.0), TY_PAUSE, "");
    pruner_case_expect(c, VALUES(4.0), TY_CONTINUE, "");
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(6.0));
    assert_int_equal(promoted(c), 0);
    c->curves[0].state = TY_TRIAL_RUNNING;
    assert_int_equal(promoted(c), 2);
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(7.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(6.0));
    assert_int_equal(promoted(c), 1); /* the first of equals, once */
    c->curves[1].state = TY_TRIAL_RUNNING;
    assert_int_equal(promoted(c), 4);
}

static void asha_promotes_from_the_highest_rung_first(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, ASHA);
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(1.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(9.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(2.0, 4.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(3.0, 3.0));
    assert_int_equal(promoted(c), 3);
    c->curves[3].state = TY_TRIAL_RUNNING;
    assert_int_equal(promoted(c), 0);
    c->board.is_turned = true; /* values are turned already: nothing but what is said changes */
    assert_int_equal(promoted(c), 0);
}

static void asha_judges_no_rung_twice_and_none_at_the_end(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, ASHA);
    pruner_case_expect(c, VALUES(1.0, 1.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, 1.0, 1.0, 1.0), TY_PAUSE, "rung 2 at 4");
    pruner_case_expect(c, VALUES(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, NAN), TY_STOP, "rung 1 at 2: its metric is not a number");
    pruner_case_choose(c, "{\"type\": \"asha\", \"early_stopping_rate\": 1, \"mode\": \"stop\"}");
    pruner_case_add(c, TY_TRIAL_PRUNED, VALUES(1.0, 1.0, 1.0));
    pruner_case_expect(c, VALUES(9.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 9.0, 9.0), TY_STOP, "rung 0 at 3");
    assert_int_equal(promoted(c), 1);
}

static void a_sweep_at_its_end_completes_its_best_trial(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"asha\", \"eta\": 4, \"max_resource\": 64}");
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(5.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(4.0));
    pruner_case_add(c, TY_TRIAL_PRUNED, VALUES(1.0));
    assert_int_equal(promoted(c), 3);
    c->board.is_last = true;
    assert_int_equal(promoted(c), 1);
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(9.0, 9.0, 9.0, 9.0));
    pruner_case_add(c, TY_TRIAL_PAUSED, VALUES(8.0, 8.0, 8.0, 8.0));
    c->curves[1].state = TY_TRIAL_FAILED; /* it is promoted as long as it waits: one of 5 */
    assert_int_equal(promoted(c), 4);
    c->curves[3].state = TY_TRIAL_RUNNING;
    assert_int_equal(promoted(c), 5);
    c->curves[3].state = TY_TRIAL_COMPLETE;
    assert_int_equal(promoted(c), 5);
}

static void hyperband_draws_brackets_by_number_and_compares_within_them(void **state) {
    pruner_case *c = *state;
    size_t in_bracket[3] = {0};
    pruner_case_choose(c, "{\"type\": \"hyperband\", \"eta\": 3, \"max_resource\": 9}");
    assert_int_equal(check(c), TY_OK);
    /* Weights ceil(3 * 9 / 3), ceil(3 * 3 / 2), ceil(3 / 1): 9, 5, 3 of 17. */
    for (size_t i = 0; i < CASE_CURVES - 1; i++) {
        const uint64_t draw = ty_bracket_draw("sweep", i, 17);
        const size_t bracket = draw < 9 ? 0 : draw < 14 ? 1 : 2;
        const ty_decision first = pruner_case_judge(c, VALUES(9.0));
        const ty_decision second = pruner_case_judge(c, VALUES(9.0, 9.0, 9.0));
        const bool is_stopped = first.answer == TY_STOP;
        assert_int_equal(is_stopped, bracket == 0 && in_bracket[0] > 0);
        assert_int_equal(second.answer == TY_STOP, bracket < 2 && in_bracket[bracket] > 0);
        pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(1.0, 1.0, 1.0));
        in_bracket[bracket]++;
    }
    assert_true(in_bracket[0] > in_bracket[2] && in_bracket[2] > 0);
}

/* As Python has it: binascii.crc32(b"1234_56789"). */
static void a_draw_is_the_checksum_of_name_and_number(void **state) {
    (void)state;
    assert_int_equal(ty_bracket_draw("1234", 56789, UINT64_MAX), 0x1bf551b4);
}

static void hyperband_wants_to_know_the_length_of_a_trial(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "\"hyperband\"");
    assert_int_equal(check(c), TY_ERR_CONFIG);
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    c->board.max_resource = 0.5;
    assert_int_equal(check(c), TY_ERR_CONFIG);
    c->board.max_resource = 243;
    assert_int_equal(check(c), TY_OK);
    pruner_case_choose(c, "{\"type\": \"hyperband\", \"mode\": \"promote\", \"bootstrap\": 1}");
    assert_int_equal(check(c), TY_ERR_CONFIG);
}

static void hyperband_promotes_within_a_bracket(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"hyperband\", \"max_resource\": 9, \"mode\": \"promote\"}");
    size_t n = 0, best = 0;
    while (n < 3) { /* until three of bracket 0 wait, the last one best; others are better still */
        const size_t i = c->board.count;
        const bool is_first = ty_bracket_draw("sweep", i, 17) < 9;
        assert_int_equal(promoted(c), i);
        pruner_case_add(c, is_first ? TY_TRIAL_PAUSED : TY_TRIAL_COMPLETE,
                        VALUES(is_first ? 9.0 - (double)n : 0.0));
        n += is_first;
        best = is_first ? i : best;
    }
    assert_int_equal(promoted(c), best);
}

static void wandb_stops_above_the_threshold_of_the_last_band(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"wandb\", \"max_iter\": 5, \"s\": 2, \"eta\": 2}");
    assert_int_equal(check(c), TY_OK);
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(10.0, 9.0));
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(10.0, 8.0, 8.0));
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(10.0, 7.0, 7.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(10.0, 6.0, 6.0));
    pruner_case_expect(c, VALUES(10.0), TY_CONTINUE, ""); /* bands are 1 and 2, counted from 0 */
    pruner_case_expect(c, VALUES(10.0, 10.0), TY_STOP,
                       "band 1: 10 is behind 8, the threshold of 5 trials");
    pruner_case_expect(c, VALUES(10.0, 8.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(10.0, NAN, 8.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(10.0, 8.0, 9.0), TY_STOP, "band 2: 9 is behind 8");
    pruner_case_expect(c, VALUES(10.0, 7.0, 7.0, 9.0), TY_CONTINUE, "");
    pruner_case_choose(c, "{\"type\": \"wandb\", \"min_iter\": 2, \"strict\": false}");
    pruner_case_expect(c, VALUES(6.0, 9.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(10.0, 10.0, 10.0), TY_STOP, "band 2");
}

static void wandb_wants_its_bands(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "\"wandb\"");
    assert_int_equal(check(c), TY_ERR_CONFIG);
    pruner_case_choose(c, "{\"type\": \"wandb\", \"max_iter\": 9}");
    assert_int_equal(check(c), TY_ERR_CONFIG);
    pruner_case_choose(c, "{\"type\": \"wandb\", \"max_iter\": 2, \"s\": 1}");
    assert_int_equal(check(c), TY_ERR_CONFIG);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, pruner_case_set_up, pruner_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(halving_stops_who_is_not_among_the_best_of_a_rung),
        TEST(halving_without_a_first_rung_waits_for_a_complete_trial),
        TEST(asha_pauses_until_a_trial_is_among_the_best),
        TEST(asha_promotes_from_the_highest_rung_first),
        TEST(asha_judges_no_rung_twice_and_none_at_the_end),
        TEST(a_sweep_at_its_end_completes_its_best_trial),
        TEST(hyperband_draws_brackets_by_number_and_compares_within_them),
        TEST(hyperband_wants_to_know_the_length_of_a_trial),
        TEST(hyperband_promotes_within_a_bracket),
        TEST(wandb_stops_above_the_threshold_of_the_last_band),
        TEST(wandb_wants_its_bands),
        cmocka_unit_test(a_draw_is_the_checksum_of_name_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
