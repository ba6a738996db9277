/* A communicator's operations as the streams run them: start (post what peers need), wait (without waiting), finish. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "memory.h"
#include "nccl_fake.h"
#include "stream.h"

/* --- sizes ------------------------------------------------------------------------------------ */

static uint64_t unit(const cs_nccl_op *op) {
    return op->header.count * cs_nccl_type_bytes(op->header.type);
}

uint64_t cs_nccl_send_bytes(const cs_nccl_op *op) {
    bool is_root = op->comm->rank == (int)op->header.root;
    if (op->header.kind == CS_NCCL_REDUCE_SCATTER)
        return unit(op) * (uint64_t)op->comm->size;
    return op->header.kind == CS_NCCL_BROADCAST && !is_root ? 0 : unit(op);
}

uint64_t cs_nccl_receive_bytes(const cs_nccl_op *op) {
    bool is_root = op->comm->rank == (int)op->header.root;
    if (op->header.kind == CS_NCCL_ALL_GATHER)
        return unit(op) * (uint64_t)op->comm->size;
    return op->header.kind == CS_NCCL_REDUCE && !is_root ? 0 : unit(op);
}

/* --- calls of ranks against each other -------------------------------------------------------- */

static void describe(const cs_nccl_header *h, char *out, size_t room) {
    snprintf(out, room, "%s of %llu elements of type %u (reduction %u, root %u)",
             cs_nccl_kind_name(h->kind), (unsigned long long)h->count, h->type, h->op, h->root);
}

bool cs_nccl_compare(cs_nccl_comm *comm, const cs_nccl_header *mine, int peer,
                     const cs_nccl_header *theirs, const char *what) {
    char own[128], other[128];
    if (mine->kind == theirs->kind && mine->count == theirs->count && mine->type == theirs->type &&
        mine->op == theirs->op && mine->root == theirs->root && mine->sequence == theirs->sequence)
        return true;
    describe(mine, own, sizeof own);
    describe(theirs, other, sizeof other);
    cs_report(CS_NCCL, what, "call %llu of rank %d is %s, call %llu of rank %d is %s",
              (unsigned long long)mine->sequence, comm->rank, own,
              (unsigned long long)theirs->sequence, peer, other);
    cs_nccl_fail(comm, ncclInvalidUsage, "ranks %d and %d call different things", comm->rank, peer);
    return false;
}

/* --- starting --------------------------------------------------------------------------------- */

/* What of a collective's data a peer needs. */
static void post_to(const cs_nccl_op *op, int rank) {
    const cs_nccl_comm *comm = op->comm;
    cs_nccl_header header = op->header;
    uint64_t from = op->send;
    bool is_root = comm->rank == (int)header.root;
    header.bytes = unit(op);
    if (header.kind == CS_NCCL_REDUCE_SCATTER)
        from += (uint64_t)rank * header.bytes;
    if ((header.kind == CS_NCCL_BROADCAST && !is_root) ||
        (header.kind == CS_NCCL_REDUCE && rank != (int)header.root))
        header.bytes = 0;
    cs_nccl_post(&op->comm->peers[rank], &header, header.bytes ? cs_alias(from) : NULL);
}

static void start_transfers(const cs_nccl_op *op) {
    size_t each = cs_nccl_type_bytes(op->header.type);
    for (int i = 0; i < op->n_transfers; i++) {
        const cs_nccl_transfer *t = &op->transfers[i];
        cs_nccl_header header = op->header;
        if (!t->is_send)
            continue;
        header.count = t->count;
        header.bytes = t->count * each;
        header.sequence = t->sequence;
        cs_init_check(op->what, t->address, header.bytes);
        if (t->peer != op->comm->rank)
            cs_nccl_post(&op->comm->peers[t->peer], &header, cs_alias(t->address));
    }
}

static void start(cs_nccl_op *op) {
    op->is_started = true;
    if (op->header.kind == CS_NCCL_POINT) {
        start_transfers(op);
        return;
    }
    uint64_t bytes = cs_nccl_send_bytes(op);
    if (bytes)
        cs_init_check(op->what, op->send, bytes);
    for (int i = 0; i < op->comm->size; i++)
        if (i != op->comm->rank)
            post_to(op, i);
}

/* --- finishing -------------------------------------------------------------------------------- */

static cs_nccl_message *pop(cs_nccl_message **list) {
    cs_nccl_message *first = *list;
    *list = first->next;
    return first;
}

static bool has_message(const cs_nccl_op *op, const cs_nccl_transfer *t) {
    return t->peer == op->comm->rank || op->comm->peers[t->peer].points;
}

/* Receives of one group from one peer take its sends in order, so the n-th needs n messages to be there. */
static bool have_transfers_come(const cs_nccl_op *op) {
    int wanted[CS_NCCL_RANKS] = {0};
    for (int i = 0; i < op->n_transfers; i++) {
        const cs_nccl_transfer *t = &op->transfers[i];
        if (t->is_send || t->peer == op->comm->rank)
            continue;
        if (!has_message(op, t))
            return false;
        const cs_nccl_message *m = op->comm->peers[t->peer].points;
        for (int n = wanted[t->peer]++; m && n > 0; n--)
            m = m->next;
        if (!m)
            return false;
    }
    return true;
}

static bool has_all_come(const cs_nccl_op *op) {
    if (op->header.kind == CS_NCCL_POINT)
        return have_transfers_come(op);
    for (int i = 0; i < op->comm->size; i++)
        if (i != op->comm->rank && !op->comm->peers[i].collectives)
            return false;
    return true;
}

/* The send of this same group that a receive from oneself takes: the n-th of one is the n-th of the other. */
static const cs_nccl_transfer *own_send(const cs_nccl_op *op, const cs_nccl_transfer *receive) {
    for (int i = 0; i < op->n_transfers; i++)
        if (op->transfers[i].is_send && op->transfers[i].peer == op->comm->rank &&
            op->transfers[i].sequence == receive->sequence)
            return &op->transfers[i];
    return NULL;
}

static void finish_receive(const cs_nccl_op *op, const cs_nccl_transfer *t) {
    size_t each = cs_nccl_type_bytes(op->header.type);
    cs_nccl_header mine = op->header;
    mine.count = t->count;
    mine.sequence = t->sequence;
    if (t->peer == op->comm->rank) {
        const cs_nccl_transfer *from = own_send(op, t);
        memmove(cs_alias(t->address), cs_alias(from->address), t->count * each);
    } else {
        cs_nccl_message *m = pop(&op->comm->peers[t->peer].points);
        (void)cs_nccl_compare(op->comm, &mine, t->peer, &m->header, op->what);
        uint64_t bytes = m->header.bytes < t->count * each ? m->header.bytes : t->count * each;
        memcpy(cs_alias(t->address), m->data, bytes);
        free(m);
    }
    cs_init_mark(t->address, t->count * each);
}

/* Which rank's contribution a reduction begins with: the same on all ranks, another one each time. */
static int first_rank(const cs_nccl_op *op) {
    return (int)((cs_sim.options.seed + op->header.sequence) % (uint64_t)op->comm->size);
}

static void finish_data(const cs_nccl_op *op, cs_nccl_message *const *from) {
    const cs_nccl_comm *comm = op->comm;
    const uint8_t *parts[CS_NCCL_RANKS];
    uint64_t n = unit(op),
             own = op->header.kind == CS_NCCL_REDUCE_SCATTER ? (uint64_t)comm->rank * n : 0;
    bool receives = cs_nccl_receive_bytes(op) > 0;
    for (int i = 0; i < comm->size; i++)
        parts[i] = from[i] ? from[i]->data : cs_alias(op->send + own);
    if (op->header.kind == CS_NCCL_ALL_GATHER)
        for (int i = 0; i < comm->size; i++)
            memmove(cs_alias(op->receive + (uint64_t)i * n), parts[i], n);
    else if (op->header.kind == CS_NCCL_BROADCAST)
        memmove(cs_alias(op->receive), parts[op->header.root], n);
    else if (receives)
        cs_nccl_reduce(parts, comm->size, first_rank(op), op->header.type, op->header.op,
                       op->header.count, cs_alias(op->receive));
    if (receives)
        cs_init_mark(op->receive, cs_nccl_receive_bytes(op));
}

static void finish_collective(const cs_nccl_op *op) {
    cs_nccl_message *from[CS_NCCL_RANKS] = {NULL};
    bool is_same = true;
    for (int i = 0; i < op->comm->size; i++) {
        if (i == op->comm->rank)
            continue;
        from[i] = pop(&op->comm->peers[i].collectives);
        is_same = cs_nccl_compare(op->comm, &op->header, i, &from[i]->header, op->what) && is_same;
    }
    if (is_same && op->header.count > 0)
        finish_data(op, from);
    for (int i = 0; i < op->comm->size; i++)
        free(from[i]);
}

static void finish(const cs_nccl_op *op) {
    if (op->header.kind != CS_NCCL_POINT)
        finish_collective(op);
    for (int i = 0; i < op->n_transfers; i++)
        if (!op->transfers[i].is_send)
            finish_receive(op, &op->transfers[i]);
}

/* --- in the stream ---------------------------------------------------------------------------- */

/* CUDASIM_NCCL_ASYNC=<rank>:<sequence>: from that collective on, this rank's network is broken. */
static bool is_broken(const cs_nccl_op *op) {
    const char *text = getenv("CUDASIM_NCCL_ASYNC");
    int rank = -1;
    unsigned long long sequence = 0;
    if (!text || !*text)
        return false;
    if (sscanf(text, "%d:%llu", &rank, &sequence) != 2)
        cs_unknown("CUDASIM_NCCL_ASYNC", "\"%s\", want rank:sequence", text);
    return rank == op->comm->rank && op->header.kind != CS_NCCL_POINT &&
           op->header.sequence >= sequence;
}

static cs_progress run(void *arg) {
    cs_nccl_op *op = arg;
    cs_nccl_comm *comm = op->comm;
    if (comm->state == CS_NCCL_ABORTED)
        return CS_DONE;
    cs_nccl_pump(comm);
    if (comm->n_run != op->order)
        return CS_PENDING; /* an earlier one of this communicator, in another stream */
    if (is_broken(op)) {
        cs_nccl_fail(comm, ncclRemoteError, "injected: the network of rank %d broke", comm->rank);
        return CS_PENDING;
    }
    if (!op->is_started) {
        start(op);
        cs_nccl_pump(comm);
    }
    if (!has_all_come(op) || !cs_nccl_is_flushed(comm))
        return CS_PENDING;
    finish(op);
    comm->n_run++;
    return CS_DONE;
}

void cs_nccl_drop_op(void *arg) {
    cs_nccl_op *op = arg;
    cs_nccl_disown(op->comm);
    free(op->transfers);
    free(op);
}

static void declare_transfers(const cs_nccl_op *op) {
    size_t each = cs_nccl_type_bytes(op->header.type);
    for (int i = 0; i < op->n_transfers; i++) {
        const cs_nccl_transfer *t = &op->transfers[i];
        if (t->is_send)
            cs_op_reads(cs_last_op(), t->address, t->count * each);
        else
            cs_op_writes(cs_last_op(), t->address, t->count * each);
    }
}

ncclResult_t cs_nccl_enqueue(cs_nccl_op *op) {
    uint64_t send = op->header.kind == CS_NCCL_POINT ? 0 : cs_nccl_send_bytes(op);
    uint64_t receive = op->header.kind == CS_NCCL_POINT ? 0 : cs_nccl_receive_bytes(op);
    cs_nccl_comm *comm = op->comm;
    op->order = comm->n_issued;
    if (cs_enqueue(op->stream, op->what, run, op, cs_nccl_drop_op))
        return ncclUnhandledCudaError;
    comm->n_issued++;
    if (send)
        cs_op_reads(cs_last_op(), op->send, send);
    if (receive)
        cs_op_writes(cs_last_op(), op->receive, receive);
    declare_transfers(op);
    return ncclSuccess;
}
