/* Events: a clock, taken when they are recorded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"
#include "sim.h"
#include "stream.h"
#include "stream_parts.h"

typedef struct event {
    struct event *next; /* all that were ever made: a destroyed one is still recognised */
    int device;
    unsigned flags;
    bool is_alive, is_recorded;
    cs_clock clock;
    uint64_t generation; /* of the latest record */
    uint64_t time_ns, time_generation;
    char ended_by[64];
} event;

typedef struct record {
    event *event;
    uint64_t generation;
} record;

static event **all_events(void) {
    static event *first;
    return &first;
}

static event *resolve(cudaEvent_t handle) {
    for (event *e = *all_events(); e; e = e->next) {
        if ((cudaEvent_t)(void *)e != handle)
            continue;
        if (e->is_alive)
            return e;
        cs_report(CS_USE_AFTER_FREE, cs_current_call(), "event %p was destroyed by %s",
                  (void *)handle, e->ended_by);
        return NULL;
    }
    cs_report(CS_ARGUMENT, cs_current_call(), "%p is no event", (void *)handle);
    return NULL;
}

int cs_event_new(cudaEvent_t *handle, unsigned flags) {
    if (!handle || (flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming)))
        return cudaErrorInvalidValue;
    event *e = calloc(1, sizeof *e);
    if (!e)
        return cudaErrorMemoryAllocation;
    *e = (event){
        .next = *all_events(), .device = cs_current_device(), .flags = flags, .is_alive = true};
    *all_events() = e;
    *handle = (cudaEvent_t)(void *)e;
    cs_leak_track("event", e, NULL);
    return cudaSuccess;
}

int cs_event_end(cudaEvent_t handle) {
    event *e = resolve(handle);
    if (!e)
        return cudaErrorInvalidResourceHandle;
    e->is_alive = false;
    snprintf(e->ended_by, sizeof e->ended_by, "%s", cs_caller_name());
    cs_leak_release("event", e);
    return cudaSuccess;
}

static cs_progress run_record(void *arg) {
    const record *r = arg;
    r->event->time_ns = cs_device_time_ns();
    r->event->time_generation = r->generation;
    return CS_DONE;
}

int cs_event_record(cudaEvent_t handle, cudaStream_t stream) {
    event *e = resolve(handle);
    int device = 0;
    const cs_clock *clock = e ? cs_stream_clock(stream, &device) : NULL;
    if (!clock)
        return cudaErrorInvalidResourceHandle;
    if (device != e->device) {
        cs_report(CS_WRONG_DEVICE, cs_current_call(), "event of device %d in a stream of device %d",
                  e->device, device);
        return cudaErrorInvalidResourceHandle;
    }
    record *r = malloc(sizeof *r);
    if (!r)
        return cudaErrorMemoryAllocation;
    *r = (record){e, ++e->generation};
    int error = cs_enqueue(stream, "cudaEventRecord", run_record, r, free);
    if (error)
        return error;
    e->clock = *clock;
    e->is_recorded = true;
    return cudaSuccess;
}

int cs_event_wait_in_stream(cudaStream_t stream, cudaEvent_t handle) {
    const event *e = resolve(handle);
    cs_clock *clock = e ? cs_stream_clock(stream, NULL) : NULL;
    if (!clock)
        return cudaErrorInvalidResourceHandle;
    if (e->is_recorded)
        cs_clock_join(clock, &e->clock);
    return cudaSuccess;
}

int cs_event_query(cudaEvent_t handle) {
    const event *e = resolve(handle);
    if (!e)
        return cudaErrorInvalidResourceHandle;
    if (!cs_has_run(&e->clock))
        cs_make_progress();
    if (!cs_has_run(&e->clock))
        return cudaErrorNotReady;
    cs_host_knows(&e->clock);
    return cs_sim.sticky_error;
}

int cs_event_wait(cudaEvent_t handle) {
    const event *e = resolve(handle);
    return e ? cs_wait_for(&e->clock, cs_current_call()) : cudaErrorInvalidResourceHandle;
}

int cs_event_elapsed(float *ms, cudaEvent_t start, cudaEvent_t end) {
    const event *from = resolve(start), *to = resolve(end);
    if (!from || !to || !from->is_recorded || !to->is_recorded ||
        ((from->flags | to->flags) & cudaEventDisableTiming))
        return cudaErrorInvalidResourceHandle;
    if (!ms)
        return cudaErrorInvalidValue;
    if (!cs_has_run(&from->clock) || !cs_has_run(&to->clock))
        return cudaErrorNotReady;
    *ms = (float)((double)((int64_t)(to->time_ns - from->time_ns)) * 1e-6);
    return cudaSuccess;
}
