#include "cli/sweep/sweep_report.h"

#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_plot.h"

/* What lies in the sweep's folder; NULL where it is not there or cannot be read. The caller's to free. */
static char *read_kept(sweep *s, const char *name) {
    enum { LARGEST = 16 << 20 };
    const char *path = ty_path_join(&s->arena, s->folder, name);
    char *text = NULL;
    size_t bytes = 0;
    if (!path || !ty_file_exists(&s->app->ctx, path) ||
        ty_file_read_all(&s->app->ctx, path, LARGEST, &text, &bytes) != TY_OK)
        return NULL;
    return text;
}

/* A test of a trial that is not the best any more says nothing. */
static json_t *read_test(sweep *s, const sweep_view *v) {
    char *text = read_kept(s, "test.json");
    json_t *test = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    const json_t *trial = json_object_get(test, "trial");
    if (v->best && json_is_integer(trial) &&
        json_integer_value(trial) == (json_int_t)v->best->number)
        return test;
    json_decref(test);
    return NULL;
}

static ty_status write_text(sweep *s, const char *path, const ty_text *text) {
    return text->is_short ? ty_fail_nomem(&s->app->ctx, "a report")
                          : ty_file_write_atomic(&s->app->ctx, path, text->data, text->length);
}

ty_status sweep_report_write(sweep *s, const sweep_view *v, const char *path) {
    char *sweep_json = read_kept(s, "sweep.json"), *config = read_kept(s, "config.json");
    json_t *test = read_test(s, v);
    ty_text out = {0}, words = {0};
    ty_text_addf(&words, "tiltyard sweep resume %s", v->name);
    const sweep_page page = {.view = v,
                             .sampler = s->file.sampler.row->type,
                             .pruner = s->file.pruner.row->type,
                             .best_run =
                                 v->best ? sweep_run_name(s, v->best->number, &s->arena) : NULL,
                             .command = ty_text_string(&words),
                             .test = test,
                             .sweep_json = sweep_json,
                             .config_json = config};
    sweep_page_html(&page, &out);
    const ty_status st = write_text(s, path, &out);
    ty_text_clear(&out);
    ty_text_clear(&words);
    json_decref(test);
    free(sweep_json);
    free(config);
    return st;
}

/* --- at the end --------------------------------------------------------------------------------- */

static ty_status write_plot(sweep *s, const sweep_chart *chart, const sweep_view *v) {
    const char *path = ty_arena_printf(&s->arena, "%s/plots/%s.svg", s->folder, chart->name);
    ty_text out = {0};
    sweep_chart_svg(chart, v, true, &out);
    const ty_status st = path ? write_text(s, path, &out) : ty_fail_nomem(&s->app->ctx, "a path");
    ty_text_clear(&out);
    if (st == TY_OK)
        sweep_tell_file(s, path, "plots");
    return st;
}

static ty_status write_all(sweep *s) {
    sweep_view v;
    const char *plots = ty_path_join(&s->arena, s->folder, "plots");
    const char *page = ty_path_join(&s->arena, s->folder, "report.html");
    TY_TRY(sweep_view_of(s, &v));
    TY_TRY(plots && page ? ty_dir_make(&s->app->ctx, plots)
                         : ty_fail_nomem(&s->app->ctx, "a path"));
    for (int i = 0; i < SWEEP_CHARTS; i++)
        TY_TRY(write_plot(s, &sweep_charts[i], &v));
    TY_TRY(sweep_report_write(s, &v, page));
    sweep_tell_file(s, page, "");
    console_say(&s->app->console, "report  %s", page);
    return TY_OK;
}

void sweep_report_end(sweep *s) {
    char kept[TY_MESSAGE_BYTES]; /* why the sweep ended is to be said yet */
    memcpy(kept, s->app->ctx.message, sizeof kept);
    if (write_all(s) != TY_OK)
        ty_log(&s->app->ctx, TY_LOG_WARN, "report", "%s", s->app->ctx.message);
    memcpy(s->app->ctx.message, kept, sizeof kept);
}
