/* The run itself, its data sets, and what to do with what a server refuses. */
#include <string.h>

#include "tracking/limits.h"
#include "tracking/sinks/server.h"
#include "tracking/tags.h"

static const char topic[] = "tracking";
enum { MAX_DEAD_SAID = 5 };

/* --- refusals --------------------------------------------------------------------------------- */

static ty_status give_up(ty_server *s, ty_status st) {
    s->is_over = true;
    return st;
}

static ty_status fail_deleted(ty_ctx *ctx, ty_server *s) {
    return give_up(s, ty_fail(ctx, TY_ERR_FAILED,
                              "the run is deleted there: restore it in MLflow, then `tiltyard sync "
                              "%s` brings the rest",
                              s->place->run_folder));
}

static ty_status note_gone(ty_ctx *ctx, ty_server *s) {
    TY_TRY(ty_delivery_note_gone(ctx, s->delivery));
    return give_up(s, ty_fail(ctx, TY_ERR_FAILED,
                              "the run is no longer there; its journal stays (to send it anew, "
                              "remove %s/delivery.journal)",
                              s->place->run_folder));
}

ty_status ty_server_read_run(ty_ctx *ctx, ty_server *s, ty_arena *arena, ty_mlflow_run *out) {
    ty_status st = ty_mlflow_get_run(ctx, s->client, ty_server_state(s)->run_id, arena, out);
    if (st == TY_ERR_NOT_FOUND)
        return note_gone(ctx, s);
    if (st == TY_OK && out->is_deleted)
        return fail_deleted(ctx, s);
    (void)(st == TY_OK || ty_server_is_refused(ctx, s, &st));
    return st;
}

static bool is_answer(ty_status st) {
    return st == TY_ERR_ARG || st == TY_ERR_NOT_FOUND || st == TY_ERR_FAILED ||
           st == TY_ERR_INTEGRITY;
}

bool ty_server_is_refused(ty_ctx *ctx, ty_server *s, ty_status *st) {
    if (!is_answer(*st))
        return false;
    if (ty_mlflow_last_trouble(s->client).is_denied) {
        *st = give_up(s, ty_fail_within(ctx, TY_ERR_FAILED, "the server lets us in no more"));
        return false;
    }
    return true;
}

ty_status ty_server_bury(ty_ctx *ctx, ty_server *s, const ty_dead_letter *letter) {
    char words[TY_MESSAGE_BYTES];
    memcpy(words, ctx->message, sizeof words);
    ty_dead_letter whole = *letter;
    whole.words = words;
    if (s->n_dead_said < MAX_DEAD_SAID)
        ty_log(ctx, TY_LOG_WARN, topic, "%s does not take %s %s: %s", s->place->target->name,
               letter->what, letter->key, words);
    else if (s->n_dead_said == MAX_DEAD_SAID)
        ty_log(ctx, TY_LOG_WARN, topic, "%s refuses more; `tiltyard sync --status` lists it all",
               s->place->target->name);
    s->n_dead_said++;
    return ty_delivery_note_dead(ctx, s->delivery, &whole);
}

/* --- the run ---------------------------------------------------------------------------------- */

static const char *cut(ty_arena *arena, const char *text, int max_characters) {
    return ty_arena_string_n(arena, text, (size_t)ty_limit_bytes(text, max_characters));
}

static bool has_tag(const ty_mlflow_experiment *experiment, const char *key) {
    for (int64_t i = 0; i < experiment->tags.n; i++)
        if (strcmp(experiment->tags.v[i].key, key) == 0)
            return true;
    return false;
}

/* An experiment that was there keeps what others said of it, and hears the rest. A refusal costs no
 * more than the tag. */
static ty_status complete_tags(ty_ctx *ctx, ty_server *s, const ty_mlflow_experiment *experiment,
                               ty_mlflow_pairs tags) {
    for (int64_t i = 0; i < tags.n; i++) {
        if (has_tag(experiment, tags.v[i].key))
            continue;
        ty_status st = ty_mlflow_tag_experiment(ctx, s->client, experiment->id, tags.v[i].key,
                                                tags.v[i].value);
        if (st != TY_OK && !ty_server_is_refused(ctx, s, &st))
            return st;
        if (st != TY_OK)
            ty_log(ctx, TY_LOG_WARN, topic, "%s", ctx->message);
    }
    return TY_OK;
}

static ty_status make_experiment(ty_ctx *ctx, ty_server *s, ty_arena *arena,
                                 ty_mlflow_experiment *out) {
    const char *told[TY_TRACK_EXPERIMENT_TAGS][2];
    ty_mlflow_pair v[TY_TRACK_EXPERIMENT_TAGS];
    ty_mlflow_pairs tags = {v, 0};
    const char *name = cut(arena, s->parcel.record.run.experiment, TY_LIMIT_EXPERIMENT);
    ty_track_experiment_tags(&s->parcel.record, told);
    for (int i = 0; i < TY_TRACK_EXPERIMENT_TAGS; i++) {
        const char *value = told[i][1] ? cut(arena, told[i][1], TY_LIMIT_EXPERIMENT_TAG) : NULL;
        if (value)
            v[tags.n++] = (ty_mlflow_pair){told[i][0], value};
    }
    if (!name)
        return ty_fail_nomem(ctx, "an experiment's name");
    TY_TRY(ty_mlflow_make_experiment(ctx, s->client, name, tags, arena, out));
    return complete_tags(ctx, s, out, tags);
}

/* The name is no tag: the server makes one of it. */
static ty_mlflow_pairs own_tags(const ty_track_record *run, ty_arena *arena) {
    const char *told[TY_TRACK_OWN_TAGS][2];
    ty_mlflow_pair *v = ty_arena_array(arena, TY_TRACK_OWN_TAGS, sizeof *v);
    ty_mlflow_pairs tags = {v, 0};
    ty_track_own_tags(run, told);
    for (int i = 0; v && i < TY_TRACK_OWN_TAGS; i++) {
        if (!told[i][1] || strcmp(told[i][0], "mlflow.runName") == 0)
            continue;
        const ty_mlflow_pair tag = {told[i][0], cut(arena, told[i][1], TY_LIMIT_TAG)};
        if (!tag.value)
            return (ty_mlflow_pairs){0};
        v[tags.n++] = tag;
    }
    return tags;
}

static ty_status make_run(ty_ctx *ctx, ty_server *s, const char *experiment_id, ty_arena *arena,
                          ty_mlflow_run *out) {
    const ty_track_record *r = &s->parcel.record;
    const ty_mlflow_new_run run = {.experiment_id = experiment_id,
                                   .uid = r->run.run_id,
                                   .name = cut(arena, r->run.name, TY_LIMIT_NAME),
                                   .user = r->run.user,
                                   .start_ms = r->time_ns / 1000000,
                                   .tags = own_tags(r, arena)};
    if (!run.name || !run.tags.v)
        return ty_fail_nomem(ctx, "a run's name");
    return ty_mlflow_make_run(ctx, s->client, &run, arena, out);
}

/* The run whose id the variable named. Elsewhere than where the run was meant to go nobody knows that
 * id: there it is made, as any other. */
static bool is_guest_here(const ty_server *s) {
    const ty_track_record *r = &s->parcel.record;
    const char *meant = r->run.store ? r->run.store : "";
    return r->run.journal_id &&
           (strcmp(meant, s->place->target->name) == 0 || strcmp(meant, "offline") == 0);
}

static ty_status join_run(ty_ctx *ctx, ty_server *s, ty_arena *arena) {
    const char *run_id = s->parcel.record.run.run_id;
    ty_mlflow_run run;
    ty_status st = ty_mlflow_get_run(ctx, s->client, run_id, arena, &run);
    if (st == TY_OK && run.is_deleted)
        return fail_deleted(ctx, s);
    if (st == TY_OK)
        return ty_delivery_note_run(ctx, s->delivery, run.experiment_id, run.id, run.artifact_uri);
    if (ty_server_is_refused(ctx, s, &st))
        st = give_up(s, ty_fail_within(ctx, TY_ERR_FAILED, "MLFLOW_RUN_ID named run %s", run_id));
    return st;
}

/* There is nothing to bisect: where the server does not want the run, it gets nothing of it. */
static ty_status send_run(ty_ctx *ctx, ty_server *s) {
    ty_arena arena = {0};
    ty_mlflow_experiment experiment = {0};
    ty_mlflow_run run = {0};
    if (is_guest_here(s)) {
        const ty_status joined = join_run(ctx, s, &arena);
        ty_arena_clear(&arena);
        return joined;
    }
    ty_status st = make_experiment(ctx, s, &arena, &experiment);
    if (st == TY_OK)
        st = make_run(ctx, s, experiment.id, &arena, &run);
    if (st == TY_OK)
        st = ty_delivery_note_run(ctx, s->delivery, experiment.id, run.id, run.artifact_uri);
    else if (ty_server_is_refused(ctx, s, &st))
        st = give_up(s, ty_fail_within(ctx, TY_ERR_FAILED, "the run cannot be made there"));
    ty_arena_clear(&arena);
    return st;
}

/* --- data sets -------------------------------------------------------------------------------- */

static ty_status log_datasets(ty_ctx *ctx, ty_server *s, const ty_mlflow_dataset *v, int64_t n) {
    return ty_mlflow_log_inputs(ctx, s->client, ty_server_state(s)->run_id, v, n, NULL, 0);
}

static ty_status send_one_dataset(ty_ctx *ctx, ty_server *s, const ty_mlflow_dataset *dataset) {
    ty_status st = log_datasets(ctx, s, dataset, 1);
    if (st == TY_OK || !ty_server_is_refused(ctx, s, &st))
        return st;
    return ty_server_bury(
        ctx, s,
        &(ty_dead_letter){
            .sequence = s->parcel.first, .what = "dataset", .key = dataset->name, .step = -1});
}

static ty_status send_datasets(ty_ctx *ctx, ty_server *s) {
    ty_arena arena = {0};
    ty_mlflow_run run;
    ty_status st = log_datasets(ctx, s, s->parcel.datasets, s->parcel.n_datasets);
    if (st == TY_OK || !ty_server_is_refused(ctx, s, &st))
        return st;
    st = ty_server_read_run(ctx, s, &arena, &run);
    ty_arena_clear(&arena);
    for (int64_t i = 0; st == TY_OK && i < s->parcel.n_datasets; i++)
        st = send_one_dataset(ctx, s, &s->parcel.datasets[i]);
    return st;
}

/* --- any parcel --------------------------------------------------------------------------------- */

ty_status ty_server_send_parcel(ty_ctx *ctx, ty_server *s) {
    if (s->parcel.kind == TY_PARCEL_RUN && !ty_server_state(s)->run_id)
        return send_run(ctx, s);
    if (!ty_server_state(s)->run_id)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s/run.journal does not begin with a run",
                       s->place->run_folder);
    switch (s->parcel.kind) {
    case TY_PARCEL_VALUES:
        return ty_server_send_values(ctx, s);
    case TY_PARCEL_DATASETS:
        return send_datasets(ctx, s);
    case TY_PARCEL_PACKAGE:
        return ty_server_send_package(ctx, s);
    default:
        return TY_OK;
    }
}
