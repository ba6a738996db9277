/* sync: brings runs to where MLflow looks, or says how far they have come. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "tracking/tracking.h"

enum { MAX_LETTERS = 10 };

typedef struct syncing {
    cli *app;
    ty_arena arena;
    ty_target wish;
    bool has_wish, is_status;
    ty_sync_report *reports;
    int64_t n;
    int64_t n_dead, n_pending, n_live;
    const char *down; /* a server that does not answer is not asked for each run */
    ty_status worst;  /* the first failure that is not TY_ERR_BUSY */
    bool is_busy;
} syncing;

/* --- words ------------------------------------------------------------------------------------ */

static void add_count(ty_text *out, const char *before, int64_t n, const char *what) {
    char number[32];
    if (n != 0)
        ty_text_addf(out, "%s%s %s%s", out->length != 0 ? before : "", console_count(n, number),
                     what, console_plural(n));
}

/* "12,345 points, 3 files and 1 model", by the counts that `which` gives; "" for none. */
static void add_counts(const ty_sync_report *r, bool is_pending, ty_text *out) {
    const struct {
        const char *what;
        const ty_sync_count *count;
    } rows[] = {{"point", &r->points},
                {"other value", &r->values},
                {"file", &r->files},
                {"model", &r->models}};
    ty_text text = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ty_sync_count *c = rows[i].count;
        add_count(&text, ", ", is_pending ? c->all - c->acked : c->acked, rows[i].what);
    }
    ty_text_add(out, text.length != 0 ? ty_text_string(&text)
                     : is_pending     ? "its state"
                                      : "nothing");
    ty_text_clear(&text);
}

static void add_time(ty_text *out, int64_t ns) {
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm local;
    char text[32];
    if (ns > 1 && localtime_r(&seconds, &local) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) != 0)
        ty_text_addf(out, " since %s", text);
}

static void add_letters(const console *c, const ty_sync_report *r, ty_text *out) {
    for (int64_t i = 0; i < r->n_dead && i < MAX_LETTERS; i++) {
        const ty_sync_letter *letter = &r->dead[i];
        ty_text_addf(out, "    %srefused%s  %s %s", console_red(c), console_plain(c), letter->what,
                     letter->key);
        if (letter->step >= 0)
            ty_text_addf(out, " at step %lld", (long long)letter->step);
        ty_text_addf(out, ": %s\n", letter->words);
    }
    if (r->n_dead > MAX_LETTERS)
        ty_text_addf(out, "    ... and %lld more (--json has them all)\n",
                     (long long)(r->n_dead - MAX_LETTERS));
}

static void add_report(const console *c, const ty_sync_report *r, ty_text *out) {
    ty_text_addf(out, "%s  %s\n    ", r->name, r->target);
    if (r->is_gone)
        ty_text_add(out, "deleted there for good; not sent again\n");
    else if (ty_sync_is_complete(r)) {
        ty_text_addf(out, "%sall%s of it acknowledged: ", console_green(c), console_plain(c));
        add_counts(r, false, out);
        ty_text_add(out, "\n");
    } else {
        ty_text_addf(out, "%spending%s ", console_yellow(c), console_plain(c));
        add_counts(r, true, out);
        add_time(out, r->pending_since_ns);
        ty_text_add(out, r->is_live ? "; live: its own process delivers it\n" : "\n");
    }
    if (r->their_run_id)
        ty_text_addf(out, "    %s/#/experiments/%s/runs/%s\n", r->target, r->experiment_id,
                     r->their_run_id);
    add_letters(c, r, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_member(ty_text *out, const char *key, const char *value) {
    ty_text_addf(out, "\"%s\": ", key);
    if (value)
        ty_text_add_json(out, value);
    else
        ty_text_add(out, "null");
    ty_text_add(out, ", ");
}

static void add_json_count(ty_text *out, const char *key, const ty_sync_count *c) {
    ty_text_addf(out, "\"%s\": {\"all\": %lld, \"acknowledged\": %lld}, ", key, (long long)c->all,
                 (long long)c->acked);
}

static void add_json(const ty_sync_report *r, ty_text *out) {
    ty_text_add(out, "{");
    add_member(out, "run", r->name);
    add_member(out, "folder", r->folder);
    add_member(out, "run_id", r->run_id);
    add_member(out, "target", r->target);
    add_member(out, "experiment_id", r->experiment_id);
    add_member(out, "their_run_id", r->their_run_id);
    ty_text_addf(out, "\"is_complete\": %s, \"is_live\": %s, \"is_gone\": %s, ",
                 ty_sync_is_complete(r) ? "true" : "false", r->is_live ? "true" : "false",
                 r->is_gone ? "true" : "false");
    add_json_count(out, "points", &r->points);
    add_json_count(out, "values", &r->values);
    add_json_count(out, "files", &r->files);
    add_json_count(out, "models", &r->models);
    ty_text_addf(out, "\"pending_since_ms\": %lld, \"refused\": [",
                 (long long)(r->pending_since_ns / 1000000));
    for (int64_t i = 0; i < r->n_dead; i++) {
        ty_text_add(out, i != 0 ? ", {" : "{");
        add_member(out, "what", r->dead[i].what);
        add_member(out, "key", r->dead[i].key);
        ty_text_addf(out, "\"step\": %lld, \"words\": ", (long long)r->dead[i].step);
        ty_text_add_json(out, r->dead[i].words);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]}\n");
}

/* --- runs ------------------------------------------------------------------------------------- */

static void say_report(syncing *s, const ty_sync_report *r) {
    ty_text out = {0};
    if (s->app->console.is_json)
        add_json(r, &out);
    else
        add_report(&s->app->console, r, &out);
    console_print(&s->app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

static void note_report(syncing *s, const ty_sync_report *r) {
    s->n_dead += r->n_dead;
    s->n_live += r->is_live;
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
        TY_TRY(ty_runs_find(&s->app->ctx, s->app->folder, s->app->args.operand[i], &s->arena,
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
    ty_sync_report sum = {0};
    ty_text out = {0};
    for (int64_t i = 0; i < s->n; i++) {
        const ty_sync_report *r = &s->reports[i];
        sum.points.all += r->points.all;
        sum.points.acked += r->points.acked;
        sum.files.all += r->files.all;
        sum.files.acked += r->files.acked;
        sum.models.all += r->models.all;
        sum.models.acked += r->models.acked;
        if (r->pending_since_ns != 0 &&
            (sum.pending_since_ns == 0 || r->pending_since_ns < sum.pending_since_ns))
            sum.pending_since_ns = r->pending_since_ns;
    }
    add_count(&out, "", s->n, "run");
    ty_text_add(&out, s->n_pending + s->n_live == 0 ? ": all acknowledged, " : ": pending ");
    add_counts(&sum, s->n_pending + s->n_live != 0, &out);
    if (s->n_pending + s->n_live != 0)
        add_time(&out, sum.pending_since_ns);
    if (s->n_dead != 0)
        ty_text_addf(&out, "; %lld refused", (long long)s->n_dead);
    if (s->n > 1)
        console_say(&s->app->console, "%s", ty_text_string(&out));
    ty_text_clear(&out);
}

/* What is pending can be had by the same command later; what is refused cannot. */
static ty_status conclude(syncing *s) {
    ty_ctx *ctx = &s->app->ctx;
    if (s->worst == TY_ERR_INTEGRITY || s->worst == TY_ERR_IO)
        return ty_fail(ctx, s->worst, "not all runs could be read");
    if (s->worst != TY_OK)
        return ty_fail(ctx, TY_ERR_FAILED, "not all runs were taken");
    if (s->n_dead != 0)
        return ty_fail(ctx, TY_ERR_FAILED,
                       "%lld value%s refused for good: "
                       "`tiltyard sync --status` lists them",
                       (long long)s->n_dead, s->n_dead == 1 ? " is" : "s are");
    if (s->is_busy || s->n_pending != 0)
        return ty_fail(ctx, TY_ERR_BUSY,
                       "not all is delivered yet: the same command again goes on");
    return TY_OK;
}

static ty_status run_sync(syncing *s) {
    const char *to = args_value(&s->app->args, "to");
    s->has_wish = to != NULL;
    s->is_status = args_has(&s->app->args, "status");
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
        "listed with its words and not sent again. Credentials come from MLFLOW_TRACKING_USERNAME\n"
        "and _PASSWORD or _TOKEN. Exit codes: 0 all is delivered, 75 not yet (the server does not\n"
        "answer), 1 something was refused, 6 a journal is damaged.\n",
    .options = options,
    .min_operands = 0,
    .max_operands = ARGS_MAX_OPERANDS,
    .run = sync_runs};
