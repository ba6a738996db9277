/* runs rm: runs are deleted as MLflow deletes them; runs gc: what nobody needs leaves the disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/runs/runs.h"

/* --- rm --------------------------------------------------------------------------------------- */

typedef struct removal {
    cli *app;
    ty_arena *arena;
    ty_run_record *runs;
    int n;
} removal;

static ty_status read_runs(removal *r) {
    cli *app = r->app;
    r->n = app->args.n_operands - 1;
    r->runs = ty_arena_array(r->arena, (size_t)r->n, sizeof *r->runs);
    if (!r->runs)
        return ty_fail_nomem(&app->ctx, "runs");
    for (int i = 0; i < r->n; i++) {
        TY_TRY(runs_read(app, r->arena, i + 1, &r->runs[i]));
        if (r->runs[i].info.is_live)
            return ty_fail(&app->ctx, TY_ERR_BUSY, "%s is at work; stop it first",
                           r->runs[i].info.name);
    }
    return TY_OK;
}

/* What each run is and holds, so that nobody deletes by a name alone. */
static ty_status show_runs(const removal *r) {
    static const table_column columns[] = {{.head = "run", .narrowest = 16},
                                           {.head = "state"},
                                           {.head = "step", .is_right = true},
                                           {.head = "started"},
                                           {.head = "bytes", .is_right = true},
                                           {.head = "registered", .narrowest = 10},
                                           {.head = "folder"}};
    const console *c = &r->app->console;
    table t = {.arena = r->arena, .columns = columns, .n_columns = 7};
    for (int i = 0; i < r->n; i++) {
        const ty_run_info *info = &r->runs[i].info;
        const char *registered = "";
        char text[32];
        TY_TRY(ty_run_registered(&r->app->ctx, r->app->folder, &r->runs[i], r->arena, &registered));
        table_add(&t, info->name, NULL);
        table_add(&t, runs_state(info), runs_state_color(c, info));
        table_add(&t, info->last_step >= 0 ? console_count(info->last_step, text) : "-", NULL);
        table_add(&t, runs_time(info->start_ns, text), NULL);
        table_add(&t, console_bytes((double)ty_run_bytes(&r->app->ctx, info->folder), text), NULL);
        table_add(&t, registered[0] ? registered : "-", registered[0] ? console_yellow(c) : NULL);
        table_add(&t, info->folder, NULL);
    }
    ty_text out = {0};
    table_write(&t, c, &out);
    console_print(&r->app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

static ty_status show_runs_json(const removal *r) {
    ty_text out = {0};
    for (int i = 0; i < r->n; i++) {
        const ty_run_record *run = &r->runs[i];
        const char *registered = "";
        TY_TRY(ty_run_registered(&r->app->ctx, r->app->folder, run, r->arena, &registered));
        ty_text_add(&out, "{\"event\": \"deletable\", ");
        runs_add_json(&out, &run->info);
        ty_text_addf(&out, ", \"bytes\": %lld, \"registered\": ",
                     (long long)ty_run_bytes(&r->app->ctx, run->info.folder));
        ty_text_add_json(&out, registered);
        ty_text_add(&out, "}\n");
        console_print(&r->app->console, ty_text_string(&out));
        ty_text_clear(&out);
    }
    return TY_OK;
}

static bool is_answered_yes(console *c, int n) {
    char line[16] = "";
    console_say(c, "delete %s %d run%s? [y/N]", n == 1 ? "this" : "these", n, console_plural(n));
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static ty_status ask(removal *r, bool *out_yes) {
    *out_yes = args_has(&r->app->args, "yes");
    if (*out_yes)
        return TY_OK;
    if (isatty(STDIN_FILENO) != 1 || !r->app->console.prints_on_terminal)
        return ty_fail(&r->app->ctx, TY_ERR_ARG,
                       "nobody is here to be asked: --yes deletes, --dry-run only shows");
    *out_yes = is_answered_yes(&r->app->console, r->n);
    return TY_OK;
}

/* A server calls the run by an id of its own, and knows ours as a tag. */
static ty_status find_there(removal *r, ty_mlflow *server, const ty_run_info *run,
                            ty_mlflow_runs *out) {
    ty_ctx *ctx = &r->app->ctx;
    ty_mlflow_experiment experiment;
    const char *filter =
        ty_arena_printf(r->arena, "tags.`%s` = '%s'", TY_MLFLOW_UID_TAG, run->run_id);
    if (!filter)
        return ty_fail_nomem(ctx, "a filter");
    TY_TRY(ty_mlflow_find_experiment(ctx, server, run->experiment, r->arena, &experiment));
    return ty_mlflow_search_runs(ctx, server, &experiment.id, 1, filter, 1, r->arena, out);
}

static ty_status delete_there(removal *r, ty_mlflow *server, const ty_run_info *run) {
    ty_mlflow_runs found = {0};
    const ty_status st = find_there(r, server, run, &found);
    if (st != TY_OK && st != TY_ERR_NOT_FOUND)
        return st;
    if (found.n == 0) {
        console_say(&r->app->console, "%s has no run %s", ty_mlflow_describe(server), run->name);
        return TY_OK;
    }
    return ty_mlflow_delete_run(&r->app->ctx, server, found.v[0].id);
}

/* The server first: when it fails, the run is still listed here and rm may be said again. */
static ty_status delete_all_there(removal *r) {
    const char *uri = args_value(&r->app->args, "server");
    ty_mlflow *server = NULL;
    if (!uri)
        return TY_OK;
    if (!ty_mlflow_is_server(uri))
        return ty_fail(&r->app->ctx, TY_ERR_ARG, "--server wants http://HOST or https://HOST");
    TY_TRY(ty_mlflow_open(&r->app->ctx, &(ty_mlflow_options){.uri = uri}, &server));
    ty_status st = TY_OK;
    for (int i = 0; st == TY_OK && i < r->n; i++)
        st = delete_there(r, server, &r->runs[i].info);
    ty_mlflow_close(server);
    return st;
}

static ty_status delete_one(removal *r, const ty_run_record *run) {
    cli *app = r->app;
    ty_text out = {0};
    TY_TRY(ty_runs_delete(&app->ctx, app->folder, run->info.folder, run->info.run_id));
    if (app->console.is_json) {
        ty_text_add(&out, "{\"event\": \"deleted\", ");
        runs_add_json(&out, &run->info);
        ty_text_add(&out, "}\n");
        console_print(&app->console, ty_text_string(&out));
    }
    ty_text_clear(&out);
    return TY_OK;
}

ty_status runs_remove(cli *app, ty_arena *arena) {
    removal r = {.app = app, .arena = arena};
    bool is_sure = false;
    TY_TRY(read_runs(&r));
    TY_TRY(app->console.is_json ? show_runs_json(&r) : show_runs(&r));
    if (args_has(&app->args, "dry-run"))
        return TY_OK;
    TY_TRY(ask(&r, &is_sure));
    if (!is_sure)
        return TY_OK;
    TY_TRY(delete_all_there(&r));
    for (int i = 0; i < r.n; i++)
        TY_TRY(delete_one(&r, &r.runs[i]));
    console_say(&app->console,
                "deleted %d run%s; MLflow's UI can restore %s until `tiltyard runs gc` takes %s "
                "off the disk",
                r.n, console_plural(r.n), r.n == 1 ? "it" : "them",
                r.n == 1 ? "its folder" : "their folders");
    return TY_OK;
}

/* --- gc --------------------------------------------------------------------------------------- */

/* "30d", "12h", "2w", "90m" in ns. */
static ty_status read_age(cli *app, int64_t *out) {
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    const char *text = args_value(&app->args, "older-than");
    char *end = NULL;
    *out = 0;
    if (!text)
        return TY_OK;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (errno == 0 && end != text && n > 0 && n < 100000 && *end == units[i].letter && !end[1])
            *out = n * units[i].seconds * 1000000000;
    if (*out == 0)
        return ty_fail(&app->ctx, TY_ERR_ARG, "--older-than is \"%s\", want 30d, 12h, 90m or 2w",
                       text);
    return TY_OK;
}

static const char *const kinds[] = {"run", "checkpoint", "leftover"};

static void add_item_json(ty_text *out, const ty_clean_item *item, bool is_done) {
    ty_text_addf(out, "{\"event\": \"%s\", \"kind\": \"%s\", \"run\": ",
                 is_done ? "removed" : "removable", kinds[item->kind]);
    ty_text_add_json(out, item->run);
    ty_text_addf(out, ", \"bytes\": %lld, \"why\": ", (long long)item->bytes);
    ty_text_add_json(out, item->why);
    ty_text_add(out, ", \"path\": ");
    ty_text_add_json(out, item->path);
    ty_text_add(out, "}\n");
}

/* The path from the run's folder on. */
static const char *short_path(const ty_clean_item *item) {
    const size_t length = strlen(item->run_folder);
    return item->path[length] == '/' ? item->path + length + 1 : item->path;
}

static void print_json(cli *app, const ty_clean_item *v, int64_t n, bool is_done) {
    ty_text out = {0};
    for (int64_t i = 0; i < n && app->console.is_json; i++)
        add_item_json(&out, &v[i], is_done);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

static void print_items(cli *app, ty_arena *arena, const ty_clean_item *v, int64_t n) {
    static const table_column columns[] = {{.head = "run", .narrowest = 16},
                                           {.head = "kind"},
                                           {.head = "bytes", .is_right = true},
                                           {.head = "why"},
                                           {.head = "path", .narrowest = 20}};
    table t = {.arena = arena, .columns = columns, .n_columns = 5};
    ty_text out = {0};
    char bytes[32];
    for (int64_t i = 0; i < n; i++) {
        table_add(&t, v[i].run, NULL);
        table_add(&t, kinds[v[i].kind], NULL);
        table_add(&t, console_bytes((double)v[i].bytes, bytes), NULL);
        table_add(&t, v[i].why, NULL);
        table_add(&t, short_path(&v[i]), NULL);
    }
    if (t.n > 0)
        table_write(&t, &app->console, &out);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

/* Items of one run stand together. What cannot be taken away is said, and the rest goes on. */
static ty_status remove_all(cli *app, const ty_clean_item *v, int64_t n, int64_t *freed) {
    ty_status first = TY_OK;
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t bytes = v[i].bytes;
        for (end = i + 1; end < n && strcmp(v[end].run_folder, v[i].run_folder) == 0; end++)
            bytes += v[end].bytes;
        const ty_status st = ty_clean_run(&app->ctx, &v[i], end - i);
        if (st == TY_OK) {
            *freed += bytes;
            print_json(app, &v[i], end - i, true);
        } else {
            console_say(&app->console, "%s stays: %s", v[i].run, app->ctx.message);
        }
        first = first == TY_OK ? st : first;
    }
    return first == TY_OK ? TY_OK
                          : ty_fail(&app->ctx, first, "not everything could be taken off the disk");
}

static int64_t sum(const ty_clean_item *v, int64_t n) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += v[i].bytes;
    return bytes;
}

ty_status runs_clean(cli *app, ty_arena *arena) {
    ty_clean_options options = {0};
    const ty_clean_item *items = NULL;
    int64_t n = 0, freed = 0;
    const bool is_dry = args_has(&app->args, "dry-run");
    char text[32];
    TY_TRY(args_int(&app->ctx, &app->args, "keep-best", 0, 1, INT64_MAX, &options.keep_best));
    TY_TRY(read_age(app, &options.older_than_ns));
    TY_TRY(ty_clean_plan(&app->ctx, app->folder, &options, arena, &items, &n));
    if (!app->console.is_json)
        print_items(app, arena, items, n);
    if (is_dry) {
        print_json(app, items, n, false);
        console_say(&app->console, "would free %s", console_bytes((double)sum(items, n), text));
        return TY_OK;
    }
    const ty_status st = remove_all(app, items, n, &freed);
    console_say(&app->console, "freed %s", console_bytes((double)freed, text));
    return st;
}
