/* Generated data that a model can learn: "synthetic", "synthetic:NxFxK" (N training samples of F
 * features in K classes) or "synthetic:NxCxHxWxK" (u8 images). A sample is its class's fixed
 * pattern plus noise, both from Philox, so it is the same everywhere; a quarter as many samples
 * again make the test part. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/reader.h"

enum { MAX_NUMBERS = 5, SEED = 1 };

typedef struct synthetic {
    int64_t n, classes;
    void *x[TY_SPLIT_COUNT];
} synthetic;

static bool synthetic_accepts(const char *path, bool is_folder, const char *head,
                              size_t head_bytes) {
    (void)path, (void)is_folder, (void)head, (void)head_bytes;
    return false; /* it lies on no disk */
}

/* Numbers joined by "x"; how many, or -1 where the text is something else. */
static int parse_numbers(const char *text, int64_t out[MAX_NUMBERS]) {
    enum { LARGEST = 1 << 30 };
    for (int n = 0; n < MAX_NUMBERS; n++) {
        char *end = NULL;
        errno = 0;
        const long long value = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;
        if (value < 1 || value > LARGEST || errno != 0)
            return -1;
        out[n] = value;
        if (*end == '\0')
            return n + 1;
        if (*end != 'x')
            return -1;
        text = end + 1;
    }
    return -1;
}

static ty_status set_size(ty_ctx *ctx, const char *source, ty_content *content) {
    const char *colon = strchr(source, ':');
    int64_t v[MAX_NUMBERS] = {0};
    const int n = parse_numbers(colon ? colon + 1 : "512x1x8x8x4", v);
    synthetic *set = content->self;
    if (n != 3 && n != 5)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "data.source \"%s\": want synthetic:NxFxK or synthetic:NxCxHxWxK, e.g. "
                       "synthetic:512x1x8x8x4",
                       source);
    set->n = v[0];
    set->classes = v[n - 1];
    if (set->classes < 2 || set->n < set->classes)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "data.source \"%s\": %lld sample%s, %lld class%s: want at least 2 classes and a "
            "sample of each",
            source, (long long)set->n, set->n == 1 ? "" : "s", (long long)set->classes,
            set->classes == 1 ? "" : "es");
    content->x_rank = n - 2;
    content->x_is_u8 = n == 5;
    content->x_count = 1;
    for (int d = 0; d < content->x_rank; d++) {
        content->x_dims[d] = v[1 + d];
        if (!ty_mul_i64(content->x_count, v[1 + d], &content->x_count))
            return ty_fail(ctx, TY_ERR_CONFIG, "data.source \"%s\": the sample's size overflows",
                           source);
    }
    return TY_OK;
}

/* Four standard normal numbers. */
static void draw_normals(ty_rng_key key, uint64_t a, uint64_t b, float out[4]) {
    const ty_rng_block block = ty_rng_draw(key, a, b);
    ty_rng_normal2(block.v[0], block.v[1], out);
    ty_rng_normal2(block.v[2], block.v[3], out + 2);
}

static void store(const ty_content *content, void *x, int64_t at, float value) {
    if (!content->x_is_u8) {
        ((float *)x)[at] = value;
        return;
    }
    const float grey = 128.0f + 40.0f * value;
    ((uint8_t *)x)[at] = (uint8_t)(grey < 0.0f ? 0.0f : grey > 255.0f ? 255.0f : grey);
}

/* Sample `id` of class `label`: pattern + noise of the same size, a few elements of which tell the
 * classes apart. */
static void generate(const ty_content *content, int64_t id, int32_t label, void *x, int64_t at) {
    const ty_rng_key key = ty_rng_key_of(SEED, TY_STREAM_SYNTHETIC);
    const ty_rng_key patterns = ty_rng_key_mix(key, 1), noise = ty_rng_key_mix(key, 2);
    for (int64_t e = 0; e < content->x_count; e += 4) {
        float mean[4], deviation[4];
        draw_normals(patterns, (uint64_t)label, (uint64_t)e / 4, mean);
        draw_normals(noise, (uint64_t)id, (uint64_t)e / 4, deviation);
        for (int64_t i = 0; i < 4 && e + i < content->x_count; i++)
            store(content, x, at + e + i, mean[i] + deviation[i]);
    }
}

static ty_status fill_part(ty_ctx *ctx, ty_content *content, int part, int64_t first_id,
                           int64_t n) {
    synthetic *set = content->self;
    void *labels = NULL;
    int64_t elements = 0;
    if (!ty_mul_i64(n, content->x_count, &elements))
        return ty_fail(ctx, TY_ERR_CONFIG, "synthetic data: the size overflows");
    TY_TRY(ty_content_alloc(ctx, "synthetic data", elements, content->x_is_u8 ? 1 : sizeof(float),
                            &set->x[part]));
    TY_TRY(ty_content_alloc(ctx, "synthetic labels", n, sizeof(int32_t), &labels));
    content->labels[part] = labels;
    content->count[part] = n;
    for (int64_t i = 0; i < n; i++) {
        content->labels[part][i] = (int32_t)(i % set->classes);
        generate(content, first_id + i, content->labels[part][i], set->x[part],
                 i * content->x_count);
    }
    return TY_OK;
}

static ty_status synthetic_open(ty_ctx *ctx, const ty_data_config *config,
                                const ty_data_place *place, ty_content *content) {
    synthetic *set = content->self = ty_arena_alloc(content->arena, sizeof *set);
    if (!set)
        return ty_fail_nomem(ctx, "a data set");
    if (place->path || config->task == TY_TASK_REGRESSION)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "synthetic data: want a data.source like "
                       "\"synthetic:512x1x8x8x4\" and classification");
    TY_TRY(set_size(ctx, place->source, content));
    const char **names = ty_arena_array(content->arena, (size_t)set->classes, sizeof *names);
    for (int64_t k = 0; names && k < set->classes; k++)
        names[k] = ty_arena_printf(content->arena, "%lld", (long long)k);
    if (!names || !names[set->classes - 1])
        return ty_fail_nomem(ctx, "class names");
    content->class_names = names;
    content->n_outputs = set->classes;
    content->is_classification = true;
    TY_TRY(fill_part(ctx, content, TY_SPLIT_TRAIN, 0, set->n));
    return fill_part(ctx, content, TY_SPLIT_TEST, set->n, (set->n + 3) / 4);
}

static ty_status synthetic_fetch(ty_ctx *ctx, const ty_content *content, int part, int64_t row,
                                 void *x) {
    (void)ctx;
    const synthetic *set = content->self;
    const size_t bytes = (size_t)content->x_count * (content->x_is_u8 ? 1 : sizeof(float));
    memcpy(x, (const uint8_t *)set->x[part] + (size_t)row * bytes, bytes);
    return TY_OK;
}

static void synthetic_close(ty_content *content) {
    synthetic *set = content->self;
    for (int part = 0; set && part < TY_SPLIT_COUNT; part++)
        free(set->x[part]);
}

const ty_reader ty_reader_synthetic = {.format = "synthetic",
                                       .accepts = synthetic_accepts,
                                       .open = synthetic_open,
                                       .fetch = synthetic_fetch,
                                       .close = synthetic_close};
