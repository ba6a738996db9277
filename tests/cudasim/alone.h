/* The engine without the CUDA runtime: what it needs of sim.h, report.h and memory.h, small and in one process, so that
 * the engine's tests and fuzz targets run without a toolkit and under sanitizers. Reports are kept, not fatal. */
#ifndef TY_CUDASIM_ALONE_H
#define TY_CUDASIM_ALONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/cudasim/engine.h"
#include "tests/cudasim/memory.h"
#include "tests/cudasim/sim.h"

typedef struct alone_report {
    cs_kind kind;
    char where[128];
    char text[512];
} alone_report;

/* Reserves memory, forgets reports, sets the options of a test: all checks, in order, seed 0. */
void alone_start(void);
/* Frees what is left. */
void alone_stop(void);

/* Distinct reports (kind, where) since the last alone_start or alone_forget. */
size_t alone_reports(const alone_report **reports);
void alone_forget(void);
/* Reports of one kind; of all kinds for CS_KINDS. */
size_t alone_count(cs_kind kind);

/* What cs_unknown does in such a process: the calling test fails, unless it set alone_unknown. */
extern void (*alone_unknown)(const char *text);

/* What cs_mutation_point listed (CUDASIM_MUTATE=list), one point a line. */
const char *alone_notes(void);

#endif
