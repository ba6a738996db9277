/* What a server may answer, through everything that reads it: the first byte chooses the status, the
 * rest is the body and, up to a NUL, a header. Whatever is understood must be fit to be used: ids
 * fit for URLs, names of files that stay where they belong, words without control characters. */
#include <stdlib.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"
#include "tracking/client/s3_listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void check_words(const ty_text *body) {
    char code[64], words[MLFLOW_WORDS];
    mlflow_read_error(body, code, words);
    check(words[0] != '\0' && strlen(words) < MLFLOW_WORDS);
    for (const char *at = words; *at != '\0'; at++)
        check((unsigned char)*at >= ' ' && *at != 0x7f);
    check(code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0');
}

static void check_file(ty_arena *arena, const json_t *json) {
    ty_mlflow_file file;
    if (mlflow_read_file(arena, json, "folder", &file))
        check(strncmp(file.path, "folder/", 7) == 0 && !strchr(file.path + 7, '/') &&
              !mlflow_path_slip(file.path));
}

/* The same object as each of the things it may be. */
static void decode(ty_arena *arena, const json_t *json) {
    ty_mlflow_experiment experiment;
    ty_mlflow_run run;
    ty_mlflow_metric metric;
    ty_mlflow_model model;
    ty_mlflow_registered registered;
    ty_mlflow_registered_version version;
    if (mlflow_read_experiment(arena, json, &experiment))
        check(mlflow_is_id(experiment.id) && experiment.name && experiment.artifact_location);
    if (mlflow_read_run(arena, json, &run))
        check(mlflow_is_id(run.id) && run.artifact_uri && run.n_metrics >= 0);
    if (mlflow_read_metric(arena, json, &metric))
        check(metric.key != NULL);
    if (mlflow_read_model(arena, json, &model))
        check(mlflow_is_id(model.id) && model.status && model.artifact_uri);
    if (mlflow_read_registered(arena, json, &registered))
        check(registered.name[0] != '\0' && registered.aliases.n >= 0);
    if (mlflow_read_version(arena, json, &version))
        check(mlflow_is_id(version.version) && version.n_aliases >= 0);
    check_file(arena, json);
}

static void take(void *self, const char *key, bool is_folder, int64_t bytes) {
    (void)is_folder;
    *(size_t *)self += strlen(key);
    check(bytes >= 0);
}

static void check_store(const ty_text *body) {
    ty_text token = {0};
    size_t n = 0;
    (void)!ty_s3_read_listing(ty_text_string(body), body->length, take, &n, &token);
    ty_text_clear(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    ty_ctx ctx;
    ty_arena arena = {0};
    ty_text body = {0};
    json_t *json = NULL;
    ty_ctx_init(&ctx);
    check(ty_http_outcome_of(data[0] * 4) <= TY_HTTP_IMPOSSIBLE);
    ty_text_add_n(&body, (const char *)data + 1, size - 1);
    const int64_t wait = ty_retry_after_ns(ty_text_string(&body), 0);
    check(wait >= 0 && wait <= INT64_C(3600) * 1000000000);
    check_words(&body);
    check_store(&body);
    if (mlflow_parse(&ctx, "reading", &body, &json) == TY_OK) {
        const char *key = NULL;
        json_t *value = NULL;
        decode(&arena, json);
        json_object_foreach(json, key, value) {
            decode(&arena, value);
            for (size_t i = 0; i < json_array_size(value); i++)
                decode(&arena, json_array_get(value, i));
        }
    }
    json_decref(json);
    ty_text_clear(&body);
    ty_arena_clear(&arena);
    ty_ctx_clear(&ctx);
    return 0;
}
