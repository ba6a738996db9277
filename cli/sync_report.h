/* How far runs have come, in words and as JSON: for sync, which brings them, and for runs show. */
#ifndef TY_CLI_SYNC_REPORT_H
#define TY_CLI_SYNC_REPORT_H

#include "cli/cli.h"
#include "tracking/tracking.h"

/* "all of it acknowledged: ..." or "pending ...", one line without its end. */
void sync_report_state(const console *c, const ty_sync_report *r, ty_text *out);

/* All of a report, some lines. */
void sync_report_words(const console *c, const ty_sync_report *r, ty_text *out);

/* A JSON object. */
void sync_report_json(const ty_sync_report *r, ty_text *out);

/* One line on n runs together, without its end. */
void sync_report_sum(const ty_sync_report *v, int64_t n, ty_text *out);

#endif
