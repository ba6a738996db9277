/* What a plan asks of the data it is given: each rule of cudnnBackendExecute broken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "caught.h"
#include "cuda_api.h"
#include "dnn.h"
#include "dnn_case.h"

/* A plan that wants a workspace, and data for it. */
typedef struct setup {
    dnn_api api;
    dnn_case c;
    cudnnHandle_t handle;
    dnn_made made;
    cudnnBackendDescriptor_t plan;
    int64_t workspace_bytes;
    int64_t n, uids[4];
    void *data[4], *workspace;
} setup;

static void *device_memory(size_t bytes, bool is_written) {
    void *p = NULL;
    if (cudaMalloc(&p, bytes) || (is_written && cudaMemset(p, 0, bytes)))
        abort();
    return p;
}

static void find_plan(setup *s) {
    for (int i = 0; i < s->made.outcome.n_configs && s->workspace_bytes == 0; i++) {
        int64_t count = 0;
        cudnnBackendDescriptor_t plan = dnn_plan(&s->api, &s->made, i, s->handle);
        if (!plan || s->api.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                &count, &s->workspace_bytes))
            abort();
        if (s->workspace_bytes > 0)
            s->plan = plan;
        else
            (void)s->api.destroy(plan);
    }
    if (!s->plan)
        abort();
}

static setup start(void) {
    setup s = {.api = dnn_fake(),
               .c = dnn_right_case(CASE_FORWARD, CUDNN_DATA_FLOAT),
               .n = 3,
               .uids = {CASE_X, CASE_W, CASE_Y, CASE_BIAS}};
    if (cudnnCreate(&s.handle))
        abort();
    s.made = dnn_build(&s.api, &s.c, NULL, s.handle, CUDNN_HEUR_MODE_A);
    find_plan(&s);
    for (int i = 0; i < 4; i++) {
        int64_t dims[4];
        dnn_dims(&s.c, i + 1, dims);
        s.data[i] = device_memory((size_t)(dims[0] * dims[1] * dims[2] * dims[3]) * 4, i != 2);
    }
    s.workspace = device_memory((size_t)s.workspace_bytes, false);
    if (cudaDeviceSynchronize())
        abort();
    return s;
}

static cudnnStatus_t execute(const setup *s) {
    cudnnBackendDescriptor_t pack = NULL;
    cudnnStatus_t status = s->api.create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (!status)
        status =
            s->api.set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, s->n, s->uids);
    if (!status)
        status = s->api.set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, s->n,
                            s->data);
    if (!status)
        status = s->api.set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                            &s->workspace);
    if (!status)
        status = s->api.finalize(pack);
    if (!status)
        status = cudnnBackendExecute(s->handle, s->plan, pack);
    (void)s->api.destroy(pack);
    return status;
}

static void nothing(setup *s) {
    (void)s;
}
static void one_more(setup *s) {
    s->n = 4;
}
static void one_less(setup *s) {
    s->n = 2;
}
static void one_twice(setup *s) {
    s->uids[2] = CASE_X;
}
static void a_stranger(setup *s) {
    s->uids[2] = 77;
}
static void no_pointer(setup *s) {
    s->data[0] = NULL;
}
static void misaligned(setup *s) {
    s->data[1] = (char *)s->data[1] + 4;
}
static void too_small(setup *s) {
    s->data[2] = device_memory(64, false);
}
static void freed(setup *s) {
    (void)cudaFree(s->data[1]);
}
static void in_host_memory(setup *s) {
    (void)cudaMallocHost(&s->data[0], 1 << 16);
}
static void in_place(setup *s) {
    s->data[2] = s->data[0] = device_memory(1 << 16, true);
}
static void no_workspace(setup *s) {
    s->workspace = NULL;
}
static void little_workspace(setup *s) {
    s->workspace = device_memory((size_t)s->workspace_bytes - 1, false);
}
static void workspace_in_x(setup *s) {
    s->workspace = s->data[0] = device_memory(1 << 20, true);
}
static void unwritten(setup *s) {
    s->data[0] = device_memory(1 << 16, false);
}
static void handle_gone(setup *s) {
    (void)cudnnDestroy(s->handle);
}
static void plan_gone(setup *s) {
    (void)s->api.destroy(s->plan);
}
static void plan_of_a_description(setup *s) {
    dnn_made described = dnn_build(&s->api, &s->c, dnn_a100, NULL, CUDNN_HEUR_MODE_A);
    s->plan = dnn_plan(&s->api, &described, 0, NULL);
}
static void stream_of_another_device(setup *s) {
    cudaStream_t stream;
    if (cudaSetDevice(1) || cudaStreamCreate(&stream) || cudaSetDevice(0))
        abort();
    if (cudnnSetStream(s->handle, stream) != CUDNN_STATUS_BAD_PARAM)
        abort();
}

typedef struct slip {
    const char *name;
    void (*break_it)(setup *s);
    int is_refused;
    const char *words; /* NULL: nothing is said */
} slip;

static const slip slips[] = {
    {"nothing wrong", nothing, 0, NULL},
    {"a tensor too many", one_more, 1, "the pack has 4 tensors, the graph 3"},
    {"a tensor too few", one_less, 1, "the pack has 2 tensors, the graph 3"},
    {"one id twice", one_twice, 1, "the id 1 is there twice"},
    {"an id that the graph lacks", a_stranger, 1, "no data for tensor 3"},
    {"no pointer", no_pointer, 1, "no data for tensor 1"},
    {"a misaligned pointer", misaligned, 1, "is not aligned to 16 bytes"},
    {"too little memory", too_small, 1, "bounds"},
    {"freed memory", freed, 1, "use-after-free"},
    {"host memory", in_host_memory, 1, "host-pointer"},
    {"y in place of x", in_place, 1, "overlaps another tensor"},
    {"no workspace", no_workspace, 1, "the workspace of"},
    {"too little workspace", little_workspace, 1, "bounds"},
    {"a workspace in x", workspace_in_x, 1, "overlaps another tensor"},
    {"x never written", unwritten, 0, "uninitialised"},
    {"a handle that is gone", handle_gone, 1, "no living handle"},
    {"a plan that is gone", plan_gone, 1, "no living descriptor"},
    {"a plan for a described GPU", plan_of_a_description, 1, "another device than the handle's"},
    {"a stream of another device", stream_of_another_device, 0, "the stream is of device 1"},
};

static int run_slip(const void *arg) {
    const slip *one = arg;
    setenv("CUDASIM_DEVICES", "2", 1);
    setup s = start();
    one->break_it(&s);
    cudnnStatus_t status = execute(&s);
    (void)cudaDeviceSynchronize();
    return status != CUDNN_STATUS_SUCCESS;
}

static void broken_rules_are_caught(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        caught c = run_apart(run_slip, &slips[i]);
        bool is_said = slips[i].words ? strstr(c.text, slips[i].words) != NULL : c.text[0] == 0;
        if (c.exit_code != slips[i].is_refused || !is_said)
            fail_msg("%s: ended with %d, want %d; stderr wants \"%s\" and is:\n%s", slips[i].name,
                     c.exit_code, slips[i].is_refused, slips[i].words ? slips[i].words : "",
                     c.text);
    }
}

/* y is read by another stream with nothing between. */
static int run_missing_event(const void *arg) {
    bool has_event = *(const bool *)arg;
    setup s = start();
    cudaStream_t streams[2];
    cudaEvent_t event;
    float host[4];
    for (int i = 0; i < 2; i++)
        if (cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking))
            return 1;
    if (cudnnSetStream(s.handle, streams[0]) || execute(&s) || cudaEventCreate(&event))
        return 1;
    if (has_event &&
        (cudaEventRecord(event, streams[0]) || cudaStreamWaitEvent(streams[1], event, 0)))
        return 1;
    if (cudaMemcpyAsync(host, s.data[2], sizeof host, cudaMemcpyDeviceToHost, streams[1]))
        return 1;
    return (int)cudaDeviceSynchronize();
}

static void results_read_in_another_stream_need_an_event(void **state) {
    (void)state;
    bool with = true, without = false;
    caught good = run_apart(run_missing_event, &with), bad = run_apart(run_missing_event, &without);
    assert_caught(&good, 0, NULL);
    assert_string_equal(good.text, "");
    assert_caught(&bad, 0, "missing-event");
}

static int leave_all(const void *arg) {
    (void)arg;
    setup s = start();
    (void)s;
    exit(0); /* by the way that runs destructors */
}

static void descriptors_and_handles_left_are_leaks(void **state) {
    (void)state;
    caught c = run_apart(leave_all, NULL);
    assert_caught(&c, 99, "cudnn descriptor");
    assert_caught(&c, 99, "cudnn handle");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_rules_are_caught),
        cmocka_unit_test(results_read_in_another_stream_need_an_event),
        cmocka_unit_test(descriptors_and_handles_left_are_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
