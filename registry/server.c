/* The registry of an MLflow server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/registry_private.h"

enum { MAX_ROWS = 10000, MAX_FILES = 4096, MAX_DEPTH = 16, NUMBER = 24 };

typedef struct server {
    ty_registry base;
    ty_mlflow *m;
} server;

static server *of(ty_registry *r) {
    return (server *)(void *)r;
}

static void close_server(ty_registry *r) {
    ty_mlflow_close(of(r)->m);
    free(of(r));
}

static const char *number(int64_t version, char out[NUMBER]) {
    (void)snprintf(out, NUMBER, "%lld", (long long)version);
    return out;
}

/* --- looking ---------------------------------------------------------------------------------- */

static ty_status models(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                        ty_mlflow_registered_list *out) {
    if (!name)
        return ty_mlflow_search_registered(ctx, of(r)->m, NULL, MAX_ROWS, arena, out);
    ty_mlflow_registered *one = ty_arena_alloc(arena, sizeof *one);
    if (!one)
        return ty_fail_nomem(ctx, "a model");
    const ty_status st = ty_mlflow_get_registered(ctx, of(r)->m, name, arena, one);
    *out = (ty_mlflow_registered_list){.v = one, .n = st == TY_OK};
    return st == TY_ERR_NOT_FOUND ? TY_OK : st;
}

/* Searches answer versions without aliases on some servers: they are the registered model's. */
static ty_status take_aliases(ty_ctx *ctx, const ty_mlflow_pairs *all, ty_arena *arena,
                              ty_mlflow_registered_version *v) {
    const char **mine = ty_arena_array(arena, (size_t)all->n + 1, sizeof *mine);
    if (!mine)
        return ty_fail_nomem(ctx, "a version's aliases");
    v->n_aliases = 0;
    for (int64_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].value, v->version) == 0)
            mine[v->n_aliases++] = all->v[i].key;
    v->aliases = mine;
    return TY_OK;
}

static ty_status find_versions(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                               ty_arena *arena, ty_mlflow_version_list *out) {
    char text[NUMBER];
    if (!version) {
        const char *filter = ty_arena_printf(arena, "name = '%s'", name);
        if (!filter)
            return ty_fail_nomem(ctx, "a model's versions");
        return ty_mlflow_search_versions(ctx, of(r)->m, filter, MAX_ROWS, arena, out);
    }
    ty_mlflow_registered_version *one = ty_arena_alloc(arena, sizeof *one);
    if (!one)
        return ty_fail_nomem(ctx, "a version");
    const ty_status st =
        ty_mlflow_get_version(ctx, of(r)->m, name, number(version, text), arena, one);
    *out = (ty_mlflow_version_list){.v = one, .n = st == TY_OK};
    return st == TY_ERR_NOT_FOUND ? TY_OK : st;
}

static int newest_first(const void *a, const void *b) {
    const ty_mlflow_registered_version *x = a, *y = b;
    const int64_t difference = strtoll(y->version, NULL, 10) - strtoll(x->version, NULL, 10);
    return (difference > 0) - (difference < 0);
}

static ty_status versions(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          ty_arena *arena, ty_mlflow_version_list *out) {
    ty_mlflow_registered_list model;
    ty_mlflow_version_list found;
    TY_TRY(models(ctx, r, name, arena, &model));
    TY_TRY(find_versions(ctx, r, name, version, arena, &found));
    ty_mlflow_registered_version *v = ty_arena_array(arena, (size_t)found.n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "a model's versions");
    for (int64_t i = 0; i < found.n; i++) {
        v[i] = found.v[i];
        if (model.n == 1)
            TY_TRY(take_aliases(ctx, &model.v[0].aliases, arena, &v[i]));
    }
    qsort(v, (size_t)found.n, sizeof *v, newest_first);
    *out = (ty_mlflow_version_list){.v = v, .n = found.n};
    return TY_OK;
}

/* --- changing --------------------------------------------------------------------------------- */

static ty_status make_model(ty_ctx *ctx, ty_registry *r, const char *name) {
    return ty_mlflow_make_registered(ctx, of(r)->m, name, NULL, (ty_mlflow_pairs){0});
}

static ty_status make_version(ty_ctx *ctx, ty_registry *r, const ty_mlflow_new_version *version,
                              const ty_placed *placed, int64_t *out_version) {
    (void)placed;
    ty_arena arena = {0};
    ty_mlflow_registered_version made;
    const ty_status st = ty_mlflow_make_version(ctx, of(r)->m, version, &arena, &made);
    if (st == TY_OK)
        *out_version = strtoll(made.version, NULL, 10);
    ty_arena_clear(&arena);
    return st;
}

static ty_status tag(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                     const char *key, const char *value) {
    char text[NUMBER];
    ty_mlflow *m = of(r)->m;
    if (version && value)
        return ty_mlflow_tag_version(ctx, m, name, number(version, text), key, value);
    if (version)
        return ty_mlflow_untag_version(ctx, m, name, number(version, text), key);
    if (value)
        return ty_mlflow_tag_registered(ctx, m, name, key, value);
    return ty_mlflow_untag_registered(ctx, m, name, key);
}

static ty_status describe(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          const char *description) {
    char text[NUMBER];
    if (version)
        return ty_mlflow_describe_version(ctx, of(r)->m, name, number(version, text), description);
    return ty_mlflow_describe_registered(ctx, of(r)->m, name, description);
}

static ty_status alias_at(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias,
                          int64_t *out) {
    ty_arena arena = {0};
    ty_mlflow_registered model;
    const ty_status st = ty_mlflow_get_registered(ctx, m, name, &arena, &model);
    *out = 0;
    for (int64_t i = 0; st == TY_OK && i < model.aliases.n; i++)
        if (strcmp(model.aliases.v[i].key, alias) == 0)
            *out = strtoll(model.aliases.v[i].value, NULL, 10);
    ty_arena_clear(&arena);
    return st;
}

static ty_status move_alias(ty_ctx *ctx, ty_registry *r, const char *name, const char *alias,
                            int64_t expected, int64_t version, int64_t *was) {
    char text[NUMBER];
    ty_mlflow *m = of(r)->m;
    TY_TRY(alias_at(ctx, m, name, alias, was));
    if (expected >= 0 && *was != expected)
        return ty_registry_store_fail_moved(ctx, name, alias, *was, expected);
    if (version)
        return ty_mlflow_set_alias(ctx, m, name, alias, number(version, text));
    return *was ? ty_mlflow_delete_alias(ctx, m, name, alias) : TY_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static ty_status root(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                      ty_arena *arena, const char **out, bool *is_here) {
    char text[NUMBER];
    ty_mlflow_model model;
    *is_here = false;
    if (version)
        return ty_mlflow_version_root(ctx, of(r)->m, name, number(version, text), arena, out);
    TY_TRY(ty_mlflow_get_model(ctx, of(r)->m, name, arena, &model));
    *out = model.artifact_uri;
    return TY_OK;
}

typedef struct fetching {
    ty_mlflow *m;
    const char *root, *folder;
    ty_arena arena;
    int64_t n_files;
} fetching;

/* A server's names are as much worth as anybody's: below the folder, or not at all. */
static ty_status fetch_file(ty_ctx *ctx, fetching *f, const ty_mlflow_file *file) {
    const char *to = ty_path_join(&f->arena, f->folder, file->path);
    const char *folder = to ? ty_path_folder(&f->arena, to) : NULL;
    if (!folder)
        return ty_fail_nomem(ctx, "a path");
    if (++f->n_files > MAX_FILES)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "a model has at most %d files", (int)MAX_FILES);
    TY_TRY(ty_dir_make(ctx, folder));
    return ty_mlflow_download(ctx, f->m, f->root, file->path, to);
}

static ty_status fetch_folder(ty_ctx *ctx, fetching *f, const char *path, int depth) {
    ty_mlflow_files list;
    TY_TRY(ty_mlflow_list_files(ctx, f->m, f->root, path, &f->arena, &list));
    for (int64_t i = 0; i < list.n; i++) {
        if (!ty_artifact_name_is_safe(list.v[i].path) || depth == MAX_DEPTH)
            return ty_fail(ctx, TY_ERR_INTEGRITY,
                           "the server names a file that no model has: "
                           "\"%.200s\"",
                           list.v[i].path);
        TY_TRY(list.v[i].is_folder ? fetch_folder(ctx, f, list.v[i].path, depth + 1)
                                   : fetch_file(ctx, f, &list.v[i]));
    }
    return TY_OK;
}

static ty_status fetch(ty_ctx *ctx, ty_registry *r, const char *from, const char *folder) {
    fetching f = {.m = of(r)->m, .root = from, .folder = folder};
    ty_status st = fetch_folder(ctx, &f, NULL, 0);
    if (st == TY_OK && f.n_files == 0)
        st = ty_fail(ctx, TY_ERR_NOT_FOUND, "%s has no files at %.200s", r->uri, from);
    ty_arena_clear(&f.arena);
    return st;
}

static ty_status place(ty_ctx *ctx, ty_registry *r, const ty_registry_entry *entry,
                       const ty_package *package, const char *digest, ty_arena *arena,
                       ty_placed *out) {
    const ty_placing p = {of(r)->m, entry, package, digest, arena};
    return ty_registry_place_on_server(ctx, &p, out);
}

static const ty_registry_ops ops = {.close = close_server,
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

ty_status ty_registry_open_server(ty_ctx *ctx, const char *uri, ty_registry **out) {
    server *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the registry");
    s->base.ops = &ops;
    ty_status st = ty_mlflow_open(ctx, &(ty_mlflow_options){.uri = uri}, &s->m);
    if (st == TY_OK && !(s->base.uri = strdup(ty_mlflow_describe(s->m))))
        st = ty_fail_nomem(ctx, "the registry");
    if (st == TY_OK)
        *out = &s->base;
    else
        ty_registry_close(&s->base);
    return st;
}
