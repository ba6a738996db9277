/* train: the command line of one run (train_run.c). */
#include "cli/launch.h"
#include "cli/plan.h"
#include "cli/train/train_run.h"
#include "cli/sweep/trial.h"

/* What reads the config and does not train. */
static ty_status look_ahead(cli *app, int64_t ranks) {
    job j = {0};
    ty_status st = job_read_config(app, &j, app->args.operand[0]);
    if (st == TY_OK && ranks > 1)
        st = launch_ranks(app, (int)ranks);
    else if (st == TY_OK && args_has(&app->args, "dry-run"))
        st = plan_check(app, &j);
    else if (st == TY_OK)
        st = ty_fail(&app->ctx, TY_ERR_CONFIG,
                     "--gpu plans for a GPU that need not be here: it wants --dry-run");
    job_close(&j);
    return st;
}

/* For a sweep, which hears of every evaluation and how it ended. The test data are for the best trial. */
static ty_status train_trial(cli *app, train_wish *wish) {
    trial *t = NULL;
    train_outcome outcome;
    TY_TRY(trial_open(&app->ctx, &t));
    const ty_observer observer = trial_observer(t);
    wish->observers = &observer;
    wish->n_observers = 1;
    wish->leaves_test_alone = true;
    wish->trial = t;
    const ty_status st = train_run_once(app, wish, &outcome);
    const trial_last last = {ty_status_exit_code(st),
                             st == TY_OK ? outcome.reason : app->ctx.message, outcome.run_folder,
                             outcome.run_id};
    if (app->ctx.rank == 0)
        trial_tell_end(t, trial_end_of(t, st, outcome.is_complete), &last);
    trial_close(t);
    return st;
}

static ty_status train(cli *app) {
    const args *a = &app->args;
    int64_t ranks = 1;
    TY_TRY(args_int(&app->ctx, a, "ranks", 1, 1, LAUNCH_MAX_RANKS, &ranks));
    if (ty_comm_is_launched(&app->ctx))
        ranks = 1; /* this is one of them */
    if (ranks > 1 || args_has(a, "dry-run") || args_has(a, "gpu"))
        return look_ahead(app, ranks);
    train_wish wish = {.config = a->operand[0],
                       .name = args_value(a, "name"),
                       .is_fresh = args_has(a, "fresh"),
                       .from = args_value(a, "from")};
    train_outcome outcome;
    return trial_is_one(&app->ctx) ? train_trial(app, &wish) : train_run_once(app, &wish, &outcome);
}

static const option_row options[] = {
    {"set", 's', "KEY=VALUE", "change a config key: --set optimizer.learning_rate=3e-4"},
    {"ranks", 'n', "N", "start N ranks with mpirun and stay their parent"},
    {"name", 0, "NAME", "name of the run instead of config name and hash"},
    {"fresh", 0, NULL, "start a new attempt instead of continuing"},
    {"from", 0, "CHECKPOINT", "start from this checkpoint"},
    {"dry-run", 0, NULL, "the same as `tiltyard check`"},
    {"gpu", 0, "NAME", "with --dry-run: plan for a GPU that need not be here, a100 or h100"},
    {0}};

const command cmd_train = {
    .name = "train",
    .operands = "CONFIG",
    .summary = "train a model as CONFIG says; the same command again continues it",
    .about =
        "Writes runs/EXPERIMENT/RUN/ (config, journal, checkpoints, report.html) and mlflow.db in "
        "the\n"
        "working folder. Ctrl-C saves a checkpoint and exits 130, SIGTERM and a hang-up 143, "
        "SIGUSR1\n"
        "and SIGUSR2 75; a second signal does not wait for the save. Under plain mpirun send "
        "SIGUSR1:\n"
        "mpirun kills everybody two seconds after Ctrl-C. Exit codes: 0 done, 1 failed, 2 usage "
        "or\n"
        "config, 4 data, 6 damaged file, 7 diverged, 8 device or ranks, 75 try again.\n"
        "CONFIG may be -, standard input.\n",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = train};
