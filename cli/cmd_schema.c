/* schema: the config rows as JSON Schema, as Markdown, or one key explained. */
#include "cli/cli.h"
#include "trainer/trainer.h"

static const char markdown_head[] =
    "# Config keys\n\n"
    "Made from the rows that read them: `tiltyard schema --markdown > docs/CONFIG.md`. *Changes* "
    "says what a key changes: the\n"
    "result (then it is part of a run's identity), only the cost, or only the display. `--set "
    "a.b=value` writes any of them.\n\n";

static ty_status schema(cli *app) {
    ty_text out = {0};
    ty_status st = TY_OK;
    if (args_has(&app->args, "markdown")) {
        ty_text_add(&out, markdown_head);
        ty_rows_markdown(&ty_train_rows, &out);
    } else if (args_has(&app->args, "explain"))
        st = ty_rows_explain(&app->ctx, &ty_train_rows, args_value(&app->args, "explain"), &out);
    else
        ty_rows_schema(&ty_train_rows, "tiltyard train", &out);
    if (st == TY_OK)
        console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

static const option_row options[] = {
    {"explain", 0, "KEY", "one key: type, bounds, default, what it does"},
    {"markdown", 0, NULL, "all keys as Markdown: docs/CONFIG.md"},
    {0}};

const command cmd_schema = {.name = "schema",
                            .operands = "",
                            .summary =
                                "JSON Schema of a config, for editors; --explain KEY for people",
                            .options = options,
                            .run = schema};
