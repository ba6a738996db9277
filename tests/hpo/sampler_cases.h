/* What tests of samplers share: spaces of every kind by number, histories, and games in which every
 * suggestion is checked. */
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
/* dims choices, three each. */
void case_choices_open(ty_ctx *ctx, case_space *s, size_t dims);
/* A whole number of 1 to 4, a number that plays a part where that is 1 or 2, and one where it is 2. */
void case_chain_open(ty_ctx *ctx, case_space *s);
/* A lattice of few tenths and one of many: their sums of steps are beside their ends and values. */
void case_tenths_open(ty_ctx *ctx, case_space *s);
void case_space_close(case_space *s);

/* Fails the test unless x is settled, legal and allowed. */
void case_expect_legal(const ty_space *space, const double *x);

/* A value of x without libm, so that it has the same bits everywhere. */
double case_value(const ty_space *space, const double *x);

/* Fails the test unless the same bits. */
void case_expect_same(const ty_space *space, const double *a, const double *b, const char *what);

/* What trials come to. */
typedef enum case_values {
    CASE_PLAIN, /* case_value, all complete */
    CASE_MIXED, /* every 5th was pruned (every 10th without a report), every 7th is infeasible */
    CASE_ALIKE, /* all the same, complete */
    CASE_INFEASIBLE, /* mixed, none feasible */
    CASE_PRUNED,     /* mixed, all pruned, half without a report */
    CASE_WILD        /* mixed, infinite ones and ones of 1e300 among them */
} case_values;

/* Shows trial `number` at x. */
void case_show(ty_ctx *ctx, ty_history *history, size_t number, const double *x,
               case_values values);

ty_sampler *case_open(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed);
void case_suggest(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history, size_t trial,
                  double *x);

typedef struct case_game {
    const char *sampler; /* JSON */
    uint64_t seed;
    size_t trials, window; /* so many are under way at a time; not always the oldest ends first */
    case_values values;    /* MIXED: every 11th fails, too */
    size_t compare_every;  /* with a sampler that was just opened, so many trials; 0: never */
    bool repeats;          /* every third trial is enqueued: the point of the first one again */
} case_game;

/* Plays it: each suggestion must be legal, and the same from a sampler that was just opened. Returns a
 * digest of all suggestions. */
uint64_t case_play(ty_ctx *ctx, const ty_space *space, const case_game *game);
/* The same on space `number` of case_space_open. */
uint64_t case_play_space(uint64_t number, bool has_constraint, const case_game *game);

#endif
