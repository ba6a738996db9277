/* Collectives, sends and receives as programs call them: their arguments, and groups. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "memory.h"
#include "nccl_fake.h"
#include "stream.h"

typedef struct group {
    int depth;
    ncclResult_t error; /* the first of a call inside */
    cs_nccl_op *first;
} group;

static group *this_group(void) {
    static _Thread_local group g;
    return &g;
}

bool cs_nccl_is_in_group(void) {
    return this_group()->depth > 0;
}

/* --- issuing ---------------------------------------------------------------------------------- */

/* On a communicator that does not block a call may come back before it is queued; which do is the seed's choice. */
static ncclResult_t issue(cs_nccl_op *op) {
    cs_nccl_comm *comm = op->comm;
    op->next = NULL;
    if (comm->is_blocking)
        return cs_nccl_enqueue(op);
    if (!comm->waiting) {
        comm->polls_left = (int)cs_random_below(&comm->random, 3);
        if (comm->polls_left == 0)
            return cs_nccl_enqueue(op);
    }
    cs_nccl_op **last = &comm->waiting;
    while (*last)
        last = &(*last)->next;
    *last = op;
    return ncclInProgress;
}

static cs_nccl_op *new_op(cs_nccl_comm *comm, const cs_nccl_header *header, cudaStream_t stream) {
    cs_nccl_op *op = calloc(1, sizeof *op);
    if (!op)
        abort();
    op->comm = comm;
    op->header = *header;
    op->stream = stream;
    cs_nccl_own(comm);
    snprintf(op->what, sizeof op->what, "%s in %s", cs_current_function(), cs_caller_name());
    return op;
}

static ncclResult_t submit(cs_nccl_op *op) {
    group *g = this_group();
    if (g->depth == 0)
        return issue(op);
    cs_nccl_op **last = &g->first;
    while (*last)
        last = &(*last)->next;
    *last = op;
    return ncclSuccess;
}

/* --- arguments -------------------------------------------------------------------------------- */

typedef struct call {
    cs_nccl_header header;
    const void *send;
    void *receive;
    ncclComm_t comm;
    cudaStream_t stream;
} call;

static ncclResult_t check_stream(cs_nccl_comm *comm, cudaStream_t stream) {
    int device = cs_stream_device(stream);
    if (device == comm->device)
        return ncclSuccess;
    return device < 0 ? ncclInvalidArgument
                      : cs_nccl_report(comm, ncclInvalidArgument,
                                       "the stream is of device %d, the communicator of %d", device,
                                       comm->device);
}

static ncclResult_t check_buffer(cs_nccl_comm *comm, const char *name, uint64_t address,
                                 uint64_t bytes, size_t each, bool is_write) {
    if (bytes == 0)
        return ncclSuccess;
    if (address % each)
        return cs_nccl_report(comm, ncclInvalidArgument, "%s at %#llx is not aligned to %zu bytes",
                              name, (unsigned long long)address, each);
    return cs_range_check_on(comm->device, cs_current_function(), address, bytes, is_write)
               ? ncclSuccess
               : ncclInvalidArgument;
}

/* In place means: the send buffer is this rank's part of the receive buffer, or the other way round. Any other overlap
 * is wrong. */
static ncclResult_t check_in_place(const cs_nccl_op *op) {
    uint64_t send = cs_nccl_send_bytes(op), receive = cs_nccl_receive_bytes(op);
    uint64_t unit = op->header.count * cs_nccl_type_bytes(op->header.type);
    uint64_t part = unit * (uint64_t)op->comm->rank;
    bool is_in_place = op->send == op->receive;
    if (op->header.kind == CS_NCCL_ALL_GATHER)
        is_in_place = op->send == op->receive + part;
    if (op->header.kind == CS_NCCL_REDUCE_SCATTER)
        is_in_place = op->receive == op->send + part;
    if (is_in_place || send == 0 || receive == 0 || op->send >= op->receive + receive ||
        op->receive >= op->send + send)
        return ncclSuccess;
    return cs_nccl_report(op->comm, ncclInvalidArgument,
                          "the buffers overlap otherwise than in place");
}

static ncclResult_t check_operation(cs_nccl_op *op) {
    cs_nccl_comm *comm = op->comm;
    size_t each = cs_nccl_type_bytes(op->header.type);
    ncclResult_t result = check_stream(comm, op->stream);
    if (!result && (int)op->header.root >= comm->size)
        result = cs_nccl_report(comm, ncclInvalidArgument, "root %u of %d ranks", op->header.root,
                                comm->size);
    if (!result)
        result =
            check_buffer(comm, "the send buffer", op->send, cs_nccl_send_bytes(op), each, false);
    if (!result)
        result = check_buffer(comm, "the receive buffer", op->receive, cs_nccl_receive_bytes(op),
                              each, true);
    return result ? result : check_in_place(op);
}

static bool is_reduction(uint32_t kind) {
    return kind == CS_NCCL_ALL_REDUCE || kind == CS_NCCL_REDUCE_SCATTER || kind == CS_NCCL_REDUCE;
}

/* CUDASIM_NCCL_SIGNAL=<rank>:<sequence>:<signal>: what this rank's process gets as it asks for that collective. */
static void raise_where_asked(const cs_nccl_comm *comm) {
    const char *text = getenv("CUDASIM_NCCL_SIGNAL");
    int rank = -1, number = 0;
    unsigned long long sequence = 0;
    if (!text || !*text)
        return;
    if (sscanf(text, "%d:%llu:%d", &rank, &sequence, &number) != 3)
        cs_unknown("CUDASIM_NCCL_SIGNAL", "\"%s\", want rank:sequence:signal", text);
    if (rank == comm->rank && comm->n_collectives == sequence)
        raise(number);
}

static ncclResult_t begin(const call *c) {
    cs_nccl_comm *comm = cs_nccl_comm_of(c->comm);
    if (!comm)
        return ncclInvalidArgument;
    if (cs_sim.sticky_error)
        return ncclUnhandledCudaError;
    ncclResult_t result = cs_nccl_check_usable(comm);
    if (result)
        return result;
    if (is_reduction(c->header.kind) && c->header.op > ncclAvg)
        cs_unknown(cs_current_function(), "reduction %u is not modelled", c->header.op);
    cs_nccl_op *op = new_op(comm, &c->header, c->stream);
    op->send = (uintptr_t)c->send;
    op->receive = (uintptr_t)c->receive;
    result = check_operation(op);
    if (result == ncclSuccess) /* a wrong call is one on a broken communicator too */
        result = comm->async_error;
    if (result) {
        cs_nccl_drop_op(op);
        return result;
    }
    op->header.sequence = ++comm->n_collectives;
    raise_where_asked(comm);
    return submit(op);
}

ncclResult_t cs_nccl_in_group(ncclResult_t result) {
    group *g = this_group();
    if (g->depth > 0 && g->error == ncclSuccess && result != ncclInProgress)
        g->error = result;
    return result;
}

/* --- collectives ------------------------------------------------------------------------------ */

#define HEADER(kind_, type_, op_, root_, count_)                                                   \
    {                                                                                              \
        .kind = kind_, .type = (uint32_t)(type_), .op = (uint32_t)(op_),                           \
        .root = (uint32_t)(root_), .count = count_                                                 \
    }

CS_API ncclResult_t ncclAllReduce(const void *send, void *receive, size_t count,
                                  ncclDataType_t type, ncclRedOp_t op, ncclComm_t comm,
                                  cudaStream_t stream) {
    NCCL_ENTER();
    call c = {HEADER(CS_NCCL_ALL_REDUCE, type, op, 0, count), send, receive, comm, stream};
    return nccl_leave(cs_nccl_in_group(begin(&c)));
}

CS_API ncclResult_t ncclReduceScatter(const void *send, void *receive, size_t count,
                                      ncclDataType_t type, ncclRedOp_t op, ncclComm_t comm,
                                      cudaStream_t stream) {
    NCCL_ENTER();
    call c = {HEADER(CS_NCCL_REDUCE_SCATTER, type, op, 0, count), send, receive, comm, stream};
    return nccl_leave(cs_nccl_in_group(begin(&c)));
}

CS_API ncclResult_t ncclAllGather(const void *send, void *receive, size_t count,
                                  ncclDataType_t type, ncclComm_t comm, cudaStream_t stream) {
    NCCL_ENTER();
    call c = {HEADER(CS_NCCL_ALL_GATHER, type, 0, 0, count), send, receive, comm, stream};
    return nccl_leave(cs_nccl_in_group(begin(&c)));
}

CS_API ncclResult_t ncclBroadcast(const void *send, void *receive, size_t count,
                                  ncclDataType_t type, int root, ncclComm_t comm,
                                  cudaStream_t stream) {
    NCCL_ENTER();
    call c = {HEADER(CS_NCCL_BROADCAST, type, 0, root, count), send, receive, comm, stream};
    return nccl_leave(cs_nccl_in_group(begin(&c)));
}

CS_API ncclResult_t ncclReduce(const void *send, void *receive, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, int root, ncclComm_t comm, cudaStream_t stream) {
    NCCL_ENTER();
    call c = {HEADER(CS_NCCL_REDUCE, type, op, root, count), send, receive, comm, stream};
    return nccl_leave(cs_nccl_in_group(begin(&c)));
}

/* --- sends, receives, groups ------------------------------------------------------------------ */

/* The operation of the group in progress that this transfer joins: all of one communicator, stream and type go at
 * once. */
static cs_nccl_op *joined(const cs_nccl_comm *comm, cudaStream_t stream, uint32_t type) {
    for (cs_nccl_op *op = this_group()->first; op; op = op->next)
        if (op->comm == comm && op->stream == stream && op->header.kind == CS_NCCL_POINT &&
            op->header.type == type)
            return op;
    return NULL;
}

static void add_transfer(cs_nccl_op *op, const cs_nccl_transfer *t) {
    cs_nccl_peer *peer = &op->comm->peers[t->peer];
    op->transfers = realloc(op->transfers, (size_t)(op->n_transfers + 1) * sizeof *op->transfers);
    if (!op->transfers)
        abort();
    op->transfers[op->n_transfers] = *t;
    op->transfers[op->n_transfers++].sequence = t->is_send ? ++peer->n_sent : ++peer->n_received;
}

static ncclResult_t transfer(const cs_nccl_transfer *t, ncclDataType_t type, ncclComm_t handle,
                             cudaStream_t stream) {
    cs_nccl_comm *comm = cs_nccl_comm_of(handle);
    if (!comm)
        return ncclInvalidArgument;
    if (cs_sim.sticky_error)
        return ncclUnhandledCudaError;
    ncclResult_t result = cs_nccl_check_usable(comm);
    if (result)
        return result;
    if (t->peer < 0 || t->peer >= comm->size)
        return cs_nccl_report(comm, ncclInvalidArgument, "peer %d of %d ranks", t->peer,
                              comm->size);
    if (t->peer == comm->rank && this_group()->depth == 0)
        return cs_nccl_report(comm, ncclInvalidUsage, "to oneself only inside a group");
    size_t each = cs_nccl_type_bytes((uint32_t)type);
    result = check_stream(comm, stream);
    if (!result)
        result = check_buffer(comm, "the buffer", t->address, t->count * each, each, !t->is_send);
    if (result || comm->async_error != ncclSuccess)
        return result ? result : comm->async_error;
    cs_nccl_op *op = joined(comm, stream, (uint32_t)type);
    cs_nccl_header header = HEADER(CS_NCCL_POINT, type, 0, 0, 0);
    bool is_new = !op;
    if (is_new)
        op = new_op(comm, &header, stream);
    add_transfer(op, t);
    return is_new ? submit(op) : ncclSuccess;
}

CS_API ncclResult_t ncclSend(const void *send, size_t count, ncclDataType_t type, int peer,
                             ncclComm_t comm, cudaStream_t stream) {
    NCCL_ENTER();
    cs_nccl_transfer t = {
        .is_send = true, .peer = peer, .address = (uintptr_t)send, .count = count};
    return nccl_leave(cs_nccl_in_group(transfer(&t, type, comm, stream)));
}

CS_API ncclResult_t ncclRecv(void *receive, size_t count, ncclDataType_t type, int peer,
                             ncclComm_t comm, cudaStream_t stream) {
    NCCL_ENTER();
    cs_nccl_transfer t = {.peer = peer, .address = (uintptr_t)receive, .count = count};
    return nccl_leave(cs_nccl_in_group(transfer(&t, type, comm, stream)));
}

CS_API ncclResult_t ncclGroupStart(void) {
    NCCL_ENTER();
    this_group()->depth++;
    return nccl_leave(ncclSuccess);
}

/* Sends to oneself and receives from oneself must be as many, and of one size. */
static ncclResult_t check_own(const cs_nccl_op *op) {
    int balance = 0;
    for (int i = 0; i < op->n_transfers; i++) {
        const cs_nccl_transfer *t = &op->transfers[i];
        if (t->peer != op->comm->rank)
            continue;
        balance += t->is_send ? 1 : -1;
        for (int j = 0; j < op->n_transfers; j++) {
            const cs_nccl_transfer *u = &op->transfers[j];
            if (u->peer == t->peer && u->is_send != t->is_send && u->sequence == t->sequence &&
                u->count != t->count)
                return cs_nccl_report(op->comm, ncclInvalidUsage,
                                      "%llu elements to oneself, %llu from oneself",
                                      (unsigned long long)t->count, (unsigned long long)u->count);
        }
    }
    return balance ? cs_nccl_report(op->comm, ncclInvalidUsage,
                                    "sends to oneself and receives from oneself are not as many")
                   : ncclSuccess;
}

static ncclResult_t end_group(group *g) {
    ncclResult_t result = g->error;
    cs_nccl_op *op = g->first;
    g->first = NULL;
    g->error = ncclSuccess;
    for (const cs_nccl_op *one = op; one && !result; one = one->next)
        result = check_own(one);
    while (op) { /* all or nothing */
        cs_nccl_op *next = op->next;
        if (result && result != ncclInProgress) {
            cs_nccl_drop_op(op);
        } else {
            ncclResult_t one = issue(op);
            result = one ? one : result;
        }
        op = next;
    }
    return result;
}

CS_API ncclResult_t ncclGroupEnd(void) {
    int injected = cs_enter(ncclSystemError);
    group *g = this_group();
    if (g->depth == 0)
        return nccl_leave(cs_nccl_report(NULL, ncclInvalidUsage, "no group was started"));
    if (--g->depth > 0)
        return nccl_leave((ncclResult_t)injected);
    if (injected)
        g->error = (ncclResult_t)injected;
    return nccl_leave(end_group(g));
}
