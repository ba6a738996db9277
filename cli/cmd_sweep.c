/* sweep: searches hyperparameters as a sweep file says, and tells of sweeps. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/signals.h"
#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_ranks.h"
#include "cli/sweep/sweep_report.h"
#include "cli/verbs.h"

#define SWEEP_NAME "sweep.json"
#define CONFIG_NAME "config.json"

/* --- opening ------------------------------------------------------------------------------------ */

static ty_status choose_paths(sweep *s) {
    s->folder = ty_arena_printf(&s->arena, "%s/sweeps/%s", s->app->folder, s->file.stem);
    s->journal =
        ty_arena_printf(&s->arena, "%s/sweeps/%s/sweep.journal", s->app->folder, s->file.stem);
    return s->folder && s->journal ? TY_OK : ty_fail_nomem(&s->app->ctx, "a path");
}

static ty_status read_file(sweep *s, const char *path) {
    const char *sets[ARGS_MAX_OPTIONS];
    int n = 0;
    for (int i = 0; i < s->app->args.n_options; i++)
        if (strcmp(s->app->args.option[i].row->name, "set") == 0)
            sets[n++] = s->app->args.option[i].value;
    const ty_status st = ty_sweep_file_read(&s->app->ctx, path, sets, n, &s->file);
    if (st == TY_ERR_NOT_FOUND || st == TY_ERR_IO)
        return ty_fail_within(&s->app->ctx, TY_ERR_CONFIG, "reading the sweep file");
    TY_TRY(st);
    TY_TRY(sweep_check_params(s));
    ty_sweep_file_options(&s->file, &s->options);
    s->options.lease_s = s->lease_s;
    /* A sweep is another one over another config. */
    s->options.identity = ty_arena_printf(&s->arena, "config %016llx, %s",
                                          (unsigned long long)s->config_hash, s->file.identity);
    return s->options.identity ? choose_paths(s) : ty_fail_nomem(&s->app->ctx, "a sweep");
}

static ty_status check_ranks(const sweep *s) {
    const int64_t each = s->file.resources.ranks_per_trial;
    if (s->n_ranks > 0 && !s->file.config_path)
        return ty_fail(&s->app->ctx, TY_ERR_CONFIG,
                       "trials that are other programs are no ranks of mpirun: run the sweep "
                       "without it, with -j");
    if (s->n_ranks > 0 && s->n_ranks < each)
        return ty_fail(&s->app->ctx, TY_ERR_CONFIG,
                       "resources.ranks_per_trial is %lld, more than there are ranks (%d)",
                       (long long)each, s->n_ranks);
    return TY_OK;
}

static ty_status check_register(const sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    const char *model = s->file.registered.model, *alias = s->file.registered.alias;
    const char *slip = alias ? ty_mlflow_alias_slip(alias) : NULL;
    const char *misnomer = model ? ty_mlflow_registered_name_slip(model) : NULL;
    if (misnomer)
        return ty_fail(ctx, TY_ERR_CONFIG, "register.model \"%s\": %s", model, misnomer);
    if (model && !s->file.config_path)
        return ty_fail(ctx, TY_ERR_CONFIG, "register: another program's trials leave no model");
    if (alias && !model)
        return ty_fail(ctx, TY_ERR_CONFIG, "register.alias is given without register.model");
    return slip ? ty_fail(ctx, TY_ERR_CONFIG, "register.alias \"%s\": %s", alias, slip) : TY_OK;
}

/* What the file asks for and a sweep that runs cannot do. */
static ty_status check_can_run(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    if (s->file.method == TY_METHOD_CUSTOM)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "method custom is for a loop of your own: `tiltyard sweep ask` and `tell`");
    if (!s->file.config_path && !s->file.program && s->file.command.n == 0)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the sweep file says nothing to run, want \"config\", or \"command\" or "
                       "\"program\"");
    TY_TRY(check_register(s));
    TY_TRY(sweep_check_program(s));
    if (s->file.resources.disk.unit == TY_UNIT_BYTES && !s->file.config_path)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "resources.disk: another program's checkpoints are its own to bound");
    if (s->n_ranks && s->file.resources.gpus_per_trial > 0)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "under mpirun each rank has a GPU of its own: resources.gpus_per_trial is for "
            "trials in slots (-j)");
    return TY_OK;
}

static ty_status make_slots(sweep *s) {
    const size_t n = (size_t)s->n_slots, limits = s->file.limit_count;
    s->running = ty_arena_array(&s->arena, n, sizeof *s->running);
    double *limited = ty_arena_array(&s->arena, n * limits + 1, sizeof *limited);
    if (!s->running || !limited)
        return ty_fail_nomem(&s->app->ctx, "the slots of a sweep");
    for (size_t i = 0; i < n; i++)
        s->running[i].limited = limited + i * limits;
    return TY_OK;
}

/* -j, else what the file says, else one, or as many groups as there are ranks for. */
static ty_status choose_slots(sweep *s) {
    TY_TRY(check_ranks(s));
    const int64_t most = s->n_ranks ? s->n_ranks / s->file.resources.ranks_per_trial : SLOTS_MAX;
    const int64_t usual = s->file.resources.max_parallel > 0 ? s->file.resources.max_parallel
                          : s->n_ranks                       ? most
                                                             : 1;
    int64_t n = 0;
    TY_TRY(args_int(&s->app->ctx, &s->app->args, "jobs", usual, 1, SLOTS_MAX, &n));
    s->n_slots = (int)(n < most ? n : most);
    return make_slots(s);
}

/* What the sweep was begun with stays beside its journal: trials are started from there, so that a
 * config that is edited meanwhile changes nothing, and `sweep resume` needs no other file. */
static ty_status write_json(sweep *s, const char *name, const char *text, bool again) {
    const char *path = ty_path_join(&s->arena, s->folder, name);
    if (!path)
        return ty_fail_nomem(&s->app->ctx, "a path");
    if (!again && ty_file_exists(&s->app->ctx, path))
        return TY_OK;
    return ty_file_write_atomic(&s->app->ctx, path, text, strlen(text));
}

static ty_status write_sweep(sweep *s, bool again) {
    json_t *copy = ty_json_escaped(ty_doc_at(s->file.doc, ""));
    char *text = NULL;
    if (copy && s->file.config_path)
        (void)json_object_set_new(copy, "config", json_string(CONFIG_NAME));
    if (copy && json_object_set_new(copy, "name", json_string(s->file.stem)) == 0)
        text = json_dumps(copy, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    const ty_status st = text ? write_json(s, SWEEP_NAME, text, again)
                              : ty_fail_nomem(&s->app->ctx, "a copy of the sweep");
    free(text);
    json_decref(copy);
    return st;
}

/* With another space: kept before the journal has it, so that `sweep resume` after a crash goes on with the
 * new one, whichever of the two was the last to be written. */
static ty_status keep_anew(ty_ctx *ctx, void *self) {
    (void)ctx;
    return write_sweep(self, true);
}

static ty_status make_folder(sweep *s) {
    const char *logs = ty_path_join(&s->arena, s->folder, "logs");
    if (!logs)
        return ty_fail_nomem(&s->app->ctx, "a path");
    TY_TRY(ty_dir_make(&s->app->ctx, logs));
    TY_TRY(write_sweep(s, s->runs)); /* with what may change between two starts, as it is now */
    if (!s->file.config_path)
        return TY_OK;
    TY_TRY(write_json(s, CONFIG_NAME, ty_text_string(&s->config_json), false));
    s->file.config_path = ty_path_join(&s->arena, s->folder, CONFIG_NAME);
    return s->file.config_path ? sweep_take_kept_place(s) : ty_fail_nomem(&s->app->ctx, "a path");
}

/* Other loops that ask and tell have it for moments only. */
static ty_status open_or_wait(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    const int64_t until_ns = ty_now_ns(ctx) + s->patience_ms * 1000000;
    ty_status st = ty_study_open(ctx, s->journal, &s->options, &s->study);
    while (st == TY_ERR_BUSY && ty_now_ns(ctx) < until_ns) {
        (void)poll(NULL, 0, 10);
        st = ty_study_open(ctx, s->journal, &s->options, &s->study);
    }
    return st;
}

/* The folder is filled where the study is new, and not before its sampler has taken the space. */
ty_status sweep_open_study(sweep *s, const char *path) {
    TY_TRY(read_file(s, path));
    if (s->runs)
        TY_TRY(check_can_run(s));
    TY_TRY(choose_slots(s));
    if (s->runs)
        TY_TRY(sweep_share_gpus(s));
    TY_TRY(sweep_import_trials(s));
    TY_TRY(ty_dir_make(&s->app->ctx, s->folder));
    s->options.changes = keep_anew;
    s->options.changes_self = s;
    const ty_status st = open_or_wait(s);
    if (st == TY_ERR_BUSY)
        return ty_fail_within(&s->app->ctx, st, "another process runs this sweep");
    return st == TY_OK ? make_folder(s) : st;
}

ty_status sweep_open(sweep *s, const char *path) {
    s->runs = true;
    TY_TRY(sweep_open_study(s, path));
    (void)sweep_is_asked_to_stop(s); /* an old request was for who ran it then */
    return sweep_open_tracker(s);
}

ty_status sweep_open_named(sweep *s, const char *name) {
    s->file.stem = name;
    TY_TRY(choose_paths(s));
    const char *path = ty_path_join(&s->arena, s->folder, SWEEP_NAME);
    if (!path || !ty_file_exists(&s->app->ctx, path))
        return ty_fail(&s->app->ctx, TY_ERR_NOT_FOUND, "there is no sweep %s in %s/sweeps", name,
                       s->app->folder);
    TY_TRY(read_file(s, path));
    return ty_study_read(&s->app->ctx, s->journal, &s->options, &s->study);
}

void sweep_close(sweep *s) {
    enum { exit_wait_ms = 10000, stop_wait_ms = 1000 }; /* who pressed Ctrl-C wants to leave */
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, s->app->ctx.message, sizeof kept);
    slots_close(s->slots);
    sweep_children_close(s);
    const ty_status st =
        ty_tracker_close(&s->app->ctx, s->tracker, s->stop ? stop_wait_ms : exit_wait_ms);
    if (st != TY_OK && st != TY_ERR_BUSY) /* who follows records it, and the study has said so */
        ty_log(&s->app->ctx, TY_LOG_WARN, "tracking", "%s", s->app->ctx.message);
    ty_optuna_tee_close(&s->app->ctx, s->tee);
    ty_study_close(s->study);
    free(s->disk.sizes);
    json_decref(s->imports);
    ty_sweep_file_clear(&s->file);
    ty_text_clear(&s->config_json);
    ty_arena_clear(&s->arena);
    memcpy(s->app->ctx.message, kept, sizeof kept);
}

/* --- verbs -------------------------------------------------------------------------------------- */

/* What is done with the best trial of a sweep that is done; a signal leaves the rest to the same command. */
static ty_status use_best(sweep *s) {
    sweep_test_best(s);
    s->stop = slots_interruption();
    if (s->stop)
        return signals_status(s->stop);
    sweep_register_best(s);
    return TY_OK;
}

static ty_status finish(sweep *s, ty_status st) {
    console_undraw(&s->app->console);
    s->ended_ns = ty_now_ns(&s->app->ctx);
    if (st == TY_ERR_BUSY)
        return st; /* it is another process's by now, and so is all that is told of it */
    if (st == TY_OK)
        st = use_best(s);
    sweep_report_end(s);
    sweep_tell_end(s, st);
    return st;
}

static ty_status run_in_slots(cli *app, const char *path) {
    sweep s = {.app = app};
    slots_block_signals();
    ty_status st = sweep_open(&s, path);
    if (st == TY_OK) {
        sweep_tell_begin(&s);
        st = finish(&s, sweep_run(&s));
    }
    sweep_close(&s);
    return st;
}

/* The last word is rank 0's, when the others have left. */
static ty_status schedule(cli *app, sweep_ranks *r, const char *path) {
    sweep s = {.app = app, .n_ranks = ty_comm_size(r->world)};
    ty_status st = sweep_ranks_divide(r, &s, sweep_open(&s, path));
    const bool is_divided = st == TY_OK;
    if (is_divided) {
        sweep_tell_begin(&s);
        st = sweep_post_run(r, &s);
    }
    sweep_ranks_close(r);
    if (is_divided)
        st = finish(&s, st);
    sweep_close(&s);
    return st;
}

static ty_status run_on_ranks(cli *app, const char *path) {
    sweep_ranks r;
    ty_status st = sweep_ranks_open(app, &r);
    if (st == TY_OK && app->ctx.rank == 0)
        st = schedule(app, &r, path);
    else {
        if (st == TY_OK)
            st = sweep_ranks_divide(&r, NULL, TY_OK);
        if (st == TY_OK)
            st = sweep_ranks_work(&r);
        sweep_ranks_close(&r);
    }
    if (app->ctx.rank == 0)
        launch_tell_outcome(&app->ctx, st);
    return st;
}

static ty_status run_file(cli *app, const char *path) {
    int64_t ranks = 1;
    TY_TRY(args_int(&app->ctx, &app->args, "ranks", 1, 1, LAUNCH_MAX_RANKS, &ranks));
    if (ty_comm_is_launched(&app->ctx))
        return run_on_ranks(app, path);
    return ranks > 1 ? launch_surviving_ranks(app, (int)ranks) : run_in_slots(app, path);
}

static ty_status resume(cli *app) {
    const char *path = ty_arena_printf(&app->memory, "%s/sweeps/%s/" SWEEP_NAME, app->folder,
                                       app->args.operand[1]);
    if (!path || !ty_file_exists(&app->ctx, path))
        return ty_fail(&app->ctx, TY_ERR_NOT_FOUND, "there is no sweep %s in %s/sweeps",
                       app->args.operand[1], app->folder);
    return run_file(app, path);
}

/* --- the table ---------------------------------------------------------------------------------- */

static ty_status run_given(cli *app) {
    return run_file(app, app->args.operand[0]);
}

#define SIGNALS_SAY                                                                                \
    "Ctrl-C lets the trials save and exits 130, SIGTERM 143, SIGUSR1 75; the same command goes\n"  \
    "on where each of them was.\n"

static const struct {
    verb of;
    ty_status (*run)(cli *app);
} verbs[] = {
    {{"", "FILE", "[-j N | -n N]", "run the sweep that FILE is, or go on with it", 0, 0,
      " set jobs ranks ", NULL},
     run_given},
    {{"ls", "", "", "the sweeps of this folder", 0, 0, "", NULL}, sweep_list},
    {{"show", "NAME", "", "its trials: state, value, parameters, and why they ended", 1, 1, "",
      NULL},
     sweep_show_trials},
    {{"best", "NAME", "", "the best trial", 1, 1, "", NULL}, sweep_best},
    {{"ask", "FILE|NAME", "", "a trial as JSON, for a loop of your own", 1, 1, " set worker ",
      "The line says {\"kind\": \"trial\", \"trial\": N, \"params\": {...}}, or \"wait\", or "
      "\"done\" with the\n"
      "reason. `tell` says what became of it; one that nobody speaks of for an hour is given out\n"
      "again.\n"},
     sweep_ask},
    {{"tell", "NAME TRIAL [VALUE]", "[--step N | --state pruned]",
      "what became of a trial that was asked for, or a report", 2, 3,
      " step state violation worker ",
      "With --step it is a report: the line that comes back says whether the trial should go on.\n"
      "Without, the trial has ended with VALUE.\n"},
     sweep_tell},
    {{"enqueue", "NAME KEY=VALUE ...", "", "a point that is tried next, whole or in part", 2,
      ARGS_MAX_OPERANDS - 1, "", "What the point does not say, the sampler chooses.\n"},
     sweep_enqueue},
    {{"resume", "NAME", "[-j N | -n N]", "go on with it, from its own folder alone", 1, 1,
      " jobs ranks set ", SIGNALS_SAY},
     resume},
    {{"stop", "NAME", "", "let its trials save, and end it; resume goes on", 1, 1, "", NULL},
     sweep_ask_to_stop},
    {{"replay", "NAME", "", "derive all decisions again and compare, bit for bit", 1, 1, "", NULL},
     sweep_replay},
    {{"importance", "NAME", "", "what mattered for being among the best (PED-ANOVA)", 1, 1, "",
      NULL},
     sweep_importance},
    {{"plot", "NAME", "[--what CHART] [--svg FILE | --html FILE]",
      "a chart in the terminal or as a picture, or all of them as a page", 1, 1, " what svg html ",
      "Without --svg only history, intermediate and importance can be drawn.\n"},
     sweep_plot},
    {{"export", "NAME", "--output FILE", "its trials, for other programs", 1, 1, " output ", NULL},
     sweep_export},
};
static const verb_table verb_rows = VERB_TABLE(verbs);

static ty_status run(cli *app) {
    int at = 0;
    TY_TRY(verbs_find(app, &cmd_sweep, &at));
    return verbs[at].run(app);
}

static const option_row options[] = {
    {"set", 's', "KEY=VALUE", "change a key of the sweep file: --set run_cap=100"},
    {"step", 0, "N", "the trial has VALUE at step N and goes on; prints whether it should"},
    {"state", 0, "STATE", "complete (the rule), pruned, paused or failed"},
    {"violation", 0, "V", "by how much the trial is beyond all limits on metrics; 0 keeps them"},
    {"worker", 0, "NAME", "who runs the trial; a late word of another one changes nothing"},
    {"output", 'o', "FILE", "FILE.csv, FILE.jsonl or FILE.journal, which Optuna loads"},
    {"what", 0, "CHART",
     "history (the rule), importance, slice, contour, parallel, intermediate, timeline"},
    {"svg", 0, "FILE", "a picture FILE.svg instead of characters"},
    {"html", 0, "FILE", "all charts and trials as a page, as the sweep's report.html"},
    {"jobs", 'j', "N", "run N trials at once, each a process of its own"},
    {"ranks", 'n', "N", "run trials on N ranks, started with mpirun, in groups"},
    {0}};

const command cmd_sweep = {
    .name = "sweep",
    .operands = "FILE | VERB NAME",
    .summary = "search hyperparameters as FILE says; the same command again continues it",
    .about =
        "FILE is a W&B sweep file, JSON or YAML, with our additions (docs/SEARCH.md). Each trial "
        "is\n"
        "a run of its own under runs/, a child of the sweep's run in MLflow. sweeps/NAME/ holds "
        "the\n"
        "journal that everything can be derived from, and each trial's log.\n" SIGNALS_SAY,
    .options = options,
    .verbs = &verb_rows,
    .min_operands = 1,
    .max_operands = ARGS_MAX_OPERANDS,
    .run = run};
