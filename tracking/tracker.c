/* The door: events go to the writer, the writer's records to the sink. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/delivery.h"
#include "tracking/sinks/feeder.h"
#include "tracking/identity.h"
#include "tracking/tracking.h"
#include "tracking/journal/writer.h"

enum { LEASE_MS = 30000 };

struct ty_tracker {
    char *run_folder, *folder; /* absolute */
    ty_arena arena;            /* target's */
    ty_target target;
    ty_lease *lease;
    ty_writer *writer;
    ty_feeder *feeder;      /* NULL: offline */
    ty_seen seen;           /* the writer's while it is open */
    _Atomic bool has_ended; /* the last of START and STATE was an end */
    ty_tracker_ids ids;
    ty_sink_facts facts;
    ty_text deep_link;
};

/* --- events ----------------------------------------------------------------------------------- */

/* "artifacts/<folder>/<name of the file>" */
static void name_artifact(const char *folder, const char *name, ty_text *out) {
    const bool has_folder = folder && folder[0] != '\0';
    ty_text_addf(out, "artifacts/%s%s%s", has_folder ? folder : "", has_folder ? "/" : "", name);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A model's artifact is named for its role and always shows the newest one: checkpoints/best.h5. */
static void name_model(const ty_event *event, ty_text *out) {
    const char *ending = strrchr(base_name(event->model.path), '.');
    ty_text_addf(out, "artifacts/checkpoints/%s%s", event->model.name, ending ? ending : "");
}

/* MLflow's own limit is larger, but a journal's record is to stay small. */
static const char *if_short(const char *text) {
    return text && strlen(text) <= TY_TRACK_MAX_TEXT ? text : NULL;
}

static bool describe(const ty_event *e, ty_track_record *out, ty_text *artifact) {
    *out = (ty_track_record){.time_ns = e->time_ns, .step = e->step};
    switch (e->kind) {
    case TY_EVENT_START:
        out->type = TY_TRACK_START;
        out->start.is_resumed = e->start.is_resumed;
        out->start.from_step = e->start.from_step;
        out->start.total_steps = e->start.total_steps;
        out->start.samples_per_epoch = e->start.samples_per_epoch;
        return true;
    case TY_EVENT_PARAM:
    case TY_EVENT_TAG:
        out->type = e->kind == TY_EVENT_PARAM ? TY_TRACK_PARAM : TY_TRACK_TAG;
        out->text.key = e->text.key;
        out->text.value = e->text.value;
        return true;
    case TY_EVENT_DATASET:
        out->type = TY_TRACK_DATASET;
        out->dataset.name = e->dataset.name;
        out->dataset.digest = e->dataset.digest;
        out->dataset.source = e->dataset.source;
        out->dataset.context = e->dataset.context;
        out->dataset.schema = if_short(e->dataset.schema_json);
        out->dataset.profile = if_short(e->dataset.profile_json);
        return true;
    case TY_EVENT_FILE:
        out->type = TY_TRACK_FILE;
        name_artifact(e->file.folder, base_name(e->file.path), artifact);
        out->file.path = e->file.path;
        out->file.artifact = ty_text_string(artifact);
        return true;
    case TY_EVENT_MODEL:
        out->type = TY_TRACK_MODEL;
        name_model(e, artifact);
        out->file.name = e->model.name;
        out->file.path = e->model.path;
        out->file.artifact = ty_text_string(artifact);
        return true;
    case TY_EVENT_PACKAGE:
        out->type = TY_TRACK_PACKAGE;
        out->package.model_id = e->package.model_id;
        out->package.name = e->package.name;
        out->package.folder = e->package.folder;
        out->package.note = e->package.note;
        return true;
    case TY_EVENT_STATE:
        out->type = TY_TRACK_STATE;
        out->state.state = e->state.state;
        out->state.reason = e->state.reason;
        return true;
    default:
        return false; /* progress is for the console */
    }
}

static void push(ty_tracker *t, const ty_track_record *record) {
    ty_text payload = {0};
    ty_track_encode(record, &payload);
    if (payload.data && !payload.is_short)
        ty_writer_push(t->writer, &(ty_ring_item){.type = record->type,
                                                  .payload = payload.data,
                                                  .payload_bytes = payload.length});
    else
        ty_text_clear(&payload);
}

/* An evaluation is the moment to end, where somebody asked for it in MLflow. The journal keeps what
 * was obeyed, so that the same wish does not end the run again when it is continued. */
static ty_answer judge_stop(ty_tracker *t, const ty_event *event, const char **reason) {
    char value[TY_FEEDER_VALUE_BYTES];
    if (!ty_feeder_is_stopped(t->feeder, value))
        return TY_CONTINUE;
    push(t, &(ty_track_record){.type = TY_TRACK_TAG,
                               .time_ns = event->time_ns,
                               .step = event->step,
                               .text = {TY_FEEDER_STOPPED_TAG, value}});
    *reason = TY_FEEDER_STOP_TAG " set in MLflow";
    return TY_STOP;
}

static ty_answer on_event(void *self, const ty_event *event, const char **reason) {
    ty_tracker *t = self;
    if (event->kind == TY_EVENT_METRIC) {
        ty_writer_push(t->writer, &(ty_ring_item){.step = event->step,
                                                  .time_ns = event->time_ns,
                                                  .value = event->metric.value,
                                                  .key = event->metric.key});
        return TY_CONTINUE;
    }
    if (event->kind == TY_EVENT_START || event->kind == TY_EVENT_STATE)
        atomic_store(&t->has_ended, event->kind == TY_EVENT_STATE);
    if (event->kind == TY_EVENT_EVAL)
        return judge_stop(t, event, reason);
    ty_track_record record;
    ty_text artifact = {0};
    if (describe(event, &record, &artifact) && !artifact.is_short)
        push(t, &record);
    ty_text_clear(&artifact);
    return TY_CONTINUE;
}

/* What the disk does not take now waits in memory, which the writer says. */
static void keep(ty_ctx *ctx, void *self) {
    const ty_tracker *t = self;
    (void)(ty_writer_flush(ctx, t->writer) == TY_OK);
}

ty_observer ty_tracker_observer(ty_tracker *tracker) {
    return (ty_observer){.notify = on_event, .keep = keep, .self = tracker};
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status take_lease(ty_ctx *ctx, const char *run_folder, ty_lease **out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_track_lease_path(&ctx->scratch, run_folder);
    const ty_status st =
        path ? ty_lease_acquire(ctx, path, LEASE_MS, out) : ty_fail_nomem(ctx, "a lease's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status read_seen(ty_ctx *ctx, ty_tracker *t, const char *path) {
    if (!ty_file_exists(ctx, path))
        return TY_OK;
    return ty_seen_replay(ctx, &t->seen, path);
}

static ty_status begin_run(ty_ctx *ctx, ty_tracker *t, const ty_tracker_options *options,
                           ty_arena *arena, ty_journal *journal) {
    char own_id[33];
    const bool is_guest = options->run_id != NULL;
    TY_TRY(ty_identity_random(ctx, own_id));
    const ty_track_record run = {.type = TY_TRACK_RUN,
                                 .time_ns = ty_now_wall_ns(ctx),
                                 .run = {.run_id = is_guest ? options->run_id : own_id,
                                         .journal_id = is_guest ? own_id : NULL,
                                         .experiment = options->experiment,
                                         .name = options->run_name,
                                         .user = ty_identity_user(ctx, arena),
                                         .source = options->source,
                                         .store = t->target.name,
                                         .experiment_note = options->experiment_note,
                                         .primary_metric = options->primary_metric,
                                         .primary_goal = options->primary_goal}};
    ty_text payload = {0};
    ty_track_encode(&run, &payload);
    ty_status st = payload.is_short ? ty_fail_nomem(ctx, "a run's first record") : TY_OK;
    if (st == TY_OK)
        st = ty_journal_append(ctx, journal, TY_TRACK_RUN, payload.data, payload.length, NULL);
    if (st == TY_OK)
        st = ty_journal_sync(ctx, journal);
    if (st == TY_OK)
        st = ty_seen_note(ctx, &t->seen, &run);
    ty_text_clear(&payload);
    return st;
}

/* The journal with its first record, and what it holds in t->seen. */
static ty_status open_journal(ty_ctx *ctx, ty_tracker *t, const ty_tracker_options *options,
                              ty_arena *arena, ty_journal **out) {
    const char *path = ty_track_journal_path(arena, t->run_folder);
    if (!path)
        return ty_fail_nomem(ctx, "a journal's name");
    TY_TRY(read_seen(ctx, t, path));
    TY_TRY(ty_journal_open_held(ctx, path, t->lease, out));
    return t->seen.has_run ? TY_OK : begin_run(ctx, t, options, arena, *out);
}

static void offer(void *self, uint64_t sequence) {
    ty_tracker *t = self;
    ty_feeder_offer(t->feeder, sequence);
}

/* The folder itself says where the run is meant to go, for those who come later (sync, reaping). */
static void note_target(ty_ctx *ctx, ty_tracker *t) {
    ty_delivery *delivery = NULL;
    if (t->target.kind == TY_TARGET_STORE)
        return;
    if (ty_delivery_open(ctx, t->run_folder, t->target.name, &delivery) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "tracking", "%s: %s", t->run_folder, ctx->message);
    ty_delivery_close(ctx, delivery);
}

static ty_status open_feeder(ty_ctx *ctx, ty_tracker *t) {
    const ty_feeder_options options = {.folder = t->folder,
                                       .run_folder = t->run_folder,
                                       .target = &t->target,
                                       .stopped_by = t->seen.stopped_by};
    note_target(ctx, t);
    return t->target.kind == TY_TARGET_OFFLINE ? TY_OK : ty_feeder_open(ctx, &options, &t->feeder);
}

static ty_status start(ty_ctx *ctx, ty_tracker *t, const ty_tracker_options *options,
                       ty_arena *arena) {
    ty_journal *journal = NULL;
    const char *artifacts = ty_track_artifacts_path(arena, t->run_folder);
    TY_TRY(ty_dir_make(ctx, t->run_folder));
    TY_TRY(take_lease(ctx, t->run_folder, &t->lease));
    ty_status st = open_journal(ctx, t, options, arena, &journal);
    if (st == TY_OK)
        st = artifacts ? ty_dir_make(ctx, artifacts) : ty_fail_nomem(ctx, "a folder's name");
    if (st == TY_OK)
        st = open_feeder(ctx, t);
    if (st != TY_OK) {
        (void)ty_journal_close(ctx, journal);
        return st;
    }
    memcpy(t->ids.run_id, t->seen.run_id, sizeof t->ids.run_id);
    atomic_store(&t->has_ended, !t->seen.is_open); /* a look at a finished run leaves it finished */
    ty_feeder_offer(t->feeder, ty_journal_last_sequence(journal));
    const ty_writer_options writer = {.run_folder = t->run_folder,
                                      .journal = journal,
                                      .lease = t->lease,
                                      .seen = &t->seen,
                                      .on_sync = offer,
                                      .self = t};
    return ty_writer_open(ctx, &writer, &t->writer);
}

static void release(ty_ctx *ctx, ty_tracker *t) {
    ty_lease_release(ctx, t->lease);
    ty_seen_clear(&t->seen);
    ty_arena_clear(&t->arena);
    ty_text_clear(&t->deep_link);
    free(t->run_folder);
    free(t->folder);
    free(t);
}

static ty_status choose_target(ty_ctx *ctx, ty_tracker *t, const ty_target *chosen) {
    if (!chosen)
        return ty_target_choose(ctx, NULL, t->folder, &t->arena, &t->target);
    t->target = *chosen;
    return TY_OK;
}

ty_status ty_tracker_open(ty_ctx *ctx, const ty_tracker_options *options, ty_tracker **out) {
    ty_arena arena = {0};
    ty_tracker *t = calloc(1, sizeof *t);
    if (!t)
        return ty_fail_nomem(ctx, "the tracker");
    ty_seen_init(&t->seen);
    const char *run_folder = ty_path_absolute(&arena, options->run_folder);
    const char *folder = ty_path_absolute(&arena, options->folder);
    t->run_folder = run_folder ? strdup(run_folder) : NULL;
    t->folder = folder ? strdup(folder) : NULL;
    ty_status st = t->run_folder && t->folder ? choose_target(ctx, t, options->target)
                                              : ty_fail_nomem(ctx, "the tracker");
    if (st == TY_OK)
        st = start(ctx, t, options, &arena);
    ty_arena_clear(&arena);
    if (st == TY_OK) {
        *out = t;
        return TY_OK;
    }
    ty_feeder_close(ctx, t->feeder, 0);
    release(ctx, t);
    return st;
}

/* MLflow 3 opens on its GenAI side; the parameter asks for the runs table. */
static void name_link(ty_tracker *t) {
    if (t->target.kind == TY_TARGET_SERVER)
        ty_text_addf(&t->deep_link, "%s/#/experiments/%s/runs/%s", t->target.name,
                     t->facts.experiment_id, t->facts.run_id);
    else
        ty_text_addf(&t->deep_link, "/#/experiments/%s/runs?workflowType=machine_learning",
                     t->facts.experiment_id);
}

const ty_tracker_ids *ty_tracker_describe(ty_tracker *t) {
    t->ids.target = t->target.name;
    if (t->ids.experiment_id)
        return &t->ids;
    ty_feeder_describe(t->feeder, &t->facts);
    t->ids.is_away = t->facts.is_away;
    if (t->facts.experiment_id[0] == '\0')
        return &t->ids;
    name_link(t);
    t->ids.experiment_id = t->facts.experiment_id;
    t->ids.their_run_id =
        t->target.kind == TY_TARGET_SERVER ? t->facts.run_id : (const char *)t->ids.run_id;
    t->ids.deep_link = ty_text_string(&t->deep_link);
    return &t->ids;
}

/* --- the end ---------------------------------------------------------------------------------- */

ty_status ty_tracker_flush(ty_ctx *ctx, ty_tracker *t) {
    return ty_writer_flush(ctx, t->writer);
}

/* A run that nobody ended did not finish, whatever it meant to say. */
static void end_run(ty_ctx *ctx, ty_tracker *t) {
    const ty_event event = {.kind = TY_EVENT_STATE,
                            .time_ns = ty_now_wall_ns(ctx),
                            .step = -1,
                            .state = {TY_RUN_KILLED, "closed without a result"}};
    const char *reason = NULL;
    if (!atomic_load(&t->has_ended))
        (void)on_event(t, &event, &reason);
}

ty_status ty_tracker_close(ty_ctx *ctx, ty_tracker *t, int deadline_ms) {
    if (!t)
        return TY_OK;
    end_run(ctx, t);
    const ty_status st = ty_writer_close(ctx, t->writer);
    ty_feeder_close(ctx, t->feeder, deadline_ms);
    release(ctx, t);
    return st;
}
