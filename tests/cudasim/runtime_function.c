/* What can be asked and set of a kernel: attributes, occupancy. */
#include "runtime.h"

#include <string.h>

#include "fatbin.h"
#include "launch_limits.h"
#include "profile.h"

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
    RT_ENTER(cudaErrorInvalidDeviceFunction);
    const cs_function *f = cs_function_of(function);
    if (!f || !attributes)
        return rt_leave(f ? cudaErrorInvalidValue : cudaErrorInvalidDeviceFunction);
    const cs_kernel *kernel = cs_function_kernel(f, cs_current_device());
    cs_kernel_info of = cs_kernel_describe(kernel);
    const cs_profile *is = cs_sim.profile;
    memset(attributes, 0, sizeof *attributes);
    attributes->sharedSizeBytes = of.static_shared;
    attributes->localSizeBytes = of.local_bytes;
    attributes->maxThreadsPerBlock = of.max_threads ? (int)of.max_threads : is->threads_per_block;
    attributes->numRegs = f->n_registers;
    attributes->ptxVersion = f->ptx_capability;
    attributes->binaryVersion = is->major * 10 + is->minor;
    attributes->maxDynamicSharedSizeBytes =
        (int)cs_limits_dynamic_shared(f, kernel, cs_current_device());
    attributes->preferredShmemCarveout = cudaSharedmemCarveoutDefault;
    return rt_leave(cudaSuccess);
}

static int set_dynamic_shared(cs_function *f, int bytes) {
    cs_kernel_info of = cs_kernel_describe(cs_function_kernel(f, cs_current_device()));
    if (bytes < 0 || (size_t)bytes + of.static_shared > cs_sim.profile->shared_opt_in)
        return cudaErrorInvalidValue;
    f->dynamic_shared_max[cs_current_device()] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute which, int value) {
    RT_ENTER(cudaErrorInvalidValue);
    cs_function *f = cs_function_of(function);
    if (!f)
        return rt_leave(cudaErrorInvalidDeviceFunction);
    switch (which) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
        return rt_leave(set_dynamic_shared(f, value));
    case cudaFuncAttributePreferredSharedMemoryCarveout: /* a hint: nothing here is faster for it */
        return rt_leave(value < -1 || value > 100 ? cudaErrorInvalidValue : cudaSuccess);
    default:
        cs_unknown("cudaFuncSetAttribute", "attribute %d", (int)which);
    }
}

static int occupancy(int *n_blocks, const void *function, int n_threads, size_t dynamic_shared,
                     unsigned flags) {
    const cs_function *f = cs_function_of(function);
    if (!f || !n_blocks)
        return f ? cudaErrorInvalidValue : cudaErrorInvalidDeviceFunction;
    if (flags & ~(unsigned)cudaOccupancyDisableCachingOverride)
        return cudaErrorInvalidValue;
    const cs_kernel *kernel = cs_function_kernel(f, cs_current_device());
    *n_blocks = cs_limits_occupancy(f, kernel, n_threads, dynamic_shared);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *n_blocks, const void *function,
                                                          int n_threads, size_t dynamic_shared) {
    RT_ENTER(cudaErrorInvalidDeviceFunction);
    return rt_leave(occupancy(n_blocks, function, n_threads, dynamic_shared, 0));
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int *n_blocks, const void *function, int n_threads, size_t dynamic_shared, unsigned flags) {
    RT_ENTER(cudaErrorInvalidDeviceFunction);
    return rt_leave(occupancy(n_blocks, function, n_threads, dynamic_shared, flags));
}
