/* The sampler for those who have not chosen one: a Gaussian process while trials are few enough for it
 * and numbers not too many, with every fifth trial by TPE, which is not misled where values are rugged;
 * beyond that TPE. Which one is asked follows from the space, the number of shown trials and the trial's
 * own number alone. */
#include <stdlib.h>

#include "hpo/sampler.h"

typedef struct auto_config {
    int64_t model_trials;
    int64_t model_parameters;
} auto_config;

static const ty_row row[] = {
    {.key = "model_trials",
     .type = TY_ROW_INT,
     .offset = offsetof(auto_config, model_trials),
     .fallback = "300",
     .min = 0,
     .max = 4096,
     .unit = "trials",
     .help = "ask the Gaussian process until so many trials have ended, then TPE"},
    {.key = "model_parameters",
     .type = TY_ROW_INT,
     .offset = offsetof(auto_config, model_parameters),
     .fallback = "20",
     .min = 0,
     .max = 256,
     .help = "ask the Gaussian process where there are so many parameters at most"}};

const ty_rows ty_sampler_auto_rows = TY_ROWS(row);

typedef struct chooser {
    const auto_config *config;
    bool suits_model; /* the space's size does */
    ty_sampler *model, *density;
} chooser;

static void close(void *self) {
    chooser *c = self;
    if (!c)
        return;
    ty_sampler_close(c->model);
    ty_sampler_close(c->density);
    free(c);
}

static size_t searched(const ty_space *space) {
    size_t n = 0;
    for (size_t d = 0; d < space->count; d++)
        n += ty_param_cardinality(&space->params[d]) != 1;
    return n;
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    chooser *c = calloc(1, sizeof *c);
    if (!c)
        return ty_fail_nomem(ctx, "the auto sampler");
    c->config = config;
    c->suits_model = searched(space) <= (size_t)c->config->model_parameters;
    ty_status st = ty_sampler_open_json(ctx, "\"gp\"", space, seed, &c->model);
    if (st == TY_OK)
        st = ty_sampler_open_json(ctx, "\"tpe\"", space, seed, &c->density);
    if (st != TY_OK) {
        close(c);
        return st;
    }
    *self = c;
    return TY_OK;
}

static bool asks_model(const chooser *c, const ty_history *history, size_t trial) {
    enum { DENSITY_EVERY = 5 };
    return c->suits_model && history->count < (size_t)c->config->model_trials &&
           trial % DENSITY_EVERY != DENSITY_EVERY - 1;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    (void)attempt; /* what it asks tries again by itself until the constraints allow the point */
    const chooser *c = self;
    ty_sampler *chosen = asks_model(c, history, trial) ? c->model : c->density;
    return ty_sampler_suggest(ctx, chosen, history, trial, x);
}

const ty_sampler_type ty_sampler_auto = {.open = open, .suggest = suggest, .close = close};
