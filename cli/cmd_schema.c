/* schema: the rows of a config or a sweep file as JSON Schema, as Markdown, or one key explained. */
#include "cli/cli.h"
#include "hpo/hpo.h"
#include "trainer/trainer.h"

static const char markdown_head[] =
    "# Config keys\n\n"
    "Made from the rows that read them: `tiltyard schema --markdown > docs/CONFIG.md`. *Changes* "
    "says what a key changes: the\n"
    "result (then it is part of a run's identity), only the cost, or only the display. `--set "
    "a.b=value` writes any of them.\n\n";

static const char sweep_markdown_head[] = "# Keys of a sweep file\n\n"
                                          "Made from the rows that read them: `tiltyard schema "
                                          "--sweep --markdown`. docs/SEARCH.md says what "
                                          "`parameters` may hold.\n\n";

static ty_status explain(cli *app, bool is_sweep, const char *key, ty_text *out) {
    ty_text there = {0};
    if (!is_sweep)
        return ty_rows_explain(&app->ctx, &ty_train_rows, ty_train_foreign, key, out);
    const bool is_of_config =
        ty_rows_explain(&app->ctx, &ty_sweep_rows, NULL, key, out) != TY_OK &&
        ty_rows_explain(&app->ctx, &ty_train_rows, NULL, key, &there) == TY_OK;
    ty_text_clear(&there);
    out->length = 0;
    if (is_of_config)
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "\"%s\" is a key of a config, which a sweep file names in \"parameters\": "
                       "`tiltyard schema --explain %s`",
                       key, key);
    return ty_rows_explain(&app->ctx, &ty_sweep_rows, ty_sweep_foreign, key, out);
}

static ty_status schema(cli *app) {
    ty_text out = {0};
    ty_status st = TY_OK;
    const bool is_sweep = args_has(&app->args, "sweep");
    const ty_rows *rows = is_sweep ? &ty_sweep_rows : &ty_train_rows;
    if (args_has(&app->args, "markdown")) {
        ty_text_add(&out, is_sweep ? sweep_markdown_head : markdown_head);
        ty_rows_markdown(rows, &out);
    } else if (args_has(&app->args, "explain"))
        st = explain(app, is_sweep, args_value(&app->args, "explain"), &out);
    else
        ty_rows_schema(rows, is_sweep ? "tiltyard sweep" : "tiltyard train", &out);
    if (st == TY_OK)
        console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

static const option_row options[] = {
    {"sweep", 0, NULL, "of a sweep file rather than of a config"},
    {"explain", 0, "KEY", "one key: type, bounds, default, what it does"},
    {"markdown", 0, NULL, "all keys as Markdown: docs/CONFIG.md"},
    {0}};

const command cmd_schema = {.name = "schema",
                            .operands = "",
                            .summary =
                                "JSON Schema of a config, for editors; --explain KEY for people",
                            .options = options,
                            .run = schema};
