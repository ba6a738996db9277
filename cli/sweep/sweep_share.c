/* A sweep for others: Optuna's journal that is written along, and exports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"
#include "cli/sweep/sweep.h"

const char *const sweep_state_names[] = {[TY_TRIAL_RUNNING] = "running",
                                         [TY_TRIAL_COMPLETE] = "complete",
                                         [TY_TRIAL_PRUNED] = "pruned",
                                         [TY_TRIAL_PAUSED] = "paused",
                                         [TY_TRIAL_FAILED] = "failed"};

static ty_optuna_view view_of(const sweep *s) {
    return (ty_optuna_view){.study = s->study,
                            .space = &s->file.space,
                            .name = s->file.stem,
                            .metric = s->file.metric.name,
                            .maximize = s->options.maximize,
                            .has_limits = s->file.limit_count > 0};
}

/* --- along with a sweep ------------------------------------------------------------------------- */

static ty_status write_along(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    if (s->tee)
        return ty_optuna_tee_write(ctx, s->tee);
    const ty_optuna_view view = view_of(s);
    const char *path = ty_path_join(&s->arena, s->folder, "optuna.journal");
    return path ? ty_optuna_tee_open(ctx, path, &view, &s->tee) : ty_fail_nomem(ctx, "a path");
}

void sweep_write_along(sweep *s) {
    if (s->has_no_tee || write_along(s) == TY_OK)
        return;
    s->has_no_tee = true;
    ty_log(&s->app->ctx, TY_LOG_WARN, "sweep", "Optuna's journal is not written any more: %s",
           s->app->ctx.message);
}

/* --- export ------------------------------------------------------------------------------------- */

static void add_json(ty_text *out, json_t *json) {
    char *text =
        json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    ty_text_add(out, text ? text : "null");
    free(text);
    json_decref(json);
}

static void add_value_json(ty_text *out, double v) {
    if (isnan(v))
        ty_text_add(out, "null");
    else
        ty_text_add_number(out, v);
}

static void add_params_json(const ty_space *space, const double *x, ty_text *out) {
    const char *separator = "";
    for (size_t d = 0; d < space->count; d++) {
        if (isnan(x[d]))
            continue;
        ty_text_add(out, separator);
        ty_text_add_json(out, space->params[d].name);
        ty_text_add(out, ": ");
        add_json(out, ty_param_to_json(&space->params[d], x[d]));
        separator = ", ";
    }
}

static void add_reports_json(const sweep *s, const ty_trial *t, ty_text *out) {
    for (size_t i = 0; i < t->reports; i++) {
        ty_text_add(out, i > 0 ? ", {\"step\": " : "{\"step\": ");
        ty_text_add_number(out, t->step[i]);
        ty_text_add(out, ", \"value\": ");
        add_value_json(out, s->options.maximize ? -t->reported[i] : t->reported[i]);
        ty_text_add(out, "}");
    }
}

static int64_t begin_of(const ty_trial *t) {
    return t->leg_count > 0 ? t->legs[0].asked_ns : t->asked_ns;
}

/* 0 while it runs. */
static int64_t end_of(const ty_trial *t) {
    return t->state == TY_TRIAL_RUNNING ? 0 : t->told_ns;
}

/* Of all legs that have ended: what a trial waited for its promotion is none of it. */
static double seconds_of(const ty_trial *t) {
    int64_t ns = 0;
    for (size_t i = 0; i < t->leg_count; i++)
        if (t->legs[i].state != TY_TRIAL_RUNNING)
            ns += t->legs[i].told_ns - t->legs[i].asked_ns;
    return (double)ns / 1e9;
}

static void add_time_json(ty_text *out, const char *key, int64_t ns) {
    ty_text_addf(out, ", \"%s\": ", key);
    if (ns == 0) {
        ty_text_add(out, "null");
        return;
    }
    ty_text_add(out, "\"");
    ty_text_add_time(out, ns);
    ty_text_add(out, "\"");
}

static void add_trial_json(const sweep *s, const ty_trial *t, ty_text *out) {
    ty_text_addf(out, "{\"trial\": %zu, \"state\": \"%s\", \"value\": ", t->number,
                 sweep_state_names[t->state]);
    add_value_json(out, t->value);
    ty_text_add(out, ", \"violation\": ");
    add_value_json(out, t->violation);
    add_time_json(out, "begin", begin_of(t));
    add_time_json(out, "end", end_of(t));
    ty_text_addf(out, ", \"seconds\": %.3f", seconds_of(t));
    ty_text_add(out, ", \"params\": {");
    add_params_json(t->version->space, t->asked, out);
    ty_text_add(out, "}, \"reports\": [");
    add_reports_json(s, t, out);
    ty_text_add(out, "], \"reason\": ");
    ty_text_add_json(out, t->reason);
    ty_text_add(out, "}\n");
}

static ty_status as_jsonl(sweep *s, ty_text *out) {
    for (size_t i = 0; i < ty_study_count(s->study); i++)
        add_trial_json(s, ty_study_trial(s->study, i), out);
    return TY_OK;
}

static void add_param_field(ty_text *out, const ty_param *p, double v) {
    ty_text text = {0};
    json_t *json = isnan(v) ? NULL : ty_param_to_json(p, v);
    ty_text_add(out, ",");
    if (json_is_string(json)) {
        csv_add_field(out, json_string_value(json));
        json_decref(json);
    } else if (json) {
        add_json(&text, json);
        csv_add_field(out, ty_text_string(&text));
    }
    out->is_short |= text.is_short;
    ty_text_clear(&text);
}

static void add_trial_row(const sweep *s, const ty_trial *t, ty_text *out) {
    ty_text_addf(out, "%zu,%s,", t->number, sweep_state_names[t->state]);
    if (!isnan(t->value))
        ty_text_addf(out, "%.17g", t->value);
    ty_text_add(out, ",");
    if (t->state != TY_TRIAL_RUNNING && !isnan(t->violation))
        ty_text_addf(out, "%.17g", t->violation);
    ty_text_addf(out, ",%zu,", t->reports);
    ty_text_add_time(out, begin_of(t));
    ty_text_add(out, ",");
    if (end_of(t) != 0)
        ty_text_add_time(out, end_of(t));
    ty_text_addf(out, ",%.3f", seconds_of(t));
    for (size_t d = 0; d < s->file.space.count; d++)
        add_param_field(out, &s->file.space.params[d], t->x[d]);
    ty_text_add(out, ",");
    csv_add_field(out, t->reason);
    ty_text_add(out, "\n");
}

static ty_status as_csv(sweep *s, ty_text *out) {
    ty_text_add(out, "trial,state,value,violation,reports,begin,end,seconds");
    for (size_t d = 0; d < s->file.space.count; d++) {
        ty_text_add(out, ",");
        csv_add_field(out, s->file.space.params[d].name);
    }
    ty_text_add(out, ",reason\n");
    for (size_t i = 0; i < ty_study_count(s->study); i++)
        add_trial_row(s, ty_study_trial(s->study, i), out);
    return TY_OK;
}

static ty_status as_journal(sweep *s, ty_text *out) {
    const ty_optuna_view view = view_of(s);
    return ty_optuna_export(&s->app->ctx, &view, out);
}

static const struct {
    const char *ending;
    ty_status (*write)(sweep *s, ty_text *out);
} formats[] = {{".csv", as_csv}, {".jsonl", as_jsonl}, {".journal", as_journal}};

static bool ends_in(const char *path, const char *ending) {
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

ty_status sweep_export_trials(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    const char *path = args_value(&s->app->args, "output");
    const size_t n = sizeof formats / sizeof *formats;
    size_t at = 0;
    ty_text out = {0};
    while (path && at < n && !ends_in(path, formats[at].ending))
        at++;
    if (!path || at == n)
        return ty_fail(ctx, TY_ERR_ARG,
                       "--output is %s, want FILE.csv, FILE.jsonl or FILE.journal (Optuna's)",
                       path ? path : "missing");
    ty_status st = formats[at].write(s, &out);
    if (st == TY_OK && out.is_short)
        st = ty_fail_nomem(ctx, "an export");
    if (st == TY_OK)
        st = ty_file_write_atomic(ctx, path, ty_text_string(&out), out.length);
    ty_text_clear(&out);
    if (st == TY_OK)
        console_say(&s->app->console, "wrote %s", path);
    return st;
}
