/* Where a Gaussian process looks for its next point: the highest log expected improvement over a space
 * of numbers, lattices, choices and conditions. Private to hpo/gp_*.c and sampler_gp.c. */
#ifndef TY_HPO_SAMPLERS_GP_SEARCH_H
#define TY_HPO_SAMPLERS_GP_SEARCH_H

#include "hpo/samplers/gp.h"
#include "hpo/samplers/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The process's dimensions: parameters that can take more than one value, numbers first. */
typedef struct ty_gp_columns {
    const ty_space *space;
    size_t n_numbers, dims;
    size_t param[TY_SPACE_MAX_PARAMS];
} ty_gp_columns;

void ty_gp_columns_init(ty_gp_columns *columns, const ty_space *space);

/* The process's point [dims] of settled x [space->count]: numbers in [0, 1] of their flat scale; what
 * plays no part is 0.5, or choice -1. */
void ty_gp_encode(const ty_gp_columns *columns, const double *x, double *point);

typedef struct ty_gp_search {
    const ty_gp_columns *columns;
    const ty_gp_acquisition *acquisition;
    const ty_history *history; /* what was tried or is under way is not proposed again */
    const double *best_x;      /* [space->count] settled: the best point so far; NULL: none */
    size_t candidates;
    ty_draws draws;
} ty_gp_search;

/* x [space->count]: settled, allowed and new; *found false where the search met no such point.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_gp_search_run(ty_ctx *ctx, ty_gp_search *search, double *x, bool *found) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
