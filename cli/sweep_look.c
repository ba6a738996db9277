/* Looking at sweeps, also while they run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
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
    table_addf(t, "%zu", counts[TY_TRIAL_PRUNED] + counts[TY_TRIAL_PAUSED]);
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
        {"sweep", false, 20}, {"trials", true, 0},   {"done", true, 0}, {"stopped", true, 0},
        {"failed", true, 0},  {"metric", false, 12}, {"best", true, 0}};
    ty_arena arena = {0};
    list l = {.app = app, .table = {.arena = &arena, .columns = columns, .n_columns = 7}};
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

static void add_trial(table *t, const sweep *s, const ty_trial *trial) {
    ty_text point = {0};
    sweep_add_point(&s->file.space, trial->x, &point);
    table_addf(t, "%zu", trial->number);
    table_add(t, trial->is_lost ? "lost" : sweep_state_words[trial->state], NULL);
    if (isnan(trial->value))
        table_add(t, "-", NULL);
    else
        table_add_number(t, trial->value);
    table_addf(t, "%zu", trial->reports);
    table_add(t, ty_text_string(&point), NULL);
    table_add(t, trial->reason, NULL);
    ty_text_clear(&point);
}

static ty_status show(sweep *s) {
    const table_column columns[] = {
        {"trial", true, 0},   {"state", false, 0},       {s->file.metric.name, true, 0},
        {"reports", true, 0}, {"parameters", false, 30}, {"why", false, 20}};
    table t = {.arena = &s->arena, .columns = columns, .n_columns = 6};
    for (size_t i = 0; i < ty_study_count(s->study); i++)
        add_trial(&t, s, ty_study_trial(s->study, i));
    print_table(s->app, &t);
    return TY_OK;
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

/* --- stop --------------------------------------------------------------------------------------- */

static const char *stop_path(sweep *s) {
    return ty_path_join(&s->app->ctx.scratch, s->folder, "stop");
}

static ty_status ask_to_stop(sweep *s) {
    const char *path = stop_path(s);
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
    return is_asked;
}
