/* Made failures: every call of every function of a small program fails in turn, and the program ends as it should. So
 * does every event and wait that is dropped: something notices. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "child.h"

static child *run_toy(const char *setting) {
    child *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->program = TOY_STEP;
    c->settings[0] = setting;
    child_run(c);
    return c;
}

/* How often the program calls a function ("any": of all that can fail). */
static int calls_of(const char *function) {
    child *c = run_toy("CUDASIM_TRACE=1");
    char line[96];
    snprintf(line, sizeof line, "cudasim: calls %s ", function);
    const char *at = strstr(c->output, line);
    int n = at ? atoi(at + strlen(line)) : 0;
    free(c);
    return n;
}

static void a_program_that_nothing_happens_to_is_clean(void **state) {
    (void)state;
    child *c = run_toy("CUDASIM_TRACE=0");
    assert_int_equal(c->status, 0);
    assert_false(child_reported_anything(c));
    free(c);
}

static const char *const functions[] = {"cudaDriverGetVersion",
                                        "cudaRuntimeGetVersion",
                                        "cudaGetDeviceCount",
                                        "cudaSetDevice",
                                        "cudaGetDeviceProperties",
                                        "cudaMemGetInfo",
                                        "cudaStreamCreateWithFlags",
                                        "cudaEventCreateWithFlags",
                                        "cudaMalloc",
                                        "cudaMallocHost",
                                        "cudaMemcpyAsync",
                                        "cudaMemsetAsync",
                                        "cudaEventRecord",
                                        "cudaStreamWaitEvent",
                                        "cudaStreamSynchronize",
                                        "cudaEventSynchronize"};

/* A line of the program's names the function; nothing is left, nothing else is reported. */
static void assert_ended_well(const child *c, const char *function) {
    char said[96];
    snprintf(said, sizeof said, "toy: %s", function);
    if (c->status != 8 || !strstr(c->output, said) || strstr(c->output, "cudasim: leak"))
        fail_msg("%s: exit %d, want 8, a line of %s and no leak in\n%s", c->settings[0], c->status,
                 function, c->output);
}

static void each_call_of_each_function_can_be_made_to_fail(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        int n = calls_of(functions[i]);
        assert_true(n > 0);
        for (int nth = 1; nth <= n; nth++) {
            char setting[128];
            snprintf(setting, sizeof setting, "CUDASIM_FAIL=%s:%d", functions[i], nth);
            child *c = run_toy(setting);
            assert_ended_well(c, functions[i]);
            free(c);
        }
    }
}

static void the_nth_call_of_anything_can_be_made_to_fail(void **state) {
    (void)state;
    int n = calls_of("any");
    assert_true(n > 50);
    for (int nth = 1; nth <= n; nth++) {
        char setting[64];
        snprintf(setting, sizeof setting, "CUDASIM_FAIL=any:%d", nth);
        child *c = run_toy(setting);
        assert_non_null(strstr(c->output, "made call"));
        /* Calls that give something back are not looked at by the program. */
        bool is_ok = (c->status == 8 || c->status == 0) && !strstr(c->output, "cudasim: leak");
        if (!is_ok)
            fail_msg("%s: exit %d in\n%s", setting, c->status, c->output);
        free(c);
    }
}

/* What the small program does not call, other programs do: their first call fails, and they notice. */
static void every_other_function_can_be_made_to_fail(void **state) {
    (void)state;
    static const struct {
        const char *function, *program, *word;
    } rows[] = {
        {"cudaGetDevice", TEST_API, NULL},
        {"cudaDeviceGetAttribute", TEST_API, NULL},
        {"cudaDeviceGetPCIBusId", TEST_API, NULL},
        {"cudaDeviceGetByPCIBusId", TEST_API, NULL},
        {"cudaSetDeviceFlags", TEST_API, NULL},
        {"cudaInitDevice", TEST_API, NULL},
        {"cudaDeviceCanAccessPeer", TEST_API, NULL},
        {"cudaDeviceSynchronize", TEST_API, NULL},
        {"cudaDeviceGetStreamPriorityRange", TEST_API, NULL},
        {"cudaPointerGetAttributes", TEST_API, NULL},
        {"cudaHostAlloc", TEST_API, NULL},
        {"cudaFree", TEST_API, NULL},
        {"cudaFreeHost", TEST_API, NULL},
        {"cudaMemcpy", TEST_API, NULL},
        {"cudaMemset", TEST_API, NULL},
        {"cudaStreamCreate", TEST_API, NULL},
        {"cudaStreamCreateWithPriority", TEST_API, NULL},
        {"cudaStreamGetFlags", TEST_API, NULL},
        {"cudaStreamGetPriority", TEST_API, NULL},
        {"cudaStreamGetDevice", TEST_API, NULL},
        {"cudaStreamQuery", TEST_API, NULL},
        {"cudaStreamDestroy", TEST_API, NULL},
        {"cudaLaunchHostFunc", TEST_API, NULL},
        {"cudaEventCreate", TEST_API, NULL},
        {"cudaEventDestroy", TEST_API, NULL},
        {"cudaEventQuery", TEST_API, NULL},
        {"cudaEventElapsedTime", TEST_API, NULL},
        {"cudaEventRecordWithFlags", TEST_API, NULL},
        {"cudaMemcpyToSymbol", PROBE_MODULES, "symbols"},
        {"cudaMemcpyToSymbolAsync", PROBE_MODULES, "symbols"},
        {"cudaMemcpyFromSymbol", PROBE_MODULES, "symbols"},
        {"cudaGetSymbolAddress", PROBE_MODULES, "symbols"},
        {"cudaGetSymbolSize", PROBE_MODULES, "symbols"},
        {"cudaFuncGetAttributes", PROBE_MODULES, "attributes"},
        {"cudaFuncSetAttribute", PROBE_MODULES, "attributes"},
        {"cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", PROBE_MODULES, "attributes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char setting[128], said[128];
        snprintf(setting, sizeof setting, "CUDASIM_FAIL=%s:1", rows[i].function);
        snprintf(said, sizeof said, "made call 1 of %s fail", rows[i].function);
        child *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->program = rows[i].program;
        c->arguments[0] = rows[i].word;
        c->arguments[1] = rows[i].word ? "-" : NULL;
        c->settings[0] = setting;
        child_run(c);
        if (c->status == 0 || !strstr(c->output, said))
            fail_msg("%s: exit %d in\n%s", setting, c->status, c->output);
        free(c);
    }
}

static void a_failure_has_the_error_asked_for(void **state) {
    (void)state;
    child *c = run_toy("CUDASIM_FAIL=cudaMallocHost:2:304");
    assert_non_null(strstr(c->output, "call 2 of cudaMallocHost fail with 304"));
    assert_int_equal(c->status, 8);
    free(c);
}

static void a_sticky_error_stays(void **state) {
    (void)state;
    child *c = run_toy("CUDASIM_FAIL=cudaMemcpyAsync:1:700");
    assert_int_equal(c->status, 8);
    assert_non_null(strstr(c->output, "an illegal memory access was encountered"));
    assert_false(child_reported(c, "leak"));
    free(c);
}

static void a_failure_that_is_none_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"CUDASIM_FAIL=cudaMalloc", "CUDASIM_FAIL=cudaMalloc:0",
                                      "CUDASIM_FAIL=cudaMalloc:x", "CUDASIM_FAIL=:3",
                                      "CUDASIM_FAIL=any:3:2:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        child *c = run_toy(bad[i]);
        assert_int_equal(c->status, 99);
        assert_true(child_reported(c, "unknown"));
        free(c);
    }
}

/* The mutation points that a run lists, one a call. */
static size_t list_points(char (*points)[128], size_t room) {
    child *c = run_toy("CUDASIM_MUTATE=list");
    size_t n = 0;
    assert_int_equal(c->status, 0);
    for (char *at = c->output; n < room && (at = strstr(at, "cudasim: mutation ")); at++)
        n += sscanf(at, "cudasim: mutation %127s", points[n]) == 1;
    free(c);
    return n;
}

static bool is_noticed(const char *point) {
    static const char *const schedules[] = {"CUDASIM_SCHEDULE=in_order",
                                            "CUDASIM_SCHEDULE=reverse"};
    char setting[160];
    bool is_caught = false;
    snprintf(setting, sizeof setting, "CUDASIM_MUTATE=%s", point);
    for (size_t i = 0; i < 2 && !is_caught; i++) {
        child *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->program = TOY_STEP;
        c->settings[0] = setting;
        c->settings[1] = schedules[i];
        child_run(c);
        is_caught = c->status != 0;
        free(c);
    }
    return is_caught;
}

/* The toy waits for its output each step, so some of its events order what is ordered already: those, and only those,
 * may go without notice (cudaDeviceSynchronize in close_toy is another). */
static void dropping_an_event_that_matters_is_noticed(void **state) {
    (void)state;
    char points[32][128];
    size_t n = list_points(points, 32), n_noticed = 0;
    assert_int_equal(n, 11);
    for (size_t i = 0; i < n; i++)
        n_noticed += is_noticed(points[i]);
    assert_int_equal(n_noticed, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_nothing_happens_to_is_clean),
        cmocka_unit_test(each_call_of_each_function_can_be_made_to_fail),
        cmocka_unit_test(the_nth_call_of_anything_can_be_made_to_fail),
        cmocka_unit_test(every_other_function_can_be_made_to_fail),
        cmocka_unit_test(a_failure_has_the_error_asked_for),
        cmocka_unit_test(a_sticky_error_stays),
        cmocka_unit_test(a_failure_that_is_none_is_refused),
        cmocka_unit_test(dropping_an_event_that_matters_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
