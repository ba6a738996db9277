/* Allocation, copies and fills of the cudart API. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"
#include "memory.h"
#include "stream.h"
#include "stream_parts.h"

/* --- allocating ------------------------------------------------------------------------------- */

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    RT_ENTER(cudaErrorMemoryAllocation);
    if (!pointer)
        return rt_leave(cudaErrorInvalidValue);
    *pointer = NULL;
    if (bytes == 0)
        return rt_leave(cudaSuccess);
    uint64_t address = cs_memory_new(cs_current_device(), bytes, "cudaMalloc");
    if (!address)
        return rt_leave(cudaErrorMemoryAllocation);
    *pointer = (void *)(uintptr_t)address;
    cs_leak_track("device memory", *pointer, NULL);
    return rt_leave(cudaSuccess);
}

/* Waits for nothing: CUDA "may" synchronise here, and a program that leans on it is wrong on the day it does not. */
cudaError_t cudaFree(void *pointer) {
    int early = cs_runtime_early(cs_enter(cudaErrorLaunchFailure));
    int error = cudaSuccess;
    if (pointer) {
        error = cs_memory_free((uintptr_t)pointer) ? cudaSuccess : cudaErrorInvalidValue;
        cs_leak_release("device memory", pointer);
    }
    return rt_leave(early ? early : error);
}

static int new_pinned(void **pointer, size_t bytes) {
    if (!pointer)
        return cudaErrorInvalidValue;
    *pointer = bytes ? cs_pinned_new(bytes) : NULL;
    if (!*pointer)
        return bytes ? cudaErrorMemoryAllocation : cudaSuccess;
    cs_leak_track("pinned memory", *pointer, NULL);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes) {
    RT_ENTER(cudaErrorMemoryAllocation);
    return rt_leave(new_pinned(pointer, bytes));
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    RT_ENTER(cudaErrorMemoryAllocation);
    if (flags & ~(unsigned)(cudaHostAllocPortable | cudaHostAllocWriteCombined))
        cs_unknown("cudaHostAlloc", "flags %#x", flags);
    return rt_leave(new_pinned(pointer, bytes));
}

cudaError_t cudaFreeHost(void *pointer) {
    int early = cs_runtime_early(cs_enter(cudaErrorLaunchFailure));
    const cs_pinned *p = cs_pinned_of((uintptr_t)pointer);
    const cs_op *user = p && !p->is_freed ? cs_guard_user(p->address, p->bytes) : NULL;
    if (user)
        cs_report(CS_USE_AFTER_FREE, cs_current_call(),
                  "%p, while %s (queued by %s) may still use it", pointer, user->what,
                  user->caller);
    int error = cudaSuccess;
    if (pointer) {
        error = cs_pinned_free((uintptr_t)pointer) ? cudaSuccess : cudaErrorInvalidValue;
        cs_leak_release("pinned memory", pointer);
    }
    return rt_leave(early ? early : error);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    RT_ENTER(cudaErrorInitializationError);
    if (!free_bytes || !total_bytes)
        return rt_leave(cudaErrorInvalidValue);
    cs_memory_info(cs_current_device(), free_bytes, total_bytes);
    return rt_leave(cudaSuccess);
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                                     const void *pointer) {
    RT_ENTER(cudaErrorInitializationError);
    if (!attributes)
        return rt_leave(cudaErrorInvalidValue);
    uint64_t address = (uintptr_t)pointer;
    const cs_pinned *p = cs_pinned_of(address);
    memset(attributes, 0, sizeof *attributes);
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->device = -2; /* cudaInvalidDeviceId */
    if (cs_live_range(address, 1)) {
        attributes->type = cudaMemoryTypeDevice;
        attributes->device = cs_device_of(address);
        attributes->devicePointer = (void *)(uintptr_t)address;
    } else if (p && !p->is_freed) {
        attributes->type = cudaMemoryTypeHost;
        attributes->device = cs_current_device();
        attributes->hostPointer = (void *)(uintptr_t)address;
    }
    return rt_leave(cudaSuccess);
}

/* --- copies ----------------------------------------------------------------------------------- */

typedef struct queued_copy {
    uint64_t to, from;
    size_t bytes;
    uint8_t *staged; /* pageable host memory is read when the copy is queued */
    char what[128];
} queued_copy;

static void drop_copy(void *arg) {
    queued_copy *copy = arg;
    free(copy->staged);
    free(copy);
}

static cs_progress run_copy(void *arg) {
    const queued_copy *copy = arg;
    bool is_between = cs_is_device(copy->to) && cs_is_device(copy->from);
    if (!is_between)
        cs_init_check(copy->what, copy->from, copy->bytes);
    memcpy(cs_bytes(copy->to), copy->staged ? copy->staged : cs_bytes(copy->from), copy->bytes);
    if (is_between) /* what was never written stays so in the copy */
        memcpy(cs_init_shadow(copy->to), cs_init_shadow(copy->from), copy->bytes);
    else
        cs_init_mark(copy->to, copy->bytes);
    return CS_DONE;
}

static const char *kind_name(enum cudaMemcpyKind kind) {
    static const char *const names[] = {"cudaMemcpyHostToHost", "cudaMemcpyHostToDevice",
                                        "cudaMemcpyDeviceToHost", "cudaMemcpyDeviceToDevice",
                                        "cudaMemcpyDefault"};
    return (unsigned)kind <= cudaMemcpyDefault ? names[kind] : "no kind of copy";
}

static enum cudaMemcpyKind kind_of(const cs_copy *copy) {
    static const enum cudaMemcpyKind kinds[2][2] = {
        {cudaMemcpyHostToHost, cudaMemcpyHostToDevice},
        {cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice}};
    return kinds[cs_is_device(copy->from)][cs_is_device(copy->to)];
}

/* Pinned memory must be alive and long enough; of other host memory nothing is known but null. */
static bool is_host_range(uint64_t address, size_t bytes) {
    const cs_pinned *p = cs_pinned_of(address);
    const char *function = cs_current_call();
    if (!address)
        cs_report(CS_NULL, function, "a null host pointer");
    else if (cs_is_pinned(address) && (!p || p->is_freed))
        cs_report(CS_USE_AFTER_FREE, function, "pinned memory %#llx was freed by %s",
                  (unsigned long long)address, p ? p->freed_by : "nobody");
    else if (p && (address - p->address > p->bytes || bytes > p->bytes - (address - p->address)))
        cs_report(CS_BOUNDS, function, "%zu bytes past the end of %zu bytes of pinned memory by %s",
                  bytes, p->bytes, p->made_by);
    else
        return true;
    return false;
}

static bool is_usable(int device, uint64_t address, size_t bytes, bool is_write) {
    return cs_is_device(address)
               ? cs_range_check_on(device, cs_current_call(), address, bytes, is_write)
               : is_host_range(address, bytes);
}

static int check_copy(const cs_copy *copy, int device) {
    const char *function = cs_current_call();
    if ((unsigned)copy->kind > cudaMemcpyDefault)
        return cudaErrorInvalidMemcpyDirection;
    if (copy->kind != cudaMemcpyDefault && copy->kind != kind_of(copy)) {
        cs_report(CS_DIRECTION, function, "%s, but the pointers are for %s", kind_name(copy->kind),
                  kind_name(kind_of(copy)));
        return cudaErrorInvalidValue;
    }
    bool is_right = is_usable(device, copy->from, copy->bytes, false) &&
                    is_usable(device, copy->to, copy->bytes, true);
    if (is_right && copy->to < copy->from + copy->bytes && copy->from < copy->to + copy->bytes) {
        cs_report(CS_ARGUMENT, function, "source and target overlap");
        is_right = false;
    }
    return is_right ? cudaSuccess : cudaErrorInvalidValue;
}

static queued_copy *new_copy(const cs_copy *copy) {
    bool is_staged = !cs_is_device(copy->from) && !cs_is_pinned(copy->from);
    queued_copy *q = calloc(1, sizeof *q);
    if (q && is_staged)
        q->staged = malloc(copy->bytes);
    if (!q || (is_staged && !q->staged))
        abort();
    q->to = copy->to;
    q->from = copy->from;
    q->bytes = copy->bytes;
    snprintf(q->what, sizeof q->what, "%s", cs_current_call());
    if (is_staged)
        memcpy(q->staged, (const void *)(uintptr_t)copy->from, copy->bytes);
    return q;
}

/* When the call comes back ("API synchronization behavior"): to and from the device asynchronous calls do with pinned
 * memory; from pageable memory once it is staged; to pageable memory, and between hosts, when the copy is done.
 * Synchronous ones wait but for copies inside the device and from pageable memory. */
static bool waits(const cs_copy *copy) {
    switch (kind_of(copy)) {
    case cudaMemcpyHostToDevice:
        return !copy->is_async && cs_is_pinned(copy->from);
    case cudaMemcpyDeviceToHost:
        return !copy->is_async || !cs_is_pinned(copy->to);
    case cudaMemcpyDeviceToDevice:
        return false;
    default:
        return true;
    }
}

int cs_copy_queue(const cs_copy *copy) {
    if (copy->bytes == 0)
        return cudaSuccess;
    int device = cs_stream_device(copy->stream);
    if (device < 0)
        return cudaErrorInvalidResourceHandle;
    int error = check_copy(copy, device);
    if (error)
        return error;
    queued_copy *q = new_copy(copy);
    error = cs_enqueue(copy->stream, q->what, run_copy, q, drop_copy);
    if (error)
        return error;
    cs_op_reads(cs_last_op(), copy->from, copy->bytes);
    cs_op_writes(cs_last_op(), copy->to, copy->bytes);
    return waits(copy) ? cs_wait_for(&cs_last_op()->clock, cs_current_call()) : cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(
        cs_copy_queue(&(cs_copy){(uintptr_t)to, (uintptr_t)from, bytes, kind, NULL, false}));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(
        cs_copy_queue(&(cs_copy){(uintptr_t)to, (uintptr_t)from, bytes, kind, stream, true}));
}

/* --- fills ------------------------------------------------------------------------------------ */

typedef struct queued_fill {
    uint64_t to;
    size_t bytes;
    int value;
} queued_fill;

static cs_progress run_fill(void *arg) {
    const queued_fill *fill = arg;
    memset(cs_bytes(fill->to), fill->value, fill->bytes);
    cs_init_mark(fill->to, fill->bytes);
    return CS_DONE;
}

static int queue_fill(void *to, int value, size_t bytes, cudaStream_t stream) {
    if (bytes == 0)
        return cudaSuccess;
    int device = cs_stream_device(stream);
    if (device < 0)
        return cudaErrorInvalidResourceHandle;
    if (!cs_range_check_on(device, cs_current_call(), (uintptr_t)to, bytes, true))
        return cudaErrorInvalidValue;
    queued_fill *fill = malloc(sizeof *fill);
    if (!fill)
        abort();
    *fill = (queued_fill){(uintptr_t)to, bytes, value};
    int error = cs_enqueue(stream, cs_current_call(), run_fill, fill, free);
    if (!error)
        cs_op_writes(cs_last_op(), (uintptr_t)to, bytes);
    return error;
}

cudaError_t cudaMemset(void *to, int value, size_t bytes) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(queue_fill(to, value, bytes, NULL));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    RT_ENTER(cudaErrorLaunchFailure);
    return rt_leave(queue_fill(to, value, bytes, stream));
}
