/* Looking at sweeps, also while they run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_plot.h"
#include "cli/table.h"

static ty_status with_named(cli *app, const char *name, ty_status (*look)(sweep *s)) {
    sweep s = {.app = app};
    ty_status st = sweep_open_named(&s, name);
    if (st == TY_OK)
        st = look(&s);
    sweep_close(&s);
    return st;
}

/* --- ls ----------------------------------------------------------------------------------------- */

typedef struct list {
    cli *app;
    table table;
} list;

static void add_counts(table *t, const ty_study *study) {
    size_t counts[TY_TRIAL_FAILED + 1] = {0};
    for (size_t i = 0; i < ty_study_count(study); i++)
        counts[ty_study_trial(study, i)->state]++;
    table_addf(t, "%zu", ty_study_count(study));
    table_addf(t, "%zu", counts[TY_TRIAL_COMPLETE]);
    table_addf(t, "%zu", counts[TY_TRIAL_PRUNED]);
    table_addf(t, "%zu", counts[TY_TRIAL_PAUSED]);
    table_addf(t, "%zu", counts[TY_TRIAL_FAILED]);
}

static void add_best(table *t, const sweep *s) {
    const ty_trial *best = ty_study_best(s->study);
    table_add(t, s->file.metric.name, NULL);
    if (best)
        table_add_number(t, best->value);
    else
        table_add(t, "-", NULL);
}

static void list_one(list *l, const char *name) {
    sweep s = {.app = l->app};
    const ty_status st = sweep_open_named(&s, name);
    if (st == TY_OK) {
        table_add(&l->table, name, NULL);
        add_counts(&l->table, s.study);
        add_best(&l->table, &s);
    } else if (st != TY_ERR_NOT_FOUND)
        ty_log(&l->app->ctx, TY_LOG_WARN, "sweeps", "%s: %s", name, l->app->ctx.message);
    sweep_close(&s);
}

static ty_status list_all(list *l, const char *folder, ty_arena *arena) {
    char **names = NULL;
    size_t n = 0;
    if (!ty_file_exists(&l->app->ctx, folder))
        return TY_OK;
    TY_TRY(ty_dir_list(&l->app->ctx, folder, arena, &names, &n));
    for (size_t i = 0; i < n; i++)
        list_one(l, names[i]);
    return TY_OK;
}

static void print_table(cli *app, const table *t) {
    ty_text out = {0};
    table_write(t, &app->console, &out);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

ty_status sweep_list(cli *app) {
    static const table_column columns[] = {
        {"sweep", false, 20}, {"trials", true, 0}, {"done", true, 0},     {"stopped", true, 0},
        {"paused", true, 0},  {"failed", true, 0}, {"metric", false, 12}, {"best", true, 0}};
    enum { N_COLUMNS = sizeof columns / sizeof columns[0] };
    ty_arena arena = {0};
    list l = {.app = app, .table = {.arena = &arena, .columns = columns, .n_columns = N_COLUMNS}};
    const char *folder = ty_path_join(&arena, app->folder, "sweeps");
    ty_status st = folder ? TY_OK : ty_fail_nomem(&app->ctx, "a path");
    if (st == TY_OK)
        st = list_all(&l, folder, &arena);
    if (st == TY_OK)
        print_table(app, &l.table);
    ty_arena_clear(&arena);
    return st;
}

/* --- show, best, replay ------------------------------------------------------------------------- */

enum { N_SHOWN = 6 }; /* columns; one more where there is more than one space */

static void add_trial(table *t, const ty_trial *trial, const char *word) {
    ty_text point = {0};
    sweep_add_point(trial, &point);
    table_addf(t, "%zu", trial->number);
    table_add(t, word, NULL);
    if (isnan(trial->value))
        table_add(t, "-", NULL);
    else
        table_add_number(t, trial->value);
    table_addf(t, "%zu", trial->reports);
    table_add(t, ty_text_string(&point), NULL);
    table_add(t, trial->reason, NULL);
    if (t->n_columns > N_SHOWN)
        table_addf(t, "%zu%s", trial->version->number, trial->is_known ? "" : ", left out");
    ty_text_clear(&point);
}

/* "optimizer.learning_rate=0.01": what is given of a point; false where it is none of the space. */
static bool add_given(sweep *s, const ty_version *version, const json_t *point, ty_text *out) {
    double given[TY_SPACE_MAX_PARAMS];
    const char *key = NULL;
    if (ty_point_read(&s->app->ctx, version->space, version->fixed, point, given, &key) != TY_OK)
        return false;
    for (size_t d = 0; d < version->space->count; d++)
        if (!isnan(given[d])) {
            ty_text_addf(out, " %s=", version->space->params[d].name);
            sweep_add_value(&version->space->params[d], given[d], out);
        }
    ty_text_add(out, "\n");
    return true;
}

/* What was enqueued and is to be tried yet. A point that the space has no more will be passed over. */
static void say_points(sweep *s, const ty_version *version, const json_t *points) {
    size_t i, n = 0;
    json_t *point;
    ty_text lines = {0};
    json_array_foreach((json_t *)(uintptr_t)points, i, point)
        n += add_given(s, version, point, &lines);
    if (n > 0)
        console_say(&s->app->console, "queue   %zu point%s to be tried next", n,
                    n == 1 ? " waits" : "s wait");
    for (char *at = lines.data, *end; at && *at; at = end + 1) {
        end = strchr(at, '\n');
        console_say(&s->app->console, "       %.*s", (int)(end - at), at);
    }
    ty_text_clear(&lines);
}

static ty_status say_waiting(sweep *s) {
    const ty_version *version = ty_study_version(s->study);
    json_t *points = json_array();
    ty_status st = points ? TY_OK : ty_fail_nomem(&s->app->ctx, "points");
    if (st == TY_OK)
        st = ty_study_waiting(&s->app->ctx, s->study, s->journal, points);
    if (st == TY_OK && version)
        say_points(s, version, points);
    json_decref(points);
    return st;
}

static ty_status show(sweep *s) {
    const table_column columns[] = {
        {"trial", true, 0},   {"state", false, 0},       {s->file.metric.name, true, 0},
        {"reports", true, 0}, {"parameters", false, 30}, {"why", false, 20},
        {"space", false, 0}};
    const ty_version *version = ty_study_version(s->study);
    const bool has_changed = version && version->number > 1;
    table t = {.arena = &s->arena, .columns = columns, .n_columns = N_SHOWN + has_changed};
    sweep_view v;
    TY_TRY(sweep_view_trials(s, &v));
    for (size_t i = 0; i < v.n; i++)
        add_trial(&t, v.trials[i], chart_look_words[chart_look_of(&v, v.trials[i])]);
    print_table(s->app, &t);
    sweep_say_imported(s);
    sweep_say_disk(s);
    if (has_changed)
        console_say(&s->app->console,
                    "space %zu, from trial %zu on; trials left out are none of it", version->number,
                    version->first_trial);
    return say_waiting(s);
}

ty_status sweep_show_trials(cli *app) {
    return with_named(app, app->args.operand[1], show);
}

static ty_status best(sweep *s) {
    sweep_say_best(s);
    return ty_study_best(s->study) ? TY_OK
                                   : ty_fail(&s->app->ctx, TY_ERR_NOT_FOUND,
                                             "no trial of %s has a value", s->file.stem);
}

ty_status sweep_best(cli *app) {
    return with_named(app, app->args.operand[1], best);
}

static void say_difference(void *self, size_t trial, const char *what) {
    sweep *s = self;
    console_say(&s->app->console, "trial %zu: %s", trial, what);
}

static ty_status replay(sweep *s) {
    size_t decisions = 0;
    TY_TRY(ty_study_replay(&s->app->ctx, s->journal, &s->options, say_difference, s, &decisions));
    console_say(&s->app->console, "all %zu decisions of %s are the same, bit for bit", decisions,
                s->file.stem);
    return TY_OK;
}

ty_status sweep_replay(cli *app) {
    return with_named(app, app->args.operand[1], replay);
}

ty_status sweep_export(cli *app) {
    return with_named(app, app->args.operand[1], sweep_export_trials);
}

ty_status sweep_importance(cli *app) {
    return with_named(app, app->args.operand[1], sweep_say_importance);
}

ty_status sweep_plot(cli *app) {
    return with_named(app, app->args.operand[1], sweep_draw);
}

/* --- stop --------------------------------------------------------------------------------------- */

static const char *stop_path(sweep *s) {
    return ty_path_join(&s->app->ctx.scratch, s->folder, "stop");
}

static ty_status ask_to_stop(sweep *s) {
    const char *path = stop_path(s);
    if (!sweep_is_run(s)) {
        console_say(&s->app->console, "nobody runs %s: there is nothing to stop", s->file.stem);
        return TY_OK;
    }
    TY_TRY(path ? ty_file_write_atomic(&s->app->ctx, path, "", 0)
                : ty_fail_nomem(&s->app->ctx, "a path"));
    console_say(&s->app->console, "%s is asked to stop: its trials save a checkpoint",
                s->file.stem);
    return TY_OK;
}

ty_status sweep_ask_to_stop(cli *app) {
    return with_named(app, app->args.operand[1], ask_to_stop);
}

bool sweep_is_asked_to_stop(sweep *s) {
    const ty_arena_mark mark = ty_arena_mark_here(&s->app->ctx.scratch);
    const char *path = stop_path(s);
    const bool is_asked = path && ty_file_exists(&s->app->ctx, path);
    if (is_asked)
        (void)!ty_file_unlink(&s->app->ctx, path);
    ty_arena_reset(&s->app->ctx.scratch, mark);
    return is_asked || sweep_is_stopped_in_mlflow(s);
}
