/* The parser follows getopt_long's conventions; what it adds is tables and "did you mean". */
#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const option_row *find_long(const option_row *rows, const char *name, size_t length) {
    for (const option_row *row = rows; row && row->name; row++)
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0)
            return row;
    return NULL;
}

static const option_row *find_letter(const option_row *rows, char letter) {
    for (const option_row *row = rows; row && row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

static void nearest(const option_row *rows, const char *name, int *distance, const char **best) {
    for (const option_row *row = rows; row && row->name; row++) {
        int d = ty_text_distance(name, row->name);
        if (d < *distance) {
            *distance = d;
            *best = row->name;
        }
    }
}

static ty_status unknown(ty_ctx *ctx, const option_row *own, const option_row *common,
                         const char *word) {
    char name[64] = {0};
    strncpy(name, word + strspn(word, "-"), sizeof name - 1);
    name[strcspn(name, "=")] = '\0';
    int distance = 4;
    const char *best = NULL;
    nearest(own, name, &distance, &best);
    nearest(common, name, &distance, &best);
    if (best && strlen(name) > 1)
        return ty_fail(ctx, TY_ERR_ARG, "unknown option \"%s\"; did you mean --%s?", word, best);
    return ty_fail(ctx, TY_ERR_ARG, "unknown option \"%s\"; --help lists the known ones", word);
}

static ty_status keep(ty_ctx *ctx, args *out, const option_row *row, const char *value) {
    if (out->n_options == ARGS_MAX_OPTIONS)
        return ty_fail(ctx, TY_ERR_ARG, "more than %d options", ARGS_MAX_OPTIONS);
    out->option[out->n_options].row = row;
    out->option[out->n_options].value = value;
    out->n_options++;
    return TY_OK;
}

/* Reads one option at argv[*at], moving *at over a value that is a word of its own. */
static ty_status parse_option(ty_ctx *ctx, const option_row *own, const option_row *common,
                              int argc, char *const *argv, int *at, args *out) {
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    const option_row *row = is_long ? find_long(own, name, length) : find_letter(own, name[0]);
    if (!row)
        row = is_long ? find_long(common, name, length) : find_letter(common, name[0]);
    if (!row)
        return unknown(ctx, own, common, word);
    const char *rest = name + length;
    if (!row->value)
        return *rest ? ty_fail(ctx, TY_ERR_ARG, "option --%s takes no value", row->name)
                     : keep(ctx, out, row, NULL);
    if (*rest)
        return keep(ctx, out, row, is_long ? rest + 1 : rest);
    if (*at + 1 >= argc)
        return ty_fail(ctx, TY_ERR_ARG, "option --%s wants a value: --%s %s", row->name, row->name,
                       row->value);
    return keep(ctx, out, row, argv[++*at]);
}

/* "-0.7" is a number: no option is called by a digit. */
static bool is_option(const char *word) {
    return word[0] == '-' && word[1] && !strchr("0123456789.", word[1]);
}

ty_status args_parse(ty_ctx *ctx, const option_row *own, const option_row *common, int argc,
                     char *const *argv, args *out) {
    bool only_operands = false;
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && is_option(word)) {
            TY_TRY(parse_option(ctx, own, common, argc, argv, &at, out));
        } else if (out->n_operands == ARGS_MAX_OPERANDS) {
            return ty_fail(ctx, TY_ERR_ARG, "too many operands at \"%s\"", word);
        } else {
            out->operand[out->n_operands++] = word;
        }
    }
    return TY_OK;
}

bool args_has(const args *a, const char *name) {
    for (int i = 0; i < a->n_options; i++)
        if (strcmp(a->option[i].row->name, name) == 0)
            return true;
    return false;
}

const char *args_value(const args *a, const char *name) {
    for (int i = a->n_options - 1; i >= 0; i--)
        if (strcmp(a->option[i].row->name, name) == 0)
            return a->option[i].value;
    return NULL;
}

ty_status args_int(ty_ctx *ctx, const args *a, const char *name, int64_t fallback, int64_t min,
                   int64_t max, int64_t *out) {
    const char *text = args_value(a, name);
    *out = fallback;
    if (!text)
        return TY_OK;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return ty_fail(ctx, TY_ERR_ARG, "--%s is \"%s\", want a whole number from %lld to %lld",
                       name, text, (long long)min, (long long)max);
    *out = value;
    return TY_OK;
}

void args_help_row(const option_row *row, const char *of, ty_text *out) {
    char left[64];
    (void)snprintf(left, sizeof left, "%c%c%s--%s%s%s", row->letter ? '-' : ' ',
                   row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
                   row->value ? " " : "", row->value ? row->value : "");
    ty_text_addf(out, "  %-26s %s%s%s\n", left, of ? of : "", of ? ": " : "", row->help);
}

void args_help(const option_row *rows, ty_text *out) {
    for (const option_row *row = rows; row && row->name; row++)
        args_help_row(row, NULL, out);
}

void args_add_word(ty_text *out, const char *word) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+@%";
    const bool is_plain = *word && strspn(word, plain) == strlen(word);
    ty_text_add(out, is_plain ? "" : "'");
    for (const char *at = word; *at; at++)
        if (*at == '\'')
            ty_text_add(out, "'\\''");
        else
            ty_text_add_n(out, at, 1);
    ty_text_add(out, is_plain ? "" : "'");
}
