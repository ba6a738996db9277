/* Devices of the cudart API: how many, which, and what they are like. */
#include "runtime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profile.h"
#include "stream.h"

#define RUNTIME_VERSION 13000

cudaError_t cudaDriverGetVersion(int *version) {
    RT_ENTER(cudaErrorInitializationError);
    if (version)
        *version = RUNTIME_VERSION;
    return rt_leave(version ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    RT_ENTER(cudaErrorInitializationError);
    if (version)
        *version = RUNTIME_VERSION;
    return rt_leave(version ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceCount(int *count) {
    RT_ENTER(cudaErrorInsufficientDriver);
    if (!count)
        return rt_leave(cudaErrorInvalidValue);
    *count = cs_sim.n_devices;
    return rt_leave(cs_sim.n_devices ? cudaSuccess : cudaErrorNoDevice);
}

static bool is_device(int device) {
    return device >= 0 && device < cs_sim.n_devices;
}

cudaError_t cudaSetDevice(int device) {
    RT_ENTER(cudaErrorDevicesUnavailable);
    if (!is_device(device))
        return rt_leave(cudaErrorInvalidDevice);
    cs_this_thread()->device = device;
    return rt_leave(cudaSuccess);
}

cudaError_t cudaGetDevice(int *device) {
    RT_ENTER(cudaErrorInitializationError);
    if (!device)
        return rt_leave(cudaErrorInvalidValue);
    *device = cs_current_device();
    return rt_leave(cs_sim.n_devices ? cudaSuccess : cudaErrorNoDevice);
}

/* Of a device of the machine: the same in every process that sees it, another for every other device. */
static int bus_of(int device) {
    return 0x10 + 0x11 * cs_sim.physical[device];
}

static void fill_uuid(cudaUUID_t *uuid, int device) {
    static const unsigned char first[12] = {0x5c, 0x0d, 0xa5, 0x13, 0x7b, 0x01,
                                            0x4e, 0x57, 0x9a, 0x21, 0xc0, 0xde};
    memset(uuid, 0, sizeof *uuid);
    memcpy(uuid->bytes, first, sizeof first);
    uuid->bytes[15] = (char)(cs_sim.physical[device] + 1);
}

/* The limits and the facts that programs ask for; what is not here (textures, surfaces) stays 0. */
static void fill_limits(struct cudaDeviceProp *p, const cs_profile *is) {
    p->sharedMemPerBlock = is->shared_per_block;
    p->sharedMemPerBlockOptin = is->shared_opt_in;
    p->sharedMemPerMultiprocessor = is->shared_per_sm;
    p->reservedSharedMemPerBlock = is->shared_reserved;
    p->regsPerBlock = is->registers_per_block;
    p->regsPerMultiprocessor = is->registers_per_sm;
    p->warpSize = 32;
    p->maxThreadsPerBlock = is->threads_per_block;
    p->maxThreadsPerMultiProcessor = is->threads_per_sm;
    p->maxBlocksPerMultiProcessor = is->blocks_per_sm;
    memcpy(p->maxThreadsDim, is->block_max, sizeof is->block_max);
    memcpy(p->maxGridSize, is->grid_max, sizeof is->grid_max);
    p->memPitch = 2147483647;
    p->totalConstMem = 65536;
    p->textureAlignment = 512;
    p->texturePitchAlignment = 32;
    p->surfaceAlignment = 512;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
    RT_ENTER(cudaErrorInitializationError);
    if (!p || !is_device(device))
        return rt_leave(p ? cudaErrorInvalidDevice : cudaErrorInvalidValue);
    const cs_profile *is = cs_sim.profile;
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", is->name);
    fill_uuid(&p->uuid, device);
    fill_limits(p, is);
    p->totalGlobalMem =
        cs_sim.options.memory_bytes ? cs_sim.options.memory_bytes : is->memory_bytes;
    p->major = is->major;
    p->minor = is->minor;
    p->multiProcessorCount = is->n_multiprocessors;
    p->concurrentKernels = 1;
    p->ECCEnabled = 1;
    p->pciBusID = bus_of(device);
    p->asyncEngineCount = is->n_copy_engines;
    p->unifiedAddressing = 1;
    p->canMapHostMemory = 1;
    p->memoryBusWidth = is->memory_bus_bits;
    p->l2CacheSize = is->l2_bytes;
    p->streamPrioritiesSupported = 1;
    p->globalL1CacheSupported = 1;
    p->localL1CacheSupported = 1;
    p->hostNumaId = -1;
    p->deviceNumaId = -1;
    return rt_leave(cudaSuccess);
}

/* What these devices can do and what they cannot, as far as programs here may ask. */
static int yes_or_no(enum cudaDeviceAttr which) {
    static const enum cudaDeviceAttr yes[] = {
        cudaDevAttrConcurrentKernels, cudaDevAttrEccEnabled, cudaDevAttrUnifiedAddressing,
        cudaDevAttrCanMapHostMemory,  cudaDevAttrGpuOverlap, cudaDevAttrStreamPrioritiesSupported};
    static const enum cudaDeviceAttr no[] = {
        cudaDevAttrPciDeviceId,          cudaDevAttrPciDomainId,
        cudaDevAttrIntegrated,           cudaDevAttrKernelExecTimeout,
        cudaDevAttrManagedMemory,        cudaDevAttrConcurrentManagedAccess,
        cudaDevAttrPageableMemoryAccess, cudaDevAttrCooperativeLaunch,
        cudaDevAttrClusterLaunch,        cudaDevAttrMemoryPoolsSupported,
        cudaDevAttrComputeMode,          cudaDevAttrTccDriver};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (yes[i] == which)
            return 1;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (no[i] == which)
            return 0;
    cs_unknown("cudaDeviceGetAttribute", "attribute %d", (int)which);
}

static int attribute_of(enum cudaDeviceAttr which, int device) {
    const cs_profile *is = cs_sim.profile;
    switch (which) {
    case cudaDevAttrMaxThreadsPerBlock:
        return is->threads_per_block;
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
    case cudaDevAttrMaxBlockDimZ:
        return is->block_max[which - cudaDevAttrMaxBlockDimX];
    case cudaDevAttrMaxGridDimX:
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
        return is->grid_max[which - cudaDevAttrMaxGridDimX];
    case cudaDevAttrMaxSharedMemoryPerBlock:
        return (int)is->shared_per_block;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        return (int)is->shared_opt_in;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        return (int)is->shared_per_sm;
    case cudaDevAttrReservedSharedMemoryPerBlock:
        return (int)is->shared_reserved;
    case cudaDevAttrTotalConstantMemory:
        return 65536;
    case cudaDevAttrWarpSize:
        return 32;
    case cudaDevAttrMaxRegistersPerBlock:
        return is->registers_per_block;
    case cudaDevAttrMaxRegistersPerMultiprocessor:
        return is->registers_per_sm;
    case cudaDevAttrClockRate:
        return is->clock_khz;
    case cudaDevAttrMemoryClockRate:
        return is->memory_clock_khz;
    case cudaDevAttrGlobalMemoryBusWidth:
        return is->memory_bus_bits;
    case cudaDevAttrMultiProcessorCount:
        return is->n_multiprocessors;
    case cudaDevAttrL2CacheSize:
        return is->l2_bytes;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        return is->threads_per_sm;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
        return is->blocks_per_sm;
    case cudaDevAttrAsyncEngineCount:
        return is->n_copy_engines;
    case cudaDevAttrSingleToDoublePrecisionPerfRatio:
        return is->fp64_ratio;
    case cudaDevAttrComputeCapabilityMajor:
        return is->major;
    case cudaDevAttrComputeCapabilityMinor:
        return is->minor;
    case cudaDevAttrPciBusId:
        return bus_of(device);
    default:
        return yes_or_no(which);
    }
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device) {
    RT_ENTER(cudaErrorInitializationError);
    if (!value || !is_device(device))
        return rt_leave(value ? cudaErrorInvalidDevice : cudaErrorInvalidValue);
    *value = attribute_of(which, device);
    return rt_leave(cudaSuccess);
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int room, int device) {
    RT_ENTER(cudaErrorInitializationError);
    if (!text || room < 13)
        return rt_leave(cudaErrorInvalidValue);
    if (!is_device(device))
        return rt_leave(cudaErrorInvalidDevice);
    snprintf(text, (size_t)room, "0000:%02X:00.0", bus_of(device));
    return rt_leave(cudaSuccess);
}

cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *text) {
    RT_ENTER(cudaErrorInitializationError);
    if (!device || !text)
        return rt_leave(cudaErrorInvalidValue);
    for (int i = 0; i < cs_sim.n_devices; i++) {
        char mine[16];
        snprintf(mine, sizeof mine, "0000:%02X:00.0", bus_of(i));
        *device = i;
        if (strcasecmp(mine, text) == 0)
            return rt_leave(cudaSuccess);
    }
    return rt_leave(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer) {
    RT_ENTER(cudaErrorInitializationError);
    if (!can || !is_device(device) || !is_device(peer))
        return rt_leave(can ? cudaErrorInvalidDevice : cudaErrorInvalidValue);
    *can = 0;
    return rt_leave(cudaSuccess);
}

cudaError_t cudaInitDevice(int device, unsigned device_flags, unsigned flags) {
    RT_ENTER(cudaErrorInitializationError);
    if (device_flags || flags)
        cs_unknown("cudaInitDevice", "flags %#x, %#x", device_flags, flags);
    return rt_leave(is_device(device) ? cudaSuccess : cudaErrorInvalidDevice);
}

/* How the host waits is nothing that can be seen here. */
cudaError_t cudaSetDeviceFlags(unsigned flags) {
    RT_ENTER(cudaErrorInitializationError);
    if (flags & ~(unsigned)(cudaDeviceScheduleMask | cudaDeviceMapHost))
        cs_unknown("cudaSetDeviceFlags", "flags %#x", flags);
    return rt_leave(cudaSuccess);
}
