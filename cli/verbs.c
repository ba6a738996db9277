#include "cli/verbs.h"

#include <string.h>

static const verb *row_at(const void *rows, int i, size_t bytes) {
    return (const verb *)(const void *)((const char *)rows + (size_t)i * bytes);
}

static ty_status fail_unknown(cli *app, const command *of, const void *rows, int n, size_t bytes) {
    ty_text all = {0};
    for (int i = 0; i < n; i++)
        ty_text_addf(&all, "%s%s", i ? ", " : "", row_at(rows, i, bytes)->name);
    const ty_status st = ty_fail(&app->ctx, TY_ERR_ARG, "`tiltyard %s %s`: want one of %s",
                                 of->name, app->args.operand[0], ty_text_string(&all));
    ty_text_clear(&all);
    return st;
}

/* An option that a verb does nothing with was meant for something. */
static ty_status check_options(cli *app, const command *of, const verb *v) {
    for (const option_row *row = of->options; row->name; row++) {
        char name[32];
        (void)snprintf(name, sizeof name, " %s ", row->name);
        if (args_has(&app->args, row->name) && !strstr(v->options, name))
            return ty_fail(&app->ctx, TY_ERR_ARG, "--%s is not for `tiltyard %s %s`", row->name,
                           of->name, v->name);
    }
    return TY_OK;
}

ty_status verbs_find(cli *app, const command *of, const void *rows, int n, size_t bytes, int *out) {
    const int operands = app->args.n_operands - 1;
    int at = 0;
    while (at < n && strcmp(row_at(rows, at, bytes)->name, app->args.operand[0]) != 0)
        at++;
    if (at == n)
        return fail_unknown(app, of, rows, n, bytes);
    const verb *found = row_at(rows, at, bytes);
    if (operands < found->min_operands || operands > found->max_operands)
        return ty_fail(&app->ctx, TY_ERR_ARG, "want `tiltyard %s`", found->usage);
    TY_TRY(check_options(app, of, found));
    if (!ty_file_exists(&app->ctx, app->folder))
        return ty_fail(&app->ctx, TY_ERR_NOT_FOUND, "there is no folder %s", app->folder);
    *out = at;
    return TY_OK;
}
