/* Plays a sampler against spaces made by chance, for the tests of samplers: every suggestion has to be
 * legal, and a sampler that was just opened has to suggest the same bits as one that was there all
 * along. */
#ifndef TY_TESTS_HPO_SAMPLER_PLAY_H
#define TY_TESTS_HPO_SAMPLER_PLAY_H

#include "hpo/hpo.h"

enum { PLAY_MAX_DIMS = 8 };

typedef struct play_space {
    ty_param params[PLAY_MAX_DIMS];
    ty_space space;
    json_t *choices;
    double one;
    ty_clause clause;
} play_space;

typedef enum play_kind {
    PLAY_ANY,     /* all that a space may have, conditions included */
    PLAY_NUMBERS, /* uniform numbers alone */
    PLAY_CHOICES  /* categoricals alone */
} play_kind;

void play_space_open(ty_ctx *ctx, play_space *p, play_kind kind, size_t dims, uint64_t seed);
void play_space_close(play_space *p);

/* What the trials of a game come to. */
typedef enum play_values {
    PLAY_SMOOTH,     /* a bowl with a slope; some trials are pruned, infeasible or failed */
    PLAY_ALIKE,      /* all the same */
    PLAY_INFEASIBLE, /* none feasible */
    PLAY_PRUNED,     /* all pruned, some without a value */
    PLAY_WILD        /* infinite ones and ones of 1e300 among them */
} play_values;

typedef struct play_game {
    const char *sampler; /* JSON */
    uint64_t seed;
    size_t trials, workers; /* so many trials are under way at a time */
    play_values values;
    size_t compare_every; /* with a fresh sampler before each such suggestion; 0: never */
    bool repeats;         /* every third trial is enqueued: the point of the first one again */
} play_game;

/* Plays it, fails the test where something is wrong, and returns a hash of all suggestions. */
uint64_t play(ty_ctx *ctx, const play_space *p, const play_game *game);

#endif
