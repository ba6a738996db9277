/* Launches: configuration, limits, parameters. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fatbin.h"
#include "launch_limits.h"
#include "nvcc_entry.h"
#include "stream.h"

/* The compiler's stubs push and pop the configuration of <<<>>>; 0 lets the stub go on. */
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes,
                                     cudaStream_t stream) {
    cs_enter(0);
    cs_thread *thread = cs_this_thread();
    bool is_full = thread->n_pushed == CS_PUSHED_MAX;
    if (!is_full)
        thread->pushed[thread->n_pushed++] =
            (cs_pushed){grid, block, shared_bytes, stream, __builtin_return_address(0)};
    cs_leave(0);
    return is_full;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
                                       void *stream) {
    cs_enter(0);
    cs_thread *thread = cs_this_thread();
    if (thread->n_pushed == 0)
        return (cudaError_t)cs_leave(cudaErrorUnknown);
    const cs_pushed *top = &thread->pushed[--thread->n_pushed];
    *grid = top->grid;
    *block = top->block;
    *shared_bytes = top->shared_bytes;
    memcpy(stream, &top->stream, sizeof top->stream);
    thread->launch_caller = top->caller;
    return (cudaError_t)cs_leave(cudaSuccess);
}

cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *stub) {
    cs_enter(0);
    cs_function *f = cs_function_of(stub);
    *kernel = (cudaKernel_t)(void *)f;
    return (cudaError_t)cs_leave(f ? cudaSuccess : cudaErrorInvalidDeviceFunction);
}

typedef struct queued_launch {
    cs_launch launch;
    const cs_function *function;
    int device;
    uint8_t params[];
} queued_launch;

static cs_progress run_launch(void *arg) {
    const queued_launch *q = arg;
    if (!cs_launch_run(&q->launch))
        cs_set_sticky(cudaErrorLaunchFailure);
    return CS_DONE;
}

static uint64_t next_launch_id(void) {
    static uint64_t launches;
    return ++launches;
}

static queued_launch *new_launch(const cs_launch_request *request, const cs_kernel *kernel,
                                 void **arguments) {
    const uint32_t *sizes, *offsets;
    size_t n = cs_kernel_params(kernel, &sizes, &offsets), room = 8;
    for (size_t i = 0; i < n; i++)
        room = offsets[i] + sizes[i] > room ? offsets[i] + sizes[i] : room;
    queued_launch *q = calloc(1, sizeof *q + room);
    if (!q)
        abort();
    for (size_t i = 0; i < n; i++)
        memcpy(q->params + offsets[i], arguments[i], sizes[i]);
    q->launch = (cs_launch){.kernel = kernel,
                            .grid = {request->grid.x, request->grid.y, request->grid.z},
                            .block = {request->block.x, request->block.y, request->block.z},
                            .dynamic_shared = (uint32_t)request->dynamic_shared,
                            .params = q->params,
                            .launch_id = next_launch_id()};
    return q;
}

/* Work after a sticky error that the program was told of. */
static void check_sticky(const cs_function *f) {
    if (cs_sim.sticky_error && cs_sim.is_sticky_returned)
        cs_report(CS_STICKY, f->name,
                  "launched by %s after error %d was returned: nothing runs any more",
                  cs_caller_name(), cs_sim.sticky_error);
}

static int launch(cs_function *f, cs_launch_request *request, void **arguments) {
    if (!f)
        return cudaErrorInvalidDeviceFunction;
    request->device = cs_stream_device(request->stream);
    if (request->device < 0)
        return cudaErrorInvalidResourceHandle;
    if (request->device != cs_current_device()) {
        cs_report(CS_WRONG_DEVICE, f->name,
                  "launched by %s in a stream of device %d while device %d is current",
                  cs_caller_name(), request->device, cs_current_device());
        return cudaErrorInvalidResourceHandle;
    }
    const cs_kernel *kernel = cs_function_kernel(f, request->device);
    int error = cs_limits_check(f, kernel, request);
    if (error)
        return error;
    queued_launch *q = new_launch(request, kernel, arguments);
    error = cs_enqueue(request->stream, f->name, run_launch, q, free);
    if (!error)
        cs_op_is_kernel(cs_last_op());
    return error;
}

/* Both ways in are one function to CUDASIM_FAIL: "cudaLaunchKernel". */
static cudaError_t enter_and_launch(const void *function, cs_launch_request *request,
                                    void **arguments, const void *caller) {
    int injected = cs_enter_from("cudaLaunchKernel", cudaErrorLaunchOutOfResources, caller);
    cs_function *f = cs_function_of(function);
    if (f)
        check_sticky(f);
    int early = cs_runtime_early(injected);
    return cs_runtime_leave(early ? early : launch(f, request, arguments));
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                             size_t shared_bytes, cudaStream_t stream) {
    cs_launch_request request = {grid, block, shared_bytes, stream, 0};
    return enter_and_launch(function, &request, arguments, __builtin_return_address(0));
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                               size_t shared_bytes, cudaStream_t stream) {
    cs_launch_request request = {grid, block, shared_bytes, stream, 0};
    const void *caller = cs_this_thread()->launch_caller;
    caller = caller ? caller : __builtin_return_address(0);
    return enter_and_launch(kernel, &request, arguments, caller);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function,
                                void **arguments) {
    if (config && config->numAttrs)
        cs_unknown("cudaLaunchKernelExC", "launch attribute %d", (int)config->attrs[0].id);
    if (!config)
        return cudaErrorInvalidValue;
    cs_launch_request request = {config->gridDim, config->blockDim, config->dynamicSmemBytes,
                                 config->stream, 0};
    return enter_and_launch(function, &request, arguments, __builtin_return_address(0));
}
