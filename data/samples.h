/* Unlabelled files, encoded the way a training encoded its own: shape, columns, dictionaries and
 * statistics are those of the state that its checkpoints keep. Nothing is fitted anew. */
#ifndef TY_DATA_SAMPLES_H
#define TY_DATA_SAMPLES_H

#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A data set without samples from a kept ty_dataset_state: its info is what a model needs to know of
 * its samples. *out is the caller's to close.
 * Errors: TY_ERR_INTEGRITY a state that no data set has written. */
ty_status ty_dataset_restore(ty_ctx *ctx, const char *state, ty_dataset **out) TY_MUST_USE;

enum { TY_SAMPLES_MAX_KEPT = 16 };

typedef struct ty_samples_options {
    const char *path;     /* an IDX, HDF5, CSV or TSV file; "-": a CSV on standard input */
    const char *features; /* HDF5: name of the data set; NULL: the usual ones */
    bool target_is_last;  /* CSV without a header: one cell more than the features is the target */
    bool allows_unknown;  /* a category that training had not seen counts as a missing one */
    const char *const *keep; /* CSV: columns whose texts are kept, by name or number */
    int n_keep;
} ty_samples_options;

/* Opens one file as the test split of *out, in the file's order; targets, if it has any, are left
 * where they are, and read as 0.
 *   CSV    a header that has names of the training's columns finds them by name, whatever else is
 *          there; without one the cells are the features in training's order, with or without its
 *          target where training had none either or it was last
 *   HDF5   features as in training, in the root or in a group test or train
 *   IDX    one file of images
 * Owns:   *out is the caller's to close, before `fitted`, whose names it borrows.
 * Errors: TY_ERR_DATA naming file and place: another shape, a missing column, an unknown category;
 *         TY_ERR_NOT_FOUND; TY_ERR_ARG a column to keep that is not there; TY_ERR_NOMEM. */
ty_status ty_samples_open(ty_ctx *ctx, const ty_dataset *fitted, const ty_samples_options *options,
                          ty_dataset **out) TY_MUST_USE;

/* The text of a kept column (0 .. n_keep) in sample `index`. Borrowed, as long as the set is open. */
const char *ty_samples_kept(const ty_dataset *set, int64_t index, int column);

#ifdef __cplusplus
}
#endif
#endif
