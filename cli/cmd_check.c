/* check: everything that can be known without training, and no trace left behind. */
#include "cli/job.h"
#include "cli/launch.h"
#include "cli/plan.h"

static ty_status check(cli *app) {
    int64_t ranks = 1;
    TY_TRY(args_int(&app->ctx, &app->args, "ranks", 1, 1, LAUNCH_MAX_RANKS, &ranks));
    job j = {0};
    ty_status st = job_read_config(app, &j, app->args.operand[0]);
    if (st == TY_OK)
        st = ranks > 1 && !ty_comm_is_launched(&app->ctx) ? launch_ranks(app, (int)ranks)
                                                          : plan_check(app, &j);
    job_close(&j);
    return st;
}

static const option_row options[] = {
    {"set", 's', "KEY=VALUE", "change a config key"},
    {"ranks", 'n', "N", "plan for N ranks, started with mpirun"},
    {"name", 0, "NAME", "name of the run instead of config name and hash"},
    {"gpu", 0, "NAME", "plan for a GPU that need not be here: a100 or h100"},
    {0}};

const command cmd_check = {.name = "check",
                           .operands = "CONFIG",
                           .summary =
                               "validate CONFIG, show every key's origin, layers, memory and steps",
                           .options = options,
                           .min_operands = 1,
                           .max_operands = 1,
                           .run = check};
