/* The table of samplers. A sampler is a pure function of (space, history, trial number, seed): the
 * same four give the same point, bit for bit, on every machine. State behind `self` is cache alone;
 * a sampler that was just opened gives the same point. One file and one row each. */
#ifndef TY_HPO_SAMPLERS_SAMPLER_H
#define TY_HPO_SAMPLERS_SAMPLER_H

#include "hpo/space/history.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a sampler draws by: Philox keyed by the sweep's seed, counted by (trial, draw). */
typedef struct ty_draws {
    ty_rng_key key;
    uint64_t trial;
    uint64_t next; /* draws taken so far; each is 64 bits */
    uint64_t held; /* 1 + the number of the block below; 0: none yet */
    ty_rng_block block;
} ty_draws;

/* What draws are for separates the streams of one trial; a new purpose is a new row at the end. */
typedef enum ty_draw_purpose {
    TY_DRAW_PRIOR,    /* a point of the priors */
    TY_DRAW_SCRAMBLE, /* of a quasi-random sequence */
    TY_DRAW_MODEL,    /* a model's own */
    TY_DRAW_BRACKET,  /* a scheduler's */
    TY_DRAW_COMPLETE  /* what a point given by hand lacks */
} ty_draw_purpose;

ty_draws ty_draws_open(uint64_t seed, ty_draw_purpose purpose, size_t trial, uint32_t attempt);

/* [0, 1) with 53 bits; (0, 1) for quantiles (never 0). */
double ty_draw(ty_draws *draws);
double ty_draw_open(ty_draws *draws);
/* A standard normal number, by its quantile. */
double ty_draw_normal(ty_draws *draws);
/* [0, n), n > 0. */
size_t ty_draw_below(ty_draws *draws, size_t n);

/* A value of every parameter, whether it plays a part or not; the same, settled: random search, and what
 * a model's sampler begins with. */
void ty_draws_values(const ty_space *space, uint64_t seed, size_t trial, uint32_t attempt,
                     double *x);
void ty_draws_point(const ty_space *space, uint64_t seed, size_t trial, uint32_t attempt,
                    double *x);

/* X(name, help): sampler_<name>.c has ty_sampler_<name> and ty_sampler_<name>_rows; one line here. */
#define TY_SAMPLER_ROWS(X)                                                                         \
    X(random, "each point drawn from the priors alone")                                            \
    X(grid, "every combination of values once")                                                    \
    X(sobol, "the points of a scrambled Sobol sequence, spread more evenly than random ones")      \
    X(tpe, "tree-structured Parzen estimators: where good points are denser than others")          \
    X(cma, "CMA-ES over the numbers; choices and conditional parameters from their priors")        \
    X(gp, "a Gaussian process and expected improvement: for trials that are few and dear")         \
    X(auto, "a Gaussian process while trials are few, with some of TPE's; TPE beyond")

enum { TY_SAMPLER_CONFIG_BYTES = 64 };

typedef struct ty_sampler_type {
    /* config is the struct that its rows filled; it and space are borrowed and outlive *self.
     * Errors: TY_ERR_CONFIG it cannot search this space, and why. */
    ty_status (*open)(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self);
    /* Writes x [dims], settled (inactive ones NAN), legal for each parameter. attempt counts how
     * often a point of this trial was refused by the constraints; another attempt is another point.
     */
    ty_status (*suggest)(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x);
    void (*close)(void *self); /* accepts NULL */
    /* How many trials there are at all (grid); NULL: no end. */
    size_t (*total)(const void *self);
} ty_sampler_type;

#define TY_SAMPLER_DECLARE(name, help)                                                             \
    extern const ty_sampler_type ty_sampler_##name;                                                \
    extern const ty_rows ty_sampler_##name##_rows;
TY_SAMPLER_ROWS(TY_SAMPLER_DECLARE)
#undef TY_SAMPLER_DECLARE

/* For the sweep file's rows; ends with a row of type NULL. */
extern const ty_variant_row ty_sampler_variants[];

typedef struct ty_sampler ty_sampler;

/* chosen (a variant of ty_sampler_variants) and space are borrowed and outlive *out, which is the
 * caller's to close. Errors: TY_ERR_CONFIG it cannot search this space. */
ty_status ty_sampler_open(ty_ctx *ctx, const ty_variant *chosen, const ty_space *space,
                          uint64_t seed, ty_sampler **out) TY_MUST_USE;

/* The choice of a sampler as JSON text, for callers without a sweep file: "\"random\"", {"type": "tpe",
 * "candidates": 48}. Strings and config live as long as *doc, which is the caller's to close. */
ty_status ty_sampler_read_json(ty_ctx *ctx, const char *json, ty_doc **doc,
                               ty_variant *out) TY_MUST_USE;

/* Both at once from JSON text: the config lives with the sampler. */
ty_status ty_sampler_open_json(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed,
                               ty_sampler **out) TY_MUST_USE;

/* The point of trial `trial`: the first that the constraints over parameters allow, of
 * TY_SAMPLER_ATTEMPTS of the sampler's, then (not of a grid) of as many drawn from the priors.
 * Errors: TY_ERR_CONFIG they refused all. */
enum { TY_SAMPLER_ATTEMPTS = 10000 };
ty_status ty_sampler_suggest(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history,
                             size_t trial, double *x) TY_MUST_USE;

/* One attempt of it, whatever the constraints say. */
ty_status ty_sampler_suggest_at(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history,
                                size_t trial, uint32_t attempt, double *x) TY_MUST_USE;

/* How many trials there are; 0: no end. */
size_t ty_sampler_total(const ty_sampler *sampler);
void ty_sampler_close(ty_sampler *sampler);

#ifdef __cplusplus
}
#endif
#endif
