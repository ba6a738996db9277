/* Registered models and their aliases. */
#include <string.h>

#include "tracking/client/mlflow_private.h"

#define REGISTERED MLFLOW_API "registered-models/"

enum { REGISTERED_PAGE = 200 };

static ty_status check_name(ty_ctx *ctx, ty_mlflow *m, const char *what, const char *name) {
    return mlflow_check(ctx, m, what, ty_mlflow_registered_name_slip(name));
}

static const char *registry_tag_slip(const char *key, const char *value) {
    const char *slip = ty_mlflow_key_slip(key);
    return slip ? slip : value ? NULL : "a tag has no value";
}

/* --- registered models --- */

ty_status ty_mlflow_make_registered(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                    const char *description, ty_mlflow_pairs tags) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "creating registered model", name);
    TY_TRY(check_name(ctx, m, what, name));
    for (int64_t i = 0; i < tags.n; i++)
        TY_TRY(mlflow_check(ctx, m, what, registry_tag_slip(tags.v[i].key, tags.v[i].value)));
    ty_text body = {0};
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "name", name);
    mlflow_add_text(&body, "description", description);
    mlflow_add_pairs(&body, "tags", tags, NULL);
    const mlflow_post_call call = {.path = REGISTERED "create", .what = what};
    const ty_status st = mlflow_post(ctx, m, &call, &body, NULL);
    const bool exists = strcmp(m->trouble.error_code, "RESOURCE_ALREADY_EXISTS") == 0;
    return st == TY_ERR_ARG && exists ? TY_OK : st;
}

ty_status ty_mlflow_get_registered(ty_ctx *ctx, ty_mlflow *m, const char *name, ty_arena *arena,
                                   ty_mlflow_registered *out) {
    char what[MLFLOW_WHAT];
    ty_text path = {0};
    json_t *answer = NULL;
    mlflow_say(what, "reading registered model", name);
    TY_TRY(check_name(ctx, m, what, name));
    ty_text_add(&path, REGISTERED "get?");
    mlflow_add_query(&path, "name", name);
    ty_status st = mlflow_get(ctx, m, what, &path, &answer);
    if (st == TY_OK &&
        !mlflow_read_registered(arena, json_object_get(answer, "registered_model"), out))
        st = mlflow_wrong_answer(ctx, what);
    json_decref(answer);
    return st;
}

static bool read_registered(ty_arena *arena, const json_t *json, void *item) {
    return mlflow_read_registered(arena, json, item);
}

ty_status ty_mlflow_search_registered(ty_ctx *ctx, ty_mlflow *m, const char *filter, int64_t max,
                                      ty_arena *arena, ty_mlflow_registered_list *out) {
    const mlflow_search search = {.method = "GET",
                                  .path = REGISTERED "search",
                                  .what = "searching registered models",
                                  .array = "registered_models",
                                  .read = read_registered,
                                  .item_bytes = sizeof *out->v,
                                  .max = max};
    const void *v = NULL;
    ty_text query = {0};
    *out = (ty_mlflow_registered_list){0};
    TY_TRY(mlflow_check(ctx, m, search.what, max > 0 ? NULL : "no results asked for"));
    if (filter)
        mlflow_add_query(&query, "filter", filter);
    ty_text_addf(&query, "&max_results=%d", (int)(max < REGISTERED_PAGE ? max : REGISTERED_PAGE));
    const ty_status st = mlflow_search_pages(ctx, m, &search, &query, arena, &v, &out->n);
    out->v = v;
    return st;
}

/* A call about one registered model: its name and two more members, each where not NULL. */
typedef struct registered_call {
    const char *method, *path, *doing;
    const char *key, *value, *key2, *value2;
} registered_call;

static ty_status send_about(ty_ctx *ctx, ty_mlflow *m, const char *name,
                            const registered_call *about) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, about->doing, name);
    TY_TRY(check_name(ctx, m, what, name));
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "name", name);
    if (about->key)
        mlflow_add_text(&body, about->key, about->value);
    if (about->key2)
        mlflow_add_text(&body, about->key2, about->value2);
    const mlflow_post_call call = {.method = about->method, .path = about->path, .what = what};
    return mlflow_post(ctx, m, &call, &body, NULL);
}

ty_status ty_mlflow_describe_registered(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                        const char *description) {
    return send_about(ctx, m, name,
                      &(registered_call){.method = "PATCH",
                                         .path = REGISTERED "update",
                                         .doing = "describing registered model",
                                         .key = "description",
                                         .value = description});
}

ty_status ty_mlflow_tag_registered(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *key,
                                   const char *value) {
    TY_TRY(mlflow_check(ctx, m, "tagging a registered model", registry_tag_slip(key, value)));
    return send_about(ctx, m, name,
                      &(registered_call){.path = REGISTERED "set-tag",
                                         .doing = "tagging registered model",
                                         .key = "key",
                                         .value = key,
                                         .key2 = "value",
                                         .value2 = value});
}

ty_status ty_mlflow_untag_registered(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *key) {
    return send_about(ctx, m, name,
                      &(registered_call){.method = "DELETE",
                                         .path = REGISTERED "delete-tag",
                                         .doing = "removing a tag of registered model",
                                         .key = "key",
                                         .value = key});
}

ty_status ty_mlflow_delete_registered(ty_ctx *ctx, ty_mlflow *m, const char *name) {
    return send_about(ctx, m, name,
                      &(registered_call){.method = "DELETE",
                                         .path = REGISTERED "delete",
                                         .doing = "deleting registered model"});
}

/* --- aliases --- */

ty_status ty_mlflow_set_alias(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias,
                              const char *version) {
    TY_TRY(mlflow_check(ctx, m, "setting an alias", ty_mlflow_alias_slip(alias)));
    return send_about(ctx, m, name,
                      &(registered_call){.path = REGISTERED "alias",
                                         .doing = "setting an alias of registered model",
                                         .key = "alias",
                                         .value = alias,
                                         .key2 = "version",
                                         .value2 = version});
}

ty_status ty_mlflow_delete_alias(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias) {
    TY_TRY(mlflow_check(ctx, m, "removing an alias", ty_mlflow_alias_slip(alias)));
    return send_about(ctx, m, name,
                      &(registered_call){.method = "DELETE",
                                         .path = REGISTERED "alias",
                                         .doing = "removing an alias of registered model",
                                         .key = "alias",
                                         .value = alias});
}

ty_status ty_mlflow_get_alias(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias,
                              ty_arena *arena, ty_mlflow_registered_version *out) {
    char what[MLFLOW_WHAT];
    ty_text path = {0};
    json_t *answer = NULL;
    mlflow_say(what, "looking for an alias of registered model", name);
    TY_TRY(check_name(ctx, m, what, name));
    TY_TRY(mlflow_check(ctx, m, what, ty_mlflow_alias_slip(alias)));
    ty_text_add(&path, REGISTERED "alias?");
    mlflow_add_query(&path, "name", name);
    mlflow_add_query(&path, "alias", alias);
    ty_status st = mlflow_get(ctx, m, what, &path, &answer);
    /* An alias that is not there is a wrong parameter to the server. */
    if (st == TY_ERR_ARG && m->trouble.http_status == 400 &&
        strcmp(m->trouble.error_code, "INVALID_PARAMETER_VALUE") == 0)
        st = TY_ERR_NOT_FOUND;
    if (st == TY_OK && !mlflow_read_version(arena, json_object_get(answer, "model_version"), out))
        st = mlflow_wrong_answer(ctx, what);
    json_decref(answer);
    return st;
}
