/* What a sweep shows: a line a trial, the best so far, and its parent run in MLflow. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_chart.h"

void sweep_add_value(const ty_param *p, double v, ty_text *out) {
    const json_t *choice = ty_param_is_numeric(p) ? NULL : json_array_get(p->choices, (size_t)v);
    if (json_is_string(choice)) {
        ty_text_add(out, json_string_value(choice));
    } else if (choice) {
        char *text = json_dumps(choice, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        ty_text_add(out, text ? text : "?");
        free(text);
    } else
        ty_text_addf(out, p->is_int ? "%.0f" : "%.6g", v); /* a seed is to be told whole */
}

void sweep_add_point(const ty_trial *trial, ty_text *out) {
    const ty_space *space = trial->version->space;
    for (size_t d = 0; d < space->count; d++) {
        if (isnan(trial->asked[d]))
            continue;
        ty_text_addf(out, "%s%s=", out->length ? " " : "", space->params[d].name);
        sweep_add_value(&space->params[d], trial->asked[d], out);
    }
}

/* --- the parent run ----------------------------------------------------------------------------- */

ty_status sweep_open_tracker(sweep *s) {
    ty_target *target = ty_arena_array(&s->arena, 1, sizeof *target);
    if (!target)
        return ty_fail_nomem(&s->app->ctx, "where a sweep is recorded");
    TY_TRY(ty_target_choose(&s->app->ctx, s->tracking_uri, s->app->folder, &s->arena, target));
    const ty_tracker_options options = {.folder = s->app->folder,
                                        .target = target,
                                        .run_folder = s->folder,
                                        .experiment = s->experiment,
                                        .run_name = s->file.stem,
                                        .primary_metric = s->file.metric.name,
                                        .primary_goal = s->options.maximize ? "max" : "min",
                                        .source = "tiltyard sweep"};
    return ty_tracker_open(&s->app->ctx, &options, &s->tracker);
}

static ty_answer ask(sweep *s, ty_event event, const char **reason) {
    if (!s->tracker)
        return TY_CONTINUE;
    const ty_observer observer = ty_tracker_observer(s->tracker);
    event.time_ns = ty_now_wall_ns(&s->app->ctx);
    return observer.notify(observer.self, &event, reason);
}

static void notify(sweep *s, ty_event event) {
    const char *reason = NULL;
    (void)ask(s, event, &reason);
}

/* A run is asked where it evaluates; a sweep, whenever it looks. */
bool sweep_is_stopped_in_mlflow(sweep *s) {
    const char *reason = NULL;
    const ty_event look = {.kind = TY_EVENT_EVAL, .step = -1};
    if (ask(s, look, &reason) != TY_STOP)
        return false;
    console_say(&s->app->console, "%s: %s", s->file.stem, reason);
    return true;
}

static void tell_text(sweep *s, ty_event_kind kind, const char *key, const char *value) {
    notify(s, (ty_event){.kind = kind, .step = -1, .text = {.key = key, .value = value}});
}

void sweep_tell_tag(sweep *s, const char *key, const char *value) {
    tell_text(s, TY_EVENT_TAG, key, value);
}

void sweep_tell_metric(sweep *s, const char *key, double value, int64_t step) {
    notify(s, (ty_event){
                  .kind = TY_EVENT_METRIC, .step = step, .metric = {.key = key, .value = value}});
}

void sweep_tell_file(sweep *s, const char *path, const char *folder) {
    notify(s,
           (ty_event){.kind = TY_EVENT_FILE, .step = -1, .file = {.path = path, .folder = folder}});
}

/* Pruned trials differ in length, and one that is long keeps all behind its window waiting. The window
 * is what a sweep is begun with: later there is nothing to advise. */
static void warn_of_waiting(const sweep *s) {
    const bool prunes = strcmp(s->file.pruner.row->type, "none") != 0;
    const bool is_narrow = s->n_slots > 2 && s->options.window < 4 * (int64_t)s->n_slots;
    if (prunes && is_narrow && s->options.order == TY_ORDER_WINDOW)
        ty_log(
            &s->app->ctx, TY_LOG_WARN, "sweep",
            "with window %lld and a pruner, %d trials at once will wait for each other: "
            "window: %d (begun anew, under another name) or reproducible: replay keeps them busy",
            (long long)s->options.window, s->n_slots, 8 * s->n_slots);
}

/* By these MLflow's own Optuna storage takes the run for a study. */
static void tell_study(sweep *s) {
    ty_text names = {0};
    ty_text_add(&names, "[");
    ty_text_add_json(&names, s->file.metric.name);
    ty_text_add(&names, "]");
    tell_text(s, TY_EVENT_TAG, "optuna.study_direction",
              s->options.maximize ? "MAXIMIZE" : "MINIMIZE");
    tell_text(s, TY_EVENT_TAG, "sys_study:metric_names", ty_text_string(&names));
    ty_text_clear(&names);
}

static bool has_result(const sweep *s) {
    bool has = false;
    for (size_t i = 0; !has && i < ty_study_count(s->study); i++) {
        const ty_trial *t = ty_study_trial(s->study, i);
        has = t->reports > 0 || t->state != TY_TRIAL_RUNNING;
    }
    return has;
}

/* A param of MLflow stays what it was first, and a sweep without a result may have another metric yet. */
static void tell_measure(sweep *s) {
    if (s->has_told_measure || !has_result(s))
        return;
    s->has_told_measure = true;
    tell_text(s, TY_EVENT_PARAM, "metric", s->file.metric.name);
    tell_text(s, TY_EVENT_PARAM, "goal", s->options.maximize ? "maximize" : "minimize");
}

void sweep_tell_begin(sweep *s) {
    char number[32];
    const size_t known = ty_study_count(s->study);
    notify(s, (ty_event){.kind = TY_EVENT_START,
                         .step = 0,
                         .start = {.is_resumed = known > 0, .from_step = (int64_t)known}});
    tell_measure(s);
    tell_text(s, TY_EVENT_PARAM, "sampler", s->file.sampler.row->type);
    tell_text(s, TY_EVENT_PARAM, "pruner", s->file.pruner.row->type);
    (void)snprintf(number, sizeof number, "%lld", (long long)s->file.seed);
    tell_text(s, TY_EVENT_PARAM, "seed", number);
    tell_text(s, TY_EVENT_TAG, "tiltyard.kind", "sweep");
    tell_study(s);
    sweep_describe(s);
    console_say(&s->app->console, "sweep   %s   %s of %s   %s, %s   %d at once%s", s->folder,
                s->options.maximize ? "most" : "least", s->file.metric.name,
                s->file.sampler.row->type, s->file.pruner.row->type, s->n_slots,
                known > 0 ? "   continued" : "");
    if (known == 0)
        warn_of_waiting(s);
}

/* --- trials ------------------------------------------------------------------------------------- */

static bool is_best(const sweep *s, const ty_trial *t) {
    return ty_study_best(s->study) == t;
}

const char *sweep_word_of(const ty_trial *t) {
    static const sweep_view ours = {.is_run = true};
    return chart_look_words[chart_look_of(&ours, t)];
}

static void add_outcome(const ty_trial *t, ty_text *out) {
    ty_text_addf(out, "trial %4zu  %-7s", t->number, sweep_word_of(t));
    if (isnan(t->value))
        ty_text_addf(out, "%12s", "-");
    else
        ty_text_addf(out, "%12.6g", t->value);
}

void sweep_tell_trial(sweep *s, const ty_trial *t) {
    ty_text line = {0}, point = {0};
    add_outcome(t, &line);
    sweep_add_point(t, &point);
    console_say(&s->app->console, "%s %s  %s%s%s", ty_text_string(&line), is_best(s, t) ? "*" : " ",
                ty_text_string(&point), *t->reason ? "  " : "", t->reason);
    tell_measure(s);
    if (t->state != TY_TRIAL_RUNNING)
        sweep_account(s);
    ty_text_clear(&line);
    ty_text_clear(&point);
}

void sweep_say_best(sweep *s) {
    const ty_trial *best = ty_study_best(s->study);
    ty_text point = {0};
    if (!best) {
        console_say(&s->app->console, "no trial is done with a value of %s", s->file.metric.name);
        return;
    }
    sweep_add_point(best, &point);
    const char *name = sweep_run_name(s, best->number, &s->arena);
    if (s->app->console.is_json) {
        ty_text line = {0};
        ty_text_addf(&line, "{\"event\": \"best\", \"trial\": %zu, \"value\": ", best->number);
        ty_text_add_number(&line, best->value);
        ty_text_add(&line, ", \"run\": ");
        ty_text_add_json(&line, name ? name : "");
        ty_text_add(&line, "}\n");
        console_print(&s->app->console, ty_text_string(&line));
        ty_text_clear(&line);
    } else {
        ty_text line = {0};
        ty_text_addf(&line, "best    trial %zu (run %s)   %s %.6g\n        %s\n", best->number,
                     name ? name : "", s->file.metric.name, best->value, ty_text_string(&point));
        console_print(&s->app->console, ty_text_string(&line));
        ty_text_clear(&line);
    }
    ty_text_clear(&point);
}

void sweep_tell_end(sweep *s, ty_status st) {
    const double wall = (double)(s->ended_ns - s->begun_ns) * s->n_slots;
    const char *reason = st == TY_OK ? s->done_reason : s->app->ctx.message;
    tell_measure(s);
    sweep_describe(s);
    notify(s, (ty_event){.kind = TY_EVENT_STATE,
                         .step = (int64_t)ty_study_count(s->study),
                         .state = {.state = st == TY_OK             ? TY_RUN_FINISHED
                                            : st >= TY_STOP_REQUEUE ? TY_RUN_KILLED
                                                                    : TY_RUN_FAILED,
                                   .reason = reason ? reason : ""}});
    if (st == TY_OK)
        console_say(&s->app->console, "%s; slots were busy %.0f%% of the time",
                    s->done_reason ? s->done_reason : "done",
                    wall > 0 ? 100 * (double)s->busy_ns / wall : 0);
    else if (st >= TY_STOP_REQUEUE)
        console_say(&s->app->console, "stopped; the same command goes on with %s", s->folder);
    sweep_say_best(s);
}
