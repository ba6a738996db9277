/* NCCL's version, errors and ids. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leaks.h"
#include "nccl_fake.h"

static char *last_error(void) {
    static char text[256];
    return text;
}

ncclResult_t cs_nccl_report(cs_nccl_comm *comm, ncclResult_t result, const char *format, ...) {
    char where[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error(), 256, format, arguments);
    va_end(arguments);
    if (comm)
        memcpy(comm->error, last_error(), sizeof comm->error);
    snprintf(where, sizeof where, "%s in %s", cs_current_function(), cs_caller_name());
    cs_report(CS_NCCL, where, "%s", last_error());
    return result;
}

void cs_nccl_fail(cs_nccl_comm *comm, ncclResult_t result, const char *format, ...) {
    va_list arguments;
    if (comm->async_error != ncclSuccess)
        return;
    va_start(arguments, format);
    vsnprintf(comm->error, sizeof comm->error, format, arguments);
    va_end(arguments);
    memcpy(last_error(), comm->error, sizeof comm->error);
    comm->async_error = result;
}

cs_nccl_comm *cs_nccl_comm_of(ncclComm_t handle) {
    if (handle && cs_leak_is_alive(CS_NCCL_COMM, handle))
        return (cs_nccl_comm *)(void *)handle;
    cs_nccl_report(NULL, ncclInvalidArgument, "%p is no living communicator", (void *)handle);
    return NULL;
}

const char *cs_nccl_kind_name(uint32_t kind) {
    static const char *const names[CS_NCCL_KINDS] = {
        "ncclAllReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast",
        "ncclReduce",    "ncclCommFinalize",  "ncclSend"};
    return kind < CS_NCCL_KINDS ? names[kind] : "something else";
}

size_t cs_nccl_type_bytes(uint32_t type) {
    switch (type) {
    case ncclInt8:
    case ncclUint8:
        return 1;
    case ncclBfloat16:
        return 2;
    case ncclInt32:
    case ncclFloat32:
        return 4;
    case ncclInt64:
        return 8;
    default:
        cs_unknown(cs_current_function(), "data type %u is not modelled", type);
    }
}

CS_API ncclResult_t ncclGetVersion(int *version) {
    NCCL_ENTER();
    if (!version)
        return nccl_leave(cs_nccl_report(NULL, ncclInvalidArgument, "no place for it"));
    *version = NCCL_VERSION_CODE;
    return nccl_leave(ncclSuccess);
}

CS_API const char *ncclGetErrorString(ncclResult_t result) {
    static const char *const names[] = {"no error",
                                        "unhandled cuda error",
                                        "unhandled system error",
                                        "internal error",
                                        "invalid argument",
                                        "invalid usage",
                                        "remote process exited or there was a network error",
                                        "NCCL operation in progress"};
    return (size_t)result < sizeof names / sizeof *names ? names[result] : "unknown result code";
}

CS_API const char *ncclGetLastError(ncclComm_t comm) {
    bool is_alive = comm && cs_leak_is_alive(CS_NCCL_COMM, comm);
    return is_alive ? ((const cs_nccl_comm *)(const void *)comm)->error : last_error();
}

/* A number that nobody else has: it is the address that ranks meet at. */
CS_API ncclResult_t ncclGetUniqueId(ncclUniqueId *out) {
    static uint64_t n_ids;
    NCCL_ENTER();
    if (!out)
        return nccl_leave(cs_nccl_report(NULL, ncclInvalidArgument, "no place for it"));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    cs_random random;
    cs_random_init(&random, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                   (uint64_t)getpid() << 32 | ++n_ids);
    uint64_t id = cs_random_next(&random);
    memset(out, 0, sizeof *out);
    memcpy(out->internal, &id, sizeof id);
    return nccl_leave(ncclSuccess);
}
