/* Wilcoxon's signed-rank test (Wilcoxon 1945): are paired differences more often above 0 than below? */
#ifndef TY_HPO_PRUNERS_SIGNED_RANK_H
#define TY_HPO_PRUNERS_SIGNED_RANK_H

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* *p is the probability of a sum of positive ranks as great as that of difference [n], were their
 * signs fair coins. Equal magnitudes share their mean rank; half of a zero's rank counts as positive.
 * Exact up to 50 differences where all magnitudes differ and none is 0, and up to 13 otherwise; from
 * there on by the normal law with the variance of tied ranks. That is what SciPy 1.17 does, so that
 * decisions made with it are the same.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_signed_rank_greater(ty_ctx *ctx, const double *difference, size_t n,
                                 double *p) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
