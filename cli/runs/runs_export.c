/* runs export: everything that runs told, as tables for other programs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"
#include "cli/runs/runs.h"

typedef struct export {
    cli *app;
    ty_arena *arena;
    const ty_run_record *runs;
    int64_t n;
}
export;

/* --- CSV -------------------------------------------------------------------------------------- */

static void add_value(ty_text *out, double value) {
    if (isnan(value))
        ty_text_add(out, "NaN");
    else if (isinf(value))
        ty_text_add(out, value > 0 ? "Infinity" : "-Infinity");
    else
        ty_text_add_number(out, value);
}

static void begin_row(ty_text *out, const ty_run_info *run) {
    csv_add_field(out, run->name);
    ty_text_addf(out, ",%s,", run->run_id);
    csv_add_field(out, run->experiment);
}

/* kind: ",param" where the table holds more than one. */
static void add_texts(ty_text *out, const ty_run_record *run, const char *kind,
                      const ty_run_value *v, int64_t n, const char *no_step) {
    for (int64_t i = 0; i < n; i++) {
        begin_row(out, &run->info);
        ty_text_addf(out, "%s,", kind);
        csv_add_field(out, v[i].key);
        ty_text_addf(out, "%s,", no_step);
        csv_add_field(out, v[i].text);
        ty_text_add(out, "\n");
    }
}

static void add_points(ty_text *out, const ty_run_record *run, const char *kind) {
    for (int64_t c = 0; c < run->n_curves; c++)
        for (int64_t i = 0; i < run->curves[c].n; i++) {
            const ty_run_point *point = &run->curves[c].v[i];
            begin_row(out, &run->info);
            ty_text_addf(out, "%s,", kind);
            csv_add_field(out, run->curves[c].key);
            ty_text_addf(out, ",%lld,%lld,", (long long)point->step,
                         (long long)(point->time_ns / 1000000));
            add_value(out, point->value);
            ty_text_add(out, "\n");
        }
}

/* One table of everything, a value a row. */
static void add_long(const export *e, ty_text *out) {
    ty_text_add(out, "run,run_id,experiment,kind,key,step,time_ms,value\n");
    for (int64_t i = 0; i < e->n; i++) {
        const ty_run_record *run = &e->runs[i];
        add_texts(out, run, ",param", run->params, run->n_params, ",,");
        add_texts(out, run, ",tag", run->tags, run->n_tags, ",,");
        add_points(out, run, ",metric");
    }
}

static void add_runs(const export *e, ty_text *out) {
    ty_text_add(out, "run,run_id,experiment,state,step,start_ms,end_ms,folder\n");
    for (int64_t i = 0; i < e->n; i++) {
        const ty_run_info *run = &e->runs[i].info;
        begin_row(out, run);
        ty_text_addf(out, ",%s,%lld,%lld,", runs_state(run), (long long)run->last_step,
                     (long long)(run->start_ns / 1000000));
        if (run->end_ns != 0)
            ty_text_addf(out, "%lld", (long long)(run->end_ns / 1000000));
        ty_text_add(out, ",");
        csv_add_field(out, run->folder);
        ty_text_add(out, "\n");
    }
}

static void add_params(const export *e, ty_text *out) {
    ty_text_add(out, "run,run_id,experiment,key,value\n");
    for (int64_t i = 0; i < e->n; i++)
        add_texts(out, &e->runs[i], "", e->runs[i].params, e->runs[i].n_params, "");
}

static void add_tags(const export *e, ty_text *out) {
    ty_text_add(out, "run,run_id,experiment,key,value\n");
    for (int64_t i = 0; i < e->n; i++)
        add_texts(out, &e->runs[i], "", e->runs[i].tags, e->runs[i].n_tags, "");
}

static void add_metrics(const export *e, ty_text *out) {
    ty_text_add(out, "run,run_id,experiment,key,step,time_ms,value\n");
    for (int64_t i = 0; i < e->n; i++)
        add_points(out, &e->runs[i], "");
}

/* --- JSON lines ------------------------------------------------------------------------------- */

static void add_curve_json(ty_text *out, const ty_run_curve *curve) {
    ty_text_add_json(out, curve->key);
    ty_text_add(out, ": [");
    for (int64_t i = 0; i < curve->n; i++) {
        ty_text_addf(out, "%s[%lld, %lld, ", i ? ", " : "", (long long)curve->v[i].step,
                     (long long)(curve->v[i].time_ns / 1000000));
        ty_text_add_number(out, curve->v[i].value);
        ty_text_add(out, "]");
    }
    ty_text_add(out, "]");
}

/* One run a line; points are [step, time_ms, value]. */
static void add_lines(const export *e, ty_text *out) {
    for (int64_t i = 0; i < e->n; i++) {
        const ty_run_record *run = &e->runs[i];
        ty_text_add(out, "{");
        runs_add_json(out, &run->info);
        runs_add_values_json(out, "params", run->params, run->n_params);
        runs_add_values_json(out, "tags", run->tags, run->n_tags);
        ty_text_add(out, ", \"metrics\": {");
        for (int64_t c = 0; c < run->n_curves; c++) {
            ty_text_add(out, c ? ", " : "");
            add_curve_json(out, &run->curves[c]);
        }
        ty_text_add(out, "}}\n");
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

typedef void (*table_fn)(const export *e, ty_text *out);

static ty_status write_table(const export *e, table_fn add, const char *path) {
    ty_text out = {0};
    add(e, &out);
    const ty_status st =
        out.is_short ? ty_fail_nomem(&e->app->ctx, "a table of runs")
                     : ty_file_write_atomic(&e->app->ctx, path, ty_text_string(&out), out.length);
    ty_text_clear(&out);
    if (st == TY_OK)
        console_say(&e->app->console, "wrote %s", path);
    return st;
}

static ty_status write_folder(const export *e, const char *folder) {
    static const struct {
        const char *name;
        table_fn add;
    } tables[] = {{"runs.csv", add_runs},
                  {"params.csv", add_params},
                  {"tags.csv", add_tags},
                  {"metrics.csv", add_metrics}};
    TY_TRY(ty_dir_make(&e->app->ctx, folder));
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const char *path = ty_path_join(e->arena, folder, tables[i].name);
        if (!path)
            return ty_fail_nomem(&e->app->ctx, "a table's name");
        TY_TRY(write_table(e, tables[i].add, path));
    }
    return TY_OK;
}

static ty_status print(const export *e, table_fn add) {
    ty_text out = {0};
    add(e, &out);
    const ty_status st = out.is_short ? ty_fail_nomem(&e->app->ctx, "a table of runs") : TY_OK;
    if (st == TY_OK)
        console_print(&e->app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

static bool ends_in(const char *text, const char *end) {
    const size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* A name with another ending is most likely a format that we don't have, and no folder. */
static ty_status write_out(const export *e, const char *path) {
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    if (ends_in(path, ".csv"))
        return write_table(e, add_long, path);
    if (ends_in(path, ".jsonl"))
        return write_table(e, add_lines, path);
    if (strchr(last, '.') && strcmp(last, ".") != 0 && strcmp(last, "..") != 0)
        return ty_fail(&e->app->ctx, TY_ERR_ARG,
                       "--output is %s, want FILE.csv, FILE.jsonl or a folder (FOLDER/)", path);
    return write_folder(e, path);
}

ty_status runs_export(cli *app, ty_arena *arena) {
    const char *path = args_value(&app->args, "output");
    const int n = app->args.n_operands - 1;
    ty_run_record *runs = ty_arena_array(arena, (size_t)n, sizeof *runs);
    if (!runs)
        return ty_fail_nomem(&app->ctx, "runs");
    for (int i = 0; i < n; i++)
        TY_TRY(runs_read(app, arena, i + 1, &runs[i]));
    const export e = {.app = app, .arena = arena, .runs = runs, .n = n};
    if (path)
        return write_out(&e, path);
    return print(&e, app->console.is_json ? add_lines : add_long);
}
