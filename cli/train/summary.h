/* The last words of a complete run, for people or as a JSON line. */
#ifndef TY_CLI_TRAIN_SUMMARY_H
#define TY_CLI_TRAIN_SUMMARY_H

#include "cli/cli.h"
#include "tracking/tracking.h"
#include "trainer/trainer.h"

typedef struct summary {
    const cli *app;
    const char *run_folder;
    const char *report;  /* NULL: it was not written */
    const char *package; /* the best model's; NULL: there is none */
    const ty_train_result *result;
    const ty_eval_result *test; /* NULL: there was nothing to evaluate on */
    const char *test_split;
    const ty_target *target; /* where the run is recorded */
    const char *link;        /* to its page, of a server that has it by now; or NULL */
} summary;

void summary_write(const summary *s, ty_text *out);

/* The JSON line of a run that was complete before: its scores are those its journal kept. */
void summary_write_again(const ty_run_record *run, const char *run_folder,
                         const ty_train_result *result, ty_text *out);

#endif
