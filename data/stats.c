/* One pass over the samples; see stats.h. */
#include "data/stats.h"

#include <math.h>
#include <stdlib.h>

/* Sums of one channel. */
typedef struct channel_sums {
    uint64_t sum, squares; /* u8: 255^2 times 2^47 elements still fits */
    double shift, shifted_sum, shifted_squares;
} channel_sums;

typedef struct layout {
    int64_t n_channels, channel_elements;
} layout;

static layout layout_of(const ty_content *content) {
    const int64_t n = content->x_dims[0]; /* C or F */
    return (layout){.n_channels = n, .channel_elements = content->x_count / n};
}

static void add_bytes(channel_sums *sums, layout at, const uint8_t *x) {
    for (int64_t c = 0; c < at.n_channels; c++, x += at.channel_elements) {
        uint64_t sum = 0, squares = 0;
        for (int64_t i = 0; i < at.channel_elements; i++) {
            sum += x[i];
            squares += (uint32_t)x[i] * x[i];
        }
        sums[c].sum += sum;
        sums[c].squares += squares;
    }
}

/* Shifted by the first sample's values: squares of 1e6 +- 1 would leave no digits for the
 * variance. */
static void add_floats(channel_sums *sums, layout at, const float *x, bool is_first) {
    for (int64_t c = 0; c < at.n_channels; c++, x += at.channel_elements) {
        if (is_first)
            sums[c].shift = (double)x[0];
        for (int64_t i = 0; i < at.channel_elements; i++) {
            const double d = (double)x[i] - sums[c].shift;
            sums[c].shifted_sum += d;
            sums[c].shifted_squares += d * d;
        }
    }
}

static ty_status check_finite(ty_ctx *ctx, const ty_content *content, int split, int64_t index,
                              const float *x) {
    for (int64_t i = 0; i < content->x_count; i++)
        if (!isfinite(x[i]))
            return ty_fail(ctx, TY_ERR_DATA,
                           "%s: feature %lld of %s sample %lld is %g, want a finite number",
                           content->n_files ? content->files[0].path : "data", (long long)i,
                           ty_split_names[split], (long long)index, (double)x[i]);
    return TY_OK;
}

typedef struct scan {
    const ty_reader *reader;
    const ty_content *content;
    channel_sums *sums; /* NULL: only check */
    void *x;            /* room for one sample */
} scan;

static ty_status scan_split(ty_ctx *ctx, const scan *of, int split, const ty_split_map *map) {
    const layout at = layout_of(of->content);
    for (int64_t i = 0; i < map->count; i++) {
        TY_TRY(of->reader->fetch(ctx, of->content, map->part, ty_split_row(map, i), of->x));
        if (of->content->x_is_u8) {
            add_bytes(of->sums, at, of->x);
            continue;
        }
        TY_TRY(check_finite(ctx, of->content, split, i, of->x));
        if (of->sums)
            add_floats(of->sums, at, of->x, i == 0);
    }
    return TY_OK;
}

static void finish(const ty_content *content, const channel_sums *sums, double n, float *mean,
                   float *inverse_std) {
    double m, variance;
    if (content->x_is_u8) {
        m = (double)sums->sum / n;
        variance = (double)sums->squares / n - m * m;
    } else {
        const double shifted = sums->shifted_sum / n;
        m = sums->shift + shifted;
        variance = sums->shifted_squares / n - shifted * shifted;
    }
    *mean = (float)m;
    /* Rounding leaves about 1e-16 of the squares' mean where nothing varies. */
    const double noise = 1e-14 * (content->x_is_u8 ? m * m : sums->shifted_squares / n);
    *inverse_std = variance > noise ? (float)(1.0 / sqrt(variance)) : 1.0f;
}

static ty_status alloc_stats(ty_ctx *ctx, ty_arena *arena, int64_t n_channels, float mean,
                             float inverse_std, ty_stats *out) {
    out->n_channels = n_channels;
    out->mean = ty_arena_array(arena, (size_t)n_channels, sizeof(float));
    out->inverse_std = ty_arena_array(arena, (size_t)n_channels, sizeof(float));
    if (!out->mean || !out->inverse_std)
        return ty_fail_nomem(ctx, "the channels' statistics");
    for (int64_t c = 0; c < n_channels; c++) {
        out->mean[c] = mean;
        out->inverse_std[c] = inverse_std;
    }
    return TY_OK;
}

static ty_status fit(ty_ctx *ctx, const scan *of, const ty_split_map maps[], ty_arena *arena,
                     ty_stats *out) {
    const layout at = layout_of(of->content);
    if (of->sums)
        TY_TRY(alloc_stats(ctx, arena, at.n_channels, 0, 1, out));
    TY_TRY(scan_split(ctx, of, TY_SPLIT_TRAIN, &maps[TY_SPLIT_TRAIN]));
    const double n = (double)maps[TY_SPLIT_TRAIN].count * (double)at.channel_elements;
    for (int64_t c = 0; of->sums && c < at.n_channels; c++)
        finish(of->content, &of->sums[c], n, &out->mean[c], &out->inverse_std[c]);
    if (of->content->x_is_u8)
        return TY_OK;
    scan check = *of;
    check.sums = NULL;
    TY_TRY(scan_split(ctx, &check, TY_SPLIT_VAL, &maps[TY_SPLIT_VAL]));
    return scan_split(ctx, &check, TY_SPLIT_TEST, &maps[TY_SPLIT_TEST]);
}

ty_status ty_stats_fit(ty_ctx *ctx, const ty_data_config *config, const ty_reader *reader,
                       const ty_content *content, const ty_split_map maps[], ty_arena *arena,
                       ty_stats *out) {
    const bool is_standard = config->normalize == TY_NORMALIZE_STANDARD && !content->is_encoded;
    const bool is_unit = config->normalize == TY_NORMALIZE_UNIT;
    if (is_unit && !content->x_is_u8)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "data.normalize is \"unit\", which divides bytes by 255, but the features are floats; "
            "want \"standard\" or \"none\"");
    TY_TRY(alloc_stats(ctx, arena, 1, 0, is_unit ? 1.0f / 255.0f : 1.0f, out));
    if (content->x_is_u8 && !is_standard)
        return TY_OK;
    scan of = {.reader = reader, .content = content};
    ty_status st = TY_OK;
    if (is_standard && !(of.sums = calloc((size_t)content->x_dims[0], sizeof *of.sums)))
        return ty_fail_nomem(ctx, "the channels' statistics");
    of.x = malloc((size_t)content->x_count * sizeof(float));
    st = of.x ? fit(ctx, &of, maps, arena, out) : ty_fail_nomem(ctx, "a sample");
    free(of.x);
    free(of.sums);
    return st;
}
