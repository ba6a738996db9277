/* From a package to a version. */
#include <stdio.h>
#include <string.h>

#include "registry/package_private.h"
#include "registry/registry_private.h"

enum { MAX_TAGS = 100 };

/* The entry's tags, and the digest of its manifest. */
static ty_status join_tags(ty_ctx *ctx, const ty_registry_entry *entry, const char *digest,
                           ty_arena *arena, ty_mlflow_pairs *out) {
    if (entry->tags.n >= MAX_TAGS)
        return ty_fail(ctx, TY_ERR_ARG, "a version has %lld tags, want fewer than %d",
                       (long long)entry->tags.n, (int)MAX_TAGS);
    ty_mlflow_pair *v = ty_arena_array(arena, (size_t)entry->tags.n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "a version's tags");
    int64_t n = 0;
    for (int64_t i = 0; i < entry->tags.n; i++) {
        const char *slip = ty_mlflow_key_slip(entry->tags.v[i].key);
        if (slip)
            return ty_fail(ctx, TY_ERR_ARG, "tag \"%.200s\": %s", entry->tags.v[i].key, slip);
        if (strcmp(entry->tags.v[i].key, TY_MANIFEST_TAG) != 0)
            v[n++] = entry->tags.v[i];
    }
    v[n++] = (ty_mlflow_pair){TY_MANIFEST_TAG, digest};
    *out = (ty_mlflow_pairs){.v = v, .n = n};
    return TY_OK;
}

static ty_status check_entry(ty_ctx *ctx, const ty_registry_entry *entry) {
    const char *slip = ty_mlflow_registered_name_slip(entry->name);
    if (slip)
        return ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" is no model's name: %s", entry->name, slip);
    const char *uid = entry->uid;
    if (uid &&
        (!*uid || strlen(uid) > 200 || strspn(uid, TY_PACKAGE_ID_LETTERS ".") != strlen(uid)))
        return ty_fail(ctx, TY_ERR_ARG, "\"%.200s\" is no uid: want letters, digits, - _ and .",
                       uid);
    if (entry->description && strlen(entry->description) > TY_CARD_MAX_BYTES)
        return ty_fail(ctx, TY_ERR_ARG, "a description has %zu bytes, want at most %d",
                       strlen(entry->description), (int)TY_CARD_MAX_BYTES);
    return TY_OK;
}

ty_status ty_registry_add(ty_ctx *ctx, ty_registry *r, const ty_registry_entry *entry,
                          ty_arena *arena, ty_mlflow_registered_version *out) {
    ty_manifest manifest;
    ty_package package;
    ty_placed placed = {0};
    ty_mlflow_version_list list;
    int64_t version = 0;
    TY_TRY(check_entry(ctx, entry));
    TY_TRY(ty_manifest_read(ctx, entry->package, arena, &manifest));
    TY_TRY(ty_manifest_verify(ctx, entry->package, manifest.sha256, NULL));
    TY_TRY(ty_package_read(ctx, entry->package, arena, &package));
    ty_mlflow_new_version new = {.name = entry->name,
                                 .uid = entry->uid ? entry->uid : manifest.sha256,
                                 .description = entry->description};
    TY_TRY(join_tags(ctx, entry, manifest.sha256, arena, &new.tags));
    TY_TRY(r->ops->make_model(ctx, r, entry->name));
    TY_TRY(r->ops->place(ctx, r, entry, &package, manifest.sha256, arena, &placed));
    new.source = placed.source;
    new.model_id = placed.model_id;
    new.run_id = placed.run_id;
    TY_TRY(r->ops->make_version(ctx, r, &new, &placed, &version));
    TY_TRY(r->ops->versions(ctx, r, entry->name, version, arena, &list));
    if (list.n != 1)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "version %lld of %s was made and is gone again",
                       (long long)version, entry->name);
    *out = list.v[0];
    return TY_OK;
}
