/* data: what a data set holds, checked and fingerprinted, without a config. */
#include <string.h>

#include "cli/cli.h"
#include "data/data.h"

/* The rows of the data section stand under "data" in a config; here they are the whole document. */
static ty_status read_config(cli *app, const char *source, ty_doc **doc, ty_data_config *out) {
    TY_TRY(ty_doc_parse(&app->ctx, "command line", "{}", 2, doc));
    ty_text assignment = {0};
    ty_text_add(&assignment, "source=");
    ty_text_add_json(&assignment, source);
    ty_status st = ty_doc_set(&app->ctx, *doc, ty_text_string(&assignment));
    ty_text_clear(&assignment);
    for (int i = 0; st == TY_OK && i < app->args.n_options; i++)
        if (strcmp(app->args.option[i].row->name, "set") == 0)
            st = ty_doc_set(&app->ctx, *doc, app->args.option[i].value);
    return st == TY_OK ? ty_rows_load(&app->ctx, &ty_data_rows, NULL, *doc, out) : st;
}

static ty_status data_info(cli *app) {
    if (strcmp(app->args.operand[0], "info") != 0)
        return ty_fail(&app->ctx, TY_ERR_ARG, "want `tiltyard data info SOURCE`");
    ty_doc *doc = NULL;
    ty_dataset *set = NULL;
    ty_data_config config = {0};
    ty_text out = {0};
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, read_config(app, app->args.operand[1], &doc, &config));
    TY_TRY_GOTO(done, st, ty_dataset_open(&app->ctx, &config, NULL, &set));
    if (app->console.is_json)
        TY_TRY_GOTO(done, st, ty_dataset_describe_json(&app->ctx, set, &out));
    else
        TY_TRY_GOTO(done, st, ty_dataset_describe(&app->ctx, set, &out));
    console_print(&app->console, ty_text_string(&out));
done:
    ty_text_clear(&out);
    ty_dataset_close(set);
    ty_doc_close(doc);
    return st;
}

static const option_row options[] = {
    {"set", 's', "KEY=VALUE", "a key of a config's data section: --set target=price"}, {0}};

const command cmd_data = {.name = "data",
                          .operands = "info SOURCE",
                          .summary =
                              "check a data set and show splits, shapes, classes, fingerprint",
                          .about = "SOURCE is a named set (fashion-mnist, synthetic), a folder of "
                                   "IDX files, a CSV, TSV or HDF5 file.\n",
                          .options = options,
                          .min_operands = 2,
                          .max_operands = 2,
                          .run = data_info};
