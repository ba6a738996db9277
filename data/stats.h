/* Mean and spread of the features, fitted on the training split. Private to data/. */
#ifndef TY_DATA_STATS_H
#define TY_DATA_STATS_H

#include "data/reader.h"

typedef struct ty_stats {
    int64_t n_channels;        /* C of [C,H,W], features of [F], 1 where nothing is normalised */
    float *mean, *inverse_std; /* in the arena that was passed */
} ty_stats;

/* Sums are exact integers for u8, and double with a shift for f32, always in the order of the
 * split's samples. A channel that never varies gets inverse_std 1, and so becomes 0. Every f32
 * feature of every split is checked to be finite.
 * Errors: TY_ERR_DATA naming split, sample and element; TY_ERR_CONFIG "unit" for other than
 * bytes. */
ty_status ty_stats_fit(ty_ctx *ctx, const ty_data_config *config, const ty_reader *reader,
                       const ty_content *content, const ty_split_map maps[], ty_arena *arena,
                       ty_stats *out) TY_MUST_USE;

#endif
