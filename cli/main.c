/* argv in, exit code out: finds the row, reads its options, runs it, says what went wrong. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/verbs.h"
#include "tracking/tracking.h"

static const command *const commands[] = {&cmd_train, &cmd_sweep, &cmd_eval,   &cmd_predict,
                                          &cmd_check, &cmd_runs,  &cmd_sync,   &cmd_models,
                                          &cmd_data,  &cmd_ui,    &cmd_schema, &cmd_info};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const option_row cli_common_options[] = {
    {"dir", 'C', "FOLDER", "working folder: runs/ and mlflow.db live there (default: .)"},
    {"quiet", 'q', NULL, "only errors and results"},
    {"verbose", 'v', NULL, "say more; twice: everything"},
    {"json", 0, NULL, "results and events as JSON lines on stdout"},
    {"color", 0, "WHEN", "auto, always or never (NO_COLOR is honoured)"},
    {"help", 'h', NULL, "show this"},
    {0}};

static void print_help(void) {
    printf(
        "tiltyard %s: trains models on many ranks, loses nothing, records everything in MLflow\n\n"
        "usage: tiltyard COMMAND [OPTIONS] ...\n\ncommands:\n",
        TY_VERSION_TEXT);
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n`tiltyard COMMAND --help` says more; docs/CONFIG.md lists every config key.");
}

static void add_command_help(const command *cmd, ty_text *out) {
    ty_text_addf(out, "%s\n\nusage: tiltyard %s [OPTIONS] %s\n", cmd->summary, cmd->name,
                 cmd->operands);
    if (cmd->verbs) {
        verbs_help_all(cmd, out);
        return;
    }
    if (cmd->about)
        ty_text_addf(out, "\n%s", cmd->about);
    if (cmd->options) {
        ty_text_add(out, "\noptions:\n");
        args_help(cmd->options, out);
    }
}

static void print_command_help(cli *app, const command *cmd) {
    ty_text text = {0};
    const verb *v = app->args.n_operands > 0 ? verbs_named(cmd, app->args.operand[0]) : NULL;
    if (v)
        verbs_help(cmd, v, &text);
    else
        add_command_help(cmd, &text);
    ty_text_add(&text, "\ncommon options:\n");
    args_help(cli_common_options, &text);
    console_print(&app->console, ty_text_string(&text));
    ty_text_clear(&text);
}

static const command *find_command(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name) {
    const char *best = NULL;
    int distance = 3;
    if (name[0] == '-') {
        fprintf(stderr,
                "error: %s stands before the command; options follow it: tiltyard train %s\n", name,
                name);
        return ty_status_exit_code(TY_ERR_ARG);
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        int d = ty_text_distance(name, commands[i]->name);
        if (d < distance) {
            distance = d;
            best = commands[i]->name;
        }
    }
    fprintf(stderr, "error: unknown command \"%s\"", name);
    fprintf(stderr, best ? "; did you mean `tiltyard %s`?\n" : "; `tiltyard --help` lists them%s\n",
            best ? best : "");
    return ty_status_exit_code(TY_ERR_ARG);
}

static int verbosity(const args *a) {
    int level = TY_LOG_INFO;
    for (int i = 0; i < a->n_options; i++)
        level += a->option[i].row->letter == 'v';
    return args_has(a, "quiet") ? TY_LOG_WARN : level > TY_LOG_DEBUG ? TY_LOG_DEBUG : level;
}

static ty_status check_usage(cli *app, const command *cmd) {
    int n = app->args.n_operands;
    const char *color = args_value(&app->args, "color");
    if (color && strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 &&
        strcmp(color, "never") != 0)
        return ty_fail(&app->ctx, TY_ERR_ARG, "--color is \"%s\", want auto, always or never",
                       color);
    if (n >= cmd->min_operands && n <= cmd->max_operands)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_ARG, "`tiltyard %s` got %d operand%s, want: tiltyard %s %s",
                   cmd->name, n, n == 1 ? "" : "s", cmd->name, cmd->operands);
}

enum { MAX_FOLDER = 1000 }; /* so that what lies below it still has a name the system takes */

static ty_status choose_folder(cli *app) {
    const char *given = args_has(&app->args, "dir") ? args_value(&app->args, "dir") : ".";
    size_t length = strlen(given);
    if (length == 0 || length > MAX_FOLDER)
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "--dir has %zu characters, want the name of a folder, at most %d", length,
                       (int)MAX_FOLDER);
    char here[4096];
    if (given[0] != '/' && !getcwd(here, sizeof here))
        return ty_fail_errno(&app->ctx, errno, "looking for the current folder");
    while (length > 1 && given[length - 1] == '/')
        length--;
    app->folder = ty_arena_string_n(&app->memory, given, length);
    return app->folder ? TY_OK : ty_fail_nomem(&app->ctx, "the working folder's name");
}

static ty_status run_command(cli *app, const command *cmd, int argc, char **argv) {
    ty_status st = args_parse(&app->ctx, cmd->options, cli_common_options, argc, argv, &app->args);
    console_init(&app->console, &app->ctx, args_has(&app->args, "quiet"),
                 args_has(&app->args, "json"), args_value(&app->args, "color"));
    if (st != TY_OK)
        return st;
    if (args_has(&app->args, "help")) {
        print_command_help(app, cmd);
        return TY_OK;
    }
    TY_TRY(check_usage(app, cmd));
    TY_TRY(choose_folder(app));
    app->ctx.log = console_log_sink(&app->console, (ty_log_level)verbosity(&app->args));
    return cmd->run(app);
}

/* A file opened later would get a closed stream's number, and then its words. */
static void open_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(ty_status_exit_code(TY_ERR_INTERNAL));
}

/* What was only printed counts too: `tiltyard --help > /dev/full`. */
static int flush_help(void) {
    if (fflush(stdout) == 0 || errno == EPIPE)
        return 0;
    fprintf(stderr, "error: writing to standard output: %s\n", strerror(errno));
    return ty_status_exit_code(TY_ERR_IO);
}

/* A stop that was asked for is told by the command itself, and not an error. */
static bool is_told(ty_status st) {
    return st == TY_OK || st == TY_STOP_REQUEUE || st == TY_STOP_INTERRUPT ||
           st == TY_STOP_TERMINATE;
}

int main(int argc, char **argv) {
    open_streams();
    (void)prctl(PR_SET_NAME,
                "tiltyard");        /* a child that was started by LAUNCH_SELF is called "exe" */
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, not a death */
    (void)signal(SIGXFSZ, SIG_IGN); /* so is a file size limit */
    if (argc < 2) {
        print_help();
        return ty_status_exit_code(TY_ERR_ARG);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("tiltyard " TY_VERSION_TEXT);
        return flush_help();
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return flush_help();
    }
    const command *cmd = find_command(argv[1]);
    if (!cmd)
        return unknown_command(argv[1]);
    cli app = {.argc = argc, .argv = argv};
    ty_ctx_init(&app.ctx);
    ty_mlflow_guard_secrets(&app.ctx);
    ty_status st = run_command(&app, cmd, argc - 2, argv + 2);
    if (st == TY_OK)
        st = console_finish(&app.console, &app.ctx);
    if (!is_told(st))
        console_fail(&app.console, st, app.ctx.message);
    console_clear(&app.console);
    ty_arena_clear(&app.memory);
    ty_ctx_clear(&app.ctx);
    return ty_status_exit_code(st);
}
