/* runs: what is in this folder, from the journals alone. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "tracking/tracking.h"

enum { WIDEST_NAME = 48 };

static const char *const state_names[] = {"running", "finished", "failed", "killed"};

static const char *state_of(const ty_run_info *run) {
    return run->state == TY_RUN_RUNNING && !run->is_live ? "died" : state_names[run->state];
}

static void add_time(ty_text *out, int64_t ns) {
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm local;
    char text[32] = "-";
    if (ns > 0 && localtime_r(&seconds, &local))
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
    ty_text_addf(out, "%-16s", text);
}

/* The members of a run, without braces. */
static void add_run_members(ty_text *out, const ty_run_info *run) {
    ty_text_add(out, "\"run\": ");
    ty_text_add_json(out, run->name);
    ty_text_add(out, ", \"experiment\": ");
    ty_text_add_json(out, run->experiment);
    ty_text_addf(
        out,
        ", \"run_id\": \"%s\", \"state\": \"%s\", \"step\": %lld, \"start_ms\": %lld, \"folder\": ",
        run->run_id, state_of(run), (long long)run->last_step,
        (long long)(run->start_ns / 1000000));
    ty_text_add_json(out, run->folder);
}

static void add_run_json(ty_text *out, const ty_run_info *run) {
    ty_text_add(out, "{");
    add_run_members(out, run);
    ty_text_add(out, "}\n");
}

static void add_values_json(ty_text *out, const char *name, const ty_run_value *v, int64_t n) {
    ty_text_addf(out, ", \"%s\": {", name);
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, v[i].key);
        ty_text_add(out, ": ");
        ty_text_add_json(out, v[i].text);
    }
    ty_text_add(out, "}");
}

static void add_metrics_json(ty_text *out, const ty_run_value *v, int64_t n) {
    ty_text_add(out, ", \"metrics\": {");
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, v[i].key);
        ty_text_add(out, ": {\"value\": ");
        ty_text_add_number(out, v[i].value);
        ty_text_addf(out, ", \"step\": %lld}", (long long)v[i].step);
    }
    ty_text_add(out, "}");
}

static void add_record_json(ty_text *out, const ty_run_record *run) {
    ty_text_add(out, "{");
    add_run_members(out, &run->info);
    add_values_json(out, "params", run->params, run->n_params);
    add_values_json(out, "tags", run->tags, run->n_tags);
    add_metrics_json(out, run->metrics, run->n_metrics);
    ty_text_add(out, ", \"files\": [");
    for (int64_t i = 0; i < run->n_files; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, run->files[i]);
    }
    ty_text_add(out, "]}\n");
}

/* Green, yellow or red by how it ended; always of the same width. */
static void add_state(const console *c, ty_text *out, const ty_run_info *run) {
    const char *state = state_of(run);
    const bool is_good = run->state == TY_RUN_FINISHED || run->is_live;
    const char *color = is_good                       ? console_green(c)
                        : run->state == TY_RUN_FAILED ? console_red(c)
                                                      : console_yellow(c);
    ty_text_addf(out, "%s%-8s%s", color, state, console_plain(c));
}

static void add_padded(ty_text *out, const char *text, int width) {
    const int columns = console_columns(text);
    ty_text_addf(out, "%s%*s", text, columns < width ? width - columns : 0, "");
}

static void add_run_line(const console *c, ty_text *out, const ty_run_info *run, int width) {
    char length[32] = "-", step[32] = "-";
    if (run->end_ns > run->start_ns)
        console_duration((double)(run->end_ns - run->start_ns) / 1e9, length);
    if (run->last_step >= 0)
        console_count(run->last_step, step);
    add_padded(out, run->name, width);
    ty_text_add(out, "  ");
    add_state(c, out, run);
    ty_text_addf(out, "%11s  ", step);
    add_time(out, run->start_ns);
    ty_text_addf(out, "  %8s  %.12s  %s\n", length, run->run_id, run->experiment);
}

static void add_table(const console *c, ty_text *out, const ty_run_info *runs, int64_t n) {
    int width = 12;
    for (int64_t i = 0; i < n; i++) {
        const int columns = console_columns(runs[i].name);
        width = columns > width ? columns : width;
    }
    width = width > WIDEST_NAME ? WIDEST_NAME : width;
    ty_text_addf(out, "%s%-*s  %-8s%11s  %-16s  %8s  %-12s  %s%s\n", console_dim(c), width, "run",
                 "state", "step", "started", "took", "mlflow id", "experiment", console_plain(c));
    for (int64_t i = 0; i < n; i++)
        add_run_line(c, out, &runs[i], width);
}

static ty_status list(cli *app, ty_arena *arena) {
    ty_run_info *runs = NULL;
    int64_t n = 0;
    TY_TRY(ty_runs_list(&app->ctx, app->folder, arena, &runs, &n));
    ty_text out = {0};
    if (!app->console.is_json && n > 0)
        add_table(&app->console, &out, runs, n);
    for (int64_t i = 0; app->console.is_json && i < n; i++)
        add_run_json(&out, &runs[i]);
    console_print(&app->console, ty_text_string(&out));
    if (n == 0)
        console_say(&app->console, "no runs under %s/runs", app->folder);
    ty_text_clear(&out);
    return TY_OK;
}

static void add_values(ty_text *out, const char *title, const ty_run_value *v, int64_t n) {
    if (n)
        ty_text_addf(out, "\n%s\n", title);
    for (int64_t i = 0; i < n; i++)
        ty_text_addf(out, "  %-36s %s\n", v[i].key, v[i].text);
}

static void add_metrics(ty_text *out, const ty_run_record *run) {
    if (run->n_metrics)
        ty_text_addf(out, "\nmetrics (last point)\n");
    for (int64_t i = 0; i < run->n_metrics; i++)
        ty_text_addf(out, "  %-36s %-14.8g step %lld\n", run->metrics[i].key, run->metrics[i].value,
                     (long long)run->metrics[i].step);
}

static ty_status show(cli *app, ty_arena *arena, const char *which) {
    const char *folder = NULL;
    ty_run_record run = {0};
    TY_TRY(ty_runs_find(&app->ctx, app->folder, which, arena, &folder));
    TY_TRY(ty_runs_read(&app->ctx, folder, arena, &run));
    ty_text out = {0};
    if (app->console.is_json) {
        add_record_json(&out, &run);
    } else {
        ty_text_addf(&out, "%s\n  folder     %s\n  experiment %s\n  mlflow id  %s\n  state      %s",
                     run.info.name, run.info.folder, run.info.experiment, run.info.run_id,
                     state_of(&run.info));
        ty_text_addf(&out, "%s%s\n  started    ", run.info.reason && *run.info.reason ? ", " : "",
                     run.info.reason ? run.info.reason : "");
        add_time(&out, run.info.start_ns);
        ty_text_addf(&out, "\n  command    %s\n", run.info.source ? run.info.source : "");
        add_values(&out, "params", run.params, run.n_params);
        add_values(&out, "tags", run.tags, run.n_tags);
        add_metrics(&out, &run);
        if (run.n_files)
            ty_text_add(&out, "\nfiles\n");
        for (int64_t i = 0; i < run.n_files; i++)
            ty_text_addf(&out, "  %s\n", run.files[i]);
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

static void add_amount(ty_text *out, int64_t n, const char *what, const char *end) {
    char number[32];
    ty_text_addf(out, "%s %s%s%s", console_count(n, number), what, console_plural(n), end);
}

static ty_status rebuild(cli *app) {
    ty_rebuild_report report = {0};
    ty_text out = {0};
    TY_TRY(ty_runs_rebuild(&app->ctx, app->folder, &report));
    add_amount(&out, report.runs, "run", " read; added ");
    add_amount(&out, report.runs_added, "run", ", ");
    add_amount(&out, report.points_added, "point", " and ");
    add_amount(&out, report.values_added, "other value", "");
    console_say(&app->console, "%s", ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

/* Nothing is looked for in a folder that is not there: it was mistyped. */
static ty_status check_folder(cli *app) {
    if (ty_file_exists(&app->ctx, app->folder))
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_NOT_FOUND, "there is no folder %s", app->folder);
}

static ty_status runs(cli *app) {
    const char *verb = app->args.operand[0];
    ty_arena arena = {0};
    ty_status st = check_folder(app);
    if (st != TY_OK)
        return st;
    if (strcmp(verb, "ls") == 0 && app->args.n_operands == 1)
        st = list(app, &arena);
    else if (strcmp(verb, "show") == 0 && app->args.n_operands == 2)
        st = show(app, &arena, app->args.operand[1]);
    else if (strcmp(verb, "rebuild") == 0 && app->args.n_operands == 1)
        st = rebuild(app);
    else
        st = ty_fail(&app->ctx, TY_ERR_ARG,
                     "want `tiltyard runs ls`, `runs show RUN` or `runs rebuild`");
    ty_arena_clear(&arena);
    return st;
}

const command cmd_runs = {
    .name = "runs",
    .operands = "ls | show RUN | rebuild",
    .summary = "list and show runs; add to mlflow.db what is only in the journals",
    .about = "RUN is a run's folder, its name, or its MLflow run id (six digits of it will do).\n"
             "rebuild only adds: notes, tags and deletions made in MLflow's UI stay.\n",
    .min_operands = 1,
    .max_operands = 2,
    .run = runs};
