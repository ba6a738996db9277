/* Which rows of the files make up train, val and test. Private to data/.
 * Order inside a split is the files' order, so that neighbours stay neighbours on disk; the sampler
 * shuffles. */
#ifndef TY_DATA_SPLIT_H
#define TY_DATA_SPLIT_H

#include "data/dataset.h"

/* One split: listed rows, or all rows of a part but a few. */
typedef struct ty_split_map {
    int part; /* of the reader: TY_SPLIT_* */
    int64_t count;
    const int64_t *rows;    /* sorted, count of them; NULL: every row that is not skipped */
    const int64_t *skipped; /* sorted */
    int64_t n_skipped;
} ty_split_map;

/* The part's row that is sample `index` of the split, 0 <= index < count. O(log n_skipped). */
int64_t ty_split_row(const ty_split_map *map, int64_t index);

/* Cuts the parts into splits: a part that the files have is used as it is; one that they lack is
 * the fraction of train that config asks for, drawn by split_seed. At most max_samples of each,
 * drawn by split_seed too. Memory: 8 bytes for each row that is not in train, from arena.
 * Errors: TY_ERR_CONFIG where a fraction leaves a split without samples or competes with a part of
 * the files; TY_ERR_DATA without training samples. */
ty_status ty_split_plan(ty_ctx *ctx, const ty_data_config *config, const int64_t part_count[],
                        ty_arena *arena, ty_split_map out[]) TY_MUST_USE;

#endif
