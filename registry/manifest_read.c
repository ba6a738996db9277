/* tiltyard.json read back; it may come from a server, so nothing in it is believed. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "registry/manifest.h"
#include "tracking/tracking.h"

static bool is_digest(const char *text) {
    return strlen(text) == TY_SHA256_HEX - 1 &&
           strspn(text, "0123456789abcdef") == TY_SHA256_HEX - 1;
}

static ty_status read_entry(ty_ctx *ctx, const char *name, const json_t *entry, ty_arena *arena,
                            ty_manifest_file *out) {
    const char *path = json_string_value(json_object_get(entry, "path"));
    const char *digest = json_string_value(json_object_get(entry, "sha256"));
    const json_t *size = json_object_get(entry, "size");
    if (!path || !digest || !json_is_integer(size) || json_integer_value(size) < 0 ||
        !is_digest(digest))
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s: an entry has not path, size and sha256", name);
    if (!ty_artifact_name_is_safe(path) || strcmp(path, TY_MANIFEST_NAME) == 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s names a file that no package has: \"%.200s\"",
                       name, path);
    *out =
        (ty_manifest_file){.path = ty_arena_string(arena, path), .size = json_integer_value(size)};
    memcpy(out->sha256, digest, TY_SHA256_HEX);
    return out->path ? TY_OK : ty_fail_nomem(ctx, "a package's manifest");
}

/* Sorted, so that no name stands there twice. */
static ty_status read_entries(ty_ctx *ctx, const char *name, const json_t *list, ty_arena *arena,
                              ty_manifest *out) {
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n > TY_MANIFEST_MAX_FILES)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s has no list of at most %d files", name,
                       (int)TY_MANIFEST_MAX_FILES);
    ty_manifest_file *files = ty_arena_array(arena, n + 1, sizeof *files);
    if (!files)
        return ty_fail_nomem(ctx, "a package's manifest");
    for (size_t i = 0; i < n; i++) {
        TY_TRY(read_entry(ctx, name, json_array_get(list, i), arena, &files[i]));
        if (i > 0 && strcmp(files[i - 1].path, files[i].path) >= 0)
            return ty_fail(ctx, TY_ERR_INTEGRITY, "%s: %s is out of order", name, files[i].path);
    }
    out->files = files;
    out->n_files = (int64_t)n;
    return TY_OK;
}

ty_status ty_manifest_parse(ty_ctx *ctx, const char *name, const char *text, size_t bytes,
                            ty_arena *arena, ty_manifest *out) {
    uint8_t digest[TY_SHA256_BYTES];
    json_error_t error;
    TY_TRY(ty_sha256_of(ctx, text, bytes, digest));
    ty_sha256_to_hex(digest, out->sha256);
    if (bytes > TY_MANIFEST_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is too long", name);
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s:%d: %s", name, error.line, error.text);
    const char *format = json_string_value(json_object_get(root, "format"));
    ty_status st = TY_OK;
    if (!format || strcmp(format, "tiltyard package 1") != 0)
        st = ty_fail(ctx, TY_ERR_INTEGRITY, "%s is no manifest of a package that we know", name);
    else
        st = read_entries(ctx, name, json_object_get(root, "files"), arena, out);
    json_decref(root);
    return st;
}

ty_status ty_manifest_read(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_manifest *out) {
    char *text = NULL;
    size_t bytes = 0;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, TY_MANIFEST_NAME);
    ty_status st = path ? ty_file_read_all(ctx, path, TY_MANIFEST_MAX_BYTES, &text, &bytes)
                        : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK)
        st = ty_manifest_parse(ctx, path, text, bytes, arena, out);
    else if (st == TY_ERR_DATA)
        st = ty_fail_within(ctx, TY_ERR_INTEGRITY, "no manifest of a package");
    free(text);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
