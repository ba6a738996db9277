#include "registry/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tracking/tracking.h"

enum { MAX_DEPTH = 16, MLMODEL_MAX_BYTES = 1024 * 1024 };

/* --- what is there ---------------------------------------------------------------------------- */

typedef struct listing {
    ty_arena *arena;
    ty_manifest_file *files; /* room for TY_MANIFEST_MAX_FILES */
    int64_t n;
} listing;

static bool is_passed_over(const char *path, const char *name) {
    return strcmp(path, TY_MANIFEST_NAME) == 0 || strncmp(name, ".tmp-", 5) == 0;
}

static ty_status add_file(ty_ctx *ctx, listing *list, const char *path, const struct stat *info) {
    if (!S_ISREG(info->st_mode))
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "%s is neither a file nor a folder; a package has no "
                       "links",
                       path);
    if (list->n == TY_MANIFEST_MAX_FILES)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "a package has at most %d files",
                       (int)TY_MANIFEST_MAX_FILES);
    list->files[list->n++] = (ty_manifest_file){.path = path, .size = (int64_t)info->st_size};
    return TY_OK;
}

static ty_status list_folder(ty_ctx *ctx, listing *list, const char *folder, const char *below,
                             int depth) {
    char **names;
    size_t n = 0;
    TY_TRY(ty_dir_list(ctx, folder, list->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        const char *full = ty_path_join(list->arena, folder, names[i]);
        const char *path = ty_arena_printf(list->arena, "%s%s", below, names[i]);
        if (!full || !path)
            return ty_fail_nomem(ctx, "a package's list");
        if (is_passed_over(path, names[i]))
            continue;
        if (!ty_artifact_name_is_safe(path) || depth == MAX_DEPTH)
            return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is no name for a package's file", full);
        if (lstat(full, &info) != 0)
            return ty_fail_errno(ctx, errno, "looking at %s", full);
        const char *inside = ty_arena_printf(list->arena, "%s/", path);
        if (!inside)
            return ty_fail_nomem(ctx, "a package's list");
        TY_TRY(S_ISDIR(info.st_mode) ? list_folder(ctx, list, full, inside, depth + 1)
                                     : add_file(ctx, list, path, &info));
    }
    return TY_OK;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const ty_manifest_file *)a)->path, ((const ty_manifest_file *)b)->path);
}

ty_status ty_manifest_list(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_manifest *out) {
    listing list = {.arena = arena};
    list.files = ty_arena_array(arena, TY_MANIFEST_MAX_FILES, sizeof *list.files);
    if (!list.files)
        return ty_fail_nomem(ctx, "a package's list");
    TY_TRY(list_folder(ctx, &list, folder, "", 0));
    qsort(list.files, (size_t)list.n, sizeof *list.files, by_path);
    *out = (ty_manifest){.files = list.files, .n_files = list.n};
    return TY_OK;
}

/* --- digests ---------------------------------------------------------------------------------- */

static bool is_placed(const char *line) {
    static const char *const keys[] = {"artifact_path:", "model_id:", "run_id:"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strncmp(line, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

/* The text without the lines of its place, and what those go on with on the next ones. */
static size_t drop_place(char *text, size_t bytes) {
    size_t kept = 0;
    bool is_dropping = false;
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        const size_t length = end ? (size_t)(end - (text + at)) + 1 : bytes - at;
        is_dropping = is_placed(text + at) || (is_dropping && text[at] == ' ');
        if (!is_dropping) {
            memmove(text + kept, text + at, length);
            kept += length;
        }
        at += length;
    }
    return kept;
}

static ty_status hash_mlmodel(ty_ctx *ctx, const char *path, uint8_t digest[TY_SHA256_BYTES]) {
    char *text = NULL;
    size_t bytes = 0;
    TY_TRY(ty_file_read_all(ctx, path, MLMODEL_MAX_BYTES, &text, &bytes));
    const size_t kept = drop_place(text, bytes);
    const ty_status st = ty_sha256_of(ctx, text, kept, digest);
    free(text);
    return st;
}

ty_status ty_manifest_hash(ty_ctx *ctx, const char *folder, const char *path,
                           char out[TY_SHA256_HEX]) {
    uint8_t digest[TY_SHA256_BYTES];
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *full = ty_path_join(&ctx->scratch, folder, path);
    ty_status st = full ? TY_OK : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK)
        st = strcmp(path, "MLmodel") == 0 ? hash_mlmodel(ctx, full, digest)
                                          : ty_sha256_of_file(ctx, full, digest);
    ty_arena_reset(&ctx->scratch, mark);
    if (st == TY_OK)
        ty_sha256_to_hex(digest, out);
    return st;
}

/* --- writing ---------------------------------------------------------------------------------- */

static ty_status add_entry(ty_ctx *ctx, const char *folder, const ty_manifest_file *file,
                           bool is_first, ty_text *out) {
    char digest[TY_SHA256_HEX];
    TY_TRY(ty_manifest_hash(ctx, folder, file->path, digest));
    const bool is_mlmodel = strcmp(file->path, "MLmodel") == 0;
    ty_text_add(out, is_first ? "\n  {\"path\": " : ",\n  {\"path\": ");
    ty_text_add_json(out, file->path);
    ty_text_addf(out, ", \"size\": %lld, \"sha256\": \"%s\"}",
                 is_mlmodel ? 0LL : (long long)file->size, digest);
    return TY_OK;
}

static ty_status write_list(ty_ctx *ctx, const char *folder, const ty_manifest *list,
                            ty_text *text) {
    ty_text_add(text, "{\"format\": \"tiltyard package 1\",\n \"files\": [");
    for (int64_t i = 0; i < list->n_files; i++)
        TY_TRY(add_entry(ctx, folder, &list->files[i], i == 0, text));
    ty_text_add(text, "]}\n");
    const char *path = ty_path_join(&ctx->scratch, folder, TY_MANIFEST_NAME);
    if (!path || text->is_short)
        return ty_fail_nomem(ctx, "a package's manifest");
    return ty_file_write_atomic(ctx, path, text->data, text->length);
}

ty_status ty_manifest_write(ty_ctx *ctx, const char *folder) {
    ty_arena arena = {0};
    ty_manifest list;
    ty_text text = {0};
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = ty_manifest_list(ctx, folder, &arena, &list);
    if (st == TY_OK)
        st = write_list(ctx, folder, &list, &text);
    ty_arena_reset(&ctx->scratch, mark);
    ty_text_clear(&text);
    ty_arena_clear(&arena);
    return st;
}

/* --- comparing -------------------------------------------------------------------------------- */

static ty_status compare(ty_ctx *ctx, const char *folder, const ty_manifest_file *file) {
    char digest[TY_SHA256_HEX];
    const ty_status st = ty_manifest_hash(ctx, folder, file->path, digest);
    if (st == TY_ERR_NOT_FOUND)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s/%s is missing, but its manifest names it", folder,
                       file->path);
    TY_TRY(st);
    if (strcmp(digest, file->sha256) == 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_INTEGRITY,
                   "%s/%s has changed: its SHA-256 is %.12s..., want %.12s...", folder, file->path,
                   digest, file->sha256);
}

ty_status ty_manifest_verify(ty_ctx *ctx, const char *folder, const char *expected,
                             int64_t *n_files) {
    ty_arena arena = {0};
    ty_manifest manifest = {0};
    ty_status st = ty_manifest_read(ctx, folder, &arena, &manifest);
    if (st == TY_OK && expected && strcmp(manifest.sha256, expected) != 0)
        st = ty_fail(ctx, TY_ERR_INTEGRITY,
                     "%s/" TY_MANIFEST_NAME " is not the registered one: its SHA-256 is %.12s..., "
                     "want %.12s...",
                     folder, manifest.sha256, expected);
    for (int64_t i = 0; st == TY_OK && i < manifest.n_files; i++)
        st = compare(ctx, folder, &manifest.files[i]);
    if (n_files)
        *n_files = manifest.n_files;
    ty_arena_clear(&arena);
    return st;
}
