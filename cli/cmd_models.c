/* models: a registry's models by name, and packages that leave. One verb a row. */
#include <string.h>

#include "cli/models/models.h"
#include "cli/verbs.h"

/* --- what the verbs share --------------------------------------------------------------------- */

ty_status models_open(cli *app, ty_registry **out) {
    return ty_registry_open(&app->ctx, args_value(&app->args, "registry"), app->folder, out);
}

ty_status models_find(cli *app, ty_registry *r, ty_arena *arena, int at,
                      ty_mlflow_registered_version *out) {
    ty_model_ref ref;
    TY_TRY(ty_model_ref_parse(&app->ctx, app->args.operand[at], arena, &ref));
    return ty_registry_find(&app->ctx, r, &ref, arena, out);
}

ty_status models_cache(cli *app, ty_arena *arena, const char **out) {
    *out = ty_path_join(arena, app->folder, "models/cache");
    return *out ? TY_OK : ty_fail_nomem(&app->ctx, "a path");
}

const char *models_tag(ty_mlflow_pairs tags, const char *key) {
    for (int64_t i = 0; i < tags.n; i++)
        if (strcmp(tags.v[i].key, key) == 0)
            return tags.v[i].value;
    return NULL;
}

static void add_tags_json(ty_text *out, ty_mlflow_pairs tags) {
    ty_text_add(out, ", \"tags\": {");
    for (int64_t i = 0; i < tags.n; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, tags.v[i].key);
        ty_text_add(out, ": ");
        ty_text_add_json(out, tags.v[i].value);
    }
    ty_text_add(out, "}");
}

void models_add_json(ty_text *out, const ty_mlflow_registered_version *v) {
    const char *const texts[][2] = {{"source", v->source},
                                    {"run_id", v->run_id},
                                    {"model_id", v->model_id},
                                    {"status", v->status},
                                    {"description", v->description}};
    ty_text_add(out, "\"name\": ");
    ty_text_add_json(out, v->name);
    ty_text_addf(out, ", \"version\": %s, \"created_ms\": %lld", v->version,
                 (long long)v->created_ms);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ty_text_addf(out, ", \"%s\": ", texts[i][0]);
        ty_text_add_json(out, texts[i][1] ? texts[i][1] : "");
    }
    ty_text_add(out, ", \"aliases\": [");
    for (int64_t i = 0; i < v->n_aliases; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, v->aliases[i]);
    }
    ty_text_add(out, "]");
    add_tags_json(out, v->tags);
}

void models_print_version(cli *app, const ty_registry *r, const char *did,
                          const ty_mlflow_registered_version *v) {
    ty_text out = {0};
    if (app->console.is_json) {
        ty_text_add(&out, "{");
        models_add_json(&out, v);
        ty_text_add(&out, ", \"registry\": ");
        ty_text_add_json(&out, ty_registry_uri(r));
        ty_text_add(&out, "}\n");
    } else {
        ty_text_addf(&out, "%s models:/%s/%s", did, v->name, v->version);
        for (int64_t i = 0; i < v->n_aliases; i++)
            ty_text_addf(&out, " @%s", v->aliases[i]);
        ty_text_addf(&out, " in %s\n", ty_registry_uri(r));
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

/* --- the table -------------------------------------------------------------------------------- */

#define MODEL_SAYS                                                                                 \
    "MODEL is models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-ID (\"models:/\" may be "      \
    "left\n"                                                                                       \
    "out where a name stands); a NAME alone is its newest version (tag: the model itself).\n"
#define EXPORT_SAYS "export also takes a run, a checkpoint or an exported folder.\n"
#define REGISTRY_SAYS                                                                              \
    "A registry is an MLflow server, or mlflow.db of a working folder: both are MLflow's own.\n"

static const struct {
    verb of;
    ty_status (*run)(cli *app, ty_arena *arena, ty_registry *r);
} verbs[] = {
    {{"ls", "[NAME]", "", "registered models, or a model's versions", 0, 1, " registry ",
      REGISTRY_SAYS},
     models_list},
    {{"show", "MODEL", "", "one version, all of it", 1, 1, " registry ", MODEL_SAYS}, models_show},
    {{"register", "RUN", "[--name NAME] [--alias ALIAS]",
      "a run's exported model (or an exported folder) as a version", 1, 1,
      " registry name alias description ", REGISTRY_SAYS},
     models_register},
    {{"alias", "NAME@ALIAS VERSION", "[--expect VERSION|none]",
      "move an alias, if it is where it is expected", 1, 2, " registry expect remove ", NULL},
     models_alias},
    {{"tag", "MODEL [KEY=VALUE...]", "[--delete KEY] [--description TEXT]",
      "set tags and descriptions of a model or a version", 1, ARGS_MAX_OPERANDS - 1,
      " registry delete description ", MODEL_SAYS},
     models_set},
    {{"get", "MODEL", "[--output FOLDER]", "a version's files, each compared with its SHA-256", 1,
      1, " registry output ", MODEL_SAYS},
     models_get},
    {{"verify", "[MODEL]", "", "compare a version's files, or those of all versions", 0, 1,
      " registry ", MODEL_SAYS},
     models_verify},
    {{"export", "MODEL", "--output FOLDER [--layout LAYOUT]",
      "write a package for MLflow, ONNX, safetensors or Triton", 1, 1,
      " registry name output layout opset ", MODEL_SAYS EXPORT_SAYS},
     models_export},
    {{"copy", "MODEL", "--to URI", "bring a version into another registry", 1, 1,
      " registry name to ", MODEL_SAYS},
     models_copy},
};
static const verb_table verb_rows = VERB_TABLE(verbs);

static ty_status models(cli *app) {
    int at;
    TY_TRY(verbs_find(app, &cmd_models, &at));
    ty_arena arena = {0};
    ty_registry *r = NULL;
    ty_status st = TY_OK;
    if (verbs[at].run != models_export) /* of a run or a file, which no registry knows */
        st = models_open(app, &r);
    if (st == TY_OK)
        st = verbs[at].run(app, &arena, r);
    ty_registry_close(r);
    ty_arena_clear(&arena);
    return st;
}

static const option_row options[] = {
    {"registry", 0, "URI",
     "http(s)://HOST or sqlite:///FOLDER/mlflow.db (default: MLFLOW_REGISTRY_URI, "
     "MLFLOW_TRACKING_URI, this folder's)"},
    {"name", 0, "NAME", "the model's name (export: with --layout triton)"},
    {"alias", 0, "ALIAS", "an alias that is to name the new version"},
    {"expect", 0, "VERSION", "only if it is there now; none: only if it is nowhere"},
    {"delete", 0, "KEY", "take this tag away"},
    {"remove", 0, NULL, "take the alias away"},
    {"description", 0, "TEXT", "markdown that says what it is"},
    {"output", 'o', "FOLDER", "where to (get: NAME-VERSION here)"},
    {"layout", 0, "LAYOUT", "mlflow (default), onnx, safetensors or triton"},
    {"opset", 0, "N", "of the ONNX graph, 13 to 17 (default), for older runtimes"},
    {"to", 0, "URI", "the registry that gets it"},
    {0}};

const command cmd_models = {.name = "models",
                            .operands = "VERB ...",
                            .summary = "register, name, check, fetch and export models",
                            .about = MODEL_SAYS EXPORT_SAYS REGISTRY_SAYS,
                            .options = options,
                            .verbs = &verb_rows,
                            .min_operands = 1,
                            .max_operands = ARGS_MAX_OPERANDS,
                            .run = models};
