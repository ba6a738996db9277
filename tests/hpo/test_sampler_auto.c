/* The sampler that chooses a sampler: pure and legal across the change, and whom it asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hpo/samplers/sampler.h"
#include "tests/hpo/sampler_suite.h"

enum { DIMS = 3, SEED = 7 };

typedef struct board {
    ty_ctx ctx;
    ty_space space;
    ty_param params[DIMS];
    ty_history history;
} board;

/* 60 complete trials at points drawn; those of TPE's own numbers have the value `density`, others 1. */
static void board_open(board *b, double density) {
    static const char *const names[DIMS] = {"a", "b", "c"};
    *b = (board){0};
    ty_ctx_init(&b->ctx);
    for (size_t d = 0; d < DIMS; d++)
        b->params[d] = (ty_param){.name = names[d], .prior = TY_PRIOR_UNIFORM, .low = 0, .high = 1};
    b->space = (ty_space){.params = b->params, .count = DIMS};
    assert_int_equal(ty_space_seal(&b->ctx, &b->space), TY_OK);
    ty_history_init(&b->history, &b->space);
    for (size_t i = 0; i < 60; i++) {
        double x[DIMS];
        ty_draws_point(&b->space, SEED + 1, i, 0, x);
        const ty_shown shown = {.number = i,
                                .state = TY_TRIAL_COMPLETE,
                                .value = i % 10 == 9 ? density : 1 + 0.01 * x[0]};
        assert_int_equal(ty_history_show(&b->ctx, &b->history, &shown, x), TY_OK);
    }
}

static void board_close(board *b) {
    ty_history_clear(&b->history);
    ty_ctx_clear(&b->ctx);
}

static bool suggests_the_same(board *b, const char *one, const char *other, size_t trial) {
    const char *const names[2] = {one, other};
    double x[2][DIMS];
    for (int i = 0; i < 2; i++) {
        ty_sampler *sampler = NULL;
        assert_int_equal(ty_sampler_open_json(&b->ctx, names[i], &b->space, SEED, &sampler), TY_OK);
        assert_int_equal(ty_sampler_suggest(&b->ctx, sampler, &b->history, trial, x[i]), TY_OK);
        ty_sampler_close(sampler);
    }
    return memcmp(x[0], x[1], sizeof x[0]) == 0;
}

static void who_was_always_asked_is_asked_whatever_came_of_it(void **state) {
    (void)state;
    for (int is_good = 0; is_good <= 1; is_good++) {
        board b;
        board_open(&b, is_good ? 0 : 2);
        assert_true(suggests_the_same(&b, "\"auto\"", "\"gp\"", 60));
        assert_true(suggests_the_same(&b, "\"auto\"", "\"tpe\"", 69));
        board_close(&b);
    }
}

static void the_rest_goes_to_the_one_whose_trials_were_good(void **state) {
    (void)state;
    board good, bad;
    board_open(&good, 0);
    board_open(&bad, 2);
    for (size_t trial = 61; trial < 69; trial += 2) {
        assert_true(suggests_the_same(&good, "\"auto\"", "\"tpe\"", trial));
        assert_true(suggests_the_same(&bad, "\"auto\"", "\"gp\"", trial));
    }
    board_close(&good);
    board_close(&bad);
}

/* Nobody here was asked for them, whatever their numbers are. */
static void imported_trials_are_nobodys(void **state) {
    (void)state;
    board b;
    board_open(&b, 0);
    b.history.imported = b.history.count;
    for (size_t trial = 61; trial < 69; trial += 2)
        assert_true(suggests_the_same(&b, "\"auto\"", "\"gp\"", trial));
    board_close(&b);
}

int main(void) {
    static const char *const samplers[] = {"{\"type\": \"auto\", \"model_trials\": 25}",
                                           "{\"type\": \"auto\", \"model_parameters\": 3}"};
    sampler_suite suite = {.samplers = samplers, .count = 2, .trials = 40, .window = 8};
    const struct CMUnitTest tests[] = {
        SAMPLER_SUITE(&suite),
        cmocka_unit_test(who_was_always_asked_is_asked_whatever_came_of_it),
        cmocka_unit_test(the_rest_goes_to_the_one_whose_trials_were_good),
        cmocka_unit_test(imported_trials_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
