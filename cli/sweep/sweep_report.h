/* report.html of a sweep: its charts, its trials, its best one, how to go on. One file that wants
 * nothing from anywhere; a small script sorts the table, everything else works without. */
#ifndef TY_CLI_SWEEP_SWEEP_REPORT_H
#define TY_CLI_SWEEP_SWEEP_REPORT_H

#include "cli/sweep/sweep_chart.h"

typedef struct sweep sweep;

/* What the page is made of; everything is borrowed. */
typedef struct sweep_page {
    const sweep_view *view;
    const char *sampler, *pruner;
    const char *best_run;    /* its name; NULL: there is no best trial */
    const char *command;     /* what goes on with the sweep */
    const json_t *test;      /* the best trial on the test data, as test.json has it; NULL */
    const char *sweep_json;  /* what the sweep was begun with; NULL: not kept */
    const char *config_json; /* NULL: trials are another program */
} sweep_page;

/* Appends the page (sweep_page.c). */
void sweep_page_html(const sweep_page *p, ty_text *out);

/* Writes what s is now. Errors: TY_ERR_IO, TY_ERR_NOMEM. */
ty_status sweep_report_write(sweep *s, const sweep_view *v, const char *path) TY_MUST_USE;

/* At the end of a sweep: report.html and plots/ in its folder, told to its parent run. Where they cannot
 * be written, that is said. */
void sweep_report_end(sweep *s);

#endif
