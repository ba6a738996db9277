/* Opens the handle, sets an exchange up, tells what came of it. */
#include "tracking/client/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/client/credentials.h"

enum { CONNECT_MS = 30000, SMALL_BODY = 1024 * 1024, SLOW_BYTES_PER_S = 100 };

/* --- the handle --- */

static const char *first_set(ty_ctx *ctx, const char *lower, const char *upper) {
    const char *value = ctx->getenv(lower);
    if (!value && upper)
        value = ctx->getenv(upper);
    return value ? value : "";
}

static bool copy(char **out, const char *text) {
    *out = strdup(text);
    return *out != NULL;
}

/* libcurl would ask the environment itself; everything below cli/ asks ctx. HTTP_PROXY in capitals
 * is left alone, because a CGI server sets it to what a stranger sent. */
static bool copy_proxies(ty_ctx *ctx, ty_http *http) {
    const char *all = first_set(ctx, "all_proxy", "ALL_PROXY");
    const char *plain = first_set(ctx, "http_proxy", NULL);
    const char *secure = first_set(ctx, "https_proxy", "HTTPS_PROXY");
    return copy(&http->proxy_http, plain[0] != '\0' ? plain : all) &&
           copy(&http->proxy_https, secure[0] != '\0' ? secure : all) &&
           copy(&http->no_proxy, first_set(ctx, "no_proxy", "NO_PROXY"));
}

static bool copy_options(ty_http *http, const ty_http_options *options) {
    char *ca = NULL, *cert = NULL;
    const bool is_copied = (!options->ca_file || copy(&ca, options->ca_file)) &&
                           (!options->client_cert || copy(&cert, options->client_cert));
    http->options = *options;
    http->options.ca_file = ca;
    http->options.client_cert = cert;
    return is_copied;
}

ty_status ty_http_open(ty_ctx *ctx, const ty_http_options *options, ty_http **out) {
    ty_status st = TY_OK;
    ty_http *http = calloc(1, sizeof *http);
    if (!http)
        return ty_fail_nomem(ctx, "an HTTP client");
    /* Counted by libcurl; thread-safe there since 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return ty_fail(ctx, TY_ERR_INTERNAL, "libcurl could not be started");
    }
    http->easy = curl_easy_init();
    if (!http->easy || !copy_options(http, options) || !copy_proxies(ctx, http))
        st = ty_fail_nomem(ctx, "an HTTP client");
    *out = http;
    if (st != TY_OK) {
        ty_http_close(http);
        *out = NULL;
    }
    return st;
}

static void drop(const char *text) {
    free((void *)(uintptr_t)text);
}

void ty_http_close(ty_http *http) {
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    curl_global_cleanup();
    drop(http->options.ca_file);
    drop(http->options.client_cert);
    ty_secret_free(http->proxy_http); /* a proxy's URL may hold a password */
    ty_secret_free(http->proxy_https);
    free(http->no_proxy);
    free(http);
}

void ty_http_reply_clear(ty_http_reply *reply) {
    ty_text_clear(&reply->body);
    *reply = (ty_http_reply){0};
}

/* --- setting an exchange up --- */

static void set_security(ty_http *http) {
    CURL *easy = http->easy;
    const ty_http_options *options = &http->options;
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->is_insecure ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->is_insecure ? 0L : 2L);
    if (options->ca_file)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
    if (options->client_cert)
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, options->client_cert);
}

static void set_way(http_exchange *x) {
    CURL *easy = x->http->easy;
    const ty_http_request *request = x->request;
    const bool is_secure = strncasecmp(request->url, "https:", 6) == 0;
    (void)curl_easy_setopt(easy, CURLOPT_PROXY,
                           is_secure ? x->http->proxy_https : x->http->proxy_http);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, x->http->no_proxy);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    /* On a kept connection that dies unanswered libcurl sends the request again by itself. */
    (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->is_once ? 1L : 0L);
}

static void set_times(http_exchange *x) {
    CURL *easy = x->http->easy;
    const int64_t ms = x->request->timeout_ms;
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)(ms < CONNECT_MS ? ms : CONNECT_MS));
    if (!x->request->body_path && !x->request->reply_path) {
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ms);
        return;
    }
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
    (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((ms + 999) / 1000));
}

static bool append(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static void free_headers(struct curl_slist *list) {
    for (struct curl_slist *at = list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(list);
}

/* libcurl waits a second for a "100 Continue" that many servers never send; a small body is sooner
 * sent than asked for. Where libcurl signs the headers it would sign this one, which is not sent. */
static bool list_headers(const ty_http_request *request, struct curl_slist **out) {
    bool is_listed = true;
    for (int64_t i = 0; i < request->n_headers; i++)
        is_listed = is_listed && append(out, request->headers[i]);
    if (request->secret_header)
        is_listed = is_listed && append(out, request->secret_header);
    if (request->body_bytes < SMALL_BODY && !request->sigv4)
        is_listed = is_listed && append(out, "Expect:");
    return is_listed;
}

static CURLcode set_signature(http_exchange *x) {
    CURL *easy = x->http->easy;
    if (!x->request->sigv4)
        return CURLE_OK;
    const CURLcode code = curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, x->request->sigv4);
    return code != CURLE_OK ? code
                            : curl_easy_setopt(easy, CURLOPT_USERPWD, x->request->sigv4_user);
}

static CURLcode set_up(http_exchange *x, const char *url, struct curl_slist *headers) {
    CURL *easy = x->http->easy;
    curl_easy_reset(easy); /* connections stay */
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->words);
    set_security(x->http);
    set_way(x);
    set_times(x);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = set_signature(x);
    if (code == CURLE_OK)
        code = http_set_body(x);
    return code == CURLE_OK ? http_set_reply(x) : code;
}

/* --- what came of it --- */

ty_http_outcome ty_http_outcome_of(int status) {
    if (status >= 200 && status < 300)
        return TY_HTTP_DONE;
    if (status == 501 || status == 505) /* "not implemented" stays so */
        return TY_HTTP_REFUSED;
    if (status == 408 || status == 425 || status == 429 || status >= 500)
        return TY_HTTP_LATER;
    return status >= 400 ? TY_HTTP_REFUSED : TY_HTTP_IMPOSSIBLE;
}

static bool is_hopeless(CURLcode code) {
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
}

static ty_http_outcome outcome_of_code(const http_exchange *x, CURLcode code) {
    if (x->is_cancelled)
        return TY_HTTP_CANCELLED;
    if (x->is_too_big || is_hopeless(code))
        return TY_HTTP_IMPOSSIBLE;
    return x->reply->is_sent ? TY_HTTP_UNKNOWN : TY_HTTP_NOT_SENT;
}

static void say(ty_http_reply *reply, const char *words) {
    (void)snprintf(reply->trouble, sizeof reply->trouble, "%s", words);
}

static void judge_failure(http_exchange *x, CURLcode code) {
    x->reply->outcome = outcome_of_code(x, code);
    if (x->is_too_big)
        say(x->reply, code != CURLE_OUT_OF_MEMORY && x->header_bytes <= TY_HTTP_MAX_HEADERS
                          ? "the answer is longer than the 4 MiB that are read of one"
                          : "the answer's headers do not end");
    else if (x->is_cancelled)
        say(x->reply, "given up, its time was over");
    else
        say(x->reply, x->words[0] != '\0' ? x->words : curl_easy_strerror(code));
}

static void keep_header(CURL *easy, const char *name, char *out, size_t bytes) {
    struct curl_header *found = NULL;
    out[0] = '\0';
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK &&
        strlen(found->value) < bytes)
        (void)snprintf(out, bytes, "%s", found->value);
}

static void keep_headers(CURL *easy, ty_http_reply *reply) {
    keep_header(easy, "Retry-After", reply->retry_after, sizeof reply->retry_after);
    keep_header(easy, "ETag", reply->etag, sizeof reply->etag);
    keep_header(easy, "Location", reply->location, sizeof reply->location);
}

static void judge(http_exchange *x, CURLcode code) {
    CURL *easy = x->http->easy;
    long status = 0, request_bytes = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    x->reply->status = (int)status;
    x->reply->is_sent = request_bytes > 0;
    /* So libcurl says that a header is longer than the 100 kB it reads of one. */
    x->is_too_big = x->is_too_big || (code == CURLE_OUT_OF_MEMORY && status != 0);
    if (code != CURLE_OK) {
        judge_failure(x, code);
        return;
    }
    x->reply->outcome = ty_http_outcome_of((int)status);
    keep_headers(easy, x->reply);
}

static ty_status exchange(ty_ctx *ctx, ty_http *http, const ty_http_request *request,
                          const char *url, ty_http_reply *reply) {
    http_exchange x = {.ctx = ctx, .http = http, .request = request, .reply = reply};
    struct curl_slist *headers = NULL;
    ty_text_clear(&reply->body);
    if (!list_headers(request, &headers)) {
        free_headers(headers);
        return ty_fail_nomem(ctx, "a request's headers");
    }
    CURLcode code = set_up(&x, url, headers);
    if (code == CURLE_OK)
        code = curl_easy_perform(http->easy);
    judge(&x, code);
    if (code == CURLE_OUT_OF_MEMORY && !x.is_too_big)
        x.st = ty_fail_nomem(ctx, "an HTTP request");
    (void)curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    free_headers(headers);
    return x.st;
}

/* --- redirects --- */

/* A whole answer that sends elsewhere, and nobody has said yet why not. */
static bool is_redirected(const ty_http_reply *reply) {
    const int status = reply->status;
    return reply->outcome == TY_HTTP_IMPOSSIBLE && reply->trouble[0] == '\0' &&
           (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* 307 and 308 mean the same request; the others turn a POST into a GET, which is not what was
 * asked. */
static bool may_follow(const ty_http_request *request, int status) {
    return status == 307 || status == 308 || strcmp(request->method, "GET") == 0;
}

static char *url_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    return curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

static bool is_same_part(CURLU *a, CURLU *b, CURLUPart part) {
    char *x = url_part(a, part), *y = url_part(b, part);
    const bool is_same = x && y && strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return is_same;
}

bool ty_http_is_same_origin(const char *a, const char *b) {
    CURLU *x = curl_url(), *y = curl_url();
    const bool is_same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                         curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK &&
                         is_same_part(x, y, CURLUPART_SCHEME) &&
                         is_same_part(x, y, CURLUPART_HOST) && is_same_part(x, y, CURLUPART_PORT);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return is_same;
}

/* The absolute URL of a Location; NULL: it is none. To be freed with curl_free. */
static char *resolve(const char *from, const char *location) {
    CURLU *url = curl_url();
    char *out = NULL;
    if (url && curl_url_set(url, CURLUPART_URL, from, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK)
        (void)curl_url_get(url, CURLUPART_URL, &out, 0);
    curl_url_cleanup(url);
    return out;
}

/* "https://host:port" of url for a message: no path, no user. */
static void name_origin(const char *url, char *out, size_t bytes) {
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        scheme = url_part(parsed, CURLUPART_SCHEME);
        host = url_part(parsed, CURLUPART_HOST);
        port = url_part(parsed, CURLUPART_PORT);
    }
    if (scheme && host && port)
        (void)snprintf(out, bytes, "%s://%.200s:%s", scheme, host, port);
    else
        (void)snprintf(out, bytes, "no place that can be read");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
}

/* Where the reply sends us, if we go there; else says why not. */
static char *next_url(const ty_http_request *request, const char *url, ty_http_reply *reply) {
    char *next = reply->location[0] != '\0' ? resolve(url, reply->location) : NULL;
    if (next && ty_http_is_same_origin(url, next) && may_follow(request, reply->status))
        return next;
    char to[300];
    name_origin(next ? next : "", to, sizeof to);
    (void)snprintf(
        reply->trouble, sizeof reply->trouble,
        "the server answers with a redirect (%d) to %s; that is followed only within one server, "
        "and where the request stays the same: give the URI that it means",
        reply->status, to);
    curl_free(next);
    return NULL;
}

ty_status ty_http_send(ty_ctx *ctx, ty_http *http, const ty_http_request *request,
                       ty_http_reply *reply) {
    *reply = (ty_http_reply){0};
    ty_status st = exchange(ctx, http, request, request->url, reply);
    char *url = NULL;
    for (int i = 0; st == TY_OK && is_redirected(reply); i++) {
        if (i == TY_HTTP_MAX_REDIRECTS) {
            say(reply, "the server redirects in circles");
            break;
        }
        char *next = next_url(request, url ? url : request->url, reply);
        curl_free(url);
        url = next;
        if (!url)
            break;
        st = exchange(ctx, http, request, url, reply);
    }
    curl_free(url);
    return st;
}

void ty_http_add_encoded(ty_text *out, const char *text, bool keep_slashes) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr(plain, *at) || (keep_slashes && *at == '/'))
            ty_text_add_n(out, at, 1);
        else
            ty_text_addf(out, "%%%02X", (unsigned char)*at);
    }
}
