/* Bringing a package to an MLflow server: as a logged model of its run's experiment, which the run's
 * own delivery may have brought there before; on servers before MLflow 3, which know no such thing,
 * into the artifacts of a run. */
#include <stdlib.h>
#include <string.h>

#include "registry/registry_private.h"

/* Where files go: below folder of root. */
typedef struct place {
    const char *root, *folder; /* folder: "" or "models/m-.../" */
    const char *model_id;      /* the server's, for MLmodel; NULL: as it is */
    const char *run_id;        /* the same; NULL: of no run */
} place;

/* --- uploading -------------------------------------------------------------------------------- */

/* MLmodel with the server's ids in its lines; the manifest leaves these lines out. */
static void add_corrected(ty_text *out, const char *text, const place *to) {
    for (const char *at = text; *at;) {
        const size_t length = strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
        if (to->model_id && strncmp(at, "model_id:", 9) == 0)
            ty_text_addf(out, "model_id: %s\n", to->model_id);
        else if (strncmp(at, "run_id:", 7) == 0)
            ty_text_addf(out, "run_id: %s\n", to->run_id ? to->run_id : "null");
        else
            ty_text_add_n(out, at, length);
        at += length;
    }
}

static ty_status write_corrected(ty_ctx *ctx, const ty_placing *p, const place *to,
                                 const char *file) {
    char *text = NULL;
    size_t bytes = 0;
    ty_text out = {0};
    const char *from = ty_path_join(p->arena, p->entry->package, "MLmodel");
    if (!from)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_file_read_all(ctx, from, TY_MANIFEST_MAX_BYTES, &text, &bytes));
    add_corrected(&out, text, to);
    const ty_status st = out.is_short
                             ? ty_fail_nomem(ctx, "an MLmodel")
                             : ty_file_write_atomic(ctx, file, ty_text_string(&out), out.length);
    free(text);
    ty_text_clear(&out);
    return st;
}

static ty_status upload_file(ty_ctx *ctx, const ty_placing *p, const place *to, const char *folder,
                             const char *path) {
    const char *file = ty_path_join(p->arena, folder, path);
    const char *remote = ty_arena_printf(p->arena, "%s%s", to->folder, path);
    if (!file || !remote)
        return ty_fail_nomem(ctx, "a path");
    return ty_mlflow_upload(ctx, p->m, to->root, remote, file);
}

static ty_status upload_mlmodel(ty_ctx *ctx, const ty_placing *p, const place *to) {
    const char *temp;
    const char *near = ctx->getenv("TMPDIR");
    near = ty_path_join(p->arena, near && *near ? near : "/tmp", "tiltyard-upload");
    if (!near)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_folder_temp(ctx, near, p->arena, &temp));
    const char *file = ty_path_join(p->arena, temp, "MLmodel");
    ty_status st = file ? write_corrected(ctx, p, to, file) : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK)
        st = upload_file(ctx, p, to, temp, "MLmodel");
    return ty_folder_drop(ctx, temp, st);
}

/* The manifest last: a package that has one is whole. */
static ty_status upload(ty_ctx *ctx, const ty_placing *p, const place *to) {
    ty_manifest manifest;
    TY_TRY(ty_manifest_read(ctx, p->entry->package, p->arena, &manifest));
    for (int64_t i = 0; i < manifest.n_files; i++)
        if (strcmp(manifest.files[i].path, "MLmodel") != 0)
            TY_TRY(upload_file(ctx, p, to, p->entry->package, manifest.files[i].path));
    TY_TRY(upload_mlmodel(ctx, p, to));
    return upload_file(ctx, p, to, p->entry->package, TY_MANIFEST_NAME);
}

/* --- as a logged model ------------------------------------------------------------------------ */

/* The server's run of that uid; NULL: it has none. */
static ty_status find_run(ty_ctx *ctx, const ty_placing *p, const char *experiment_id,
                          const ty_mlflow_run **out) {
    ty_mlflow_runs runs;
    *out = NULL;
    if (!p->entry->run_id)
        return TY_OK;
    const char *filter =
        ty_arena_printf(p->arena, "tags.`" TY_MLFLOW_UID_TAG "` = '%s'", p->entry->run_id);
    if (!filter)
        return ty_fail_nomem(ctx, "a search");
    TY_TRY(ty_mlflow_search_runs(ctx, p->m, &experiment_id, 1, filter, 1, p->arena, &runs));
    *out = runs.n ? runs.v : NULL;
    return TY_OK;
}

static const char *uid_of(const ty_placing *p) {
    return p->package->model_id ? p->package->model_id : p->digest;
}

/* Errors: TY_ERR_NOT_FOUND a server that knows no logged models. */
static ty_status make_model(ty_ctx *ctx, const ty_placing *p, const char *experiment_id,
                            const ty_mlflow_run *run, ty_mlflow_model *out) {
    const ty_mlflow_new_model new = {.experiment_id = experiment_id,
                                     .uid = uid_of(p),
                                     .name = p->package->name ? p->package->name : "model",
                                     .source_run_id = run ? run->id : NULL};
    return ty_mlflow_make_model(ctx, p->m, &new, p->arena, out);
}

static ty_status place_as_model(ty_ctx *ctx, const ty_placing *p, const ty_mlflow_model *model,
                                ty_placed *out) {
    out->model_id = model->id;
    out->run_id = *model->source_run_id ? model->source_run_id : NULL;
    out->source = ty_arena_printf(p->arena, "models:/%s", model->id);
    if (!out->source)
        return ty_fail_nomem(ctx, "a model's place");
    if (strcmp(model->status, "LOGGED_MODEL_READY") == 0)
        return TY_OK;
    const place to = {model->artifact_uri, "", model->id, out->run_id};
    TY_TRY(upload(ctx, p, &to));
    return ty_mlflow_finalize_model(ctx, p->m, model->id, true);
}

/* --- into a run ------------------------------------------------------------------------------- */

static ty_status make_run(ty_ctx *ctx, const ty_placing *p, const char *experiment_id,
                          ty_mlflow_run *out) {
    const int64_t now_ms = ty_now_wall_ns(ctx) / 1000000;
    const ty_mlflow_new_run new = {.experiment_id = experiment_id,
                                   .uid = uid_of(p),
                                   .name = p->entry->name,
                                   .start_ms = now_ms};
    TY_TRY(ty_mlflow_make_run(ctx, p->m, &new, p->arena, out));
    return ty_mlflow_update_run(ctx, p->m, out->id, "FINISHED", now_ms, NULL);
}

static ty_status is_whole(ty_ctx *ctx, const ty_placing *p, const char *root, const char *folder,
                          bool *out) {
    ty_mlflow_files list;
    *out = false;
    TY_TRY(ty_mlflow_list_files(ctx, p->m, root, folder, p->arena, &list));
    for (int64_t i = 0; i < list.n; i++) {
        const size_t length = strlen(list.v[i].path), tail = strlen("/" TY_MANIFEST_NAME);
        *out |= length > tail && strcmp(list.v[i].path + length - tail, "/" TY_MANIFEST_NAME) == 0;
    }
    return TY_OK;
}

static ty_status place_in_run(ty_ctx *ctx, const ty_placing *p, const char *experiment_id,
                              const ty_mlflow_run *found, ty_placed *out) {
    ty_mlflow_run run;
    bool is_there;
    if (found)
        run = *found;
    else
        TY_TRY(make_run(ctx, p, experiment_id, &run));
    const char *folder = ty_arena_printf(p->arena, "models/%s", uid_of(p));
    const char *inside = ty_arena_printf(p->arena, "models/%s/", uid_of(p));
    out->run_id = run.id;
    out->source = ty_arena_printf(p->arena, "%s/models/%s", run.artifact_uri, uid_of(p));
    if (!folder || !inside || !out->source)
        return ty_fail_nomem(ctx, "a model's place");
    TY_TRY(is_whole(ctx, p, run.artifact_uri, folder, &is_there));
    const place to = {run.artifact_uri, inside, NULL, run.id};
    return is_there ? TY_OK : upload(ctx, p, &to);
}

ty_status ty_registry_place_on_server(ty_ctx *ctx, const ty_placing *p, ty_placed *out) {
    ty_mlflow_experiment experiment;
    ty_mlflow_model model;
    const ty_mlflow_run *run;
    const char *name = p->entry->experiment ? p->entry->experiment : "Default";
    TY_TRY(ty_mlflow_make_experiment(ctx, p->m, name, (ty_mlflow_pairs){0}, p->arena, &experiment));
    TY_TRY(find_run(ctx, p, experiment.id, &run));
    const ty_status st = make_model(ctx, p, experiment.id, run, &model);
    if (st == TY_OK)
        return place_as_model(ctx, p, &model, out);
    return st == TY_ERR_NOT_FOUND ? place_in_run(ctx, p, experiment.id, run, out) : st;
}
