/* Where a run is recorded besides its journal: in an embedded store, on a server, or nowhere yet. */
#ifndef TY_TRACKING_TARGET_H
#define TY_TRACKING_TARGET_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_target_kind { TY_TARGET_STORE, TY_TARGET_SERVER, TY_TARGET_OFFLINE } ty_target_kind;

typedef struct ty_target {
    ty_target_kind kind;
    const char *name;  /* as it may be shown and written down: a server's URI without user and
                          password, a store's "sqlite:///path", "offline" */
    const char *given; /* a server's URI as it came, perhaps with a password: show it to nobody */
    const char *path;  /* a store's database, absolute */
} ty_target;

/* What text says: "http(s)://..." a server; "sqlite:///path" a store (a path that does not begin
 * with / is seen from the current folder, as MLflow sees it); "offline" nowhere. In arena.
 * Errors: TY_ERR_ARG saying what may stand there. */
ty_status ty_target_parse(ty_ctx *ctx, const char *text, ty_arena *arena,
                          ty_target *out) TY_MUST_USE;

/* What the config says (tracking.uri, NULL and "" say nothing), else $MLFLOW_TRACKING_URI, else
 * <folder>/mlflow.db. A password has no place in a config, which is recorded. In arena.
 * Errors: TY_ERR_CONFIG, TY_ERR_ARG naming which of them is wrong. */
ty_status ty_target_choose(ty_ctx *ctx, const char *config_uri, const char *folder, ty_arena *arena,
                           ty_target *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
