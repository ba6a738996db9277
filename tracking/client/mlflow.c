/* The handle: opened from a URI and the variables, closed with its secrets wiped. */
#include "tracking/client/mlflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"

static bool is_late(ty_ctx *ctx, void *self) {
    const ty_mlflow *m = self;
    return ty_now_ns(ctx) >= ty_retry_deadline(m->retry);
}

static ty_status open_http(ty_ctx *ctx, ty_mlflow *m) {
    const ty_http_options options = {
        .ca_file = m->credentials.ca_file,
        .client_cert = m->credentials.client_cert,
        .is_insecure = m->credentials.is_insecure,
        .is_cancelled = is_late,
        .self = m,
    };
    if (options.is_insecure)
        ty_log(ctx, TY_LOG_WARN, "tracking",
               "MLFLOW_TRACKING_INSECURE_TLS is set: whoever is between here and %s can read and "
               "change everything, the password included",
               m->credentials.base);
    return ty_http_open(ctx, &options, &m->http);
}

static ty_status add_workspace(ty_ctx *ctx, ty_mlflow *m) {
    const char *name = m->credentials.workspace;
    if (!name)
        return TY_OK;
    if (asprintf(&m->workspace_header, "X-MLFLOW-WORKSPACE: %s", name) >= 0)
        return TY_OK;
    m->workspace_header = NULL;
    return ty_fail_nomem(ctx, "a header");
}

ty_status ty_mlflow_open(ty_ctx *ctx, const ty_mlflow_options *options, ty_mlflow **out) {
    *out = NULL;
    ty_mlflow *m = calloc(1, sizeof *m);
    if (!m)
        return ty_fail_nomem(ctx, "an MLflow client");
    m->tries = 1;
    ty_status st = TY_OK;
    TY_TRY_GOTO(failed, st, ty_retry_open(ctx, &options->patience, &m->retry));
    TY_TRY_GOTO(failed, st, ty_credentials_open(ctx, options->uri, &m->credentials));
    TY_TRY_GOTO(failed, st, add_workspace(ctx, m));
    TY_TRY_GOTO(failed, st, open_http(ctx, m));
    *out = m;
    return TY_OK;
failed:
    ty_mlflow_close(m);
    return st;
}

void ty_mlflow_close(ty_mlflow *m) {
    if (!m)
        return;
    ty_http_close(m->http);
    ty_retry_close(m->retry);
    ty_credentials_close(&m->credentials);
    free(m->workspace_header);
    free(m);
}

const char *ty_mlflow_describe(const ty_mlflow *m) {
    return m->credentials.base;
}

void ty_mlflow_set_deadline(ty_mlflow *m, int64_t at_ns) {
    ty_retry_set_deadline(m->retry, at_ns);
}

ty_mlflow_trouble ty_mlflow_last_trouble(const ty_mlflow *m) {
    return m->trouble;
}

static bool is_version(const char *text, size_t length) {
    if (length == 0 || length > 40 || text[0] < '0' || text[0] > '9')
        return false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const bool is_plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '+';
        if (!is_plain)
            return false;
    }
    return true;
}

ty_status ty_mlflow_version(ty_ctx *ctx, ty_mlflow *m, ty_arena *arena, const char **out) {
    ty_text url = {0};
    ty_http_reply reply = {0};
    ty_text_addf(&url, "%s/version", m->credentials.base);
    const mlflow_transfer transfer = {
        .request = {.method = "GET", .url = ty_text_string(&url)},
        .what = "asking the server's version",
    };
    ty_status st = url.is_short ? ty_fail_nomem(ctx, "a URL")
                                : mlflow_transfer_send(ctx, m, &transfer, &reply);
    const char *text = ty_text_string(&reply.body);
    const size_t length = strcspn(text, "\r\n");
    if (st == TY_OK && !is_version(text, length))
        st = ty_fail(
            ctx, TY_ERR_FAILED,
            "%s answers, but not as an MLflow server does (GET /version): is the URI right?",
            m->credentials.base);
    if (st == TY_OK)
        *out = ty_arena_string_n(arena, text, length);
    if (st == TY_OK && !*out)
        st = ty_fail_nomem(ctx, "the server's version");
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    return st;
}
