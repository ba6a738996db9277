#include "tests/hpo/sampler_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "hpo/space/expression.h"

/* --- spaces ---------------------------------------------------------------------------------------- */

static void *of_arena(case_space *s, size_t n, size_t size) {
    void *p = ty_arena_array(&s->arena, n, size);
    assert_non_null(p);
    return p;
}

static void set_choices(case_space *s, ty_param *p, ty_draws *draws) {
    p->prior = TY_PRIOR_CHOICE;
    p->choice_count = 1 + ty_draw_below(draws, 5);
    if (ty_draw(draws) < 0.5)
        return;
    double *probabilities = of_arena(s, p->choice_count, sizeof *probabilities);
    for (size_t i = 0; i < p->choice_count; i++)
        probabilities[i] = p->choice_count == 2 ? (double)i : 1 / (double)p->choice_count;
    p->probabilities = probabilities;
}

static void set_numbers(ty_param *p, ty_draws *draws) {
    static const ty_param kinds[] = {
        {.prior = TY_PRIOR_UNIFORM, .low = -3, .high = 5},
        {.prior = TY_PRIOR_UNIFORM, .low = 2, .high = 2},
        {.prior = TY_PRIOR_UNIFORM, .low = 0, .high = 1, .step = 0.125},
        {.prior = TY_PRIOR_UNIFORM, .low = -4, .high = 11, .step = 5, .is_int = true},
        {.prior = TY_PRIOR_UNIFORM, .low = 0, .high = 1e9, .is_int = true},
        {.prior = TY_PRIOR_LOG, .low = 1e-6, .high = 1},
        {.prior = TY_PRIOR_LOG, .low = 1, .high = 512, .is_int = true},
        {.prior = TY_PRIOR_NORMAL, .low = -INFINITY, .high = INFINITY, .mu = 2, .sigma = 3},
        {.prior = TY_PRIOR_NORMAL, .low = -0x1p52, .high = 0x1p52, .sigma = 2, .step = 0.5},
        {.prior = TY_PRIOR_LOG_NORMAL, .low = 0, .high = INFINITY, .sigma = 1},
        {.prior = TY_PRIOR_BETA, .low = 0, .high = 1, .a = 2, .b = 0.5},
    };
    const char *name = p->name;
    *p = kinds[ty_draw_below(draws, sizeof kinds / sizeof *kinds)];
    p->name = name;
}

/* On an earlier choice, if there is one: it must be one of the first half. */
static void set_clause(case_space *s, size_t d, ty_draws *draws) {
    const size_t parent = ty_draw_below(draws, d + 1);
    if (parent == d || ty_param_is_numeric(&s->space.params[parent]))
        return;
    ty_clause *clause = of_arena(s, 1, sizeof *clause);
    clause->parent = parent;
    clause->accepted_count = (s->space.params[parent].choice_count + 1) / 2;
    double *accepted = of_arena(s, clause->accepted_count, sizeof *accepted);
    for (size_t i = 0; i < clause->accepted_count; i++)
        accepted[i] = (double)i;
    clause->accepted = accepted;
    s->space.params[d].clauses = clause;
    s->space.params[d].clause_count = 1;
}

/* Between the first and the last parameter: by their own scales, which half the priors pass. */
static void set_constraint(ty_ctx *ctx, case_space *s) {
    const ty_param *first = &s->space.params[0];
    const double middle = ty_param_quantile(first, 0.45);
    const char *text = ty_arena_printf(&s->arena, "p0 >= %.17g", middle);
    const ty_expression **constraint = of_arena(s, 1, sizeof *constraint);
    assert_int_equal(ty_expression_parse(ctx, text, &s->space, &s->arena, constraint), TY_OK);
    s->space.constraints = constraint;
    s->space.constraint_count = 1;
}

void case_space_open(ty_ctx *ctx, case_space *s, uint64_t seed, bool has_constraint) {
    memset(s, 0, sizeof *s);
    ty_draws draws = ty_draws_open(seed, TY_DRAW_PRIOR, 0, 0);
    s->space.count = 1 + ty_draw_below(&draws, 7);
    s->space.params = of_arena(s, s->space.count, sizeof *s->space.params);
    for (size_t d = 0; d < s->space.count; d++) {
        ty_param *p = &s->space.params[d];
        p->name = ty_arena_printf(&s->arena, "p%zu", d);
        if (ty_draw(&draws) < 0.35)
            set_choices(s, p, &draws);
        else
            set_numbers(p, &draws);
        if (ty_draw(&draws) < 0.5)
            set_clause(s, d, &draws);
    }
    if (ty_space_seal(ctx, &s->space) != TY_OK)
        fail_msg("%s", ctx->message);
    if (has_constraint && ty_param_is_numeric(&s->space.params[0]))
        set_constraint(ctx, s);
}

void case_cube_open(ty_ctx *ctx, case_space *s, size_t dims) {
    memset(s, 0, sizeof *s);
    s->space.count = dims;
    s->space.params = of_arena(s, dims, sizeof *s->space.params);
    for (size_t d = 0; d < dims; d++)
        s->space.params[d] = (ty_param){
            .name = ty_arena_printf(&s->arena, "p%zu", d), .prior = TY_PRIOR_UNIFORM, .high = 1};
    assert_int_equal(ty_space_seal(ctx, &s->space), TY_OK);
}

void case_choices_open(ty_ctx *ctx, case_space *s, size_t dims) {
    case_cube_open(ctx, s, dims);
    for (size_t d = 0; d < dims; d++)
        s->space.params[d] = (ty_param){
            .name = s->space.params[d].name, .prior = TY_PRIOR_CHOICE, .choice_count = 3};
    assert_int_equal(ty_space_seal(ctx, &s->space), TY_OK);
}

void case_chain_open(ty_ctx *ctx, case_space *s) {
    static const double accepted[] = {2, 1};
    case_cube_open(ctx, s, 3);
    s->space.params[0] =
        (ty_param){.name = "n", .prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 4};
    ty_clause *clause = of_arena(s, 2, sizeof *clause);
    for (size_t d = 1; d < 3; d++) {
        clause[d - 1] = (ty_clause){.parent = 0, .accepted = accepted, .accepted_count = 3 - d};
        s->space.params[d].clauses = &clause[d - 1];
        s->space.params[d].clause_count = 1;
    }
    assert_int_equal(ty_space_seal(ctx, &s->space), TY_OK);
}

void case_tenths_open(ty_ctx *ctx, case_space *s) {
    case_cube_open(ctx, s, 2);
    for (size_t d = 0; d < 2; d++)
        s->space.params[d] = (ty_param){.name = s->space.params[d].name,
                                        .prior = TY_PRIOR_UNIFORM,
                                        .low = 0.1,
                                        .high = d == 0 ? 0.7 : 9.7,
                                        .step = 0.1};
    assert_int_equal(ty_space_seal(ctx, &s->space), TY_OK);
}

void case_space_close(case_space *s) {
    ty_arena_clear(&s->arena);
}

/* --- points ---------------------------------------------------------------------------------------- */

/* Of a lattice not only near enough, but that very value. */
static bool is_value_of(const ty_param *p, double v) {
    return ty_param_accepts(p, v) && (!ty_param_is_numeric(p) || ty_param_nearest(p, v) == v);
}

void case_expect_legal(const ty_space *space, const double *x) {
    for (size_t d = 0; d < space->count; d++) {
        const bool plays = ty_space_is_active(space, x, d);
        if (plays ? !is_value_of(&space->params[d], x[d]) : !isnan(x[d]))
            fail_msg("%s (prior %d) is %.17g, which is not legal", space->params[d].name,
                     (int)space->params[d].prior, x[d]);
    }
    if (!ty_space_allows(space, x))
        fail_msg("a constraint does not hold");
}

double case_value(const ty_space *space, const double *x) {
    double sum = 0;
    for (size_t d = 0; d < space->count; d++) {
        const ty_param *p = &space->params[d];
        if (isnan(x[d]) || p->z_high == p->z_low)
            continue;
        const double z = ty_param_is_numeric(p) ? ty_param_z(p, x[d]) : x[d];
        const double u = (z - p->z_low) / (p->z_high - p->z_low) - 0.3;
        sum += u * u * (double)(d + 1);
    }
    return sum;
}

void case_expect_same(const ty_space *space, const double *a, const double *b, const char *what) {
    for (size_t d = 0; d < space->count; d++)
        if (memcmp(&a[d], &b[d], sizeof *a) != 0 && !(isnan(a[d]) && isnan(b[d])))
            fail_msg("%s: %s is %a, want %a", what, space->params[d].name, a[d], b[d]);
}

static ty_shown outcome(const ty_space *space, size_t number, const double *x, case_values values) {
    const bool is_mixed = values != CASE_PLAIN && values != CASE_ALIKE;
    const size_t silent = values == CASE_PRUNED ? 2 : 10; /* one in so many */
    ty_shown shown = {.number = number, .state = TY_TRIAL_COMPLETE, .last_step = 9};
    shown.value = values == CASE_ALIKE ? 1 : case_value(space, x);
    if (values == CASE_WILD && number % 3 < 2)
        shown.value = number % 3 == 0 ? INFINITY : 1e300;
    if (values == CASE_PRUNED || (is_mixed && number % 5 == 4)) {
        shown.state = TY_TRIAL_PRUNED;
        shown.last_step = (double)(number % 3);
        shown.value = number % silent == silent - 1 ? NAN : shown.value;
    }
    if (values == CASE_INFEASIBLE || (is_mixed && number % 7 == 6))
        shown.violation = isfinite(shown.value) ? shown.value + 1 : 1;
    return shown;
}

void case_show(ty_ctx *ctx, ty_history *history, size_t number, const double *x,
               case_values values) {
    const ty_shown shown = outcome(history->space, number, x, values);
    assert_int_equal(ty_history_show(ctx, history, &shown, x), TY_OK);
}

/* --- samplers -------------------------------------------------------------------------------------- */

ty_sampler *case_open(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed) {
    ty_sampler *sampler = NULL;
    if (ty_sampler_open_json(ctx, json, space, seed, &sampler) != TY_OK)
        fail_msg("%s", ctx->message);
    return sampler;
}

void case_suggest(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history, size_t trial,
                  double *x) {
    if (ty_sampler_suggest(ctx, sampler, history, trial, x) != TY_OK)
        fail_msg("%s", ctx->message);
    case_expect_legal(history->space, x);
}

/* The trial that ends next: not always the oldest. */
static size_t ending(const ty_history *history, size_t trial) {
    return history->pending[trial % history->pending_count];
}

static void end_trial(ty_ctx *ctx, ty_history *history, const case_game *game, size_t number) {
    double x[TY_SPACE_MAX_PARAMS];
    size_t at = 0;
    while (history->pending[at] != number)
        at++;
    for (size_t d = 0; d < history->dims; d++)
        x[d] = history->pending_x[d * history->pending_capacity + at];
    if (game->values == CASE_MIXED && number % 11 == 10)
        ty_history_forget(history, number); /* failed */
    else
        case_show(ctx, history, number, x, game->values);
}

static void expect_same_from_new(ty_ctx *ctx, const case_game *game, const ty_history *history,
                                 size_t trial, const double *x) {
    double again[TY_SPACE_MAX_PARAMS];
    ty_sampler *fresh = case_open(ctx, game->sampler, history->space, game->seed);
    case_suggest(ctx, fresh, history, trial, again);
    case_expect_same(history->space, again, x, "a sampler just opened");
    ty_sampler_close(fresh);
}

uint64_t case_play(ty_ctx *ctx, const ty_space *space, const case_game *game) {
    ty_history history;
    ty_history_init(&history, space);
    ty_sampler *sampler = case_open(ctx, game->sampler, space, game->seed);
    double x[TY_SPACE_MAX_PARAMS], first[TY_SPACE_MAX_PARAMS];
    uint64_t digest = 0;
    for (size_t trial = 0; trial < game->trials; trial++) {
        case_suggest(ctx, sampler, &history, trial, x);
        if (game->compare_every > 0 && trial % game->compare_every == 0)
            expect_same_from_new(ctx, game, &history, trial, x);
        digest = ty_hash64_pair(&digest, sizeof digest, x, space->count * sizeof *x);
        if (trial == 0)
            memcpy(first, x, space->count * sizeof *x);
        const bool is_repeat = game->repeats && trial % 3 == 2;
        assert_int_equal(ty_history_begin(ctx, &history, trial, is_repeat ? first : x), TY_OK);
        if (history.pending_count == game->window)
            end_trial(ctx, &history, game, ending(&history, trial));
    }
    ty_sampler_close(sampler);
    ty_history_clear(&history);
    return digest;
}

uint64_t case_play_space(uint64_t number, bool has_constraint, const case_game *game) {
    ty_ctx ctx;
    case_space s;
    ty_ctx_init(&ctx);
    case_space_open(&ctx, &s, number, has_constraint);
    const uint64_t digest = case_play(&ctx, &s.space, game);
    case_space_close(&s);
    ty_ctx_clear(&ctx);
    return digest;
}
