/* What the verbs of `tiltyard models` share; models_show.c, models_change.c and models_files.c have
 * them. */
#ifndef TY_CLI_MODELS_MODELS_H
#define TY_CLI_MODELS_MODELS_H

#include "cli/cli.h"
#include "cli/table.h"
#include "registry/registry.h"

/* The registry of --registry, or the one that ty_registry_open chooses. */
ty_status models_open(cli *app, ty_registry **out) TY_MUST_USE;

/* The version that operand number `at` names. Errors: TY_ERR_ARG it names a logged model. */
ty_status models_find(cli *app, ty_registry *r, ty_arena *arena, int at,
                      ty_mlflow_registered_version *out) TY_MUST_USE;

/* <working folder>/models/cache, in arena. */
ty_status models_cache(cli *app, ty_arena *arena, const char **out) TY_MUST_USE;

/* Prints one version: on a line of JSON, or as "NAME version N" with what there is to say. */
void models_print_version(cli *app, const ty_registry *r, const char *did,
                          const ty_mlflow_registered_version *v);

/* A tag's value, NULL where there is none. Borrowed. */
const char *models_tag(ty_mlflow_pairs tags, const char *key);

/* The members of a version as JSON, without braces. */
void models_add_json(ty_text *out, const ty_mlflow_registered_version *v);

/* What becomes a version. NULL and 0: not said. */
typedef struct models_wish {
    const char *which; /* a run, or an exported folder */
    const char *name;  /* of the registered model; the run's experiment */
    const char *alias, *description;
    ty_mlflow_pairs tags; /* besides those that say where it comes from */
} models_wish;

/* Registers the newest package of a run (made of its best checkpoint where there is none), or a folder;
 * the same package again is the version that it was. Errors: as ty_registry_add. */
ty_status models_add(cli *app, ty_arena *arena, ty_registry *r, const models_wish *wish,
                     ty_mlflow_registered_version *out) TY_MUST_USE;

/* The verbs. Operands: args.operand[0] is the verb itself. */
ty_status models_list(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_show(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_register(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_alias(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_set(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_get(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_verify(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_export(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;
ty_status models_copy(cli *app, ty_arena *arena, ty_registry *r) TY_MUST_USE;

#endif
