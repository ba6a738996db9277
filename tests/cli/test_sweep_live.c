/* What a terminal shows of a sweep that runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sweep/sweep_live.h"

static void assert_shows(const live_sweep *l, size_t most, const char *want) {
    ty_text out = {0};
    sweep_live_text(l, most, &out);
    assert_string_equal(ty_text_string(&out), want);
    ty_text_clear(&out);
}

static void it_tells_how_far_it_is_and_what_runs(void **state) {
    (void)state;
    const live_trial trials[] = {
        {.trial = 11, .epoch = 2, .step = 400, .value = 0.3321, .seconds = 62},
        {.trial = 12, .epoch = NAN, .step = NAN, .value = NAN, .seconds = 3}};
    const live_sweep l = {.metric = "val/loss",
                          .begun = 13,
                          .done = 8,
                          .stopped = 1,
                          .paused = 1,
                          .failed = 1,
                          .max_trials = 20,
                          .has_best = true,
                          .best = 7,
                          .best_value = 0.125,
                          .seconds_left = 200,
                          .trials = trials,
                          .n_trials = 2};
    assert_shows(&l, 20,
                 "[===========>        ] 13 of 20 trials begun, about 3m20s left\n"
                 "8 done, 1 stopped, 1 paused, 1 failed; best val/loss 0.125 (trial 7)\n"
                 " trial    epoch      step      val/loss    since\n"
                 "    11     2.00       400        0.3321    1m02s\n"
                 "    12        -         -             -       3s");
}

static void trials_that_wait_are_behind_it(void **state) {
    (void)state;
    const live_sweep l = {.metric = "loss",
                          .begun = 20,
                          .done = 1,
                          .paused = 19,
                          .max_trials = 20,
                          .seconds_left = NAN};
    assert_shows(&l, 4, "[====================] 20 of 20 trials begun\n1 done, 19 paused");
}

static void a_sweep_that_begins_has_little_to_say(void **state) {
    (void)state;
    const live_sweep l = {.metric = "loss", .seconds_left = NAN};
    assert_shows(&l, 4, "0 trials begun\n0 done");
}

static void a_long_metric_leaves_its_values_in_sight(void **state) {
    (void)state;
    const live_trial trials[] = {{.trial = 1, .epoch = 1, .step = 2, .value = 0.25, .seconds = 3}};
    const live_sweep l = {.metric = "validation/quality/mean_absolute_percentage_error",
                          .begun = 1,
                          .seconds_left = NAN,
                          .trials = trials,
                          .n_trials = 1};
    assert_shows(&l, 9,
                 "1 trial begun\n0 done\n"
                 " trial    epoch      step  validation/quality/mean_absol\xe2\x80\xa6    since\n"
                 "     1     1.00         2                            0.25       3s");
}

static void a_low_terminal_shows_as_many_trials_as_fit(void **state) {
    (void)state;
    live_trial trials[9] = {0};
    const live_sweep l = {
        .metric = "loss", .begun = 9, .seconds_left = NAN, .trials = trials, .n_trials = 9};
    assert_shows(&l, 6,
                 "9 trials begun\n0 done\n"
                 " trial    epoch      step          loss    since\n"
                 "     0     0.00         0             0       0s\n"
                 "     0     0.00         0             0       0s\n"
                 "       and 7 more");
    assert_shows(&l, 4,
                 "9 trials begun\n0 done\n"
                 " trial    epoch      step          loss    since\n"
                 "       and 9 more");
}

static void what_is_left_is_what_trials_cost_so_far(void **state) {
    (void)state;
    const live_trial running[] = {{.seconds = 4}, {.seconds = 30}};
    live_effort e = {.to_begin = 5, .slots = 2, .running = running, .n_running = 2};
    assert_true(isnan(sweep_live_left(&e)));
    e.ended = 3;
    e.busy = 30;
    assert_float_equal(sweep_live_left(&e), (5 * 10 + 6 + 0) / 2.0, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_how_far_it_is_and_what_runs),
        cmocka_unit_test(trials_that_wait_are_behind_it),
        cmocka_unit_test(a_sweep_that_begins_has_little_to_say),
        cmocka_unit_test(a_long_metric_leaves_its_values_in_sight),
        cmocka_unit_test(a_low_terminal_shows_as_many_trials_as_fit),
        cmocka_unit_test(what_is_left_is_what_trials_cost_so_far),
    };
    return cmocka_run_group_tests_name("cli.sweep_live", tests, NULL, NULL);
}
