/* What the files of comm and reduction share; nobody else includes this.
 *
 * There is one primitive, the exchange: every rank brings a call (what it does) and up to
 * TY_COMM_PART_BYTES bytes, and sees everybody's afterwards. Ranks whose calls differ fail instead
 * of mixing their bytes. All collectives of comm.h are written once, in comm.c, over this primitive;
 * self and MPI each bring their own.
 *
 * Between the ranks of one host an exchange goes through a page of shared memory, the board
 * (comm_board.c). Between hosts the lowest rank of each, its leader, swaps its host's block with
 * the other leaders (comm_hosts.c). */
#ifndef TY_TRAINER_COMM_PRIVATE_H
#define TY_TRAINER_COMM_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>

#include "trainer/comm.h"

enum { TY_COMM_PART_BYTES = 16384, TY_COMM_HOST_BYTES = 96 };

typedef enum ty_comm_op {
    TY_COMM_NONE,
    TY_COMM_AGREE,
    TY_COMM_REASON,
    TY_COMM_VOTE,
    TY_COMM_FACTS,
    TY_COMM_MIN,
    TY_COMM_BARRIER,
    TY_COMM_BROADCAST,
    TY_COMM_ALL_GATHER,
    TY_COMM_SUM,
    TY_COMM_WINDOW,
    TY_COMM_REDUCE,
    TY_COMM_REDUCE_PART,
    TY_COMM_REDUCE_END,
    TY_COMM_CLOSE,
    TY_COMM_CONNECT_GPUS, /* these two are no exchanges: waits for GPUs */
    TY_COMM_GPU_WORK,
    TY_COMM_OP_COUNT
} ty_comm_op;

/* As messages call it; never NULL. */
const char *ty_comm_op_name(uint32_t op);

/* What all ranks have to bring alike. */
typedef struct ty_comm_call {
    ty_comm_op op;
    int root;       /* the one rank that brings bytes; -1: all do */
    uint64_t bytes; /* of the whole call, which may take several exchanges */
    bool is_local;  /* only among the ranks of this host */
} ty_comm_call;

/* A rank as the others know it. */
typedef struct ty_comm_peer {
    char host[TY_COMM_HOST_BYTES]; /* its name; in a group also the rank among all */
    int node;                      /* hosts are numbered by their lowest rank */
    int local_rank;                /* among the ranks of its host */
    int pid;                       /* of use only on its own host */
    uint64_t start_ticks;          /* tells the process from a later one with its pid */
} ty_comm_peer;

/* The words of a call that are compared. */
typedef struct ty_comm_header {
    uint64_t seq;
    uint64_t what; /* op and root */
    uint64_t bytes;
} ty_comm_header;

typedef enum ty_comm_stage { TY_COMM_INSIDE, TY_COMM_OUTSIDE, TY_COMM_LEFT } ty_comm_stage;

/* Written by one rank, read by the others of its host. A rank is at most one call ahead of any
 * other, so two of everything, by parity of the sequence number, is enough. */
typedef struct ty_comm_slot {
    _Alignas(128) _Atomic uint64_t seq; /* of the call it is in or was last in; set last */
    _Atomic uint32_t stage;             /* ty_comm_stage */
    _Atomic int64_t since_ns;           /* when it entered */
    _Atomic uint64_t what[2];
    _Atomic uint64_t bytes[2];
} ty_comm_slot;

/* The start of the shared page. Behind it: slots [local_size], their parts
 * [local_size][2][TY_COMM_PART_BYTES], and with several hosts [2] times one block for each of them:
 * headers, then parts, in the order of the host's ranks. */
typedef struct ty_comm_board {
    uint64_t nonce;           /* proves that this is the memory that was meant */
    _Atomic uint32_t failure; /* comm_failure_state of text */
    char failure_text[TY_MESSAGE_BYTES];
    _Alignas(128) _Atomic uint64_t world_seq; /* newest call whose blocks from all hosts are here */
} ty_comm_board;

struct ty_comm_mpi;
struct ty_comm_kind;

struct ty_comm {
    const struct ty_comm_kind *kind;
    ty_ctx ctx; /* for calls that have none: close, abort */
    int rank, size;
    int local_rank, local_size;
    int node, n_nodes;
    ty_comm_peer *peers;      /* [size] */
    int *node_first;          /* [n_nodes + 1] where a host's ranks begin in node_ranks */
    int *node_ranks;          /* [size] all ranks, host by host, ascending inside */
    const int *locals;        /* [local_size] the ranks of this host */
    int host_rank, host_size; /* the place on this host among the ranks of all groups */
    int64_t cores;            /* a group's: this rank's share of its host; 0: not known */
    bool is_group;            /* made by ty_comm_split */
    int64_t deadline_ns;
    unsigned spins;         /* polls before a waiting rank lets go of its core */
    uint64_t seq;           /* of the newest call */
    ty_comm_call last_call; /* the newest that succeeded, when, for messages about other hosts */
    uint64_t last_seq;
    int64_t last_ns;
    void *own_part;       /* self: what this rank brought, TY_COMM_PART_BYTES; NULL otherwise */
    ty_comm_board *board; /* NULL with self */
    size_t board_bytes;
    struct ty_comm_mpi *mpi;       /* NULL with self */
    char broken[TY_MESSAGE_BYTES]; /* why nothing works any more; empty while it does */
};

struct ty_comm_kind {
    const char *name;
    /* bytes <= TY_COMM_PART_BYTES, equal wherever calls are equal; mine may be NULL where this rank
     * brings none. */
    ty_status (*exchange)(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                          size_t bytes);
    /* What rank brought to the last exchange; valid until this rank's next. */
    const void *(*part)(const ty_comm *comm, int rank);
    void (*close)(ty_comm *comm);
    void (*abort)(ty_comm *comm, int exit_code);
    /* ty_comm_split, of a comm that is no group. */
    ty_status (*split)(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out);
};

/* --- comm.c ----------------------------------------------------------------------------------- */

/* One exchange, refused once the comm is broken; a failure breaks it for good, on this rank and for
 * its host. */
ty_status ty_comm_exchange(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                           size_t bytes) TY_MUST_USE;
/* Keeps ctx's message as the reason why every later call fails, and shows it to the ranks of this
 * host. Returns st. */
ty_status ty_comm_break(const ty_ctx *ctx, ty_comm *comm, ty_status st);
/* Frees what all kinds share. */
void ty_comm_free(ty_comm *comm);

/* --- comm_self.c, comm_mpi.c: the two kinds --------------------------------------------------- */

/* ty_comm_open's two ways; *out is the caller's to close by ty_comm_close. */
ty_status ty_comm_self_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) TY_MUST_USE;
ty_status ty_comm_mpi_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) TY_MUST_USE;

/* --- comm_board.c: the ranks of one host ------------------------------------------------------ */

/* Memory that the ranks of one host share and no file name leads to, so that nothing is left
 * however they end. The leader makes it, the others find it as a descriptor of the leader's
 * process.
 * Errors: TY_ERR_COMM, errno in the message. */
ty_status ty_comm_memory_make(ty_ctx *ctx, size_t bytes, int *out_fd, void **out) TY_MUST_USE;
ty_status ty_comm_memory_join(ty_ctx *ctx, int pid, int fd, size_t bytes, void **out) TY_MUST_USE;

/* The same among ranks whose board is up. Collective. *out is unmapped by ty_comm_window_close,
 * which is not. */
ty_status ty_comm_window_open(ty_ctx *ctx, ty_comm *comm, size_t bytes, void **out) TY_MUST_USE;
void ty_comm_window_close(const ty_comm *comm, void *window, size_t bytes);

/* The block of one host in the board: its headers, and with offset of the parts. bytes is of one
 * part. */
size_t ty_comm_board_size(const ty_comm *comm);
ty_comm_slot *ty_comm_board_slot(const ty_comm *comm, int local_rank);
void *ty_comm_board_part(const ty_comm *comm, int local_rank, uint64_t seq);
void *ty_comm_board_block(const ty_comm *comm, int node, uint64_t seq);

/* Puts this rank's call and bytes where the others of its host see them. */
void ty_comm_board_arrive(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                          size_t bytes);
/* Waits until all ranks of this host have arrived with the same call. */
struct ty_comm_patience;
ty_status ty_comm_board_gather(ty_ctx *ctx, ty_comm *comm,
                               struct ty_comm_patience *patience) TY_MUST_USE;
void ty_comm_board_leave(ty_comm *comm, ty_comm_stage stage);
/* The header that rank of this host brought to call seq. */
ty_comm_header ty_comm_board_header(const ty_comm *comm, int local_rank, uint64_t seq);
ty_comm_header ty_comm_header_of(const ty_comm_call *call, uint64_t seq);

/* What this rank's host failed of: NULL while nothing did. */
const char *ty_comm_board_failure(const ty_comm *comm);
void ty_comm_board_fail(ty_comm *comm, const char *text);

/* --- comm_watch.c: waiting, and naming who is missing ----------------------------------------- */

/* One wait for others. Time in which this process did not run is not counted. */
typedef struct ty_comm_patience {
    const ty_comm_call *call;
    int awaited_rank;   /* of another host; -1: none in particular */
    bool awaits_leader; /* everybody of this host is there, its leader talks to other hosts */
    bool awaits_gpus;   /* all ranks have come and their GPUs work: nobody may be gone */
    int64_t allowed_ns;
    int64_t waited_ns;
    int64_t last_ns;   /* 0 until the first look at the clock */
    int64_t looked_ns; /* waited_ns when /proc was last read */
    unsigned polls;
} ty_comm_patience;

/* The host where a rank is missing knows best which: ranks that wait for another host give it this
 * much longer, and ranks that wait for their leader twice as much. */
enum { TY_COMM_GRACE_MS = 500 };

/* A wait for the ranks that the call needs, with the comm's deadline. */
ty_comm_patience ty_comm_patience_for(const ty_comm *comm, const ty_comm_call *call);
/* A wait for GPUs; with_deadline is false where only this rank's own is waited for. */
ty_comm_patience ty_comm_patience_for_gpus(const ty_comm *comm, const ty_comm_call *call,
                                           bool with_deadline);
/* One pause of a polling loop: spins, then yields, then sleeps.
 * Errors: TY_ERR_COMM naming who is missing, dead or gone, or with the reason another rank of this
 * host failed for. */
ty_status ty_comm_patience_pause(ty_ctx *ctx, ty_comm *comm,
                                 ty_comm_patience *patience) TY_MUST_USE;

/* The failure of two ranks that brought different calls. */
ty_status ty_comm_out_of_step(ty_ctx *ctx, const ty_comm *comm, int rank_a, ty_comm_header a,
                              int rank_b, ty_comm_header b) TY_MUST_USE;

/* State letter of a process as /proc has it, 0 where it is gone. out_start_ticks may be NULL. */
char ty_comm_process_state(int pid, uint64_t *out_start_ticks);

/* Ends this process with exit_code unless it is stopped within `seconds` of running time: the way
 * out of library calls that may hang. */
typedef struct ty_comm_guard {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_running, is_done;
    int ticks, exit_code;
    const char *what;
    ty_ctx ctx;
} ty_comm_guard;

/* what: for the message. stop joins the guard's thread, where it could be started. */
void ty_comm_guard_start(ty_comm_guard *guard, const ty_ctx *ctx, double seconds, int exit_code,
                         const char *what);
void ty_comm_guard_stop(ty_comm_guard *guard);

/* --- comm_hosts.c: failures between hosts, outside of exchanges -------------------------------- */

/* A host's leader tells the other leaders what ctx's message says; nothing where this is no leader. */
void ty_comm_hosts_tell(const ty_ctx *ctx, ty_comm *comm);
/* Errors: TY_ERR_COMM with what the leader of another host told this one. */
ty_status ty_comm_hosts_hear(ty_ctx *ctx, ty_comm *comm) TY_MUST_USE;

/* --- comm_gpu.c: GPUs that sum together --------------------------------------------------------- */

/* Connects the GPUs of all ranks. Collective; the same answer on all ranks. *out is the caller's to
 * close or abort. */
ty_status ty_comm_clique_open(ty_ctx *ctx, ty_comm *comm, ty_device *dev,
                              ty_clique **out) TY_MUST_USE;
/* After each call of the clique: waits until NCCL has queued it. */
ty_status ty_comm_clique_settle(ty_ctx *ctx, ty_comm *comm, ty_clique *clique) TY_MUST_USE;
/* Waits for what all GPUs do together. All ranks are known to have come. */
ty_status ty_comm_clique_wait(ty_ctx *ctx, ty_comm *comm, ty_device *dev,
                              ty_clique *clique) TY_MUST_USE;
/* Tells all ranks, on this host at once, that this one failed of what ctx's message says. The comm is
 * broken afterwards, for everybody. Returns st. */
ty_status ty_comm_fail_alone(ty_ctx *ctx, ty_comm *comm, ty_status st) TY_MUST_USE;

/* --- comm_sweep.c ----------------------------------------------------------------------------- */

/* Removes what killed jobs of this user and host left in /dev/shm: OpenMPI's segments that no
 * process maps. */
void ty_comm_sweep(const ty_ctx *ctx);

#endif
