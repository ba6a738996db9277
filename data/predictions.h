/* What a model said of samples, as a file: one row a sample, in the samples' order. CSV, JSON lines
 * or HDF5; a file appears under its name when it is whole, or not at all.
 *
 *   CSV     index, the kept columns, prediction, probability_<class>..., logit_<class>...
 *   JSONL   {"index": 0, "<kept>": "...", "prediction": ..., "probabilities": {"<class>": ...},
 *           "logits": {...}}
 *   HDF5    index i64 [N], prediction i32 [N] (a row of classes, texts [K]) or f32 [N] or [N, K],
 *           probabilities and logits f32 [N, K]
 *
 * A regression's prediction is a number in the target's units; of K > 1 targets CSV has
 * prediction_1 ... prediction_K, JSONL a list. Numbers are written so that they read back to the same
 * float. */
#ifndef TY_DATA_PREDICTIONS_H
#define TY_DATA_PREDICTIONS_H

#include "data/samples.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_predictions_format {
    TY_PREDICTIONS_CSV,
    TY_PREDICTIONS_JSONL,
    TY_PREDICTIONS_HDF5,
    TY_PREDICTIONS_FORMATS
} ty_predictions_format;

/* "csv", "jsonl", "hdf5", then NULL. */
extern const char *const ty_predictions_formats[];

/* The format of a path's ending: .csv, .jsonl or .ndjson, .h5 or .hdf5; false for others. */
bool ty_predictions_format_of(const char *path, ty_predictions_format *out);

typedef struct ty_predictions_options {
    const char *path; /* NULL: standard output, which HDF5 cannot be written to */
    ty_predictions_format format;
    const ty_dataset *samples; /* whose split is predicted; borrowed */
    ty_split split;
    bool has_probabilities, has_logits; /* classification only */
    const char *const *keep;            /* names of the samples' kept columns; not with HDF5 */
    int n_keep;
    int slots; /* blocks that are added at the same time */
} ty_predictions_options;

typedef struct ty_predictions ty_predictions;

/* Starts a file beside path. *out is the caller's to close.
 * Errors: TY_ERR_ARG options that do not go together; TY_ERR_IO; TY_ERR_NOMEM. */
ty_status ty_predictions_open(ty_ctx *ctx, const ty_predictions_options *options,
                              ty_predictions **out) TY_MUST_USE;

/* Adds rows first .. first + n - 1: outputs[n, n_outputs], logits or numbers. From any thread, of
 * different slots at the same time. */
ty_status ty_predictions_block(ty_ctx *ctx, ty_predictions *to, int slot, int64_t first, int64_t n,
                               const float *outputs) TY_MUST_USE;

/* Writes what slots 0 .. n_slots - 1 hold, in that order. Nobody adds meanwhile. */
ty_status ty_predictions_flush(ty_ctx *ctx, ty_predictions *to, int n_slots) TY_MUST_USE;

/* Whether a flush failed because nobody reads standard output any more. */
bool ty_predictions_is_unread(const ty_predictions *to);

/* After the last row: synced, and under its name. */
ty_status ty_predictions_publish(ty_ctx *ctx, ty_predictions *to) TY_MUST_USE;

/* Removes what was not published. Accepts NULL. */
void ty_predictions_close(ty_ctx *ctx, ty_predictions *to);

/* exp(x - max) / sum over n logits, computed in double. */
void ty_predictions_softmax(const float *logits, int64_t n, float *out);

#ifdef __cplusplus
}
#endif
#endif
