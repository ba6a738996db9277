/* The registry that is in mlflow.db: registered models, their versions, aliases and tags, row by row
 * as MLflow writes them. Each call is a transaction of its own; versions are numbered and aliases
 * move under the store's write lock, so that any number of processes may do so at once. */
#ifndef TY_TRACKING_STORE_REGISTRY_STORE_H
#define TY_TRACKING_STORE_REGISTRY_STORE_H

#include "base/base.h"
#include "tracking/client/mlflow.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_registry_store ty_registry_store;

/* Opens (or makes) the database at path. What it knows of runs in its folder is where it lies now when
 * this returns. *out is the caller's to close.
 * Errors: TY_ERR_BUSY; TY_ERR_INTEGRITY a store that our statements don't fit; TY_ERR_IO. All calls
 * below may answer these. */
ty_status ty_registry_store_open(ty_ctx *ctx, const char *path,
                                 ty_registry_store **out) TY_MUST_USE;
void ty_registry_store_close(ty_registry_store *rs); /* accepts NULL */

/* Registered models by name with tags and aliases; name NULL: all but prompts, which MLflow keeps
 * in the same table. */
ty_status ty_registry_store_models(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                   ty_arena *arena, ty_mlflow_registered_list *out) TY_MUST_USE;

/* A model's versions, newest first, with tags and aliases; version 0: all. */
ty_status ty_registry_store_versions(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, ty_arena *arena,
                                     ty_mlflow_version_list *out) TY_MUST_USE;

/* One that exists is fine and stays as it is. */
ty_status ty_registry_store_make_model(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                       const char *description, ty_mlflow_pairs tags) TY_MUST_USE;

/* The version of that uid: found, or made with the next number. location: where the files lie, a
 * path (NULL: where the logged model of model_id has them).
 * Errors: TY_ERR_NOT_FOUND no such model, or no such logged model. */
ty_status ty_registry_store_make_version(ty_ctx *ctx, ty_registry_store *rs,
                                         const ty_mlflow_new_version *version, const char *location,
                                         int64_t *out_version) TY_MUST_USE;

/* version 0: of the model. value NULL: the tag goes (one that is missing is fine).
 * Errors: TY_ERR_NOT_FOUND no such model or version. */
ty_status ty_registry_store_tag(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                int64_t version, const char *key, const char *value) TY_MUST_USE;
ty_status ty_registry_store_describe(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, const char *description) TY_MUST_USE;

/* Moves an alias to version (0: takes it away), if it is at expected (0: nowhere; -1: wherever).
 * *was is where it was, 0 for nowhere; on TY_ERR_BUSY too.
 * Errors: TY_ERR_BUSY it is not where it was expected; TY_ERR_NOT_FOUND no such version. */
ty_status ty_registry_store_move_alias(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                       const char *alias, int64_t expected, int64_t version,
                                       int64_t *was) TY_MUST_USE;

/* TY_ERR_BUSY: an alias is at seen and was expected elsewhere; positions as above. */
ty_status ty_registry_store_fail_moved(ty_ctx *ctx, const char *name, const char *alias,
                                       int64_t seen, int64_t expected);

/* Where a version's files lie: a path. Where MLflow's client put them elsewhere, a URI; in arena. */
ty_status ty_registry_store_location(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, ty_arena *arena,
                                     const char **out) TY_MUST_USE;

/* The same of a logged model ("m-..."), with its run (NULL: may be left out).
 * Errors: TY_ERR_NOT_FOUND. */
ty_status ty_registry_store_logged(ty_ctx *ctx, ty_registry_store *rs, const char *model_id,
                                   ty_arena *arena, const char **out_location,
                                   const char **out_run_id) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
