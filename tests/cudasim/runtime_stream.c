/* Streams and events of the cudart API. Event records and waits and waits for streams are mutation points:
 * event:<caller>[<its caller...]:<which of its calls>. */
#include "runtime.h"

#include <stdlib.h>

#include "stream.h"

static bool is_dropped(void) {
    return cs_mutation_call("event");
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
    RT_ENTER(cudaErrorMemoryAllocation);
    return rt_leave(cs_stream_new(stream, cudaStreamDefault, 0));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    RT_ENTER(cudaErrorMemoryAllocation);
    return rt_leave(cs_stream_new(stream, flags, 0));
}

/* Clamped as CUDA says: numerically lower is more urgent. */
#define PRIORITY_LEAST 0
#define PRIORITY_GREATEST (-5)

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int priority) {
    RT_ENTER(cudaErrorMemoryAllocation);
    int clamped = priority < PRIORITY_GREATEST ? PRIORITY_GREATEST : priority;
    return rt_leave(
        cs_stream_new(stream, flags, clamped > PRIORITY_LEAST ? PRIORITY_LEAST : clamped));
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    RT_ENTER(cudaErrorInitializationError);
    if (least)
        *least = PRIORITY_LEAST;
    if (greatest)
        *greatest = PRIORITY_GREATEST;
    return rt_leave(cudaSuccess);
}

/* Destroys even where it is made to fail: the call is over either way. */
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    int early = cs_runtime_early(cs_enter(cudaErrorLaunchFailure));
    int error = cs_stream_end(stream);
    return rt_leave(early ? early : error);
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned *flags) {
    RT_ENTER(cudaErrorInitializationError);
    return rt_leave(cs_stream_flags(stream, flags));
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority) {
    RT_ENTER(cudaErrorInitializationError);
    return rt_leave(cs_stream_priority(stream, priority));
}

cudaError_t cudaStreamGetDevice(cudaStream_t stream, int *device) {
    RT_ENTER(cudaErrorInitializationError);
    int found = cs_stream_device(stream);
    if (device)
        *device = found;
    return rt_leave(found < 0 ? cudaErrorInvalidResourceHandle : cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(is_dropped() ? cudaSuccess : cs_stream_wait(stream));
}

cudaError_t cudaDeviceSynchronize(void) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(is_dropped() ? cudaSuccess : cs_device_wait(cs_current_device()));
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(cs_stream_query(stream));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    RT_ENTER(cudaErrorInvalidResourceHandle);
    if (flags != cudaEventWaitDefault)
        cs_unknown("cudaStreamWaitEvent", "flags %#x", flags);
    return rt_leave(is_dropped() ? cudaSuccess : cs_event_wait_in_stream(stream, event));
}

typedef struct host_call {
    cudaHostFn_t function;
    void *data;
} host_call;

static cs_progress run_host_call(void *arg) {
    const host_call *call = arg;
    call->function(call->data);
    return CS_DONE;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
    RT_ENTER(cudaErrorMemoryAllocation);
    host_call *call = function ? malloc(sizeof *call) : NULL;
    if (!call)
        return rt_leave(function ? cudaErrorMemoryAllocation : cudaErrorInvalidValue);
    *call = (host_call){function, data};
    return rt_leave(cs_enqueue(stream, "cudaLaunchHostFunc", run_host_call, call, free));
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    RT_ENTER(cudaErrorMemoryAllocation);
    return rt_leave(cs_event_new(event, cudaEventDefault));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    RT_ENTER(cudaErrorMemoryAllocation);
    return rt_leave(cs_event_new(event, flags));
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    int early = cs_runtime_early(cs_enter(cudaErrorLaunchFailure));
    int error = cs_event_end(event);
    return rt_leave(early ? early : error);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    RT_ENTER(cudaErrorInvalidResourceHandle);
    return rt_leave(is_dropped() ? cudaSuccess : cs_event_record(event, stream));
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
    RT_ENTER(cudaErrorInvalidResourceHandle);
    if (flags != cudaEventRecordDefault)
        cs_unknown("cudaEventRecordWithFlags", "flags %#x", flags);
    return rt_leave(is_dropped() ? cudaSuccess : cs_event_record(event, stream));
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(cs_event_query(event));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(is_dropped() ? cudaSuccess : cs_event_wait(event));
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
    RT_ENTER(cudaErrorInvalidResourceHandle);
    return rt_leave(cs_event_elapsed(ms, start, end));
}
