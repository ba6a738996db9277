/* The observer a person reads: one redrawn line on a terminal, a plain line at most each 10 s
 * elsewhere, a table row at each evaluation; or, with --json, one object a line on stdout. */
#ifndef TY_CLI_TRAIN_PROGRESS_H
#define TY_CLI_TRAIN_PROGRESS_H

#include "cli/console.h"

typedef struct progress {
    ty_ctx *ctx;
    console *console;
    int64_t drawn_ns; /* when something was shown last */
    bool has_head;
    bool is_classification;
    double train_loss, val_loss, val_accuracy, samples_per_s; /* newest */
    double epoch;
} progress;

/* p is the caller's and lives as long as its observer; ctx and c are borrowed. Rank 0 only. */
void progress_init(progress *p, ty_ctx *ctx, console *c, bool is_classification);
ty_observer progress_observer(progress *p);

/* "[=======>            ]", done in [0, 1]. */
void progress_add_bar(ty_text *text, double done);

#endif
