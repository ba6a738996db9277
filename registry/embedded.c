/* The registry that is in a working folder's mlflow.db, or in another database of MLflow's. Models of
 * the folder's runs stay where they are; those from elsewhere are copied to
 * <folder>/models/<name>/<digest>. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/registry_private.h"

typedef struct embedded {
    ty_registry base;
    char *folder; /* absolute */
    ty_registry_store *store;
} embedded;

static embedded *of(ty_registry *r) {
    return (embedded *)(void *)r;
}

static void close_embedded(ty_registry *r) {
    embedded *e = of(r);
    ty_registry_store_close(e->store);
    free(e->folder);
    free(e);
}

static ty_status models(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                        ty_mlflow_registered_list *out) {
    return ty_registry_store_models(ctx, of(r)->store, name, arena, out);
}

static ty_status versions(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          ty_arena *arena, ty_mlflow_version_list *out) {
    return ty_registry_store_versions(ctx, of(r)->store, name, version, arena, out);
}

static ty_status make_model(ty_ctx *ctx, ty_registry *r, const char *name) {
    return ty_registry_store_make_model(ctx, of(r)->store, name, NULL, (ty_mlflow_pairs){0});
}

static ty_status tag(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                     const char *key, const char *value) {
    return ty_registry_store_tag(ctx, of(r)->store, name, version, key, value);
}

static ty_status describe(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          const char *description) {
    return ty_registry_store_describe(ctx, of(r)->store, name, version, description);
}

static ty_status move_alias(ty_ctx *ctx, ty_registry *r, const char *name, const char *alias,
                            int64_t expected, int64_t version, int64_t *was) {
    return ty_registry_store_move_alias(ctx, of(r)->store, name, alias, expected, version, was);
}

static ty_status make_version(ty_ctx *ctx, ty_registry *r, const ty_mlflow_new_version *version,
                              const ty_placed *placed, int64_t *out_version) {
    return ty_registry_store_make_version(ctx, of(r)->store, version, placed->location,
                                          out_version);
}

/* --- where files lie -------------------------------------------------------------------------- */

/* Whether the folder is a package of that manifest. */
static bool holds(ty_ctx *ctx, const char *folder, const char *digest) {
    ty_arena arena = {0};
    ty_manifest manifest;
    const bool is_same = ty_manifest_read(ctx, folder, &arena, &manifest) == TY_OK &&
                         strcmp(manifest.sha256, digest) == 0;
    ty_arena_clear(&arena);
    return is_same;
}

/* A store that was moved names folders where they were; what is below its folder is found. */
static const char *found_here(ty_ctx *ctx, const embedded *e, const char *path, ty_arena *arena) {
    static const char *const parts[] = {"/runs/", "/models/"};
    if (path[0] != '/')
        path = ty_path_join(arena, e->folder, path);
    if (!path || ty_file_exists(ctx, path))
        return path;
    for (int i = 0; i < 2; i++) {
        for (const char *at = path; (at = strstr(at, parts[i])) != NULL; at++) {
            const char *here = ty_arena_printf(arena, "%s%s", e->folder, at);
            if (here && ty_file_exists(ctx, here))
                return here;
        }
    }
    return path;
}

static bool is_path(const char *location) {
    return location[0] == '/' || !strstr(location, ":/");
}

static ty_status root(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                      ty_arena *arena, const char **out, bool *is_here) {
    const char *location, *run_id;
    if (version)
        TY_TRY(ty_registry_store_location(ctx, of(r)->store, name, version, arena, &location));
    else
        TY_TRY(ty_registry_store_logged(ctx, of(r)->store, name, arena, &location, &run_id));
    *is_here = is_path(location);
    *out = *is_here ? found_here(ctx, of(r), location, arena) : location;
    return *out ? TY_OK : ty_fail_nomem(ctx, "a model's place");
}

/* MLflow's own client may have put a model anywhere. */
static ty_status fetch(ty_ctx *ctx, ty_registry *r, const char *from, const char *folder) {
    (void)folder;
    return ty_fail(ctx, TY_ERR_ARG,
                   "%s keeps this model at %.200s: only MLflow's client gets there", r->uri, from);
}

/* --- a new package ---------------------------------------------------------------------------- */

/* The logged model, where it has these very files. */
static ty_status take_logged(ty_ctx *ctx, embedded *e, const ty_package *package,
                             const char *digest, ty_arena *arena, ty_placed *out, bool *found) {
    const char *location, *run_id;
    *found = false;
    if (!package->model_id)
        return TY_OK;
    const ty_status st =
        ty_registry_store_logged(ctx, e->store, package->model_id, arena, &location, &run_id);
    if (st == TY_ERR_NOT_FOUND)
        return TY_OK;
    TY_TRY(st);
    location = found_here(ctx, e, location, arena);
    *found = location && holds(ctx, location, digest);
    if (!*found)
        return TY_OK;
    out->source = ty_arena_printf(arena, "models:/%s", package->model_id);
    out->model_id = package->model_id;
    out->run_id = run_id;
    return out->source ? TY_OK : ty_fail_nomem(ctx, "a model's place");
}

static ty_status copy_in(ty_ctx *ctx, const char *package, const char *to, const char *digest,
                         ty_arena *arena) {
    const char *temp = NULL;
    TY_TRY(ty_folder_temp(ctx, to, arena, &temp));
    ty_status st = ty_folder_copy(ctx, package, temp);
    if (st == TY_OK)
        st = ty_manifest_verify(ctx, temp, digest, NULL);
    if (st == TY_OK)
        st = ty_folder_publish(ctx, temp, to);
    if (st != TY_OK)
        st = ty_folder_drop(ctx, temp, st);
    /* Somebody else may have brought it meanwhile. */
    return st == TY_ERR_ARG && holds(ctx, to, digest) ? TY_OK : st;
}

static ty_status take_copy(ty_ctx *ctx, embedded *e, const ty_registry_entry *entry,
                           const char *digest, ty_arena *arena, ty_placed *out) {
    if (!ty_artifact_name_is_safe(entry->name))
        return ty_fail(ctx, TY_ERR_ARG, "\"%s\" is no name for a folder of models", entry->name);
    const char *to = ty_arena_printf(arena, "%s/models/%s/%.16s", e->folder, entry->name, digest);
    if (!to)
        return ty_fail_nomem(ctx, "a model's place");
    if (!holds(ctx, to, digest))
        TY_TRY(copy_in(ctx, entry->package, to, digest, arena));
    out->source = to;
    out->location = to;
    return TY_OK;
}

/* Runs of its folder are folded into this database. */
static bool is_folders_own(const embedded *e) {
    static const char name[] = "/mlflow.db";
    const size_t length = strlen(e->base.uri);
    return length >= sizeof name && strcmp(e->base.uri + length - (sizeof name - 1), name) == 0;
}

static ty_status place(ty_ctx *ctx, ty_registry *r, const ty_registry_entry *entry,
                       const ty_package *package, const char *digest, ty_arena *arena,
                       ty_placed *out) {
    bool found = false;
    embedded *e = of(r);
    TY_TRY(take_logged(ctx, e, package, digest, arena, out, &found));
    if (!found && entry->run_id && is_folders_own(e)) {
        ty_rebuild_report report; /* the run may not have been folded yet */
        TY_TRY(ty_runs_rebuild(ctx, e->folder, &report));
        TY_TRY(take_logged(ctx, e, package, digest, arena, out, &found));
    }
    return found ? TY_OK : take_copy(ctx, e, entry, digest, arena, out);
}

static const ty_registry_ops ops = {.close = close_embedded,
                                    .models = models,
                                    .versions = versions,
                                    .make_model = make_model,
                                    .place = place,
                                    .make_version = make_version,
                                    .tag = tag,
                                    .describe = describe,
                                    .move_alias = move_alias,
                                    .root = root,
                                    .fetch = fetch};

static ty_status open_store(ty_ctx *ctx, embedded *e, const char *path) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = ty_path_folder(&ctx->scratch, path);
    const char *uri = ty_arena_printf(&ctx->scratch, "sqlite:///%s", path);
    e->folder = folder ? strdup(folder) : NULL;
    e->base.uri = uri ? strdup(uri) : NULL;
    ty_arena_reset(&ctx->scratch, mark);
    if (!e->folder || !e->base.uri)
        return ty_fail_nomem(ctx, "the registry");
    return ty_registry_store_open(ctx, path, &e->store);
}

ty_status ty_registry_open_embedded(ty_ctx *ctx, const char *path, ty_registry **out) {
    embedded *e = calloc(1, sizeof *e);
    if (!e)
        return ty_fail_nomem(ctx, "the registry");
    e->base.ops = &ops;
    const ty_status st = open_store(ctx, e, path);
    if (st == TY_OK)
        *out = &e->base;
    else
        ty_registry_close(&e->base);
    return st;
}
