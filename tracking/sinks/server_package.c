/* A package becomes one of the server's logged models: made, uploaded, declared ready, told as the
 * run's output, given its metrics. Each step may be done again. */
#include <stdlib.h>
#include <string.h>

#include "tracking/limits.h"
#include "tracking/sinks/server.h"

enum { MAX_MLMODEL_BYTES = 1024 * 1024 };

static const ty_delivered_model *model_now(const ty_server *s) {
    return ty_keymap_find(&ty_server_state(s)->models, s->parcel.record.package.model_id);
}

static ty_status note(ty_ctx *ctx, ty_server *s, const ty_delivered_model *model,
                      ty_delivered_state state) {
    const ty_delivered_model next = {state, model->server_id, model->artifact_uri};
    return ty_delivery_note_model(ctx, s->delivery, s->parcel.record.package.model_id, &next);
}

/* --- making it -------------------------------------------------------------------------------- */

static ty_mlflow_pairs all_params(ty_server *s, ty_arena *arena) {
    const ty_keymap *params = &ty_replay_known(s->replay)->params;
    ty_mlflow_pair *v = ty_arena_array(arena, (size_t)params->n + 1, sizeof *v);
    for (int64_t i = 0; v && i < params->n; i++)
        v[i] = (ty_mlflow_pair){params->v[i].key, *(const char **)params->v[i].item};
    return (ty_mlflow_pairs){v, v ? params->n : -1};
}

enum { MAX_TAGS = 32 };

/* Where it comes from, and its description. What the run's creation told the server is among them. */
static ty_status add_tags(ty_ctx *ctx, const ty_mlflow_run *run, const char *note, ty_arena *arena,
                          ty_mlflow_pairs *out) {
    ty_mlflow_pair *v = ty_arena_array(arena, MAX_TAGS, sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "a model's tags");
    out->v = v;
    if (note)
        v[out->n++] = (ty_mlflow_pair){"mlflow.note.content", note};
    for (int i = 0; ty_track_lineage[i] && out->n < MAX_TAGS; i++)
        for (int64_t k = 0; k < run->tags.n; k++)
            if (strcmp(run->tags.v[k].key, ty_track_lineage[i]) == 0)
                v[out->n++] = run->tags.v[k];
    return TY_OK;
}

static ty_status make_model(ty_ctx *ctx, ty_server *s, ty_arena *arena) {
    char name[TY_LIMIT_MODEL_BYTES];
    ty_mlflow_run run;
    ty_mlflow_model made;
    ty_mlflow_pairs tags = {0};
    const ty_mlflow_pairs params = all_params(s, arena);
    if (params.n < 0)
        return ty_fail_nomem(ctx, "a model's params");
    TY_TRY(ty_server_read_run(ctx, s, arena, &run));
    TY_TRY(add_tags(ctx, &run, s->parcel.record.package.note, arena, &tags));
    ty_limit_model(s->parcel.record.package.name, name);
    const ty_mlflow_new_model model = {.experiment_id = ty_server_state(s)->experiment_id,
                                       .uid = s->parcel.record.package.model_id,
                                       .name = name,
                                       .source_run_id = ty_server_state(s)->run_id,
                                       .params = params,
                                       .tags = tags};
    TY_TRY(ty_mlflow_make_model(ctx, s->client, &model, arena, &made));
    const ty_delivered_model delivered = {TY_DELIVERED_MADE, made.id, made.artifact_uri};
    return ty_delivery_note_model(ctx, s->delivery, model.uid, &delivered);
}

/* --- its files -------------------------------------------------------------------------------- */

static void replace_all(const char *text, const char *from, const char *to, ty_text *out) {
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        ty_text_add_n(out, text, (size_t)(at - text));
        ty_text_add(out, to);
    }
    ty_text_add(out, text);
}

/* MLmodel names the model and the run as they are called here; the server has names of its own. */
static ty_status correct_ids(ty_ctx *ctx, ty_server *s, const char *from, const char *to) {
    char *data = NULL;
    size_t bytes = 0;
    ty_text first = {0}, second = {0};
    TY_TRY(ty_file_read_all(ctx, from, MAX_MLMODEL_BYTES, &data, &bytes));
    replace_all(data, s->parcel.record.package.model_id, model_now(s)->server_id, &first);
    replace_all(ty_text_string(&first), ty_replay_known(s->replay)->run_id,
                ty_server_state(s)->run_id, &second);
    const ty_status st =
        first.is_short || second.is_short
            ? ty_fail_nomem(ctx, "a model's MLmodel")
            : ty_file_write_atomic(ctx, to, ty_text_string(&second), second.length);
    ty_text_clear(&first);
    ty_text_clear(&second);
    free(data);
    return st;
}

static ty_status upload_mlmodel(ty_ctx *ctx, ty_server *s, const char *local, ty_arena *arena) {
    const char *corrected = ty_path_join(arena, s->place->run_folder, "delivery.MLmodel");
    if (!corrected)
        return ty_fail_nomem(ctx, "a model's MLmodel");
    TY_TRY(correct_ids(ctx, s, local, corrected));
    const ty_status st =
        ty_mlflow_upload(ctx, s->client, model_now(s)->artifact_uri, "MLmodel", corrected);
    ty_server_remove(ctx, corrected);
    return st;
}

/* A package does not change: one that did is not what the journal tells of. */
static ty_status check_file(ty_ctx *ctx, const char *local, const ty_track_file *file,
                            ty_delivered_file *out) {
    struct stat info;
    uint8_t digest[TY_SHA256_BYTES];
    TY_TRY(ty_file_stat(ctx, local, &info));
    TY_TRY(ty_sha256_of_file(ctx, local, digest));
    out->size = info.st_size;
    out->mtime_ns = info.st_mtim.tv_sec * 1000000000ll + info.st_mtim.tv_nsec;
    ty_sha256_to_hex(digest, out->sha256);
    if (strcmp(out->sha256, file->sha256) != 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s has changed since the model was made", local);
    return TY_OK;
}

static ty_status send_file(ty_ctx *ctx, ty_server *s, const ty_track_file *file, ty_arena *arena) {
    ty_delivered_file now = {0};
    const char *path = ty_path_join(arena, s->parcel.record.package.folder, file->path);
    const char *local = path ? ty_path_join(arena, s->place->run_folder, path) : NULL;
    if (!local)
        return ty_fail_nomem(ctx, "a model's files");
    const ty_delivered_file *had = ty_keymap_find(&ty_server_state(s)->files, path);
    if (had && strcmp(had->sha256, file->sha256) == 0)
        return TY_OK;
    TY_TRY(check_file(ctx, local, file, &now));
    if (strcmp(file->path, "MLmodel") == 0)
        TY_TRY(upload_mlmodel(ctx, s, local, arena));
    else
        TY_TRY(ty_mlflow_upload(ctx, s->client, model_now(s)->artifact_uri, file->path, local));
    return ty_delivery_note_file(ctx, s->delivery, path, &now);
}

static ty_status send_files(ty_ctx *ctx, ty_server *s, ty_arena *arena) {
    for (int64_t i = 0; i < s->parcel.record.package.n_files; i++)
        TY_TRY(send_file(ctx, s, &s->parcel.record.package.files[i], arena));
    return TY_OK;
}

/* --- what follows ----------------------------------------------------------------------------- */

ty_status ty_server_quality(ty_ctx *ctx, ty_server *s, int64_t step, const char *server_model_id,
                            ty_arena *arena, ty_mlflow_metric **out, int64_t *out_n) {
    const ty_replay_facts *facts = ty_replay_known(s->replay);
    ty_mlflow_metric *v = ty_arena_array(arena, (size_t)facts->points.n + 1, sizeof *v);
    int64_t n = 0;
    if (!v)
        return ty_fail_nomem(ctx, "a model's metrics");
    for (int64_t i = 0; i < facts->points.n; i++) {
        const ty_replay_point *point = facts->points.v[i].item;
        if (point->step == step)
            v[n++] = (ty_mlflow_metric){.key = point->key,
                                        .value = point->value,
                                        .time_ms = point->time_ms,
                                        .step = point->step,
                                        .model_id = server_model_id,
                                        .dataset_name = facts->test_name,
                                        .dataset_digest = facts->test_digest};
    }
    *out = v;
    *out_n = n;
    return TY_OK;
}

/* The words of SQLite, MySQL and PostgreSQL. */
static bool says_duplicate(const char *message) {
    return strstr(message, "UNIQUE constraint failed: metrics") ||
           strstr(message, "Duplicate entry") || strstr(message, "duplicate key value");
}

/* The run has these points already, and MLflow 3.0's server takes some of those (NaN above all) for new
 * ones, which its database then refuses, and all that came with them: one that is there is there. */
static ty_status send_singly(ty_ctx *ctx, ty_server *s, const ty_mlflow_metric *metrics,
                             int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const ty_mlflow_batch one = {.metrics = &metrics[i], .n_metrics = 1};
        ty_status st = ty_mlflow_log_batch(ctx, s->client, ty_server_state(s)->run_id, &one);
        if (st != TY_OK && !(ty_server_is_refused(ctx, s, &st) && says_duplicate(ctx->message)))
            return st;
    }
    return TY_OK;
}

/* A hundred at most each: of more, that server looks for the first hundred among what it has and takes
 * the others for new. */
static ty_status send_quality(ty_ctx *ctx, ty_server *s, ty_arena *arena) {
    enum { most = 100 };
    int64_t n = 0;
    ty_mlflow_metric *metrics = NULL;
    TY_TRY(ty_server_quality(ctx, s, s->parcel.record.step, model_now(s)->server_id, arena,
                             &metrics, &n));
    for (int64_t at = 0; at < n; at += most) {
        const ty_mlflow_batch batch = {.metrics = metrics + at,
                                       .n_metrics = n - at < most ? n - at : most};
        ty_status st = ty_mlflow_log_batch(ctx, s->client, ty_server_state(s)->run_id, &batch);
        if (st != TY_OK && ty_server_is_refused(ctx, s, &st))
            st = send_singly(ctx, s, batch.metrics, batch.n_metrics);
        TY_TRY(st);
    }
    return TY_OK;
}

static ty_status send_all(ty_ctx *ctx, ty_server *s, ty_arena *arena) {
    if (!model_now(s))
        TY_TRY(make_model(ctx, s, arena));
    TY_TRY(send_files(ctx, s, arena));
    const char *server_id = model_now(s)->server_id;
    TY_TRY(ty_mlflow_finalize_model(ctx, s->client, server_id, true));
    TY_TRY(ty_mlflow_log_output(ctx, s->client, ty_server_state(s)->run_id, server_id,
                                s->parcel.record.step));
    TY_TRY(send_quality(ctx, s, arena));
    return note(ctx, s, model_now(s), TY_DELIVERED_READY);
}

/* What is there of it says that it is not whole; the reason is kept. */
static ty_status give_up_model(ty_ctx *ctx, ty_server *s) {
    TY_TRY(ty_server_bury(ctx, s,
                          &(ty_dead_letter){.sequence = s->parcel.last,
                                            .what = "model",
                                            .key = s->parcel.record.package.model_id,
                                            .step = s->parcel.record.step}));
    if (!model_now(s))
        return TY_OK;
    ty_status st = ty_mlflow_finalize_model(ctx, s->client, model_now(s)->server_id, false);
    if (st != TY_OK && !ty_server_is_refused(ctx, s, &st))
        return st;
    return note(ctx, s, model_now(s), TY_DELIVERED_FAILED);
}

ty_status ty_server_send_package(ty_ctx *ctx, ty_server *s) {
    ty_arena arena = {0};
    const ty_delivered_model *model = model_now(s);
    ty_status st = TY_OK;
    if (!model || model->state == TY_DELIVERED_MADE)
        st = send_all(ctx, s, &arena);
    if (st == TY_ERR_IO || st == TY_ERR_INTEGRITY ||
        (st != TY_OK && !s->is_over && ty_server_is_refused(ctx, s, &st)))
        st = give_up_model(ctx, s);
    ty_arena_clear(&arena);
    return st;
}
