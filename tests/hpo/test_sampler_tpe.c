/* TPE as a sampler: pure and legal on spaces of every kind, at the edges of a history, and better than
 * chance. Its densities are compared with Optuna's in tests/interop/test_tpe.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/samplers/tpe.h"
#include "tests/hpo/analytic.h"
#include "tests/hpo/sampler_suite.h"

static const char *const forms[] = {
    "\"tpe\"", "{\"type\": \"tpe\", \"multivariate\": false}",
    "{\"type\": \"tpe\", \"constant_liar\": false}",
    "{\"type\": \"tpe\", \"candidates\": 1, \"startup_trials\": 1}"};

static void points_of_any_space_are_legal_and_those_of_a_new_sampler(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 120; seed++)
        case_play_space(seed, seed % 3 == 0,
                        &(case_game){.sampler = forms[seed % 4],
                                     .seed = seed,
                                     .trials = 45,
                                     .window = 1 + seed % 5,
                                     .values = CASE_MIXED,
                                     .compare_every = 1});
}

static void a_thousand_trials_are_those_of_a_new_sampler(void **state) {
    (void)state;
    ty_ctx ctx;
    case_space s;
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 3);
    ty_history history;
    ty_history_init(&history, &s.space);
    ty_sampler *sampler = case_open(&ctx, "\"tpe\"", &s.space, 1);
    double x[3], again[3];
    for (size_t trial = 0; trial <= 1000; trial++) {
        case_suggest(&ctx, sampler, &history, trial, x);
        if (trial % 125 == 0) {
            ty_sampler *fresh = case_open(&ctx, "\"tpe\"", &s.space, 1);
            case_suggest(&ctx, fresh, &history, trial, again);
            case_expect_same(&s.space, again, x, "a new sampler");
            ty_sampler_close(fresh);
        }
        case_show(&ctx, &history, trial, x, CASE_MIXED);
    }
    assert_true(case_value(&s.space, x) < 0.5);
    ty_sampler_close(sampler);
    ty_history_clear(&history);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
}

static void a_trial_that_went_on_is_seen_anew(void **state) {
    (void)state;
    ty_ctx ctx;
    case_space s;
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 2);
    ty_history history;
    ty_history_init(&history, &s.space);
    ty_sampler *sampler = case_open(&ctx, "\"tpe\"", &s.space, 1);
    double x[2], again[2];
    for (size_t trial = 0; trial < 40; trial++) {
        case_suggest(&ctx, sampler, &history, trial, x);
        case_show(&ctx, &history, trial, x, CASE_PLAIN);
    }
    const ty_shown best = {.number = 12, .state = TY_TRIAL_COMPLETE, .value = -100};
    ty_history_replace(&history, 12, &best);
    ty_sampler *fresh = case_open(&ctx, "\"tpe\"", &s.space, 1);
    case_suggest(&ctx, sampler, &history, 40, x);
    case_suggest(&ctx, fresh, &history, 40, again);
    case_expect_same(&s.space, again, x, "after a replacement");
    ty_sampler_close(fresh);
    ty_sampler_close(sampler);
    ty_history_clear(&history);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
}

/* --- edges of a history ---------------------------------------------------------------------------- */

typedef ty_shown shown_of(size_t number);

static ty_shown equal_values(size_t number) {
    return (ty_shown){.number = number, .state = TY_TRIAL_COMPLETE, .value = 1};
}

static ty_shown all_infeasible(size_t number) {
    return (ty_shown){.number = number,
                      .state = TY_TRIAL_COMPLETE,
                      .value = (double)number,
                      .violation = 1 + (double)(number % 4)};
}

static ty_shown pruned_without_a_report(size_t number) {
    return (ty_shown){.number = number, .state = TY_TRIAL_PRUNED, .value = NAN};
}

static ty_shown infinite_values(size_t number) {
    return (ty_shown){
        .number = number, .state = TY_TRIAL_COMPLETE, .value = number % 2 ? INFINITY : -INFINITY};
}

/* All at one point: every distance is 0. */
static void run_at_one_point(shown_of *shown, const ty_space *space, ty_ctx *ctx, bool moves) {
    for (size_t n = 0; n < 130; n += 1 + n / 3) {
        ty_history history;
        ty_history_init(&history, space);
        double x[TY_SPACE_MAX_PARAMS];
        for (size_t i = 0; i < n; i++) {
            const ty_shown trial = shown(i);
            ty_draws_point(space, 3, moves ? i : 0, 0, x);
            assert_int_equal(ty_history_show(ctx, &history, &trial, x), TY_OK);
        }
        for (size_t form = 0; form < 4; form++) {
            ty_sampler *sampler = case_open(ctx, forms[form], space, 5);
            case_suggest(ctx, sampler, &history, n, x);
            ty_sampler_close(sampler);
        }
        ty_history_clear(&history);
    }
}

static void any_history_gives_a_legal_point(void **state) {
    (void)state;
    static shown_of *const kinds[] = {equal_values, all_infeasible, pruned_without_a_report,
                                      infinite_values};
    for (uint64_t seed = 0; seed < 10; seed++) {
        ty_ctx ctx;
        case_space s;
        ty_ctx_init(&ctx);
        case_space_open(&ctx, &s, seed, false);
        for (size_t i = 0; i < 4; i++) {
            run_at_one_point(kinds[i], &s.space, &ctx, true);
            run_at_one_point(kinds[i], &s.space, &ctx, false);
        }
        case_space_close(&s);
        ty_ctx_clear(&ctx);
    }
}

static void a_single_choice_is_learned(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param param = {.name = "kind", .prior = TY_PRIOR_CHOICE, .choice_count = 8};
    ty_space space = {.params = &param, .count = 1};
    assert_int_equal(ty_space_seal(&ctx, &space), TY_OK);
    ty_history history;
    ty_history_init(&history, &space);
    ty_sampler *sampler = case_open(&ctx, "\"tpe\"", &space, 2);
    int hits = 0;
    for (size_t trial = 0; trial < 100; trial++) {
        double x = 0;
        case_suggest(&ctx, sampler, &history, trial, &x);
        const ty_shown shown = {
            .number = trial, .state = TY_TRIAL_COMPLETE, .value = x == 5 ? 0 : 1};
        assert_int_equal(ty_history_show(&ctx, &history, &shown, &x), TY_OK);
        hits += trial >= 50 && x == 5;
    }
    assert_true(hits >= 25); /* by chance 6 */
    ty_sampler_close(sampler);
    ty_history_clear(&history);
    ty_ctx_clear(&ctx);
}

/* --- the split ------------------------------------------------------------------------------------- */

static void good_trials_are_complete_then_pruned_then_infeasible(void **state) {
    (void)state;
    const ty_shown trials[] = {
        {.number = 3, .state = TY_TRIAL_COMPLETE, .value = 5, .violation = 0.5},
        {.number = 0, .state = TY_TRIAL_PRUNED, .value = 1, .last_step = 3},
        {.number = 1, .state = TY_TRIAL_PRUNED, .value = NAN},
        {.number = 2, .state = TY_TRIAL_COMPLETE, .value = 5},
        {.number = 4, .state = TY_TRIAL_PRUNED, .value = 9, .last_step = 7},
        {.number = 5, .state = TY_TRIAL_COMPLETE, .value = -5, .violation = 0.25},
        {.number = 6, .state = TY_TRIAL_COMPLETE, .value = 4},
        {.number = 7, .state = TY_TRIAL_PRUNED, .value = 0.5, .last_step = 3},
        {.number = 8, .state = TY_TRIAL_COMPLETE, .value = NAN},
        {.number = 9, .state = TY_TRIAL_COMPLETE, .value = 4}};
    static const size_t want[] = {6, 9, 3, 8, 4, 7, 1, 2, 5, 0}; /* indices above */
    ty_ctx ctx;
    case_space s;
    ty_ctx_init(&ctx);
    case_cube_open(&ctx, &s, 1);
    ty_history history;
    ty_history_init(&history, &s.space);
    ty_tpe tpe;
    assert_int_equal(ty_tpe_init(&ctx, &tpe, &s.space, true, true), TY_OK);
    for (size_t i = 0; i < 10; i++) {
        const double x = (double)i / 10;
        assert_int_equal(ty_history_show(&ctx, &history, &trials[i], &x), TY_OK);
    }
    assert_int_equal(ty_tpe_follow(&ctx, &tpe, &history), TY_OK);
    assert_int_equal(tpe.good_count, 1);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(tpe.best[i], want[i]);
    ty_tpe_clear(&tpe);
    ty_history_clear(&history);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
}

/* --- search ---------------------------------------------------------------------------------------- */

static double best_after(ty_ctx *ctx, const analytic *problem, const char *json, uint64_t seed,
                         size_t window) {
    case_space s;
    case_cube_open(ctx, &s, problem->dims);
    ty_history history;
    ty_history_init(&history, &s.space);
    ty_sampler *sampler = case_open(ctx, json, &s.space, seed);
    double best = INFINITY, u[ANALYTIC_MAX_DIMS], x[ANALYTIC_MAX_DIMS];
    for (size_t trial = 0; trial < 100; trial++) {
        case_suggest(ctx, sampler, &history, trial, u);
        assert_int_equal(ty_history_begin(ctx, &history, trial, u), TY_OK);
        if (trial + 1 < window)
            continue;
        const size_t ends = trial + 1 - window;
        for (size_t d = 0; d < problem->dims; d++) {
            u[d] = history.pending_x[d * history.pending_capacity];
            x[d] = problem->low[d] + u[d] * (problem->high[d] - problem->low[d]);
        }
        const ty_shown shown = {.number = ends,
                                .state = TY_TRIAL_COMPLETE,
                                .value = problem->value(x, problem->dims) - problem->least};
        best = fmin(best, shown.value);
        assert_int_equal(ty_history_show(ctx, &history, &shown, u), TY_OK);
    }
    ty_sampler_close(sampler);
    ty_history_clear(&history);
    case_space_close(&s);
    return best;
}

/* On each problem in sum over seeds, also with eight trials under way at a time. */
static void it_finds_better_points_than_chance(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    for (int i = 0; i < ANALYTIC_COUNT; i++) {
        double random = 0, tpe = 0, parallel = 0, alone = 0;
        for (uint64_t seed = 0; seed < 8; seed++) {
            random += log(best_after(&ctx, &analytic_problems[i], "\"random\"", seed, 1));
            tpe += log(best_after(&ctx, &analytic_problems[i], forms[0], seed, 1));
            parallel += log(best_after(&ctx, &analytic_problems[i], forms[0], seed, 8));
            alone += log(best_after(&ctx, &analytic_problems[i], forms[1], seed, 1));
        }
        if (!(tpe < random && parallel < random && alone < random))
            fail_msg("%s: %g (8 at a time %g, each alone %g), by chance %g",
                     analytic_problems[i].name, tpe, parallel, alone, random);
    }
    ty_ctx_clear(&ctx);
}

static void another_machine_has_the_same_bits(void **state) {
    (void)state;
    static const uint64_t want[4] = {UINT64_C(0x80f06556b7bbb366), UINT64_C(0x6b516b6dd1863966),
                                     UINT64_C(0xe47115080a05d8e3), UINT64_C(0x99a4c63cffd56464)};
    for (uint64_t i = 0; i < 4; i++) {
        const case_game game = {.sampler = forms[i],
                                .seed = i,
                                .trials = 120,
                                .window = 1 + i,
                                .values = CASE_MIXED,
                                .compare_every = 1};
        const uint64_t digest = case_play_space(30 + i, false, &game);
        if (digest != want[i])
            fail_msg("form %d: 0x%016llx, want 0x%016llx", (int)i, (unsigned long long)digest,
                     (unsigned long long)want[i]);
    }
}

int main(void) {
    sampler_suite suite = {.samplers = forms, .count = sizeof forms / sizeof *forms};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(what_hangs_on_a_number_plays_by_its_value, &suite),
        cmocka_unit_test_prestate(fractions_of_a_lattice_are_its_values, &suite),
        cmocka_unit_test(points_of_any_space_are_legal_and_those_of_a_new_sampler),
        cmocka_unit_test(a_thousand_trials_are_those_of_a_new_sampler),
        cmocka_unit_test(a_trial_that_went_on_is_seen_anew),
        cmocka_unit_test(any_history_gives_a_legal_point),
        cmocka_unit_test(a_single_choice_is_learned),
        cmocka_unit_test(good_trials_are_complete_then_pruned_then_infeasible),
        cmocka_unit_test(it_finds_better_points_than_chance),
        cmocka_unit_test(another_machine_has_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
