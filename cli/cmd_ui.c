/* ui: MLflow's own UI on this folder's mlflow.db. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/program.h"
#include "tracking/tracking.h"

/* Debian's Python refuses a plain pip install, so MLflow gets a virtual environment of its own. */
static char *venv_folder(cli *app) {
    const char *data = app->ctx.getenv("XDG_DATA_HOME");
    const char *home = app->ctx.getenv("HOME");
    if (data && *data)
        return ty_path_join(&app->ctx.scratch, data, "tiltyard/mlflow");
    return ty_path_join(&app->ctx.scratch, home && *home ? home : ".",
                        ".local/share/tiltyard/mlflow");
}

static ty_status run_and_wait(ty_ctx *ctx, char *const *words) {
    pid_t child = fork();
    if (child < 0)
        return ty_fail_errno(ctx, errno, "starting %s", words[0]);
    if (child == 0) {
        (void)execvp(words[0], words);
        _exit(127);
    }
    int state = 0;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_FAILED, "%s %s failed (code %d)", words[0], words[1],
                   WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state));
}

static ty_status install(cli *app, char *venv) {
    ty_ctx *ctx = &app->ctx;
    char *pip = ty_path_join(&ctx->scratch, venv, "bin/pip");
    char *folder = ty_path_folder(&ctx->scratch, venv);
    if (!pip || !folder)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_dir_make(ctx, folder));
    char *const make[] = {(char[]){"python3"}, (char[]){"-m"}, (char[]){"venv"}, venv, NULL};
    char *const fill[] = {pip, (char[]){"install"}, (char[]){"--quiet"}, (char[]){TY_MLFLOW}, NULL};
    console_say(&app->console, "installing %s in %s", TY_MLFLOW, venv);
    TY_TRY(run_and_wait(ctx, make));
    return run_and_wait(ctx, fill);
}

/* Our own environment's mlflow where there is one, otherwise whatever the PATH has. */
static char *find_mlflow(cli *app, const char *venv) {
    char *own = ty_path_join(&app->ctx.scratch, venv, "bin/mlflow");
    return own && ty_file_exists(&app->ctx, own) ? own
                                                 : ty_arena_string(&app->ctx.scratch, "mlflow");
}

static ty_status start(cli *app, char *mlflow) {
    ty_ctx *ctx = &app->ctx;
    int64_t port = 5000;
    TY_TRY(args_int(ctx, &app->args, "port", 5000, 1, 65535, &port));
    char *absolute = ty_path_absolute(&ctx->scratch, app->folder);
    char *store =
        absolute ? ty_arena_printf(&ctx->scratch, "sqlite:///%s/mlflow.db", absolute) : NULL;
    char *number = ty_arena_printf(&ctx->scratch, "%lld", (long long)port);
    if (!store || !number)
        return ty_fail_nomem(ctx, "a path");
    const char *link = "";
    if (ty_runs_deep_link(ctx, app->folder, &ctx->scratch, &link) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "mlflow.db", "%s", ctx->message);
    if (program_is_found(ctx, mlflow))
        console_say(&app->console, "http://127.0.0.1:%lld%s", (long long)port, link);
    char *const words[] = {mlflow,
                           (char[]){"ui"},
                           (char[]){"--backend-store-uri"},
                           store,
                           (char[]){"--host"},
                           (char[]){"127.0.0.1"},
                           (char[]){"--port"},
                           number,
                           NULL};
    (void)execvp(mlflow, words);
    return ty_fail(ctx, TY_ERR_NOT_FOUND,
                   "MLflow is not installed here: `tiltyard ui --install` makes a "
                   "virtual environment with %s",
                   TY_MLFLOW);
}

static ty_status ui(cli *app) {
    char *venv = venv_folder(app);
    if (!venv)
        return ty_fail_nomem(&app->ctx, "a path");
    if (args_has(&app->args, "install"))
        TY_TRY(install(app, venv));
    char *database = ty_path_join(&app->ctx.scratch, app->folder, "mlflow.db");
    if (!database || !ty_file_exists(&app->ctx, database))
        return ty_fail(&app->ctx, TY_ERR_NOT_FOUND,
                       "no mlflow.db in %s: train something first, or --dir", app->folder);
    char *mlflow = find_mlflow(app, venv);
    return mlflow ? start(app, mlflow) : ty_fail_nomem(&app->ctx, "a path");
}

static const option_row options[] = {
    {"port", 'p', "PORT", "of the local web server (default: 5000)"},
    {"install", 0, NULL, "first make a virtual environment with " TY_MLFLOW},
    {0}};

const command cmd_ui = {.name = "ui",
                        .operands = "",
                        .summary = "open MLflow's UI on this folder's runs",
                        .options = options,
                        .run = ui};
