/* The ranks of one host: a page they share, in which each shows what it calls and what it
 * brings. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trainer/comm_private.h"

/* --- shared memory ---------------------------------------------------------------------------- */

ty_status ty_comm_memory_make(ty_ctx *ctx, size_t bytes, int *out_fd, void **out) {
    int fd = memfd_create("tiltyard", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        int reason = errno;
        if (fd >= 0)
            (void)close(fd);
        return ty_fail(ctx, TY_ERR_COMM, "making %zu bytes of shared memory: %s", bytes,
                       strerror(reason));
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        int reason = errno;
        (void)close(fd);
        return ty_fail(ctx, TY_ERR_COMM, "mapping %zu bytes of shared memory: %s", bytes,
                       strerror(reason));
    }
    *out_fd = fd;
    *out = memory;
    return TY_OK;
}

ty_status ty_comm_memory_join(ty_ctx *ctx, int pid, int fd, size_t bytes, void **out) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    int own_fd = open(path, O_RDWR | O_CLOEXEC);
    if (own_fd < 0)
        return ty_fail(ctx, TY_ERR_COMM, "opening shared memory of this host's leader as %s: %s",
                       path, strerror(errno));
    struct stat info = {0};
    if (fstat(own_fd, &info) != 0 || info.st_size != (off_t)bytes) {
        (void)close(own_fd);
        return ty_fail(ctx, TY_ERR_COMM,
                       "opening shared memory of this host's leader: %s has %lld bytes, want %zu",
                       path, (long long)info.st_size, bytes);
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, own_fd, 0);
    int reason = errno;
    (void)close(own_fd);
    if (memory == MAP_FAILED)
        return ty_fail(ctx, TY_ERR_COMM, "mapping %zu bytes of %s: %s", bytes, path,
                       strerror(reason));
    *out = memory;
    return TY_OK;
}

typedef struct window_offer {
    int64_t fd; /* -1 where the leader failed */
} window_offer;

ty_status ty_comm_window_open(ty_ctx *ctx, ty_comm *comm, size_t bytes, void **out) {
    const ty_comm_call call = {
        .op = TY_COMM_WINDOW, .root = comm->locals[0], .bytes = bytes, .is_local = true};
    window_offer offer = {.fd = -1};
    int fd = -1;
    ty_status st = TY_OK;
    void *memory = NULL;
    if (comm->local_rank == 0) {
        st = ty_comm_memory_make(ctx, bytes, &fd, &memory);
        offer.fd = fd;
    }
    ty_status told = ty_comm_exchange(ctx, comm, &call, &offer, sizeof offer);
    if (told == TY_OK && comm->local_rank != 0) {
        memcpy(&offer, comm->kind->part(comm, call.root), sizeof offer);
        if (offer.fd < 0)
            st = ty_fail(ctx, TY_ERR_COMM, "this host's leader has no shared memory");
        else
            st =
                ty_comm_memory_join(ctx, comm->peers[call.root].pid, (int)offer.fd, bytes, &memory);
    }
    st = told == TY_OK ? ty_comm_agree(ctx, comm, st) : told;
    if (fd >= 0)
        (void)close(fd);
    if (st != TY_OK && memory)
        (void)munmap(memory, bytes);
    *out = st == TY_OK ? memory : NULL;
    return st;
}

void ty_comm_window_close(const ty_comm *comm, void *window, size_t bytes) {
    /* Messages that were under way when the comm broke may still land in it. */
    if (window && !comm->broken[0])
        (void)munmap(window, bytes);
}

/* --- where things are in the board ------------------------------------------------------------ */

static size_t block_bytes(size_t n_ranks) {
    return n_ranks * (sizeof(ty_comm_header) + TY_COMM_PART_BYTES);
}

static size_t parts_offset(const ty_comm *comm) {
    return sizeof(ty_comm_board) + (size_t)comm->local_size * sizeof(ty_comm_slot);
}

static size_t blocks_offset(const ty_comm *comm) {
    return parts_offset(comm) + (size_t)comm->local_size * 2 * TY_COMM_PART_BYTES;
}

size_t ty_comm_board_size(const ty_comm *comm) {
    size_t blocks = comm->n_nodes > 1 ? 2 * block_bytes((size_t)comm->size) : 0;
    return blocks_offset(comm) + blocks;
}

ty_comm_slot *ty_comm_board_slot(const ty_comm *comm, int local_rank) {
    return (ty_comm_slot *)(comm->board + 1) + local_rank;
}

void *ty_comm_board_part(const ty_comm *comm, int local_rank, uint64_t seq) {
    size_t index = (size_t)local_rank * 2 + (seq & 1);
    return (char *)comm->board + parts_offset(comm) + index * TY_COMM_PART_BYTES;
}

void *ty_comm_board_block(const ty_comm *comm, int node, uint64_t seq) {
    size_t ranks_before = (size_t)comm->node_first[node] + (seq & 1) * (size_t)comm->size;
    return (char *)comm->board + blocks_offset(comm) + block_bytes(ranks_before);
}

/* --- arriving and gathering ------------------------------------------------------------------- */

ty_comm_header ty_comm_header_of(const ty_comm_call *call, uint64_t seq) {
    uint64_t root = (uint64_t)(uint32_t)call->root;
    return (ty_comm_header){
        .seq = seq, .what = (uint64_t)call->op | root << 32, .bytes = call->bytes};
}

ty_comm_header ty_comm_board_header(const ty_comm *comm, int local_rank, uint64_t seq) {
    const ty_comm_slot *slot = ty_comm_board_slot(comm, local_rank);
    return (ty_comm_header){
        .seq = seq,
        .what = atomic_load_explicit(&slot->what[seq & 1], memory_order_relaxed),
        .bytes = atomic_load_explicit(&slot->bytes[seq & 1], memory_order_relaxed)};
}

void ty_comm_board_arrive(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                          size_t bytes) {
    uint64_t seq = ++comm->seq;
    ty_comm_slot *slot = ty_comm_board_slot(comm, comm->local_rank);
    ty_comm_header header = ty_comm_header_of(call, seq);
    if (bytes && (call->root < 0 || call->root == comm->rank))
        memcpy(ty_comm_board_part(comm, comm->local_rank, seq), mine, bytes);
    atomic_store_explicit(&slot->what[seq & 1], header.what, memory_order_relaxed);
    atomic_store_explicit(&slot->bytes[seq & 1], header.bytes, memory_order_relaxed);
    atomic_store_explicit(&slot->since_ns, ty_now_ns(ctx), memory_order_relaxed);
    atomic_store_explicit(&slot->stage, TY_COMM_INSIDE, memory_order_relaxed);
    atomic_store_explicit(&slot->seq, seq, memory_order_release);
}

void ty_comm_board_leave(ty_comm *comm, ty_comm_stage stage) {
    ty_comm_slot *slot = ty_comm_board_slot(comm, comm->local_rank);
    atomic_store_explicit(&slot->stage, stage, memory_order_relaxed);
}

static bool is_same_call(ty_comm_header a, ty_comm_header b) {
    return a.seq == b.seq && a.what == b.what && a.bytes == b.bytes;
}

ty_status ty_comm_board_gather(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience) {
    const ty_comm_header mine = ty_comm_header_of(patience->call, comm->seq);
    for (int i = 0; i < comm->local_size; i++) {
        const ty_comm_slot *slot = ty_comm_board_slot(comm, i);
        while (atomic_load_explicit(&slot->seq, memory_order_acquire) < mine.seq)
            TY_TRY(ty_comm_patience_pause(ctx, comm, patience));
        ty_comm_header theirs = ty_comm_board_header(comm, i, mine.seq);
        if (!is_same_call(mine, theirs))
            return ty_comm_out_of_step(ctx, comm, comm->rank, mine, comm->locals[i], theirs);
    }
    return TY_OK;
}

/* --- failing together ------------------------------------------------------------------------- */

enum { NO_FAILURE, FAILURE_BEING_WRITTEN, FAILURE_THERE };

const char *ty_comm_board_failure(const ty_comm *comm) {
    uint32_t state = atomic_load_explicit(&comm->board->failure, memory_order_acquire);
    return state == FAILURE_THERE ? comm->board->failure_text : NULL;
}

void ty_comm_board_fail(ty_comm *comm, const char *text) {
    ty_comm_board *board = comm->board;
    uint32_t expected = NO_FAILURE;
    if (!atomic_compare_exchange_strong(&board->failure, &expected, FAILURE_BEING_WRITTEN))
        return; /* the first failure is the cause, the others follow from it */
    (void)snprintf(board->failure_text, sizeof board->failure_text, "%s", text);
    atomic_store_explicit(&board->failure, FAILURE_THERE, memory_order_release);
}
