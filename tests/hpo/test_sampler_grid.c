/* Grid search: how many combinations there are, in which order, and what is no grid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/space/expression.h"
#include "tests/hpo/sampler_cases.h"

static const double second = 1;
static const ty_clause when_second = {.parent = 0, .accepted = &second, .accepted_count = 1};

static ty_space sealed(ty_ctx *ctx, ty_param *params, size_t n) {
    ty_space space = {.params = params, .count = n};
    assert_int_equal(ty_space_seal(ctx, &space), TY_OK);
    return space;
}

static void point(ty_ctx *ctx, ty_sampler *grid, const ty_space *space, size_t trial, double *x) {
    ty_history history;
    ty_history_init(&history, space);
    case_suggest(ctx, grid, &history, trial, x);
    ty_history_clear(&history);
}

static void every_combination_comes_once_and_the_last_parameter_turns_fastest(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param params[] = {
        {.name = "kind", .prior = TY_PRIOR_CHOICE, .choice_count = 2},
        {.name = "rate", .prior = TY_PRIOR_UNIFORM, .low = 0.1, .high = 0.7, .step = 0.2},
        {.name = "one", .prior = TY_PRIOR_UNIFORM, .low = 4, .high = 4},
        {.name = "n", .prior = TY_PRIOR_LOG, .low = 2, .high = 4, .is_int = true}};
    const ty_space space = sealed(&ctx, params, 4);
    ty_sampler *grid = case_open(&ctx, "\"grid\"", &space, 1);
    assert_int_equal(ty_sampler_total(grid), 24);
    for (size_t trial = 0; trial < 24; trial++) {
        double x[4];
        point(&ctx, grid, &space, trial, x);
        const double rate = fmin(0.1 + (double)(trial / 3 % 4) * params[1].step, 0.7);
        const double want[4] = {(double)(trial / 12), rate, 4, 2 + (double)(trial % 3)};
        case_expect_same(&space, x, want, "a combination");
    }
    ty_sampler_close(grid);
    ty_ctx_clear(&ctx);
}

static void a_parameter_that_plays_no_part_is_not_gone_through(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param params[] = {{.name = "kind", .prior = TY_PRIOR_CHOICE, .choice_count = 3},
                         {.name = "size", .prior = TY_PRIOR_CHOICE, .choice_count = 2},
                         {.name = "momentum",
                          .prior = TY_PRIOR_UNIFORM,
                          .low = 0,
                          .high = 1,
                          .step = 0.25,
                          .clauses = &when_second,
                          .clause_count = 1}};
    const ty_space space = sealed(&ctx, params, 3);
    ty_sampler *grid = case_open(&ctx, "\"grid\"", &space, 1);
    assert_int_equal(ty_sampler_total(grid), 2 + 2 * 5 + 2);
    double x[14][3];
    for (size_t trial = 14; trial-- > 0;) /* backwards: it finds its place again */
        point(&ctx, grid, &space, trial, x[trial]);
    for (size_t trial = 0; trial < 14; trial++) {
        assert_int_equal(isnan(x[trial][2]), x[trial][0] != 1);
        for (size_t other = 0; other < trial; other++)
            assert_false(x[trial][0] == x[other][0] && x[trial][1] == x[other][1] &&
                         (x[trial][2] == x[other][2] || isnan(x[trial][2])));
    }
    assert_true(x[0][0] == 0 && x[0][1] == 0 && x[13][0] == 2 && x[13][1] == 1);
    ty_sampler_close(grid);
    ty_ctx_clear(&ctx);
}

static size_t total_under(ty_ctx *ctx, ty_space *space, const char *constraint, ty_status want) {
    ty_arena arena = {0};
    const ty_expression *expression = NULL;
    ty_sampler *grid = NULL;
    assert_int_equal(ty_expression_parse(ctx, constraint, space, &arena, &expression), TY_OK);
    space->constraints = &expression;
    space->constraint_count = 1;
    assert_int_equal(ty_sampler_open_json(ctx, "\"grid\"", space, 1, &grid), want);
    const size_t total = grid ? ty_sampler_total(grid) : 0;
    for (size_t trial = 0; trial < total; trial++) {
        double x[3];
        point(ctx, grid, space, trial, x); /* is legal and allowed */
    }
    ty_sampler_close(grid);
    ty_arena_clear(&arena);
    return total;
}

static void what_constraints_refuse_is_no_combination(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param params[] = {
        {.name = "a", .prior = TY_PRIOR_UNIFORM, .low = 1, .high = 10, .is_int = true},
        {.name = "b", .prior = TY_PRIOR_UNIFORM, .low = 1, .high = 10, .is_int = true},
        {.name = "c", .prior = TY_PRIOR_CHOICE, .choice_count = 3}};
    ty_space space = sealed(&ctx, params, 3);
    assert_int_equal(total_under(&ctx, &space, "a < b", TY_OK), 45 * 3);
    assert_int_equal(total_under(&ctx, &space, "a % b == 0", TY_OK), 27 * 3);
    assert_int_equal(total_under(&ctx, &space, "a + b == 20", TY_OK), 3);
    assert_int_equal(total_under(&ctx, &space, "a > 10", TY_ERR_CONFIG), 0);
    assert_non_null(strstr(ctx.message, "leave no combination"));
    ty_ctx_clear(&ctx);
}

/* The search for the first combination has an end, too. */
static void constraints_that_leave_next_to_nothing_are_refused(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param param = {
        .name = "a", .prior = TY_PRIOR_UNIFORM, .low = 1, .high = 1e12, .is_int = true};
    ty_space space = sealed(&ctx, &param, 1);
    assert_int_equal(total_under(&ctx, &space, "a >= 1e12", TY_ERR_CONFIG), 0);
    assert_non_null(strstr(ctx.message, "steps through the grid met 0 combinations"));
    ty_ctx_clear(&ctx);
}

static void refused(ty_param *params, size_t n, const char *words) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const ty_space space = sealed(&ctx, params, n);
    ty_sampler *grid = NULL;
    assert_int_equal(ty_sampler_open_json(&ctx, "\"grid\"", &space, 1, &grid), TY_ERR_CONFIG);
    if (!strstr(ctx.message, words))
        fail_msg("%s, want %s", ctx.message, words);
    ty_ctx_clear(&ctx);
}

static void a_range_without_steps_is_named_with_what_to_write(void **state) {
    (void)state;
    ty_param smooth = {.name = "rate", .prior = TY_PRIOR_LOG, .low = 1e-4, .high = 1};
    refused(&smooth, 1, "rate: a grid needs values");
    ty_param endless = {.name = "mu",
                        .prior = TY_PRIOR_NORMAL,
                        .low = -INFINITY,
                        .high = INFINITY,
                        .sigma = 1,
                        .step = 0.5};
    refused(&endless, 1, "mu: a grid needs values");
}

static void a_grid_beyond_all_numbers_is_refused(void **state) {
    (void)state;
    ty_param params[3];
    for (size_t d = 0; d < 3; d++)
        params[d] = (ty_param){
            .name = "n", .prior = TY_PRIOR_UNIFORM, .low = 0, .high = 0x1p40, .is_int = true};
    refused(params, 3, "more than 2^64 combinations");
    ty_param counted[3] = {{.name = "a", .prior = TY_PRIOR_CHOICE, .choice_count = 10000},
                           {.name = "b", .prior = TY_PRIOR_CHOICE, .choice_count = 1000},
                           {.name = "c",
                            .prior = TY_PRIOR_CHOICE,
                            .choice_count = 2,
                            .clauses = &when_second,
                            .clause_count = 1}};
    refused(counted, 3, "more than 1000000 combinations");
}

static void a_trial_behind_the_last_is_an_error(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param param = {.name = "kind", .prior = TY_PRIOR_CHOICE, .choice_count = 3};
    const ty_space space = sealed(&ctx, &param, 1);
    ty_sampler *grid = case_open(&ctx, "\"grid\"", &space, 1);
    ty_history history;
    ty_history_init(&history, &space);
    double x = 0;
    assert_int_equal(ty_sampler_suggest(&ctx, grid, &history, 3, &x), TY_ERR_ARG);
    assert_string_equal(ctx.message, "trial 3 of a grid that has 3");
    ty_history_clear(&history);
    ty_sampler_close(grid);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_comes_once_and_the_last_parameter_turns_fastest),
        cmocka_unit_test(a_parameter_that_plays_no_part_is_not_gone_through),
        cmocka_unit_test(what_constraints_refuse_is_no_combination),
        cmocka_unit_test(constraints_that_leave_next_to_nothing_are_refused),
        cmocka_unit_test(a_range_without_steps_is_named_with_what_to_write),
        cmocka_unit_test(a_grid_beyond_all_numbers_is_refused),
        cmocka_unit_test(a_trial_behind_the_last_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
