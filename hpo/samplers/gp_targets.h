/* What a Gaussian process is told of shown trials. Private to hpo. */
#ifndef TY_HPO_SAMPLERS_GP_TARGETS_H
#define TY_HPO_SAMPLERS_GP_TARGETS_H

#include "hpo/space/history.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A power of 2 by which values up to `most` are multiplied before they are squared, so that neither squares
 * nor their sums leave a double's range: 1, and thus nothing changed, up to 2^500. */
double ty_gp_scale(double most);

/* y [n] of the trials rows [n], whole ones as they ended, stopped ones as ty_gp_outlooks has it: beyond
 * the median compressed, then mean 0, deviation 1 (all 0 where they are alike). Infinite values count as
 * the largest finite one. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_targets(ty_ctx *ctx, const ty_history *history, const size_t *rows, size_t n,
                        double *y) TY_MUST_USE;

/* Sets y of the stopped trials among rows [n] to what they would have come to, and marks them in
 * is_known [n]. Given: is_known and y [n] of the whole trials. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_outlooks(ty_ctx *ctx, const ty_history *history, const size_t *rows, size_t n,
                         bool *is_known, double *y) TY_MUST_USE;

/* Of the first `count` trials: half of `most` the best, the rest the newest of the others; ascending.
 * most <= count. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_best_and_newest(ty_ctx *ctx, const ty_history *history, size_t count, size_t most,
                                size_t *rows) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
