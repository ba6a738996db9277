/* Which sample comes when, and the thread that fetches it ahead of time.
 *
 * The order of training samples is a pure function: position p (samples consumed since the start of
 * training) is sample permute(seed, epoch = p / N, p % N). So a sampler's whole state is one
 * integer, any rank can compute any part, and nothing depends on how many ranks there are. Sets
 * larger than the window are permuted by blocks, then within windows of blocks, by the same
 * rule. */
#ifndef TY_DATA_LOADER_H
#define TY_DATA_LOADER_H

#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_sampler {
    uint64_t seed;
    int64_t n;      /* samples in the split */
    int64_t block;  /* samples per block; n where everything fits the window */
    int64_t window; /* samples per window, a multiple of block */
} ty_sampler;

/* The sample at index (0 <= index < n) of an epoch. O(1). */
int64_t ty_sampler_at(const ty_sampler *sampler, int64_t epoch, int64_t index);

/* The sampler of a split, with blocks of about 4 MiB of features and the window of the set's
 * config. */
void ty_sampler_init(ty_sampler *sampler, const ty_dataset *set, ty_split split, uint64_t seed);

typedef struct ty_batch {
    /* Always the loader's; the last ones of an evaluation are padding with weight 0. */
    int64_t rows;
    const void *x;         /* [rows, x_dims...] u8 or f32, host memory */
    const void *y;         /* i32 [rows] or f32 [rows, n_outputs] */
    const float *weight;   /* [rows] */
    const int64_t *sample; /* [rows] global sample ids; -1 for padding */
    int64_t position;      /* of row 0 */
} ty_batch;

typedef struct ty_loader_options {
    const ty_dataset *set;
    ty_split split;
    bool is_training; /* shuffled, augmented, endless; otherwise in order, once, padded */
    uint64_t seed;
    int64_t rows;           /* of this rank per batch */
    int64_t rows_all_ranks; /* how far the position moves per batch */
    int64_t first_row;      /* of this rank in the global batch */
    int64_t start_position; /* multiple of rows_all_ranks */
    int depth;              /* batches fetched ahead; at least 2 */
} ty_loader_options;

typedef struct ty_loader ty_loader;

/* Starts the prefetch thread. *out is the caller's to close before the data set. */
ty_status ty_loader_open(ty_ctx *ctx, const ty_loader_options *options,
                         ty_loader **out) TY_MUST_USE;

/* The next batch, valid until the next call. In evaluation *has_batch turns false when every
 * position of ALL ranks has been handed out, so that all ranks see the same number of batches.
 * wait_ns (may be NULL) receives the time spent waiting. */
ty_status ty_loader_next(ty_ctx *ctx, ty_loader *loader, ty_batch *out, bool *has_batch,
                         int64_t *wait_ns) TY_MUST_USE;
void ty_loader_close(ty_loader *loader); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
