/* Communicators: from the first call of a rank to its last. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gemm.h"
#include "leaks.h"
#include "nccl_fake.h"
#include "stream.h"

void cs_nccl_own(cs_nccl_comm *comm) {
    comm->n_owners++;
}

void cs_nccl_disown(cs_nccl_comm *comm) {
    if (--comm->n_owners > 0)
        return;
    cs_nccl_close_wires(comm);
    free(comm);
}

/* --- connecting ------------------------------------------------------------------------------- */

/* Goes on connecting; what it has come to. */
static ncclResult_t connect_more(cs_nccl_comm *comm) {
    cs_nccl_pump(comm);
    if (comm->async_error != ncclSuccess &&
        cs_nccl_is_flushed(comm)) /* others hear the reason too */
        return comm->async_error;
    if (!cs_nccl_is_connected(comm) || !cs_nccl_is_flushed(comm) || comm->polls_left-- > 0)
        return ncclInProgress;
    comm->state = CS_NCCL_READY;
    return ncclSuccess;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Waits for a step that a communicator that blocks must see done; others come back at once. */
static ncclResult_t wait_for(cs_nccl_comm *comm, ncclResult_t (*more)(cs_nccl_comm *)) {
    double begin = now_s();
    ncclResult_t result = more(comm);
    while (comm->is_blocking && result == ncclInProgress) {
        if (now_s() - begin > cs_sim.options.hang_s) {
            cs_report(CS_HANG, cs_current_function(),
                      "rank %d of %d has waited %.0f s for its peers", comm->rank, comm->size,
                      cs_sim.options.hang_s);
            return ncclSystemError;
        }
        sched_yield();
        result = more(comm);
    }
    return result;
}

static cs_nccl_comm *new_comm(int size, const ncclUniqueId *id, int rank, bool is_blocking) {
    cs_nccl_comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        abort();
    memcpy(&comm->id, id->internal, sizeof comm->id);
    comm->rank = rank;
    comm->size = size;
    comm->device = cs_current_device();
    comm->is_blocking = is_blocking;
    comm->listener = -1;
    comm->n_owners = 1;
    for (int i = 0; i < CS_NCCL_RANKS; i++)
        comm->peers[i].fd = comm->strangers[i] = -1;
    cs_random_init(&comm->random, cs_sim.options.seed, comm->id ^ (uint64_t)rank);
    comm->polls_left = is_blocking ? 0 : 1 + (int)cs_random_below(&comm->random, 3);
    return comm;
}

static ncclResult_t check_config(const ncclConfig_t *config) {
    if (!config)
        return ncclSuccess;
    if (config->size != sizeof *config || config->magic != 0xcafebeef)
        return cs_nccl_report(NULL, ncclInvalidArgument, "the configuration was not initialised");
    const ncclConfig_t plain = NCCL_CONFIG_INITIALIZER;
    ncclConfig_t rest = *config;
    rest.blocking = plain.blocking;
    if (memcmp(&rest.cgaClusterSize, &plain.cgaClusterSize,
               sizeof rest - offsetof(ncclConfig_t, cgaClusterSize)) != 0)
        cs_unknown(cs_current_function(), "only the configuration's `blocking` is modelled");
    if (config->blocking != 0 && config->blocking != 1 && config->blocking != plain.blocking)
        return cs_nccl_report(NULL, ncclInvalidArgument, "blocking is %d", config->blocking);
    return ncclSuccess;
}

static ncclResult_t init(ncclComm_t *out, int size, const ncclUniqueId *id, int rank,
                         const ncclConfig_t *config) {
    if (!out || size < 1 || rank < 0 || rank >= size)
        return cs_nccl_report(NULL, ncclInvalidArgument, "rank %d of %d", rank, size);
    if (cs_nccl_is_in_group())
        cs_unknown(cs_current_function(), "communicators that begin in a group are not modelled");
    if (size > CS_NCCL_RANKS)
        cs_unknown(cs_current_function(), "more than %d ranks are not modelled", CS_NCCL_RANKS);
    if (check_config(config))
        return ncclInvalidArgument;
    if (cs_sim.sticky_error || cs_sim.n_devices == 0)
        return ncclUnhandledCudaError;
    cs_nccl_comm *comm = new_comm(size, id, rank, !config || config->blocking != 0);
    int error = cs_nccl_listen(comm);
    if (error) {
        cs_nccl_report(NULL, ncclInvalidUsage, "rank %d of this id: %s", rank,
                       error == EADDRINUSE ? "somebody else is it" : strerror(error));
        cs_nccl_disown(comm);
        return ncclInvalidUsage;
    }
    cs_leak_track(CS_NCCL_COMM, comm, NULL);
    *out = (ncclComm_t)(void *)comm;
    return wait_for(comm, connect_more);
}

CS_API ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                           ncclConfig_t *config) {
    NCCL_ENTER();
    return nccl_leave(init(comm, size, &id, rank, config));
}

CS_API ncclResult_t ncclCommInitRank(ncclComm_t *comm, int size, ncclUniqueId id, int rank) {
    NCCL_ENTER();
    return nccl_leave(init(comm, size, &id, rank, NULL));
}

/* --- asking ----------------------------------------------------------------------------------- */

ncclResult_t cs_nccl_check_usable(cs_nccl_comm *comm) {
    static const char *const states[] = {"is still connecting", "is ready", "is being finalized",
                                         "is finalized", "was aborted"};
    if (comm->state != CS_NCCL_READY)
        return cs_nccl_report(comm, ncclInvalidUsage, "the communicator %s", states[comm->state]);
    if (comm->waiting)
        return cs_nccl_report(
            comm, ncclInvalidUsage,
            "the call before is still in progress: ncclCommGetAsyncError says when "
            "it is not");
    return ncclSuccess;
}

/* Queues what was issued without blocking, once the program has asked often enough. */
static ncclResult_t launch_more(cs_nccl_comm *comm) {
    if (comm->waiting && comm->polls_left-- > 0)
        return ncclInProgress;
    ncclResult_t result = ncclSuccess;
    while (comm->waiting) {
        cs_nccl_op *op = comm->waiting;
        comm->waiting = op->next;
        ncclResult_t one = cs_nccl_enqueue(op);
        result = result == ncclSuccess ? one : result;
    }
    return result;
}

static bool has_finalize_come(const cs_nccl_comm *comm) {
    for (int i = 0; i < comm->size; i++)
        if (i != comm->rank && !comm->peers[i].collectives)
            return false;
    return true;
}

/* All that was issued has run here, then all ranks have said so. */
static ncclResult_t finalize_more(cs_nccl_comm *comm) {
    if (launch_more(comm) == ncclInProgress)
        return ncclInProgress;
    cs_make_progress();
    cs_nccl_pump(comm);
    if (comm->async_error != ncclSuccess)
        return comm->async_error;
    cs_nccl_header mine = {.kind = CS_NCCL_FINALIZE, .sequence = comm->n_collectives};
    if (comm->n_run != comm->n_issued)
        return ncclInProgress;
    for (int i = 0; !comm->has_sent_finalize && i < comm->size; i++)
        if (i != comm->rank)
            cs_nccl_post(&comm->peers[i], &mine, NULL);
    comm->has_sent_finalize = true;
    cs_nccl_pump(comm);
    if (comm->async_error != ncclSuccess)
        return comm->async_error;
    if (!has_finalize_come(comm) || !cs_nccl_is_flushed(comm))
        return ncclInProgress;
    for (int i = 0; i < comm->size; i++)
        if (i != comm->rank)
            (void)cs_nccl_compare(comm, &mine, i, &comm->peers[i].collectives->header,
                                  "ncclCommFinalize");
    comm->state = CS_NCCL_FINALIZED;
    return comm->async_error;
}

static ncclResult_t state_of(cs_nccl_comm *comm) {
    if (comm->async_error != ncclSuccess)
        return comm->async_error;
    if (comm->state == CS_NCCL_CONNECTING)
        return connect_more(comm);
    if (comm->state == CS_NCCL_FINALIZING)
        return finalize_more(comm);
    if (comm->state != CS_NCCL_READY)
        return ncclSuccess;
    ncclResult_t result = launch_more(comm);
    cs_nccl_pump(comm);
    return comm->async_error != ncclSuccess ? comm->async_error : result;
}

CS_API ncclResult_t ncclCommGetAsyncError(ncclComm_t handle, ncclResult_t *out) {
    NCCL_ENTER();
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm || !out)
        return nccl_leave(ncclInvalidArgument);
    *out = state_of(comm);
    return nccl_leave(ncclSuccess);
}

static ncclResult_t tell(ncclComm_t handle, int *out, int (*what)(const cs_nccl_comm *)) {
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm || !out)
        return ncclInvalidArgument;
    if (comm->state == CS_NCCL_CONNECTING)
        return cs_nccl_report(comm, ncclInvalidUsage, "the communicator is still connecting");
    *out = what(comm);
    return ncclSuccess;
}

static int size_of(const cs_nccl_comm *comm) {
    return comm->size;
}

static int rank_of(const cs_nccl_comm *comm) {
    return comm->rank;
}

static int device_of(const cs_nccl_comm *comm) {
    return comm->device;
}

CS_API ncclResult_t ncclCommCount(const ncclComm_t comm, int *count) {
    NCCL_ENTER();
    return nccl_leave(tell(comm, count, size_of));
}

CS_API ncclResult_t ncclCommUserRank(const ncclComm_t comm, int *rank) {
    NCCL_ENTER();
    return nccl_leave(tell(comm, rank, rank_of));
}

CS_API ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int *device) {
    NCCL_ENTER();
    return nccl_leave(tell(comm, device, device_of));
}

/* --- leaving ---------------------------------------------------------------------------------- */

CS_API ncclResult_t ncclCommFinalize(ncclComm_t handle) {
    NCCL_ENTER();
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm)
        return nccl_leave(ncclInvalidArgument);
    ncclResult_t result = cs_nccl_check_usable(comm);
    if (result || comm->async_error != ncclSuccess)
        return nccl_leave(result ? result : comm->async_error);
    comm->state = CS_NCCL_FINALIZING;
    comm->polls_left = comm->is_blocking ? 0 : (int)cs_random_below(&comm->random, 3);
    return nccl_leave(wait_for(comm, finalize_more));
}

static void release(cs_nccl_comm *comm) {
    cs_leak_release(CS_NCCL_COMM, comm);
    while (comm->waiting) {
        cs_nccl_op *op = comm->waiting;
        comm->waiting = op->next;
        cs_nccl_drop_op(op);
    }
    cs_nccl_close_wires(comm);
    cs_nccl_disown(comm);
}

/* A blocking communicator may be destroyed as it is and then finalizes first; others must have been. */
CS_API ncclResult_t ncclCommDestroy(ncclComm_t handle) {
    int injected = cs_enter(ncclSystemError);
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm)
        return nccl_leave(ncclInvalidArgument);
    ncclResult_t result = (ncclResult_t)injected;
    if (comm->state == CS_NCCL_READY && comm->is_blocking) {
        comm->state = CS_NCCL_FINALIZING;
        ncclResult_t finalized = wait_for(comm, finalize_more);
        result = result ? result : finalized;
    } else if (comm->state != CS_NCCL_FINALIZED)
        result = cs_nccl_report(comm, ncclInvalidUsage,
                                "the communicator was not finalized: destroying it may lose work");
    if (comm->n_run != comm->n_issued)
        comm->state = CS_NCCL_ABORTED;
    release(comm);
    return nccl_leave(result);
}

CS_API ncclResult_t ncclCommAbort(ncclComm_t handle) {
    int injected = cs_enter(ncclSystemError);
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm)
        return nccl_leave(ncclInvalidArgument);
    comm->state = CS_NCCL_ABORTED;
    release(comm);
    return nccl_leave((ncclResult_t)injected);
}
