/* report.html: one self-contained page about a run (no script, no network): result, curves,
 * confusion matrix, worst mistakes, timings, configuration, how to go on. */
#ifndef TY_CLI_TRAIN_REPORT_H
#define TY_CLI_TRAIN_REPORT_H

#include "cli/facts.h"
#include "tracking/tracking.h"
#include "trainer/trainer.h"

/* What is known of a run, for all that is written about it. */
typedef struct report {
    const ty_run_record
        *run; /* as the journal tells it: curves survive resumes; NULL at the start */
    const char *run_folder;
    const ty_train_report *plan;
    const ty_train_result *result; /* NULL at the start */
    const ty_eval_result *test;    /* NULL where there was no test data */
    const char *test_split;        /* "test", "val" */
    const ty_layer_row *layers;
    int64_t n_layers;
    const ty_dataset *data;
    ty_split split; /* that the mistakes come from */
    const facts *facts;
    const ty_doc *doc;
    const char *config_json;
    const char *command_line;
    int ranks;
} report;

/* Writes the page to path, atomically. */
ty_status report_write(ty_ctx *ctx, const report *r, const char *path) TY_MUST_USE;

#endif
