#include "cli/verbs.h"

#include <string.h>

static const verb *row_at(const command *of, int i) {
    const char *rows = of->verbs->rows;
    return (const verb *)(const void *)(rows + (size_t)i * of->verbs->bytes);
}

/* n where there is none. */
static int find(const command *of, const char *name) {
    int at = 0;
    while (at < of->verbs->n && strcmp(row_at(of, at)->name, name) != 0)
        at++;
    return at;
}

static bool takes(const verb *v, const option_row *row) {
    char name[32];
    (void)snprintf(name, sizeof name, " %s ", row->name);
    return strstr(v->options, name) != NULL;
}

static void add_usage(const command *of, const verb *v, ty_text *out) {
    const char *const words[] = {v->name, v->operands, v->usual};
    ty_text_addf(out, "tiltyard %s", of->name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        ty_text_addf(out, "%s%s", *words[i] ? " " : "", words[i]);
}

/* --- finding ------------------------------------------------------------------------------------ */

static ty_status fail_unknown(cli *app, const command *of) {
    ty_text all = {0};
    for (int i = 0; i < of->verbs->n; i++)
        if (*row_at(of, i)->name)
            ty_text_addf(&all, "%s%s", all.length ? ", " : "", row_at(of, i)->name);
    const ty_status st = ty_fail(&app->ctx, TY_ERR_ARG, "`tiltyard %s %s`: want one of %s",
                                 of->name, app->args.operand[0], ty_text_string(&all));
    ty_text_clear(&all);
    return st;
}

static ty_status fail_operands(cli *app, const command *of, const verb *v) {
    ty_text usage = {0};
    add_usage(of, v, &usage);
    const ty_status st = ty_fail(&app->ctx, TY_ERR_ARG, "want `%s`", ty_text_string(&usage));
    ty_text_clear(&usage);
    return st;
}

/* An option that a verb does nothing with was meant for something. */
static ty_status check_options(cli *app, const command *of, const verb *v) {
    for (const option_row *row = of->options; row->name; row++)
        if (args_has(&app->args, row->name) && !takes(v, row))
            return ty_fail(&app->ctx, TY_ERR_ARG, "--%s is not for `tiltyard %s %s`", row->name,
                           of->name, *v->name ? v->name : v->operands);
    return TY_OK;
}

static ty_status check_verb(cli *app, const command *of, const verb *v) {
    const int operands = app->args.n_operands - 1;
    if (operands < v->min_operands || operands > v->max_operands)
        return fail_operands(app, of, v);
    TY_TRY(check_options(app, of, v));
    if (!ty_file_exists(&app->ctx, app->folder))
        return ty_fail(&app->ctx, TY_ERR_NOT_FOUND, "there is no folder %s", app->folder);
    return TY_OK;
}

ty_status verbs_find(cli *app, const command *of, int *out) {
    const char *word = app->args.operand[0];
    const int n = of->verbs->n, plain = find(of, ""), at = *word ? find(of, word) : n;
    const bool is_plain = at == n && plain < n && app->args.n_operands == 1;
    if (at == n && !is_plain)
        return fail_unknown(app, of);
    *out = is_plain ? plain : at;
    return is_plain ? check_options(app, of, row_at(of, plain))
                    : check_verb(app, of, row_at(of, at));
}

const verb *verbs_named(const command *of, const char *name) {
    const int at = of->verbs && *name ? find(of, name) : -1;
    return at >= 0 && at < of->verbs->n ? row_at(of, at) : NULL;
}

/* --- help --------------------------------------------------------------------------------------- */

void verbs_help(const command *of, const verb *v, ty_text *out) {
    ty_text_addf(out, "%s\n\nusage: ", v->summary);
    add_usage(of, v, out);
    ty_text_add(out, "\n");
    if (v->about)
        ty_text_addf(out, "\n%s", v->about);
    if (*v->options)
        ty_text_add(out, "\noptions:\n");
    for (const option_row *row = of->options; row->name; row++)
        if (takes(v, row))
            args_help_row(row, NULL, out);
}

/* "rm, gc"; nothing where the command takes it by itself, or each of its verbs does. */
static void add_takers(const command *of, const option_row *row, ty_text *out) {
    bool is_everybodys = true;
    for (int i = 0; i < of->verbs->n; i++) {
        const verb *v = row_at(of, i);
        const bool is_taken = takes(v, row);
        if (is_taken && !*v->name) {
            out->length = 0;
            return;
        }
        is_everybodys = is_everybodys && is_taken;
        if (is_taken)
            ty_text_addf(out, "%s%s", out->length ? ", " : "", v->name);
    }
    if (is_everybodys)
        out->length = 0;
}

static void add_line(const verb *v, ty_text *out) {
    char left[64];
    (void)snprintf(left, sizeof left, "%s%s%s", v->name, *v->name && *v->operands ? " " : "",
                   v->operands);
    ty_text_addf(out, "  %-27s %s\n", left, v->summary);
}

void verbs_help_all(const command *of, ty_text *out) {
    ty_text_add(out, "\n");
    for (int i = 0; i < of->verbs->n; i++)
        add_line(row_at(of, i), out);
    ty_text_addf(out, "\n`tiltyard %s VERB --help` says more of one.\n", of->name);
    if (of->about)
        ty_text_addf(out, "\n%s", of->about);
    ty_text_add(out, "\noptions:\n");
    for (const option_row *row = of->options; row->name; row++) {
        ty_text takers = {0};
        add_takers(of, row, &takers);
        args_help_row(row, takers.length ? ty_text_string(&takers) : NULL, out);
        ty_text_clear(&takers);
    }
}
