/* Amounts ("10 epochs", "2000 steps", "5%") in steps of a run. */
#ifndef TY_TRAINER_AMOUNT_H
#define TY_TRAINER_AMOUNT_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How long a run is. */
typedef struct ty_extent {
    int64_t samples_per_epoch;
    int64_t samples_per_step; /* the global batch */
    int64_t total_steps;      /* 0: bounded by time */
} ty_extent;

/* Steps that cover the amount (rounded up); 0 for "never". Seconds have no length in steps: 0. */
int64_t ty_amount_steps(ty_amount amount, const ty_extent *extent);

/* Whether something that happens each `every` is due once `step` updates are done. Never for
 * "never" and seconds. */
bool ty_amount_is_due(ty_amount every, const ty_extent *extent, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
