/* Artifacts straight in an S3 store: requests signed by libcurl (AWS Signature Version 4), keys and
 * endpoint from the AWS_* and MLFLOW_* variables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"
#include "tracking/client/s3_listing.h"

enum { MOST_HEADERS = 4 };

#define MOST_PUT (INT64_C(5) * 1024 * 1024 * 1024)

/* Everything that a request to one bucket needs. */
typedef struct s3_place {
    ty_text bucket_url; /* without a slash at the end */
    ty_text key;        /* of the file or folder meant */
    ty_text sigv4, token_header;
    char *user; /* "KEY:SECRET"; secret, as is token_header */
    bool is_endpoint_ours;
} s3_place;

static void wipe_text(ty_text *text) {
    if (text->data)
        explicit_bzero(text->data, text->capacity);
    ty_text_clear(text);
}

static void clear_place(s3_place *place) {
    ty_text_clear(&place->bucket_url);
    ty_text_clear(&place->key);
    ty_text_clear(&place->sigv4);
    wipe_text(&place->token_header);
    ty_secret_free(place->user);
}

static const char *variable(ty_ctx *ctx, const char *name, const char *or_else) {
    const char *value = ctx->getenv(name);
    return value && value[0] != '\0' ? value : or_else;
}

/* --- whose keys --- */

static bool is_plain_word(const char *text) {
    for (; *text != '\0'; text++)
        if (*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static ty_status read_keys(ty_ctx *ctx, ty_mlflow *m, s3_place *place) {
    const char *id = variable(ctx, "AWS_ACCESS_KEY_ID", NULL);
    const char *secret = variable(ctx, "AWS_SECRET_ACCESS_KEY", NULL);
    const char *token = variable(ctx, "AWS_SESSION_TOKEN", NULL);
    if (!id || !secret)
        return mlflow_check(ctx, m, "this experiment's artifacts lie in S3",
                            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set (or start the "
                            "server with --serve-artifacts, so that it passes them on)");
    if (!is_plain_word(id) || strchr(id, ':') || !is_plain_word(secret) ||
        (token && !is_plain_word(token)))
        return mlflow_check(ctx, m, "the AWS_* variables",
                            "a key or token has a space or control character in it");
    if (token)
        ty_text_addf(&place->token_header, "x-amz-security-token: %s", token);
    const size_t bytes = strlen(id) + strlen(secret) + 2;
    place->user = malloc(bytes);
    if (!place->user || place->token_header.is_short)
        return ty_fail_nomem(ctx, "the S3 keys");
    (void)snprintf(place->user, bytes, "%s:%s", id, secret);
    ty_secret_forbid_core();
    return TY_OK;
}

/* --- where --- */

static bool is_region(const char *text) {
    const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && length < 40 && text[length] == '\0';
}

static bool is_bucket(const char *text, size_t length) {
    return length >= 3 && length <= 63 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ") >=
               length;
}

static void add_bucket_url(s3_place *place, const char *endpoint, const char *region,
                           const char *bucket, int length) {
    if (endpoint) {
        size_t bytes = strlen(endpoint);
        while (bytes > 0 && endpoint[bytes - 1] == '/')
            bytes--;
        ty_text_addf(&place->bucket_url, "%.*s/%.*s", (int)bytes, endpoint, length, bucket);
    } else if (memchr(bucket, '.', (size_t)length)) {
        /* A name with dots is not covered by the certificate of *.s3... */
        ty_text_addf(&place->bucket_url, "https://s3.%s.amazonaws.com/%.*s", region, length,
                     bucket);
    } else {
        ty_text_addf(&place->bucket_url, "https://%.*s.s3.%s.amazonaws.com", length, bucket,
                     region);
    }
}

static void add_key(s3_place *place, const char *prefix, const char *path) {
    size_t length = strlen(prefix);
    while (length > 0 && prefix[length - 1] == '/')
        length--;
    ty_text_add_n(&place->key, prefix, length);
    if (length > 0 && path[0] != '\0')
        ty_text_add(&place->key, "/");
    ty_text_add(&place->key, path);
}

static const char *find_endpoint(ty_ctx *ctx) {
    const char *endpoint = variable(ctx, "AWS_ENDPOINT_URL", NULL);
    endpoint = variable(ctx, "AWS_ENDPOINT_URL_S3", endpoint);
    return variable(ctx, "MLFLOW_S3_ENDPOINT_URL", endpoint);
}

static ty_status find_bucket(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                             s3_place *place) {
    const char *region = variable(ctx, "AWS_REGION", "us-east-1");
    region = variable(ctx, "AWS_DEFAULT_REGION", region);
    const char *endpoint = find_endpoint(ctx);
    const char *bucket = root + strlen("s3://");
    const size_t length = strcspn(bucket, "/");
    const char *slip = NULL;
    if (!is_region(region))
        slip = "AWS_DEFAULT_REGION is no region's name";
    else if (endpoint && (!ty_mlflow_is_server(endpoint) || !is_plain_word(endpoint)))
        slip = "MLFLOW_S3_ENDPOINT_URL is no http:// or https:// URL";
    else if (!is_bucket(bucket, length))
        slip = "the server names a bucket that is none";
    TY_TRY(mlflow_check(ctx, m, "this experiment's artifacts lie in S3", slip));
    add_bucket_url(place, endpoint, region, bucket, (int)length);
    add_key(place, bucket + length + strspn(bucket + length, "/"), path);
    ty_text_addf(&place->sigv4, "aws:amz:%s:s3", region);
    if (place->bucket_url.is_short || place->key.is_short || place->sigv4.is_short)
        return ty_fail_nomem(ctx, "an S3 place");
    const char *key = ty_text_string(&place->key);
    return mlflow_check(ctx, m, "this experiment's artifacts lie in S3",
                        key[0] != '\0' && mlflow_path_slip(key) ? "and at no safe path" : NULL);
}

static ty_status open_place(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                            s3_place *place) {
    TY_TRY(read_keys(ctx, m, place));
    return find_bucket(ctx, m, root, path, place);
}

/* --- requests --- */

/* The request but for its method, URL and body. sha256: of the body, 64 digits. */
static void sign(const s3_place *place, const char *headers[MOST_HEADERS],
                 const char *sha256_header, ty_http_request *request) {
    request->headers = headers;
    headers[request->n_headers++] = sha256_header;
    if (place->token_header.length > 0)
        request->secret_header = ty_text_string(&place->token_header);
    request->sigv4 = ty_text_string(&place->sigv4);
    request->sigv4_user = place->user;
}

#define SHA256_HEADER "x-amz-content-sha256: "
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static ty_status get(ty_ctx *ctx, ty_mlflow *m, const s3_place *place, const char *url,
                     const mlflow_transfer *like, ty_http_reply *reply) {
    const char *headers[MOST_HEADERS];
    mlflow_transfer transfer = *like;
    transfer.is_foreign = true;
    transfer.request.method = "GET";
    transfer.request.url = url;
    sign(place, headers, SHA256_HEADER SHA256_OF_NOTHING, &transfer.request);
    return mlflow_transfer_send(ctx, m, &transfer, reply);
}

static ty_status add_file_url(ty_ctx *ctx, const s3_place *place, ty_text *url) {
    ty_text_addf(url, "%s/", ty_text_string(&place->bucket_url));
    ty_http_add_encoded(url, ty_text_string(&place->key), true);
    return url->is_short ? ty_fail_nomem(ctx, "a URL") : TY_OK;
}

/* --- listing --- */

/* In the order that the signature wants: sorted by name, each with a value. */
static ty_status add_list_url(ty_ctx *ctx, const s3_place *place, const char *token, ty_text *url) {
    ty_text prefix = {0};
    ty_text_add(&prefix, ty_text_string(&place->key));
    if (prefix.length > 0)
        ty_text_add(&prefix, "/");
    ty_text_addf(url, "%s/?", ty_text_string(&place->bucket_url));
    if (token[0] != '\0')
        mlflow_add_query(url, "continuation-token", token);
    mlflow_add_query(url, "delimiter", "/");
    mlflow_add_query(url, "list-type", "2");
    mlflow_add_query(url, "prefix", ty_text_string(&prefix));
    const bool is_short = prefix.is_short || url->is_short;
    ty_text_clear(&prefix);
    return is_short ? ty_fail_nomem(ctx, "a URL") : TY_OK;
}

typedef struct s3_reading {
    ty_ctx *ctx;
    ty_arena *arena;
    const char *folder; /* the caller's path */
    mlflow_list files;
    ty_status st;
} s3_reading;

/* An entry of the listing, its key with the folder in front (and a slash behind, for folders). */
static void take_entry(void *self, const char *key, bool is_folder, int64_t bytes) {
    s3_reading *r = self;
    size_t end = strlen(key);
    while (end > 0 && key[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && key[begin - 1] != '/')
        begin--;
    char *name = ty_arena_string_n(r->arena, key + begin, end - begin);
    if (r->st != TY_OK || (name && mlflow_path_slip(name)) || (!is_folder && key[end] == '/'))
        return;
    const ty_mlflow_file file = {.path = !name ? NULL
                                         : r->folder[0] != '\0'
                                             ? ty_path_join(r->arena, r->folder, name)
                                             : name,
                                 .is_folder = is_folder,
                                 .bytes = bytes};
    r->st = file.path ? mlflow_list_add(r->ctx, &r->files, &file, sizeof file)
                      : ty_fail_nomem(r->ctx, "a listing");
}

/* token: in, of this page; out, of the next one. */
static ty_status list_page(s3_reading *r, ty_mlflow *m, const s3_place *place, const char *what,
                           ty_text *token) {
    ty_text url = {0};
    ty_http_reply reply = {0};
    ty_status st = add_list_url(r->ctx, place, ty_text_string(token), &url);
    if (st == TY_OK)
        st = get(r->ctx, m, place, ty_text_string(&url), &(mlflow_transfer){.what = what}, &reply);
    ty_text_clear(token);
    if (st == TY_OK &&
        !ty_s3_read_listing(ty_text_string(&reply.body), reply.body.length, take_entry, r, token))
        st = ty_fail(r->ctx, TY_ERR_FAILED, "%s: the answer is no listing of an S3 store", what);
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    return st != TY_OK ? st : r->st;
}

static ty_status list(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                      ty_arena *arena, ty_mlflow_files *out) {
    char what[MLFLOW_WHAT];
    s3_place place = {0};
    ty_text token = {0};
    s3_reading r = {.ctx = ctx, .arena = arena, .folder = path};
    mlflow_say(what, "listing artifacts", path);
    ty_status st = open_place(ctx, m, root, path, &place);
    for (int64_t pages = 0; st == TY_OK && (pages == 0 || token.length > 0); pages++)
        st = pages < MLFLOW_MOST_PAGES
                 ? list_page(&r, m, &place, what, &token)
                 : ty_fail(ctx, TY_ERR_FAILED, "%s: the store's pages do not end", what);
    ty_text_clear(&token);
    clear_place(&place);
    const void *v = NULL;
    const int64_t n = r.files.n;
    const ty_status finished = mlflow_list_finish(ctx, &r.files, sizeof *out->v, arena, &v);
    *out = (ty_mlflow_files){.v = v, .n = v ? n : 0};
    return st != TY_OK ? st : finished;
}

/* --- files --- */

static ty_status put(ty_ctx *ctx, ty_mlflow *m, const s3_place *place, const char *what,
                     const char *url, const mlflow_local_file *file) {
    uint8_t digest[TY_SHA256_BYTES];
    char header[sizeof SHA256_HEADER + TY_SHA256_HEX] = SHA256_HEADER;
    const char *headers[MOST_HEADERS];
    mlflow_transfer like = {.request = {.url = url}, .what = what, .is_foreign = true};
    /* The store compares it with what arrived. */
    TY_TRY(ty_sha256_of_file(ctx, file->path, digest));
    ty_sha256_to_hex(digest, header + sizeof SHA256_HEADER - 1);
    sign(place, headers, header, &like.request);
    return mlflow_put_file(ctx, m, &like, file);
}

static ty_status upload(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                        const mlflow_local_file *file) {
    char what[MLFLOW_WHAT];
    s3_place place = {0};
    ty_text url = {0};
    mlflow_say(what, "uploading", path);
    TY_TRY(mlflow_check(ctx, m, what,
                        file->bytes <= MOST_PUT
                            ? NULL
                            : "a file of more than 5 GiB goes into S3 through a "
                              "server with --serve-artifacts only"));
    ty_status st = open_place(ctx, m, root, path, &place);
    if (st == TY_OK)
        st = add_file_url(ctx, &place, &url);
    if (st == TY_OK)
        st = put(ctx, m, &place, what, ty_text_string(&url), file);
    ty_text_clear(&url);
    clear_place(&place);
    return st;
}

static ty_status download(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                          const mlflow_local_file *to) {
    char what[MLFLOW_WHAT];
    s3_place place = {0};
    ty_text url = {0};
    ty_http_reply reply = {0};
    mlflow_local_file file = *to;
    mlflow_say(what, "downloading", path);
    ty_status st = open_place(ctx, m, root, path, &place);
    if (st == TY_OK)
        st = add_file_url(ctx, &place, &url);
    if (st == TY_OK)
        st = get(ctx, m, &place, ty_text_string(&url),
                 &(mlflow_transfer){.request = {.reply_path = file.path, .reply_fd = file.fd},
                                    .what = what,
                                    .rewind = mlflow_empty_file,
                                    .self = &file},
                 &reply);
    ty_http_reply_clear(&reply);
    ty_text_clear(&url);
    clear_place(&place);
    return st;
}

static const char *const schemes[] = {"s3://", NULL};

const mlflow_store mlflow_store_s3 = {
    .schemes = schemes, .list = list, .upload = upload, .download = download};
