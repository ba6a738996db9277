/* What the two kinds of registry are to registry.c and publish.c: a table of calls. Names have been
 * checked when they come here. */
#ifndef TY_REGISTRY_REGISTRY_PRIVATE_H
#define TY_REGISTRY_REGISTRY_PRIVATE_H

#include "registry/registry.h"

/* A package whose files the registry can reach. */
typedef struct ty_placed {
    const char *source;   /* the version's: "models:/m-...", a path, a URI */
    const char *model_id; /* the registry's logged model; NULL: of none */
    const char *run_id;   /* the registry's run; NULL: of none */
    const char *location; /* embedded: a path; NULL: where the logged model has them */
} ty_placed;

typedef struct ty_registry_ops {
    void (*close)(ty_registry *r);
    /* name NULL: all. */
    ty_status (*models)(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                        ty_mlflow_registered_list *out);
    /* version 0: all, newest first. */
    ty_status (*versions)(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          ty_arena *arena, ty_mlflow_version_list *out);
    ty_status (*make_model)(ty_ctx *ctx, ty_registry *r, const char *name);
    ty_status (*place)(ty_ctx *ctx, ty_registry *r, const ty_registry_entry *entry,
                       const ty_package *package, const char *digest, ty_arena *arena,
                       ty_placed *out);
    ty_status (*make_version)(ty_ctx *ctx, ty_registry *r, const ty_mlflow_new_version *version,
                              const ty_placed *placed, int64_t *out_version);
    ty_status (*tag)(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                     const char *key, const char *value);
    ty_status (*describe)(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          const char *description);
    ty_status (*move_alias)(ty_ctx *ctx, ty_registry *r, const char *name, const char *alias,
                            int64_t expected, int64_t version, int64_t *was);
    /* Where files lie: a version's (version > 0), or those of the logged model of that name. A path
     * on this machine where is_here, else a root for fetch. */
    ty_status (*root)(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                      ty_arena *arena, const char **out, bool *is_here);
    /* Downloads all files below a root into folder, which exists. */
    ty_status (*fetch)(ty_ctx *ctx, ty_registry *r, const char *root, const char *folder);
} ty_registry_ops;

struct ty_registry {
    const ty_registry_ops *ops;
    char *uri; /* as shown */
};

/* Each opens one kind; *out's first member is a ty_registry. path: of the database, absolute. */
ty_status ty_registry_open_embedded(ty_ctx *ctx, const char *path, ty_registry **out) TY_MUST_USE;
ty_status ty_registry_open_server(ty_ctx *ctx, const char *uri, ty_registry **out) TY_MUST_USE;

/* A package on its way to a server. */
typedef struct ty_placing {
    ty_mlflow *m;
    const ty_registry_entry *entry;
    const ty_package *package;
    const char *digest; /* of its manifest */
    ty_arena *arena;
} ty_placing;

ty_status ty_registry_place_on_server(ty_ctx *ctx, const ty_placing *p, ty_placed *out) TY_MUST_USE;

#endif
