/* A checkpoint's state as JSON: one row for each field of ty_progress, and what it has to agree
 * with. */
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct field {
    const char *name;
    size_t offset;
    bool is_real;
} field;

#define COUNT(member)                                                                              \
    { #member, offsetof(ty_progress, member), false }
#define REAL(member)                                                                               \
    { #member, offsetof(ty_progress, member), true }

static const field fields[] = {
    COUNT(step),         COUNT(updates),      COUNT(skipped),    COUNT(skipped_in_row),
    COUNT(eval_step),    COUNT(evaluations),  COUNT(stop_step),  REAL(stop_value),
    COUNT(best_step),    REAL(best_value),    REAL(window_loss), REAL(window_hits),
    REAL(window_weight), COUNT(window_steps), REAL(elapsed_s),   COUNT(is_finished),
};
enum { N_FIELDS = sizeof fields / sizeof fields[0], FORMAT = 1 };

void ty_progress_begin(ty_progress *progress) {
    *progress = (ty_progress){.stop_step = -1, .best_step = -1};
}

/* 17 digits and an exponent: every double reads back as it was, -0 and all. */
static void write_fields(ty_text *text, const ty_progress *progress) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *at = (const char *)progress + fields[i].offset;
        if (fields[i].is_real)
            ty_text_addf(text, ",\"%s\":%.16e", fields[i].name, *(const double *)(const void *)at);
        else
            ty_text_addf(text, ",\"%s\":%" PRId64, fields[i].name,
                         *(const int64_t *)(const void *)at);
    }
}

const char *ty_progress_write(const ty_trainer *trainer, ty_arena *arena) {
    ty_text text = {0};
    ty_text_addf(&text, "{\"format\":%d,\"seed\":%" PRId64, FORMAT, trainer->config->seed);
    ty_text_addf(&text, ",\"consumed\":%" PRId64, trainer->progress.step * trainer->geometry.batch);
    ty_text_addf(&text, ",\"config_hash\":\"%016" PRIx64 "\"", trainer->options.config_hash);
    ty_text_add(&text, ",\"data\":");
    ty_text_add_json(&text, trainer->data->fingerprint);
    ty_text_add(&text, ",\"numeric\":");
    ty_text_add_json(&text, trainer->report.numeric);
    write_fields(&text, &trainer->progress);
    ty_text_add(&text, "}");
    char *out = text.is_short ? NULL : ty_arena_string(arena, ty_text_string(&text));
    ty_text_clear(&text);
    return out;
}

static ty_status read_fields(ty_ctx *ctx, const json_t *root, ty_progress *out) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        const json_t *value = json_object_get(root, fields[i].name);
        char *at = (char *)out + fields[i].offset;
        if (fields[i].is_real ? !json_is_number(value) : !json_is_integer(value))
            return ty_fail(ctx, TY_ERR_INTEGRITY, "the checkpoint's state has no number \"%s\"",
                           fields[i].name);
        if (fields[i].is_real)
            *(double *)(void *)at = json_number_value(value);
        else
            *(int64_t *)(void *)at = json_integer_value(value);
    }
    return TY_OK;
}

static const char *text_of(const json_t *root, const char *key) {
    const char *text = json_string_value(json_object_get(root, key));
    return text ? text : "";
}

static ty_status check(ty_ctx *ctx, const ty_trainer *trainer, const json_t *root,
                       const ty_progress *progress) {
    const int64_t consumed = json_integer_value(json_object_get(root, "consumed"));
    if (json_integer_value(json_object_get(root, "format")) != FORMAT)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "the checkpoint's state is of another version, want %d", FORMAT);
    if (json_integer_value(json_object_get(root, "seed")) != trainer->config->seed ||
        consumed != progress->step * trainer->geometry.batch)
        return ty_fail(
            ctx, TY_ERR_INTEGRITY,
            "the checkpoint's state contradicts its config: seed, or %lld samples after %lld steps",
            (long long)consumed, (long long)progress->step);
    if (strcmp(text_of(root, "data"), trainer->data->fingerprint) != 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "the checkpoint was trained on other data (%.16s...), this is %.16s...",
                       text_of(root, "data"), trainer->data->fingerprint);
    /* An evaluation plans less, and goes on with nothing. */
    if (!trainer->options.is_forward_only &&
        strcmp(text_of(root, "numeric"), trainer->report.numeric) != 0)
        ty_log(ctx, TY_LOG_WARN, "train",
               "resuming on \"%s\" what was trained on \"%s\": the same bits are not promised",
               trainer->report.numeric, text_of(root, "numeric"));
    return TY_OK;
}

static ty_status read_root(ty_ctx *ctx, const ty_trainer *trainer, const json_t *root,
                           ty_progress *out, bool *is_same_config) {
    char hash[17];
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, trainer->options.config_hash);
    *is_same_config = strcmp(text_of(root, "config_hash"), hash) == 0;
    if (!*is_same_config)
        return TY_OK;
    TY_TRY(read_fields(ctx, root, out));
    return check(ctx, trainer, root, out);
}

ty_status ty_progress_read(ty_ctx *ctx, const ty_trainer *trainer, const char *state,
                           ty_progress *out, bool *is_same_config) {
    json_error_t error;
    json_t *root = json_loads(state, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return ty_fail(ctx, TY_ERR_INTEGRITY, "the checkpoint's state is no JSON object: %s",
                       error.text);
    }
    const ty_status st = read_root(ctx, trainer, root, out, is_same_config);
    json_decref(root);
    return st;
}
