/* What tests of samplers share: spaces of every kind by number, histories, and what must hold for every
 * sampler. */
#ifndef TY_TESTS_HPO_SAMPLER_CASES_H
#define TY_TESTS_HPO_SAMPLER_CASES_H

#include "hpo/hpo.h"

typedef struct case_space {
    ty_arena arena;
    ty_space space;
} case_space;

/* Space `seed`: 1 to 7 parameters of every prior, lattices, choices with and without probabilities,
 * conditions on earlier choices; where has_constraint, a constraint that refuses about half. */
void case_space_open(ty_ctx *ctx, case_space *s, uint64_t seed, bool has_constraint);
/* dims floats in [0, 1]. */
void case_cube_open(ty_ctx *ctx, case_space *s, size_t dims);
void case_space_close(case_space *s);

/* Fails the test unless x is settled, legal and allowed. */
void case_expect_legal(const ty_space *space, const double *x);

/* A value of x without libm, so that it has the same bits everywhere. */
double case_value(const ty_space *space, const double *x);

/* Fails the test unless the same bits. */
void case_expect_same(const ty_space *space, const double *a, const double *b, const char *what);

/* Shows trial `number` at x; every 5th was pruned (every 10th without a report), every 7th violates a
 * constraint, where `mixes`. */
void case_show(ty_ctx *ctx, ty_history *history, size_t number, const double *x, bool mixes);

ty_sampler *case_open(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed);
void case_suggest(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history, size_t trial,
                  double *x);

/* Runs n trials with `window` of them under way at a time; each point must be legal and the same from a
 * sampler that was just opened. Returns a digest of all points. */
uint64_t case_run(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed, size_t n,
                  size_t window);

#endif
