/* Which registry, what a name means, and what both kinds have in common. */
#include "registry/registry_private.h"

#include <stdlib.h>
#include <string.h>

/* --- where ------------------------------------------------------------------------------------ */

static const char *chosen(ty_ctx *ctx, const char *uri) {
    static const char *const names[] = {"MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"};
    for (int i = 0; (!uri || !*uri) && i < 2; i++)
        uri = ctx->getenv(names[i]);
    return uri && *uri ? uri : "offline";
}

static ty_status open_target(ty_ctx *ctx, const char *uri, const char *folder, ty_arena *arena,
                             ty_registry **out) {
    ty_target target;
    TY_TRY(ty_target_parse(ctx, uri, arena, &target));
    if (target.kind == TY_TARGET_SERVER)
        return ty_registry_open_server(ctx, target.given, out);
    if (target.kind == TY_TARGET_STORE)
        return ty_registry_open_embedded(ctx, target.path, out);
    const char *absolute = ty_path_absolute(arena, folder);
    const char *path = absolute ? ty_path_join(arena, absolute, "mlflow.db") : NULL;
    return path ? ty_registry_open_embedded(ctx, path, out) : ty_fail_nomem(ctx, "the registry");
}

ty_status ty_registry_open(ty_ctx *ctx, const char *uri, const char *folder, ty_registry **out) {
    ty_arena arena = {0};
    const ty_status st = open_target(ctx, chosen(ctx, uri), folder, &arena, out);
    ty_arena_clear(&arena);
    return st == TY_ERR_ARG ? ty_fail_within(ctx, st, "the registry") : st;
}

void ty_registry_close(ty_registry *r) {
    if (!r)
        return;
    free(r->uri);
    r->ops->close(r);
}

const char *ty_registry_uri(const ty_registry *r) {
    return r->uri;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool take_version(const char *text, int64_t *out) {
    char *end = NULL;
    const size_t n = strlen(text);
    if (n == 0 || n > 9 || strspn(text, "0123456789") != n)
        return false;
    *out = strtoll(text, &end, 10);
    return *out > 0;
}

static ty_status take_name(ty_ctx *ctx, const char *text, const char *name, size_t length,
                           ty_arena *arena, ty_model_ref *out) {
    out->name = ty_arena_string_n(arena, name, length);
    if (!out->name)
        return ty_fail_nomem(ctx, "a model's name");
    const char *slip = ty_mlflow_registered_name_slip(out->name);
    return slip ? ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" names no model: %s", text, slip) : TY_OK;
}

ty_status ty_model_ref_parse(ty_ctx *ctx, const char *text, ty_arena *arena, ty_model_ref *out) {
    const char *rest = strncmp(text, "models:/", 8) == 0 ? text + 8 : text;
    const char *slash = strrchr(rest, '/'), *at = strrchr(rest, '@');
    *out = (ty_model_ref){0};
    if (rest != text && strncmp(rest, "m-", 2) == 0 && !slash && !at) {
        out->model_id = ty_arena_string(arena, rest);
        return out->model_id ? TY_OK : ty_fail_nomem(ctx, "a model's name");
    }
    if (at) {
        const char *slip = ty_mlflow_alias_slip(at + 1);
        if (slip)
            return ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" names no model: %s", text, slip);
        out->alias = ty_arena_string(arena, at + 1);
        if (!out->alias)
            return ty_fail_nomem(ctx, "an alias");
        return take_name(ctx, text, rest, (size_t)(at - rest), arena, out);
    }
    if (slash && !take_version(slash + 1, &out->version))
        return ty_fail(ctx, TY_ERR_ARG,
                       "\"%.200s\" names no model, want NAME@ALIAS, NAME/VERSION or "
                       "models:/m-ID",
                       text);
    return take_name(ctx, text, rest, slash ? (size_t)(slash - rest) : strlen(rest), arena, out);
}

static ty_status check_name(ty_ctx *ctx, const char *name) {
    const char *slip = ty_mlflow_registered_name_slip(name);
    return slip ? ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" is no model's name: %s", name, slip) : TY_OK;
}

/* --- looking ---------------------------------------------------------------------------------- */

ty_status ty_registry_models(ty_ctx *ctx, ty_registry *r, ty_arena *arena,
                             ty_mlflow_registered_list *out) {
    return r->ops->models(ctx, r, NULL, arena, out);
}

/* The nearest of the names there are, for "did you mean". */
static ty_status fail_missing(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena) {
    ty_mlflow_registered_list list;
    const char *best = NULL;
    int least = 4;
    TY_TRY(r->ops->models(ctx, r, NULL, arena, &list));
    for (int64_t i = 0; i < list.n; i++) {
        const int distance = ty_text_distance(name, list.v[i].name);
        if (distance < least) {
            least = distance;
            best = list.v[i].name;
        }
    }
    return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s knows no model %s%s%s%s", r->uri, name,
                   best ? "; did you mean " : "", best ? best : "", best ? "?" : "");
}

ty_status ty_registry_model(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                            ty_mlflow_registered *out) {
    ty_mlflow_registered_list list;
    TY_TRY(check_name(ctx, name));
    TY_TRY(r->ops->models(ctx, r, name, arena, &list));
    if (list.n == 0)
        return fail_missing(ctx, r, name, arena);
    *out = list.v[0];
    return TY_OK;
}

ty_status ty_registry_versions(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                               ty_mlflow_version_list *out) {
    TY_TRY(check_name(ctx, name));
    return r->ops->versions(ctx, r, name, 0, arena, out);
}

static int64_t alias_at(const ty_mlflow_registered *model, const char *alias) {
    for (int64_t i = 0; i < model->aliases.n; i++)
        if (strcmp(model->aliases.v[i].key, alias) == 0)
            return strtoll(model->aliases.v[i].value, NULL, 10);
    return 0;
}

ty_status ty_registry_find(ty_ctx *ctx, ty_registry *r, const ty_model_ref *ref, ty_arena *arena,
                           ty_mlflow_registered_version *out) {
    ty_mlflow_registered model;
    ty_mlflow_version_list list;
    int64_t version = ref->version;
    if (!ref->name)
        return ty_fail(ctx, TY_ERR_ARG, "%s is no registered model", ref->model_id);
    TY_TRY(ty_registry_model(ctx, r, ref->name, arena, &model));
    if (ref->alias && (version = alias_at(&model, ref->alias)) == 0)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "model %s has no alias %s", ref->name, ref->alias);
    TY_TRY(r->ops->versions(ctx, r, ref->name, version, arena, &list));
    if (list.n == 0 && version)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "model %s has no version %lld", ref->name,
                       (long long)version);
    if (list.n == 0)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "model %s has no versions", ref->name);
    *out = list.v[0];
    return TY_OK;
}

/* --- changing --------------------------------------------------------------------------------- */

ty_status ty_registry_tag(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          const char *key, const char *value) {
    TY_TRY(check_name(ctx, name));
    const char *slip = ty_mlflow_key_slip(key);
    if (!slip && value && strlen(value) > TY_CARD_MAX_BYTES)
        slip = "a registry's tag has at most 5000 bytes";
    if (slip)
        return ty_fail(ctx, TY_ERR_ARG, "tag \"%.200s\": %s", key, slip);
    return r->ops->tag(ctx, r, name, version, key, value);
}

ty_status ty_registry_describe(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                               const char *description) {
    TY_TRY(check_name(ctx, name));
    if (strlen(description) > TY_CARD_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_ARG, "a description has %zu bytes, want at most %d",
                       strlen(description), (int)TY_CARD_MAX_BYTES);
    return r->ops->describe(ctx, r, name, version, description);
}

ty_status ty_registry_move_alias(ty_ctx *ctx, ty_registry *r, const char *name, const char *alias,
                                 int64_t expected, int64_t version, int64_t *was) {
    ty_arena arena = {0};
    ty_mlflow_registered model;
    int64_t before = 0;
    const char *slip = ty_mlflow_alias_slip(alias);
    if (slip)
        return ty_fail(ctx, TY_ERR_ARG, "alias \"%.200s\": %s", alias, slip);
    TY_TRY(check_name(ctx, name));
    ty_status st = r->ops->move_alias(ctx, r, name, alias, expected, version, &before);
    if (was)
        *was = before;
    if (st == TY_OK)
        st = ty_registry_model(ctx, r, name, &arena, &model);
    if (st == TY_OK && alias_at(&model, alias) != version)
        st = ty_registry_store_fail_moved(ctx, name, alias, alias_at(&model, alias), version);
    ty_arena_clear(&arena);
    return st;
}
