/* Between hosts: the leaders swap their hosts' blocks by messages that are polled, so that a
 * deadline can be kept. Every leader sends to every other: one message latency, and who has not
 * answered is known by rank. */
#include <stdlib.h>
#include <string.h>

#include "trainer/comm_mpi.h"

ty_status ty_comm_mpi_check(ty_ctx *ctx, int code, const char *doing) {
    if (code == MPI_SUCCESS)
        return TY_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    (void)MPI_Error_string(code, text, &length);
    return ty_fail(ctx, TY_ERR_COMM, "%s: %s", doing, text);
}

/* --- messages --------------------------------------------------------------------------------- */

static ty_status make_room(ty_ctx *ctx, ty_comm_requests *requests) {
    if (requests->count < requests->capacity)
        return TY_OK;
    size_t capacity = requests->capacity ? 2 * (size_t)requests->capacity : 16;
    MPI_Request *items = realloc(requests->items, capacity * sizeof *items);
    if (items)
        requests->items = items;
    int *ranks = realloc(requests->ranks, capacity * sizeof *ranks);
    if (ranks)
        requests->ranks = ranks;
    if (!items || !ranks)
        return ty_fail_nomem(ctx, "messages");
    requests->capacity = (int)capacity;
    return TY_OK;
}

ty_status ty_comm_send(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests, int rank, int tag,
                       const void *data, size_t bytes) {
    TY_TRY(make_room(ctx, requests));
    MPI_Request *request = &requests->items[requests->count];
    int code = MPI_Isend(data, (int)bytes, MPI_BYTE, rank, tag, comm->mpi->world, request);
    TY_TRY(ty_comm_mpi_check(ctx, code, "sending to another host"));
    requests->ranks[requests->count++] = rank;
    return TY_OK;
}

ty_status ty_comm_receive(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests, int rank, int tag,
                          void *data, size_t bytes) {
    TY_TRY(make_room(ctx, requests));
    MPI_Request *request = &requests->items[requests->count];
    int code = MPI_Irecv(data, (int)bytes, MPI_BYTE, rank, tag, comm->mpi->world, request);
    TY_TRY(ty_comm_mpi_check(ctx, code, "receiving from another host"));
    requests->ranks[requests->count++] = rank;
    return TY_OK;
}

ty_status ty_comm_requests_wait(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests,
                                ty_comm_patience *patience) {
    for (int i = 0; i < requests->count; i++) {
        patience->awaited_rank = requests->ranks[i];
        for (;;) {
            int is_done = 0;
            int code = MPI_Test(&requests->items[i], &is_done, MPI_STATUS_IGNORE);
            TY_TRY(ty_comm_mpi_check(ctx, code, "talking to another host"));
            if (is_done)
                break;
            TY_TRY(ty_comm_patience_pause(ctx, comm, patience));
        }
    }
    requests->count = 0;
    return TY_OK;
}

void ty_comm_requests_clear(ty_comm_requests *requests) {
    free(requests->items);
    free(requests->ranks);
    *requests = (ty_comm_requests){0};
}

/* --- blocks ----------------------------------------------------------------------------------- */

static int ranks_of(const ty_comm *comm, int node) {
    return comm->node_first[node + 1] - comm->node_first[node];
}

static int leader_of(const ty_comm *comm, int node) {
    return comm->node_ranks[comm->node_first[node]];
}

static char *parts_of_block(const ty_comm *comm, int node) {
    char *block = ty_comm_board_block(comm, node, comm->seq);
    return block + (size_t)ranks_of(comm, node) * sizeof(ty_comm_header);
}

/* Writes this host's block. Returns its length: without a part of a root that is elsewhere. */
static size_t pack_block(const ty_comm *comm, const ty_comm_call *call, size_t bytes) {
    ty_comm_header *headers = ty_comm_board_block(comm, comm->node, comm->seq);
    char *at = parts_of_block(comm, comm->node);
    char *start = (char *)headers;
    for (int i = 0; i < comm->local_size; i++) {
        headers[i] = ty_comm_board_header(comm, i, comm->seq);
        if (call->root < 0 || call->root == comm->locals[i]) {
            memcpy(at, ty_comm_board_part(comm, i, comm->seq), bytes);
            at += bytes;
        }
    }
    return (size_t)(at - start);
}

/* A block that says instead why this host cannot go on: a header of call 0, then the text. */
static size_t pack_failure(const ty_ctx *ctx, const ty_comm *comm) {
    ty_comm_header *header = ty_comm_board_block(comm, comm->node, comm->seq);
    *header = (ty_comm_header){.seq = 0};
    memcpy(header + 1, ctx->message, TY_MESSAGE_BYTES);
    return sizeof *header + TY_MESSAGE_BYTES;
}

static ty_status check_block(ty_ctx *ctx, const ty_comm *comm, const ty_comm_call *call, int node) {
    const ty_comm_header *headers = ty_comm_board_block(comm, node, comm->seq);
    if (headers[0].seq == 0)
        return ty_fail(ctx, TY_ERR_COMM, "%.*s", TY_MESSAGE_BYTES - 1, (const char *)(headers + 1));
    const ty_comm_header mine = ty_comm_header_of(call, comm->seq);
    for (int i = 0; i < ranks_of(comm, node); i++) {
        int rank = comm->node_ranks[comm->node_first[node] + i];
        if (memcmp(&headers[i], &mine, sizeof mine) != 0)
            return ty_comm_out_of_step(ctx, comm, comm->rank, mine, rank, headers[i]);
    }
    return TY_OK;
}

/* --- swapping --------------------------------------------------------------------------------- */

static ty_status send_to_leaders(ty_ctx *ctx, ty_comm *comm, size_t bytes) {
    const void *block = ty_comm_board_block(comm, comm->node, comm->seq);
    for (int node = 0; node < comm->n_nodes; node++) {
        if (node != comm->node)
            TY_TRY(ty_comm_send(ctx, comm, &comm->mpi->requests, leader_of(comm, node),
                                TY_COMM_TAG_EXCHANGE, block, bytes));
    }
    return TY_OK;
}

static ty_status swap_blocks(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience, size_t bytes) {
    ty_comm_requests *requests = &comm->mpi->requests;
    for (int node = 0; node < comm->n_nodes; node++) {
        size_t room = (size_t)ranks_of(comm, node) * (sizeof(ty_comm_header) + TY_COMM_PART_BYTES);
        if (node != comm->node)
            TY_TRY(ty_comm_receive(ctx, comm, requests, leader_of(comm, node), TY_COMM_TAG_EXCHANGE,
                                   ty_comm_board_block(comm, node, comm->seq), room));
    }
    TY_TRY(send_to_leaders(ctx, comm, pack_block(comm, patience->call, bytes)));
    TY_TRY(ty_comm_requests_wait(ctx, comm, requests, patience));
    for (int node = 0; node < comm->n_nodes; node++) {
        if (node != comm->node)
            TY_TRY(check_block(ctx, comm, patience->call, node));
    }
    return TY_OK;
}

/* To those who wait in an exchange and to those who wait for their GPUs. */
static ty_status send_failure(ty_ctx *ctx, ty_comm *comm, size_t block_bytes, const char *text) {
    TY_TRY(send_to_leaders(ctx, comm, block_bytes));
    for (int node = 0; node < comm->n_nodes; node++) {
        if (node != comm->node)
            TY_TRY(ty_comm_send(ctx, comm, &comm->mpi->requests, leader_of(comm, node),
                                TY_COMM_TAG_FAILURE, text, TY_MESSAGE_BYTES));
    }
    return TY_OK;
}

/* The others shall not wait for a host that has given up. What cannot be sent within a moment is
 * left unsaid: the job is ending anyway. */
void ty_comm_hosts_tell(const ty_ctx *ctx, ty_comm *comm) {
    if (comm->n_nodes == 1 || comm->local_rank != 0)
        return;
    ty_ctx *own = &comm->ctx;
    size_t bytes = pack_failure(ctx, comm);
    comm->mpi->requests.count = 0;
    if (send_failure(own, comm, bytes, ctx->message) != TY_OK)
        return;
    const int64_t until = ty_now_ns(own) + 200000000;
    int is_done = 0;
    while (!is_done && ty_now_ns(own) < until) {
        if (MPI_Testall(comm->mpi->requests.count, comm->mpi->requests.items, &is_done,
                        MPI_STATUSES_IGNORE) != MPI_SUCCESS)
            return;
    }
}

ty_status ty_comm_hosts_hear(ty_ctx *ctx, ty_comm *comm) {
    int is_there = 0;
    MPI_Status from;
    char text[TY_MESSAGE_BYTES];
    if (comm->n_nodes == 1 || comm->local_rank != 0)
        return TY_OK;
    TY_TRY(ty_comm_mpi_check(
        ctx, MPI_Iprobe(MPI_ANY_SOURCE, TY_COMM_TAG_FAILURE, comm->mpi->world, &is_there, &from),
        "listening to another host"));
    if (!is_there)
        return TY_OK;
    TY_TRY(ty_comm_mpi_check(ctx,
                             MPI_Recv(text, sizeof text, MPI_BYTE, from.MPI_SOURCE,
                                      TY_COMM_TAG_FAILURE, comm->mpi->world, MPI_STATUS_IGNORE),
                             "listening to another host"));
    return ty_fail(ctx, TY_ERR_COMM, "%.*s", (int)sizeof text - 1, text);
}

static ty_status wait_for_leader(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience) {
    patience->awaits_leader = true;
    patience->allowed_ns += 2 * (int64_t)TY_COMM_GRACE_MS * 1000000;
    while (atomic_load_explicit(&comm->board->world_seq, memory_order_acquire) < comm->seq)
        TY_TRY(ty_comm_patience_pause(ctx, comm, patience));
    return TY_OK;
}

ty_status ty_comm_hosts_exchange(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience,
                                 size_t bytes) {
    if (comm->local_rank != 0)
        return wait_for_leader(ctx, comm, patience);
    ty_status st = ty_comm_board_gather(ctx, comm, patience);
    if (st != TY_OK) {
        ty_comm_hosts_tell(ctx, comm);
        return st;
    }
    patience->allowed_ns += (int64_t)TY_COMM_GRACE_MS * 1000000;
    TY_TRY(swap_blocks(ctx, comm, patience, bytes));
    atomic_store_explicit(&comm->board->world_seq, comm->seq, memory_order_release);
    return TY_OK;
}

const void *ty_comm_hosts_part(const ty_comm *comm, int rank) {
    const ty_comm_peer *peer = &comm->peers[rank];
    size_t index = comm->mpi->root < 0 ? (size_t)peer->local_rank : 0;
    return parts_of_block(comm, peer->node) + index * comm->mpi->part_bytes;
}
