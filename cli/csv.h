/* Tables about a run as CSV (RFC 4180), which MLflow's UI shows and spreadsheets read. */
#ifndef TY_CLI_CSV_H
#define TY_CLI_CSV_H

#include "tracking/tracking.h"
#include "trainer/trainer.h"

/* Adds a field as RFC 4180 quotes it. A spreadsheet takes a text that begins with = + - @ or a tab for
 * a formula and runs it, so that such a text gets a ' before it unless it is a number. */
void csv_add_field(ty_text *out, const char *text);

/* A row for each step that has a point, a column for each curve but the machine's load, whose steps
 * are others. Errors: TY_ERR_NOMEM. */
ty_status csv_curves(ty_ctx *ctx, const ty_run_record *run, ty_text *out) TY_MUST_USE;

/* Truth by rows, predictions by columns, recall at the end. */
ty_status csv_confusion(ty_ctx *ctx, const ty_data_info *info, const ty_eval_result *eval,
                        ty_text *out) TY_MUST_USE;

/* Where one rank's time went. Plain bytes: ranks exchange it. */
typedef struct csv_timing {
    char host[64], device[64];
    double seconds, data, compute, comm, eval;
} csv_timing;

void csv_timings(const csv_timing *rows, int n, ty_text *out);

#endif
