/* Opening a data set: find, read, fingerprint, split, fit, check. */
#include "data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/fingerprint.h"
#include "data/place.h"
#include "data/set.h"
#include "data/stats.h"

const char *const ty_split_names[TY_SPLIT_COUNT] = {"train", "val", "test"};

/* What the config makes of the content, for the fingerprint. Augmentation is not in it: it belongs
 * to a run. */
static ty_status fingerprint(ty_ctx *ctx, const ty_data_config *config, const char *cache_folder,
                             ty_dataset *set) {
    ty_text text = {0};
    ty_text_addf(&text,
                 "{\"format\":\"%s\",\"classification\":%d,\"normalize\":%d,\"split_seed\":%lld",
                 set->reader->format, set->content.is_classification, config->normalize,
                 (long long)config->split_seed);
    ty_text_addf(&text, ",\"max_samples\":%lld,\"val\":", (long long)config->max_samples);
    ty_text_add_number(&text, config->val_fraction);
    ty_text_add(&text, ",\"test\":");
    ty_text_add_number(&text, config->test_fraction);
    ty_text_add(&text, ",\"target\":");
    ty_text_add_json(&text, config->target ? config->target : "");
    ty_text_add(&text, ",\"features\":");
    ty_text_add_json(&text, config->features ? config->features : "");
    if (!set->place.path) { /* generated: the source says all of the content */
        ty_text_add(&text, ",\"source\":");
        ty_text_add_json(&text, set->place.source);
    }
    ty_text_add(&text, "}");
    const ty_status st = text.is_short ? ty_fail_nomem(ctx, "the data's fingerprint")
                                       : ty_fingerprint(ctx, &set->content, text.data, cache_folder,
                                                        set->info.fingerprint, &set->info.bytes);
    ty_text_clear(&text);
    return st;
}

/* --- checks ----------------------------------------------------------------------------------- */

static ty_status check_augmentation(ty_ctx *ctx, const ty_data_config *config,
                                    const ty_content *content) {
    if (!(config->flip > 0) && config->crop_padding <= 0)
        return TY_OK;
    if (content->x_rank != 3)
        return ty_fail(ctx, TY_ERR_CONFIG, "data.%s is for images, but a sample has %d dimension%s",
                       config->flip > 0 ? "flip" : "crop_padding", content->x_rank,
                       content->x_rank == 1 ? "" : "s");
    if (config->crop_padding >= content->x_dims[1] || config->crop_padding >= content->x_dims[2])
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "data.crop_padding is %lld, want less than the image's %lldx%lld pixels",
                       (long long)config->crop_padding, (long long)content->x_dims[1],
                       (long long)content->x_dims[2]);
    return TY_OK;
}

static ty_status count_classes(ty_ctx *ctx, ty_dataset *set) {
    const ty_content *content = &set->content;
    for (int split = 0; split < TY_SPLIT_COUNT; split++) {
        const ty_split_map *map = &set->map[split];
        int64_t *count = ty_arena_array(&set->arena, (size_t)content->n_outputs, sizeof *count);
        if (!count)
            return ty_fail_nomem(ctx, "class counts");
        for (int64_t i = 0; i < map->count; i++)
            count[content->labels[map->part][ty_split_row(map, i)]]++;
        set->class_count[split] = count;
    }
    return TY_OK;
}

static ty_status check_balance(ty_ctx *ctx, const ty_data_config *config, const ty_dataset *set) {
    enum { LARGE_RATIO = 100, LONELY_RATIO = 10 }; /* one of a kind may be a wrong label */
    const ty_content *content = &set->content;
    const int64_t *count = set->class_count[TY_SPLIT_TRAIN];
    if (content->n_outputs < 2)
        return ty_fail(
            ctx, TY_ERR_DATA,
            "every training sample is of class \"%s\"; want at least 2 classes to tell apart",
            content->class_names[0]);
    int64_t least = 0, most = 0;
    for (int64_t k = 1; k < content->n_outputs; k++) {
        least = count[k] < count[least] ? k : least;
        most = count[k] > count[most] ? k : most;
    }
    if (count[least] == 0 && config->max_samples == 0)
        return ty_fail(
            ctx, TY_ERR_DATA,
            "class \"%s\" has no sample in the training split of %lld; remove the class or change "
            "data.val_fraction, data.test_fraction or data.split_seed",
            content->class_names[least], (long long)set->map[TY_SPLIT_TRAIN].count);
    if (count[most] / (count[least] == 1 ? LONELY_RATIO : LARGE_RATIO) >= count[least])
        ty_log(ctx, TY_LOG_WARN, "data",
               "classes are far from balanced: \"%s\" has %lld training samples, \"%s\" %lld",
               content->class_names[most], (long long)count[most], content->class_names[least],
               (long long)count[least]);
    return TY_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status fit_statistics(ty_ctx *ctx, const ty_data_config *config, ty_dataset *set) {
    ty_stats stats = {0};
    TY_TRY(ty_stats_fit(ctx, config, set->reader, &set->content, set->map, &set->arena, &stats));
    set->info.n_channels = stats.n_channels;
    set->info.mean = stats.mean;
    set->info.inverse_std = stats.inverse_std;
    return TY_OK;
}

static ty_status read_set(ty_ctx *ctx, const ty_data_config *config, const char *cache_folder,
                          ty_dataset *set) {
    TY_TRY(ty_place_find(ctx, config, &set->arena, &set->place));
    TY_TRY(ty_reader_choose(ctx, config, &set->place, &set->reader));
    set->content.arena = &set->arena;
    TY_TRY(set->reader->open(ctx, config, &set->place, &set->content));
    TY_TRY(check_augmentation(ctx, config, &set->content));
    TY_TRY(fingerprint(ctx, config, cache_folder, set));
    TY_TRY(ty_split_plan(ctx, config, set->content.count, &set->arena, set->map));
    if (set->reader->fit)
        TY_TRY(set->reader->fit(ctx, config, &set->content, &set->map[TY_SPLIT_TRAIN]));
    if (set->content.is_classification) {
        TY_TRY(count_classes(ctx, set));
        TY_TRY(check_balance(ctx, config, set));
    }
    TY_TRY(fit_statistics(ctx, config, set));
    set->flip = config->flip;
    set->crop_padding = config->crop_padding;
    set->shuffle_window = config->shuffle_window;
    set->normalize = config->normalize;
    return ty_dataset_summarise(ctx, set);
}

ty_status ty_dataset_open(ty_ctx *ctx, const ty_data_config *config, const char *cache_folder,
                          ty_dataset **out) {
    ty_dataset *set = calloc(1, sizeof *set);
    if (!set)
        return ty_fail_nomem(ctx, "a data set");
    const ty_status st = read_set(ctx, config, cache_folder, set);
    if (st != TY_OK) {
        ty_dataset_close(set);
        return st;
    }
    *out = set;
    return TY_OK;
}

void ty_dataset_close(ty_dataset *set) {
    if (!set)
        return;
    if (set->reader)
        set->reader->close(&set->content);
    ty_content_clear_targets(&set->content);
    ty_arena_clear(&set->arena);
    free(set);
}

const ty_data_info *ty_dataset_info(const ty_dataset *set) {
    return &set->info;
}

const char *ty_dataset_state(const ty_dataset *set) {
    return set->state;
}

ty_status ty_dataset_check_state(ty_ctx *ctx, const ty_dataset *set, const char *state) {
    enum { BEFORE = 24, SHOWN = 60 };
    size_t at = 0;
    while (state[at] && state[at] == set->state[at])
        at++;
    if (state[at] == set->state[at])
        return TY_OK;
    const size_t from = at > BEFORE ? at - BEFORE : 0;
    return ty_fail(ctx, TY_ERR_DATA,
                   "the data of %s is not what the checkpoint was trained on: it has ...%.*s..., "
                   "the checkpoint "
                   "...%.*s...",
                   set->info.source, SHOWN, set->state + from, SHOWN, state + from);
}

/* Samples without targets read 0. */
static void copy_target(const ty_content *content, int part, int64_t row, void *y) {
    const size_t bytes =
        content->is_classification ? sizeof(int32_t) : (size_t)content->n_outputs * sizeof(float);
    if (content->is_classification && content->labels[part])
        memcpy(y, &content->labels[part][row], bytes);
    else if (!content->is_classification && content->targets[part])
        memcpy(y, &content->targets[part][row * content->n_outputs], bytes);
    else
        memset(y, 0, bytes);
}

static ty_status check_finite(ty_ctx *ctx, const ty_dataset *set, int64_t index, const float *x) {
    for (int64_t i = 0; i < set->content.x_count; i++)
        if (!isfinite(x[i]))
            return ty_fail(ctx, TY_ERR_DATA,
                           "%s: feature %lld of sample %lld is %g, want a finite number",
                           set->info.source, (long long)i, (long long)index, (double)x[i]);
    return TY_OK;
}

ty_status ty_dataset_sample(ty_ctx *ctx, const ty_dataset *set, ty_split split, int64_t index,
                            void *x, void *y) {
    const ty_split_map *map = &set->map[split];
    const ty_content *content = &set->content;
    if (index < 0 || index >= map->count)
        return ty_fail(ctx, TY_ERR_ARG, "sample %lld of the %s split, want 0 to %lld",
                       (long long)index, ty_split_names[split], (long long)map->count - 1);
    const int64_t row = ty_split_row(map, index);
    copy_target(content, map->part, row, y);
    TY_TRY(set->reader->fetch(ctx, content, map->part, row, x));
    return set->wants_finite ? check_finite(ctx, set, index, x) : TY_OK;
}
