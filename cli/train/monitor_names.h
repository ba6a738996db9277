/* What a sample of the machine's load holds, and the metrics' names. */
#ifndef TY_CLI_TRAIN_MONITOR_NAMES_H
#define TY_CLI_TRAIN_MONITOR_NAMES_H

#include "base/base.h"

typedef enum load_column {
    LOAD_CPU,
    LOAD_MEMORY_MB,
    LOAD_MEMORY_PERCENT,
    LOAD_DISK_PERCENT,
    LOAD_DISK_MB,
    LOAD_DISK_FREE_MB,
    LOAD_RECEIVED_MB,
    LOAD_SENT_MB,
    LOAD_PROCESS_CPU,
    LOAD_PROCESS_MB,
    LOAD_GPU_MEMORY_PERCENT,
    LOAD_GPU_MEMORY_MB,
    LOAD_GPU_BUSY,
    LOAD_GPU_WATTS,
    LOAD_GPU_WATTS_PERCENT,
    LOAD_COLUMNS
} load_column;

/* One moment; NAN: unknown, or another rank's to tell. */
typedef struct load_sample {
    int64_t time_ns; /* wall clock */
    double value[LOAD_COLUMNS];
} load_sample;

enum { LOAD_NODE_BYTES = 64, LOAD_KEY_BYTES = 160 };

/* Where a rank sits. Exchanged once; plain bytes. */
typedef struct load_seat {
    char node_id[LOAD_NODE_BYTES]; /* MLFLOW_SYSTEM_METRICS_NODE_ID there; "": not set */
    int32_t node;                  /* hosts are numbered */
    int32_t gpu;                   /* its number on the host; -1: none, or not to be watched */
} load_seat;

/* Whether this rank is the one that tells of its host, of its GPU. */
bool load_tells_host(const load_seat *seats, int rank);
bool load_tells_gpu(const load_seat *seats, int rank);

/* The metric's key, as a rank of n tells it. */
void load_key(const load_seat *seats, int n, int rank, load_column column,
              char out[LOAD_KEY_BYTES]);

/* The columns that two readings make: host's and process's, in MB of 1e6 bytes. first: of the time
 * when the monitor began. */
void load_of_system(const ty_system_reading *first, const ty_system_reading *before,
                    const ty_system_reading *now, double seconds, bool tells_host,
                    double out[LOAD_COLUMNS]);
void load_of_gpu(const ty_nvml_reading *gpu, double out[LOAD_COLUMNS]);

#endif
