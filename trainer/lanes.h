/* Lanes: the worker threads of a rank. Each has its own context and device; lane 0 is the thread
 * that opened them. A lane computes whole shards on one thread, so nothing that is computed depends
 * on how many lanes there are. */
#ifndef TY_TRAINER_LANES_H
#define TY_TRAINER_LANES_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_lanes ty_lanes;

typedef struct ty_lane {
    int index;
    ty_ctx *ctx; /* of its thread */
    ty_device *dev;
} ty_lane;

typedef ty_status ty_lane_task(ty_lane *lane, void *arg);

/* Starts n - 1 threads and opens a device on each lane. *out is the caller's to close, on the same
 * thread.
 * Errors: TY_ERR_DEVICE; TY_ERR_FAILED a thread could not be started. */
ty_status ty_lanes_open(ty_ctx *ctx, int n, const ty_device_options *device,
                        ty_lanes **out) TY_MUST_USE;
void ty_lanes_close(ty_lanes *lanes); /* accepts NULL */

/* Runs task on every lane and waits for all. Fails with the status and message of the lowest lane
 * that failed. */
ty_status ty_lanes_run(ty_ctx *ctx, ty_lanes *lanes, ty_lane_task *task, void *arg) TY_MUST_USE;

int ty_lanes_count(const ty_lanes *lanes);
ty_device *ty_lanes_device(const ty_lanes *lanes); /* lane 0's, for work on the opening thread */

#ifdef __cplusplus
}
#endif
#endif
