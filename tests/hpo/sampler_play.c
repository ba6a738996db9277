#include "tests/hpo/sampler_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* --- spaces ------------------------------------------------------------------------------------- */

static const char *const names[PLAY_MAX_DIMS] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static ty_param choice_of(const play_space *p) {
    return (ty_param){.prior = TY_PRIOR_CHOICE,
                      .choices = p->choices,
                      .choice_count = json_array_size(p->choices)};
}

static ty_param any_param(const play_space *p, size_t kind) {
    switch (kind) {
    case 0:
        return (ty_param){.prior = TY_PRIOR_LOG, .low = 1e-5, .high = 1};
    case 1:
        return (ty_param){.prior = TY_PRIOR_UNIFORM, .is_int = true, .low = -3, .high = 4};
    case 2:
        return (ty_param){.prior = TY_PRIOR_LOG, .is_int = true, .low = 1, .high = 4096};
    case 3:
        return (ty_param){.prior = TY_PRIOR_UNIFORM, .low = 0, .high = 1, .step = 0.125};
    case 4:
        return (ty_param){
            .prior = TY_PRIOR_NORMAL, .mu = 2, .sigma = 3, .low = -INFINITY, .high = INFINITY};
    case 5:
        return (ty_param){.prior = TY_PRIOR_BETA, .a = 2, .b = 5, .low = 0, .high = 1};
    case 6:
        return (ty_param){.prior = TY_PRIOR_UNIFORM, .low = 3, .high = 3};
    case 7:
        return (ty_param){.prior = TY_PRIOR_UNIFORM, .low = -2, .high = 5};
    default:
        return choice_of(p);
    }
}

static ty_param param_of(const play_space *p, play_kind kind, uint32_t bits) {
    enum { N_KINDS = 10 };
    if (kind == PLAY_CHOICES)
        return choice_of(p);
    return kind == PLAY_NUMBERS ? any_param(p, 7) : any_param(p, bits % N_KINDS);
}

void play_space_open(ty_ctx *ctx, play_space *p, play_kind kind, size_t dims, uint64_t seed) {
    *p = (play_space){.one = 1, .choices = json_pack("[s, i, b]", "x", 3, 1)};
    const ty_rng_key key = ty_rng_key_of(seed, TY_STREAM_SYNTHETIC);
    p->clause = (ty_clause){.parent = 0, .accepted = &p->one, .accepted_count = 1};
    for (size_t d = 0; d < dims; d++) {
        const ty_rng_block block = ty_rng_draw(key, d, 0);
        const bool is_parent = d == 0 && kind == PLAY_ANY;
        p->params[d] = is_parent ? choice_of(p) : param_of(p, kind, block.v[0]);
        p->params[d].name = names[d];
        if (d > 0 && kind == PLAY_ANY && block.v[1] % 4 == 0) {
            p->params[d].clauses = &p->clause;
            p->params[d].clause_count = 1;
        }
    }
    p->space = (ty_space){.params = p->params, .count = dims};
    assert_int_equal(ty_space_seal(ctx, &p->space), TY_OK);
}

void play_space_close(play_space *p) {
    json_decref(p->choices);
}

/* --- trials ------------------------------------------------------------------------------------- */

/* Inside the space, whatever its scales: by quantiles of the priors. */
static double bowl(const ty_space *space, const double *x) {
    double sum = 0;
    for (size_t d = 0; d < space->count; d++) {
        const ty_param *p = &space->params[d];
        if (isnan(x[d]) || p->z_low >= p->z_high)
            continue;
        const double z = ty_param_is_numeric(p) ? ty_param_z(p, x[d]) : x[d];
        const double u = (z - p->z_low) / (p->z_high - p->z_low) - 0.3;
        sum += (double)(d + 1) * u * u + 0.25 * u;
    }
    return sum;
}

static ty_shown outcome(const play_game *game, const ty_space *space, size_t number,
                        const double *x) {
    ty_shown t = {.number = number, .state = TY_TRIAL_COMPLETE, .value = bowl(space, x)};
    const bool is_pruned = game->values == PLAY_PRUNED || number % 5 == 4;
    if (game->values == PLAY_ALIKE) {
        t.value = 1;
        return t;
    }
    if (game->values == PLAY_INFEASIBLE || number % 7 == 6)
        t.violation = 0.5 + (double)(number % 3);
    if (game->values == PLAY_WILD)
        t.value = number % 3 == 0 ? INFINITY : number % 3 == 1 ? 1e300 : t.value;
    if (is_pruned) {
        t.state = TY_TRIAL_PRUNED;
        t.last_step = (double)(number % 4);
        t.value = number % 2 ? t.value : NAN;
    }
    return t;
}

static void expect_legal(const ty_space *space, const double *x, size_t trial) {
    for (size_t d = 0; d < space->count; d++) {
        const bool plays = ty_space_is_active(space, x, d);
        if (plays != !isnan(x[d]) || (plays && !ty_param_accepts(&space->params[d], x[d])))
            fail_msg("trial %zu: %s is %g, which is not legal", trial, space->params[d].name, x[d]);
    }
}

static ty_sampler *open_sampler(ty_ctx *ctx, const play_space *p, const play_game *game) {
    ty_sampler *sampler = NULL;
    if (ty_sampler_open_json(ctx, game->sampler, &p->space, game->seed, &sampler) != TY_OK)
        fail_msg("%s", ctx->message);
    return sampler;
}

static void suggest(ty_ctx *ctx, ty_sampler *sampler, const ty_history *h, size_t trial,
                    double *x) {
    if (ty_sampler_suggest(ctx, sampler, h, trial, x) != TY_OK)
        fail_msg("%s", ctx->message);
}

static void expect_same_of_fresh(ty_ctx *ctx, const play_space *p, const play_game *game,
                                 const ty_history *h, size_t trial, const double *x) {
    double fresh[PLAY_MAX_DIMS];
    ty_sampler *sampler = open_sampler(ctx, p, game);
    suggest(ctx, sampler, h, trial, fresh);
    ty_sampler_close(sampler);
    for (size_t d = 0; d < p->space.count; d++)
        if (memcmp(&fresh[d], &x[d], sizeof fresh[d]) != 0 && !(isnan(fresh[d]) && isnan(x[d])))
            fail_msg("trial %zu: %s is %a, of a fresh sampler %a", trial, names[d], x[d], fresh[d]);
}

typedef struct table {
    double x[1024][PLAY_MAX_DIMS];
} table;

static void begin_trial(ty_ctx *ctx, const play_space *p, const play_game *game,
                        ty_sampler *sampler, ty_history *h, table *points, size_t trial) {
    double *x = points->x[trial];
    suggest(ctx, sampler, h, trial, x);
    expect_legal(&p->space, x, trial);
    if (game->compare_every > 0 && trial % game->compare_every == 0)
        expect_same_of_fresh(ctx, p, game, h, trial, x);
    if (game->repeats && trial % 3 == 2)
        memcpy(x, points->x[0], sizeof points->x[0]);
    assert_int_equal(ty_history_begin(ctx, h, trial, x), TY_OK);
}

/* Failed ones are not shown. */
static void end_trial(ty_ctx *ctx, const play_space *p, const play_game *game, ty_history *h,
                      const table *points, size_t trial) {
    if (game->values == PLAY_SMOOTH && trial % 11 == 10) {
        ty_history_forget(h, trial);
        return;
    }
    const ty_shown shown = outcome(game, &p->space, trial, points->x[trial]);
    assert_int_equal(ty_history_show(ctx, h, &shown, points->x[trial]), TY_OK);
}

uint64_t play(ty_ctx *ctx, const play_space *p, const play_game *game) {
    table *points = calloc(1, sizeof *points);
    assert_non_null(points);
    assert_true(game->trials <= sizeof points->x / sizeof *points->x && game->workers > 0);
    ty_history h;
    ty_history_init(&h, &p->space);
    ty_sampler *sampler = open_sampler(ctx, p, game);
    for (size_t trial = 0; trial < game->trials; trial++) {
        begin_trial(ctx, p, game, sampler, &h, points, trial);
        if (trial + 1 >= game->workers)
            end_trial(ctx, p, game, &h, points, trial + 1 - game->workers);
    }
    uint64_t hash = 0;
    for (size_t trial = 0; trial < game->trials; trial++)
        for (size_t d = 0; d < p->space.count; d++) {
            const double v = isnan(points->x[trial][d]) ? -1e308 : points->x[trial][d] + 0.0;
            hash = ty_hash64_pair(&hash, sizeof hash, &v, sizeof v);
        }
    ty_sampler_close(sampler);
    ty_history_clear(&h);
    free(points);
    return hash;
}
