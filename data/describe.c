/* What is known of a data set, as JSON for machines and as tables for people. */
#include <math.h>
#include <string.h>

#include "data/set.h"

/* Adds "key":[a,b,...]. */
static void add_ints(ty_text *out, const char *key, const int64_t *v, int64_t n) {
    ty_text_addf(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++)
        ty_text_addf(out, "%s%lld", i ? "," : "", (long long)v[i]);
    ty_text_add(out, "]");
}

static void add_floats(ty_text *out, const char *key, const float *v, int64_t n) {
    ty_text_addf(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_number(out, (double)v[i]);
    }
    ty_text_add(out, "]");
}

static void add_strings(ty_text *out, const char *key, const char *const *v, int64_t n) {
    ty_text_addf(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_json(out, v[i]);
    }
    ty_text_add(out, "]");
}

/* Members that say what a sample is. */
static void add_schema(const ty_dataset *set, ty_text *out) {
    const ty_content *content = &set->content;
    ty_text_addf(out, "\"format\":\"%s\",\"x\":{\"dtype\":\"%s\"", set->reader->format,
                 content->x_is_u8 ? "uint8" : "float32");
    add_ints(out, "shape", content->x_dims, content->x_rank);
    ty_text_addf(out, "},\"y\":{\"task\":\"%s\",\"outputs\":%lld",
                 content->is_classification ? "classification" : "regression",
                 (long long)content->n_outputs);
    if (content->is_classification)
        add_strings(out, "classes", content->class_names, content->n_outputs);
    ty_text_add(out, "}");
    if (set->reader->add_state)
        set->reader->add_state(content, out);
}

static void add_state(const ty_dataset *set, ty_text *out) {
    ty_text_add(out, "{\"version\":1,");
    add_schema(set, out);
    add_floats(out, "mean", set->info.mean, set->info.n_channels);
    add_floats(out, "inverse_std", set->info.inverse_std, set->info.n_channels);
    ty_text_add(out, "}");
}

static ty_status keep_text(ty_ctx *ctx, ty_dataset *set, ty_text *text, const char **out) {
    *out = text->is_short ? NULL : ty_arena_string(&set->arena, ty_text_string(text));
    ty_text_clear(text);
    return *out ? TY_OK : ty_fail_nomem(ctx, "the data's description");
}

ty_status ty_dataset_summarise(ty_ctx *ctx, ty_dataset *set) {
    const ty_content *content = &set->content;
    ty_data_info *info = &set->info;
    info->name = set->place.name;
    info->format = set->reader->format;
    info->source = set->place.source;
    info->x_is_u8 = content->x_is_u8;
    info->x_rank = content->x_rank;
    memcpy(info->x_dims, content->x_dims, sizeof info->x_dims);
    info->x_count = content->x_count;
    info->is_classification = content->is_classification;
    info->n_outputs = content->n_outputs;
    info->class_names = content->class_names;
    info->n_files = content->n_files;
    for (int split = 0; split < TY_SPLIT_COUNT; split++)
        info->count[split] = set->map[split].count;
    ty_text schema = {0}, state = {0};
    ty_text_add(&schema, "{");
    add_schema(set, &schema);
    ty_text_add(&schema, "}");
    add_state(set, &state);
    ty_status st = keep_text(ctx, set, &schema, &info->schema_json);
    const ty_status second = keep_text(ctx, set, &state, &set->state);
    return st == TY_OK ? second : st;
}

/* --- for people ------------------------------------------------------------------------------- */

enum { MOST_LINES = 40 };

static void add_shape(ty_text *out, const ty_data_info *info) {
    ty_text_addf(out, "%s [", info->x_is_u8 ? "u8" : "f32");
    for (int d = 0; d < info->x_rank; d++)
        ty_text_addf(out, "%s%lld", d ? "," : "", (long long)info->x_dims[d]);
    ty_text_add(out, "]");
}

/* Width on the screen, good enough: code points. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void add_padded(ty_text *out, const char *text, int width) {
    ty_text_addf(out, "%s%*s", text, width > width_of(text) ? width - width_of(text) : 0, "");
}

static void add_head(const ty_dataset *set, ty_text *out) {
    const ty_data_info *info = &set->info;
    ty_text_addf(out, "%s\n\n", info->name);
    ty_text_addf(out, "  source       %s\n", info->source);
    ty_text_addf(out, "  format       %s, %lld file%s, %.1f MB\n", info->format,
                 (long long)info->n_files, info->n_files == 1 ? "" : "s",
                 (double)info->bytes / 1e6);
    ty_text_add(out, "  sample       ");
    add_shape(out, info);
    if (info->is_classification)
        ty_text_addf(out, "\n  task         classification, %lld classes\n",
                     (long long)info->n_outputs);
    else
        ty_text_addf(out, "\n  task         regression, %lld target%s\n",
                     (long long)info->n_outputs, info->n_outputs == 1 ? "" : "s");
    ty_text_addf(out, "  fingerprint  %s\n\n", info->fingerprint);
    for (int i = 0; i < set->content.n_files; i++)
        ty_text_addf(out, "  %s\n", set->content.files[i].path);
}

static void add_classes(const ty_dataset *set, ty_text *out) {
    const ty_data_info *info = &set->info;
    const int64_t shown = !info->is_classification       ? 0
                          : info->n_outputs < MOST_LINES ? info->n_outputs
                                                         : MOST_LINES;
    int width = 7;
    for (int64_t k = 0; k < shown; k++)
        width = width_of(info->class_names[k]) > width ? width_of(info->class_names[k]) : width;
    ty_text_add(out, "\n  ");
    add_padded(out, shown ? "class" : "", width);
    ty_text_addf(out, "  %10s  %10s  %10s\n", ty_split_names[0], ty_split_names[1],
                 ty_split_names[2]);
    for (int64_t k = 0; k < shown; k++) {
        ty_text_add(out, "  ");
        add_padded(out, info->class_names[k], width);
        for (int split = 0; split < TY_SPLIT_COUNT; split++)
            ty_text_addf(out, "  %10lld", (long long)set->class_count[split][k]);
        ty_text_add(out, "\n");
    }
    if (info->is_classification && shown < info->n_outputs)
        ty_text_addf(out, "  ... and %lld more\n", (long long)(info->n_outputs - shown));
    ty_text_add(out, "  ");
    add_padded(out, "samples", width);
    for (int split = 0; split < TY_SPLIT_COUNT; split++)
        ty_text_addf(out, "  %10lld", (long long)info->count[split]);
    ty_text_add(out, "\n");
}

static void add_channels(const ty_dataset *set, ty_text *out) {
    const ty_data_info *info = &set->info;
    if (set->content.is_encoded || set->normalize == TY_NORMALIZE_NONE)
        return;
    const int64_t shown = info->n_channels < MOST_LINES ? info->n_channels : MOST_LINES;
    ty_text_add(out, "\n  channel          mean           std\n");
    for (int64_t c = 0; c < shown; c++)
        ty_text_addf(out, "  %7lld  %12.6g  %12.6g\n", (long long)c, (double)info->mean[c],
                     1.0 / (double)info->inverse_std[c]);
    if (shown < info->n_channels)
        ty_text_addf(out, "  ... and %lld more\n", (long long)(info->n_channels - shown));
}

ty_status ty_dataset_describe(ty_ctx *ctx, const ty_dataset *set, ty_text *out) {
    add_head(set, out);
    add_classes(set, out);
    add_channels(set, out);
    if (set->reader->describe)
        set->reader->describe(&set->content, out);
    return out->is_short ? ty_fail_nomem(ctx, "the data's description") : TY_OK;
}

/* --- for machines ----------------------------------------------------------------------------- */

static void add_splits(const ty_dataset *set, ty_text *out) {
    ty_text_add(out, "\"splits\":{");
    for (int split = 0; split < TY_SPLIT_COUNT; split++) {
        ty_text_addf(out, "%s\"%s\":{\"samples\":%lld", split ? "," : "", ty_split_names[split],
                     (long long)set->map[split].count);
        if (set->class_count[split])
            add_ints(out, "per_class", set->class_count[split], set->info.n_outputs);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "}");
}

ty_status ty_dataset_describe_json(ty_ctx *ctx, const ty_dataset *set, ty_text *out) {
    const ty_data_info *info = &set->info;
    ty_text_add(out, "{\"name\":");
    ty_text_add_json(out, info->name);
    ty_text_add(out, ",\"source\":");
    ty_text_add_json(out, info->source);
    ty_text_addf(out, ",\"fingerprint\":\"%s\",\"bytes\":%lld,\"files\":[", info->fingerprint,
                 (long long)info->bytes);
    for (int i = 0; i < set->content.n_files; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_json(out, set->content.files[i].path);
    }
    ty_text_add(out, "],");
    add_splits(set, out);
    ty_text_addf(out, ",\"fitted\":%s}", set->state);
    return out->is_short ? ty_fail_nomem(ctx, "the data's description") : TY_OK;
}
