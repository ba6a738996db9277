#include "tracking/journal/package.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/artifact.h"

typedef struct listing {
    const char *root; /* the package's folder */
    ty_arena *arena;
    ty_track_file files[TY_PACKAGE_MAX_FILES];
    int64_t n;
} listing;

static ty_status add_file(ty_ctx *ctx, listing *l, const char *path, int64_t size) {
    uint8_t digest[TY_SHA256_BYTES];
    char hex[TY_SHA256_HEX];
    const char *name = path + strlen(l->root) + 1;
    if (l->n == TY_PACKAGE_MAX_FILES)
        return ty_fail(ctx, TY_ERR_ARG, "%s holds more than %d files", l->root,
                       TY_PACKAGE_MAX_FILES);
    if (!ty_artifact_name_is_safe(name))
        return ty_fail(ctx, TY_ERR_ARG, "%s is no name for an artifact", path);
    TY_TRY(ty_sha256_of_file(ctx, path, digest));
    ty_sha256_to_hex(digest, hex);
    ty_track_file *file = &l->files[l->n++];
    *file = (ty_track_file){ty_arena_string(l->arena, name), size, ty_arena_string(l->arena, hex)};
    return file->path && file->sha256 ? TY_OK : ty_fail_nomem(ctx, "a package's files");
}

static ty_status add_folder(ty_ctx *ctx, listing *l, const char *folder, int depth) {
    char **names = NULL;
    size_t n = 0;
    if (depth > TY_PACKAGE_MAX_DEPTH)
        return ty_fail(ctx, TY_ERR_ARG, "%s is too deep", folder);
    TY_TRY(ty_dir_list(ctx, folder, l->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        const char *path = ty_path_join(l->arena, folder, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "a package's files");
        TY_TRY(ty_file_stat(ctx, path, &info));
        TY_TRY(S_ISDIR(info.st_mode) ? add_folder(ctx, l, path, depth + 1)
                                     : add_file(ctx, l, path, info.st_size));
    }
    return TY_OK;
}

static int by_path(const void *a, const void *b) {
    const ty_track_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static ty_status list_files(ty_ctx *ctx, listing *l, ty_track_record *record) {
    TY_TRY(add_folder(ctx, l, l->root, 0));
    if (l->n == 0)
        return ty_fail(ctx, TY_ERR_ARG, "%s holds no files", l->root);
    ty_track_file *files = ty_arena_array(l->arena, (size_t)l->n, sizeof *files);
    if (!files)
        return ty_fail_nomem(ctx, "a package's files");
    qsort(l->files, (size_t)l->n, sizeof *files, by_path);
    memcpy(files, l->files, (size_t)l->n * sizeof *files);
    record->package.files = files;
    record->package.n_files = l->n;
    return TY_OK;
}

ty_status ty_package_take_in(ty_ctx *ctx, const char *run_folder, ty_arena *arena,
                             ty_track_record *record) {
    const size_t prefix = strlen(run_folder);
    const char *root = ty_path_absolute(arena, record->package.folder);
    listing *l = calloc(1, sizeof *l);
    if (!root || !l) {
        free(l);
        return ty_fail_nomem(ctx, "a package's files");
    }
    *l = (listing){.root = root, .arena = arena};
    ty_status st = TY_OK;
    if (strncmp(root, run_folder, prefix) != 0 || root[prefix] != '/')
        st = ty_fail(ctx, TY_ERR_ARG, "%s is not inside of %s", root, run_folder);
    if (st == TY_OK)
        st = list_files(ctx, l, record);
    record->package.folder = root + (st == TY_OK ? prefix + 1 : 0);
    free(l);
    return st;
}
