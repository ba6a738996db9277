/* Artifacts that the tracking server passes on: mlflow-artifacts: and its spelling as a URL. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tracking/client/mlflow_private.h"

#define SERVICE "/api/2.0/mlflow-artifacts"
#define ANCHOR "/mlflow-artifacts/artifacts"

/* Where a root leads: the server's artifact service and the path from the store's root. */
typedef struct proxy_place {
    ty_text service, path;
} proxy_place;

static void clear_place(proxy_place *place) {
    ty_text_clear(&place->service);
    ty_text_clear(&place->path);
}

static ty_status refuse_place(ty_ctx *ctx, ty_mlflow *m, const char *why) {
    m->trouble = (ty_mlflow_trouble){.is_refused_unsent = true};
    return ty_fail(ctx, TY_ERR_FAILED, "artifacts are said to lie %s, and nothing is sent there",
                   why);
}

/* scheme://host[:port] of the tracking URI with another host in it; does it lead to the same? */
static bool is_same_host(const ty_mlflow *m, const char *host, size_t length) {
    ty_text url = {0};
    const char *colon = strstr(m->credentials.base, "://");
    ty_text_add_n(&url, m->credentials.base, (size_t)(colon - m->credentials.base) + 3);
    ty_text_add_n(&url, host, length);
    const bool is_same =
        !url.is_short && ty_http_is_same_origin(m->credentials.base, ty_text_string(&url));
    ty_text_clear(&url);
    return is_same;
}

/* mlflow-artifacts:/path or mlflow-artifacts://host:port/path */
static ty_status place_of_scheme(ty_ctx *ctx, ty_mlflow *m, const char *rest, proxy_place *out) {
    if (strncmp(rest, "//", 2) == 0) {
        const size_t length = strcspn(rest + 2, "/");
        if (length > 0 && !is_same_host(m, rest + 2, length))
            return refuse_place(ctx, m, "behind another server");
        rest += 2 + length;
    }
    ty_text_addf(&out->service, "%s%s", m->credentials.base, SERVICE);
    ty_text_add(&out->path, rest);
    return TY_OK;
}

/* http(s)://.../mlflow-artifacts/artifacts/path */
static ty_status place_of_url(ty_ctx *ctx, ty_mlflow *m, const char *root, proxy_place *out) {
    const char *anchor = strstr(root, ANCHOR);
    if (!anchor || !ty_http_is_same_origin(m->credentials.base, root))
        return refuse_place(ctx, m, "behind another server");
    ty_text_add_n(&out->service, root, (size_t)(anchor - root) + strlen("/mlflow-artifacts"));
    ty_text_add(&out->path, anchor + strlen(ANCHOR));
    return TY_OK;
}

static void trim_slashes(ty_text *path) {
    size_t first = strspn(ty_text_string(path), "/");
    if (path->length > 0)
        memmove(path->data, path->data + first, path->length + 1 - first);
    path->length -= first;
    while (path->length > 0 && path->data[path->length - 1] == '/')
        path->data[--path->length] = '\0';
}

static ty_status find_place(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                            proxy_place *out) {
    static const char scheme[] = "mlflow-artifacts:";
    const size_t length = sizeof scheme - 1;
    TY_TRY(strncasecmp(root, scheme, length) == 0 ? place_of_scheme(ctx, m, root + length, out)
                                                  : place_of_url(ctx, m, root, out));
    trim_slashes(&out->path);
    if (path[0] != '\0')
        ty_text_addf(&out->path, "%s%s", out->path.length > 0 ? "/" : "", path);
    if (out->service.is_short || out->path.is_short)
        return ty_fail_nomem(ctx, "an artifact's path");
    const char *whole = ty_text_string(&out->path);
    return whole[0] != '\0' && mlflow_path_slip(whole) ? refuse_place(ctx, m, "at no safe path")
                                                       : TY_OK;
}

static ty_status add_file_url(ty_ctx *ctx, const proxy_place *place, ty_text *url) {
    ty_text_addf(url, "%s/artifacts/", ty_text_string(&place->service));
    ty_http_add_encoded(url, ty_text_string(&place->path), true);
    return url->is_short ? ty_fail_nomem(ctx, "a URL") : TY_OK;
}

/* --- listing --- */

static ty_status read_listing(ty_ctx *ctx, const json_t *answer, const char *folder,
                              ty_arena *arena, ty_mlflow_files *out) {
    const json_t *array = json_object_get(answer, "files");
    const size_t n = json_array_size(array);
    ty_mlflow_file *v = n > 0 ? ty_arena_array(arena, n, sizeof *v) : NULL;
    if (n > 0 && !v)
        return ty_fail_nomem(ctx, "a listing");
    *out = (ty_mlflow_files){.v = v};
    for (size_t i = 0; i < n; i++) {
        if (mlflow_read_file(arena, json_array_get(array, i), folder, &v[out->n]))
            out->n++;
        else
            ty_log(ctx, TY_LOG_WARN, "tracking",
                   "the server lists an artifact in \"%.200s\" with a name that is none; left out",
                   folder);
    }
    return TY_OK;
}

static ty_status list(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                      ty_arena *arena, ty_mlflow_files *out) {
    char what[MLFLOW_WHAT];
    proxy_place place = {0};
    ty_text url = {0};
    ty_http_reply reply = {0};
    json_t *answer = NULL;
    ty_status st = TY_OK;
    mlflow_say(what, "listing artifacts", path);
    TY_TRY_GOTO(done, st, find_place(ctx, m, root, path, &place));
    ty_text_addf(&url, "%s/artifacts?", ty_text_string(&place.service));
    mlflow_add_query(&url, "path", ty_text_string(&place.path));
    const mlflow_transfer transfer = {.request = {.method = "GET", .url = ty_text_string(&url)},
                                      .what = what};
    TY_TRY_GOTO(done, st,
                url.is_short ? ty_fail_nomem(ctx, what)
                             : mlflow_transfer_send(ctx, m, &transfer, &reply));
    TY_TRY_GOTO(done, st, mlflow_parse(ctx, what, &reply.body, &answer));
    st = read_listing(ctx, answer, path, arena, out);
done:
    json_decref(answer);
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    clear_place(&place);
    return st;
}

/* --- uploading --- */

static ty_status put(ty_ctx *ctx, ty_mlflow *m, const char *what, const char *url,
                     const mlflow_local_file *file) {
    static const char *const headers[] = {"Content-Type: application/octet-stream"};
    const mlflow_transfer like = {.request = {.url = url, .headers = headers, .n_headers = 1},
                                  .what = what};
    return mlflow_put_file(ctx, m, &like, file);
}

static ty_status upload(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                        const mlflow_local_file *file) {
    char what[MLFLOW_WHAT];
    proxy_place place = {0};
    ty_text url = {0};
    bool is_offered = false;
    ty_status st = TY_OK;
    mlflow_say(what, "uploading", path);
    TY_TRY(mlflow_check(ctx, m, what, mlflow_proxy_slip(path)));
    TY_TRY_GOTO(done, st, find_place(ctx, m, root, path, &place));
    TY_TRY_GOTO(done, st, add_file_url(ctx, &place, &url));
    if (file->bytes >= mlflow_parts_from(ctx) && !m->has_no_parts)
        TY_TRY_GOTO(done, st,
                    mlflow_upload_parts(ctx, m, ty_text_string(&place.service),
                                        ty_text_string(&place.path), file, &is_offered));
    if (!is_offered)
        st = put(ctx, m, what, ty_text_string(&url), file);
done:
    ty_text_clear(&url);
    clear_place(&place);
    return st;
}

/* --- downloading --- */

ty_status mlflow_empty_file(ty_ctx *ctx, void *self) {
    const mlflow_local_file *file = self;
    if (ctx->io->ftruncate(ctx->io->self, file->fd, 0) != 0 || lseek(file->fd, 0, SEEK_SET) != 0)
        return ty_fail_errno(ctx, errno, "writing %s again", file->path);
    return TY_OK;
}

static ty_status download(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                          const mlflow_local_file *to) {
    char what[MLFLOW_WHAT];
    proxy_place place = {0};
    ty_text url = {0};
    ty_http_reply reply = {0};
    mlflow_local_file file = *to;
    ty_status st = TY_OK;
    mlflow_say(what, "downloading", path);
    TY_TRY_GOTO(done, st, find_place(ctx, m, root, path, &place));
    TY_TRY_GOTO(done, st, add_file_url(ctx, &place, &url));
    const mlflow_transfer transfer = {.request = {.method = "GET",
                                                  .url = ty_text_string(&url),
                                                  .reply_path = file.path,
                                                  .reply_fd = file.fd},
                                      .what = what,
                                      .rewind = mlflow_empty_file,
                                      .self = &file};
    st = mlflow_transfer_send(ctx, m, &transfer, &reply);
done:
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    clear_place(&place);
    return st;
}

static const char *const schemes[] = {"mlflow-artifacts:", "http://", "https://", NULL};

const mlflow_store mlflow_store_proxy = {
    .schemes = schemes, .list = list, .upload = upload, .download = download};
