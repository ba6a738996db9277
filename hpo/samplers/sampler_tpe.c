/* TPE (Bergstra et al., NeurIPS 2011; multivariate: Falkner et al., ICML 2018): candidates are drawn from
 * the density of good points, and the one is taken at which that density is greatest in relation to that
 * of the others. Definitions and constants are those of Optuna 5, whose default is the joint form;
 * `"multivariate": false` is Optuna 4's, parameter by parameter.
 *
 * With conditions each set of parameters that always play together has a model of its own; a model is
 * asked when what it depends on has been chosen. Where constraints tie parameters to each other,
 * a candidate that is refused is drawn anew before any is judged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/samplers/sampler.h"
#include "hpo/samplers/tpe.h"

typedef struct tpe_config {
    int64_t startup_trials, candidates;
    bool multivariate, constant_liar;
} tpe_config;

_Static_assert(sizeof(tpe_config) <= TY_SAMPLER_CONFIG_BYTES, "a config of the table");

static const ty_row rows[] = {
    {.key = "startup_trials",
     .type = TY_ROW_INT,
     .fallback = "10",
     .offset = offsetof(tpe_config, startup_trials),
     .min = 1,
     .max = 1e6,
     .help = "finished trials before models are asked; until then points are random"},
    {.key = "candidates",
     .type = TY_ROW_INT,
     .fallback = "24",
     .offset = offsetof(tpe_config, candidates),
     .min = 1,
     .max = 1e5,
     .help = "points that are drawn, of which the best is suggested"},
    {.key = "multivariate",
     .type = TY_ROW_BOOL,
     .fallback = "true",
     .offset = offsetof(tpe_config, multivariate),
     .help = "one model of parameters that play together, not one of each alone"},
    {.key = "constant_liar",
     .type = TY_ROW_BOOL,
     .fallback = "true",
     .offset = offsetof(tpe_config, constant_liar),
     .help = "trials under way count as bad, so that parallel ones spread"},
};
const ty_rows ty_sampler_tpe_rows = TY_ROWS(rows);

typedef struct tpe_search {
    const ty_space *space;
    uint64_t seed;
    tpe_config config;
    ty_tpe tpe;
    double *x;               /* [candidates][dims] */
    ty_parzen_place *places; /* [candidates][dims] */
    double *good, *rest;     /* [candidates]: log densities */
    bool *is_allowed;        /* [candidates] */
} tpe_search;

static void close_search(void *self) {
    tpe_search *s = self;
    if (!s)
        return;
    ty_tpe_clear(&s->tpe);
    free(s->x);
    free(s->places);
    free(s->good);
    free(s->rest);
    free(s->is_allowed);
    free(s);
}

static ty_status allocate(ty_ctx *ctx, tpe_search *s) {
    const size_t n = (size_t)s->config.candidates, dims = s->space->count + 1;
    s->x = calloc(n * dims, sizeof *s->x);
    s->places = calloc(n * dims, sizeof *s->places);
    s->good = calloc(n, sizeof *s->good);
    s->rest = calloc(n, sizeof *s->rest);
    s->is_allowed = calloc(n, sizeof *s->is_allowed);
    if (!s->x || !s->places || !s->good || !s->rest || !s->is_allowed)
        return ty_fail_nomem(ctx, "the TPE sampler's candidates");
    return TY_OK;
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    tpe_search *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the TPE sampler");
    s->space = space;
    s->seed = seed;
    s->config = *(const tpe_config *)config;
    ty_status st = TY_OK;
    TY_TRY_GOTO(failed, st, allocate(ctx, s));
    TY_TRY_GOTO(failed, st,
                ty_tpe_init(ctx, &s->tpe, space, s->config.multivariate, s->config.constant_liar));
    *self = s;
    return TY_OK;
failed:
    close_search(s);
    return st;
}

/* --- one group ------------------------------------------------------------------------------------- */

enum { REDRAWS = 32 };

/* Candidate c of a group: x with its parameters drawn. What comes after the group plays no part yet, so
 * that only constraints judge whose parameters have values. */
static void draw_candidate(tpe_search *s, const ty_tpe_group *group, const double *x, size_t c,
                           ty_draws *draws) {
    const size_t dims = s->space->count;
    double *at = s->x + c * dims;
    memcpy(at, x, dims * sizeof *at);
    s->is_allowed[c] = false;
    for (int i = 0; i < REDRAWS && !s->is_allowed[c]; i++) {
        ty_parzen_draw(group->good, draws, at, s->places + c * group->axes.count);
        s->is_allowed[c] = ty_space_allows(s->space, at);
    }
}

/* The first of the best; one that constraints allow, if there is one. */
static size_t choose_candidate(const tpe_search *s) {
    size_t best = 0;
    for (size_t c = 1; c < (size_t)s->config.candidates; c++) {
        const bool is_better = s->good[c] - s->rest[c] > s->good[best] - s->rest[best];
        if (s->is_allowed[c] != s->is_allowed[best] ? s->is_allowed[c] : is_better)
            best = c;
    }
    return best;
}

static void suggest_group(tpe_search *s, const ty_tpe_group *group, ty_draws *draws, double *x) {
    const size_t n = (size_t)s->config.candidates;
    for (size_t c = 0; c < n; c++)
        draw_candidate(s, group, x, c, draws);
    ty_parzen_log_density(group->good, s->places, n, s->good);
    ty_parzen_log_density(group->rest, s->places, n, s->rest);
    memcpy(x, s->x + choose_candidate(s) * s->space->count, s->space->count * sizeof *x);
}

/* --- a trial --------------------------------------------------------------------------------------- */

/* Parameters of one value belong to no group and have it from the beginning, where they play. */
static void set_fixed(const ty_space *space, double *x) {
    for (size_t d = 0; d < space->count; d++)
        if (ty_param_cardinality(&space->params[d]) == 1 && ty_space_is_active(space, x, d))
            x[d] = ty_param_quantile(&space->params[d], 0);
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    tpe_search *s = self;
    if (history->count < (size_t)s->config.startup_trials) {
        ty_draws_point(s->space, s->seed, trial, attempt, x);
        return TY_OK;
    }
    TY_TRY(ty_tpe_follow(ctx, &s->tpe, history));
    ty_draws draws = ty_draws_open(s->seed, TY_DRAW_MODEL, trial, attempt);
    for (size_t d = 0; d < s->space->count; d++)
        x[d] = NAN;
    set_fixed(s->space, x);
    for (size_t g = 0; g < s->tpe.group_count; g++) {
        const ty_tpe_group *group = &s->tpe.groups[g];
        if (ty_space_is_active(s->space, x, group->first))
            suggest_group(s, group, &draws, x);
        set_fixed(s->space, x);
    }
    return TY_OK;
}

const ty_sampler_type ty_sampler_tpe = {.open = open, .suggest = suggest, .close = close_search};
