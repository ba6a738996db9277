/* The host's half of the bug zoo: programs that do one thing wrong, and their twins that do it right.
 *
 *   zoo_host NAME wrong|right      a row of test_zoo.c
 *
 * They look only at what CUDA returns where that is the point: what has to notice is the simulator. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

enum { N = 4096 };

typedef struct room {
    cudaStream_t a, b; /* non-blocking */
    cudaEvent_t event;
    char *device, *other; /* N bytes, written */
    char *pinned, *pinned_other;
} room;

static void need(cudaError_t error) {
    if (error == cudaSuccess)
        return;
    fprintf(stderr, "zoo_host: %s\n", cudaGetErrorName(error));
    exit(1);
}

static void open_room(room *r) {
    need(cudaStreamCreateWithFlags(&r->a, cudaStreamNonBlocking));
    need(cudaStreamCreateWithFlags(&r->b, cudaStreamNonBlocking));
    need(cudaEventCreateWithFlags(&r->event, cudaEventDisableTiming));
    need(cudaMalloc((void **)&r->device, N));
    need(cudaMalloc((void **)&r->other, N));
    need(cudaMallocHost((void **)&r->pinned, N));
    need(cudaMallocHost((void **)&r->pinned_other, N));
    memset(r->pinned, 1, N);
    memset(r->pinned_other, 2, N);
    need(cudaMemset(r->device, 3, N));
    need(cudaMemset(r->other, 4, N));
    need(cudaDeviceSynchronize());
}

static void close_room(room *r) {
    cudaDeviceSynchronize();
    cudaStreamDestroy(r->a);
    cudaStreamDestroy(r->b);
    cudaEventDestroy(r->event);
    cudaFree(r->device);
    cudaFree(r->other);
    cudaFreeHost(r->pinned);
    cudaFreeHost(r->pinned_other);
}

/* --- who may touch what ----------------------------------------------------------------------- */

static void host_reads_device_memory(room *r, bool is_wrong) {
    const volatile char *from = is_wrong ? r->device : r->pinned;
    printf("%d\n", from[7]);
}

static void host_writes_device_memory(room *r, bool is_wrong) {
    volatile char *to = is_wrong ? r->device : r->pinned;
    to[7] = 1;
}

static void host_copies_with_memcpy(room *r, bool is_wrong) {
    if (is_wrong)
        memcpy(r->pinned, r->device, N);
    else
        need(cudaMemcpy(r->pinned, r->device, N, cudaMemcpyDeviceToHost));
}

static void copy_to_a_host_pointer_as_device(room *r, bool is_wrong) {
    char plain[16] = {0};
    cudaMemcpy(is_wrong ? plain : r->device, r->pinned, 16, cudaMemcpyHostToDevice);
}

static void copy_in_the_wrong_direction(room *r, bool is_wrong) {
    cudaMemcpy(r->device, r->pinned, N, is_wrong ? cudaMemcpyDeviceToHost : cudaMemcpyHostToDevice);
}

static void copy_to_null(room *r, bool is_wrong) {
    cudaMemcpy(is_wrong ? NULL : r->pinned, r->device, N, cudaMemcpyDefault);
}

/* --- bounds and lifetimes --------------------------------------------------------------------- */

static void copy_past_the_end(room *r, bool is_wrong) {
    cudaMemcpyAsync(r->device + 8, r->pinned, is_wrong ? N - 7 : N - 8, cudaMemcpyHostToDevice,
                    r->a);
}

static void copy_past_the_end_of_pinned_memory(room *r, bool is_wrong) {
    cudaMemcpyAsync(r->device, r->pinned + (is_wrong ? 1 : 0), N, cudaMemcpyHostToDevice, r->a);
}

static void fill_past_the_end(room *r, bool is_wrong) {
    cudaMemsetAsync(r->device, 0, is_wrong ? N + 1 : N, r->a);
}

static void fill_between_allocations(room *r, bool is_wrong) {
    cudaMemsetAsync(r->other - (is_wrong ? 64 : 0), 0, 32, r->a);
}

static void copy_from_freed_memory(room *r, bool is_wrong) {
    char *gone = NULL;
    need(cudaMalloc((void **)&gone, N));
    need(cudaMemset(gone, 0, N));
    need(cudaDeviceSynchronize());
    if (is_wrong)
        need(cudaFree(gone));
    cudaMemcpy(r->pinned, gone, N, cudaMemcpyDeviceToHost);
    if (!is_wrong)
        need(cudaFree(gone));
}

static void free_twice(room *r, bool is_wrong) {
    char *p = NULL;
    (void)r;
    need(cudaMalloc((void **)&p, N));
    cudaFree(p);
    if (is_wrong)
        cudaFree(p);
}

static void free_the_middle(room *r, bool is_wrong) {
    char *p = NULL;
    (void)r;
    need(cudaMalloc((void **)&p, N));
    if (is_wrong)
        cudaFree(p + 512);
    cudaFree(p);
}

static void free_pinned_memory_as_device(room *r, bool is_wrong) {
    char *p = NULL;
    (void)r;
    need(cudaMallocHost((void **)&p, N));
    if (is_wrong)
        cudaFree(p);
    cudaFreeHost(p);
}

static void free_plain_memory_as_pinned(room *r, bool is_wrong) {
    char *p = malloc(N);
    (void)r;
    if (is_wrong)
        cudaFreeHost(p);
    free(p);
}

static void use_a_freed_pinned_buffer(room *r, bool is_wrong) {
    char *p = NULL;
    (void)r;
    need(cudaMallocHost((void **)&p, N));
    volatile char *view = p;
    view[0] = 1;
    cudaFreeHost(p);
    if (is_wrong)
        view[0] = 2;
}

static void free_while_work_is_queued(room *r, bool is_wrong) {
    char *p = NULL;
    need(cudaMalloc((void **)&p, N));
    need(cudaMemcpyAsync(p, r->pinned, N, cudaMemcpyHostToDevice, r->a));
    if (!is_wrong)
        need(cudaStreamSynchronize(r->a));
    cudaFree(p);
}

static void free_pinned_while_work_is_queued(room *r, bool is_wrong) {
    char *p = NULL;
    need(cudaMallocHost((void **)&p, N));
    memset(p, 0, N);
    need(cudaMemcpyAsync(r->device, p, N, cudaMemcpyHostToDevice, r->a));
    if (!is_wrong)
        need(cudaStreamSynchronize(r->a));
    cudaFreeHost(p);
}

static void use_a_destroyed_stream(room *r, bool is_wrong) {
    cudaStream_t stream;
    need(cudaStreamCreate(&stream));
    if (is_wrong)
        cudaStreamDestroy(stream);
    cudaMemsetAsync(r->device, 0, N, stream);
    if (!is_wrong)
        cudaStreamDestroy(stream);
}

static void use_a_destroyed_event(room *r, bool is_wrong) {
    cudaEvent_t event;
    need(cudaEventCreate(&event));
    if (is_wrong)
        cudaEventDestroy(event);
    cudaEventRecord(event, r->a);
    if (!is_wrong)
        cudaEventDestroy(event);
}

static void copy_what_nothing_has_written(room *r, bool is_wrong) {
    char *p = NULL;
    need(cudaMalloc((void **)&p, N));
    need(cudaMemset(p, 0, is_wrong ? N - 1 : N));
    cudaMemcpy(r->pinned, p, N, cudaMemcpyDeviceToHost);
    cudaFree(p);
}

static void copy_onto_itself(room *r, bool is_wrong) {
    cudaMemcpyAsync(r->device + (is_wrong ? 16 : 2048), r->device, 1024, cudaMemcpyDeviceToDevice,
                    r->a);
}

/* --- order ------------------------------------------------------------------------------------ */

static void host_writes_before_the_copy_ran(room *r, bool is_wrong) {
    need(cudaMemcpyAsync(r->device, r->pinned, N, cudaMemcpyHostToDevice, r->a));
    if (!is_wrong)
        need(cudaStreamSynchronize(r->a));
    r->pinned[5] = 9;
}

static void host_reads_before_the_copy_ran(room *r, bool is_wrong) {
    need(cudaMemcpyAsync(r->pinned, r->device, N, cudaMemcpyDeviceToHost, r->a));
    need(cudaEventRecord(r->event, r->a));
    if (!is_wrong)
        need(cudaEventSynchronize(r->event));
    printf("%d\n", ((volatile char *)r->pinned)[5]);
}

static void host_reads_a_number_before_it_came(room *r, bool is_wrong) {
    float *loss = NULL;
    need(cudaMallocHost((void **)&loss, sizeof *loss));
    need(cudaMemcpyAsync(loss, r->device, sizeof *loss, cudaMemcpyDeviceToHost, r->a));
    need(cudaStreamSynchronize(is_wrong ? r->b : r->a));
    printf("%g\n", (double)*(volatile float *)loss);
    cudaDeviceSynchronize();
    cudaFreeHost(loss);
}

static void no_event_between_write_and_read(room *r, bool is_wrong) {
    need(cudaMemcpyAsync(r->device, r->pinned, N, cudaMemcpyHostToDevice, r->a));
    need(cudaEventRecord(r->event, r->a));
    if (!is_wrong)
        need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemcpyAsync(r->pinned_other, r->device, N, cudaMemcpyDeviceToHost, r->b));
}

static void no_event_between_two_writes(room *r, bool is_wrong) {
    need(cudaMemsetAsync(r->device, 1, N / 2 + (is_wrong ? 1 : 0), r->a));
    need(cudaMemsetAsync(r->device + N / 2, 2, N / 2, r->b));
}

static void no_event_before_overwriting(room *r, bool is_wrong) {
    need(cudaMemcpyAsync(r->other, r->device, N, cudaMemcpyDeviceToDevice, r->a));
    need(cudaEventRecord(r->event, r->a));
    if (!is_wrong)
        need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemsetAsync(r->device, 2, N, r->b));
}

static void event_recorded_too_early(room *r, bool is_wrong) {
    if (is_wrong)
        need(cudaEventRecord(r->event, r->a));
    need(cudaMemsetAsync(r->device, 1, N, r->a));
    if (!is_wrong)
        need(cudaEventRecord(r->event, r->a));
    need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemcpyAsync(r->other, r->device, N, cudaMemcpyDeviceToDevice, r->b));
}

static void event_waited_for_before_its_record(room *r, bool is_wrong) {
    if (is_wrong)
        need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemsetAsync(r->device, 1, N, r->a));
    need(cudaEventRecord(r->event, r->a));
    if (!is_wrong)
        need(cudaStreamWaitEvent(r->b, r->event, 0));
    need(cudaMemcpyAsync(r->other, r->device, N, cudaMemcpyDeviceToDevice, r->b));
}

static void default_stream_waits_for_no_such_stream(room *r, bool is_wrong) {
    cudaStream_t stream;
    need(cudaStreamCreateWithFlags(&stream, is_wrong ? cudaStreamNonBlocking : cudaStreamDefault));
    need(cudaMemsetAsync(r->device, 1, N, stream));
    need(cudaMemset(r->device, 2, N));
    need(cudaStreamDestroy(stream));
}

static void waited_for_the_other_stream(room *r, bool is_wrong) {
    need(cudaMemsetAsync(r->device, 1, N, r->a));
    need(cudaStreamSynchronize(is_wrong ? r->b : r->a));
    need(cudaMemsetAsync(r->device, 2, N, r->b));
}

/* --- devices ---------------------------------------------------------------------------------- */

static void memory_of_another_device(room *r, bool is_wrong) {
    char *p = NULL;
    (void)r;
    need(cudaSetDevice(is_wrong ? 1 : 0));
    need(cudaMalloc((void **)&p, N));
    need(cudaSetDevice(0));
    cudaMemset(p, 0, N);
    cudaDeviceSynchronize();
    cudaFree(p);
}

static void event_of_another_device(room *r, bool is_wrong) {
    cudaEvent_t event;
    need(cudaSetDevice(is_wrong ? 1 : 0));
    need(cudaEventCreate(&event));
    need(cudaSetDevice(0));
    cudaEventRecord(event, r->a);
    cudaEventDestroy(event);
}

/* --- left behind ------------------------------------------------------------------------------ */

static void leave_device_memory(room *r, bool is_wrong) {
    void *p = NULL;
    (void)r;
    need(cudaMalloc(&p, N));
    if (!is_wrong)
        cudaFree(p);
}

static void leave_pinned_memory(room *r, bool is_wrong) {
    void *p = NULL;
    (void)r;
    need(cudaMallocHost(&p, N));
    if (!is_wrong)
        cudaFreeHost(p);
}

static void leave_a_stream(room *r, bool is_wrong) {
    cudaStream_t stream;
    (void)r;
    need(cudaStreamCreate(&stream));
    if (!is_wrong)
        cudaStreamDestroy(stream);
}

static void leave_an_event(room *r, bool is_wrong) {
    cudaEvent_t event;
    (void)r;
    need(cudaEventCreate(&event));
    if (!is_wrong)
        cudaEventDestroy(event);
}

/* --- not modelled ----------------------------------------------------------------------------- */

static void call_what_is_not_modelled(room *r, bool is_wrong) {
    cudaGraph_t graph = NULL;
    (void)r;
    if (is_wrong)
        cudaGraphCreate(&graph, 0);
}

static void ask_for_the_driver(room *r, bool is_wrong) {
    void *entry = NULL;
    enum cudaDriverEntryPointQueryResult result;
    (void)r;
    if (is_wrong)
        cudaGetDriverEntryPointByVersion("cuMemAlloc", &entry, 13000, 0, &result);
}

static void ask_for_an_attribute_that_is_not_modelled(room *r, bool is_wrong) {
    int value = 0;
    (void)r;
    cudaDeviceGetAttribute(&value, is_wrong ? cudaDevAttrMaxTexture1DWidth : cudaDevAttrWarpSize,
                           0);
}

static void map_pinned_memory(room *r, bool is_wrong) {
    void *p = NULL;
    (void)r;
    cudaHostAlloc(&p, N, is_wrong ? cudaHostAllocMapped : cudaHostAllocPortable);
    cudaFreeHost(p);
}

#define ROW(name)                                                                                  \
    { #name, name }
static const struct {
    const char *name;
    void (*run)(room *, bool);
} rows[] = {
    ROW(host_reads_device_memory),
    ROW(host_writes_device_memory),
    ROW(host_copies_with_memcpy),
    ROW(copy_to_a_host_pointer_as_device),
    ROW(copy_in_the_wrong_direction),
    ROW(copy_to_null),
    ROW(copy_past_the_end),
    ROW(copy_past_the_end_of_pinned_memory),
    ROW(fill_past_the_end),
    ROW(fill_between_allocations),
    ROW(copy_from_freed_memory),
    ROW(free_twice),
    ROW(free_the_middle),
    ROW(free_pinned_memory_as_device),
    ROW(free_plain_memory_as_pinned),
    ROW(use_a_freed_pinned_buffer),
    ROW(free_while_work_is_queued),
    ROW(free_pinned_while_work_is_queued),
    ROW(use_a_destroyed_stream),
    ROW(use_a_destroyed_event),
    ROW(copy_what_nothing_has_written),
    ROW(copy_onto_itself),
    ROW(host_writes_before_the_copy_ran),
    ROW(host_reads_before_the_copy_ran),
    ROW(host_reads_a_number_before_it_came),
    ROW(no_event_between_write_and_read),
    ROW(no_event_between_two_writes),
    ROW(no_event_before_overwriting),
    ROW(event_recorded_too_early),
    ROW(event_waited_for_before_its_record),
    ROW(default_stream_waits_for_no_such_stream),
    ROW(waited_for_the_other_stream),
    ROW(memory_of_another_device),
    ROW(event_of_another_device),
    ROW(leave_device_memory),
    ROW(leave_pinned_memory),
    ROW(leave_a_stream),
    ROW(leave_an_event),
    ROW(call_what_is_not_modelled),
    ROW(ask_for_the_driver),
    ROW(ask_for_an_attribute_that_is_not_modelled),
    ROW(map_pinned_memory),
};

int main(int argc, char **argv) {
    room r = {0};
    for (size_t i = 0; argc == 3 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, argv[1]) == 0) {
            open_room(&r);
            rows[i].run(&r, strcmp(argv[2], "wrong") == 0);
            close_room(&r);
            return 0;
        }
    fprintf(stderr, "zoo_host: no such row\n");
    return 2;
}
