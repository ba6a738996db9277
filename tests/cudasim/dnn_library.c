/* cuDNN's handle, versions and errors. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnn.h"
#include "leaks.h"
#include "stream.h"

static char *last_error(void) {
    static _Thread_local char text[256];
    return text;
}

cudnnStatus_t cs_dnn_report(cudnnStatus_t status, const char *format, ...) {
    char where[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error(), 256, format, arguments);
    va_end(arguments);
    snprintf(where, sizeof where, "%s in %s", cs_current_function(), cs_caller_name());
    cs_report(CS_DNN, where, "%s", last_error());
    return status;
}

cs_dnn_handle *cs_dnn_handle_of(cudnnHandle_t handle) {
    if (handle && cs_leak_is_alive(CS_DNN_HANDLE, handle))
        return (cs_dnn_handle *)(void *)handle;
    cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%p is no living handle", (void *)handle);
    return NULL;
}

cs_dnn_desc *cs_dnn_desc_of(cudnnBackendDescriptor_t handle) {
    if (handle && cs_leak_is_alive(CS_DNN_DESC, handle))
        return handle;
    cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%p is no living descriptor", handle);
    return NULL;
}

CS_API size_t cudnnGetVersion(void) {
    return 91900;
}

CS_API size_t cudnnGetCudartVersion(void) {
    return 13000;
}

CS_API size_t cudnnGetMaxDeviceVersion(void) {
    return 1210;
}

typedef struct status_row {
    cudnnStatus_t status;
    const char *name;
} status_row;

#define ROW(name)                                                                                  \
    { CUDNN_STATUS_##name, "CUDNN_STATUS_" #name }
static const status_row statuses[] = {
    ROW(SUCCESS),
    ROW(NOT_INITIALIZED),
    ROW(SUBLIBRARY_VERSION_MISMATCH),
    ROW(BAD_PARAM),
    ROW(BAD_PARAM_NULL_POINTER),
    ROW(BAD_PARAM_MISALIGNED_POINTER),
    ROW(BAD_PARAM_NOT_FINALIZED),
    ROW(BAD_PARAM_OUT_OF_BOUND),
    ROW(BAD_PARAM_SIZE_INSUFFICIENT),
    ROW(BAD_PARAM_SHAPE_MISMATCH),
    ROW(BAD_PARAM_DUPLICATED_ENTRIES),
    ROW(BAD_PARAM_ATTRIBUTE_TYPE),
    ROW(BAD_PARAM_DESCRIPTOR_TYPE),
    ROW(NOT_SUPPORTED),
    ROW(NOT_SUPPORTED_GRAPH_PATTERN),
    ROW(NOT_SUPPORTED_ARCH_MISMATCH),
    ROW(INTERNAL_ERROR),
    ROW(INTERNAL_ERROR_HOST_ALLOCATION_FAILED),
    ROW(INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED),
    ROW(EXECUTION_FAILED),
    ROW(EXECUTION_FAILED_CUDA_DRIVER),
    ROW(EXECUTION_FAILED_CUDART),
};

CS_API const char *cudnnGetErrorString(cudnnStatus_t status) {
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "CUDNN_UNKNOWN_STATUS";
}

CS_API void cudnnGetLastErrorString(char *message, size_t room) {
    if (!message || room == 0)
        return;
    snprintf(message, room, "%s", last_error());
    last_error()[0] = 0;
}

CS_API cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    DNN_ENTER(CUDNN_STATUS_NOT_INITIALIZED);
    if (!handle)
        return dnn_leave(cs_dnn_report(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for it"));
    if (cs_sim.sticky_error || cs_sim.n_devices == 0)
        return dnn_leave(CUDNN_STATUS_NOT_INITIALIZED);
    cs_dnn_handle *made = cs_must_alloc(sizeof *made);
    *made = (cs_dnn_handle){.device = cs_current_device()};
    *handle = (cudnnHandle_t)(void *)made;
    cs_leak_track(CS_DNN_HANDLE, made, NULL);
    return dnn_leave(CUDNN_STATUS_SUCCESS);
}

CS_API cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    int injected = cs_enter(CUDNN_STATUS_INTERNAL_ERROR);
    cs_dnn_handle *h = cs_dnn_handle_of(handle);
    if (!h)
        return dnn_leave(CUDNN_STATUS_BAD_PARAM);
    cs_leak_release(CS_DNN_HANDLE, h);
    free(h);
    return dnn_leave((cudnnStatus_t)injected);
}

CS_API cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    DNN_ENTER(CUDNN_STATUS_BAD_PARAM);
    cs_dnn_handle *h = cs_dnn_handle_of(handle);
    if (!h)
        return dnn_leave(CUDNN_STATUS_BAD_PARAM);
    int device = cs_stream_device(stream);
    if (device != h->device)
        return dnn_leave(cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                                       "the stream is of device %d, the handle of %d", device,
                                       h->device));
    h->stream = stream;
    return dnn_leave(CUDNN_STATUS_SUCCESS);
}

CS_API cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *stream) {
    DNN_ENTER(CUDNN_STATUS_BAD_PARAM);
    const cs_dnn_handle *h = cs_dnn_handle_of(handle);
    if (!h || !stream)
        return dnn_leave(CUDNN_STATUS_BAD_PARAM);
    *stream = h->stream;
    return dnn_leave(CUDNN_STATUS_SUCCESS);
}
