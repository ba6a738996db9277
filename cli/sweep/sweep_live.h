/* What a terminal shows while a sweep runs: how far it is, and the trials that run now. */
#ifndef TY_CLI_SWEEP_SWEEP_LIVE_H
#define TY_CLI_SWEEP_SWEEP_LIVE_H

#include "base/base.h"

/* A trial that runs; NAN for what it has not said. */
typedef struct live_trial {
    size_t trial;
    double epoch, step, value; /* of its last report */
    double seconds;            /* since it was begun here */
} live_trial;

typedef struct live_sweep {
    const char *metric;
    size_t begun, done, stopped, paused, failed;
    int64_t max_trials; /* 0: no bound */
    bool has_best;
    size_t best;
    double best_value;
    double seconds_left; /* NAN: nobody knows */
    const live_trial *trials;
    size_t n_trials;
} live_sweep;

/* Appends lines without an end to the last one, so many at most: where there are more trials, the last
 * line says so. most >= 4. */
void sweep_live_text(const live_sweep *l, size_t most, ty_text *out);

/* How long a sweep goes on where trials come to cost what those that ended did.
 * Units: seconds; NAN before the first end, or where there is no bound. */
typedef struct live_effort {
    size_t ended;              /* trials, or legs of them, that ended here */
    double busy;               /* that they took together */
    size_t to_begin, slots;    /* slots > 0 */
    const live_trial *running; /* [n_running] */
    size_t n_running;
} live_effort;
double sweep_live_left(const live_effort *e);

#endif
