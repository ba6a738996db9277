/* sweep: searches hyperparameters as a sweep file says, and tells of sweeps. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/sweep.h"
#include "cli/sweep_ranks.h"
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
    TY_TRY(ty_sweep_file_read(&s->app->ctx, path, sets, n, &s->file));
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

/* -j, else what the file says, else one, or as many groups as there are ranks for. */
/* What the file asks for and a sweep that runs cannot do. */
static ty_status check_can_run(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    if (s->file.method == TY_METHOD_CUSTOM)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "method custom is for a loop of your own: `tiltyard sweep ask` and `tell`");
    if (s->file.warm_start.n > 0)
        return ty_fail(ctx, TY_ERR_CONFIG, "warm_start cannot be acted on yet: leave it out");
    if (s->n_ranks && s->file.resources.gpus_per_trial > 0)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "under mpirun each rank has a GPU of its own: resources.gpus_per_trial is for "
            "trials in slots (-j)");
    return TY_OK;
}

static ty_status choose_slots(sweep *s) {
    TY_TRY(check_ranks(s));
    const int64_t most = s->n_ranks ? s->n_ranks / s->file.resources.ranks_per_trial : SLOTS_MAX;
    const int64_t usual = s->file.resources.max_parallel > 0 ? s->file.resources.max_parallel
                          : s->n_ranks                       ? most
                                                             : 1;
    int64_t n = 0;
    TY_TRY(args_int(&s->app->ctx, &s->app->args, "jobs", usual, 1, SLOTS_MAX, &n));
    s->n_slots = (int)(n < most ? n : most);
    s->running = ty_arena_array(&s->arena, (size_t)s->n_slots, sizeof *s->running);
    return s->running ? TY_OK : ty_fail_nomem(&s->app->ctx, "the slots of a sweep");
}

/* What the sweep was begun with stays beside its journal: trials are started from there, so that a
 * config that is edited meanwhile changes nothing, and `sweep resume` needs no other file. */
static ty_status keep_json(sweep *s, const char *name, const char *text) {
    const char *path = ty_path_join(&s->arena, s->folder, name);
    if (!path)
        return ty_fail_nomem(&s->app->ctx, "a path");
    if (ty_file_exists(&s->app->ctx, path))
        return TY_OK;
    return ty_file_write_atomic(&s->app->ctx, path, text, strlen(text));
}

static ty_status keep_sweep(sweep *s) {
    json_t *copy = json_deep_copy(ty_doc_at(s->file.doc, ""));
    char *text = NULL;
    if (copy && s->file.config_path)
        (void)json_object_set_new(copy, "config", json_string(CONFIG_NAME));
    if (copy && json_object_set_new(copy, "name", json_string(s->file.stem)) == 0)
        text = json_dumps(copy, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    const ty_status st =
        text ? keep_json(s, SWEEP_NAME, text) : ty_fail_nomem(&s->app->ctx, "a copy of the sweep");
    free(text);
    json_decref(copy);
    return st;
}

static ty_status make_folder(sweep *s) {
    const char *logs = ty_path_join(&s->arena, s->folder, "logs");
    if (!logs)
        return ty_fail_nomem(&s->app->ctx, "a path");
    TY_TRY(ty_dir_make(&s->app->ctx, logs));
    TY_TRY(keep_sweep(s));
    if (!s->file.config_path)
        return TY_OK;
    TY_TRY(keep_json(s, CONFIG_NAME, ty_text_string(&s->config_json)));
    s->file.config_path = ty_path_join(&s->arena, s->folder, CONFIG_NAME);
    return s->file.config_path ? TY_OK : ty_fail_nomem(&s->app->ctx, "a path");
}

/* The folder is filled where the study is new, and not before its sampler has taken the space. */
ty_status sweep_open_study(sweep *s, const char *path) {
    TY_TRY(read_file(s, path));
    if (s->runs)
        TY_TRY(check_can_run(s));
    TY_TRY(choose_slots(s));
    if (s->runs)
        TY_TRY(sweep_share_gpus(s));
    TY_TRY(ty_dir_make(&s->app->ctx, s->folder));
    const ty_status st = ty_study_open(&s->app->ctx, s->journal, &s->options, &s->study);
    if (st == TY_ERR_BUSY)
        return ty_fail_within(&s->app->ctx, st, "another process runs this sweep");
    return st == TY_OK ? make_folder(s) : st;
}

ty_status sweep_open(sweep *s, const char *path) {
    s->runs = true;
    TY_TRY(sweep_open_study(s, path));
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
    enum { exit_wait_ms = 10000 };
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, s->app->ctx.message, sizeof kept);
    slots_close(s->slots);
    if (ty_tracker_close(&s->app->ctx, s->tracker, exit_wait_ms) != TY_OK)
        ty_log(&s->app->ctx, TY_LOG_WARN, "tracking", "%s", s->app->ctx.message);
    ty_optuna_tee_close(&s->app->ctx, s->tee);
    ty_study_close(s->study);
    ty_sweep_file_clear(&s->file);
    ty_text_clear(&s->config_json);
    ty_arena_clear(&s->arena);
    memcpy(s->app->ctx.message, kept, sizeof kept);
}

/* --- verbs -------------------------------------------------------------------------------------- */

static void finish(sweep *s, ty_status st) {
    if (st == TY_OK)
        sweep_test_best(s);
    sweep_tell_end(s, st);
}

static ty_status run_in_slots(cli *app, const char *path) {
    sweep s = {.app = app};
    slots_block_signals();
    ty_status st = sweep_open(&s, path);
    if (st == TY_OK) {
        sweep_tell_begin(&s);
        st = sweep_run(&s);
        finish(&s, st);
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
        finish(&s, st);
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

static const struct {
    verb of;
    ty_status (*run)(cli *app);
} verbs[] = {
    {{"ls", "sweep ls", 0, 0, ""}, sweep_list},
    {{"show", "sweep show NAME", 1, 1, ""}, sweep_show_trials},
    {{"best", "sweep best NAME", 1, 1, ""}, sweep_best},
    {{"ask", "sweep ask FILE|NAME", 1, 1, " set "}, sweep_ask},
    {{"tell", "sweep tell NAME TRIAL [VALUE] [--step N | --state pruned]", 2, 3, " step state "},
     sweep_tell},
    {{"resume", "sweep resume NAME [-j N | -n N]", 1, 1, " jobs ranks set "}, resume},
    {{"stop", "sweep stop NAME", 1, 1, ""}, sweep_ask_to_stop},
    {{"replay", "sweep replay NAME", 1, 1, ""}, sweep_replay},
    {{"importance", "sweep importance NAME", 1, 1, ""}, sweep_importance},
    {{"export", "sweep export NAME --output FILE", 1, 1, " output "}, sweep_export},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static bool is_verb(const char *word) {
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].of.name, word) == 0)
            return true;
    return false;
}

static ty_status run(cli *app) {
    int at = 0;
    if (!is_verb(app->args.operand[0]) && app->args.n_operands == 1)
        return run_file(app, app->args.operand[0]);
    TY_TRY(verbs_find(app, &cmd_sweep, verbs, N_VERBS, sizeof *verbs, &at));
    return verbs[at].run(app);
}

static const option_row options[] = {
    {"set", 's', "KEY=VALUE", "change a key of the sweep file: --set run_cap=100"},
    {"step", 0, "N", "tell: the trial has VALUE at step N and goes on; prints whether it should"},
    {"state", 0, "STATE", "tell: complete (the rule), pruned, paused or failed"},
    {"output", 'o', "FILE", "export: FILE.csv, FILE.jsonl or FILE.journal, which Optuna loads"},
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
        "journal that everything can be derived from, and each trial's log.\n"
        "Ctrl-C lets the trials save and exits 130, SIGTERM 143, SIGUSR1 75; the same command "
        "goes\n"
        "on where each of them was.\n\n"
        "  ls             the sweeps of this folder     show NAME     its trials\n"
        "  best NAME      the best trial                resume NAME   go on with it\n"
        "  stop NAME      trials save, the sweep ends   replay NAME   derive all decisions again\n"
        "  importance NAME   what mattered              export NAME -o FILE   its trials\n",
    .options = options,
    .min_operands = 1,
    .max_operands = 4,
    .run = run};
