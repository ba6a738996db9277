/* Splits are drawn by a keyed permutation, so they are the same on every rank, in every run and for
 * any order of calls, and only the rows outside train have to be stored. */
#include "data/split.h"

#include <math.h>
#include <stdlib.h>

int64_t ty_split_row(const ty_split_map *map, int64_t index) {
    if (map->rows)
        return map->rows[index];
    /* skipped[k] - k samples of the split lie before skipped[k]: find how many skipped rows come
     * before ours. */
    int64_t low = 0, high = map->n_skipped;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (map->skipped[middle] - middle <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return index + low;
}

static int compare_rows(const void *a, const void *b) {
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Rows drawn [first, first + count) of the part's permutation, sorted. */
static ty_status draw_rows(ty_ctx *ctx, ty_arena *arena, ty_rng_key key, int64_t n, int64_t first,
                           int64_t count, const int64_t **out) {
    int64_t *rows = ty_arena_array(arena, (size_t)count + 1, sizeof *rows);
    if (!rows)
        return ty_fail_nomem(ctx, "the rows of a split");
    for (int64_t i = 0; i < count; i++)
        rows[i] = ty_rng_permute(key, n, first + i);
    qsort(rows, (size_t)count, sizeof *rows, compare_rows);
    *out = rows;
    return TY_OK;
}

static int64_t at_most(int64_t count, int64_t max_samples) {
    return max_samples > 0 && count > max_samples ? max_samples : count;
}

/* How many rows of train a fraction takes; none where the files have that part themselves. */
static ty_status fraction_count(ty_ctx *ctx, const char *name, double fraction, int64_t n_train,
                                int64_t n_own, int64_t *out) {
    *out = 0;
    if (n_own > 0 || !(fraction > 0))
        return TY_OK;
    *out = (int64_t)llround(fraction * (double)n_train);
    if (*out < 1)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "data.%s_fraction %g of %lld samples is not one sample; raise it or set it to 0", name,
            fraction, (long long)n_train);
    return TY_OK;
}

static ty_status own_part(ty_ctx *ctx, const ty_data_config *config, ty_rng_key key, int part,
                          int64_t n, ty_arena *arena, ty_split_map *out) {
    *out = (ty_split_map){.part = part, .count = at_most(n, config->max_samples)};
    if (out->count == n)
        return TY_OK;
    return draw_rows(ctx, arena, ty_rng_key_mix(key, (uint64_t)part), n, 0, out->count, &out->rows);
}

static ty_status check_fractions(ty_ctx *ctx, const ty_data_config *config,
                                 const int64_t part_count[]) {
    if (part_count[TY_SPLIT_TRAIN] < 1)
        return ty_fail(ctx, TY_ERR_DATA, "the data set has 0 training samples, want at least 1");
    if (part_count[TY_SPLIT_TEST] > 0 && config->test_fraction > 0)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "data.test_fraction is %g, but the source has its own test part of %lld "
                       "samples; set it to 0",
                       config->test_fraction, (long long)part_count[TY_SPLIT_TEST]);
    return TY_OK;
}

ty_status ty_split_plan(ty_ctx *ctx, const ty_data_config *config, const int64_t part_count[],
                        ty_arena *arena, ty_split_map out[]) {
    TY_TRY(check_fractions(ctx, config, part_count));
    const int64_t n = part_count[TY_SPLIT_TRAIN];
    const ty_rng_key key = ty_rng_key_of((uint64_t)config->split_seed, TY_STREAM_SPLIT);
    int64_t cut[TY_SPLIT_COUNT] = {0}, first = 0;
    TY_TRY(fraction_count(ctx, "val", config->val_fraction, n, part_count[TY_SPLIT_VAL],
                          &cut[TY_SPLIT_VAL]));
    TY_TRY(fraction_count(ctx, "test", config->test_fraction, n, part_count[TY_SPLIT_TEST],
                          &cut[TY_SPLIT_TEST]));
    const int64_t n_cut = cut[TY_SPLIT_VAL] + cut[TY_SPLIT_TEST];
    if (n_cut >= n)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "data.val_fraction %g and data.test_fraction %g take all %lld samples; leave "
            "some to train on",
            config->val_fraction, config->test_fraction, (long long)n);

    for (int split = TY_SPLIT_VAL; split <= TY_SPLIT_TEST; split++) {
        ty_split_map *map = &out[split];
        if (part_count[split] > 0) {
            TY_TRY(own_part(ctx, config, key, split, part_count[split], arena, map));
            continue;
        }
        *map = (ty_split_map){.part = TY_SPLIT_TRAIN,
                              .count = at_most(cut[split], config->max_samples)};
        TY_TRY(draw_rows(ctx, arena, key, n, first, map->count, &map->rows));
        first += cut[split];
    }
    ty_split_map *train = &out[TY_SPLIT_TRAIN];
    *train =
        (ty_split_map){.part = TY_SPLIT_TRAIN, .count = at_most(n - n_cut, config->max_samples)};
    if (train->count < n - n_cut)
        return draw_rows(ctx, arena, key, n, n_cut, train->count, &train->rows);
    train->n_skipped = n_cut;
    return draw_rows(ctx, arena, key, n, 0, n_cut, &train->skipped);
}
