#include "tracking/runs/remove.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool is_among(const char *name, const char *const *names) {
    for (; names && *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

typedef ty_status (*visit_fn)(ty_ctx *ctx, const char *path, void *self);

static ty_status each_in(ty_ctx *ctx, const char *folder, const char *const *keep, visit_fn visit,
                         void *self) {
    ty_arena arena = {0};
    char **names = NULL;
    size_t n = 0;
    ty_status st = ty_dir_list(ctx, folder, &arena, &names, &n);
    for (size_t i = 0; st == TY_OK && i < n; i++) {
        const char *path = ty_path_join(&arena, folder, names[i]);
        if (!path)
            st = ty_fail_nomem(ctx, "a file's name");
        else if (!is_among(names[i], keep))
            st = visit(ctx, path, self);
    }
    ty_arena_clear(&arena);
    return st;
}

static ty_status add_bytes(ty_ctx *ctx, const char *path, void *self) {
    int64_t *bytes = self;
    struct stat info;
    if (lstat(path, &info) != 0)
        return TY_OK; /* gone already */
    if (S_ISDIR(info.st_mode))
        return each_in(ctx, path, NULL, add_bytes, bytes);
    if (S_ISREG(info.st_mode) && info.st_nlink > 0)
        *bytes += (int64_t)info.st_size / (int64_t)info.st_nlink;
    return TY_OK;
}

int64_t ty_remove_bytes(ty_ctx *ctx, const char *path) {
    int64_t bytes = 0;
    (void)add_bytes(ctx, path, &bytes); /* what cannot be looked into counts nothing */
    return bytes;
}

static ty_status remove_one(ty_ctx *ctx, const char *path, void *self) {
    (void)self;
    return ty_remove(ctx, path);
}

/* unlink refuses a folder, and takes a link to one for what it is. */
ty_status ty_remove(ty_ctx *ctx, const char *path) {
    if (ctx->io->unlink(ctx->io->self, path) == 0 || errno == ENOENT)
        return TY_OK;
    if (errno != EISDIR && errno != EPERM)
        return ty_fail_errno(ctx, errno, "cannot remove %s", path);
    TY_TRY(each_in(ctx, path, NULL, remove_one, NULL));
    return rmdir(path) == 0 || errno == ENOENT
               ? TY_OK
               : ty_fail_errno(ctx, errno, "cannot remove %s", path);
}

ty_status ty_remove_within(ty_ctx *ctx, const char *folder, const char *const *keep) {
    return each_in(ctx, folder, keep, remove_one, NULL);
}
