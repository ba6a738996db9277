/* The runtime's parts from inside: fat binaries by hand, order of queued operations, records of what launches touch. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "caught.h"
#include "fatbin.h"
#include "memory.h"
#include "sim.h"
#include "stream.h"

/* --- fat binaries ----------------------------------------------------------------------------- */

enum { PTX = 1, CODE = 2, ENTRY = 64 + 16 };

typedef struct image {
    uint8_t bytes[16 + 8 * ENTRY];
    size_t n;
} image;

static void put(uint8_t *to, uint64_t value, size_t n) {
    memcpy(to, &value, n);
}

static void begin(image *i) {
    memset(i, 0, sizeof *i);
    put(i->bytes, 0xBA55ED50u, 4);
    put(i->bytes + 4, 1, 2);
    put(i->bytes + 6, 16, 2);
    i->n = 16;
}

static void add(image *i, unsigned kind, int capability, const char *text, size_t expanded) {
    uint8_t *at = i->bytes + i->n;
    put(at, kind, 2);
    put(at + 4, 64, 4);
    put(at + 8, 16, 8);
    put(at + 28, (uint64_t)capability, 4);
    put(at + 56, expanded, 8);
    memcpy(at + 64, text, strlen(text));
    i->n += ENTRY;
    put(i->bytes + 8, i->n - 16, 8);
}

static void assert_picks(const image *i, int wanted, const char *text, int capability) {
    char error[256] = "";
    size_t n = 0;
    int chosen = 0;
    const char *ptx = cs_fatbin_ptx(i->bytes, wanted, &n, &chosen, error, sizeof error);
    if (!ptx)
        fail_msg("%s", error);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(ptx, text, n);
    assert_int_equal(chosen, capability);
}

static void assert_refuses(const image *i, int wanted, const char *why) {
    char error[256] = "";
    size_t n = 0;
    int chosen = 0;
    assert_null(cs_fatbin_ptx(i->bytes, wanted, &n, &chosen, error, sizeof error));
    if (!strstr(error, why))
        fail_msg("\"%s\", want \"%s\" in it", error, why);
}

static void the_newest_ptx_that_the_gpu_reads_is_taken(void **state) {
    (void)state;
    image i;
    begin(&i);
    add(&i, PTX, 75, "of 75", 0);
    add(&i, PTX, 90, "of 90", 0);
    add(&i, PTX, 80, "of 80", 0);
    assert_picks(&i, 75, "of 75", 75);
    assert_picks(&i, 80, "of 80", 80);
    assert_picks(&i, 89, "of 80", 80);
    assert_picks(&i, 90, "of 90", 90);
}

static void an_older_gpu_with_machine_code_gets_the_oldest_ptx(void **state) {
    (void)state;
    image i;
    begin(&i);
    add(&i, PTX, 90, "of 90", 0);
    add(&i, PTX, 80, "of 80", 0);
    assert_refuses(&i, 75, "no PTX for compute capability 75");
    add(&i, CODE, 75, "machine", 0);
    assert_picks(&i, 75, "of 80", 80);
}

static void what_cannot_be_read_is_refused_with_the_remedy(void **state) {
    (void)state;
    image i;
    begin(&i);
    assert_refuses(&i, 80, "-gencode arch=compute_80,code=compute_80");
    add(&i, PTX, 80, "squeezed", 4711);
    assert_refuses(&i, 80, "-compress-mode=none");
    i.bytes[0] = 0;
    assert_refuses(&i, 80, "is no fat binary's");
}

static void machine_code_is_that_of_the_same_generation(void **state) {
    (void)state;
    image i;
    size_t n = 0;
    begin(&i);
    add(&i, CODE, 75, "75", 0);
    add(&i, CODE, 80, "80", 0);
    assert_memory_equal(cs_fatbin_cubin(i.bytes, 80, &n), "80", 2);
    assert_memory_equal(cs_fatbin_cubin(i.bytes, 86, &n), "80", 2);
    assert_null(cs_fatbin_cubin(i.bytes, 90, &n));
    assert_int_equal(
        cs_cubin_registers(
            (const uint8_t *)"no ELF file, but long enough to be one, 64 bytes and a few more", 64,
            "k"),
        0);
}

/* --- order ------------------------------------------------------------------------------------ */

typedef struct trace {
    char order[16];
    size_t n;
} trace;

typedef struct noted {
    trace *to;
    char letter;
    int n_pending; /* how often it asks to be tried again */
} noted;

static cs_progress note(void *arg) {
    noted *one = arg;
    if (one->n_pending-- > 0)
        return CS_PENDING;
    one->to->order[one->to->n++] = one->letter;
    return CS_DONE;
}

static void queue(cudaStream_t stream, trace *to, char letter, int n_pending) {
    noted *one = malloc(sizeof *one);
    assert_non_null(one);
    *one = (noted){to, letter, n_pending};
    assert_int_equal(cs_enqueue(stream, "note", note, one, free), 0);
}

typedef struct pair {
    cudaStream_t a, b;
    cudaEvent_t event;
    uint64_t memory;
    size_t n_reports;
} pair;

static int open_pair(void **state) {
    pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    cs_start();
    p->n_reports = cs_report_count();
    assert_int_equal(cs_stream_new(&p->a, cudaStreamNonBlocking, 0), 0);
    assert_int_equal(cs_stream_new(&p->b, cudaStreamNonBlocking, 0), 0);
    assert_int_equal(cs_event_new(&p->event, cudaEventDisableTiming), 0);
    p->memory = cs_memory_new(0, 4096, "test");
    *state = p;
    return 0;
}

static int close_pair(void **state) {
    pair *p = *state;
    cs_device_wait(0);
    cs_stream_end(p->a);
    cs_stream_end(p->b);
    cs_event_end(p->event);
    cs_memory_free(p->memory);
    free(p);
    return 0;
}

static void nothing_runs_before_somebody_waits(void **state) {
    pair *p = *state;
    trace t = {0};
    queue(p->a, &t, 'a', 0);
    assert_int_equal(t.n, 0);
    assert_int_equal(cs_stream_wait(p->a), 0);
    assert_string_equal(t.order, "a");
}

static void waiting_for_one_stream_may_leave_the_other(void **state) {
    pair *p = *state;
    trace t = {0};
    cs_sim.options.schedule = CS_SCHEDULE_IN_ORDER;
    queue(p->a, &t, 'a', 0);
    queue(p->b, &t, 'b', 0);
    assert_int_equal(cs_stream_wait(p->a), 0);
    assert_string_equal(t.order, "a");
    assert_int_equal(cs_stream_wait(p->b), 0);
    assert_string_equal(t.order, "ab");
}

static void what_is_pending_lets_others_pass(void **state) {
    pair *p = *state;
    trace t = {0};
    cs_sim.options.schedule = CS_SCHEDULE_IN_ORDER;
    queue(p->a, &t, 'a', 3);
    queue(p->b, &t, 'b', 0);
    assert_int_equal(cs_device_wait(0), 0);
    assert_string_equal(t.order, "ba");
}

static void an_event_holds_back_what_waits_for_it(void **state) {
    pair *p = *state;
    trace t = {0};
    cs_sim.options.schedule = CS_SCHEDULE_REVERSE;
    queue(p->a, &t, 'a', 2);
    assert_int_equal(cs_event_record(p->event, p->a), 0);
    assert_int_equal(cs_event_wait_in_stream(p->b, p->event), 0);
    queue(p->b, &t, 'b', 0);
    assert_int_equal(cs_stream_wait(p->b), 0);
    assert_string_equal(t.order, "ab");
}

/* --- missing events --------------------------------------------------------------------------- */

static cs_progress nothing(void *arg) {
    (void)arg;
    return CS_DONE;
}

static void queue_access(cudaStream_t stream, uint64_t address, size_t bytes, bool is_write) {
    assert_int_equal(cs_enqueue(stream, "access", nothing, NULL, NULL), 0);
    (is_write ? cs_op_writes : cs_op_reads)(cs_last_op(), address, bytes);
}

static int write_and_read_a_byte(const void *arg) {
    const pair *p = arg;
    queue_access(p->a, p->memory, 100, true);
    queue_access(p->b, p->memory + 99, 1, false);
    cs_device_wait(0);
    return (int)cs_report_count_of(CS_MISSING_EVENT);
}

static void overlapping_accesses_without_order_are_reported(void **state) {
    caught c = run_apart(write_and_read_a_byte, *state);
    assert_caught(&c, 1, "byte 99 of test");
}

static void neighbours_and_readers_are_not(void **state) {
    pair *p = *state;
    queue_access(p->a, p->memory, 100, true);
    queue_access(p->b, p->memory + 100, 100, true);
    queue_access(p->a, p->memory + 1000, 100, false);
    queue_access(p->b, p->memory + 1000, 100, false);
    cs_device_wait(0);
    assert_int_equal(cs_report_count(), p->n_reports);
}

static void order_reaches_through_a_third_stream(void **state) {
    pair *p = *state;
    cudaStream_t third;
    cudaEvent_t second;
    assert_int_equal(cs_stream_new(&third, cudaStreamNonBlocking, 0), 0);
    assert_int_equal(cs_event_new(&second, cudaEventDisableTiming), 0);
    queue_access(p->a, p->memory, 100, true);
    cs_event_record(p->event, p->a);
    cs_event_wait_in_stream(third, p->event);
    cs_event_record(second, third);
    cs_event_wait_in_stream(p->b, second);
    queue_access(p->b, p->memory, 100, true);
    cs_device_wait(0);
    assert_int_equal(cs_report_count(), p->n_reports);
    cs_stream_end(third);
    cs_event_end(second);
}

static void what_the_host_waited_for_is_before_what_it_queues(void **state) {
    pair *p = *state;
    queue_access(p->a, p->memory, 100, true);
    cs_stream_wait(p->a);
    queue_access(p->b, p->memory, 100, true);
    cs_device_wait(0);
    assert_int_equal(cs_report_count(), p->n_reports);
}

/* The later write to the whole hides the earlier one, which somebody else may still meet. */
static int write_twice_and_read(const void *arg) {
    const pair *p = arg;
    queue_access(p->a, p->memory, 100, true);
    queue_access(p->a, p->memory, 200, true);
    queue_access(p->b, p->memory + 50, 10, false);
    cs_device_wait(0);
    return cs_report_count_of(CS_MISSING_EVENT) > 0;
}

static void a_write_that_was_overwritten_in_order_is_still_met(void **state) {
    caught c = run_apart(write_twice_and_read, *state);
    assert_caught(&c, 1, "neither waits for the other");
}

static void a_launch_is_remembered_to_the_byte(void **state) {
    pair *p = *state;
    const cs_allocation *a = cs_allocation_of(p->memory);
    cs_touch(a, p->memory + 300, 40, true);
    cs_touch(a, p->memory + 340, 400, true);
    assert_int_equal(cs_enqueue(p->a, "kernel", nothing, NULL, NULL), 0);
    cs_op_is_kernel(cs_last_op());
    queue_access(p->b, p->memory, 300, true);
    queue_access(p->b, p->memory + 740, 100, true);
    cs_device_wait(0);
    assert_int_equal(cs_report_count(), p->n_reports);
}

int main(void) {
#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_ptx_that_the_gpu_reads_is_taken),
        cmocka_unit_test(an_older_gpu_with_machine_code_gets_the_oldest_ptx),
        cmocka_unit_test(what_cannot_be_read_is_refused_with_the_remedy),
        cmocka_unit_test(machine_code_is_that_of_the_same_generation),
        IN_PAIR(nothing_runs_before_somebody_waits),
        IN_PAIR(waiting_for_one_stream_may_leave_the_other),
        IN_PAIR(what_is_pending_lets_others_pass),
        IN_PAIR(an_event_holds_back_what_waits_for_it),
        IN_PAIR(overlapping_accesses_without_order_are_reported),
        IN_PAIR(neighbours_and_readers_are_not),
        IN_PAIR(order_reaches_through_a_third_stream),
        IN_PAIR(what_the_host_waited_for_is_before_what_it_queues),
        IN_PAIR(a_write_that_was_overwritten_in_order_is_still_met),
        IN_PAIR(a_launch_is_remembered_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
