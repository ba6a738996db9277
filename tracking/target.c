#include "tracking/target.h"

#include <string.h>
#include <strings.h>

#include "tracking/client/mlflow.h"

static const char scheme[] = "sqlite:///";
static const char choices[] = "want http(s)://HOST[:PORT], sqlite:///PATH/mlflow.db, or offline";

static ty_status name_store(ty_ctx *ctx, const char *path, ty_arena *arena, ty_target *out) {
    out->kind = TY_TARGET_STORE;
    out->path = ty_path_absolute(arena, path);
    out->name = out->path ? ty_arena_printf(arena, "%s%s", scheme, out->path) : NULL;
    return out->name ? TY_OK : ty_fail_nomem(ctx, "a store's name");
}

static ty_status parse_store(ty_ctx *ctx, const char *text, ty_arena *arena, ty_target *out) {
    const char *path = text + sizeof scheme - 1;
    const size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/' || path[0] == ':' || strpbrk(path, "?#"))
        return ty_fail(ctx, TY_ERR_ARG, "%s names no database file; %s", text, choices);
    return name_store(ctx, path, arena, out);
}

/* MLflow opens file stores no more, and the schemes of its plug-ins are not ours. */
static ty_status refuse(ty_ctx *ctx, const char *text) {
    if (strchr(text, '@'))
        return ty_fail(ctx, TY_ERR_ARG, "this is no place to record to; %s", choices);
    if (strncasecmp(text, "file:", 5) == 0 || text[0] == '/' || text[0] == '.')
        return ty_fail(ctx, TY_ERR_ARG,
                       "\"%s\" is a folder, and MLflow has given up recording to folders; %s", text,
                       choices);
    return ty_fail(ctx, TY_ERR_ARG, "\"%s\" is no place to record to; %s", text, choices);
}

ty_status ty_target_parse(ty_ctx *ctx, const char *text, ty_arena *arena, ty_target *out) {
    *out = (ty_target){0};
    if (strcmp(text, "offline") == 0) {
        *out = (ty_target){.kind = TY_TARGET_OFFLINE, .name = "offline"};
        return TY_OK;
    }
    if (strncmp(text, scheme, sizeof scheme - 1) == 0)
        return parse_store(ctx, text, arena, out);
    if (!ty_mlflow_is_server(text))
        return refuse(ctx, text);
    out->kind = TY_TARGET_SERVER;
    out->given = ty_arena_string(arena, text);
    if (!out->given)
        return ty_fail_nomem(ctx, "a server's URI");
    return ty_mlflow_uri(ctx, text, arena, &out->name);
}

static bool holds_secret(const char *uri) {
    const char *host = strstr(uri, "://");
    const char *at = strchr(uri, '@');
    return at && (!host || at < host + 3 + strcspn(host + 3, "/"));
}

static ty_status parse_config(ty_ctx *ctx, const char *uri, ty_arena *arena, ty_target *out) {
    if (holds_secret(uri))
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "tracking.uri holds a user or a password, and a config is recorded; set "
                       "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead");
    if (ty_target_parse(ctx, uri, arena, out) == TY_OK)
        return TY_OK;
    return ty_fail_within(ctx, TY_ERR_CONFIG, "tracking.uri");
}

ty_status ty_target_choose(ty_ctx *ctx, const char *config_uri, const char *folder, ty_arena *arena,
                           ty_target *out) {
    const char *variable = ctx->getenv ? ctx->getenv("MLFLOW_TRACKING_URI") : NULL;
    if (config_uri && config_uri[0] != '\0')
        return parse_config(ctx, config_uri, arena, out);
    if (variable && variable[0] != '\0') {
        const ty_status st = ty_target_parse(ctx, variable, arena, out);
        return st == TY_OK ? st : ty_fail_within(ctx, st, "MLFLOW_TRACKING_URI");
    }
    *out = (ty_target){0};
    const char *path = ty_path_join(arena, folder, "mlflow.db");
    return path ? name_store(ctx, path, arena, out) : ty_fail_nomem(ctx, "a store's name");
}
