/* What the CUDA runtime promises, asked of the simulator: run under it by ctest (gpu.api), and by scripts/gpu-check of
 * the real one. Nothing here may be reported. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <cuda_runtime_api.h>

#define OK(call) assert_int_equal((call), cudaSuccess)

static void *device_bytes(size_t n) {
    void *p = NULL;
    OK(cudaMalloc(&p, n));
    return p;
}

static void *pinned_bytes(size_t n) {
    void *p = NULL;
    OK(cudaMallocHost(&p, n));
    return p;
}

/* --- devices ---------------------------------------------------------------------------------- */

static void devices_have_distinct_names_on_the_bus(void **state) {
    (void)state;
    int n = -1;
    OK(cudaGetDeviceCount(&n));
    assert_true(n >= 1);
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n; k++) {
            struct cudaDeviceProp a, b;
            char bus_a[16], bus_b[16];
            OK(cudaGetDeviceProperties(&a, i));
            OK(cudaGetDeviceProperties(&b, k));
            OK(cudaDeviceGetPCIBusId(bus_a, sizeof bus_a, i));
            OK(cudaDeviceGetPCIBusId(bus_b, sizeof bus_b, k));
            assert_memory_not_equal(&a.uuid, &b.uuid, sizeof a.uuid);
            assert_string_not_equal(bus_a, bus_b);
        }
}

static void a_device_is_found_by_its_bus_id(void **state) {
    (void)state;
    char bus[16];
    int found = -1;
    OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
    OK(cudaDeviceGetByPCIBusId(&found, bus));
    assert_int_equal(found, 0);
}

static void properties_and_attributes_agree(void **state) {
    (void)state;
    struct cudaDeviceProp p;
    OK(cudaGetDeviceProperties(&p, 0));
    const struct {
        enum cudaDeviceAttr which;
        int want;
    } rows[] = {
        {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
        {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock},
        {cudaDevAttrMaxSharedMemoryPerBlock, (int)p.sharedMemPerBlock},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)p.sharedMemPerBlockOptin},
        {cudaDevAttrMaxSharedMemoryPerMultiprocessor, (int)p.sharedMemPerMultiprocessor},
        {cudaDevAttrMaxRegistersPerBlock, p.regsPerBlock},
        {cudaDevAttrMaxGridDimX, p.maxGridSize[0]},
        {cudaDevAttrMaxGridDimY, p.maxGridSize[1]},
        {cudaDevAttrMaxBlockDimZ, p.maxThreadsDim[2]},
        {cudaDevAttrL2CacheSize, p.l2CacheSize},
        {cudaDevAttrWarpSize, p.warpSize},
        {cudaDevAttrComputeCapabilityMajor, p.major},
        {cudaDevAttrComputeCapabilityMinor, p.minor},
        {cudaDevAttrPciBusId, p.pciBusID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int value = -1;
        OK(cudaDeviceGetAttribute(&value, rows[i].which, 0));
        assert_int_equal(value, rows[i].want);
    }
}

static void a_device_that_is_not_there_is_refused(void **state) {
    (void)state;
    int n = 0, device = -1;
    struct cudaDeviceProp p;
    OK(cudaGetDeviceCount(&n));
    assert_int_equal(cudaSetDevice(n), cudaErrorInvalidDevice);
    assert_int_equal(cudaSetDevice(-1), cudaErrorInvalidDevice);
    assert_int_equal(cudaGetDeviceProperties(&p, n), cudaErrorInvalidDevice);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidDevice);
    OK(cudaGetDevice(&device));
    assert_int_equal(device, 0);
}

static void versions_are_of_this_toolkit(void **state) {
    (void)state;
    int driver = 0, runtime = 0;
    OK(cudaDriverGetVersion(&driver));
    OK(cudaRuntimeGetVersion(&runtime));
    assert_true(runtime >= 13000 && runtime < 14000);
    assert_true(driver >= runtime);
}

static void a_device_can_be_prepared(void **state) {
    (void)state;
    int can = -1;
    OK(cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync));
    OK(cudaInitDevice(0, 0, 0));
    OK(cudaDeviceCanAccessPeer(&can, 0, 0));
    assert_int_equal(can, 0); /* never to itself */
}

/* --- memory ----------------------------------------------------------------------------------- */

static void device_memory_is_aligned_and_counted(void **state) {
    (void)state;
    size_t before = 0, during = 0, after = 0, total = 0;
    OK(cudaMemGetInfo(&before, &total));
    char *a = device_bytes(1 << 20), *b = device_bytes(1);
    assert_int_equal((uintptr_t)a % 256, 0);
    assert_int_equal((uintptr_t)b % 256, 0);
    OK(cudaMemGetInfo(&during, &total));
    assert_true(before - during >= 1 << 20);
    OK(cudaFree(a));
    OK(cudaFree(b));
    OK(cudaMemGetInfo(&after, &total));
    assert_int_equal(after, before);
    assert_true(total >= before);
}

static void more_than_there_is_is_out_of_memory(void **state) {
    (void)state;
    size_t free_bytes = 0, total = 0;
    void *p = &total;
    OK(cudaMemGetInfo(&free_bytes, &total));
    assert_int_equal(cudaMalloc(&p, total + 1), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
}

static void nothing_can_be_allocated_and_freed(void **state) {
    (void)state;
    void *p = &p;
    OK(cudaMalloc(&p, 0));
    assert_null(p);
    OK(cudaFree(NULL));
    OK(cudaFreeHost(NULL));
    assert_int_equal(cudaMalloc(NULL, 8), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
}

static void pinned_memory_may_be_for_every_device(void **state) {
    (void)state;
    void *p = NULL;
    OK(cudaHostAlloc(&p, 100, cudaHostAllocPortable));
    memset(p, 1, 100);
    OK(cudaFreeHost(p));
}

static void pointers_tell_what_they_are(void **state) {
    (void)state;
    struct cudaPointerAttributes is;
    char *device = device_bytes(64), *pinned = pinned_bytes(64), plain[8];
    OK(cudaPointerGetAttributes(&is, device + 63));
    assert_int_equal(is.type, cudaMemoryTypeDevice);
    assert_int_equal(is.device, 0);
    OK(cudaPointerGetAttributes(&is, pinned + 3));
    assert_int_equal(is.type, cudaMemoryTypeHost);
    OK(cudaPointerGetAttributes(&is, plain));
    assert_int_equal(is.type, cudaMemoryTypeUnregistered);
    OK(cudaFree(device));
    OK(cudaFreeHost(pinned));
}

/* --- copies ----------------------------------------------------------------------------------- */

static void copies_go_everywhere(void **state) {
    (void)state;
    enum { N = 1000 };
    unsigned char host[N], back[N];
    for (int i = 0; i < N; i++)
        host[i] = (unsigned char)(i * 7);
    char *a = device_bytes(N), *b = device_bytes(N);
    unsigned char *pinned = pinned_bytes(N);
    OK(cudaMemcpy(a, host, N, cudaMemcpyHostToDevice));
    OK(cudaMemcpy(b, a, N, cudaMemcpyDeviceToDevice));
    OK(cudaMemcpy(pinned, b, N, cudaMemcpyDeviceToHost));
    OK(cudaMemcpy(back, pinned, N, cudaMemcpyHostToHost));
    assert_memory_equal(back, host, N);
    memset(back, 0, N);
    OK(cudaMemcpy(back + 3, b + 3, N - 3, cudaMemcpyDefault));
    assert_memory_equal(back + 3, host + 3, N - 3);
    OK(cudaFree(a));
    OK(cudaFree(b));
    OK(cudaFreeHost(pinned));
}

static void pageable_memory_is_read_at_the_call(void **state) {
    (void)state;
    cudaStream_t stream;
    int value = 1, back = 0;
    int *device = device_bytes(sizeof *device);
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaMemcpyAsync(device, &value, sizeof value, cudaMemcpyHostToDevice, stream));
    value = 2;
    OK(cudaMemcpyAsync(&back, device, sizeof back, cudaMemcpyDeviceToHost, stream));
    assert_int_equal(back, 1); /* and a copy to pageable memory waits */
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(device));
}

static void a_fill_is_bytes(void **state) {
    (void)state;
    uint32_t back = 0;
    cudaStream_t stream;
    uint32_t *device = device_bytes(sizeof *device);
    OK(cudaStreamCreate(&stream));
    OK(cudaMemset(device, 0x1ab, sizeof *device));
    OK(cudaMemcpy(&back, device, sizeof back, cudaMemcpyDeviceToHost));
    assert_int_equal(back, 0xabababab);
    OK(cudaMemsetAsync(device, 0, sizeof *device, stream));
    OK(cudaMemcpyAsync(&back, device, sizeof back, cudaMemcpyDeviceToHost, stream));
    assert_int_equal(back, 0);
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(device));
}

static void nothing_can_be_copied(void **state) {
    (void)state;
    OK(cudaMemcpy(NULL, NULL, 0, cudaMemcpyHostToDevice));
    OK(cudaMemsetAsync(NULL, 0, 0, NULL));
}

/* --- streams and events ----------------------------------------------------------------------- */

enum { LONG = 4096 };

typedef struct two_streams {
    cudaStream_t a, b;
    cudaEvent_t event;
    unsigned char *device, *other, *from, *to;
} two_streams;

static int open_two(void **state) {
    two_streams *t = calloc(1, sizeof *t);
    OK(cudaStreamCreateWithFlags(&t->a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithPriority(&t->b, cudaStreamNonBlocking, -1));
    OK(cudaEventCreateWithFlags(&t->event, cudaEventDisableTiming));
    t->device = device_bytes(LONG);
    t->other = device_bytes(LONG);
    t->from = pinned_bytes(LONG);
    t->to = pinned_bytes(LONG);
    for (int i = 0; i < LONG; i++)
        t->from[i] = (unsigned char)(i * 13 + 1);
    memset(t->to, 0, LONG);
    *state = t;
    return 0;
}

static int close_two(void **state) {
    two_streams *t = *state;
    OK(cudaDeviceSynchronize());
    OK(cudaStreamDestroy(t->a));
    OK(cudaStreamDestroy(t->b));
    OK(cudaEventDestroy(t->event));
    OK(cudaFree(t->device));
    OK(cudaFree(t->other));
    OK(cudaFreeHost(t->from));
    OK(cudaFreeHost(t->to));
    free(t);
    return 0;
}

static void a_stream_keeps_its_order(void **state) {
    two_streams *t = *state;
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->a));
    OK(cudaMemcpyAsync(t->other, t->device, LONG, cudaMemcpyDeviceToDevice, t->a));
    OK(cudaMemcpyAsync(t->to, t->other, LONG, cudaMemcpyDeviceToHost, t->a));
    OK(cudaStreamSynchronize(t->a));
    assert_memory_equal(t->to, t->from, LONG);
}

static void an_event_orders_two_streams(void **state) {
    two_streams *t = *state;
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->a));
    OK(cudaEventRecord(t->event, t->a));
    OK(cudaStreamWaitEvent(t->b, t->event, 0));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, t->b));
    OK(cudaStreamSynchronize(t->b));
    assert_memory_equal(t->to, t->from, LONG);
}

static void waiting_for_an_event_waits_for_what_came_before_it(void **state) {
    two_streams *t = *state;
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->a));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, t->a));
    OK(cudaEventRecord(t->event, t->a));
    OK(cudaEventSynchronize(t->event));
    OK(cudaEventQuery(t->event));
    assert_memory_equal(t->to, t->from, LONG);
}

static void an_event_waits_for_its_latest_record(void **state) {
    two_streams *t = *state;
    OK(cudaEventRecord(t->event, t->a));
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->b));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, t->b));
    OK(cudaEventRecord(t->event, t->b));
    OK(cudaEventSynchronize(t->event));
    assert_memory_equal(t->to, t->from, LONG);
}

static void an_event_never_recorded_is_over(void **state) {
    two_streams *t = *state;
    OK(cudaEventQuery(t->event));
    OK(cudaEventSynchronize(t->event));
    OK(cudaStreamWaitEvent(t->a, t->event, 0));
    OK(cudaStreamQuery(t->a));
}

static void asking_again_and_again_comes_to_an_end(void **state) {
    two_streams *t = *state;
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->a));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, t->a));
    cudaError_t said;
    while ((said = cudaStreamQuery(t->a)) == cudaErrorNotReady)
        ;
    OK(said);
    cudaGetLastError();
    assert_memory_equal(t->to, t->from, LONG);
}

static void queued_work_outlives_its_stream(void **state) {
    two_streams *t = *state;
    cudaStream_t gone;
    OK(cudaStreamCreateWithFlags(&gone, cudaStreamNonBlocking));
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, gone));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, gone));
    OK(cudaStreamDestroy(gone));
    OK(cudaDeviceSynchronize());
    assert_memory_equal(t->to, t->from, LONG);
}

static void the_default_stream_waits_for_blocking_streams(void **state) {
    two_streams *t = *state;
    cudaStream_t blocking;
    OK(cudaStreamCreate(&blocking));
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, blocking));
    OK(cudaMemcpy(t->to, t->device, LONG, cudaMemcpyDeviceToHost)); /* default stream */
    assert_memory_equal(t->to, t->from, LONG);
    OK(cudaMemsetAsync(t->device, 3, LONG, NULL));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, blocking));
    OK(cudaStreamSynchronize(blocking));
    assert_int_equal(t->to[LONG - 1], 3);
    OK(cudaStreamDestroy(blocking));
}

static void time_passes_between_events(void **state) {
    two_streams *t = *state;
    cudaEvent_t start, end;
    float ms = -1;
    OK(cudaEventCreate(&start));
    OK(cudaEventCreate(&end));
    OK(cudaEventRecord(start, t->a));
    OK(cudaMemcpyAsync(t->device, t->from, LONG, cudaMemcpyHostToDevice, t->a));
    OK(cudaEventRecord(end, t->a));
    OK(cudaEventSynchronize(end));
    OK(cudaEventElapsedTime(&ms, start, end));
    assert_true(ms > 0);
    assert_int_equal(cudaEventElapsedTime(&ms, start, t->event), cudaErrorInvalidResourceHandle);
    cudaGetLastError();
    OK(cudaEventDestroy(start));
    OK(cudaEventDestroy(end));
}

static void streams_know_their_flags_and_priority(void **state) {
    two_streams *t = *state;
    unsigned flags = 99;
    int priority = 99, least = 99, greatest = 99, device = -1;
    OK(cudaStreamGetFlags(t->a, &flags));
    assert_int_equal(flags, cudaStreamNonBlocking);
    OK(cudaStreamGetPriority(t->b, &priority));
    assert_int_equal(priority, -1);
    OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    assert_true(greatest < least);
    OK(cudaStreamGetDevice(t->a, &device));
    assert_int_equal(device, 0);
}

static void note_call(void *data) {
    (*(int *)data)++;
}

static void a_host_function_runs_in_its_place(void **state) {
    two_streams *t = *state;
    int n_calls = 0;
    OK(cudaMemsetAsync(t->device, 1, LONG, t->a));
    OK(cudaLaunchHostFunc(t->a, note_call, &n_calls));
    OK(cudaStreamSynchronize(t->a));
    assert_int_equal(n_calls, 1);
}

static void a_record_may_say_that_it_has_no_flags(void **state) {
    two_streams *t = *state;
    OK(cudaMemsetAsync(t->device, 5, LONG, t->a));
    OK(cudaMemcpyAsync(t->to, t->device, LONG, cudaMemcpyDeviceToHost, t->a));
    OK(cudaEventRecordWithFlags(t->event, t->a, cudaEventRecordDefault));
    OK(cudaEventSynchronize(t->event));
    assert_int_equal(t->to[0], 5);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void errors_have_names_and_words(void **state) {
    (void)state;
    assert_string_equal(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
    assert_string_equal(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
    assert_string_equal(cudaGetErrorName(cudaSuccess), "cudaSuccess");
    assert_string_equal(cudaGetErrorString((cudaError_t)12345), "unrecognized error code");
}

static void the_last_error_is_kept_until_it_is_taken(void **state) {
    (void)state;
    assert_int_equal(cudaSetDevice(-1), cudaErrorInvalidDevice);
    assert_int_equal(cudaPeekAtLastError(), cudaErrorInvalidDevice);
    OK(cudaSetDevice(0)); /* a success does not clear it */
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidDevice);
    assert_int_equal(cudaPeekAtLastError(), cudaSuccess);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_have_distinct_names_on_the_bus),
        cmocka_unit_test(a_device_is_found_by_its_bus_id),
        cmocka_unit_test(properties_and_attributes_agree),
        cmocka_unit_test(a_device_that_is_not_there_is_refused),
        cmocka_unit_test(versions_are_of_this_toolkit),
        cmocka_unit_test(a_device_can_be_prepared),
        cmocka_unit_test(pinned_memory_may_be_for_every_device),
        cmocka_unit_test(device_memory_is_aligned_and_counted),
        cmocka_unit_test(more_than_there_is_is_out_of_memory),
        cmocka_unit_test(nothing_can_be_allocated_and_freed),
        cmocka_unit_test(pointers_tell_what_they_are),
        cmocka_unit_test(copies_go_everywhere),
        cmocka_unit_test(pageable_memory_is_read_at_the_call),
        cmocka_unit_test(a_fill_is_bytes),
        cmocka_unit_test(nothing_can_be_copied),
        cmocka_unit_test_setup_teardown(a_stream_keeps_its_order, open_two, close_two),
        cmocka_unit_test_setup_teardown(an_event_orders_two_streams, open_two, close_two),
        cmocka_unit_test_setup_teardown(waiting_for_an_event_waits_for_what_came_before_it,
                                        open_two, close_two),
        cmocka_unit_test_setup_teardown(an_event_waits_for_its_latest_record, open_two, close_two),
        cmocka_unit_test_setup_teardown(an_event_never_recorded_is_over, open_two, close_two),
        cmocka_unit_test_setup_teardown(asking_again_and_again_comes_to_an_end, open_two,
                                        close_two),
        cmocka_unit_test_setup_teardown(queued_work_outlives_its_stream, open_two, close_two),
        cmocka_unit_test_setup_teardown(the_default_stream_waits_for_blocking_streams, open_two,
                                        close_two),
        cmocka_unit_test_setup_teardown(time_passes_between_events, open_two, close_two),
        cmocka_unit_test_setup_teardown(streams_know_their_flags_and_priority, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_host_function_runs_in_its_place, open_two, close_two),
        cmocka_unit_test_setup_teardown(a_record_may_say_that_it_has_no_flags, open_two, close_two),
        cmocka_unit_test(errors_have_names_and_words),
        cmocka_unit_test(the_last_error_is_kept_until_it_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
