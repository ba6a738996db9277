/* sync: brings runs to where MLflow looks, or says how far they have come. */
#include <string.h>

#include "cli/sync_report.h"
#include "tracking/tracking.h"

typedef struct syncing {
    cli *app;
    ty_arena arena;
    ty_target wish;
    bool has_wish, is_status, is_again;
    ty_sync_report *reports;
    int64_t n;
    int64_t n_dead, n_pending;
    const char *down; /* a server that does not answer is not asked for each run */
    ty_status worst;  /* the first failure that is not TY_ERR_BUSY */
    bool is_busy;
} syncing;

/* --- runs ------------------------------------------------------------------------------------- */

static void say_report(syncing *s, const ty_sync_report *r) {
    ty_text out = {0};
    if (s->app->console.is_json) {
        sync_report_json(r, &out);
        ty_text_add(&out, "\n");
    } else
        sync_report_words(&s->app->console, r, &out);
    console_print(&s->app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

static void note_report(syncing *s, const ty_sync_report *r) {
    s->n_dead += r->n_dead;
    s->n_pending += !r->is_live && !ty_sync_is_complete(r);
    s->reports[s->n++] = *r;
    say_report(s, r);
}

/* What one run met keeps no other from being sent, but for a server that is not there. */
static ty_status judge(syncing *s, ty_status st, const ty_target *target, const char *folder) {
    if (st == TY_OK || st == TY_ERR_NOMEM)
        return st;
    ty_log(&s->app->ctx, TY_LOG_WARN, "sync", "%s: %s", folder, s->app->ctx.message);
    if (st == TY_ERR_BUSY && target->kind == TY_TARGET_SERVER)
        s->down = target->name;
    s->is_busy = s->is_busy || st == TY_ERR_BUSY;
    if (s->worst == TY_OK && st != TY_ERR_BUSY)
        s->worst = st;
    return TY_OK;
}

static ty_status sync_one(syncing *s, const char *folder) {
    ty_ctx *ctx = &s->app->ctx;
    ty_target target;
    ty_sync_report report = {0};
    TY_TRY(ty_sync_choose(ctx, s->app->folder, folder, s->has_wish ? &s->wish : NULL, &s->arena,
                          &target));
    const bool is_looked_at = s->is_status || (s->down && strcmp(s->down, target.name) == 0);
    if (s->is_again && !is_looked_at)
        TY_TRY(judge(s, ty_sync_again(ctx, folder, &target), &target, folder));
    const ty_status st =
        is_looked_at ? ty_sync_look(ctx, folder, &target, &s->arena, &report)
                     : ty_sync_run(ctx, s->app->folder, folder, &target, &s->arena, &report);
    TY_TRY(judge(s, st, &target, folder));
    if (report.run_id)
        note_report(s, &report);
    return TY_OK;
}

static ty_status make_room(syncing *s, int64_t n) {
    s->reports = ty_arena_array(&s->arena, (size_t)n + 1, sizeof *s->reports);
    return s->reports ? TY_OK : ty_fail_nomem(&s->app->ctx, "a report");
}

static ty_status sync_named(syncing *s) {
    TY_TRY(make_room(s, s->app->args.n_operands));
    for (int i = 0; i < s->app->args.n_operands; i++) {
        const char *folder = NULL;
        TY_TRY(ty_runs_find_any(&s->app->ctx, s->app->folder, s->app->args.operand[i], &s->arena,
                                &folder));
        TY_TRY(sync_one(s, folder));
    }
    return TY_OK;
}

/* In the order in which they were made. */
static ty_status sync_all(syncing *s) {
    ty_run_info *runs = NULL;
    int64_t n = 0;
    TY_TRY(ty_runs_list(&s->app->ctx, s->app->folder, &s->arena, &runs, &n));
    TY_TRY(make_room(s, n));
    for (int64_t i = n - 1; i >= 0; i--)
        TY_TRY(sync_one(s, runs[i].folder));
    if (n == 0)
        console_say(&s->app->console, "no runs under %s/runs", s->app->folder);
    return TY_OK;
}

/* --- the sum ---------------------------------------------------------------------------------- */

static void say_sum(syncing *s) {
    ty_text out = {0};
    if (s->n > 1) {
        sync_report_sum(s->reports, s->n, &out);
        console_say(&s->app->console, "%s", ty_text_string(&out));
    }
    ty_text_clear(&out);
}

static ty_status fail_refused(ty_ctx *ctx, int64_t n) {
    return ty_fail(ctx, TY_ERR_FAILED,
                   "%lld value%s refused for good: "
                   "`tiltyard sync --status` lists them, and sync --again sends them once more",
                   (long long)n, n == 1 ? " is" : "s are");
}

/* What is pending can be had by the same command later, also where something else was refused, so it
 * decides the exit code: a script that comes again until then gets all there is. */
static ty_status fail_pending(ty_ctx *ctx, int64_t n_refused) {
    if (n_refused != 0 && fail_refused(ctx, n_refused) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "sync", "%s", ctx->message);
    return ty_fail(ctx, TY_ERR_BUSY, "not all is delivered yet: the same command again goes on");
}

static ty_status conclude(syncing *s) {
    ty_ctx *ctx = &s->app->ctx;
    if (s->worst == TY_ERR_INTEGRITY || s->worst == TY_ERR_IO)
        return ty_fail(ctx, s->worst, "not all runs could be read");
    if (s->is_busy || (s->worst == TY_OK && s->n_pending != 0))
        return fail_pending(ctx, s->n_dead);
    if (s->worst != TY_OK)
        return ty_fail(ctx, TY_ERR_FAILED, "not all runs were taken");
    return s->n_dead != 0 ? fail_refused(ctx, s->n_dead) : TY_OK;
}

static ty_status run_sync(syncing *s) {
    const char *to = args_value(&s->app->args, "to");
    s->has_wish = to != NULL;
    s->is_status = args_has(&s->app->args, "status");
    s->is_again = args_has(&s->app->args, "again");
    if (s->is_status && s->is_again)
        return ty_fail(&s->app->ctx, TY_ERR_ARG,
                       "--again sends and --status only looks: one of them");
    if (to)
        TY_TRY(ty_target_parse(&s->app->ctx, to, &s->arena, &s->wish));
    if (s->has_wish && s->wish.kind == TY_TARGET_OFFLINE)
        return ty_fail(&s->app->ctx, TY_ERR_ARG,
                       "--to offline is nowhere: name a server or a store");
    TY_TRY(s->app->args.n_operands > 0 ? sync_named(s) : sync_all(s));
    say_sum(s);
    return conclude(s);
}

static ty_status sync_runs(cli *app) {
    syncing s = {.app = app, .worst = TY_OK};
    if (!ty_file_exists(&app->ctx, app->folder))
        return ty_fail(&app->ctx, TY_ERR_NOT_FOUND, "there is no folder %s", app->folder);
    const ty_status st = run_sync(&s);
    ty_arena_clear(&s.arena);
    return st;
}

static const option_row options[] = {
    {"to", 0, "URI", "http(s)://HOST:PORT or sqlite:///PATH/mlflow.db instead of where they go"},
    {"again", 0, NULL, "send once more what a server has refused, and what followed it"},
    {"status", 0, NULL, "only say how far they have come; asks no server"},
    {0}};

const command cmd_sync = {
    .name = "sync",
    .operands = "[RUN...]",
    .summary = "bring runs to MLflow: what a server lacks, or what was recorded offline",
    .about =
        "Replays what is pending in the journals of all runs (or those named) below the working\n"
        "folder, from any machine that has it; doing it twice changes nothing. Without --to a run\n"
        "goes where it went before, else to MLFLOW_TRACKING_URI, else into mlflow.db here. A run\n"
        "that is being trained is left to its own process. What a server refuses for good is\n"
        "listed with its words, and sent again with --again alone. Credentials come from\n"
        "MLFLOW_TRACKING_USERNAME and _PASSWORD or _TOKEN. Exit codes: 0 all is delivered, 75 not\n"
        "yet (the server does not answer), 1 what is left was refused, 6 a journal is damaged.\n",
    .options = options,
    .min_operands = 0,
    .max_operands = ARGS_MAX_OPERANDS,
    .run = sync_runs};
