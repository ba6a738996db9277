/* Versions of registered models. */
#include <stdio.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"

#define VERSIONS MLFLOW_API "model-versions/"

enum { VERSIONS_PAGE = 1000 };

static const char *version_slip(const char *name, const char *version) {
    const char *slip = ty_mlflow_registered_name_slip(name);
    if (slip)
        return slip;
    const bool is_number = version && version[0] != '\0' && strlen(version) < 19 &&
                           version[strspn(version, "0123456789")] == '\0';
    return is_number ? NULL : "a version is a number (1, 2, ...)";
}

/* --- searching and reading --- */

static bool read_item(ty_arena *arena, const json_t *json, void *item) {
    return mlflow_read_version(arena, json, item);
}

ty_status ty_mlflow_search_versions(ty_ctx *ctx, ty_mlflow *m, const char *filter, int64_t max,
                                    ty_arena *arena, ty_mlflow_version_list *out) {
    const mlflow_search search = {.method = "GET",
                                  .path = VERSIONS "search",
                                  .what = "searching versions",
                                  .array = "model_versions",
                                  .read = read_item,
                                  .item_bytes = sizeof *out->v,
                                  .max = max};
    const void *v = NULL;
    ty_text query = {0};
    *out = (ty_mlflow_version_list){0};
    TY_TRY(mlflow_check(ctx, m, search.what, max > 0 ? NULL : "no results asked for"));
    if (filter)
        mlflow_add_query(&query, "filter", filter);
    ty_text_addf(&query, "&max_results=%d", (int)(max < VERSIONS_PAGE ? max : VERSIONS_PAGE));
    mlflow_add_query(&query, "order_by", "version_number DESC");
    const ty_status st = mlflow_search_pages(ctx, m, &search, &query, arena, &v, &out->n);
    out->v = v;
    return st;
}

/* GET VERSIONS call?name=&version= */
static ty_status ask(ty_ctx *ctx, ty_mlflow *m, const char *call, const char *what,
                     const char *name, const char *version, json_t **out) {
    ty_text path = {0};
    TY_TRY(mlflow_check(ctx, m, what, version_slip(name, version)));
    ty_text_addf(&path, VERSIONS "%s?", call);
    mlflow_add_query(&path, "name", name);
    mlflow_add_query(&path, "version", version);
    return mlflow_get(ctx, m, what, &path, out);
}

static ty_status read_version(ty_ctx *ctx, const char *what, const json_t *answer, ty_arena *arena,
                              ty_mlflow_registered_version *out) {
    return mlflow_read_version(arena, json_object_get(answer, "model_version"), out)
               ? TY_OK
               : mlflow_wrong_answer(ctx, what);
}

ty_status ty_mlflow_get_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                ty_arena *arena, ty_mlflow_registered_version *out) {
    char what[MLFLOW_WHAT];
    json_t *answer = NULL;
    mlflow_say(what, "reading a version of registered model", name);
    ty_status st = ask(ctx, m, "get", what, name, version, &answer);
    if (st == TY_OK)
        st = read_version(ctx, what, answer, arena, out);
    json_decref(answer);
    return st;
}

ty_status ty_mlflow_version_root(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                 ty_arena *arena, const char **out) {
    char what[MLFLOW_WHAT];
    json_t *answer = NULL;
    mlflow_say(what, "asking for the files of registered model", name);
    ty_status st = ask(ctx, m, "get-download-uri", what, name, version, &answer);
    if (st == TY_OK) {
        mlflow_reader r = {.arena = arena, .json = answer};
        *out = mlflow_text(&r, "artifact_uri");
        if (r.is_short)
            st = ty_fail_nomem(ctx, what);
        else if ((*out)[0] == '\0')
            st = mlflow_wrong_answer(ctx, what);
    }
    json_decref(answer);
    return st;
}

/* --- creating --- */

typedef struct version_making {
    const ty_mlflow_new_version *version;
    ty_arena *arena;
    ty_mlflow_registered_version *out;
    char what[MLFLOW_WHAT];
} version_making;

static ty_status find_version(ty_ctx *ctx, ty_mlflow *m, void *self, bool *is_found) {
    version_making *making = self;
    const ty_mlflow_new_version *version = making->version;
    ty_mlflow_version_list versions;
    ty_text filter = {0};
    ty_text_addf(&filter, "name = '%s' and tags.`" TY_MLFLOW_UID_TAG "` = '%s'", version->name,
                 version->uid);
    const ty_status st = filter.is_short
                             ? ty_fail_nomem(ctx, making->what)
                             : ty_mlflow_search_versions(ctx, m, ty_text_string(&filter), 1,
                                                         making->arena, &versions);
    ty_text_clear(&filter);
    if (st != TY_OK)
        return st;
    *is_found = versions.n > 0;
    if (*is_found)
        *making->out = versions.v[0];
    return TY_OK;
}

/* A source that is a logged model: newer servers want to be told its id beside it. */
static const char *model_of(const ty_mlflow_new_version *version) {
    static const char scheme[] = "models:/";
    const char *id = version->source + sizeof scheme - 1;
    const bool is_model =
        strncmp(version->source, scheme, sizeof scheme - 1) == 0 && strncmp(id, "m-", 2) == 0;
    return version->model_id ? version->model_id : is_model ? id : NULL;
}

static ty_status create_version(ty_ctx *ctx, ty_mlflow *m, void *self) {
    version_making *making = self;
    const ty_mlflow_new_version *version = making->version;
    ty_text body = {0};
    json_t *answer = NULL;
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "name", version->name);
    mlflow_add_text(&body, "source", version->source);
    mlflow_add_text(&body, "run_id", version->run_id);
    mlflow_add_text(&body, "model_id", model_of(version));
    mlflow_add_text(&body, "run_link", version->run_link);
    mlflow_add_text(&body, "description", version->description);
    mlflow_add_pairs(&body, "tags", version->tags, version->uid);
    const mlflow_post_call call = {
        .path = VERSIONS "create", .what = making->what, .is_once = true};
    ty_status st = mlflow_post(ctx, m, &call, &body, &answer);
    if (st == TY_OK)
        st = read_version(ctx, making->what, answer, making->arena, making->out);
    json_decref(answer);
    return st;
}

static const char *new_version_slip(const ty_mlflow_new_version *version) {
    const char *slip = ty_mlflow_registered_name_slip(version->name);
    slip = slip ? slip : mlflow_uid_slip(version->uid);
    if (!slip && (!version->source || version->source[0] == '\0'))
        slip = "a version needs a source";
    for (int64_t i = 0; !slip && i < version->tags.n; i++)
        slip = ty_mlflow_key_slip(version->tags.v[i].key);
    return slip;
}

ty_status ty_mlflow_make_version(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_version *version,
                                 ty_arena *arena, ty_mlflow_registered_version *out) {
    version_making making = {.version = version, .arena = arena, .out = out};
    mlflow_say(making.what, "creating a version of registered model", version->name);
    TY_TRY(mlflow_check(ctx, m, making.what, new_version_slip(version)));
    return mlflow_make(ctx, m, &(mlflow_making){find_version, create_version, &making});
}

/* --- the rest of its life --- */

typedef struct version_call {
    const char *method, *path, *doing;
    const char *key, *value, *key2, *value2;
} version_call;

static ty_status send_about(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                            const version_call *about) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, about->doing, name);
    TY_TRY(mlflow_check(ctx, m, what, version_slip(name, version)));
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "name", name);
    mlflow_add_text(&body, "version", version);
    if (about->key)
        mlflow_add_text(&body, about->key, about->value);
    if (about->key2)
        mlflow_add_text(&body, about->key2, about->value2);
    const mlflow_post_call call = {.method = about->method, .path = about->path, .what = what};
    return mlflow_post(ctx, m, &call, &body, NULL);
}

ty_status ty_mlflow_describe_version(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                     const char *version, const char *description) {
    return send_about(ctx, m, name, version,
                      &(version_call){.method = "PATCH",
                                      .path = VERSIONS "update",
                                      .doing = "describing a version of registered model",
                                      .key = "description",
                                      .value = description});
}

ty_status ty_mlflow_tag_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                const char *key, const char *value) {
    TY_TRY(mlflow_check(ctx, m, "tagging a version", ty_mlflow_key_slip(key)));
    return send_about(ctx, m, name, version,
                      &(version_call){.path = VERSIONS "set-tag",
                                      .doing = "tagging a version of registered model",
                                      .key = "key",
                                      .value = key,
                                      .key2 = "value",
                                      .value2 = value});
}

ty_status ty_mlflow_untag_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                  const char *key) {
    return send_about(ctx, m, name, version,
                      &(version_call){.method = "DELETE",
                                      .path = VERSIONS "delete-tag",
                                      .doing = "removing a tag of a version of registered model",
                                      .key = "key",
                                      .value = key});
}

ty_status ty_mlflow_delete_version(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                   const char *version) {
    return send_about(ctx, m, name, version,
                      &(version_call){.method = "DELETE",
                                      .path = VERSIONS "delete",
                                      .doing = "deleting a version of registered model"});
}
