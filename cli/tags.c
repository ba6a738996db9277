#include "cli/tags.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CONTEXT = 1024 * 1024 };

static void tell_some(const char *key, const char *value, tags_fn tell, void *self) {
    if (value && *value)
        tell(self, key, value);
}

static void tell_member(const char *key, const json_t *value, tags_fn tell, void *self) {
    if (json_is_string(value)) {
        tell_some(key, json_string_value(value), tell, self);
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    tell_some(key, text, tell, self);
    free(text);
}

static void tell_context(ty_ctx *ctx, const char *text, tags_fn tell, void *self) {
    json_error_t error;
    json_t *context = strlen(text) < MAX_CONTEXT ? json_loads(text, 0, &error) : NULL;
    const char *key;
    json_t *value;
    if (!json_is_object(context))
        ty_log(ctx, TY_LOG_WARN, "tags", "MLFLOW_RUN_CONTEXT is no JSON object: left out");
    json_object_foreach(context, key, value)
        tell_member(key, value, tell, self);
    json_decref(context);
}

void tags_of_origin(ty_ctx *ctx, const facts *f, tags_fn tell, void *self) {
    tell_some("mlflow.source.git.commit", f->git_commit, tell, self);
    tell_some("mlflow.source.git.branch", f->git_branch, tell, self);
    tell_some("mlflow.source.git.repoURL", f->git_url, tell, self);
    if (f->git_commit[0])
        tell(self, "mlflow.source.git.dirty", f->git_is_dirty ? "true" : "false");
    tell_some("mlflow.parentRunId", ctx->getenv("MLFLOW_PARENT_RUN_ID"), tell, self);
    const char *context = ctx->getenv("MLFLOW_RUN_CONTEXT");
    if (context && *context)
        tell_context(ctx, context, tell, self);
}
