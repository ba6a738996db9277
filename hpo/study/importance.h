/* What of a sweep mattered: the importance of each parameter for being among the best trials. */
#ifndef TY_HPO_STUDY_IMPORTANCE_H
#define TY_HPO_STUDY_IMPORTANCE_H

#include "hpo/study/study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* PED-ANOVA (Watanabe, Bansal, Hutter: PED-ANOVA, IJCAI 2023; parameters that play no part in some
 * trials as in conditional PED-ANOVA, arXiv 2601.20800): the Pearson divergence between a parameter's
 * density among the best tenth of the complete trials and its density among all of them, on a grid
 * of at most 50 values, weighted by how often it played a part. Constants are Optuna 5's defaults.
 * Shapes: out is [space->count]; >= 0, and comparable to each other alone. 0 for a parameter with one
 *         value, or where too little is known; all 0 with fewer than two complete trials.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_importance(ty_ctx *ctx, const ty_study *study, const ty_space *space, bool maximize,
                        double *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
