/* What a run tells its tracker: facts at the start, scores, files and its state at the end. */
#include "cli/train/train_run.h"

#include <stdio.h>
#include <string.h>

#include "cli/tags.h"

void train_tell(train_run *t, ty_event event) {
    const char *reason = NULL;
    event.time_ns = ty_now_wall_ns(&t->app->ctx);
    (void)ty_observers_notify(&t->observers, &event, &reason);
}

static void emit_text(train_run *t, ty_event_kind kind, const char *key, const char *value) {
    if (value && *value)
        train_tell(t, (ty_event){.kind = kind, .step = -1, .text = {.key = key, .value = value}});
}

static ty_status emit_param(void *self, const ty_resolved *key) {
    emit_text(self, TY_EVENT_PARAM, key->path, key->value);
    return TY_OK;
}

static void emit_dataset(train_run *t, ty_split split, const char *context) {
    const ty_data_info *info = ty_dataset_info(t->job.data);
    char profile[128];
    if (info->count[split] == 0)
        return;
    (void)snprintf(profile, sizeof profile, "{\"num_rows\": %lld}", (long long)info->count[split]);
    train_tell(t, (ty_event){.kind = TY_EVENT_DATASET,
                             .step = -1,
                             .dataset = {.name = info->name,
                                         .digest = info->fingerprint,
                                         .source = info->source,
                                         .context = context,
                                         .schema_json = info->schema_json,
                                         .profile_json = profile}});
}

static void emit_file(train_run *t, const char *path) {
    train_tell(t,
               (ty_event){.kind = TY_EVENT_FILE, .step = -1, .file = {.path = path, .folder = ""}});
}

void train_publish(train_run *t, const char *name, const char *text) {
    char *path = ty_path_join(&t->job.arena, t->job.run_folder, name);
    if (path && ty_file_write_atomic(&t->app->ctx, path, text, strlen(text)) == TY_OK)
        emit_file(t, path);
    else
        ty_log(&t->app->ctx, TY_LOG_WARN, "run", "%s was not written: %s", name,
               t->app->ctx.message);
}

static void emit_tag(void *self, const char *key, const char *value) {
    emit_text(self, TY_EVENT_TAG, key, value);
}

/* What is known of the run, in one place. */
static report facts_of_run(train_run *t) {
    report r = {.run_folder = t->job.run_folder,
                .plan = ty_trainer_report(t->trainer),
                .data = t->job.data,
                .facts = &t->facts,
                .doc = t->job.doc,
                .config_json = ty_text_string(&t->job.config_json),
                .command_line = ty_text_string(&t->command_line),
                .ranks = ty_comm_size(t->job.comm)};
    r.layers = ty_trainer_layers(t->trainer, &r.n_layers);
    return r;
}

static void tell_file(void *self, const char *path) {
    emit_file(self, path);
}

static shown what_is_shown(train_run *t) {
    return (shown){.ctx = &t->app->ctx,
                   .arena = &t->job.arena,
                   .tell_file = tell_file,
                   .tell_tag = emit_tag,
                   .self = t};
}

/* What is known before the first step: config keys, facts, data sets, files. */
ty_status train_tell_start(train_run *t) {
    char number[64];
    TY_TRY(ty_rows_walk(&t->app->ctx, &ty_train_rows, t->job.doc, emit_param, t));
    const ty_train_report *plan = ty_trainer_report(t->trainer);
    (void)snprintf(number, sizeof number, "%lld", (long long)plan->parameters);
    emit_text(t, TY_EVENT_PARAM, "parameters", number);
    (void)snprintf(number, sizeof number, "%d", ty_comm_size(t->job.comm));
    emit_text(t, TY_EVENT_TAG, "tiltyard.ranks", number);
    (void)snprintf(number, sizeof number, "%016llx", (unsigned long long)t->job.config_hash);
    emit_text(t, TY_EVENT_TAG, "tiltyard.config_hash", number);
    emit_text(t, TY_EVENT_TAG, "tiltyard.data_fingerprint",
              ty_dataset_info(t->job.data)->fingerprint);
    emit_text(t, TY_EVENT_TAG, "tiltyard.numeric", plan->numeric);
    emit_text(t, TY_EVENT_TAG, "tiltyard.version", TY_VERSION_TEXT);
    emit_text(t, TY_EVENT_TAG, "tiltyard.host", t->facts.host);
    tags_of_origin(&t->app->ctx, &t->facts, emit_tag, t);
    for (int64_t i = 0; i < t->wish->n_tags; i++)
        emit_tag(t, t->wish->tags[i].key, t->wish->tags[i].value);
    emit_dataset(t, TY_SPLIT_TRAIN, "training");
    emit_dataset(t, TY_SPLIT_VAL, "validation");
    emit_dataset(t, TY_SPLIT_TEST, "test");
    train_publish(t, "config.json", ty_text_string(&t->job.config_json));
    ty_text environment = {0};
    facts_json(&t->facts, "", &environment);
    train_publish(t, "environment.json", ty_text_string(&environment));
    ty_text_clear(&environment);
    const report r = facts_of_run(t);
    const shown s = what_is_shown(t);
    shown_note(&s, &r);
    return TY_OK;
}

void train_tell_scores(train_run *t, const ty_eval_result *test, const char *split, int64_t step) {
    char key[64];
    const struct {
        const char *name;
        double value;
        bool is_shown;
    } rows[] = {{"loss", test->loss, true},
                {"accuracy", test->accuracy, test->confusion != NULL},
                {"top_k_accuracy", test->top_k_accuracy, test->confusion != NULL},
                {"mean_absolute_error", test->mean_absolute_error, test->confusion == NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(key, sizeof key, "%s/%s", split, rows[i].name);
        if (rows[i].is_shown)
            train_tell(t, (ty_event){.kind = TY_EVENT_METRIC,
                                     .step = step,
                                     .metric = {.key = key, .value = rows[i].value}});
    }
}

/* Where this rank's time went. */
static csv_timing timing_of(const train_run *t, const ty_train_result *result) {
    csv_timing mine;
    memset(&mine, 0, sizeof mine);
    (void)snprintf(mine.host, sizeof mine.host, "%.63s", t->facts.host);
    (void)snprintf(mine.device, sizeof mine.device, "%.63s", ty_trainer_report(t->trainer)->device);
    mine.seconds = result->seconds;
    mine.data = result->seconds_data;
    mine.compute = result->seconds_compute;
    mine.comm = result->seconds_comm;
    mine.eval = result->seconds_eval;
    return mine;
}

ty_status train_gather_timings(train_run *t, const ty_train_result *result, csv_timing **out) {
    ty_ctx *ctx = &t->app->ctx;
    const csv_timing mine = timing_of(t, result);
    *out = ty_arena_array(&t->job.arena, (size_t)ty_comm_size(t->job.comm), sizeof **out);
    const ty_status st = *out ? TY_OK : ty_fail_nomem(ctx, "the ranks' timings");
    TY_TRY(ty_comm_agree(ctx, t->job.comm, st));
    return ty_comm_all_gather(ctx, t->job.comm, &mine, sizeof mine, *out);
}

const ty_run_record *train_read_record(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    ty_run_record *record = ty_arena_array(&t->job.arena, 1, sizeof *record);
    ty_status st = record ? ty_tracker_flush(ctx, t->tracker) : ty_fail_nomem(ctx, "a run");
    if (st == TY_OK)
        st = ty_runs_read(ctx, t->job.run_folder, &t->job.arena, record);
    if (st == TY_OK)
        return record;
    ty_log(ctx, TY_LOG_WARN, "report", "report.html was not written: %s", ctx->message);
    return NULL;
}

void train_show_result(train_run *t, const ty_train_result *result, const ty_eval_result *test,
                       ty_split split, const csv_timing *timings, const ty_run_record *record) {
    report r = facts_of_run(t);
    r.run = record;
    r.result = result;
    r.test = test;
    r.test_split = ty_split_names[split];
    r.split = split;
    const shown s = what_is_shown(t);
    t->report = shown_result(&s, &r, timings);
}

/* A sweep has the last word on its trials: one that is to go on has not ended. */
static ty_run_state state_of_trial(const train_run *t, ty_status st, bool is_complete,
                                   const char *reason) {
    static const ty_run_state states[] = {[TRIAL_COMPLETE] = TY_RUN_FINISHED,
                                          [TRIAL_STOPPED] = TY_RUN_KILLED,
                                          [TRIAL_PAUSED] = TY_RUN_WAITING,
                                          [TRIAL_FAILED] = TY_RUN_FAILED};
    const trial_end end = trial_end_of(t->wish->trial, st, is_complete);
    trial_tell_run(t->wish->trial, end, reason ? reason : "");
    return states[end];
}

static ty_run_state state_of_run(ty_status st, bool is_complete) {
    const bool is_paused = st == TY_OK && !is_complete;
    const bool is_stopped =
        is_paused || st == TY_STOP_REQUEUE || st == TY_STOP_INTERRUPT || st == TY_STOP_TERMINATE;
    return is_stopped ? TY_RUN_KILLED : st == TY_OK ? TY_RUN_FINISHED : TY_RUN_FAILED;
}

void train_tell_state(train_run *t, ty_status st, const ty_train_result *result,
                      const char *reason) {
    const ty_run_state state = t->wish->trial ? state_of_trial(t, st, result->is_complete, reason)
                                              : state_of_run(st, result->is_complete);
    train_tell(t, (ty_event){.kind = TY_EVENT_STATE,
                             .step = result->step,
                             .state = {.state = state, .reason = reason}});
}
