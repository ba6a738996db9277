/* Random search (Bergstra & Bengio, JMLR 2012): each parameter from its prior, whatever was seen. */
#include <stdlib.h>

#include "hpo/samplers/sampler.h"

typedef struct random_search {
    const ty_space *space;
    uint64_t seed;
} random_search;

const ty_rows ty_sampler_random_rows = {.v = NULL, .n = 0};

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    (void)config;
    random_search *r = malloc(sizeof *r);
    if (!r)
        return ty_fail_nomem(ctx, "the random sampler");
    *r = (random_search){.space = space, .seed = seed};
    *self = r;
    return TY_OK;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    (void)ctx;
    (void)history;
    const random_search *r = self;
    ty_draws_point(r->space, r->seed, trial, attempt, x);
    return TY_OK;
}

const ty_sampler_type ty_sampler_random = {.open = open, .suggest = suggest, .close = free};
