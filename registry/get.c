/* A model's files, brought here and compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/registry_private.h"

/* What is asked for: a version, or a logged model (version 0). */
typedef struct target {
    const char *name;
    int64_t version;
    const char *digest; /* of its manifest; NULL: nobody said */
} target;

static target of_version(const ty_mlflow_registered_version *v) {
    target t = {.name = v->name, .version = strtoll(v->version, NULL, 10)};
    for (int64_t i = 0; i < v->tags.n; i++)
        if (strcmp(v->tags.v[i].key, TY_MANIFEST_TAG) == 0)
            t.digest = v->tags.v[i].value;
    return t;
}

static bool has_manifest(ty_ctx *ctx, const char *folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, TY_MANIFEST_NAME);
    const bool is_there = path && ty_file_exists(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return is_there;
}

/* Where a digest was registered its manifest must be there; where none was, one that is there must
 * hold. */
static ty_status compare(ty_ctx *ctx, const target *t, const char *folder, ty_registry_files *out) {
    *out = (ty_registry_files){.folder = folder,
                               .is_verified = t->digest || has_manifest(ctx, folder)};
    if (!out->is_verified)
        return TY_OK;
    const ty_status st = ty_manifest_verify(ctx, folder, t->digest, &out->n_files);
    if (st == TY_ERR_NOT_FOUND)
        return ty_fail_within(ctx, TY_ERR_INTEGRITY, "the manifest that was registered is gone");
    return st;
}

static ty_status compare_here(ty_ctx *ctx, const ty_registry *r, const target *t, const char *root,
                              ty_registry_files *out) {
    if (ty_file_exists(ctx, root))
        return compare(ctx, t, root, out);
    return ty_fail(ctx, TY_ERR_NOT_FOUND, "the files of %s are not where %s has them: %s", t->name,
                   r->uri, root);
}

/* Copied or downloaded into the empty folder `temp`. */
static ty_status bring(ty_ctx *ctx, ty_registry *r, const char *root, bool is_here,
                       const char *temp) {
    return is_here ? ty_folder_copy(ctx, root, temp) : r->ops->fetch(ctx, r, root, temp);
}

static ty_status bring_as(ty_ctx *ctx, ty_registry *r, const target *t, const char *root,
                          bool is_here, const char *folder, ty_arena *arena,
                          ty_registry_files *out) {
    const char *temp;
    ty_registry_files files;
    TY_TRY(ty_folder_temp(ctx, folder, arena, &temp));
    ty_status st = bring(ctx, r, root, is_here, temp);
    if (st == TY_OK)
        st = compare(ctx, t, temp, &files);
    if (st == TY_OK)
        st = ty_folder_publish(ctx, temp, folder);
    if (st != TY_OK)
        return ty_folder_drop(ctx, temp, st);
    files.folder = folder;
    *out = files;
    return TY_OK;
}

/* --- the cache -------------------------------------------------------------------------------- */

/* By the manifest's digest; a model that has none, by where it is from. */
static ty_status cache_folder(ty_ctx *ctx, const ty_registry *r, const target *t, const char *root,
                              const char *cache, ty_arena *arena, const char **out) {
    char hex[TY_SHA256_HEX];
    uint8_t digest[TY_SHA256_BYTES];
    if (t->digest && strlen(t->digest) == TY_SHA256_HEX - 1 &&
        strspn(t->digest, "0123456789abcdef") == TY_SHA256_HEX - 1) {
        *out = ty_path_join(arena, cache, t->digest);
        return *out ? TY_OK : ty_fail_nomem(ctx, "a path");
    }
    const char *from =
        ty_arena_printf(arena, "%s %s %lld %s", r->uri, t->name, (long long)t->version, root);
    if (!from)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_sha256_of(ctx, from, strlen(from), digest));
    ty_sha256_to_hex(digest, hex);
    *out = ty_path_join(arena, cache, hex);
    return *out ? TY_OK : ty_fail_nomem(ctx, "a path");
}

/* A copy that has been damaged since is thrown away and brought again, once. */
static ty_status from_cache(ty_ctx *ctx, ty_registry *r, const target *t, const char *root,
                            const char *cache, ty_arena *arena, ty_registry_files *out) {
    const char *folder = NULL;
    TY_TRY(cache_folder(ctx, r, t, root, cache, arena, &folder));
    if (ty_file_exists(ctx, folder)) {
        const ty_status st = compare(ctx, t, folder, out);
        if (st != TY_ERR_INTEGRITY)
            return st;
        ty_log(ctx, TY_LOG_WARN, "registry", "%s; it is brought again", ctx->message);
        TY_TRY(ty_folder_remove(ctx, folder));
    }
    const ty_status st = bring_as(ctx, r, t, root, false, folder, arena, out);
    if (st != TY_ERR_ARG || !ty_file_exists(ctx, folder))
        return st;
    return compare(ctx, t, folder, out); /* another process was faster */
}

static ty_status open_target(ty_ctx *ctx, ty_registry *r, const target *t, const char *cache,
                             ty_arena *arena, ty_registry_files *out) {
    const char *root;
    bool is_here;
    TY_TRY(r->ops->root(ctx, r, t->name, t->version, arena, &root, &is_here));
    if (!is_here)
        return from_cache(ctx, r, t, root, cache, arena, out);
    return compare_here(ctx, r, t, root, out);
}

/* --- the door --------------------------------------------------------------------------------- */

ty_status ty_registry_open_files(ty_ctx *ctx, ty_registry *r,
                                 const ty_mlflow_registered_version *version, const char *cache,
                                 ty_arena *arena, ty_registry_files *out) {
    const target t = of_version(version);
    return open_target(ctx, r, &t, cache, arena, out);
}

ty_status ty_registry_open_logged(ty_ctx *ctx, ty_registry *r, const char *model_id,
                                  const char *cache, ty_arena *arena, ty_registry_files *out) {
    const target t = {.name = model_id};
    return open_target(ctx, r, &t, cache, arena, out);
}

static ty_status get_target(ty_ctx *ctx, ty_registry *r, const target *t, const char *folder,
                            ty_arena *arena, ty_registry_files *out) {
    const char *root;
    bool is_here;
    TY_TRY(r->ops->root(ctx, r, t->name, t->version, arena, &root, &is_here));
    return bring_as(ctx, r, t, root, is_here, folder, arena, out);
}

ty_status ty_registry_get(ty_ctx *ctx, ty_registry *r, const ty_mlflow_registered_version *version,
                          const char *folder, ty_arena *arena, ty_registry_files *out) {
    const target t = of_version(version);
    return get_target(ctx, r, &t, folder, arena, out);
}

ty_status ty_registry_get_logged(ty_ctx *ctx, ty_registry *r, const char *model_id,
                                 const char *folder, ty_arena *arena, ty_registry_files *out) {
    const target t = {.name = model_id};
    return get_target(ctx, r, &t, folder, arena, out);
}

ty_status ty_registry_verify(ty_ctx *ctx, ty_registry *r,
                             const ty_mlflow_registered_version *version, ty_arena *arena,
                             ty_registry_files *out) {
    const target t = of_version(version);
    const char *root, *temp;
    bool is_here;
    TY_TRY(r->ops->root(ctx, r, t.name, t.version, arena, &root, &is_here));
    if (is_here)
        return compare_here(ctx, r, &t, root, out);
    const char *place = ctx->getenv("TMPDIR");
    place = ty_path_join(arena, place && *place ? place : "/tmp", "tiltyard-verify");
    if (!place)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_folder_temp(ctx, place, arena, &temp));
    ty_status st = bring(ctx, r, root, false, temp);
    if (st == TY_OK)
        st = compare(ctx, &t, temp, out);
    st = ty_folder_drop(ctx, temp, st);
    out->folder = root;
    return st;
}
