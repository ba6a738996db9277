/* The machine's load as metrics beside a run, under the names that MLflow's own monitor uses
 * (system/cpu_utilization_percentage, system/gpu_0_power_usage_watts, ...): a thread on every rank
 * that wakes now and then, and costs the training thread nothing.
 *
 * Who tells what: the first rank of each host its processor, memory, disk and network; each rank its
 * own processor time and memory; each GPU the first rank that computes on it. On one host the names
 * are MLflow's; on several each has a folder of its own, system/node_1/..., or what
 * MLFLOW_SYSTEM_METRICS_NODE_ID says there. What a rank tells of itself is under system/rank_3/ where
 * there is more than one. All is points of one run: the other ranks' samples reach rank 0 by post. */
#ifndef TY_CLI_TRAIN_MONITOR_H
#define TY_CLI_TRAIN_MONITOR_H

#include "trainer/trainer.h"

typedef struct monitor monitor;

typedef struct monitor_options {
    ty_comm *comm;
    const char *folder;      /* whose disk is watched */
    const uint8_t *gpu_uuid; /* what this rank computes on; NULL: no GPU */
    double every_s;          /* > 0 */
    ty_observer observer;    /* rank 0's: told of METRICs from the monitor's thread, step -1 */
} monitor_options;

/* Seconds between samples as config tracking.system_every and the environment have it
 * (MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL); 0: none are
 * taken. configured: NAN for "auto". */
double monitor_interval(const ty_ctx *ctx, double configured);

/* Starts the thread. A GPU that cannot be watched is said once and left out.
 * Ranks: collective; all get the same answer.
 * Owns:  *out is the caller's to close, after the last post. */
ty_status monitor_open(ty_ctx *ctx, const monitor_options *options, monitor **out) TY_MUST_USE;

/* What ty_trainer_options.post takes; self is the monitor. */
ty_post monitor_post(monitor *m);

/* A last sample on rank 0, then the end of the thread. Not collective; accepts NULL. */
void monitor_close(monitor *m);

#endif
