/* What a sweep knows from its start: the trials of other sweeps, of Optuna's studies, of runs below a run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/journal.h"
#include "cli/sweep/sweep.h"

enum { MAX_BYTES = 1 << 30 };
/* Of a journal's record, with room for what else the beginning says. */
enum { MAX_IMPORTED_BYTES = TY_JOURNAL_MAX_PAYLOAD - 1024 * 1024 };

#define RUN_PREFIX "run:"

/* --- where it is -------------------------------------------------------------------------------- */

/* The first of folders/<what>/<name> that is there; NULL: none. name NULL: the folder itself. */
static const char *find(sweep *s, const char *const *folders, size_t n, const char *what,
                        const char *name) {
    for (size_t i = 0; i < n; i++) {
        const char *path = *what == '/' ? ty_arena_string(&s->arena, what)
                                        : ty_path_join(&s->arena, folders[i], what);
        if (path && name)
            path = ty_path_join(&s->arena, path, name);
        if (path && ty_file_exists(&s->app->ctx, path))
            return path;
    }
    return NULL;
}

/* Beside the sweep file, as its config. */
static const char *file_folder(sweep *s) {
    const ty_origin origin = ty_doc_origin(s->file.doc, "warm_start");
    const char *slash = origin.file ? strrchr(origin.file, '/') : NULL;
    return slash ? ty_arena_string_n(&s->arena, origin.file, (size_t)(slash - origin.file)) : ".";
}

/* --- runs --------------------------------------------------------------------------------------- */

static const char *tag_of(const ty_run_record *run, const char *key) {
    for (int64_t i = 0; i < run->n_tags; i++)
        if (strcmp(run->tags[i].key, key) == 0)
            return run->tags[i].text;
    return "";
}

static json_t *params_of(const sweep *s, const ty_run_record *run) {
    json_t *params = json_object();
    for (int64_t i = 0; params && i < run->n_params; i++)
        if (ty_space_find(&s->file.space, run->params[i].key) < s->file.space.count &&
            json_object_set_new(params, run->params[i].key, json_string(run->params[i].text)) !=
                0) {
            json_decref(params);
            return NULL;
        }
    return params;
}

static ty_import_metric metric_of(const sweep *s) {
    return (ty_import_metric){.space = &s->file.space,
                              .name = s->file.metric.name,
                              .maximize = s->options.maximize,
                              .takes_last = s->file.metric.value_of == TY_VALUE_LAST};
}

static void take_curves(const sweep *s, const ty_run_record *run, ty_shown *shown) {
    const ty_import_metric metric = metric_of(s);
    for (int64_t c = 0; c < run->n_curves; c++)
        for (int64_t i = 0; strcmp(run->curves[c].key, metric.name) == 0 && i < run->curves[c].n;
             i++)
            ty_import_take_point(&metric, (double)run->curves[c].v[i].step,
                                 run->curves[c].v[i].value, shown);
}

static ty_status add_run(sweep *s, const char *source, const ty_run_record *run, json_t *trials,
                         ty_import_left *left) {
    ty_shown shown = {.state =
                          run->info.state == TY_RUN_FINISHED ? TY_TRIAL_COMPLETE : TY_TRIAL_PRUNED,
                      .value = NAN};
    if (run->info.state != TY_RUN_FINISHED && run->info.state != TY_RUN_KILLED) {
        left->unfinished++;
        return TY_OK;
    }
    take_curves(s, run, &shown);
    if (isnan(shown.value)) {
        left->without_metric++;
        return TY_OK;
    }
    return ty_import_add(trials, source, json_array_size(trials), params_of(s, run), &shown)
               ? TY_OK
               : ty_fail_nomem(&s->app->ctx, "the runs that a sweep knows");
}

/* A sweep's own run, or one of runs/. */
static ty_status read_parent(sweep *s, const char *which, ty_run_record *out) {
    const char *folder = ty_arena_printf(&s->arena, "%s/sweeps/%s", s->app->folder, which);
    const char *journal = folder ? ty_path_join(&s->arena, folder, "run.journal") : NULL;
    if (!journal)
        return ty_fail_nomem(&s->app->ctx, "a path");
    if (!ty_file_exists(&s->app->ctx, journal))
        TY_TRY(ty_runs_find(&s->app->ctx, s->app->folder, which, &s->arena, &folder));
    return ty_runs_read(&s->app->ctx, folder, &s->arena, out);
}

/* The runs below a run, oldest first. */
static ty_status import_runs(sweep *s, const char *source, const char *which, json_t *trials,
                             ty_import_left *left) {
    ty_ctx *ctx = &s->app->ctx;
    ty_run_record parent, run;
    ty_run_info *all = NULL;
    int64_t n = 0;
    TY_TRY(read_parent(s, which, &parent));
    TY_TRY(ty_runs_list(ctx, s->app->folder, &s->arena, &all, &n));
    for (int64_t i = n; i-- > 0;) {
        TY_TRY(ty_runs_read(ctx, all[i].folder, &s->arena, &run));
        if (strcmp(tag_of(&run, "mlflow.parentRunId"), parent.info.run_id) == 0)
            TY_TRY(add_run(s, source, &run, trials, left));
    }
    return TY_OK;
}

/* --- one source --------------------------------------------------------------------------------- */

static ty_status import_text(sweep *s, const char *source, const char *text, size_t bytes,
                             const char *study, json_t *trials, ty_import_left *left) {
    const ty_import_metric metric = metric_of(s);
    if (ty_import_is_optuna(text, bytes))
        return ty_import_optuna(&s->app->ctx, text, bytes, source, study, s->options.maximize,
                                trials, &left->unread);
    if (!study && ty_import_is_runs(text, bytes))
        return ty_import_runs(&s->app->ctx, text, bytes, source, &metric, trials, left);
    return ty_fail(&s->app->ctx, TY_ERR_CONFIG,
                   "%s is neither an Optuna journal nor what `tiltyard runs export` writes into "
                   "FILE.jsonl or FILE.csv",
                   source);
}

static ty_status import_file(sweep *s, const char *source, const char *path, const char *study,
                             json_t *trials, ty_import_left *left) {
    char *text = NULL;
    size_t bytes = 0;
    TY_TRY(ty_file_read_all(&s->app->ctx, path, MAX_BYTES, &text, &bytes));
    const ty_status st = import_text(s, source, text, bytes, study, trials, left);
    free(text);
    return st;
}

/* "old", "sweeps/old", "other/sweeps/old", "study.journal#name", "runs.jsonl", "run:old". */
static ty_status import(sweep *s, const char *source, json_t *trials, ty_import_left *left) {
    const char *sweeps = ty_path_join(&s->arena, s->app->folder, "sweeps");
    const char *folders[] = {sweeps, s->app->folder, ".", file_folder(s)};
    const char *hash = strrchr(source, '#');
    const char *file =
        hash ? ty_arena_string_n(&s->arena, source, (size_t)(hash - source)) : source;
    if (!sweeps || !folders[3] || !file)
        return ty_fail_nomem(&s->app->ctx, "a path");
    if (strncmp(source, RUN_PREFIX, strlen(RUN_PREFIX)) == 0)
        return import_runs(s, source, source + strlen(RUN_PREFIX), trials, left);
    const char *path = find(s, folders, 4, source, "sweep.journal");
    if (path)
        return ty_import_sweep(&s->app->ctx, path, source, s->options.maximize, trials);
    path = find(s, folders + 1, 3, source, NULL);
    hash = path ? NULL : hash; /* a file may have one in its name */
    if (!path && hash)
        path = find(s, folders + 1, 3, file, NULL);
    return path ? import_file(s, source, path, hash ? hash + 1 : NULL, trials, left)
                : ty_fail(&s->app->ctx, TY_ERR_NOT_FOUND,
                          "there is no sweep and no file %s; want a sweep's name or folder, an "
                          "Optuna journal, what `tiltyard runs export` wrote, or " RUN_PREFIX
                          "NAME for the runs below a run",
                          source);
}

static void say_left(sweep *s, const char *source, const ty_import_left *left) {
    ty_ctx *ctx = &s->app->ctx;
    if (left->unread > 0)
        ty_log(ctx, TY_LOG_WARN, "sweep",
               "%s: %zu lines could not be read (torn, or none of their kind) and are passed over",
               source, left->unread);
    if (left->without_metric > 0)
        ty_log(ctx, TY_LOG_WARN, "sweep", "%s: %zu runs have no %s and are left out", source,
               left->without_metric, s->file.metric.name);
    if (left->unfinished > 0)
        ty_log(ctx, TY_LOG_INFO, "sweep",
               "%s: %zu runs failed, or have not ended, and are left out", source,
               left->unfinished);
}

static ty_status import_at(sweep *s, int64_t index, json_t *trials) {
    ty_ctx *ctx = &s->app->ctx;
    const char *source = s->file.warm_start.v[index];
    const size_t before = json_array_size(trials);
    char words[TY_MESSAGE_BYTES / 2], path[64];
    ty_import_left left = {0};
    const ty_status st = import(s, source, trials, &left);
    if (st == TY_OK) {
        say_left(s, source, &left);
        ty_log(ctx, TY_LOG_INFO, "sweep", "%zu trials of %s are known from the start",
               json_array_size(trials) - before, source);
        return TY_OK;
    }
    (void)snprintf(words, sizeof words, "%.*s", (int)sizeof words - 1, ctx->message);
    (void)snprintf(path, sizeof path, "warm_start.%lld", (long long)index);
    return st == TY_ERR_NOMEM ? st : ty_rows_reject(ctx, s->file.doc, path, "%s", words);
}

/* --- all of them -------------------------------------------------------------------------------- */

static bool has_begun(sweep *s) {
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = false;
    if (!ty_file_exists(&s->app->ctx, s->journal) ||
        ty_journal_reader_open(&s->app->ctx, s->journal, &reader) != TY_OK)
        return false; /* what is wrong with it, opening says */
    if (ty_journal_reader_next(&s->app->ctx, reader, &record, &has_record) != TY_OK)
        has_record = true;
    ty_journal_reader_close(reader);
    return has_record;
}

static ty_status check_size(sweep *s) {
    char *text = json_dumps(s->imports, JSON_COMPACT | JSON_REAL_PRECISION(17));
    const size_t bytes = text ? strlen(text) : 0;
    free(text);
    if (!text)
        return ty_fail_nomem(&s->app->ctx, "the trials that a sweep knows");
    return bytes <= MAX_IMPORTED_BYTES
               ? TY_OK
               : ty_rows_reject(&s->app->ctx, s->file.doc, "warm_start",
                                "its %zu trials are %zu bytes, want at most %d",
                                json_array_size(s->imports), bytes, (int)MAX_IMPORTED_BYTES);
}

ty_status sweep_import_trials(sweep *s) {
    if (s->file.warm_start.n == 0 || has_begun(s))
        return TY_OK;
    s->imports = json_array();
    if (!s->imports)
        return ty_fail_nomem(&s->app->ctx, "the trials that a sweep knows");
    for (int64_t i = 0; i < s->file.warm_start.n; i++)
        TY_TRY(import_at(s, i, s->imports));
    s->options.imports = s->imports;
    return check_size(s);
}

void sweep_say_imported(sweep *s) {
    size_t known = 0;
    const size_t n = ty_study_version(s->study) ? ty_study_imported(s->study, &known) : 0;
    if (n > 0)
        console_say(&s->app->console,
                    "warm    %zu trials from elsewhere, of which %zu are points of the space", n,
                    known);
}
