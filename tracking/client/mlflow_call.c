/* One call: headers, tries, and what the answer means. */
#include "tracking/client/mlflow_private.h"
#include "tracking/client/s3_listing.h"

#include <stdio.h>
#include <string.h>

/* --- what the answer means --- */

static void copy_words(const char *from, char *to, size_t bytes) {
    size_t n = 0;
    for (; *from != '\0' && n + 1 < bytes; from++) {
        const bool is_space = (unsigned char)*from <= ' ' || *from == 0x7f;
        if (!is_space)
            to[n++] = *from;
        else if (n > 0 && to[n - 1] != ' ')
            to[n++] = ' ';
    }
    while (n > 0 && to[n - 1] == ' ')
        n--;
    /* No half of a character at the end. */
    while (n > 0 && n + 4 >= bytes && ((unsigned char)to[n - 1] & 0x80))
        n--;
    to[n] = '\0';
}

/* Codes go into journals and decide what follows: capitals and underscores, or none. */
static void copy_code(const json_t *json, char code[64]) {
    const char *text = json_string_value(json_object_get(json, "error_code"));
    const bool is_code = text && strlen(text) < 64 &&
                         text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0';
    (void)snprintf(code, 64, "%s", is_code ? text : "");
}

static bool looks_like_html(const char *text) {
    text += strspn(text, " \t\r\n");
    return text[0] == '<';
}

/* A store's error in XML: its code is no MLflow code, so it becomes part of the words. */
static void read_store_error(const ty_text *body, char words[MLFLOW_WORDS]) {
    ty_text code = {0}, message = {0};
    ty_s3_read_error(ty_text_string(body), body->length, &code, &message);
    ty_text_addf(&code, "%s%s", code.length > 0 && message.length > 0 ? ": " : "",
                 ty_text_string(&message));
    copy_words(code.length > 0 ? ty_text_string(&code) : "a web page", words, MLFLOW_WORDS);
    ty_text_clear(&code);
    ty_text_clear(&message);
}

void mlflow_read_error(const ty_text *body, char code[64], char words[MLFLOW_WORDS]) {
    const char *text = ty_text_string(body);
    json_t *json = json_loadb(text, body->length, 0, NULL);
    const char *message = json_string_value(json_object_get(json, "message"));
    copy_code(json, code);
    if (!message && looks_like_html(text))
        read_store_error(body, words);
    else
        copy_words(message ? message : text, words, MLFLOW_WORDS);
    if (words[0] == '\0')
        (void)snprintf(words, MLFLOW_WORDS, "nothing said");
    json_decref(json);
}

ty_status mlflow_parse(ty_ctx *ctx, const char *what, const ty_text *body, json_t **out) {
    const char *text = ty_text_string(body);
    json_error_t error;
    *out = body->length > 0 ? json_loadb(text, body->length, 0, &error) : json_object();
    if (json_is_object(*out))
        return TY_OK;
    json_decref(*out);
    *out = NULL;
    char words[80];
    copy_words(looks_like_html(text) ? "a web page" : text, words, sizeof words);
    return ty_fail(
        ctx, TY_ERR_FAILED,
        "%s: the answer is none of an MLflow server (\"%s\", want a JSON object): is the "
        "URI right?",
        what, words);
}

static ty_status status_of_refusal(int status, const char *code) {
    if (status == 404 || strcmp(code, "RESOURCE_DOES_NOT_EXIST") == 0)
        return TY_ERR_NOT_FOUND;
    const bool is_ours = status == 400 || status == 409 || status == 413 || status == 422;
    return is_ours ? TY_ERR_ARG : TY_ERR_FAILED;
}

static ty_status refused(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *transfer,
                         const ty_http_reply *reply) {
    const char *what = transfer->what;
    char words[MLFLOW_WORDS];
    ty_mlflow_trouble *trouble = &m->trouble;
    mlflow_read_error(&reply->body, trouble->error_code, words);
    trouble->is_denied = reply->status == 401 || reply->status == 403;
    const ty_status st = status_of_refusal(reply->status, trouble->error_code);
    if (trouble->error_code[0] == '\0' && reply->status == 404 && !transfer->is_foreign)
        return ty_fail(
            ctx, st,
            "%s: the server knows no such call (404): it is too old for it, or the path in "
            "its URI is wrong",
            what);
    return ty_fail(ctx, st, "%s: the server says %d %s: %s", what, reply->status,
                   trouble->error_code, words);
}

static ty_status put_off(ty_ctx *ctx, ty_mlflow *m, const char *what, const ty_http_reply *reply) {
    char words[MLFLOW_WORDS] = "";
    if (reply->outcome != TY_HTTP_LATER)
        return ty_fail(ctx, TY_ERR_BUSY, "%s: %s", what, reply->trouble);
    mlflow_read_error(&reply->body, m->trouble.error_code, words);
    return ty_fail(ctx, TY_ERR_BUSY, "%s: the server says %d %s: %s", what, reply->status,
                   m->trouble.error_code, words);
}

static bool may_help_again(ty_http_outcome outcome) {
    return outcome == TY_HTTP_LATER || outcome == TY_HTTP_NOT_SENT || outcome == TY_HTTP_UNKNOWN;
}

/* What a reply means, in words and in m->trouble. */
static ty_status judge(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *transfer,
                       const ty_http_reply *reply) {
    const char *what = transfer->what;
    m->trouble = (ty_mlflow_trouble){.http_status = reply->status};
    switch (reply->outcome) {
    case TY_HTTP_DONE:
        return TY_OK;
    case TY_HTTP_REFUSED:
        return refused(ctx, m, transfer, reply);
    case TY_HTTP_IMPOSSIBLE:
        return ty_fail(ctx, TY_ERR_FAILED, "%s: %s", what,
                       reply->trouble[0] != '\0' ? reply->trouble
                                                 : "an answer that makes no sense");
    default:
        m->trouble.is_outcome_unknown = reply->is_sent;
        return put_off(ctx, m, what, reply);
    }
}

ty_status mlflow_check(ty_ctx *ctx, ty_mlflow *m, const char *what, const char *slip) {
    if (!slip)
        return TY_OK;
    m->trouble = (ty_mlflow_trouble){.is_refused_unsent = true};
    return ty_fail(ctx, TY_ERR_ARG, "%s: %s", what, slip);
}

/* --- trying --- */

enum { MOST_HEADERS = 16 };

/* The transfer's own headers, and ours in front of them. */
static void add_headers(const ty_mlflow *m, const mlflow_transfer *transfer,
                        const char *headers[MOST_HEADERS], ty_http_request *request) {
    int64_t n = 0;
    headers[n++] = "User-Agent: tiltyard";
    if (!transfer->is_foreign) {
        headers[n++] = "X-MLflow-Client-Version: 3.0.1";
        if (m->workspace_header)
            headers[n++] = m->workspace_header;
        request->secret_header = m->credentials.authorization;
    }
    for (int64_t i = 0; i < transfer->request.n_headers && n < MOST_HEADERS; i++)
        headers[n++] = transfer->request.headers[i];
    request->headers = headers;
    request->n_headers = n;
    request->timeout_ms = ty_retry_patience(m->retry)->request_ms;
    request->is_once = transfer->is_once;
}

static int64_t asked_wait(const ty_ctx *ctx, const ty_http_reply *reply) {
    return ty_retry_after_ns(reply->retry_after, ty_now_wall_ns(ctx));
}

/* One try; *again says that another one may help and was waited for. */
static ty_status try_once(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *transfer,
                          const ty_http_request *request, int tries, ty_http_reply *reply,
                          bool *again) {
    *again = false;
    ty_http_reply_clear(reply);
    ty_status st = ty_http_send(ctx, m->http, request, reply);
    if (st != TY_OK)
        return ty_fail_within(ctx, st, "%s", transfer->what);
    st = judge(ctx, m, transfer, reply);
    if (may_help_again(reply->outcome)) {
        ty_retry_failed(ctx, m->retry, tries, asked_wait(ctx, reply));
        *again = !transfer->is_once && ty_retry_wait(ctx, m->retry, tries);
    } else if (reply->outcome != TY_HTTP_CANCELLED) {
        ty_retry_answered(m->retry);
    }
    m->trouble.next_try_ns = ty_retry_next_ns(m->retry);
    return st;
}

ty_status mlflow_transfer_send(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *transfer,
                               ty_http_reply *reply) {
    const char *headers[MOST_HEADERS];
    ty_http_request request = transfer->request;
    add_headers(m, transfer, headers, &request);
    m->trouble = (ty_mlflow_trouble){0};
    ty_status st = ty_retry_begin(ctx, m->retry);
    m->trouble.next_try_ns = ty_retry_next_ns(m->retry);
    if (st != TY_OK)
        return ty_fail_within(ctx, st, "%s: the server is not asked", transfer->what);
    const int first = transfer->is_once ? m->tries : 1;
    bool again = true;
    for (int tries = first; again; tries++) {
        if (tries > first && transfer->rewind)
            TY_TRY(transfer->rewind(ctx, transfer->self));
        st = try_once(ctx, m, transfer, &request, tries, reply, &again);
    }
    return st;
}

/* --- JSON calls --- */

static ty_status url_of(ty_ctx *ctx, const ty_mlflow *m, const mlflow_call *call, ty_text *url) {
    ty_text_addf(url, "%s%s", m->credentials.base, call->path);
    return url->is_short ? ty_fail_nomem(ctx, "a URL") : TY_OK;
}

ty_status mlflow_send(ty_ctx *ctx, ty_mlflow *m, const mlflow_call *call, json_t **out) {
    static const char *const headers[] = {"Content-Type: application/json"};
    ty_text url = {0};
    ty_http_reply reply = {0};
    ty_status st = TY_OK;
    if (out)
        *out = NULL;
    TY_TRY_GOTO(done, st, url_of(ctx, m, call, &url));
    if (call->body && call->body->is_short)
        st = ty_fail_nomem(ctx, call->what);
    if (st != TY_OK)
        goto done;
    const mlflow_transfer transfer = {
        .request = {.method = call->method,
                    .url = ty_text_string(&url),
                    .headers = headers,
                    .n_headers = 1,
                    .body = call->body ? ty_text_string(call->body) : NULL,
                    .body_bytes = call->body ? (int64_t)call->body->length : 0},
        .what = call->what,
        .is_once = call->is_once,
    };
    st = mlflow_transfer_send(ctx, m, &transfer, &reply);
    if (st == TY_OK && out)
        st = mlflow_parse(ctx, call->what, &reply.body, out);
done:
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    return st;
}
