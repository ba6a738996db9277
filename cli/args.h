/* Command lines from tables: one row an option, read by the parser and by --help alike. */
#ifndef TY_CLI_ARGS_H
#define TY_CLI_ARGS_H

#include "base/base.h"

typedef struct option_row {
    const char *name;  /* long form without dashes; NULL ends the table */
    char letter;       /* short form, 0 for none */
    const char *value; /* what the value is called in help; NULL: a switch */
    const char *help;
} option_row;

enum { ARGS_MAX_OPERANDS = 4096, ARGS_MAX_OPTIONS = 256 };

typedef struct args {
    const char *operand[ARGS_MAX_OPERANDS];
    int n_operands;
    struct {
        const option_row *row;
        const char *value;
    } option[ARGS_MAX_OPTIONS];
    int n_options;
} args;

/* Reads argv[0..argc) by own and common, two tables. "--" ends options; --name=value and -n2 work.
 * Errors: TY_ERR_ARG naming the option, with the nearest known one. */
ty_status args_parse(ty_ctx *ctx, const option_row *own, const option_row *common, int argc,
                     char *const *argv, args *out) TY_MUST_USE;

/* Whether the option was given; name without dashes. */
bool args_has(const args *a, const char *name);

/* The last value given, NULL where there is none. */
const char *args_value(const args *a, const char *name);

/* A whole number from min to max; fallback where the option is absent. Errors: TY_ERR_ARG. */
ty_status args_int(ty_ctx *ctx, const args *a, const char *name, int64_t fallback, int64_t min,
                   int64_t max, int64_t *out) TY_MUST_USE;

/* "  -s, --set KEY=VALUE   help", aligned, one line a row; `of` stands before the help: "rm, gc: ...";
 * NULL: nothing. */
void args_help(const option_row *rows, ty_text *out);
void args_help_row(const option_row *row, const char *of, ty_text *out);

/* word as a shell takes it: as it is, or in quotes. */
void args_add_word(ty_text *out, const char *word);

#endif
