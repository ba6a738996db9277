/* The world divided into groups. Who is in which group, where the groups' boards are and whether
 * everything went well travels through the world's own exchanges, with their deadline; MPI itself is
 * asked for one thing, a communicator for what goes between hosts. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "trainer/comm_mpi.h"
#include "trainer/cores.h"

typedef struct splitting {
    ty_comm *parent;
    int *groups;     /* [parent's size] of every rank */
    int *fds;        /* [parent's size] of the boards that leaders made; -1: none */
    int *world_rank; /* [size of the group] */
    ty_comm *made;   /* NULL where this rank is in no group */
} splitting;

static void clear(splitting *s) {
    free(s->groups);
    free(s->fds);
    free(s->world_rank);
}

/* --- members ---------------------------------------------------------------------------------- */

static ty_status allocate(ty_ctx *ctx, splitting *s) {
    const size_t size = (size_t)s->parent->size;
    s->groups = calloc(size, sizeof *s->groups);
    s->fds = calloc(size, sizeof *s->fds);
    s->world_rank = calloc(size, sizeof *s->world_rank);
    return s->groups && s->fds && s->world_rank ? TY_OK : ty_fail_nomem(ctx, "groups of ranks");
}

static ty_status allocate_group(ty_ctx *ctx, splitting *s) {
    const size_t size = (size_t)s->parent->size;
    if (s->groups[s->parent->rank] < 0)
        return TY_OK;
    TY_TRY(ty_comm_mpi_new(ctx, s->parent->deadline_ns, &s->made));
    s->made->is_group = true;
    s->made->peers = calloc(size, sizeof *s->made->peers);
    s->made->node_first = calloc(size + 1, sizeof *s->made->node_first);
    s->made->node_ranks = calloc(size, sizeof *s->made->node_ranks);
    return s->made->peers && s->made->node_first && s->made->node_ranks
               ? TY_OK
               : ty_fail_nomem(ctx, "the table of ranks");
}

/* The number that a host of the world has in the group: by the lowest member on it. */
static int node_in_group(const splitting *s, int world_node) {
    for (int member = 0; member < s->made->size; member++) {
        if (s->parent->peers[s->world_rank[member]].node == world_node)
            return s->made->peers[member].node;
    }
    return s->made->n_nodes++;
}

static void add_member(splitting *s, int world_rank) {
    const ty_comm_peer *from = &s->parent->peers[world_rank];
    ty_comm *made = s->made;
    ty_comm_peer *peer = &made->peers[made->size];
    *peer = *from;
    (void)snprintf(peer->host, sizeof peer->host, "%.64s, world rank %d", from->host, world_rank);
    peer->node = node_in_group(s, from->node);
    if (world_rank == s->parent->rank)
        made->rank = made->size;
    s->world_rank[made->size++] = world_rank;
}

static void gather_members(splitting *s) {
    const ty_comm *parent = s->parent;
    if (!s->made)
        return;
    for (int rank = 0; rank < parent->size; rank++) {
        if (s->groups[rank] == s->groups[parent->rank])
            add_member(s, rank);
    }
    s->made->spins = parent->spins;
    s->made->host_rank = parent->host_rank;
    s->made->host_size = parent->host_size;
    ty_comm_mpi_list_nodes(s->made);
}

/* --- what members share ----------------------------------------------------------------------- */

/* A rank that is stopped in here must not keep the others for ever. */
static ty_status split_communicator(ty_ctx *ctx, splitting *s) {
    ty_comm_guard guard;
    MPI_Comm made = MPI_COMM_NULL;
    ty_comm_guard_start(&guard, ctx, (double)s->parent->deadline_ns / 1e9,
                        ty_status_exit_code(TY_ERR_COMM), "dividing the ranks");
    const int group = s->groups[s->parent->rank];
    const int code = MPI_Comm_split(s->parent->mpi->world, group < 0 ? MPI_UNDEFINED : group,
                                    s->parent->rank, &made);
    ty_comm_guard_stop(&guard);
    if (s->made)
        s->made->mpi->world = made;
    return ty_comm_mpi_check(ctx, code, "dividing the ranks");
}

static bool is_host_leader(const splitting *s) {
    return s->made && s->made->local_rank == 0;
}

static ty_status find_board(ty_ctx *ctx, const splitting *s, void **out) {
    const int leader = s->made->locals[0];
    return ty_comm_mpi_join_board(ctx, s->made, s->fds[s->world_rank[leader]], out);
}

static ty_status open_board(ty_ctx *ctx, splitting *s) {
    ty_status st = TY_OK;
    int fd = -1;
    void *memory = NULL;
    if (s->made)
        s->made->board_bytes = ty_comm_board_size(s->made);
    if (is_host_leader(s))
        st = ty_comm_mpi_make_board(ctx, s->made, &fd, &memory);
    const ty_status told = ty_comm_all_gather(ctx, s->parent, &fd, sizeof fd, s->fds);
    if (told == TY_OK && s->made && !is_host_leader(s))
        st = find_board(ctx, s, &memory);
    if (s->made)
        s->made->board = memory;
    st = told == TY_OK ? ty_comm_agree(ctx, s->parent, st) : told;
    if (fd >= 0)
        (void)close(fd);
    return st;
}

/* --- all -------------------------------------------------------------------------------------- */

static ty_status split(ty_ctx *ctx, splitting *s, int group) {
    int64_t cores = 0;
    TY_TRY(ty_comm_agree(ctx, s->parent, allocate(ctx, s)));
    TY_TRY(ty_comm_all_gather(ctx, s->parent, &group, sizeof group, s->groups));
    TY_TRY(ty_cores_share(ctx, s->parent, &cores));
    TY_TRY(ty_comm_agree(ctx, s->parent, allocate_group(ctx, s)));
    gather_members(s);
    if (s->made)
        s->made->cores = cores;
    TY_TRY(ty_comm_agree(ctx, s->parent, split_communicator(ctx, s)));
    return open_board(ctx, s);
}

ty_status ty_comm_mpi_split(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out) {
    splitting s = {.parent = comm};
    const ty_status st = split(ctx, &s, group);
    if (st == TY_OK)
        *out = s.made;
    else if (s.made)
        ty_comm_mpi_free(s.made); /* MPI's communicator stays: freeing it would need the others */
    clear(&s);
    return st;
}
