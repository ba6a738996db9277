/* Errors: the last one of each thread, the sticky one of the process, their names. */
#include "runtime.h"

#include <stdio.h>

#include "stream.h"

int cs_runtime_early(int injected) {
    if (cs_sim.sticky_error) {
        cs_sim.is_sticky_returned = true;
        cs_streams_abandon();
        return cs_sim.sticky_error;
    }
    return injected;
}

/* Errors after which CUDA says "the process must be terminated and relaunched" (driver_types.h). */
static bool is_sticky(int error) {
    static const int sticky[] = {
        cudaErrorIllegalAddress,      cudaErrorLaunchTimeout,       cudaErrorAssert,
        cudaErrorHardwareStackError,  cudaErrorIllegalInstruction,  cudaErrorMisalignedAddress,
        cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,           cudaErrorLaunchFailure,
        cudaErrorECCUncorrectable,    cudaErrorNvlinkUncorrectable, cudaErrorContained,
        cudaErrorDevicesUnavailable};
    for (size_t i = 0; i < sizeof sticky / sizeof *sticky; i++)
        if (sticky[i] == error)
            return true;
    return false;
}

cudaError_t cs_runtime_leave(int error) {
    if (error)
        cs_this_thread()->last_error = error;
    if (is_sticky(error)) {
        cs_set_sticky(error);
        cs_sim.is_sticky_returned = true;
    }
    return (cudaError_t)cs_leave(error);
}

int cs_library_leave(int error) {
    if (!cs_this_thread()->last_error)
        cs_this_thread()->last_error = cudaErrorNotReady;
    return cs_leave(error);
}

cudaError_t cudaGetLastError(void) {
    cs_enter(0);
    int error = cs_sim.sticky_error ? cs_sim.sticky_error : cs_this_thread()->last_error;
    cs_this_thread()->last_error = 0;
    cs_sim.is_sticky_returned = cs_sim.is_sticky_returned || cs_sim.sticky_error;
    return (cudaError_t)cs_leave(error);
}

cudaError_t cudaPeekAtLastError(void) {
    cs_enter(0);
    int error = cs_sim.sticky_error ? cs_sim.sticky_error : cs_this_thread()->last_error;
    return (cudaError_t)cs_leave(error);
}

typedef struct error_text {
    int error;
    const char *name, *text;
} error_text;

#define ROW(error, text)                                                                           \
    { error, #error, text }
static const error_text texts[] = {
    ROW(cudaSuccess, "no error"),
    ROW(cudaErrorInvalidValue, "invalid argument"),
    ROW(cudaErrorMemoryAllocation, "out of memory"),
    ROW(cudaErrorInitializationError, "initialization error"),
    ROW(cudaErrorCudartUnloading, "driver shutting down"),
    ROW(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    ROW(cudaErrorInvalidSymbol, "invalid device symbol"),
    ROW(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    ROW(cudaErrorInsufficientDriver,
        "CUDA driver version is insufficient for CUDA runtime version"),
    ROW(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    ROW(cudaErrorInvalidDeviceFunction, "invalid device function"),
    ROW(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    ROW(cudaErrorInvalidDevice, "invalid device ordinal"),
    ROW(cudaErrorInvalidKernelImage, "device kernel image is invalid"),
    ROW(cudaErrorNoKernelImageForDevice,
        "no kernel image is available for execution on the device"),
    ROW(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    ROW(cudaErrorInvalidPtx, "a PTX JIT compilation failed"),
    ROW(cudaErrorNvlinkUncorrectable, "uncorrectable NVLink error detected during the execution"),
    ROW(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    ROW(cudaErrorSymbolNotFound, "named symbol not found"),
    ROW(cudaErrorNotReady, "device not ready"),
    ROW(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    ROW(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    ROW(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    ROW(cudaErrorAssert, "device-side assert triggered"),
    ROW(cudaErrorHardwareStackError, "hardware stack error"),
    ROW(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    ROW(cudaErrorMisalignedAddress, "misaligned address"),
    ROW(cudaErrorInvalidAddressSpace, "operation not supported on global/shared address space"),
    ROW(cudaErrorInvalidPc, "invalid program counter"),
    ROW(cudaErrorLaunchFailure, "unspecified launch failure"),
    ROW(cudaErrorNotPermitted, "operation not permitted"),
    ROW(cudaErrorNotSupported, "operation not supported"),
    ROW(cudaErrorContained, "Invalid access of peer GPU memory over nvlink or a hardware error"),
    ROW(cudaErrorUnknown, "unknown error"),
};

static const error_text *find(int error) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return &texts[i];
    return NULL;
}

const char *cudaGetErrorName(cudaError_t error) {
    const error_text *row = find(error);
    return row ? row->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
    const error_text *row = find(error);
    return row ? row->text : "unrecognized error code";
}
