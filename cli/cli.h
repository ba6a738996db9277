/* What the subcommands share: the app (context, arguments, console) and the table they are rows
 * of. */
#ifndef TY_CLI_CLI_H
#define TY_CLI_CLI_H

#include "base/base.h"
#include "cli/args.h"
#include "cli/console.h"

/* What a run says, with TY_ERR_IO, that trained and could not keep what came of it; a sweep knows it by
 * that. */
#define RUN_NOT_SAVED "could not be saved; make room and give the same command again"

typedef struct cli {
    ty_ctx ctx;
    args args;
    console console;
    ty_arena memory;    /* what lives as long as the process */
    const char *folder; /* the working folder: "." or --dir, without a slash at its end */
    int argc;           /* as the process got them, for launching and for the record */
    char **argv;
} cli;

typedef struct command {
    const char *name;
    const char *operands;           /* "CONFIG" */
    const char *summary;            /* one line for `tiltyard --help` */
    const char *about;              /* paragraphs for `tiltyard NAME --help`; may be NULL */
    const option_row *options;      /* may be NULL; with verbs it is not */
    const struct verb_table *verbs; /* verbs.h; NULL: none */
    int min_operands, max_operands;
    ty_status (*run)(cli *app);
} command;

/* Options every command knows: --dir, --quiet, --verbose, --json, --color, --help. */
extern const option_row cli_common_options[];

/* One file each, cmd_<name>.c; main.c makes the table. */
extern const command cmd_train, cmd_eval, cmd_predict, cmd_check, cmd_runs, cmd_models, cmd_data,
    cmd_schema, cmd_sweep, cmd_sync, cmd_info, cmd_ui;

#endif
