/* A data set: validated files, a fingerprint of their whole content, splits, and the statistics
 * fitted on train. */
#ifndef TY_DATA_DATASET_H
#define TY_DATA_DATASET_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_split { TY_SPLIT_TRAIN, TY_SPLIT_VAL, TY_SPLIT_TEST, TY_SPLIT_COUNT } ty_split;
extern const char *const ty_split_names[TY_SPLIT_COUNT]; /* "train", "val", "test" */

/* Filled by ty_data_rows; the "data" section of a config. */
typedef struct ty_data_config {
    const char *source;      /* a named set ("fashion-mnist", "synthetic") or a path: folder of IDX
                                files, CSV/TSV, HDF5 */
    const char *test_source; /* NULL: the source's own test part, or test_fraction */
    int format;              /* index into "auto", "idx", "csv", "hdf5", "synthetic" */
    double val_fraction, test_fraction; /* fixed by split_seed */
    int64_t split_seed;
    const char *target;   /* CSV: column name; NULL: the last one. HDF5: dataset name */
    const char *features; /* CSV: columns, "a,b" or all but "-a,-b". HDF5: dataset name */
    int task;             /* "auto", "classification", "regression" */
    /* "none", "standard" (per channel or column, fitted on train), "unit" (u8 / 255) */
    int normalize;
    double flip;            /* probability of a horizontal flip */
    int64_t crop_padding;   /* pixels of zero padding a random crop is taken from; 0: none */
    int64_t shuffle_window; /* samples; larger sets are shuffled by blocks, then within a window;
                               TY_AUTO */
    int64_t max_samples;    /* of each split; 0: all */
} ty_data_config;

extern const ty_rows ty_data_rows;

/* What is known of the samples once the set is open. */
typedef struct ty_data_info {
    const char *name;   /* "fashion-mnist" */
    const char *format; /* "idx" */
    int64_t count[TY_SPLIT_COUNT];
    bool x_is_u8; /* otherwise f32 */
    int x_rank;   /* without the batch: 3 for [C,H,W], 1 for [features] */
    int64_t x_dims[3];
    int64_t x_count; /* elements per sample */
    bool is_classification;
    int64_t n_outputs;              /* classes, or target columns */
    const char *const *class_names; /* n_outputs of them; NULL for regression */
    int64_t n_channels;             /* of mean and inverse_std: C, features, or 1 */
    /* Of x as stored (u8 as 0..255); identity where not normalised. */
    const float *mean, *inverse_std;
    char fingerprint[TY_SHA256_HEX]; /* of the whole content and of what the config does to it */
    const char *source;              /* absolute path or named set */
    const char *schema_json;         /* inferred types, columns, encodings */
    int64_t n_files;
    int64_t bytes;
} ty_data_info;

typedef struct ty_dataset ty_dataset;

/* Opens, validates and fingerprints. cache_folder (may be NULL) keeps digests of files by
 * dev/inode/mtime/size. *out is the caller's to close.
 * Errors: TY_ERR_DATA naming file and offset or row; TY_ERR_NOT_FOUND with what to install or write
 * instead; TY_ERR_CONFIG. */
ty_status ty_dataset_open(ty_ctx *ctx, const ty_data_config *config, const char *cache_folder,
                          ty_dataset **out) TY_MUST_USE;
void ty_dataset_close(ty_dataset *set); /* accepts NULL */

/* Borrowed, as long as the set is open. */
const ty_data_info *ty_dataset_info(const ty_dataset *set);

/* The fitted state (means, categories, class names) as JSON, kept in checkpoints; and its check
 * against one that was kept: TY_ERR_DATA where they differ. */
const char *ty_dataset_state(const ty_dataset *set);
ty_status ty_dataset_check_state(ty_ctx *ctx, const ty_dataset *set, const char *state) TY_MUST_USE;

/* One sample as stored, not augmented: x_count elements into x, class or targets into y (i32[1] or
 * f32[n_outputs]). */
ty_status ty_dataset_sample(ty_ctx *ctx, const ty_dataset *set, ty_split split, int64_t index,
                            void *x, void *y) TY_MUST_USE;

/* Adds what is known of the set for people (`tiltyard data info`): a few lines, then tables of
 * splits, classes, channels or columns; and the same as one JSON object.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_dataset_describe(ty_ctx *ctx, const ty_dataset *set, ty_text *out) TY_MUST_USE;
ty_status ty_dataset_describe_json(ty_ctx *ctx, const ty_dataset *set, ty_text *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
