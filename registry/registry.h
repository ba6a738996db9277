/* The door of registry: models that leave a run, and the places that know them by name. A registry
 * is mlflow.db of a working folder or an MLflow server; both answer the same calls alike. A handle is
 * one thread's at a time.
 *
 * What calls answer besides what is said beside them: TY_ERR_BUSY the registry cannot be reached or
 * is locked now; TY_ERR_ARG a name, alias or tag that MLflow would refuse; TY_ERR_INTEGRITY,
 * TY_ERR_IO, TY_ERR_FAILED as tracking/client/mlflow.h and tracking/store/registry_store.h have them. Models,
 * versions, tags are the structs of tracking/client/mlflow.h: strings that are missing are "", all lives in
 * the arena given. */
#ifndef TY_REGISTRY_REGISTRY_H
#define TY_REGISTRY_REGISTRY_H

#include "base/base.h"
#include "registry/card.h"
#include "registry/files.h"
#include "registry/manifest.h"
#include "registry/package.h"
#include "tracking/tracking.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_registry ty_registry;

/* uri: what ty_target_parse (tracking/target.h) takes, a server or another store; NULL or "":
 * $MLFLOW_REGISTRY_URI, then $MLFLOW_TRACKING_URI, then mlflow.db in folder ("offline" is that,
 * too). Nothing is sent to a server yet. *out is the caller's to close.
 * Errors: TY_ERR_ARG a URI of another kind, with what to write instead. */
ty_status ty_registry_open(ty_ctx *ctx, const char *uri, const char *folder,
                           ty_registry **out) TY_MUST_USE;
void ty_registry_close(ty_registry *r); /* accepts NULL */

/* Where it is, without secrets: "http://host:5000", "sqlite:////data/mlflow.db". Borrowed. */
const char *ty_registry_uri(const ty_registry *r);

/* --- names ----------------------------------------------------------------------------------- */

/* What names a model: models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID; NAME@ALIAS and
 * NAME/VERSION for short. One of alias, version and model_id is there, or none: NAME alone. */
typedef struct ty_model_ref {
    const char *name, *alias, *model_id; /* NULL: not said */
    int64_t version;                     /* 0: not said */
} ty_model_ref;

/* Errors: TY_ERR_ARG text names no model. */
ty_status ty_model_ref_parse(ty_ctx *ctx, const char *text, ty_arena *arena,
                             ty_model_ref *out) TY_MUST_USE;

/* --- looking --------------------------------------------------------------------------------- */

/* Registered models by name. */
ty_status ty_registry_models(ty_ctx *ctx, ty_registry *r, ty_arena *arena,
                             ty_mlflow_registered_list *out) TY_MUST_USE;

/* Errors: TY_ERR_NOT_FOUND, with near names. */
ty_status ty_registry_model(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                            ty_mlflow_registered *out) TY_MUST_USE;

/* Newest first, with tags and aliases. */
ty_status ty_registry_versions(ty_ctx *ctx, ty_registry *r, const char *name, ty_arena *arena,
                               ty_mlflow_version_list *out) TY_MUST_USE;

/* The version that ref names (a name alone: the newest one).
 * Errors: TY_ERR_NOT_FOUND no such model, version or alias. */
ty_status ty_registry_find(ty_ctx *ctx, ty_registry *r, const ty_model_ref *ref, ty_arena *arena,
                           ty_mlflow_registered_version *out) TY_MUST_USE;

/* --- changing -------------------------------------------------------------------------------- */

/* A package (a folder with MLmodel) that is to become a version. */
typedef struct ty_registry_entry {
    const char *name;        /* the registered model's; made where it is missing */
    const char *package;     /* the folder */
    const char *uid;         /* the same again is the same version; letters, digits, - _ .;
                              NULL: the manifest's digest */
    const char *run_id;      /* the run's own id, as its journal has it; NULL: of no run */
    const char *experiment;  /* its name; NULL: MLflow's own */
    const char *description; /* markdown; NULL: none */
    ty_mlflow_pairs tags;
} ty_registry_entry;

/* Verifies the package, makes its files reachable from the registry (uploads them, where it is a
 * server that has them not) and makes a version of them with the next number; doing it again finds
 * that version. Any number of processes may do so at once. The version's tag tiltyard.manifest.sha256
 * is the digest of the package's manifest.
 * Errors: TY_ERR_NOT_FOUND no package, or one without manifest; TY_ERR_INTEGRITY files that
 *         changed. */
ty_status ty_registry_add(ty_ctx *ctx, ty_registry *r, const ty_registry_entry *entry,
                          ty_arena *arena, ty_mlflow_registered_version *out) TY_MUST_USE;

/* version 0: of the registered model. value NULL: the tag goes. Errors: TY_ERR_NOT_FOUND. */
ty_status ty_registry_tag(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                          const char *key, const char *value) TY_MUST_USE;
ty_status ty_registry_describe(ty_ctx *ctx, ty_registry *r, const char *name, int64_t version,
                               const char *description) TY_MUST_USE;

/* Moves an alias to version (0: takes it away) if it is where it is expected: at a version, nowhere
 * (0), or wherever it is (-1). It is read back afterwards. *was (may be NULL) is where it was, 0 for
 * nowhere. The embedded store does it in one transaction; a server has nothing of the kind, so that
 * there another client may come between looking and moving for as long as a request takes.
 * Errors: TY_ERR_BUSY it is elsewhere, or was moved meanwhile; TY_ERR_NOT_FOUND no such version. */
ty_status ty_registry_move_alias(ty_ctx *ctx, ty_registry *r, const char *name, const char *alias,
                                 int64_t expected, int64_t version, int64_t *was) TY_MUST_USE;

/* --- files ----------------------------------------------------------------------------------- */

/* A model's files on this machine. */
typedef struct ty_registry_files {
    const char *folder;
    bool is_verified; /* false: nobody made a manifest of it, so that nothing could be compared */
    int64_t n_files;  /* that were compared */
} ty_registry_files;

/* The files of a version, every one compared with the manifest whose digest is the version's tag. */
ty_status ty_registry_verify(ty_ctx *ctx, ty_registry *r,
                             const ty_mlflow_registered_version *version, ty_arena *arena,
                             ty_registry_files *out) TY_MUST_USE;

/* Copies or downloads a version's files into folder, which must not exist or be empty, verifies them
 * there and only then gives them that name.
 * Errors: TY_ERR_ARG folder is there; TY_ERR_INTEGRITY files that differ, or names that lead
 *         elsewhere. */
ty_status ty_registry_get(ty_ctx *ctx, ty_registry *r, const ty_mlflow_registered_version *version,
                          const char *folder, ty_arena *arena, ty_registry_files *out) TY_MUST_USE;

/* The same of a logged model, models:/m-ID, which need not be registered. */
ty_status ty_registry_get_logged(ty_ctx *ctx, ty_registry *r, const char *model_id,
                                 const char *folder, ty_arena *arena,
                                 ty_registry_files *out) TY_MUST_USE;

/* The same for reading: the files where they lie on this machine, or a copy in <cache>/<digest>,
 * downloaded once. Verified either way. */
ty_status ty_registry_open_files(ty_ctx *ctx, ty_registry *r,
                                 const ty_mlflow_registered_version *version, const char *cache,
                                 ty_arena *arena, ty_registry_files *out) TY_MUST_USE;

ty_status ty_registry_open_logged(ty_ctx *ctx, ty_registry *r, const char *model_id,
                                  const char *cache, ty_arena *arena,
                                  ty_registry_files *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
