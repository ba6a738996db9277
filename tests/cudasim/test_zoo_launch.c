/* The bug zoo where host and kernels meet, and the error that CUDA gives where it gives one. */
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
    {"too_many_threads", "launch", "block (1025, 1, 1)", "error cudaErrorInvalidConfiguration"},
    {"no_threads", "launch", "x has to be 1 to 1024", "error cudaErrorInvalidConfiguration"},
    {"no_blocks", "launch", "x has to be 1 to", "error cudaErrorInvalidConfiguration"},
    {"block_too_deep", "launch", "z has to be 1 to 64", "error cudaErrorInvalidConfiguration"},
    {"grid_too_high", "launch", "y has to be 1 to 65535", "error cudaErrorInvalidConfiguration"},
    {"more_threads_than_launch_bounds", "launch",
     "129 threads a block, but its launch bounds allow 128", "error cudaErrorLaunchOutOfResources"},
    {"shared_memory_without_opting_in", "launch", "61440 bytes of dynamic shared memory",
     "error cudaErrorInvalidValue"},
    {"plain_memory_in_a_kernel", "host-pointer", "zoo_launch.cu:", ""},
    {"pinned_memory_in_a_kernel", "host-pointer", "zoo_launch.cu:", ""},
    {"null_in_a_kernel", "null", "zoo_launch.cu:", ""},
    {"freed_memory_in_a_kernel", "use-after-free", "zoo_launch.cu:", ""},
    {"another_devices_memory_in_a_kernel", "wrong-device", "zoo_launch.cu:", ""},
    {"a_stream_of_another_device", "wrong-device",
     "in a stream of device 0 while device 1 is current", ""},
    {"no_event_between_copy_and_kernel", "missing-event", "add", ""},
    {"no_event_between_kernel_and_copy", "missing-event", "add", ""},
    {"no_event_between_two_kernels", "missing-event", "byte 396 of cudaMalloc", ""},
    {"two_kernels_may_read_the_same", "missing-event", "byte 0 of cudaMalloc", ""},
    {"host_reads_before_the_kernel_ran", "host-order", "host_reads_before_the_kernel_ran", ""},
    {"launches_after_a_sticky_error", "sticky", "nothing runs any more",
     "then cudaErrorLaunchFailure"},
};

int main(void) {
    return zoo_main(ZOO_LAUNCH, rows, sizeof rows / sizeof *rows);
}
