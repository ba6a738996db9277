/* CMA-ES over trials: pure, legal, and what it does with trials that are not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/hpo/sampler_suite.h"

enum { N_SAMPLERS = 3 };

static const char *const samplers[N_SAMPLERS] = {
    "\"cma\"", "{\"type\": \"cma\", \"separable\": true, \"population\": 4}",
    "{\"type\": \"cma\", \"startup\": 15, \"sigma\": 0.4}"};

/* The numbers were written down once; another machine, instruction set or compiler that suggests
 * otherwise breaks the promise that a sweep is the same everywhere. */
static void suggestions_are_those_written_down(void **state) {
    (void)state;
    const case_game game = {
        .sampler = samplers[0], .seed = 21, .trials = 60, .window = 2, .values = CASE_MIXED};
    assert_int_equal(case_play_space(33, false, &game), UINT64_C(0x1d5308ffa45a8c11));
    assert_int_equal(case_play_space(39, false, &game), UINT64_C(0x7f849715daa25c93));
}

/* A bowl of 5 numbers: the best of 400 trials, each of which is told when `window` have begun. */
static double best_of_a_bowl(const char *json, size_t window) {
    ty_ctx ctx;
    case_space s;
    ty_history h;
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 5);
    ty_history_init(&h, &s.space);
    ty_sampler *sampler = case_open(&ctx, json, &s.space, 3);
    double points[400][5], best = 1e300;
    for (size_t trial = 0; trial < 400; trial++) {
        case_suggest(&ctx, sampler, &h, trial, points[trial]);
        if (trial + 1 < window)
            continue;
        const double *x = points[trial + 1 - window];
        double value = 0;
        for (size_t d = 0; d < 5; d++)
            value += (double)(d + 1) * (7 * x[d] - 3) * (7 * x[d] - 3);
        best = value < best ? value : best;
        const ty_shown shown = {
            .number = trial + 1 - window, .state = TY_TRIAL_COMPLETE, .value = value};
        assert_int_equal(ty_history_show(&ctx, &h, &shown, x), TY_OK);
    }
    ty_sampler_close(sampler);
    ty_history_clear(&h);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
    return best;
}

static void a_bowl_is_searched_to_its_bottom(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SAMPLERS; i++)
        assert_true(best_of_a_bowl(samplers[i], 1) < 1e-3);
}

static void results_that_come_late_still_lead_to_the_bottom(void **state) {
    (void)state;
    assert_true(best_of_a_bowl(samplers[0], 8) < 0.1);
}

/* 0.5 % of the space, far from the middle at which the search begins, and narrower than its steps. */
static void constraints_that_leave_a_corner_stop_nothing(void **state) {
    (void)state;
    ty_ctx ctx;
    case_space s;
    const ty_expression *corner = NULL;
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 20);
    assert_int_equal(ty_expression_parse(&ctx, "p0 + p1 < 0.1", &s.space, &s.arena, &corner),
                     TY_OK);
    s.space.constraints = &corner;
    s.space.constraint_count = 1;
    const case_game game = {.sampler = samplers[0],
                            .seed = 2,
                            .trials = 30,
                            .window = 1,
                            .values = CASE_PLAIN,
                            .compare_every = 7};
    case_play(&ctx, &s.space, &game);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
}

int main(void) {
    sampler_suite suite = {.samplers = samplers, .count = N_SAMPLERS, .trials = 90, .window = 20};
    const struct CMUnitTest tests[] = {
        SAMPLER_SUITE(&suite),
        cmocka_unit_test(suggestions_are_those_written_down),
        cmocka_unit_test(a_bowl_is_searched_to_its_bottom),
        cmocka_unit_test(results_that_come_late_still_lead_to_the_bottom),
        cmocka_unit_test(constraints_that_leave_a_corner_stop_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
