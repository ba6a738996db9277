#include "tracking/client/credentials.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tracking/client/mlflow.h"

enum { MOST_FILE = 64 * 1024, MOST_URI = 2048 };

/* User and password, or a token; all secret. */
typedef struct login {
    char *user, *password, *token;
} login;

void ty_secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void ty_secret_forbid_core(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = 0; /* the hard limit stays: a child may want its own */
    (void)setrlimit(RLIMIT_CORE, &limit);
}

static bool has_pair(const login *l) {
    return l->user && l->password;
}

static void clear_login(login *l) {
    ty_secret_free(l->user);
    ty_secret_free(l->password);
    ty_secret_free(l->token);
    *l = (login){0};
}

/* --- the URI --- */

bool ty_mlflow_is_server(const char *text) {
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

static ty_status refuse_uri(ty_ctx *ctx, const char *why) {
    return ty_fail(ctx, TY_ERR_ARG,
                   "the tracking URI %s; want http://HOST[:PORT][/PATH] or https://...", why);
}

static bool has_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    const bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

/* Not yet decoded: what is a slip here is one on the way to the server too. */
static ty_status check_uri(ty_ctx *ctx, const char *uri, CURLU *url) {
    if (!ty_mlflow_is_server(uri))
        return refuse_uri(ctx, "names no server");
    if (strlen(uri) > MOST_URI)
        return refuse_uri(ctx, "is longer than 2048 characters");
    for (const char *at = uri; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return refuse_uri(ctx, "has a space or control character in it");
    if (curl_url_set(url, CURLUPART_URL, uri, CURLU_PATH_AS_IS) != CURLUE_OK ||
        !has_part(url, CURLUPART_HOST))
        return refuse_uri(ctx, "cannot be read");
    if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
        return refuse_uri(ctx, "has a ? or # part, which no server's has");
    return TY_OK;
}

static char *decoded_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    if (curl_url_get(url, part, &text, CURLU_URLDECODE) != CURLUE_OK)
        return NULL;
    char *copy = strdup(text);
    explicit_bzero(text, strlen(text));
    curl_free(text);
    return copy;
}

static void take_login(CURLU *url, login *out) {
    out->user = decoded_part(url, CURLUPART_USER);
    out->password = decoded_part(url, CURLUPART_PASSWORD);
}

static void drop_default_port(CURLU *url) {
    char *scheme = NULL, *port = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK &&
        strcmp(port, strcmp(scheme, "http") == 0 ? "80" : "443") == 0)
        (void)curl_url_set(url, CURLUPART_PORT, NULL, 0);
    curl_free(scheme);
    curl_free(port);
}

static void lower_host(CURLU *url) {
    char *host = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return;
    for (char *at = host; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    (void)curl_url_set(url, CURLUPART_HOST, host, 0);
    curl_free(host);
}

/* malloc memory; NULL: none left. */
static char *clean(CURLU *url) {
    (void)curl_url_set(url, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    lower_host(url);
    drop_default_port(url);
    char *text = NULL;
    if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
        return NULL;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    char *out = strndup(text, length);
    curl_free(text);
    return out;
}

/* *base is malloc memory; login NULL: not wanted. */
static ty_status read_uri(ty_ctx *ctx, const char *uri, char **base, login *out) {
    CURLU *url = curl_url();
    if (!url)
        return ty_fail_nomem(ctx, "the tracking URI");
    ty_status st = check_uri(ctx, uri, url);
    if (st == TY_OK) {
        if (out)
            take_login(url, out);
        *base = clean(url);
        if (!*base)
            st = ty_fail_nomem(ctx, "the tracking URI");
    }
    curl_url_cleanup(url);
    return st;
}

ty_status ty_mlflow_uri(ty_ctx *ctx, const char *uri, ty_arena *arena, const char **out) {
    char *base = NULL;
    TY_TRY(read_uri(ctx, uri, &base, NULL));
    *out = ty_arena_string(arena, base);
    free(base);
    return *out ? TY_OK : ty_fail_nomem(ctx, "the tracking URI");
}

/* --- ~/.mlflow/credentials --- */

static char *trim(char *text) {
    while (*text == ' ' || *text == '\t')
        text++;
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static void take_line(char *line, bool *is_ours, login *out) {
    line = trim(line);
    if (line[0] == '[') {
        *is_ours = strcmp(line, "[mlflow]") == 0;
        return;
    }
    char *sign = strpbrk(line, "=:");
    if (!*is_ours || line[0] == '#' || line[0] == ';' || !sign)
        return;
    *sign = '\0';
    const char *name = trim(line), *value = trim(sign + 1);
    if (strcasecmp(name, "mlflow_tracking_username") == 0 && !out->user)
        out->user = strdup(value);
    if (strcasecmp(name, "mlflow_tracking_password") == 0 && !out->password)
        out->password = strdup(value);
}

static void parse_file(char *text, login *out) {
    bool is_ours = false;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        take_line(line, &is_ours, out);
}

static ty_status check_mode(ty_ctx *ctx, const char *path) {
    struct stat info;
    TY_TRY(ty_file_stat(ctx, path, &info));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return ty_fail(ctx, TY_ERR_FAILED, "%s belongs to another user", path);
    if (info.st_mode & (S_IRWXG | S_IRWXO))
        return ty_fail(
            ctx, TY_ERR_FAILED,
            "%s may be read by others (mode %03o): `chmod 600` it, then change the password", path,
            (unsigned)(info.st_mode & 0777));
    return TY_OK;
}

static ty_status read_file(ty_ctx *ctx, login *out) {
    const char *home = ctx->getenv("HOME");
    if (!home || home[0] == '\0')
        return TY_OK;
    ty_arena arena = {0};
    ty_status st = TY_OK;
    char *text = NULL;
    size_t bytes = 0;
    const char *path = ty_path_join(&arena, home, ".mlflow/credentials");
    if (!path) {
        st = ty_fail_nomem(ctx, "the credentials' path");
    } else if (ty_file_exists(ctx, path)) {
        st = check_mode(ctx, path);
        if (st == TY_OK)
            st = ty_file_read_all(ctx, path, MOST_FILE, &text, &bytes);
    }
    if (st == TY_OK && text)
        parse_file(text, out);
    if (text)
        explicit_bzero(text, bytes);
    free(text);
    ty_arena_clear(&arena);
    return st;
}

/* --- the variables --- */

static const char *variable(ty_ctx *ctx, const char *name) {
    const char *value = ctx->getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

static ty_status copy_variable(ty_ctx *ctx, const char *name, char **out) {
    const char *value = variable(ctx, name);
    *out = value ? strdup(value) : NULL;
    return value && !*out ? ty_fail_nomem(ctx, name) : TY_OK;
}

static ty_status read_variables(ty_ctx *ctx, login *out) {
    TY_TRY(copy_variable(ctx, "MLFLOW_TRACKING_USERNAME", &out->user));
    TY_TRY(copy_variable(ctx, "MLFLOW_TRACKING_PASSWORD", &out->password));
    return copy_variable(ctx, "MLFLOW_TRACKING_TOKEN", &out->token);
}

void ty_mlflow_guard_secrets(ty_ctx *ctx) {
    static const char *const names[] = {"MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
                                        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (variable(ctx, names[i]))
            ty_secret_forbid_core();
}

static bool is_true(const char *text) {
    return text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static ty_status read_pem(ty_ctx *ctx, const char *name, char **out) {
    TY_TRY(copy_variable(ctx, name, out));
    if (*out && !ty_file_exists(ctx, *out))
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s names \"%s\", and there is no such file", name,
                       *out);
    return TY_OK;
}

static bool is_header_text(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static ty_status read_workspace(ty_ctx *ctx, ty_credentials *out) {
    TY_TRY(copy_variable(ctx, "MLFLOW_WORKSPACE", &out->workspace));
    if (out->workspace && (!is_header_text(out->workspace) || strlen(out->workspace) > 63))
        return ty_fail(
            ctx, TY_ERR_ARG,
            "MLFLOW_WORKSPACE is no workspace's name: want at most 63 printed characters");
    return TY_OK;
}

static ty_status read_tls(ty_ctx *ctx, ty_credentials *out) {
    out->is_insecure = is_true(variable(ctx, "MLFLOW_TRACKING_INSECURE_TLS"));
    TY_TRY(read_pem(ctx, "MLFLOW_TRACKING_SERVER_CERT_PATH", &out->ca_file));
    TY_TRY(read_pem(ctx, "MLFLOW_TRACKING_CLIENT_CERT_PATH", &out->client_cert));
    if (out->is_insecure && out->ca_file)
        return ty_fail(ctx, TY_ERR_ARG,
                       "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both "
                       "set: check the certificate, or do not");
    return TY_OK;
}

/* --- the header --- */

static char *base64(const char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t length = strlen(text);
    char *out = malloc((length + 2) / 3 * 4 + 1), *to = out;
    for (size_t i = 0; out && i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t bits = (uint32_t)(unsigned char)text[i] << 16 |
                              (left > 1 ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)(unsigned char)text[i + 2] : 0);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[bits & 63] : '=';
    }
    if (out)
        *to = '\0';
    return out;
}

static char *concatenate(const char *a, const char *b, const char *c) {
    const size_t bytes = strlen(a) + strlen(b) + strlen(c) + 1;
    char *out = malloc(bytes);
    if (out)
        (void)snprintf(out, bytes, "%s%s%s", a, b, c);
    return out;
}

static char *basic_header(const login *l) {
    char *pair = concatenate(l->user, ":", l->password);
    char *digits = pair ? base64(pair) : NULL;
    char *header = digits ? concatenate("Authorization: Basic ", digits, "") : NULL;
    ty_secret_free(pair);
    ty_secret_free(digits);
    return header;
}

static ty_status make_header(ty_ctx *ctx, const login *l, ty_credentials *out) {
    const char *token = has_pair(l) ? NULL : l->token;
    if (!has_pair(l) && !token)
        return TY_OK;
    if (token && !is_header_text(token))
        return ty_fail(ctx, TY_ERR_ARG,
                       "MLFLOW_TRACKING_TOKEN has a control character (a line's end?) in it");
    out->authorization = token ? concatenate("Authorization: Bearer ", token, "") : basic_header(l);
    if (!out->authorization)
        return ty_fail_nomem(ctx, "the credentials");
    ty_secret_forbid_core();
    return TY_OK;
}

/* --- all of it --- */

static ty_status find_login(ty_ctx *ctx, login *l) {
    if (l->user && !l->password)
        l->password = strdup("");
    if (has_pair(l))
        return TY_OK;
    clear_login(l);
    TY_TRY(read_variables(ctx, l));
    return has_pair(l) || l->token ? TY_OK : read_file(ctx, l);
}

ty_status ty_credentials_open(ty_ctx *ctx, const char *uri, ty_credentials *out) {
    *out = (ty_credentials){0};
    login l = {0};
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, read_uri(ctx, uri, &out->base, &l));
    TY_TRY_GOTO(done, st, find_login(ctx, &l));
    TY_TRY_GOTO(done, st, make_header(ctx, &l, out));
    TY_TRY_GOTO(done, st, read_workspace(ctx, out));
    TY_TRY_GOTO(done, st, read_tls(ctx, out));
done:
    clear_login(&l);
    if (st != TY_OK)
        ty_credentials_close(out);
    return st;
}

void ty_credentials_close(ty_credentials *credentials) {
    free(credentials->base);
    ty_secret_free(credentials->authorization);
    free(credentials->workspace);
    free(credentials->ca_file);
    free(credentials->client_cert);
    *credentials = (ty_credentials){0};
}
