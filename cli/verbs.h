/* Commands with verbs (`tiltyard runs ls`): one row a verb, from which it is found, checked and explained. */
#ifndef TY_CLI_VERBS_H
#define TY_CLI_VERBS_H

#include "cli/cli.h"

/* What a verb takes. It is the first member of a row; behind it stands what the command calls. */
typedef struct verb {
    const char *name;     /* "ls"; "": what the command does with an operand that is no verb */
    const char *operands; /* "NAME TRIAL [VALUE]"; "" for none */
    const char *usual;    /* options as the usage shows them, "[--step N]"; "" for none */
    const char *summary;  /* one line */
    int min_operands, max_operands; /* behind the verb */
    const char *options;            /* of the command's table, each between blanks; "" for none */
    const char *about;              /* paragraphs for `tiltyard COMMAND VERB --help`; may be NULL */
} verb;

/* Rows of `bytes` each that begin with a verb. */
typedef struct verb_table {
    const void *rows;
    int n;
    size_t bytes;
} verb_table;

#define VERB_TABLE(array)                                                                          \
    { (array), (int)(sizeof(array) / sizeof((array)[0])), sizeof((array)[0]) }

/* Which row of of->verbs operand 0 names, in *out. What it was given is checked, and, but for the row "",
 * that there is a working folder: nothing is looked for in one that was mistyped, and none is made.
 * Errors: TY_ERR_ARG no such verb, or operands or options that are not for it; TY_ERR_NOT_FOUND. */
ty_status verbs_find(cli *app, const command *of, int *out) TY_MUST_USE;

/* The verb of this name; NULL: there is none. */
const verb *verbs_named(const command *of, const char *name);

/* Appends what --help says of one verb, but for the options that all commands have. */
void verbs_help(const command *of, const verb *v, ty_text *out);

/* Appends all verbs, a line each, and the command's options with the verbs that they are for. */
void verbs_help_all(const command *of, ty_text *out);

#endif
