/* The host's half of the bug zoo: each fault is reported as what it is, under every schedule, and its twin that does it
 * right is not. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "child.h"
#include "zoo.h"

static const zoo_row rows[] = {
    {"host_reads_device_memory", "host-access", "host_reads_device_memory", ""},
    {"host_writes_device_memory", "host-access", "host_writes_device_memory", ""},
    {"host_copies_with_memcpy", "host-access", "host_copies_with_memcpy", ""},
    {"copy_to_a_host_pointer_as_device", "direction", "copy_to_a_host_pointer_as_device", ""},
    {"copy_in_the_wrong_direction", "direction", "copy_in_the_wrong_direction", ""},
    {"copy_to_null", "null", "copy_to_null", ""},
    {"copy_past_the_end", "bounds", "past the end", ""},
    {"copy_past_the_end_of_pinned_memory", "bounds", "past the end", ""},
    {"fill_past_the_end", "bounds", "past the end", ""},
    {"fill_between_allocations", "bounds", "fill_between_allocations", ""},
    {"copy_from_freed_memory", "use-after-free", "was freed by copy_from_freed_memory", ""},
    {"free_twice", "double-free", "freed before", ""},
    {"free_the_middle", "double-free", "not where an allocation begins", ""},
    {"free_pinned_memory_as_device", "double-free", "is no device memory", ""},
    {"free_plain_memory_as_pinned", "double-free", "is not where pinned memory begins", ""},
    {"use_a_freed_pinned_buffer", "use-after-free", "use_a_freed_pinned_buffer", ""},
    {"free_while_work_is_queued", "use-after-free", "freed before it ran", ""},
    {"free_pinned_while_work_is_queued", "use-after-free", "may still use it", ""},
    {"use_a_destroyed_stream", "use-after-free", "was destroyed by use_a_destroyed_stream", ""},
    {"use_a_destroyed_event", "use-after-free", "was destroyed by use_a_destroyed_event", ""},
    {"copy_what_nothing_has_written", "uninitialised", "byte 4095", ""},
    {"copy_onto_itself", "argument", "overlap", ""},
    {"host_writes_before_the_copy_ran", "host-order", "host_writes_before_the_copy_ran", ""},
    {"host_reads_before_the_copy_ran", "host-order", "host_reads_before_the_copy_ran", ""},
    {"host_reads_a_number_before_it_came", "host-order", "host_reads_a_number_before_it_came", ""},
    {"no_event_between_write_and_read", "missing-event", "neither waits for the other", ""},
    {"no_event_between_two_writes", "missing-event", "byte 2048 of cudaMalloc", ""},
    {"no_event_before_overwriting", "missing-event", "no_event_before_overwriting", ""},
    {"event_recorded_too_early", "missing-event", "event_recorded_too_early", ""},
    {"event_waited_for_before_its_record", "missing-event", "event_waited_for_before_its_record",
     ""},
    {"default_stream_waits_for_no_such_stream", "missing-event", "cudaMemsetAsync", ""},
    {"waited_for_the_other_stream", "missing-event", "waited_for_the_other_stream", ""},
    {"memory_of_another_device", "wrong-device", "memory of device 1, used on device 0", ""},
    {"event_of_another_device", "wrong-device", "event of device 1", ""},
    {"leave_device_memory", "leak", "device memory", ""},
    {"leave_pinned_memory", "leak", "pinned memory", ""},
    {"leave_a_stream", "leak", "stream", ""},
    {"leave_an_event", "leak", "event", ""},
    {"call_what_is_not_modelled", "unknown", "cudaGraphCreate", ""},
    {"ask_for_the_driver", "unknown", "cudaGetDriverEntryPointByVersion", ""},
    {"ask_for_an_attribute_that_is_not_modelled", "unknown", "attribute 21", ""},
    {"map_pinned_memory", "unknown", "cudaHostAlloc", ""},
};

int main(void) {
    return zoo_main(ZOO_HOST, rows, sizeof rows / sizeof *rows);
}
