/* Artifact roots that are folders: right where the server and this program see the same files, and
 * else the classic slip of a server set up without --serve-artifacts. */
#include <string.h>

#include "tracking/artifact.h"
#include "tracking/client/mlflow_private.h"

/* The folder that a root names; in arena. */
static ty_status folder_of(ty_ctx *ctx, const char *root, ty_arena *arena, const char **out) {
    const char *path = root;
    if (strncasecmp(root, "file:", 5) == 0) {
        path = root + 5;
        path += strncmp(path, "//localhost/", 12) == 0 ? 11 : strncmp(path, "///", 3) == 0 ? 2 : 0;
    }
    if (path[0] != '/' || path[1] == '/' || path[1] == '\0' || !ty_artifact_name_is_safe(path + 1))
        return ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" is no absolute path of a folder", root);
    *out = ty_arena_string(arena, path);
    return *out ? TY_OK : ty_fail_nomem(ctx, "an artifact's folder");
}

/* What was there before the server made ids up: above <experiment>/<run>/artifacts, or above
 * <experiment>/models/<model>/artifacts. */
static char *given_part(ty_arena *arena, const char *folder) {
    char *path = ty_path_folder(arena, folder);
    path = path ? ty_path_folder(arena, path) : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (slash && strcmp(slash, "/models") == 0)
        path = ty_path_folder(arena, path);
    return path ? ty_path_folder(arena, path) : NULL;
}

/* Uploading to a folder: only where the server's administrator and we mean the same disk. */
static ty_status check_folder(ty_ctx *ctx, ty_mlflow *m, const char *folder, ty_arena *arena) {
    const char *name = strrchr(folder, '/');
    const char *given = given_part(arena, folder);
    if (!given)
        return ty_fail_nomem(ctx, "an artifact's folder");
    const bool is_here = ty_file_exists(ctx, folder) || ty_file_exists(ctx, given);
    if (strcmp(name, "/artifacts") == 0 && strcmp(given, "/") != 0 && is_here)
        return TY_OK;
    m->trouble = (ty_mlflow_trouble){.is_refused_unsent = true};
    return ty_fail(
        ctx, TY_ERR_ARG,
        "the server keeps artifacts in its own folder \"%.200s\", which is not on this "
        "machine: start it with --serve-artifacts --artifacts-destination that folder, and "
        "use a new experiment",
        folder);
}

static ty_status add_entry(ty_ctx *ctx, const char *folder, const char *path, const char *name,
                           ty_arena *arena, ty_mlflow_files *files, ty_mlflow_file *v) {
    struct stat info;
    const char *whole = ty_path_join(arena, folder, name);
    const char *relative =
        path[0] != '\0' ? ty_path_join(arena, path, name) : ty_arena_string(arena, name);
    if (!whole || !relative)
        return ty_fail_nomem(ctx, "a listing");
    TY_TRY(ty_file_stat(ctx, whole, &info));
    const bool is_folder = S_ISDIR(info.st_mode);
    if (is_folder || S_ISREG(info.st_mode))
        v[files->n++] = (ty_mlflow_file){
            .path = relative, .is_folder = is_folder, .bytes = is_folder ? 0 : info.st_size};
    return TY_OK;
}

static ty_status list(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                      ty_arena *arena, ty_mlflow_files *out) {
    const char *folder = NULL;
    char **names = NULL;
    size_t n = 0;
    (void)m;
    TY_TRY(folder_of(ctx, root, arena, &folder));
    if (path[0] != '\0')
        folder = ty_path_join(arena, folder, path);
    if (!folder)
        return ty_fail_nomem(ctx, "a listing");
    if (!ty_file_exists(ctx, folder))
        return TY_OK;
    TY_TRY(ty_dir_list(ctx, folder, arena, &names, &n));
    ty_mlflow_file *v = n > 0 ? ty_arena_array(arena, n, sizeof *v) : NULL;
    if (n > 0 && !v)
        return ty_fail_nomem(ctx, "a listing");
    out->v = v;
    for (size_t i = 0; i < n; i++)
        TY_TRY(add_entry(ctx, folder, path, names[i], arena, out, v));
    return TY_OK;
}

static ty_status upload(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                        const mlflow_local_file *file) {
    ty_arena arena = {0};
    const char *folder = NULL, *to = NULL;
    ty_status st = folder_of(ctx, root, &arena, &folder);
    if (st == TY_OK)
        st = check_folder(ctx, m, folder, &arena);
    if (st == TY_OK) {
        to = ty_path_join(&arena, folder, path);
        st = to ? ty_artifact_publish(ctx, file->path, to) : ty_fail_nomem(ctx, "an artifact");
    }
    ty_arena_clear(&arena);
    return st;
}

enum { COPY_BYTES = 256 * 1024 };

static ty_status copy(ty_ctx *ctx, const mlflow_local_file *from, const mlflow_local_file *to,
                      char *buffer) {
    for (int64_t at = 0; at < from->bytes;) {
        const int64_t left = from->bytes - at;
        const size_t now = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        TY_TRY(ty_file_pread(ctx, from->path, from->fd, buffer, now, at));
        TY_TRY(ty_file_write(ctx, to->path, to->fd, buffer, now));
        at += (int64_t)now;
    }
    return TY_OK;
}

static ty_status download(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                          const mlflow_local_file *to) {
    ty_arena arena = {0};
    mlflow_local_file from;
    const char *folder = NULL;
    (void)m;
    ty_status st = folder_of(ctx, root, &arena, &folder);
    const char *whole = st == TY_OK ? ty_path_join(&arena, folder, path) : NULL;
    char *buffer = whole ? ty_arena_alloc(&arena, COPY_BYTES) : NULL;
    if (st == TY_OK && !buffer)
        st = ty_fail_nomem(ctx, "an artifact");
    if (st == TY_OK)
        st = mlflow_open_local(ctx, whole, &from);
    if (st == TY_OK) {
        st = copy(ctx, &from, to, buffer);
        (void)ctx->io->close(ctx->io->self, from.fd);
    }
    ty_arena_clear(&arena);
    return st;
}

static const char *const schemes[] = {"file:", "/", NULL};

const mlflow_store mlflow_store_local = {
    .schemes = schemes, .list = list, .upload = upload, .download = download};
