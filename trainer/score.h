/* From one record per sample to the numbers of an evaluation. */
#ifndef TY_TRAINER_SCORE_H
#define TY_TRAINER_SCORE_H

#include "trainer/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the loss op says of one sample (kernels/attrs.h), and the class it should have been. */
typedef struct ty_score_row {
    float loss, a, b, c;
    int32_t truth;
} ty_score_row;

enum { TY_SCORE_MISTAKES = 24 };

/* Sums in the order of rows, in double. classes 0: a regression. The confusion matrix and the
 * mistakes are in arena.
 * Errors: TY_ERR_NOMEM; TY_ERR_DATA a class outside [0, classes). */
ty_status ty_score(ty_ctx *ctx, const ty_score_row *rows, int64_t n, int64_t classes, int64_t top_k,
                   ty_arena *arena, ty_eval_result *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
