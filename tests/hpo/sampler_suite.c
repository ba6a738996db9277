#include "tests/hpo/sampler_suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Spaces of case_space_open with 5 to 7 parameters: numbers, choices and conditions. */
enum { SOME_SPACE = 33, OTHER_SPACE = 22, THIRD_SPACE = 27, FOURTH_SPACE = 36 };

static void play_all(const sampler_suite *suite, uint64_t space, case_game game) {
    for (size_t i = 0; i < suite->count; i++) {
        game.sampler = suite->samplers[i];
        game.seed = space;
        case_play_space(space, false, &game);
    }
}

void a_fresh_sampler_suggests_the_same_bits_on_any_space(void **state) {
    const sampler_suite *suite = *state;
    for (uint64_t space = 0; space < 12; space++)
        play_all(suite, space,
                 (case_game){.trials = suite->trials,
                             .window = 1 + space % 3,
                             .values = CASE_MIXED,
                             .compare_every = 9});
}

void the_same_game_twice_is_the_same(void **state) {
    const sampler_suite *suite = *state;
    for (size_t i = 0; i < suite->count; i++) {
        const case_game game = {.sampler = suite->samplers[i],
                                .seed = 5,
                                .trials = suite->trials,
                                .window = 3,
                                .values = CASE_MIXED};
        assert_int_equal(case_play_space(SOME_SPACE, false, &game),
                         case_play_space(SOME_SPACE, false, &game));
    }
}

void another_seed_is_another_search(void **state) {
    const sampler_suite *suite = *state;
    for (size_t i = 0; i < suite->count; i++) {
        case_game game = {.sampler = suite->samplers[i], .seed = 1, .trials = 20, .window = 1};
        const uint64_t one = case_play_space(SOME_SPACE, false, &game);
        game.seed = 2;
        assert_int_not_equal(case_play_space(SOME_SPACE, false, &game), one);
    }
}

void values_that_say_nothing_or_too_much_stop_nothing(void **state) {
    for (case_values values = CASE_ALIKE; values <= CASE_WILD; values++)
        play_all(*state, OTHER_SPACE,
                 (case_game){.trials = 40, .window = 2, .values = values, .compare_every = 13});
}

void repeated_points_stop_nothing(void **state) {
    play_all(
        *state, THIRD_SPACE,
        (case_game){
            .trials = 45, .window = 2, .values = CASE_MIXED, .repeats = true, .compare_every = 13});
}

static void expect_two_points(const char *json, size_t count) {
    ty_ctx ctx;
    case_space s;
    ty_history h;
    double x[3], y[3];
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 3);
    ty_history_init(&h, &s.space);
    for (size_t i = 0; i < count; i++) {
        ty_draws_point(&s.space, 9, i, 0, x);
        case_show(&ctx, &h, i, x, CASE_PLAIN);
    }
    ty_sampler *sampler = case_open(&ctx, json, &s.space, 3);
    assert_int_equal(ty_sampler_suggest_at(&ctx, sampler, &h, count, 0, x), TY_OK);
    assert_int_equal(ty_sampler_suggest_at(&ctx, sampler, &h, count, 1, y), TY_OK);
    assert_true(x[0] != y[0] || x[1] != y[1] || x[2] != y[2]);
    ty_sampler_close(sampler);
    ty_history_clear(&h);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
}

void another_attempt_is_another_point(void **state) {
    const sampler_suite *suite = *state;
    for (size_t i = 0; i < suite->count; i++)
        for (size_t count = 0; count < 40; count += 13)
            expect_two_points(suite->samplers[i], count);
}

static void play_in(case_space *s, ty_ctx *ctx, const char *sampler) {
    const case_game game = {.sampler = sampler,
                            .seed = 4,
                            .trials = 40,
                            .window = 1,
                            .values = CASE_MIXED,
                            .compare_every = 13};
    case_play(ctx, &s->space, &game);
    case_space_close(s);
}

void choices_alone_can_be_searched(void **state) {
    const sampler_suite *suite = *state;
    for (size_t dims = 1; dims < 6; dims += 2)
        for (size_t i = 0; i < suite->count; i++) {
            ty_ctx ctx;
            case_space s;
            ty_ctx_init(&ctx);
            case_choices_open(&ctx, &s, dims);
            play_in(&s, &ctx, suite->samplers[i]);
            ty_ctx_clear(&ctx);
        }
}

static void play_each(const sampler_suite *suite, void (*open)(ty_ctx *ctx, case_space *s)) {
    for (size_t i = 0; i < suite->count; i++) {
        ty_ctx ctx;
        case_space s;
        ty_ctx_init(&ctx);
        open(&ctx, &s);
        play_in(&s, &ctx, suite->samplers[i]);
        ty_ctx_clear(&ctx);
    }
}

void what_hangs_on_a_number_plays_by_its_value(void **state) {
    play_each(*state, case_chain_open);
}

void fractions_of_a_lattice_are_its_values(void **state) {
    play_each(*state, case_tenths_open);
}

void many_under_way_at_a_time_are_legal_and_pure(void **state) {
    const sampler_suite *suite = *state;
    play_all(suite, FOURTH_SPACE,
             (case_game){
                 .trials = 45, .window = suite->window, .values = CASE_MIXED, .compare_every = 7});
}
