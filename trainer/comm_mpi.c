/* Ranks that mpirun or srun started. MPI brings them together and carries what leaves a host;
 * between the ranks of one host the board does, which is faster and shows who is missing. */
#include "trainer/comm_mpi.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const double default_deadline_s = 60;
/* MPI_Init of many nodes on a busy file system takes a while; a rank stopped inside must not keep
 * the job for ever. */
static const double start_limit_s = 120;
static const double abort_limit_s = 2;

/* --- the exchange ----------------------------------------------------------------------------- */

static ty_status exchange(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                          size_t bytes) {
    ty_comm_patience patience = ty_comm_patience_for(comm, call);
    ty_comm_board_arrive(ctx, comm, call, mine, bytes);
    if (comm->n_nodes == 1 || call->is_local)
        TY_TRY(ty_comm_board_gather(ctx, comm, &patience));
    else
        TY_TRY(ty_comm_hosts_exchange(ctx, comm, &patience, bytes));
    ty_comm_board_leave(comm, TY_COMM_OUTSIDE);
    comm->mpi->root = call->root;
    comm->mpi->part_bytes = bytes;
    return TY_OK;
}

static const void *part(const ty_comm *comm, int rank) {
    const ty_comm_peer *peer = &comm->peers[rank];
    if (peer->node == comm->node)
        return ty_comm_board_part(comm, peer->local_rank, comm->seq);
    return ty_comm_hosts_part(comm, rank);
}

/* --- leaving ---------------------------------------------------------------------------------- */

void ty_comm_mpi_free(ty_comm *comm) {
    if (comm->board && !comm->broken[0])
        (void)munmap(comm->board, comm->board_bytes);
    if (comm->mpi)
        ty_comm_requests_clear(&comm->mpi->requests);
    free(comm->mpi);
    ty_comm_free(comm);
}

static void finalize(ty_comm *comm) {
    ty_comm_guard guard;
    ty_comm_guard_start(&guard, &comm->ctx, (double)comm->deadline_ns / 1e9,
                        ty_status_exit_code(TY_ERR_COMM),
                        comm->is_group ? "leaving a group" : "MPI_Finalize");
    (void)MPI_Comm_free(&comm->mpi->world);
    if (comm->mpi->is_initialiser)
        (void)MPI_Finalize();
    ty_comm_guard_stop(&guard);
}

/* MPI_Finalize would wait for ever for a rank that is stopped or gone, so a broken comm leaves
 * without it, and mpirun ends those who are left. */
static void close_comm(ty_comm *comm) {
    const ty_comm_call call = {.op = TY_COMM_CLOSE, .root = -1};
    ty_status st = ty_comm_exchange(&comm->ctx, comm, &call, NULL, 0);
    if (st == TY_OK) {
        finalize(comm);
    } else {
        ty_log(&comm->ctx, TY_LOG_WARN, "comm", "leaving without the others: %s",
               comm->ctx.message);
        ty_comm_board_leave(comm, TY_COMM_LEFT);
    }
    ty_comm_mpi_free(comm);
}

/* A group's end is its own: its members are told, the job goes on. */
static void abort_group(ty_comm *comm, int exit_code) {
    if (comm->broken[0])
        return; /* they know, or had the same reason */
    const ty_status st = ty_fail(&comm->ctx, TY_ERR_COMM, "rank %d (%s) gave its group up (%d)",
                                 comm->rank, comm->peers[comm->rank].host, exit_code);
    (void)ty_comm_break(&comm->ctx, comm, st);
    ty_comm_hosts_tell(&comm->ctx, comm);
}

/* mpirun wakes who is stopped so that it can end, but with --enable-recovery it sometimes forgets to
 * (Open MPI 4.1.4: in 3 of 232 jobs; in none of 800 that woke it themselves) and waits for it for ever.
 * Awake, a rank sees who is gone. */
static void wake_the_stopped(const ty_comm *comm) {
    for (int i = 0; i < comm->local_size; i++) {
        const ty_comm_peer *peer = &comm->peers[comm->locals[i]];
        uint64_t ticks = 0;
        if (ty_comm_process_state(peer->pid, &ticks) == 'T' && ticks == peer->start_ticks)
            (void)kill(peer->pid, SIGCONT);
    }
}

static void abort_comm(ty_comm *comm, int exit_code) {
    if (comm->is_group) {
        abort_group(comm, exit_code);
        return;
    }
    if (comm->size == 1)
        return;
    ty_comm_guard guard;
    ty_comm_guard_start(&guard, &comm->ctx, abort_limit_s, exit_code, "MPI_Abort");
    wake_the_stopped(comm);
    (void)MPI_Abort(MPI_COMM_WORLD, exit_code);
    _exit(exit_code);
}

static const struct ty_comm_kind mpi_kind = {.name = "mpi",
                                             .exchange = exchange,
                                             .part = part,
                                             .close = close_comm,
                                             .abort = abort_comm,
                                             .split = ty_comm_mpi_split};

/* --- who is where ----------------------------------------------------------------------------- */

/* Ranks share memory where all but the last two are equal: same kernel, same view of processes,
 * same user. */
typedef struct identity {
    char host[TY_COMM_HOST_BYTES];
    char boot_id[40];
    uint64_t pid_namespace;
    uint64_t user;
    uint64_t start_ticks;
    int64_t pid;
} identity;

static identity own_identity(void) {
    identity own;
    memset(&own, 0, sizeof own);
    (void)gethostname(own.host, sizeof own.host - 1);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, own.boot_id, sizeof own.boot_id - 1) < 0)
            own.boot_id[0] = '\0';
        (void)close(fd);
    }
    struct stat namespace;
    if (stat("/proc/self/ns/pid", &namespace) == 0)
        own.pid_namespace = namespace.st_ino;
    own.user = geteuid();
    own.pid = getpid();
    (void)ty_comm_process_state(getpid(), &own.start_ticks);
    return own;
}

static bool is_same_host(const identity *a, const identity *b) {
    return memcmp(a, b, offsetof(identity, start_ticks)) == 0;
}

static int node_of(const identity *all, const ty_comm_peer *peers, int rank, int ranks_per_node,
                   int n_nodes) {
    if (ranks_per_node > 0)
        return rank / ranks_per_node;
    for (int other = 0; other < rank; other++) {
        if (is_same_host(&all[other], &all[rank]))
            return peers[other].node;
    }
    return n_nodes;
}

static void number_nodes(ty_comm *comm, const identity *all, int ranks_per_node) {
    for (int rank = 0; rank < comm->size; rank++) {
        ty_comm_peer *peer = &comm->peers[rank];
        memcpy(peer->host, all[rank].host, sizeof peer->host);
        peer->pid = (int)all[rank].pid;
        peer->start_ticks = all[rank].start_ticks;
        peer->node = node_of(all, comm->peers, rank, ranks_per_node, comm->n_nodes);
        comm->n_nodes = peer->node >= comm->n_nodes ? peer->node + 1 : comm->n_nodes;
    }
}

void ty_comm_mpi_list_nodes(ty_comm *comm) {
    int at = 0;
    for (int node = 0; node < comm->n_nodes; node++) {
        comm->node_first[node] = at;
        for (int rank = 0; rank < comm->size; rank++) {
            if (comm->peers[rank].node != node)
                continue;
            comm->peers[rank].local_rank = at - comm->node_first[node];
            comm->node_ranks[at++] = rank;
        }
    }
    comm->node_first[comm->n_nodes] = at;
    comm->node = comm->peers[comm->rank].node;
    comm->local_rank = comm->peers[comm->rank].local_rank;
    comm->local_size = comm->node_first[comm->node + 1] - comm->node_first[comm->node];
    comm->locals = comm->node_ranks + comm->node_first[comm->node];
}

/* Spinning only pays where every rank of the host has a core to spin on. */
static unsigned spins_for(const ty_comm *comm, const identity *all) {
    int n_here = 0;
    for (int rank = 0; rank < comm->size; rank++)
        n_here += is_same_host(&all[rank], &all[comm->rank]);
    return n_here <= sysconf(_SC_NPROCESSORS_ONLN) ? 1000 : 0;
}

static ty_status find_peers(ty_ctx *ctx, ty_comm *comm, int ranks_per_node) {
    size_t size = (size_t)comm->size;
    const identity own = own_identity();
    identity *all = calloc(size, sizeof *all);
    comm->peers = calloc(size, sizeof *comm->peers);
    comm->node_first = calloc(size + 1, sizeof *comm->node_first);
    comm->node_ranks = calloc(size, sizeof *comm->node_ranks);
    ty_status st = TY_OK;
    if (!all || !comm->peers || !comm->node_first || !comm->node_ranks) {
        st = ty_fail_nomem(ctx, "the table of ranks");
        goto done;
    }
    TY_TRY_GOTO(done, st,
                ty_comm_mpi_check(ctx,
                                  MPI_Allgather(&own, sizeof own, MPI_BYTE, all, sizeof own,
                                                MPI_BYTE, comm->mpi->world),
                                  "learning where the other ranks are"));
    number_nodes(comm, all, ranks_per_node);
    ty_comm_mpi_list_nodes(comm);
    comm->host_rank = comm->local_rank;
    comm->host_size = comm->local_size;
    comm->spins = spins_for(comm, all);
done:
    free(all);
    return st;
}

/* --- the board -------------------------------------------------------------------------------- */

static ty_status gather_int(ty_ctx *ctx, ty_comm *comm, int mine, int *out_all) {
    return ty_comm_mpi_check(
        ctx, MPI_Allgather(&mine, 1, MPI_INT, out_all, 1, MPI_INT, comm->mpi->world),
        "setting up shared memory");
}

/* The exchange is not up yet, so the answer is agreed by hand. */
static ty_status agree_on_board(ty_ctx *ctx, ty_comm *comm, ty_status mine, int *all) {
    TY_TRY(gather_int(ctx, comm, (int)mine, all));
    for (int rank = 0; rank < comm->size && mine == TY_OK; rank++) {
        if (all[rank] != TY_OK)
            return ty_fail(ctx, TY_ERR_COMM, "rank %d (%s) has no shared memory with its host",
                           rank, comm->peers[rank].host);
    }
    return mine;
}

static uint64_t nonce_of(const ty_comm_peer *leader) {
    return leader->start_ticks ^ (uint64_t)leader->pid << 40;
}

/* Ranks that were only told to be on one host may have found another process's memory. */
static ty_status check_board(ty_ctx *ctx, const ty_comm *comm, const ty_comm_board *board) {
    const ty_comm_peer *leader = &comm->peers[comm->locals[0]];
    if (board->nonce == nonce_of(leader))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_COMM, "process %d of this host is not its leader, rank %d",
                   leader->pid, comm->locals[0]);
}

ty_status ty_comm_mpi_join_board(ty_ctx *ctx, const ty_comm *comm, int fd, void **out) {
    if (fd < 0)
        return ty_fail(ctx, TY_ERR_COMM, "the leader of this host has no shared memory");
    TY_TRY(ty_comm_memory_join(ctx, comm->peers[comm->locals[0]].pid, fd, comm->board_bytes, out));
    return check_board(ctx, comm, *out);
}

ty_status ty_comm_mpi_make_board(ty_ctx *ctx, const ty_comm *comm, int *out_fd, void **out) {
    TY_TRY(ty_comm_memory_make(ctx, comm->board_bytes, out_fd, out));
    ty_comm_board *board = *out;
    board->nonce = nonce_of(&comm->peers[comm->rank]);
    return TY_OK;
}

static ty_status open_board(ty_ctx *ctx, ty_comm *comm) {
    ty_status st = TY_OK;
    int fd = -1;
    void *memory = NULL;
    int *all = calloc((size_t)comm->size, sizeof *all);
    if (!all)
        return ty_fail_nomem(ctx, "the table of ranks");
    comm->board_bytes = ty_comm_board_size(comm);
    if (comm->local_rank == 0)
        st = ty_comm_mpi_make_board(ctx, comm, &fd, &memory);
    ty_status told = gather_int(ctx, comm, fd, all);
    if (told == TY_OK && comm->local_rank != 0)
        st = ty_comm_mpi_join_board(ctx, comm, all[comm->locals[0]], &memory);
    comm->board = memory;
    st = told == TY_OK ? agree_on_board(ctx, comm, st, all) : told;
    if (fd >= 0)
        (void)close(fd);
    free(all);
    return st;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status start_mpi(ty_ctx *ctx, ty_comm *comm) {
    int is_initialized = 0;
    int is_finalized = 0;
    int provided = MPI_THREAD_FUNNELED;
    (void)MPI_Finalized(&is_finalized);
    if (is_finalized)
        return ty_fail(ctx, TY_ERR_COMM, "starting MPI: it was already finalized in this process");
    (void)MPI_Initialized(&is_initialized);
    if (!is_initialized) {
        TY_TRY(ty_comm_mpi_check(ctx, MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided),
                                 "starting MPI"));
        comm->mpi->is_initialiser = true;
    }
    if (provided < MPI_THREAD_FUNNELED)
        return ty_fail(ctx, TY_ERR_COMM,
                       "starting MPI: it allows no threads beside the one that "
                       "calls it; want MPI_THREAD_FUNNELED");
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    TY_TRY(ty_comm_mpi_check(ctx, MPI_Comm_dup(MPI_COMM_WORLD, &comm->mpi->world), "starting MPI"));
    (void)MPI_Comm_rank(comm->mpi->world, &comm->rank);
    (void)MPI_Comm_size(comm->mpi->world, &comm->size);
    return TY_OK;
}

static ty_status bring_up(ty_ctx *ctx, ty_comm *comm, const ty_comm_options *options) {
    TY_TRY(start_mpi(ctx, comm));
    TY_TRY(find_peers(ctx, comm, options->ranks_per_node));
    return open_board(ctx, comm);
}

ty_status ty_comm_mpi_new(ty_ctx *ctx, int64_t deadline_ns, ty_comm **out) {
    ty_comm *comm = calloc(1, sizeof *comm);
    ty_comm_mpi *mpi = calloc(1, sizeof *mpi);
    if (!comm || !mpi) {
        free(comm);
        free(mpi);
        return ty_fail_nomem(ctx, "the comm");
    }
    *comm = (ty_comm){.kind = &mpi_kind, .mpi = mpi, .deadline_ns = deadline_ns};
    ty_ctx_init_child(&comm->ctx, ctx);
    *out = comm;
    return TY_OK;
}

ty_status ty_comm_mpi_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) {
    const char *local_rank = ctx->getenv("OMPI_COMM_WORLD_LOCAL_RANK");
    if (!local_rank || strcmp(local_rank, "0") == 0)
        ty_comm_sweep(ctx);
    double deadline_s = options->deadline_s > 0 ? options->deadline_s : default_deadline_s;
    ty_comm *comm = NULL;
    TY_TRY(ty_comm_mpi_new(ctx, (int64_t)(deadline_s * 1e9), &comm));
    ty_comm_guard guard;
    ty_comm_guard_start(&guard, ctx, deadline_s > start_limit_s ? deadline_s : start_limit_s,
                        ty_status_exit_code(TY_ERR_COMM), "starting MPI");
    ty_status st = bring_up(ctx, comm, options);
    ty_comm_guard_stop(&guard);
    if (st != TY_OK) {
        ty_comm_mpi_free(comm);
        return st;
    }
    *out = comm;
    return TY_OK;
}
