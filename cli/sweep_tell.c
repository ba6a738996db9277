/* What a sweep shows: a line a trial, the best so far, and its parent run in MLflow. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"

const char *const sweep_state_words[] = {[TY_TRIAL_RUNNING] = "runs",
                                         [TY_TRIAL_COMPLETE] = "done",
                                         [TY_TRIAL_PRUNED] = "stopped",
                                         [TY_TRIAL_PAUSED] = "paused",
                                         [TY_TRIAL_FAILED] = "failed"};

static void add_value(const ty_param *p, double v, ty_text *out) {
    const json_t *choice = ty_param_is_numeric(p) ? NULL : json_array_get(p->choices, (size_t)v);
    if (json_is_string(choice)) {
        ty_text_add(out, json_string_value(choice));
    } else if (choice) {
        char *text = json_dumps(choice, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        ty_text_add(out, text ? text : "?");
        free(text);
    } else
        ty_text_addf(out, "%.6g", v);
}

void sweep_add_point(const ty_space *space, const double *x, ty_text *out) {
    for (size_t d = 0; d < space->count; d++) {
        if (isnan(x[d]))
            continue;
        ty_text_addf(out, "%s%s=", out->length ? " " : "", space->params[d].name);
        add_value(&space->params[d], x[d], out);
    }
}

/* --- the parent run ----------------------------------------------------------------------------- */

ty_status sweep_open_tracker(sweep *s) {
    const ty_tracker_options options = {.folder = s->app->folder,
                                        .run_folder = s->folder,
                                        .experiment = s->experiment,
                                        .run_name = s->file.stem,
                                        .primary_metric = s->file.metric.name,
                                        .primary_goal = s->options.maximize ? "max" : "min",
                                        .source = "tiltyard sweep"};
    return ty_tracker_open(&s->app->ctx, &options, &s->tracker);
}

static void notify(sweep *s, ty_event event) {
    const char *reason = NULL;
    if (!s->tracker)
        return;
    const ty_observer observer = ty_tracker_observer(s->tracker);
    event.time_ns = ty_now_wall_ns(&s->app->ctx);
    (void)observer.notify(observer.self, &event, &reason);
}

static void tell_text(sweep *s, ty_event_kind kind, const char *key, const char *value) {
    notify(s, (ty_event){.kind = kind, .step = -1, .text = {.key = key, .value = value}});
}

void sweep_tell_metric(sweep *s, const char *key, double value, int64_t step) {
    notify(s, (ty_event){
                  .kind = TY_EVENT_METRIC, .step = step, .metric = {.key = key, .value = value}});
}

void sweep_tell_begin(sweep *s) {
    char number[32];
    const size_t known = ty_study_count(s->study);
    notify(s, (ty_event){.kind = TY_EVENT_START,
                         .step = 0,
                         .start = {.is_resumed = known > 0, .from_step = (int64_t)known}});
    tell_text(s, TY_EVENT_PARAM, "metric", s->file.metric.name);
    tell_text(s, TY_EVENT_PARAM, "goal", s->options.maximize ? "maximize" : "minimize");
    tell_text(s, TY_EVENT_PARAM, "sampler", s->file.sampler.row->type);
    tell_text(s, TY_EVENT_PARAM, "pruner", s->file.pruner.row->type);
    (void)snprintf(number, sizeof number, "%lld", (long long)s->file.seed);
    tell_text(s, TY_EVENT_PARAM, "seed", number);
    tell_text(s, TY_EVENT_TAG, "tiltyard.kind", "sweep");
    console_say(&s->app->console, "sweep   %s   %s of %s   %s, %s   %d at once%s", s->folder,
                s->options.maximize ? "most" : "least", s->file.metric.name,
                s->file.sampler.row->type, s->file.pruner.row->type, s->n_slots,
                known > 0 ? "   continued" : "");
}

/* --- trials ------------------------------------------------------------------------------------- */

static bool is_best(const sweep *s, const ty_trial *t) {
    return ty_study_best(s->study) == t;
}

static void add_outcome(const ty_trial *t, ty_text *out) {
    ty_text_addf(out, "trial %4zu  %-7s", t->number,
                 t->is_lost ? "lost" : sweep_state_words[t->state]);
    if (isnan(t->value))
        ty_text_addf(out, "%12s", "-");
    else
        ty_text_addf(out, "%12.6g", t->value);
}

void sweep_tell_trial(sweep *s, const ty_trial *t) {
    ty_text line = {0}, point = {0};
    add_outcome(t, &line);
    sweep_add_point(&s->file.space, t->x, &point);
    console_say(&s->app->console, "%s %s  %s%s%s", ty_text_string(&line), is_best(s, t) ? "*" : " ",
                ty_text_string(&point), *t->reason ? "  " : "", t->reason);
    if (t->state == TY_TRIAL_COMPLETE && is_best(s, t)) {
        sweep_tell_metric(s, "best_value", t->value, (int64_t)t->number);
        sweep_tell_metric(s, "best_trial", (double)t->number, (int64_t)t->number);
    }
    ty_text_clear(&line);
    ty_text_clear(&point);
}

void sweep_tell_progress(sweep *s) {
    if (!s->app->console.is_terminal)
        return;
    ty_text line = {0};
    const ty_trial *best = ty_study_best(s->study);
    ty_text_addf(&line, "%d running, %zu begun", s->n_running, ty_study_count(s->study));
    if (s->options.max_trials > 0)
        ty_text_addf(&line, " of %lld", (long long)s->options.max_trials);
    if (best)
        ty_text_addf(&line, ", best %.6g (trial %zu)", best->value, best->number);
    console_draw(&s->app->console, ty_text_string(&line));
    ty_text_clear(&line);
}

void sweep_say_best(sweep *s) {
    const ty_trial *best = ty_study_best(s->study);
    ty_text point = {0};
    if (!best) {
        console_say(&s->app->console, "no trial has a value of %s", s->file.metric.name);
        return;
    }
    sweep_add_point(&s->file.space, best->x, &point);
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
    const double wall = (double)(ty_now_ns(&s->app->ctx) - s->begun_ns) * s->n_slots;
    const char *reason = st == TY_OK ? s->done_reason : s->app->ctx.message;
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
