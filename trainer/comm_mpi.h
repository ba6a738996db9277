/* What the files that call MPI share: comm_mpi.c, comm_split.c, comm_mail.c, comm_hosts.c and
 * reduction_hosts.c. */
#ifndef TY_TRAINER_COMM_MPI_H
#define TY_TRAINER_COMM_MPI_H

#include <mpi.h>

#include "trainer/comm_private.h"

/* Non-blocking messages under way, each with the rank at its other end. */
typedef struct ty_comm_requests {
    MPI_Request *items;
    int *ranks;
    int count, capacity;
} ty_comm_requests;

typedef struct ty_comm_mpi {
    MPI_Comm world;
    bool is_initialiser; /* this comm called MPI_Init and will call MPI_Finalize */
    ty_comm_requests requests;
    /* the last exchange, for part() */
    int root;
    size_t part_bytes;
} ty_comm_mpi;

enum { TY_COMM_TAG_EXCHANGE = 1, TY_COMM_TAG_REDUCE, TY_COMM_TAG_FAILURE, TY_COMM_TAG_MAIL };

/* comm_mpi.c: one comm. new: of that deadline, without ranks. list_nodes: from the peers' nodes to
 * who is on which host and what this rank's place is. free: what new and what follows made, but no
 * communicator of MPI. */
ty_status ty_comm_mpi_new(ty_ctx *ctx, int64_t deadline_ns, ty_comm **out) TY_MUST_USE;
void ty_comm_mpi_list_nodes(ty_comm *comm);
void ty_comm_mpi_free(ty_comm *comm);

/* The board of this host's ranks: the leader makes it and tells its descriptor, which it closes when all
 * have joined; the others find it by that (-1: there is none). comm->board_bytes are to be set;
 * *out becomes comm->board. */
ty_status ty_comm_mpi_make_board(ty_ctx *ctx, const ty_comm *comm, int *out_fd,
                                 void **out) TY_MUST_USE;
ty_status ty_comm_mpi_join_board(ty_ctx *ctx, const ty_comm *comm, int fd, void **out) TY_MUST_USE;

/* comm_split.c: ty_comm_split among ranks that MPI brought together. */
ty_status ty_comm_mpi_split(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out) TY_MUST_USE;

/* Start a message of at most 2 GB; it is under way until ty_comm_requests_wait. */
ty_status ty_comm_send(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests, int rank, int tag,
                       const void *data, size_t bytes) TY_MUST_USE;
ty_status ty_comm_receive(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests, int rank, int tag,
                          void *data, size_t bytes) TY_MUST_USE;
/* Waits for all of them; the list is empty afterwards. */
ty_status ty_comm_requests_wait(ty_ctx *ctx, ty_comm *comm, ty_comm_requests *requests,
                                ty_comm_patience *patience) TY_MUST_USE;
void ty_comm_requests_clear(ty_comm_requests *requests);

/* comm_hosts.c: among the leaders of all hosts, and waiting for one's own. */
ty_status ty_comm_hosts_exchange(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience,
                                 size_t bytes) TY_MUST_USE;
/* What rank of another host brought to the last exchange. */
const void *ty_comm_hosts_part(const ty_comm *comm, int rank);

/* TY_OK, or a failure with MPI's own words. */
ty_status ty_comm_mpi_check(ty_ctx *ctx, int code, const char *doing) TY_MUST_USE;

#endif
