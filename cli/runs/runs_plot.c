/* runs plot: curves of runs, in the terminal or as a picture. */
#include <math.h>
#include <string.h>

#include "cli/pictures/plot_text.h"
#include "cli/runs/runs.h"

enum { MAX_METRICS = 8, ROWS = 16 };

typedef struct drawing {
    cli *app;
    ty_arena *arena;
    ty_run_record *runs;
    int n_runs;
    const char *metrics[MAX_METRICS];
    int n_metrics;
    plot_line *lines;
    plot plot;
} drawing;

static const ty_run_curve *find_curve(const ty_run_record *run, const char *key) {
    for (int64_t i = 0; i < run->n_curves; i++)
        if (strcmp(run->curves[i].key, key) == 0)
            return &run->curves[i];
    return NULL;
}

/* A metric that nobody has is most likely mistyped. */
static ty_status refuse_metric(drawing *d, const char *key) {
    const char *nearest = NULL;
    int distance = 6;
    for (int r = 0; r < d->n_runs; r++)
        for (int64_t i = 0; i < d->runs[r].n_curves; i++) {
            const int far = ty_text_distance(key, d->runs[r].curves[i].key);
            if (far < distance) {
                distance = far;
                nearest = d->runs[r].curves[i].key;
            }
        }
    return ty_fail(&d->app->ctx, TY_ERR_NOT_FOUND, "no metric %s in %s%s%s%s", key,
                   d->n_runs == 1 ? d->runs[0].info.name : "any of the runs",
                   nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static ty_status check_metric(drawing *d, const char *key) {
    for (int r = 0; r < d->n_runs; r++)
        if (find_curve(&d->runs[r], key))
            return TY_OK;
    return refuse_metric(d, key);
}

/* What a run is judged by, where nothing is asked for. */
static const char *usual_metric(const drawing *d) {
    static const char *const usual[] = {"val/loss", "train/loss"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (find_curve(&d->runs[0], usual[i]))
            return usual[i];
    return d->runs[0].n_curves > 0 ? d->runs[0].curves[0].key : "val/loss";
}

static ty_status take_metrics(drawing *d) {
    const args *a = &d->app->args;
    for (int i = 0; i < a->n_options; i++) {
        if (strcmp(a->option[i].row->name, "metric") != 0)
            continue;
        if (d->n_metrics == MAX_METRICS)
            return ty_fail(&d->app->ctx, TY_ERR_ARG, "more than %d metrics", MAX_METRICS);
        d->metrics[d->n_metrics++] = a->option[i].value;
    }
    if (d->n_metrics == 0)
        d->metrics[d->n_metrics++] = usual_metric(d);
    for (int i = 0; i < d->n_metrics; i++)
        TY_TRY(check_metric(d, d->metrics[i]));
    return TY_OK;
}

static const char *label_of(const drawing *d, const ty_run_record *run, const char *key) {
    const char *label = run->info.name;
    if (d->n_metrics > 1)
        label = d->n_runs > 1 ? ty_arena_printf(d->arena, "%s %s", run->info.name, key) : key;
    return label ? label : "";
}

static ty_status add_line(drawing *d, const ty_run_record *run, const char *key) {
    const ty_run_curve *curve = find_curve(run, key);
    if (!curve) {
        console_say(&d->app->console, "%s has no metric %s", run->info.name, key);
        return TY_OK;
    }
    double *x = ty_arena_array(d->arena, (size_t)curve->n + 1, sizeof *x);
    double *y = ty_arena_array(d->arena, (size_t)curve->n + 1, sizeof *y);
    if (!x || !y)
        return ty_fail_nomem(&d->app->ctx, "a curve");
    for (int64_t i = 0; i < curve->n; i++) {
        x[i] = (double)curve->v[i].step;
        y[i] = curve->v[i].value;
    }
    d->lines[d->plot.n_lines++] =
        (plot_line){.label = label_of(d, run, key), .x = x, .y = y, .n = curve->n};
    return TY_OK;
}

static ty_status prepare(drawing *d) {
    ty_text title = {0};
    d->lines = ty_arena_array(d->arena, (size_t)(d->n_runs * d->n_metrics), sizeof *d->lines);
    if (!d->lines)
        return ty_fail_nomem(&d->app->ctx, "curves");
    for (int i = 0; i < d->n_metrics; i++)
        ty_text_addf(&title, "%s%s", i ? ", " : "", d->metrics[i]);
    d->plot = (plot){.title = ty_arena_string(d->arena, ty_text_string(&title)),
                     .x_label = "step",
                     .lines = d->lines};
    ty_text_clear(&title);
    if (!d->plot.title)
        return ty_fail_nomem(&d->app->ctx, "a title");
    for (int r = 0; r < d->n_runs; r++)
        for (int i = 0; i < d->n_metrics; i++)
            TY_TRY(add_line(d, &d->runs[r], d->metrics[i]));
    return TY_OK;
}

static void add_json(const drawing *d, ty_text *out) {
    for (int r = 0; r < d->n_runs; r++)
        for (int i = 0; i < d->n_metrics; i++) {
            const ty_run_curve *curve = find_curve(&d->runs[r], d->metrics[i]);
            ty_text_add(out, "{");
            runs_add_json(out, &d->runs[r].info);
            ty_text_add(out, ", \"metric\": ");
            ty_text_add_json(out, d->metrics[i]);
            ty_text_add(out, ", \"points\": [");
            for (int64_t k = 0; curve && k < curve->n; k++) {
                ty_text_addf(out, "%s[%lld, ", k ? ", " : "", (long long)curve->v[k].step);
                ty_text_add_number(out, curve->v[k].value);
                ty_text_add(out, "]");
            }
            ty_text_add(out, "]}\n");
        }
}

static ty_status write_file(drawing *d, const char *path) {
    ty_text out = {0};
    const size_t length = strlen(path);
    if (length < 5 || strcmp(path + length - 4, ".svg") != 0)
        return ty_fail(&d->app->ctx, TY_ERR_ARG, "--output is %s, want a name that ends in .svg",
                       path);
    plot_svg_file(&d->plot, &out);
    ty_status st = out.is_short ? ty_fail_nomem(&d->app->ctx, "a picture")
                                : ty_file_write_atomic(&d->app->ctx, path, out.data, out.length);
    ty_text_clear(&out);
    if (st == TY_OK)
        console_say(&d->app->console, "wrote %s", path);
    return st;
}

static ty_status print(drawing *d) {
    const console *c = &d->app->console;
    ty_text out = {0};
    if (c->is_json)
        add_json(d, &out);
    else
        plot_text(&d->plot, c, c->width, ROWS, &out);
    ty_status st = out.is_short ? ty_fail_nomem(&d->app->ctx, "a picture") : TY_OK;
    if (st == TY_OK && !out.data)
        console_say(&d->app->console, "%s has no finite points", d->plot.title);
    if (st == TY_OK)
        console_print(&d->app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

ty_status runs_plot(cli *app, ty_arena *arena) {
    drawing d = {.app = app, .arena = arena, .n_runs = app->args.n_operands - 1};
    const char *path = args_value(&app->args, "output");
    d.runs = ty_arena_array(arena, (size_t)d.n_runs, sizeof *d.runs);
    if (!d.runs)
        return ty_fail_nomem(&app->ctx, "runs");
    for (int r = 0; r < d.n_runs; r++)
        TY_TRY(runs_read(app, arena, r + 1, &d.runs[r]));
    TY_TRY(take_metrics(&d));
    TY_TRY(prepare(&d));
    return path ? write_file(&d, path) : print(&d);
}
