/* Tree-structured Parzen estimators: how the trials of a history are split into the good ones and the
 * rest, and the estimators of both. sampler_tpe.c draws from them; tests compare them with others'. */
#ifndef TY_HPO_SAMPLERS_TPE_H
#define TY_HPO_SAMPLERS_TPE_H

#include "hpo/samplers/parzen.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_TPE_MAX_GOOD = 25 };

/* Parameters that play their parts together, always: a model of their own. */
typedef struct ty_tpe_group {
    size_t first; /* the earliest of its parameters */
    ty_parzen_axes axes;
    ty_parzen *good, *rest;
    uint8_t *plays; /* [taken]: the trial has values on all axes */
    size_t plays_capacity;
} ty_tpe_group;

typedef struct ty_tpe {
    const ty_space *space;
    bool counts_pending;  /* trials under way are among the rest: others then look elsewhere */
    ty_parzen_axis *axes; /* of all groups */
    ty_tpe_group *groups; /* by their first parameters */
    size_t group_count;
    size_t taken;     /* of the history's shown trials */
    size_t estimated; /* of those, which the estimators have seen */
    /* Indices of shown trials: all by number, and the best by merit. */
    size_t *by_number, by_number_capacity;
    size_t best[TY_TPE_MAX_GOOD], best_count;
    size_t good_count;       /* of best, which are the good ones now */
    uint8_t *is_good;        /* [taken] */
    ty_parzen_point *points; /* scratch */
    size_t points_capacity;
} ty_tpe;

/* With is_joint one group a set of conditions (parameters under equal conditions), otherwise one a
 * parameter. Parameters of one value have no group. Space outlives *tpe; clear accepts a zeroed one. */
ty_status ty_tpe_init(ty_ctx *ctx, ty_tpe *tpe, const ty_space *space, bool is_joint,
                      bool counts_pending) TY_MUST_USE;
void ty_tpe_clear(ty_tpe *tpe);

/* Brings split and estimators to this history, which is that of the last call and more.
 * The good ones are the min(ceil(n / 10), 25) best of n finished trials: complete ones by value, then
 * pruned ones by how far they came and by value, then those that violate a constraint by how much. */
ty_status ty_tpe_follow(ty_ctx *ctx, ty_tpe *tpe, const ty_history *history) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
