#include "registry/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/manifest.h"
#include "tracking/tracking.h"

enum { MAX_DEPTH = 64 };

/* --- copying ---------------------------------------------------------------------------------- */

ty_status ty_file_copy(ty_ctx *ctx, const char *from, const char *to) {
    ty_arena arena = {0};
    char *temp;
    int fd;
    ty_status st = ty_file_open_temp(ctx, to, &arena, &temp, &fd);
    if (st == TY_OK) {
        st = ty_file_copy_into(ctx, from, temp, fd);
        if (st == TY_OK)
            st = ty_file_sync(ctx, temp, fd);
        const ty_status closed = ty_file_close(ctx, temp, fd);
        st = st == TY_OK ? closed : st;
        if (st == TY_OK)
            st = ty_file_publish(ctx, temp, to);
        if (st != TY_OK)
            (void)unlink(temp);
    }
    ty_arena_clear(&arena);
    return st;
}

static ty_status copy_one(ty_ctx *ctx, const char *from, const char *to, const char *path,
                          ty_arena *arena) {
    const char *source = ty_path_join(arena, from, path), *target = ty_path_join(arena, to, path);
    const char *folder = target ? ty_path_folder(arena, target) : NULL;
    if (!source || !folder)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_dir_make(ctx, folder));
    return ty_file_copy(ctx, source, target);
}

static ty_status copy_all(ty_ctx *ctx, const char *from, const char *to, ty_arena *arena) {
    ty_manifest list;
    TY_TRY(ty_manifest_list(ctx, from, arena, &list));
    TY_TRY(ty_dir_make(ctx, to));
    for (int64_t i = 0; i < list.n_files; i++)
        TY_TRY(copy_one(ctx, from, to, list.files[i].path, arena));
    const char *manifest = ty_path_join(arena, from, TY_MANIFEST_NAME);
    if (!manifest)
        return ty_fail_nomem(ctx, "a path");
    if (ty_file_exists(ctx, manifest)) /* last: a copy that has one is whole */
        TY_TRY(copy_one(ctx, from, to, TY_MANIFEST_NAME, arena));
    return ty_dir_sync(ctx, to);
}

ty_status ty_folder_copy(ty_ctx *ctx, const char *from, const char *to) {
    ty_arena arena = {0};
    const ty_status st = copy_all(ctx, from, to, &arena);
    ty_arena_clear(&arena);
    return st;
}

/* --- removing --------------------------------------------------------------------------------- */

/* Removes what is in the open folder; closes it. */
static bool empty(int fd, int depth) {
    DIR *dir = fdopendir(fd);
    bool is_good = dir && depth < MAX_DEPTH;
    for (const struct dirent *entry; is_good && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            continue;
        const int below =
            openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        is_good =
            below >= 0 && empty(below, depth + 1) && unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0;
    }
    if (dir)
        (void)closedir(dir);
    else
        (void)close(fd);
    return is_good;
}

ty_status ty_folder_remove(ty_ctx *ctx, const char *path) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return TY_OK;
    if (fd < 0 || !empty(fd, 0) || rmdir(path) != 0)
        return ty_fail_errno(ctx, errno, "removing the folder %s", path);
    return TY_OK;
}

ty_status ty_folder_drop(ty_ctx *ctx, const char *path, ty_status st) {
    char why[TY_MESSAGE_BYTES];
    memcpy(why, ctx->message, sizeof why);
    if (ty_folder_remove(ctx, path) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "registry", "%s", ctx->message);
    memcpy(ctx->message, why, sizeof why);
    return st;
}

/* --- publishing ------------------------------------------------------------------------------- */

ty_status ty_folder_temp(ty_ctx *ctx, const char *path, ty_arena *arena, const char **out) {
    char random[33];
    const char *folder = ty_path_folder(arena, path);
    const char *slash = strrchr(path, '/');
    TY_TRY(ty_identity_random(ctx, random));
    *out = folder ? ty_arena_printf(arena, "%s/.tmp-%.64s-%.12s", folder, slash ? slash + 1 : path,
                                    random)
                  : NULL;
    return *out ? ty_dir_make(ctx, *out) : ty_fail_nomem(ctx, "a path");
}

ty_status ty_folder_publish(ty_ctx *ctx, const char *temp, const char *path) {
    if (rename(temp, path) != 0) {
        const int why = errno;
        if (why == ENOTEMPTY || why == EEXIST || why == ENOTDIR)
            return ty_fail(ctx, TY_ERR_ARG, "%s is there already", path);
        return ty_fail_errno(ctx, why, "naming the folder %s", path);
    }
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = ty_path_folder(&ctx->scratch, path);
    const ty_status st = folder ? ty_dir_sync(ctx, folder) : ty_fail_nomem(ctx, "a path");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
