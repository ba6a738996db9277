/* What the files of the NCCL fake share. Ranks are processes of one machine that talk through Unix sockets, none of
 * them blocking: a peer that is gone never holds this process inside the simulator. Each collective sends every peer
 * what it needs behind a header that says what the call was; a rank that called something else is told apart by it. */
#ifndef TY_CUDASIM_NCCL_FAKE_H
#define TY_CUDASIM_NCCL_FAKE_H

#pragma GCC visibility push(default)
#include <nccl.h>
ncclResult_t ncclGroupStart(void); /* NCCL's header says () */
ncclResult_t ncclGroupEnd(void);
#pragma GCC visibility pop

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim.h"

#define CS_NCCL_COMM "nccl communicator"
#define CS_NCCL_RANKS 64

typedef enum cs_nccl_kind {
    CS_NCCL_ALL_REDUCE,
    CS_NCCL_REDUCE_SCATTER,
    CS_NCCL_ALL_GATHER,
    CS_NCCL_BROADCAST,
    CS_NCCL_REDUCE,
    CS_NCCL_FINALIZE,
    CS_NCCL_POINT, /* a send; what a receive waits for */
    CS_NCCL_KINDS
} cs_nccl_kind;

/* What a rank called, before its data. */
typedef struct cs_nccl_header {
    uint32_t kind, type, op, root;
    uint64_t sequence; /* of collectives in the communicator; of sends to this peer */
    uint64_t count;    /* elements as the call gave them */
    uint64_t bytes;    /* that follow */
} cs_nccl_header;

/* Who a peer is: the first thing that a connection carries. */
typedef struct cs_nccl_hello {
    uint64_t id;
    int32_t rank, size, device, pid;
    char host[64];
} cs_nccl_hello;

typedef struct cs_nccl_message {
    struct cs_nccl_message *next;
    cs_nccl_header header;
    uint8_t data[];
} cs_nccl_message;

typedef struct cs_nccl_bytes {
    uint8_t *data;
    size_t begin, end, room;
} cs_nccl_bytes;

typedef struct cs_nccl_peer {
    int fd; /* -1: not connected yet, or no more */
    bool is_greeted, is_lost;
    cs_nccl_hello hello;
    cs_nccl_bytes in, out;
    cs_nccl_message *collectives, *points; /* that came, oldest first */
    uint64_t n_sent, n_received;           /* sends and receives so far */
} cs_nccl_peer;

typedef struct cs_nccl_op cs_nccl_op;

typedef enum cs_nccl_state {
    CS_NCCL_CONNECTING,
    CS_NCCL_READY,
    CS_NCCL_FINALIZING,
    CS_NCCL_FINALIZED,
    CS_NCCL_ABORTED
} cs_nccl_state;

typedef struct cs_nccl_comm {
    uint64_t id;
    int rank, size, device;
    bool is_blocking;
    cs_nccl_state state;
    int listener;
    int strangers[CS_NCCL_RANKS]; /* accepted, not greeted yet; -1: free */
    cs_nccl_peer peers[CS_NCCL_RANKS];
    int n_owners;             /* the program and every queued operation */
    uint64_t n_collectives;   /* issued */
    uint64_t n_issued, n_run; /* operations of all kinds: they run in the order of issue */
    cs_nccl_op *waiting;      /* issued on a communicator that does not block, not queued yet */
    int polls_left;           /* until they are queued, or connecting may end */
    bool has_sent_finalize;
    ncclResult_t async_error;
    char error[256];
    cs_random random;
} cs_nccl_comm;

/* One send or receive of a group. */
typedef struct cs_nccl_transfer {
    bool is_send;
    int peer;
    uint64_t address, count, sequence;
} cs_nccl_transfer;

struct cs_nccl_op {
    struct cs_nccl_op *next; /* in a group, or in comm->waiting */
    cs_nccl_comm *comm;
    cs_nccl_header header; /* but for bytes */
    uint64_t send, receive;
    cudaStream_t stream;
    uint64_t order; /* in its communicator */
    bool is_started;
    int n_transfers; /* of CS_NCCL_POINT */
    cs_nccl_transfer *transfers;
    char what[96];
};

#define NCCL_ENTER()                                                                               \
    do {                                                                                           \
        int injected_ = cs_enter(ncclSystemError);                                                 \
        if (injected_)                                                                             \
            return (ncclResult_t)cs_leave((int)cs_nccl_in_group((ncclResult_t)injected_));         \
    } while (0)

static inline ncclResult_t nccl_leave(ncclResult_t result) {
    return (ncclResult_t)cs_library_leave((int)result);
}

/* --- nccl_library.c --------------------------------------------------------------------------- */

/* Reports a broken rule of the function in progress, keeps the words for ncclGetLastError, returns result. */
ncclResult_t cs_nccl_report(cs_nccl_comm *comm, ncclResult_t result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A failure that is no mistake of the program: the communicator answers it from now on. */
void cs_nccl_fail(cs_nccl_comm *comm, ncclResult_t result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL and a report where it is none. */
cs_nccl_comm *cs_nccl_comm_of(ncclComm_t handle);
const char *cs_nccl_kind_name(uint32_t kind);
/* Bytes of an element; ends the process for types that are not modelled. */
size_t cs_nccl_type_bytes(uint32_t type);

/* --- nccl_wire.c ------------------------------------------------------------------------------ */

/* Opens this rank's address; 0 or errno. */
int cs_nccl_listen(cs_nccl_comm *comm);
/* Sends and receives whatever goes at once; connects and greets. */
void cs_nccl_pump(cs_nccl_comm *comm);
/* Whether every peer has greeted. */
bool cs_nccl_is_connected(const cs_nccl_comm *comm);
/* Appends a message to what goes to a peer. */
void cs_nccl_post(cs_nccl_peer *peer, const cs_nccl_header *header, const void *data);
/* Whether all that was posted has gone. */
bool cs_nccl_is_flushed(const cs_nccl_comm *comm);
void cs_nccl_close_wires(cs_nccl_comm *comm);

/* --- nccl_op.c -------------------------------------------------------------------------------- */

/* Queues an operation in its stream. Takes op. */
ncclResult_t cs_nccl_enqueue(cs_nccl_op *op);
void cs_nccl_drop_op(void *op);
/* What reads and writes: from the first to behind the last byte. */
uint64_t cs_nccl_send_bytes(const cs_nccl_op *op);
uint64_t cs_nccl_receive_bytes(const cs_nccl_op *op);
/* Whether two ranks called the same; says how the calls differ where they do. */
bool cs_nccl_compare(cs_nccl_comm *comm, const cs_nccl_header *mine, int peer,
                     const cs_nccl_header *theirs, const char *what);

/* --- nccl_reduce.c ---------------------------------------------------------------------------- */

/* out = the contributions of all ranks, reduced one after another from rank `first` on. */
void cs_nccl_reduce(const uint8_t *const *parts, int n, int first, uint32_t type, uint32_t op,
                    uint64_t count, uint8_t *out);

/* --- nccl_call.c ------------------------------------------------------------------------------ */

/* Whether this thread is between ncclGroupStart and ncclGroupEnd. */
bool cs_nccl_is_in_group(void);
/* A call inside a group: its error is the group's too. Returns result. */
ncclResult_t cs_nccl_in_group(ncclResult_t result);

/* --- nccl_comm.c ------------------------------------------------------------------------------ */

/* Whether a collective or a group may be issued now; reports where not. */
ncclResult_t cs_nccl_check_usable(cs_nccl_comm *comm);
void cs_nccl_own(cs_nccl_comm *comm);
void cs_nccl_disown(cs_nccl_comm *comm);

#endif
