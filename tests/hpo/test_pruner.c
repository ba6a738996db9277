/* Pruners that compare a trial with others, with a range or with itself. tests/interop compares their
 * decisions with those of others; here is what they say, and the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/hpo/pruner_case.h"

static void add_complete(pruner_case *c) {
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(1.0, 1.0, 1.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(2.0, 2.0, 2.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(3.0, 3.0, 3.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(4.0, 4.0, 4.0));
}

static void none_lets_all_go_on(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "\"none\"");
    add_complete(c);
    pruner_case_expect(c, VALUES(NAN), TY_CONTINUE, "");
}

static void median_stops_what_is_behind_half_of_the_others(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"median\", \"startup_trials\": 4}");
    add_complete(c);
    pruner_case_expect(c, VALUES(2.5), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(2.6), TY_STOP,
                       "best 2.6 is behind 2.5, percentile 50 of 4 trials at 1");
    pruner_case_expect(c, VALUES(2.4, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(NAN, NAN), TY_STOP, "its metric is not a number");
    pruner_case_expect(c, VALUES(9.0, 9.0, 9.0, 9.0), TY_CONTINUE, ""); /* nobody was there */
}

static void a_sweep_that_maximizes_is_judged_by_its_own_values(void **state) {
    pruner_case *c = *state;
    c->board.is_turned = true;
    pruner_case_choose(c, "{\"type\": \"percentile\", \"percentile\": 25, \"startup_trials\": 0}");
    add_complete(c);
    pruner_case_expect(c, VALUES(3.25), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(3.0), TY_STOP, "best 3 is behind 3.25, percentile 25 of 4");
}

static void nothing_is_stopped_before_there_is_enough_to_compare(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "\"median\"");
    add_complete(c);
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    pruner_case_add(c, TY_TRIAL_PRUNED, VALUES(1.0));
    pruner_case_add(c, TY_TRIAL_RUNNING, VALUES(1.0));
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(1.0));
    pruner_case_expect(c, VALUES(9.0), TY_STOP, "");
    pruner_case_choose(c, "{\"type\": \"median\", \"min_trials\": 5}");
    pruner_case_expect(c, VALUES(9.0), TY_STOP, "of 5 trials");
    pruner_case_expect(c, VALUES(9.0, 9.0), TY_CONTINUE, ""); /* 4 were there */
}

static void warm_up_and_interval_say_which_reports_are_judged(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c,
                       "{\"type\": \"threshold\", \"upper\": 1, \"warmup\": 2, \"interval\": 2}");
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 9.0), TY_STOP, "9 is above 1");
    pruner_case_expect(c, VALUES(9.0, 0.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(9.0, 0.0, 0.0, 9.0), TY_STOP, "9 is above 1");
}

static void threshold_wants_a_number_in_its_range(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"threshold\", \"lower\": 0.25}");
    pruner_case_expect(c, VALUES(0.25), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(INFINITY), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(0.125), TY_STOP, "0.125 is below 0.25");
    pruner_case_expect(c, VALUES(NAN), TY_STOP, "its metric is not a number");
    c->board.is_turned = true;
    pruner_case_expect(c, VALUES(0.125), TY_STOP, "0.125 is below 0.25");
}

static void a_range_that_is_none_is_refused(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"threshold\", \"lower\": 1, \"upper\": 0}");
    assert_int_equal(ty_pruner_of(&c->pruner)->check(&c->ctx, c->pruner.config, &c->board),
                     TY_ERR_CONFIG);
    pruner_case_choose(c, "{\"type\": \"patient\", \"wrapped\": "
                          "{\"type\": \"threshold\", \"lower\": 1, \"upper\": 0}}");
    assert_int_equal(ty_pruner_of(&c->pruner)->check(&c->ctx, c->pruner.config, &c->board),
                     TY_ERR_CONFIG);
}

static void patient_waits_for_an_improvement(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"patient\", \"patience\": 1, \"min_delta\": 0.5}");
    pruner_case_expect(c, VALUES(1.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, 9.0, 9.0), TY_STOP, "no better than 1 for 2 reports");
    pruner_case_expect(c, VALUES(1.0, 9.0, 1.5), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(NAN, 9.0, 9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, NAN, NAN), TY_CONTINUE, "");
}

static void patient_asks_the_pruner_that_it_wraps(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"patient\", \"patience\": 0, \"wrapped\": "
                          "{\"type\": \"threshold\", \"upper\": 5}}");
    pruner_case_expect(c, VALUES(9.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, 4.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, 9.0), TY_STOP, "9 is above 5");
    pruner_case_expect(c, VALUES(9.0, 8.0), TY_CONTINUE, "");
}

static void wilcoxon_compares_with_the_best_trial_report_by_report(void **state) {
    pruner_case *c = *state;
    pruner_case_choose(c, "{\"type\": \"wilcoxon\", \"p\": 0.2}");
    pruner_case_expect(c, VALUES(9.0, 9.0, 9.0), TY_CONTINUE, "");
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(9.0, 9.0, 9.0));
    pruner_case_add(c, TY_TRIAL_COMPLETE, VALUES(5.0, 1.0, 3.0));
    pruner_case_add(c, TY_TRIAL_PRUNED, VALUES(0.0));
    pruner_case_expect(c, VALUES(6.0, 3.0), TY_CONTINUE, ""); /* p = 1/4 */
    pruner_case_expect(c, VALUES(6.0, 3.0, 6.0), TY_STOP,
                       "worse than trial 1 in 3 paired reports (p = 0.125)");
    pruner_case_expect(c, VALUES(6.0, 3.0, 2.0), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(6.0, 3.0, INFINITY), TY_CONTINUE, "");
    pruner_case_expect(c, VALUES(1.0, 1.0, 1.0), TY_CONTINUE, "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, pruner_case_set_up, pruner_case_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(none_lets_all_go_on),
        TEST(median_stops_what_is_behind_half_of_the_others),
        TEST(a_sweep_that_maximizes_is_judged_by_its_own_values),
        TEST(nothing_is_stopped_before_there_is_enough_to_compare),
        TEST(warm_up_and_interval_say_which_reports_are_judged),
        TEST(threshold_wants_a_number_in_its_range),
        TEST(a_range_that_is_none_is_refused),
        TEST(patient_waits_for_an_improvement),
        TEST(patient_asks_the_pruner_that_it_wraps),
        TEST(wilcoxon_compares_with_the_best_trial_report_by_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
