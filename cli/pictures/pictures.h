/* Pictures of an evaluation: what is taken for what, and the samples that are judged worst. */
#ifndef TY_CLI_PICTURES_PICTURES_H
#define TY_CLI_PICTURES_PICTURES_H

#include "cli/pictures/canvas.h"
#include "trainer/trainer.h"

/* Whether there is such a picture: of a classification with 2 to 200 classes; of mistakes of images. */
bool picture_has_confusion(const ty_eval_result *eval);
bool picture_has_mistakes(const ty_data_info *info, const ty_eval_result *eval);

/* The matrix, truth by rows: shares of a row by color, counts where there is room, recall at the
 * right. title: "val, step 211".
 * Owns: *out is the caller's to clear. Errors: TY_ERR_NOMEM. */
ty_status picture_confusion(ty_ctx *ctx, const ty_data_info *info, const ty_eval_result *eval,
                            const char *title, canvas *out) TY_MUST_USE;

/* Samples from all over the split, at most 24, with their classes where they have one.
 * Owns: *out is the caller's to clear. Errors: as ty_dataset_sample; TY_ERR_NOMEM. */
ty_status picture_samples(ty_ctx *ctx, const ty_dataset *data, ty_split split, const char *title,
                          canvas *out) TY_MUST_USE;

/* The worst mistakes, at most 24, with truth and prediction below each.
 * Owns: *out is the caller's to clear. Errors: as ty_dataset_sample; TY_ERR_NOMEM. */
ty_status picture_mistakes(ty_ctx *ctx, const ty_dataset *data, ty_split split,
                           const ty_eval_result *eval, const char *title, canvas *out) TY_MUST_USE;

/* Both in one, the matrix above; of what is no image the matrix alone. Where picture_has_confusion.
 * Owns: *out is the caller's to clear. Errors: as ty_dataset_sample; TY_ERR_NOMEM. */
ty_status picture_eval(ty_ctx *ctx, const ty_dataset *data, ty_split split,
                       const ty_eval_result *eval, const char *title, canvas *out) TY_MUST_USE;

#endif
