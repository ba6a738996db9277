/* Commands with verbs (`tiltyard runs ls`): one row a verb. */
#ifndef TY_CLI_VERBS_H
#define TY_CLI_VERBS_H

#include "cli/cli.h"

/* What a verb takes. It is the first member of a row; behind it stands what the command calls. */
typedef struct verb {
    const char *name, *usage;       /* "ls", "runs ls [FILTER]" */
    int min_operands, max_operands; /* behind the verb */
    const char *options;            /* of the command's table, each between blanks; "" for none */
} verb;

/* Which row operand 0 names, in *out: one of n rows of `bytes` each, that begin with a verb. What it
 * was given is checked, and that there is a working folder: nothing is looked for in one that was
 * mistyped, and none is made.
 * Errors: TY_ERR_ARG no such verb, or operands or options that are not for it; TY_ERR_NOT_FOUND. */
ty_status verbs_find(cli *app, const command *of, const void *rows, int n, size_t bytes,
                     int *out) TY_MUST_USE;

#endif
