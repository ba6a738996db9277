/* The thread that feeds a sink while a run lasts. A sink that is busy, gone or full delays it and no
 * one else: that is said once, tried again ever less often, and said again when it works. Every few
 * seconds it looks whether somebody asked in MLflow for the run to stop. */
#ifndef TY_TRACKING_SINKS_FEEDER_H
#define TY_TRACKING_SINKS_FEEDER_H

#include "tracking/sinks/sink.h"

typedef struct ty_feeder ty_feeder;

/* The run's tag that asks for its end: any value but "", "0", "false", "no" and "off". And the tag
 * that says which value the run has obeyed: it does not obey the same again, unless the first tag was
 * seen without one in between. */
#define TY_FEEDER_STOP_TAG "tiltyard.stop"
#define TY_FEEDER_STOPPED_TAG "tiltyard.stopped"

enum { TY_FEEDER_LOOK_MS = 3000, TY_FEEDER_VALUE_BYTES = 256 };

typedef struct ty_feeder_options {
    const char *folder, *run_folder; /* absolute */
    const ty_target *target;         /* not offline */
    const char *stopped_by;          /* the value that the run has obeyed before; "" for none */
} ty_feeder_options;

/* Starts the thread. *out is the caller's to close. */
ty_status ty_feeder_open(ty_ctx *ctx, const ty_feeder_options *options,
                         ty_feeder **out) TY_MUST_USE;

/* The journal is durable up to sequence: feed it. From any thread; waits for nothing. This and what
 * follows accept NULL: there is no sink, and nothing to say. */
void ty_feeder_offer(ty_feeder *feeder, uint64_t sequence);

/* What the sink knows by now. From any thread. */
void ty_feeder_describe(ty_feeder *feeder, ty_sink_facts *out);

/* Whether somebody asked for the run to stop, and with what value. From any thread; costs a load. */
bool ty_feeder_is_stopped(ty_feeder *feeder, char value[TY_FEEDER_VALUE_BYTES]);

/* Whether a value of the tag asks for an end. */
bool ty_feeder_is_stop_value(const char *value);

/* Feeds what is left, for deadline_ms at most, says what has to follow where that is not all, and
 * ends the thread. */
void ty_feeder_close(ty_ctx *ctx, ty_feeder *feeder, int deadline_ms);

#endif
