/* sweep plot: a chart of a sweep in the terminal or as a picture, all of them as a page. */
#include "cli/sweep/sweep_plot.h"

#include <string.h>
#include <sys/stat.h>

#include "base/lease.h"
#include "cli/sweep/sweep_report.h"
#include "cli/table.h"

/* --- the table ---------------------------------------------------------------------------------- */

/* Shares of the whole, and the order of the greatest first; false: nothing is known yet. */
static bool divide(double *share, size_t n) {
    double sum = 0;
    for (size_t d = 0; d < n; d++)
        sum += share[d];
    for (size_t d = 0; d < n; d++)
        share[d] = sum > 0 ? share[d] / sum : 0;
    return sum > 0;
}

/* Equal ones stay in the order of the sweep file. */
static void sort_by_share(const double *share, size_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && share[order[at - 1]] < share[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static ty_status weigh(sweep *s, sweep_view *v) {
    const size_t n = v->space->count;
    double *share = ty_arena_array(&s->arena, n + 1, sizeof *share);
    size_t *order = ty_arena_array(&s->arena, n + 1, sizeof *order);
    if (!share || !order)
        return ty_fail_nomem(&s->app->ctx, "what mattered");
    TY_TRY(ty_importance(&s->app->ctx, s->study, v->space, v->maximize, share));
    v->share = divide(share, n) ? share : NULL;
    sort_by_share(share, order, n);
    v->order = order;
    return TY_OK;
}

bool sweep_is_run(sweep *s) {
    const char *lease = ty_path_join(&s->arena, s->folder, "sweep.lease");
    return lease && ty_lease_is_held(&s->app->ctx, lease);
}

/* A sweep that nobody runs has come as far as its journal. */
static int64_t known_until(sweep *s, bool is_held, int64_t now_ns) {
    struct stat journal;
    if (is_held || ty_file_stat(&s->app->ctx, s->journal, &journal) != TY_OK)
        return now_ns;
    return (int64_t)journal.st_mtim.tv_sec * 1000000000 + journal.st_mtim.tv_nsec;
}

ty_status sweep_view_trials(sweep *s, sweep_view *out) {
    const size_t n = ty_study_count(s->study);
    const int64_t now_ns = ty_now_wall_ns(&s->app->ctx);
    const bool is_lease_held = sweep_is_run(s);
    const ty_trial **trials = ty_arena_array(&s->arena, n + 1, sizeof *trials);
    int64_t *expires_ns = ty_arena_array(&s->arena, n + 1, sizeof *expires_ns);
    if (!trials || !expires_ns)
        return ty_fail_nomem(&s->app->ctx, "a sweep's table");
    for (size_t i = 0; i < n; i++) {
        trials[i] = ty_study_trial(s->study, i);
        expires_ns[i] = ty_study_expires_ns(s->study, i);
    }
    *out = (sweep_view){.name = s->file.stem,
                        .metric = s->file.metric.name,
                        .maximize = s->options.maximize,
                        .space = &s->file.space,
                        .trials = trials,
                        .n = n,
                        .best = ty_study_best(s->study),
                        .now_ns = known_until(s, is_lease_held, now_ns),
                        .is_run = is_lease_held && !s->runs, /* where that is us, it was */
                        .expires_ns = expires_ns,
                        .seen_ns = now_ns};
    return TY_OK;
}

ty_status sweep_view_of(sweep *s, sweep_view *out) {
    TY_TRY(sweep_view_trials(s, out));
    return weigh(s, out);
}

/* --- what mattered ------------------------------------------------------------------------------ */

enum { BAR = 30 };

static void add_bar(table *t, double share) {
    char bar[BAR + 1];
    const size_t n = (size_t)(share * BAR + 0.5);
    memset(bar, '#', n);
    bar[n] = 0;
    table_add(t, bar, NULL);
}

static ty_status print_importance(sweep *s, const sweep_view *v) {
    static const table_column columns[] = {
        {"parameter", false, 24}, {"importance", true, 0}, {"", false, 0}};
    table t = {.arena = &s->arena, .columns = columns, .n_columns = 3};
    ty_text out = {0};
    if (!v->share)
        return ty_fail(&s->app->ctx, TY_ERR_NOT_FOUND,
                       "the complete trials of %s say nothing yet of what matters", v->name);
    for (size_t i = 0; i < v->space->count; i++) {
        const size_t d = v->order[i];
        table_add(&t, v->space->params[d].name, NULL);
        table_addf(&t, "%.1f%%", 100 * v->share[d]);
        add_bar(&t, v->share[d]);
    }
    table_write(&t, &s->app->console, &out);
    console_print(&s->app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

ty_status sweep_say_importance(sweep *s) {
    sweep_view v;
    TY_TRY(sweep_view_of(s, &v));
    return print_importance(s, &v);
}

/* --- the verb ----------------------------------------------------------------------------------- */

static ty_status write_svg(sweep *s, const sweep_chart *chart, const sweep_view *v,
                           const char *path) {
    ty_ctx *ctx = &s->app->ctx;
    const size_t length = strlen(path);
    ty_text out = {0};
    if (length < 5 || strcmp(path + length - 4, ".svg") != 0)
        return ty_fail(ctx, TY_ERR_ARG, "--svg is %s, want a name that ends in .svg", path);
    sweep_chart_svg(chart, v, true, &out);
    const ty_status st = out.is_short ? ty_fail_nomem(ctx, "a picture")
                                      : ty_file_write_atomic(ctx, path, out.data, out.length);
    ty_text_clear(&out);
    if (st == TY_OK)
        console_say(&s->app->console, "wrote %s", path);
    return st;
}

static ty_status print(sweep *s, const sweep_chart *chart, const sweep_view *v) {
    static const struct {
        const char *name;
        void (*print)(const sweep_view *v, const console *c, ty_arena *arena, ty_text *out);
    } forms[] = {{"history", sweep_print_history}, {"intermediate", sweep_print_intermediate}};
    enum { N = sizeof forms / sizeof *forms };
    ty_text out = {0};
    int at = 0;
    if (strcmp(chart->name, "importance") == 0)
        return print_importance(s, v);
    while (at < N && strcmp(forms[at].name, chart->name) != 0)
        at++;
    if (at == N)
        return ty_fail(&s->app->ctx, TY_ERR_ARG,
                       "%s has no form in characters: want --svg FILE, or --html FILE for all",
                       chart->name);
    forms[at].print(v, &s->app->console, &s->arena, &out);
    const ty_status st = out.is_short ? ty_fail_nomem(&s->app->ctx, "a picture") : TY_OK;
    if (st == TY_OK && out.length == 0)
        console_say(&s->app->console, "%s has no finite value yet", v->name);
    if (st == TY_OK)
        console_print(&s->app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

static ty_status refuse_chart(ty_ctx *ctx, const char *name) {
    ty_text all = {0};
    for (int i = 0; i < SWEEP_CHARTS; i++)
        ty_text_addf(&all, "%s%s", i ? ", " : "", sweep_charts[i].name);
    const ty_status st =
        ty_fail(ctx, TY_ERR_ARG, "--what is %s, want one of %s", name, ty_text_string(&all));
    ty_text_clear(&all);
    return st;
}

ty_status sweep_draw(sweep *s) {
    const args *a = &s->app->args;
    const char *svg = args_value(a, "svg"), *html = args_value(a, "html");
    const char *what = args_value(a, "what");
    const sweep_chart *chart = sweep_chart_find(what ? what : sweep_charts[0].name);
    sweep_view v;
    if (!chart)
        return refuse_chart(&s->app->ctx, what);
    TY_TRY(sweep_view_of(s, &v));
    if (html)
        TY_TRY(sweep_report_write(s, &v, html));
    if (html)
        console_say(&s->app->console, "wrote %s", html);
    if (svg)
        return write_svg(s, chart, &v, svg);
    return html ? TY_OK : print(s, chart, &v);
}
