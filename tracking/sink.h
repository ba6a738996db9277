/* The thread that folds a run into the store while it runs. A store that is busy, foreign or full
 * delays it and no one else: that is said once, tried again ever less often, and said again when it
 * works. */
#ifndef TY_TRACKING_SINK_H
#define TY_TRACKING_SINK_H

#include "tracking/fold.h"

typedef struct ty_sink ty_sink;

/* Starts the thread. *out is the caller's to close. */
ty_status ty_sink_open(ty_ctx *ctx, const char *store_folder, const char *run_folder,
                       ty_sink **out) TY_MUST_USE;

/* The journal is durable up to sequence: fold it. From any thread; waits for nothing. */
void ty_sink_offer(ty_sink *sink, uint64_t sequence);

/* The run's experiment in the store; -1 until it was reached. From any thread. */
int64_t ty_sink_experiment(const ty_sink *sink);

/* Folds what is left, for deadline_ms at most where the store is busy, and ends the thread. Accepts
 * NULL. */
void ty_sink_close(ty_ctx *ctx, ty_sink *sink, int deadline_ms);

#endif
