/* Artifacts: finds the store that a root names, checks names, and keeps half a download from being
 * taken for a whole one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tracking/client/mlflow_private.h"

static const mlflow_store *const stores[] = {&mlflow_store_proxy, &mlflow_store_s3,
                                             &mlflow_store_local};

static bool has_scheme(const mlflow_store *store, const char *root) {
    for (const char *const *scheme = store->schemes; *scheme; scheme++)
        if (strncasecmp(root, *scheme, strlen(*scheme)) == 0)
            return true;
    return false;
}

static ty_status find_store(ty_ctx *ctx, ty_mlflow *m, const char *root, const mlflow_store **out) {
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        if (has_scheme(stores[i], root)) {
            *out = stores[i];
            return TY_OK;
        }
    }
    m->trouble = (ty_mlflow_trouble){.is_refused_unsent = true};
    return ty_fail(
        ctx, TY_ERR_ARG,
        "artifacts of this experiment lie at \"%.60s...\", and only mlflow-artifacts:, s3: "
        "and local folders can be reached: start the server with --serve-artifacts, so that "
        "it passes them on",
        root);
}

static ty_status check_path(ty_ctx *ctx, ty_mlflow *m, const char *path) {
    const char *slip = mlflow_path_slip(path);
    if (!slip)
        return TY_OK;
    m->trouble = (ty_mlflow_trouble){.is_refused_unsent = true};
    return ty_fail(ctx, TY_ERR_ARG, "artifact name \"%.200s\" %s", path ? path : "", slip);
}

ty_status ty_mlflow_list_files(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                               ty_arena *arena, ty_mlflow_files *out) {
    const mlflow_store *store = NULL;
    *out = (ty_mlflow_files){0};
    TY_TRY(find_store(ctx, m, root, &store));
    if (path && path[0] != '\0')
        TY_TRY(check_path(ctx, m, path));
    return store->list(ctx, m, root, path ? path : "", arena, out);
}

/* Its size at the store; -1: there is no such file. */
static ty_status find_size(ty_ctx *ctx, ty_mlflow *m, const mlflow_store *store, const char *root,
                           const char *path, int64_t *out) {
    ty_arena arena = {0};
    ty_mlflow_files files = {0};
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? ty_arena_string_n(&arena, path, (size_t)(slash - path)) : "";
    ty_status st = folder ? store->list(ctx, m, root, folder, &arena, &files)
                          : ty_fail_nomem(ctx, "an artifact's folder");
    *out = -1;
    for (int64_t i = 0; i < files.n; i++)
        if (!files.v[i].is_folder && strcmp(files.v[i].path, path) == 0)
            *out = files.v[i].bytes;
    ty_arena_clear(&arena);
    return st;
}

static ty_status check_size(ty_ctx *ctx, ty_mlflow *m, const mlflow_store *store, const char *root,
                            const char *path, int64_t want) {
    int64_t size = 0;
    TY_TRY(find_size(ctx, m, store, root, path, &size));
    if (size == want)
        return TY_OK;
    if (size < 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "uploading \"%.200s\": the store took it and does not list it", path);
    return ty_fail(ctx, TY_ERR_INTEGRITY,
                   "uploading \"%.200s\": the store has %lld bytes of it, want %lld", path,
                   (long long)size, (long long)want);
}

ty_status mlflow_open_local(ty_ctx *ctx, const char *path, mlflow_local_file *out) {
    struct stat info;
    *out = (mlflow_local_file){.path = path, .fd = -1};
    TY_TRY(ty_file_open(ctx, path, O_RDONLY, 0, &out->fd));
    ty_status st = ty_file_stat_fd(ctx, path, out->fd, &info);
    if (st == TY_OK && !S_ISREG(info.st_mode))
        st = ty_fail(ctx, TY_ERR_IO, "uploading %s: it is no regular file", path);
    out->bytes = info.st_size;
    if (st != TY_OK)
        (void)ctx->io->close(ctx->io->self, out->fd);
    return st;
}

ty_status mlflow_put_file(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *like,
                          const mlflow_local_file *file) {
    mlflow_transfer transfer = *like;
    ty_http_reply reply = {0};
    transfer.request.method = "PUT";
    transfer.request.body_path = file->path;
    transfer.request.body_fd = file->fd;
    transfer.request.body_bytes = file->bytes;
    const ty_status st = mlflow_transfer_send(ctx, m, &transfer, &reply);
    ty_http_reply_clear(&reply);
    return st;
}

ty_status ty_mlflow_upload(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                           const char *local_path) {
    const mlflow_store *store = NULL;
    mlflow_local_file file;
    TY_TRY(find_store(ctx, m, root, &store));
    TY_TRY(check_path(ctx, m, path));
    TY_TRY(mlflow_open_local(ctx, local_path, &file));
    ty_status st = store->upload(ctx, m, root, path, &file);
    (void)ctx->io->close(ctx->io->self, file.fd);
    return st == TY_OK ? check_size(ctx, m, store, root, path, file.bytes) : st;
}

static ty_status fill(ty_ctx *ctx, ty_mlflow *m, const mlflow_store *store, const char *root,
                      const char *path, const mlflow_local_file *to) {
    int64_t want = 0;
    struct stat info;
    /* Servers answer 500 for a file that is missing, and half a file without a word. */
    TY_TRY(find_size(ctx, m, store, root, path, &want));
    if (want < 0)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "downloading \"%.200s\": there is no such artifact",
                       path);
    TY_TRY(store->download(ctx, m, root, path, to));
    TY_TRY(ty_file_stat_fd(ctx, to->path, to->fd, &info));
    if (info.st_size != want)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "downloading \"%.200s\": %lld bytes came, want %lld",
                       path, (long long)info.st_size, (long long)want);
    return ty_file_sync(ctx, to->path, to->fd);
}

ty_status ty_mlflow_download(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                             const char *local_path) {
    const mlflow_store *store = NULL;
    TY_TRY(find_store(ctx, m, root, &store));
    TY_TRY(check_path(ctx, m, path));
    ty_arena arena = {0};
    char *temp = NULL;
    int fd = -1;
    ty_status st = ty_file_open_temp(ctx, local_path, &arena, &temp, &fd);
    if (st == TY_OK) {
        const mlflow_local_file to = {.path = temp, .fd = fd};
        st = fill(ctx, m, store, root, path, &to);
        (void)ctx->io->close(ctx->io->self, fd);
        if (st == TY_OK)
            st = ty_file_publish(ctx, temp, local_path);
        if (st != TY_OK)
            (void)ctx->io->unlink(ctx->io->self, temp);
    }
    ty_arena_clear(&arena);
    return st;
}
