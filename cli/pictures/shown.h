/* What a run shows of itself in MLflow beside its curves: a description, and at its end report.html,
 * tables and pictures. Rank 0; whatever cannot be written is said, and the run is as good without. */
#ifndef TY_CLI_PICTURES_SHOWN_H
#define TY_CLI_PICTURES_SHOWN_H

#include "cli/csv.h"
#include "cli/train/report.h"

typedef struct shown {
    ty_ctx *ctx;
    ty_arena *arena; /* what the paths live in */
    void (*tell_file)(void *self, const char *path);
    void (*tell_tag)(void *self, const char *key, const char *value);
    void *self;
} shown;

/* The description; what somebody wrote in MLflow's UI stays. */
void shown_note(const shown *s, const report *r);

/* Description, report.html in the run's folder, tables and pictures among its artifacts.
 * timings: one of each rank. Returns the report's path in s->arena, NULL where it was not written. */
const char *shown_result(const shown *s, const report *r, const csv_timing *timings);

#endif
