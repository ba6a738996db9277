/* Uploads in parts: the server hands out signed URLs of the store behind it, the parts go straight
 * there, the server puts them together. */
#include <stdlib.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"

enum {
    PARTS_FROM = 100 * 1024 * 1024,
    PART_BYTES = 16 * 1024 * 1024,
    LEAST_PART = 5 * 1024 * 1024, /* S3's, for all but the last */
    MOST_PARTS = 9000,
    MOST_PART_HEADERS = 8
};

static int64_t bytes_of(ty_ctx *ctx, const char *name, int64_t least, int64_t or_else) {
    const char *text = ctx->getenv(name);
    char *end = NULL;
    if (!text || text[0] < '0' || text[0] > '9')
        return or_else;
    const long long bytes = strtoll(text, &end, 10);
    return *end != '\0' ? or_else : bytes < least ? least : bytes;
}

int64_t mlflow_parts_from(ty_ctx *ctx) {
    return bytes_of(ctx, "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", 1, PARTS_FROM);
}

typedef struct parts_upload {
    ty_ctx *ctx;
    ty_mlflow *m;
    const char *service, *what;
    ty_text folder; /* encoded, with a slash in front; "" for none */
    const char *name;
    const mlflow_local_file *file;
    int64_t part_bytes, n_parts;
    json_t *offer;    /* what create answered */
    ty_text finished; /* JSON of the parts sent so far */
} parts_upload;

static ty_status call(parts_upload *u, const char *verb, ty_text *body, json_t **out) {
    ty_text url = {0};
    ty_http_reply reply = {0};
    static const char *const headers[] = {"Content-Type: application/json"};
    ty_text_addf(&url, "%s/mpu/%s%s", u->service, verb, ty_text_string(&u->folder));
    ty_text_add(body, "}");
    const mlflow_transfer transfer = {.request = {.method = "POST",
                                                  .url = ty_text_string(&url),
                                                  .headers = headers,
                                                  .n_headers = 1,
                                                  .body = ty_text_string(body),
                                                  .body_bytes = (int64_t)body->length},
                                      .what = u->what};
    ty_status st = url.is_short || body->is_short
                       ? ty_fail_nomem(u->ctx, u->what)
                       : mlflow_transfer_send(u->ctx, u->m, &transfer, &reply);
    if (st == TY_OK && out)
        st = mlflow_parse(u->ctx, u->what, &reply.body, out);
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    ty_text_clear(body);
    return st;
}

static void begin_body(const parts_upload *u, ty_text *body) {
    ty_text_add(body, "{");
    mlflow_add_text(body, "path", u->name);
    mlflow_add_text(body, "upload_id", json_string_value(json_object_get(u->offer, "upload_id")));
}

/* Not offered: 501, or a server that is too old to know the call. */
static ty_status create(parts_upload *u, bool *is_offered) {
    ty_text body = {0};
    begin_body(u, &body);
    mlflow_add_integer(&body, "num_parts", u->n_parts);
    const ty_status st = call(u, "create", &body, &u->offer);
    *is_offered = st == TY_OK;
    const int status = u->m->trouble.http_status;
    if (st == TY_OK || (status != 501 && status != 404 && status != 405))
        return st;
    u->m->has_no_parts = true;
    return TY_OK;
}

/* --- one part --- */

static bool is_fit_url(const parts_upload *u, const char *url) {
    const bool was_secure = strncasecmp(u->service, "https:", 6) == 0;
    return url && (strncasecmp(url, "https://", 8) == 0 ||
                   (!was_secure && strncasecmp(url, "http://", 7) == 0));
}

static bool is_header(const char *name, const char *value) {
    for (const char *at = name; *at != '\0'; at++)
        if (*at <= ' ' || *at == ':' || (unsigned char)*at >= 0x7f)
            return false;
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            return false;
    return name[0] != '\0';
}

/* The headers that the signature covers; in arena. */
static ty_status read_headers(parts_upload *u, const json_t *credential, ty_arena *arena,
                              const char *out[MOST_PART_HEADERS], int64_t *n) {
    json_t *headers = json_object_get(credential, "headers");
    const char *name = NULL;
    json_t *value = NULL;
    *n = 0;
    json_object_foreach(headers, name, value) {
        const char *text = json_string_value(value);
        if (!text || !is_header(name, text) || *n == MOST_PART_HEADERS)
            return ty_fail(u->ctx, TY_ERR_FAILED, "%s: the server asks for headers that are none",
                           u->what);
        out[*n] = ty_arena_printf(arena, "%s: %s", name, text);
        if (!out[(*n)++])
            return ty_fail_nomem(u->ctx, u->what);
    }
    return TY_OK;
}

static void note_part(parts_upload *u, int64_t number, const char *etag, const char *url) {
    mlflow_add_comma(&u->finished);
    ty_text_add(&u->finished, "{");
    mlflow_add_integer(&u->finished, "part_number", number);
    mlflow_add_text(&u->finished, "etag", etag);
    mlflow_add_text(&u->finished, "url", url);
    ty_text_add(&u->finished, "}");
}

static ty_status send_part(parts_upload *u, int64_t i, ty_arena *arena) {
    const json_t *credential = json_array_get(json_object_get(u->offer, "credentials"), (size_t)i);
    const char *url = json_string_value(json_object_get(credential, "url"));
    const char *headers[MOST_PART_HEADERS];
    int64_t n_headers = 0;
    if (!is_fit_url(u, url))
        return ty_fail(u->ctx, TY_ERR_FAILED,
                       "%s: the server names no place for part %lld that may be sent to", u->what,
                       (long long)i + 1);
    TY_TRY(read_headers(u, credential, arena, headers, &n_headers));
    const int64_t offset = i * u->part_bytes, left = u->file->bytes - offset;
    ty_http_reply reply = {0};
    const mlflow_transfer transfer = {
        .request = {.method = "PUT",
                    .url = url,
                    .headers = headers,
                    .n_headers = n_headers,
                    .body_path = u->file->path,
                    .body_fd = u->file->fd,
                    .body_offset = offset,
                    .body_bytes = left < u->part_bytes ? left : u->part_bytes},
        .what = u->what,
        .is_foreign = true};
    const ty_status st = mlflow_transfer_send(u->ctx, u->m, &transfer, &reply);
    if (st == TY_OK)
        note_part(u, mlflow_integer(credential, "part_number"), reply.etag, url);
    ty_http_reply_clear(&reply);
    return st;
}

static ty_status send_parts(parts_upload *u) {
    const size_t offered = json_array_size(json_object_get(u->offer, "credentials"));
    if ((int64_t)offered != u->n_parts)
        return ty_fail(u->ctx, TY_ERR_FAILED, "%s: asked for %lld parts, the server offers %zu",
                       u->what, (long long)u->n_parts, offered);
    ty_arena arena = {0};
    ty_status st = TY_OK;
    for (int64_t i = 0; st == TY_OK && i < u->n_parts; i++)
        st = send_part(u, i, &arena);
    ty_arena_clear(&arena);
    return st;
}

static ty_status complete(parts_upload *u) {
    ty_text body = {0};
    begin_body(u, &body);
    ty_text_addf(&body, ",\"parts\":[%s]", ty_text_string(&u->finished));
    return u->finished.is_short ? ty_fail_nomem(u->ctx, u->what) : call(u, "complete", &body, NULL);
}

/* Parts that are never put together cost their owner money. */
static void give_up(parts_upload *u) {
    char why[TY_MESSAGE_BYTES];
    const ty_mlflow_trouble trouble = u->m->trouble;
    memcpy(why, u->ctx->message, sizeof why);
    ty_text body = {0};
    begin_body(u, &body);
    if (call(u, "abort", &body, NULL) != TY_OK)
        ty_log(u->ctx, TY_LOG_WARN, "tracking", "%s: its parts are left at the store: %s", u->what,
               u->ctx->message);
    memcpy(u->ctx->message, why, sizeof why);
    u->m->trouble = trouble;
}

ty_status mlflow_upload_parts(ty_ctx *ctx, ty_mlflow *m, const char *service, const char *path,
                              const mlflow_local_file *file, bool *is_offered) {
    char what[MLFLOW_WHAT];
    const char *slash = strrchr(path, '/');
    const int64_t fewest = (file->bytes + MOST_PARTS - 1) / MOST_PARTS;
    const int64_t wanted =
        bytes_of(ctx, "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", LEAST_PART, PART_BYTES);
    parts_upload u = {.ctx = ctx,
                      .m = m,
                      .service = service,
                      .what = what,
                      .name = slash ? slash + 1 : path,
                      .file = file,
                      .part_bytes = fewest > wanted ? fewest : wanted};
    u.n_parts = (file->bytes + u.part_bytes - 1) / u.part_bytes;
    mlflow_say(what, "uploading in parts", u.name);
    if (slash) {
        char *folder = strndup(path, (size_t)(slash - path));
        ty_text_add(&u.folder, "/");
        if (folder)
            ty_http_add_encoded(&u.folder, folder, true);
        u.folder.is_short = u.folder.is_short || !folder;
        free(folder);
    }
    ty_status st = u.folder.is_short ? ty_fail_nomem(ctx, what) : create(&u, is_offered);
    if (st == TY_OK && *is_offered) {
        st = send_parts(&u);
        if (st == TY_OK)
            st = complete(&u);
        if (st != TY_OK)
            give_up(&u);
    }
    json_decref(u.offer);
    ty_text_clear(&u.finished);
    ty_text_clear(&u.folder);
    return st;
}
