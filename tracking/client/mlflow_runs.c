/* Experiments and runs. */
#include <stdio.h>
#include <string.h>

#include "tracking/limits.h"
#include "tracking/client/mlflow_private.h"

/* --- experiments --- */

static const char *experiment_slip(const char *name) {
    if (!name || name[0] == '\0')
        return "an experiment's name is empty";
    return name[ty_limit_bytes(name, TY_LIMIT_EXPERIMENT)] != '\0'
               ? "an experiment's name is longer than 500 characters"
               : NULL;
}

static ty_status ask_experiment(ty_ctx *ctx, ty_mlflow *m, const char *what, ty_text *path,
                                ty_arena *arena, ty_mlflow_experiment *out) {
    json_t *answer = NULL;
    ty_status st = mlflow_get(ctx, m, what, path, &answer);
    if (st == TY_OK && !mlflow_read_experiment(arena, json_object_get(answer, "experiment"), out))
        st = mlflow_wrong_answer(ctx, what);
    json_decref(answer);
    return st;
}

ty_status ty_mlflow_find_experiment(ty_ctx *ctx, ty_mlflow *m, const char *name, ty_arena *arena,
                                    ty_mlflow_experiment *out) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "looking for experiment", name ? name : "");
    TY_TRY(mlflow_check(ctx, m, what, experiment_slip(name)));
    ty_text path = {0};
    ty_text_add(&path, MLFLOW_API "experiments/get-by-name?");
    mlflow_add_query(&path, "experiment_name", name);
    return ask_experiment(ctx, m, what, &path, arena, out);
}

ty_status ty_mlflow_get_experiment(ty_ctx *ctx, ty_mlflow *m, const char *id, ty_arena *arena,
                                   ty_mlflow_experiment *out) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "reading experiment", id);
    ty_text path = {0};
    ty_text_add(&path, MLFLOW_API "experiments/get?");
    mlflow_add_query(&path, "experiment_id", id);
    return ask_experiment(ctx, m, what, &path, arena, out);
}

/* Not is_once: the name makes it recognisable, and one that exists is the answer. */
static ty_status create_experiment(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                   ty_mlflow_pairs tags) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "creating experiment", name);
    ty_text body = {0};
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "name", name);
    if (tags.n > 0)
        mlflow_add_pairs(&body, "tags", tags, NULL);
    const ty_status st = mlflow_post(
        ctx, m, &(mlflow_post_call){.path = MLFLOW_API "experiments/create", .what = what}, &body,
        NULL);
    const bool exists = strcmp(m->trouble.error_code, "RESOURCE_ALREADY_EXISTS") == 0;
    return st == TY_ERR_ARG && exists ? TY_OK : st;
}

ty_status ty_mlflow_make_experiment(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                    ty_mlflow_pairs tags, ty_arena *arena,
                                    ty_mlflow_experiment *out) {
    ty_status st = ty_mlflow_find_experiment(ctx, m, name, arena, out);
    if (st == TY_ERR_NOT_FOUND && m->trouble.error_code[0] != '\0') {
        TY_TRY(create_experiment(ctx, m, name, tags));
        st = ty_mlflow_find_experiment(ctx, m, name, arena, out);
    }
    if (st == TY_OK && out->is_deleted)
        st = ty_fail(
            ctx, TY_ERR_ARG,
            "experiment \"%.200s\" is deleted on the server: restore it there, or take another "
            "name",
            name);
    return st;
}

ty_status ty_mlflow_tag_experiment(ty_ctx *ctx, ty_mlflow *m, const char *experiment_id,
                                   const char *key, const char *value) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "tagging experiment", experiment_id);
    TY_TRY(mlflow_check(ctx, m, what, ty_mlflow_key_slip(key)));
    ty_text body = {0};
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "experiment_id", experiment_id);
    mlflow_add_text(&body, "key", key);
    mlflow_add_text(&body, "value", value);
    return mlflow_post(
        ctx, m,
        &(mlflow_post_call){.path = MLFLOW_API "experiments/set-experiment-tag", .what = what},
        &body, NULL);
}

/* --- runs --- */

static bool read_run(ty_arena *arena, const json_t *json, void *item) {
    return mlflow_read_run(arena, json, item);
}

static void add_ids(ty_text *out, const char *key, const char *const *ids, int64_t n) {
    mlflow_add_comma(out);
    ty_text_addf(out, "\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        mlflow_add_comma(out);
        ty_text_add_json(out, ids[i]);
    }
    ty_text_add(out, "]");
}

static ty_status search(ty_ctx *ctx, ty_mlflow *m, const char *const *ids, int64_t n,
                        const char *filter, const char *view, int64_t max, ty_arena *arena,
                        ty_mlflow_runs *out) {
    const mlflow_search search = {.method = "POST",
                                  .path = MLFLOW_API "runs/search",
                                  .what = "searching runs",
                                  .array = "runs",
                                  .read = read_run,
                                  .item_bytes = sizeof *out->v,
                                  .max = max};
    const void *v = NULL;
    ty_text query = {0};
    add_ids(&query, "experiment_ids", ids, n);
    mlflow_add_text(&query, "filter", filter);
    mlflow_add_text(&query, "run_view_type", view);
    mlflow_add_integer(&query, "max_results", max < MLFLOW_PAGE ? max : MLFLOW_PAGE);
    ty_text_add(&query, ",\"order_by\":[\"attributes.start_time DESC\"]");
    const ty_status st = mlflow_search_pages(ctx, m, &search, &query, arena, &v, &out->n);
    out->v = v;
    return st;
}

ty_status ty_mlflow_search_runs(ty_ctx *ctx, ty_mlflow *m, const char *const *experiment_ids,
                                int64_t n_experiments, const char *filter, int64_t max,
                                ty_arena *arena, ty_mlflow_runs *out) {
    *out = (ty_mlflow_runs){0};
    TY_TRY(mlflow_check(ctx, m, "searching runs",
                        n_experiments > 0 && max > 0 ? NULL
                                                     : "no experiments or no results asked for"));
    return search(ctx, m, experiment_ids, n_experiments, filter, "ACTIVE_ONLY", max, arena, out);
}

typedef struct run_making {
    const ty_mlflow_new_run *run;
    ty_arena *arena;
    ty_mlflow_run *out;
    char what[MLFLOW_WHAT];
} run_making;

static ty_status find_run(ty_ctx *ctx, ty_mlflow *m, void *self, bool *is_found) {
    run_making *making = self;
    char filter[400];
    ty_mlflow_runs runs;
    (void)snprintf(filter, sizeof filter, "tags.`" TY_MLFLOW_UID_TAG "` = '%s'", making->run->uid);
    TY_TRY(search(ctx, m, &making->run->experiment_id, 1, filter, "ALL", 1, making->arena, &runs));
    *is_found = runs.n > 0;
    if (*is_found)
        *making->out = runs.v[0];
    return TY_OK;
}

static ty_status create_run(ty_ctx *ctx, ty_mlflow *m, void *self) {
    run_making *making = self;
    const ty_mlflow_new_run *run = making->run;
    ty_text body = {0};
    json_t *answer = NULL;
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "experiment_id", run->experiment_id);
    mlflow_add_text(&body, "user_id", run->user);
    mlflow_add_text(&body, "run_name", run->name);
    mlflow_add_integer(&body, "start_time", run->start_ms);
    mlflow_add_pairs(&body, "tags", run->tags, run->uid);
    const mlflow_post_call call = {
        .path = MLFLOW_API "runs/create", .what = making->what, .is_once = true};
    ty_status st = mlflow_post(ctx, m, &call, &body, &answer);
    if (st == TY_OK && !mlflow_read_run(making->arena, json_object_get(answer, "run"), making->out))
        st = mlflow_wrong_answer(ctx, making->what);
    json_decref(answer);
    return st;
}

static const char *run_slip(const ty_mlflow_new_run *run) {
    const char *slip = mlflow_uid_slip(run->uid);
    if (!slip && (!run->experiment_id || run->experiment_id[0] == '\0'))
        slip = "a run needs an experiment";
    if (!slip && run->start_ms <= 0)
        slip = "a run needs a start time: the server would take 0 for it";
    return slip ? slip : mlflow_tags_slip(run->tags);
}

ty_status ty_mlflow_make_run(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_run *run,
                             ty_arena *arena, ty_mlflow_run *out) {
    run_making making = {.run = run, .arena = arena, .out = out};
    mlflow_say(making.what, "creating run", run->name ? run->name : "");
    TY_TRY(mlflow_check(ctx, m, making.what, run_slip(run)));
    TY_TRY(mlflow_make(ctx, m, &(mlflow_making){find_run, create_run, &making}));
    if (out->is_deleted)
        return ty_fail(
            ctx, TY_ERR_ARG,
            "run \"%.200s\" is deleted on the server: restore it there, or start another one",
            out->name);
    return TY_OK;
}

static const char *status_slip(const char *status) {
    static const char *const names[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    for (size_t i = 0; status && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(status, names[i]) == 0)
            return NULL;
    return status ? "a run's status is RUNNING, SCHEDULED, FINISHED, FAILED or KILLED" : NULL;
}

ty_status ty_mlflow_update_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *status,
                               int64_t end_ms, const char *name) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "updating run", run_id);
    TY_TRY(mlflow_check(ctx, m, what, status_slip(status)));
    ty_text body = {0};
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "run_id", run_id);
    mlflow_add_text(&body, "status", status);
    if (end_ms > 0)
        mlflow_add_integer(&body, "end_time", end_ms);
    mlflow_add_text(&body, "run_name", name);
    return mlflow_post(ctx, m, &(mlflow_post_call){.path = MLFLOW_API "runs/update", .what = what},
                       &body, NULL);
}

ty_status ty_mlflow_get_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id, ty_arena *arena,
                            ty_mlflow_run *out) {
    char what[MLFLOW_WHAT];
    mlflow_say(what, "reading run", run_id);
    ty_text path = {0};
    ty_text_add(&path, MLFLOW_API "runs/get?");
    mlflow_add_query(&path, "run_id", run_id);
    json_t *answer = NULL;
    ty_status st = mlflow_get(ctx, m, what, &path, &answer);
    if (st == TY_OK && !mlflow_read_run(arena, json_object_get(answer, "run"), out))
        st = mlflow_wrong_answer(ctx, what);
    json_decref(answer);
    return st;
}

ty_status ty_mlflow_delete_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, "deleting run", run_id);
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "run_id", run_id);
    return mlflow_post(ctx, m, &(mlflow_post_call){.path = MLFLOW_API "runs/delete", .what = what},
                       &body, NULL);
}

ty_status ty_mlflow_untag_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *key) {
    char what[MLFLOW_WHAT];
    ty_text body = {0};
    mlflow_say(what, "removing a tag of run", run_id);
    ty_text_add(&body, "{");
    mlflow_add_text(&body, "run_id", run_id);
    mlflow_add_text(&body, "key", key);
    const ty_status st =
        mlflow_post(ctx, m, &(mlflow_post_call){.path = MLFLOW_API "runs/delete-tag", .what = what},
                    &body, NULL);
    const bool is_known_call = m->trouble.error_code[0] != '\0';
    return st == TY_ERR_NOT_FOUND && is_known_call ? TY_OK : st;
}
