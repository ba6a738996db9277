/* Logged models: what runs made, with files, params and metrics of their own. */
#include <stdio.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"

#define MODELS MLFLOW_API "logged-models"

enum { PARAMS_AT_ONCE = 100, MODELS_PAGE = 50 };

static void path_of(ty_text *path, const char *model_id, const char *below) {
    ty_text_add(path, MODELS "/");
    ty_http_add_encoded(path, model_id, false);
    ty_text_add(path, below);
}

static ty_status send_to(ty_ctx *ctx, ty_mlflow *m, const char *method, const char *model_id,
                         const char *below, const char *what, ty_text *body) {
    ty_text path = {0};
    path_of(&path, model_id, below);
    const mlflow_post_call call = {.method = method, .path = ty_text_string(&path), .what = what};
    const ty_status st = mlflow_post(ctx, m, &call, body, NULL);
    ty_text_clear(&path);
    return st;
}

/* --- searching --- */

static bool read_item(ty_arena *arena, const json_t *json, void *item) {
    return mlflow_read_model(arena, json, item);
}

static void write_query(ty_text *query, const char *const *ids, int64_t n, const char *filter,
                        int64_t max) {
    ty_text_add(query, "\"experiment_ids\":[");
    for (int64_t i = 0; i < n; i++) {
        mlflow_add_comma(query);
        ty_text_add_json(query, ids[i]);
    }
    ty_text_add(query, "]");
    mlflow_add_text(query, "filter", filter);
    mlflow_add_integer(query, "max_results", max < MODELS_PAGE ? max : MODELS_PAGE);
}

ty_status ty_mlflow_search_models(ty_ctx *ctx, ty_mlflow *m, const char *const *experiment_ids,
                                  int64_t n_experiments, const char *filter, int64_t max,
                                  ty_arena *arena, ty_mlflow_models *out) {
    const mlflow_search search = {.method = "POST",
                                  .path = MODELS "/search",
                                  .what = "searching logged models",
                                  .array = "models",
                                  .read = read_item,
                                  .item_bytes = sizeof *out->v,
                                  .max = max};
    const void *v = NULL;
    ty_text query = {0};
    *out = (ty_mlflow_models){0};
    TY_TRY(mlflow_check(ctx, m, search.what,
                        n_experiments > 0 && max > 0 ? NULL
                                                     : "no experiments or no results asked for"));
    write_query(&query, experiment_ids, n_experiments, filter, max);
    const ty_status st = mlflow_search_pages(ctx, m, &search, &query, arena, &v, &out->n);
    out->v = v;
    return st;
}

/* --- creating --- */

typedef struct model_making {
    const ty_mlflow_new_model *model;
    ty_arena *arena;
    ty_mlflow_model *out;
    char what[MLFLOW_WHAT];
} model_making;

static ty_status find_model(ty_ctx *ctx, ty_mlflow *m, void *self, bool *is_found) {
    model_making *making = self;
    char filter[400];
    ty_mlflow_models models;
    (void)snprintf(filter, sizeof filter, "tags.`" TY_MLFLOW_UID_TAG "` = '%s'",
                   making->model->uid);
    TY_TRY(ty_mlflow_search_models(ctx, m, &making->model->experiment_id, 1, filter, 1,
                                   making->arena, &models));
    *is_found = models.n > 0;
    if (*is_found)
        *making->out = models.v[0];
    return TY_OK;
}

static ty_status read_model(ty_ctx *ctx, const char *what, const json_t *answer, ty_arena *arena,
                            ty_mlflow_model *out) {
    return mlflow_read_model(arena, json_object_get(answer, "model"), out)
               ? TY_OK
               : mlflow_wrong_answer(ctx, what);
}

static ty_mlflow_pairs slice(ty_mlflow_pairs pairs, int64_t from, int64_t most) {
    const int64_t left = pairs.n > from ? pairs.n - from : 0;
    return (ty_mlflow_pairs){.v = left > 0 ? pairs.v + from : NULL, .n = left < most ? left : most};
}

static ty_status create_model(ty_ctx *ctx, ty_mlflow *m, void *self) {
    model_making *making = self;
    const ty_mlflow_new_model *model = making->model;
    ty_text body = {0};
    json_t *answer = NULL;
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "experiment_id", model->experiment_id);
    mlflow_add_text(&body, "name", model->name);
    mlflow_add_text(&body, "model_type", model->type);
    mlflow_add_text(&body, "source_run_id", model->source_run_id);
    mlflow_add_pairs(&body, "params", slice(model->params, 0, PARAMS_AT_ONCE), NULL);
    mlflow_add_pairs(&body, "tags", model->tags, model->uid);
    const mlflow_post_call call = {.path = MODELS, .what = making->what, .is_once = true};
    ty_status st = mlflow_post(ctx, m, &call, &body, &answer);
    if (st == TY_OK)
        st = read_model(ctx, making->what, answer, making->arena, making->out);
    json_decref(answer);
    return st;
}

static const char *model_slip(const ty_mlflow_new_model *model) {
    const char *slip = mlflow_uid_slip(model->uid);
    slip = slip ? slip : ty_mlflow_model_name_slip(model->name);
    if (!slip && (!model->experiment_id || model->experiment_id[0] == '\0'))
        slip = "a logged model needs an experiment";
    return slip ? slip : mlflow_tags_slip(model->tags);
}

ty_status ty_mlflow_make_model(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_model *model,
                               ty_arena *arena, ty_mlflow_model *out) {
    model_making making = {.model = model, .arena = arena, .out = out};
    mlflow_say(making.what, "creating logged model", model->name);
    TY_TRY(mlflow_check(ctx, m, making.what, model_slip(model)));
    TY_TRY(mlflow_make(ctx, m, &(mlflow_making){find_model, create_model, &making}));
    /* Also for one that was found: its maker may have stopped here. */
    return ty_mlflow_add_model_params(ctx, m, out->id,
                                      slice(model->params, PARAMS_AT_ONCE, model->params.n));
}

/* --- the rest of its life --- */

ty_status ty_mlflow_finalize_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id, bool is_ready) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, "finishing logged model", model_id);
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "model_id", model_id);
    mlflow_add_text(&body, "status",
                    is_ready ? "LOGGED_MODEL_READY" : "LOGGED_MODEL_UPLOAD_FAILED");
    return send_to(ctx, m, "PATCH", model_id, "", what, &body);
}

ty_status ty_mlflow_tag_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id,
                              ty_mlflow_pairs tags) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, "tagging logged model", model_id);
    TY_TRY(mlflow_check(ctx, m, what, mlflow_tags_slip(tags)));
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "model_id", model_id);
    mlflow_add_pairs(&body, "tags", tags, NULL);
    return send_to(ctx, m, "PATCH", model_id, "/tags", what, &body);
}

ty_status ty_mlflow_add_model_params(ty_ctx *ctx, ty_mlflow *m, const char *model_id,
                                     ty_mlflow_pairs params) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "adding params to logged model", model_id);
    for (int64_t i = 0; i < params.n; i += PARAMS_AT_ONCE) {
        ty_text body = {0};
        ty_text_add(&body, "{");
        mlflow_add_text(&body, "model_id", model_id);
        mlflow_add_pairs(&body, "params", slice(params, i, PARAMS_AT_ONCE), NULL);
        TY_TRY(send_to(ctx, m, "POST", model_id, "/params", what, &body));
    }
    return TY_OK;
}

ty_status ty_mlflow_get_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id, ty_arena *arena,
                              ty_mlflow_model *out) {
    char what[MLFLOW_WHAT];
    ty_text path = {0};
    json_t *answer = NULL;
    mlflow_say(what, "reading logged model", model_id);
    path_of(&path, model_id, "");
    ty_status st = mlflow_get(ctx, m, what, &path, &answer);
    if (st == TY_OK)
        st = read_model(ctx, what, answer, arena, out);
    json_decref(answer);
    return st;
}
