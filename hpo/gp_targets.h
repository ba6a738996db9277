/* What a Gaussian process is told of shown trials. Private to hpo. */
#ifndef TY_HPO_GP_TARGETS_H
#define TY_HPO_GP_TARGETS_H

#include "hpo/history.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y [n] of the trials rows [n]: beyond the median compressed, then mean 0, deviation 1 (all 0 where they
 * are alike). Infinite values count as the largest finite one. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_targets(ty_ctx *ctx, const ty_history *history, const size_t *rows, size_t n,
                        double *y) TY_MUST_USE;

/* Of the first `count` trials: half of `most` the best, the rest the newest of the others; ascending.
 * most <= count. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_best_and_newest(ty_ctx *ctx, const ty_history *history, size_t count, size_t most,
                                size_t *rows) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
