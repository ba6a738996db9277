/* Quasi-random search: trial k is point k of a scrambled Sobol sequence, each coordinate a quantile of
 * its parameter's prior, so that n trials are spread evenly over every parameter and most pairs.
 * An attempt (after constraints refused a point) is point k of the sequence scrambled anew. */
#include <stdlib.h>

#include "hpo/samplers/sampler.h"
#include "hpo/samplers/sobol.h"

_Static_assert((int)TY_SPACE_MAX_PARAMS <= (int)TY_SOBOL_MAX_DIMS, "a dimension a parameter");

typedef struct sobol_search {
    const ty_space *space;
    uint64_t seed;
    uint32_t attempt; /* that the sequence is scrambled for */
    ty_sobol sobol;
} sobol_search;

const ty_rows ty_sampler_sobol_rows = {.v = NULL, .n = 0};

static void scramble(sobol_search *s, uint32_t attempt) {
    const ty_draws draws = ty_draws_open(s->seed, TY_DRAW_SCRAMBLE, 0, attempt);
    ty_sobol_init(&s->sobol, s->space->count, draws.key);
    s->attempt = attempt;
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    (void)config;
    sobol_search *s = malloc(sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the Sobol sampler");
    s->space = space;
    s->seed = seed;
    scramble(s, 0);
    *self = s;
    return TY_OK;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    (void)history;
    sobol_search *s = self;
    if (trial > UINT32_MAX)
        return ty_fail(ctx, TY_ERR_CONFIG, "trial %zu of a Sobol sequence, which has 2^32", trial);
    if (attempt != s->attempt)
        scramble(s, attempt);
    ty_sobol_point(&s->sobol, (uint32_t)trial, x);
    for (size_t d = 0; d < s->space->count; d++)
        x[d] = ty_param_quantile(&s->space->params[d], x[d]);
    ty_space_settle(s->space, x);
    return TY_OK;
}

const ty_sampler_type ty_sampler_sobol = {.open = open, .suggest = suggest, .close = free};
