/* The run of a trial that is another program: made and kept by the sweep, in whose process the program's
 * reports arrive. The program is told the run's id, so that what it logs there itself joins it. */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"

/* How long a program's start waits for its run to be there, of a server that is slow and not away, and how
 * long its end waits for all of it to be; where that was in vain, the next ones wait no more until one
 * was there. Whoever stops the sweep waits for no start, and so long for all ends together. */
enum { START_MS = 30000, END_MS = 3000, LEAVE_MS = 1000, STEP_MS = 20 };

typedef struct sweep_child {
    ty_tracker *tracker; /* NULL: none */
    bool was_stopped;
} sweep_child;

static void tell(sweep *s, const sweep_child *c, ty_event event) {
    const char *reason = NULL;
    const ty_observer run = ty_tracker_observer(c->tracker);
    event.time_ns = ty_now_wall_ns(&s->app->ctx);
    (void)run.notify(run.self, &event, &reason);
}

static void tell_text(sweep *s, const sweep_child *c, ty_event_kind kind, const char *key,
                      const char *value) {
    if (value && *value)
        tell(s, c, (ty_event){.kind = kind, .step = -1, .text = {key, value}});
}

static void tell_metric(sweep *s, const sweep_child *c, const char *key, double value,
                        int64_t step) {
    tell(s, c, (ty_event){.kind = TY_EVENT_METRIC, .step = step, .metric = {key, value}});
}

/* --- the start ---------------------------------------------------------------------------------- */

/* A string as it is, a number as short as it can be said, anything else as JSON. */
static void tell_param(sweep *s, const sweep_child *c, const char *name, const json_t *value) {
    ty_text text = {0};
    char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (json_is_real(value))
        ty_text_add_number(&text, json_real_value(value));
    else
        ty_text_add(&text, json_is_string(value) ? json_string_value(value) : json ? json : "");
    tell_text(s, c, TY_EVENT_PARAM, name, ty_text_string(&text));
    ty_text_clear(&text);
    free(json);
}

static void tell_params(sweep *s, const sweep_child *c, const ty_trial *trial) {
    const ty_space *space = trial->version->space;
    for (size_t i = 0; i < s->file.fixed_count; i++)
        tell_param(s, c, s->file.fixed[i].name, s->file.fixed[i].value);
    for (size_t d = 0; d < space->count; d++) {
        const double x = trial->asked[d];
        json_t *value = isnan(x) ? NULL : ty_param_to_json(&space->params[d], x);
        if (value)
            tell_param(s, c, space->params[d].name, value);
        json_decref(value);
    }
}

static void tell_tags(sweep *s, const sweep_child *c, const ty_trial *trial) {
    json_t *tags = sweep_trial_tags(s, trial);
    const char *key;
    json_t *value;
    json_object_foreach(tags, key, value)
        tell_text(s, c, TY_EVENT_TAG, key, json_string_value(value));
    json_decref(tags);
    tell_text(s, c, TY_EVENT_TAG, "mlflow.parentRunId", ty_tracker_describe(s->tracker)->run_id);
}

static ty_status open_run(sweep *s, sweep_child *c, const ty_trial *trial, ty_arena *arena) {
    const char *name = sweep_run_name(s, trial->number, arena);
    const char *folder =
        ty_arena_printf(arena, "%s/runs/%s/%s", s->app->folder, s->experiment, name ? name : "");
    const ty_tracker_options options = {.folder = s->app->folder,
                                        .run_folder = folder,
                                        .experiment = s->experiment,
                                        .run_name = name,
                                        .source = "tiltyard sweep"};
    if (!name || !folder)
        return ty_fail_nomem(&s->app->ctx, "the run of a trial");
    TY_TRY(ty_dir_make(&s->app->ctx, folder));
    return ty_tracker_open(&s->app->ctx, &options, &c->tracker);
}

/* Its id where it is recorded; NULL: it is not there in time. A store of ours has it after a few ms,
 * which count where trials are short. */
static const char *await_id(sweep *s, const sweep_child *c) {
    const ty_tracker_ids *ids = ty_tracker_describe(c->tracker);
    const bool is_offline = strcmp(ids->target, "offline") == 0;
    const int patience_ms = is_offline || s->is_away ? 0 : START_MS;
    for (int waited = 0, step = 1;
         !ids->their_run_id && !ids->is_away && waited < patience_ms && !slots_is_interrupted();
         waited += step, step = step < STEP_MS / 2 ? 2 * step : STEP_MS) {
        (void)poll(NULL, 0, step);
        ids = ty_tracker_describe(c->tracker);
    }
    s->is_away = !ids->their_run_id;
    return ids->their_run_id;
}

/* A program of its own choice records elsewhere, where somebody said so. */
static ty_status add_variables(sweep *s, const sweep_child *c, const char *id, ty_arena *arena,
                               char **out) {
    const ty_tracker_ids *ids = ty_tracker_describe(c->tracker);
    const char *uri = s->app->ctx.getenv("MLFLOW_TRACKING_URI");
    size_t n = 0;
    out[n++] = ty_arena_printf(arena, "MLFLOW_RUN_ID=%s", id);
    out[n++] = ty_arena_printf(arena, "MLFLOW_EXPERIMENT_ID=%s", ids->experiment_id);
    if (!uri || !*uri)
        out[n++] = ty_arena_printf(arena, "MLFLOW_TRACKING_URI=%s", ids->target);
    for (size_t i = 0; i < n; i++)
        if (!out[i])
            return ty_fail_nomem(&s->app->ctx, "the environment of a trial");
    return TY_OK;
}

/* A trial whose run cannot be opened runs without one. */
ty_status sweep_child_begin(sweep *s, int slot, const ty_trial *trial, ty_arena *arena,
                            char **out) {
    sweep_child *c = &s->children[slot];
    *c = (sweep_child){0};
    if (!s->tracker || open_run(s, c, trial, arena) != TY_OK) {
        ty_log(&s->app->ctx, TY_LOG_WARN, "tracking", "trial %zu has no run: %s", trial->number,
               s->app->ctx.message);
        return TY_OK;
    }
    tell(
        s, c,
        (ty_event){.kind = TY_EVENT_START, .step = 0, .start = {.is_resumed = trial->reports > 0}});
    tell_params(s, c, trial);
    tell_tags(s, c, trial);
    const char *id = await_id(s, c);
    return id ? add_variables(s, c, id, arena, out) : TY_OK;
}

/* --- reports ------------------------------------------------------------------------------------ */

/* MLflow's steps are whole, and what a program prints may be any number. */
static int64_t step_of(double step) {
    return (int64_t)floor(fmin(fmax(step, -0x1p62), 0x1p62));
}

/* Every number of the line is a metric, but those that say when it is. */
static void tell_numbers(sweep *s, const sweep_child *c, const slot_news *news) {
    const int64_t step = step_of(news->step);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)news->metrics, key, value)
        if (json_is_number(value) && strcmp(key, "step") != 0 && strcmp(key, "epoch") != 0)
            tell_metric(s, c, key, json_number_value(value), step);
    if (json_object_get(news->metrics, s->file.metric.name) &&
        isfinite(s->running[news->slot].reported))
        tell_metric(s, c, "intermediate_value", s->running[news->slot].reported, step);
}

void sweep_child_report(sweep *s, const slot_news *news) {
    sweep_child *c = &s->children[news->slot];
    running *r = &s->running[news->slot];
    const ty_event look = {.kind = TY_EVENT_EVAL, .step = -1};
    const char *reason = NULL;
    if (!c->tracker)
        return;
    tell_numbers(s, c, news);
    const ty_observer run = ty_tracker_observer(c->tracker);
    if (run.notify(run.self, &look, &reason) != TY_STOP || c->was_stopped)
        return;
    c->was_stopped = true;
    r->decision.answer = TY_STOP;
    (void)snprintf(r->decision.reason, sizeof r->decision.reason, "%s", reason);
}

/* --- the end ------------------------------------------------------------------------------------ */

/* What a program that printed no report has logged to its run by MLflow's client: its newest value. */
static ty_status read_value(sweep *s, const sweep_child *c, const char *key, double *out) {
    ty_arena arena = {0};
    ty_target target;
    const char *id = ty_tracker_describe(c->tracker)->their_run_id;
    ty_status st = id ? ty_target_choose(&s->app->ctx, NULL, s->app->folder, &arena, &target)
                      : TY_ERR_NOT_FOUND;
    if (st == TY_OK)
        st = ty_named_run_metric(&s->app->ctx, &target, id, key, &arena, out);
    ty_arena_clear(&arena);
    return st;
}

/* JSON has no NAN: null stands for what is no number. */
static bool add_metric(json_t *metrics, const char *key, double value) {
    return json_object_set_new(metrics, key, isfinite(value) ? json_real(value) : json_null()) == 0;
}

/* What has limits is read beside it; one that is not there is left out. NULL: no memory. */
static json_t *read_metrics(sweep *s, const sweep_child *c, double value) {
    json_t *metrics = json_object();
    bool is_whole = metrics && add_metric(metrics, s->file.metric.name, value);
    for (size_t i = 0; is_whole && i < s->file.limit_count; i++) {
        const char *key = s->file.limits[i].metric;
        double limited = NAN;
        if (read_value(s, c, key, &limited) == TY_OK)
            is_whole = add_metric(metrics, key, limited);
    }
    if (is_whole)
        return metrics;
    json_decref(metrics);
    return NULL;
}

ty_status sweep_child_complete(sweep *s, const slot_news *news) {
    sweep_child *c = &s->children[news->slot];
    double value = NAN;
    if (!c->tracker || strcmp(news->end, "complete") != 0 ||
        ty_study_trial(s->study, news->trial)->reports > 0 ||
        read_value(s, c, s->file.metric.name, &value) != TY_OK)
        return TY_OK;
    json_t *metrics = read_metrics(s, c, value);
    const slot_news report = {.kind = SLOT_REPORT,
                              .slot = news->slot,
                              .trial = news->trial,
                              .step = 1,
                              .epoch = NAN,
                              .metrics = metrics};
    const ty_status st =
        metrics ? sweep_hear_report(s, &report) : ty_fail_nomem(&s->app->ctx, "a report");
    if (st == TY_OK && isfinite(value))
        tell_metric(s, c, "intermediate_value", value, 1);
    json_decref(metrics);
    return st;
}

static void tell_worth(sweep *s, const sweep_child *c, const ty_trial *t) {
    char constraints[64];
    ty_text reason = {0};
    const int64_t last = t->reports > 0 ? step_of(t->step[t->reports - 1]) : 0;
    (void)snprintf(constraints, sizeof constraints, "[%.17g]", t->violation);
    if (s->file.limit_count > 0 && isfinite(t->violation))
        tell_text(s, c, TY_EVENT_TAG, "sys_constraints", constraints);
    ty_text_add_json(&reason, t->reason);
    if (*t->reason && !reason.is_short)
        tell_text(s, c, TY_EVENT_TAG, "user_reason", ty_text_string(&reason));
    if (t->state != TY_TRIAL_FAILED && isfinite(t->value))
        tell_metric(s, c, "value", t->value, last);
    ty_text_clear(&reason);
}

static int end_patience_ms(const sweep *s) {
    const int64_t left_ms = LEAVE_MS - s->left_ns / 1000000;
    if (s->is_away || (s->stop && left_ms <= 0))
        return 0;
    return s->stop ? (int)left_ms : END_MS;
}

static void close_run(sweep *s, sweep_child *c) {
    const int64_t from_ns = ty_now_ns(&s->app->ctx);
    if (ty_tracker_close(&s->app->ctx, c->tracker, end_patience_ms(s)) != TY_OK)
        ty_log(&s->app->ctx, TY_LOG_WARN, "tracking", "%s", s->app->ctx.message);
    c->tracker = NULL;
    s->left_ns += s->stop ? ty_now_ns(&s->app->ctx) - from_ns : 0;
}

/* One that was lost, or saved and left with the sweep, goes on. */
void sweep_child_end(sweep *s, const slot_news *news) {
    static const ty_run_state states[] = {[TY_TRIAL_RUNNING] = TY_RUN_WAITING,
                                          [TY_TRIAL_PAUSED] = TY_RUN_WAITING,
                                          [TY_TRIAL_COMPLETE] = TY_RUN_FINISHED,
                                          [TY_TRIAL_PRUNED] = TY_RUN_KILLED,
                                          [TY_TRIAL_FAILED] = TY_RUN_FAILED};
    sweep_child *c = &s->children[news->slot];
    const ty_trial *t = ty_study_trial(s->study, news->trial);
    if (!c->tracker)
        return;
    if (t->state != TY_TRIAL_RUNNING)
        tell_worth(s, c, t);
    tell(s, c,
         (ty_event){.kind = TY_EVENT_STATE,
                    .step = -1,
                    .state = {.state = states[t->state], .reason = t->reason}});
    if (ty_tracker_describe(c->tracker)->their_run_id)
        s->is_away = false;
    close_run(s, c);
}

ty_status sweep_children_open(sweep *s) {
    s->children = ty_arena_array(&s->arena, (size_t)s->n_slots, sizeof *s->children);
    return s->children ? TY_OK : ty_fail_nomem(&s->app->ctx, "the runs of trials");
}

void sweep_children_close(sweep *s) {
    for (int i = 0; s->children && i < s->n_slots; i++)
        (void)!ty_tracker_close(&s->app->ctx, s->children[i].tracker, 0);
}
