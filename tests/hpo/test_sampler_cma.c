/* CMA-ES over trials: pure, legal, and what it does with trials that are not its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/hpo/sampler_play.h"

static const char *const samplers[] = {
    "\"cma\"", "{\"type\": \"cma\", \"separable\": true, \"population\": 4}",
    "{\"type\": \"cma\", \"startup\": 15, \"sigma\": 0.4}"};

enum { N_SAMPLERS = sizeof samplers / sizeof *samplers };

static uint64_t play_one(const char *sampler, play_kind kind, size_t dims, uint64_t seed,
                         play_game game) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    play_space p;
    play_space_open(&ctx, &p, kind, dims, seed);
    game.sampler = sampler;
    game.seed = seed;
    const uint64_t hash = play(&ctx, &p, &game);
    play_space_close(&p);
    ty_ctx_clear(&ctx);
    return hash;
}

static void play_all(play_kind kind, size_t dims, uint64_t seed, play_game game) {
    for (size_t i = 0; i < N_SAMPLERS; i++)
        play_one(samplers[i], kind, dims, seed, game);
}

static void a_fresh_sampler_suggests_the_same_bits_on_any_space(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++)
        play_all(PLAY_ANY, 1 + seed % PLAY_MAX_DIMS, seed,
                 (play_game){.trials = 90, .workers = 1 + seed % 3, .compare_every = 9});
}

static void the_same_game_twice_is_the_same(void **state) {
    (void)state;
    const play_game game = {.trials = 90, .workers = 3};
    for (size_t i = 0; i < N_SAMPLERS; i++)
        assert_int_equal(play_one(samplers[i], PLAY_ANY, 6, 5, game),
                         play_one(samplers[i], PLAY_ANY, 6, 5, game));
}

static void another_seed_is_another_search(void **state) {
    (void)state;
    const play_game game = {.trials = 20, .workers = 1};
    for (size_t i = 0; i < N_SAMPLERS; i++)
        assert_int_not_equal(play_one(samplers[i], PLAY_NUMBERS, 3, 1, game),
                             play_one(samplers[i], PLAY_NUMBERS, 3, 2, game));
}

static void values_that_say_nothing_or_too_much_stop_nothing(void **state) {
    (void)state;
    for (play_values values = PLAY_ALIKE; values <= PLAY_WILD; values++)
        play_all(PLAY_ANY, 5, 3,
                 (play_game){.trials = 40, .workers = 2, .values = values, .compare_every = 13});
}

static void repeated_points_stop_nothing(void **state) {
    (void)state;
    play_all(PLAY_ANY, 4, 8,
             (play_game){.trials = 45, .workers = 2, .repeats = true, .compare_every = 13});
}

static void choices_alone_can_be_searched(void **state) {
    (void)state;
    for (size_t dims = 1; dims < 6; dims += 2)
        play_all(PLAY_CHOICES, dims, 4,
                 (play_game){.trials = 40, .workers = 1, .compare_every = 13});
}

static void many_under_way_at_a_time_are_legal_and_pure(void **state) {
    (void)state;
    play_all(PLAY_ANY, 5, 11, (play_game){.trials = 45, .workers = 20, .compare_every = 7});
}

/* The numbers were written down once; another machine, instruction set or compiler that suggests
 * otherwise breaks the promise that a sweep is the same everywhere. */
static void suggestions_are_those_written_down(void **state) {
    (void)state;
    const play_game game = {.trials = 60, .workers = 2};
    assert_int_equal(play_one("\"cma\"", PLAY_ANY, 8, 21, game), UINT64_C(0xa76370c910d4b1d0));
    assert_int_equal(play_one("\"cma\"", PLAY_NUMBERS, 5, 22, game), UINT64_C(0x87f0e8fc60c29934));
}

/* A bowl of 5 numbers: what the middle of the last generation is worth. */
static double final_value(const char *sampler, size_t workers) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    play_space p;
    play_space_open(&ctx, &p, PLAY_NUMBERS, 5, 1);
    ty_history h;
    ty_history_init(&h, &p.space);
    ty_sampler *s = NULL;
    assert_int_equal(ty_sampler_open_json(&ctx, sampler, &p.space, 3, &s), TY_OK);
    double points[400][PLAY_MAX_DIMS], best = 1e300;
    for (size_t trial = 0; trial < 400; trial++) {
        assert_int_equal(ty_sampler_suggest(&ctx, s, &h, trial, points[trial]), TY_OK);
        if (trial + 1 < workers)
            continue;
        const double *x = points[trial + 1 - workers];
        double value = 0;
        for (size_t d = 0; d < 5; d++)
            value += (double)(d + 1) * (x[d] - 1) * (x[d] - 1);
        best = value < best ? value : best;
        const ty_shown shown = {
            .number = trial + 1 - workers, .state = TY_TRIAL_COMPLETE, .value = value};
        assert_int_equal(ty_history_show(&ctx, &h, &shown, x), TY_OK);
    }
    ty_sampler_close(s);
    ty_history_clear(&h);
    play_space_close(&p);
    ty_ctx_clear(&ctx);
    return best;
}

static void a_bowl_is_searched_to_its_bottom(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SAMPLERS; i++)
        assert_true(final_value(samplers[i], 1) < 1e-3);
}

static void results_that_come_late_still_lead_to_the_bottom(void **state) {
    (void)state;
    assert_true(final_value("\"cma\"", 8) < 0.1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_sampler_suggests_the_same_bits_on_any_space),
        cmocka_unit_test(the_same_game_twice_is_the_same),
        cmocka_unit_test(another_seed_is_another_search),
        cmocka_unit_test(values_that_say_nothing_or_too_much_stop_nothing),
        cmocka_unit_test(repeated_points_stop_nothing),
        cmocka_unit_test(choices_alone_can_be_searched),
        cmocka_unit_test(many_under_way_at_a_time_are_legal_and_pure),
        cmocka_unit_test(suggestions_are_those_written_down),
        cmocka_unit_test(a_bowl_is_searched_to_its_bottom),
        cmocka_unit_test(results_that_come_late_still_lead_to_the_bottom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
