/* Streams and events. Everything queued waits until something synchronises or queries; then a seeded choice among the
 * streams that may go on decides what runs next, so every order that CUDA allows can happen.
 *
 * Order is kept as vector clocks, one count a stream, all known when an operation is queued: what came before it in
 * its stream, the events its stream was told to wait for, and what the host had waited for. An operation may run when
 * all that its clock covers has run; two operations that touch the same bytes, one writing, and neither clock covering
 * the other, are a missing event, whichever ran first. */
#ifndef TY_CUDASIM_STREAM_H
#define TY_CUDASIM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda_api.h"

#define CS_MAX_STREAMS 128

typedef enum cs_progress {
    CS_DONE,
    CS_PENDING /* try again later: a collective whose peers are not there yet */
} cs_progress;

typedef cs_progress cs_run_fn(void *arg);
typedef struct cs_op cs_op;

typedef struct cs_clock {
    uint32_t count[CS_MAX_STREAMS];
} cs_clock;

/* Queues an operation: run(arg) until it is CS_DONE, then drop(arg) (also if it never runs; NULL: nothing to drop).
 * what is copied. Returns a cudaError; on an error drop was called. Ranges are declared right after, on
 * cs_last_op(), or while it runs, on cs_running_op(). */
int cs_enqueue(cudaStream_t stream, const char *what, cs_run_fn *run, void *arg,
               void (*drop)(void *arg));
cs_op *cs_last_op(void);
cs_op *cs_running_op(void);

/* The bytes an operation reads and writes (device or pinned addresses; others are ignored). */
void cs_op_reads(cs_op *op, uint64_t address, size_t bytes);
void cs_op_writes(cs_op *op, uint64_t address, size_t bytes);

/* The operation is a kernel: what the engine touched (cs_touch) is collected when it has run. */
void cs_op_is_kernel(cs_op *op);

/* The device a stream belongs to; -1 (and a report) where the handle is none. */
int cs_stream_device(cudaStream_t stream);

/* Runs queued work until the stream (or everything of a device) is done and lets the host know. cudaError. */
int cs_stream_wait(cudaStream_t stream);
int cs_device_wait(int device);

/* Lets queued work go on a little without waiting for anything (queries, polling). */
void cs_make_progress(void);

/* What the cudart functions are made of; all return cudaErrors. */
int cs_stream_new(cudaStream_t *stream, unsigned flags, int priority);
int cs_stream_end(cudaStream_t stream);
int cs_stream_query(cudaStream_t stream);
int cs_stream_flags(cudaStream_t stream, unsigned *flags);
int cs_stream_priority(cudaStream_t stream, int *priority);
int cs_event_new(cudaEvent_t *event, unsigned flags);
int cs_event_end(cudaEvent_t event);
int cs_event_record(cudaEvent_t event, cudaStream_t stream);
int cs_event_wait_in_stream(cudaStream_t stream, cudaEvent_t event);
int cs_event_query(cudaEvent_t event);
int cs_event_wait(cudaEvent_t event);
int cs_event_elapsed(float *ms, cudaEvent_t start, cudaEvent_t end);

int cs_streams_start(void);
/* After a sticky error nothing that is queued runs any more: drops it. */
void cs_streams_abandon(void);
/* Drops what is still queued. */
void cs_streams_stop(void);

#endif
