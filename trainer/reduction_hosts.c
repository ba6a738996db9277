/* The sum of a large buffer over ranks of several hosts.
 *
 * The tree over ranks is cut into blocks, the largest subtrees whose ranks share a host. A host
 * sums its blocks in shared memory; then every rank of the world owns one slice, gets that slice of
 * all other hosts' blocks, finishes the tree, and sends the result to the other hosts: 2 (hosts -
 * 1) / hosts buffers leave each host, as with a ring, in messages of at most 4 MB, and any layout
 * of ranks on hosts gives the same bits. Where bits need not be the same, a host is one block
 * whatever its ranks are. */
#include <stdlib.h>
#include <sys/mman.h>

#include "trainer/comm_mpi.h"
#include "trainer/reduction_private.h"

enum { MESSAGE_FLOATS = 1 << 20 };

typedef struct block {
    int node;
    int first_local, n_ranks; /* its ranks, by their numbers on their host */
    ty_sum_tree tree;         /* over them; empty on other hosts and with one rank */
    int sum; /* its place in the window, -1: another host's, or the rank's part itself */
} block;

typedef struct ty_reduction_hosts {
    ty_comm *comm;
    block *blocks; /* in the order of the tree */
    int n_blocks, n_sums;
    ty_sum_tree tree;     /* over blocks */
    const float **leaves; /* [n_blocks] this rank's slice of each */
    float *staging;       /* [n_blocks][slice] what comes from other hosts */
    size_t staging_bytes;
    int64_t slice; /* floats from one block's slice to the next */
    ty_comm_requests requests;
} ty_reduction_hosts;

/* --- opening ---------------------------------------------------------------------------------- */

static int add_block(ty_reduction_hosts *hosts, block added) {
    hosts->blocks[hosts->n_blocks] = added;
    return hosts->n_blocks++;
}

static int block_of_ranks(void *self, int first, int width) {
    ty_reduction_hosts *hosts = self;
    const ty_comm_peer *peers = hosts->comm->peers;
    int n = 0;
    while (n < width && first + n < hosts->comm->size) {
        if (peers[first + n].node != peers[first].node)
            return -1;
        n++;
    }
    return add_block(
        hosts,
        (block){.node = peers[first].node, .first_local = peers[first].local_rank, .n_ranks = n});
}

static int block_of_node(void *self, int first, int width) {
    ty_reduction_hosts *hosts = self;
    const int *node_first = hosts->comm->node_first;
    if (width > 1)
        return -1;
    return add_block(hosts,
                     (block){.node = first, .n_ranks = node_first[first + 1] - node_first[first]});
}

static int leaf_of_local(void *self, int first, int width) {
    const block *it = self;
    return width == 1 ? it->first_local + first : -1;
}

static ty_status prepare_own_blocks(ty_ctx *ctx, ty_reduction_hosts *hosts) {
    for (int i = 0; i < hosts->n_blocks; i++) {
        block *it = &hosts->blocks[i];
        it->sum = -1;
        if (it->node != hosts->comm->node || it->n_ranks == 1)
            continue;
        it->sum = hosts->n_sums++;
        TY_TRY(ty_sum_tree_init(ctx, &it->tree, it->n_ranks, leaf_of_local, it));
    }
    return TY_OK;
}

static ty_status make_staging(ty_ctx *ctx, ty_reduction_hosts *hosts, int64_t n) {
    hosts->slice = ty_reduction_share(n, hosts->comm->rank, hosts->comm->size).count;
    hosts->staging_bytes = (size_t)(hosts->slice * hosts->n_blocks + 1) * sizeof(float);
    void *staging = mmap(NULL, hosts->staging_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (staging == MAP_FAILED)
        return ty_fail_nomem(ctx, "gradients of other hosts");
    hosts->staging = staging;
    return TY_OK;
}

static ty_status set_up(ty_ctx *ctx, ty_reduction_hosts *hosts, int64_t n, bool is_exact) {
    const ty_comm *comm = hosts->comm;
    hosts->blocks = calloc((size_t)comm->size, sizeof *hosts->blocks);
    hosts->leaves = calloc((size_t)comm->size, sizeof *hosts->leaves);
    if (!hosts->blocks || !hosts->leaves)
        return ty_fail_nomem(ctx, "the blocks of a reduction");
    TY_TRY(ty_sum_tree_init(ctx, &hosts->tree, is_exact ? comm->size : comm->n_nodes,
                            is_exact ? block_of_ranks : block_of_node, hosts));
    TY_TRY(prepare_own_blocks(ctx, hosts));
    return make_staging(ctx, hosts, n);
}

ty_status ty_reduction_hosts_open(ty_ctx *ctx, ty_comm *comm, int64_t n, bool is_exact,
                                  ty_reduction_hosts **out) {
    ty_reduction_hosts *hosts = calloc(1, sizeof *hosts);
    if (!hosts)
        return ty_fail_nomem(ctx, "the reduction");
    hosts->comm = comm;
    ty_status st = set_up(ctx, hosts, n, is_exact);
    if (st != TY_OK) {
        ty_reduction_hosts_close(hosts);
        return st;
    }
    *out = hosts;
    return TY_OK;
}

void ty_reduction_hosts_close(ty_reduction_hosts *hosts) {
    if (!hosts)
        return;
    ty_comm_window_close(hosts->comm, hosts->staging, hosts->staging_bytes);
    for (int i = 0; i < hosts->n_blocks; i++)
        ty_sum_tree_clear(&hosts->blocks[i].tree);
    ty_sum_tree_clear(&hosts->tree);
    ty_comm_requests_clear(&hosts->requests);
    free(hosts->blocks);
    free(hosts->leaves);
    free(hosts);
}

int ty_reduction_hosts_sums(const ty_reduction_hosts *hosts) {
    return hosts ? hosts->n_sums : 0;
}

/* --- messages --------------------------------------------------------------------------------- */

static ty_status send_floats(ty_ctx *ctx, ty_reduction_hosts *hosts, int rank, const float *data,
                             int64_t n) {
    for (int64_t at = 0; at < n; at += MESSAGE_FLOATS) {
        int64_t count = n - at < MESSAGE_FLOATS ? n - at : MESSAGE_FLOATS;
        TY_TRY(ty_comm_send(ctx, hosts->comm, &hosts->requests, rank, TY_COMM_TAG_REDUCE, data + at,
                            (size_t)count * sizeof *data));
    }
    return TY_OK;
}

static ty_status receive_floats(ty_ctx *ctx, ty_reduction_hosts *hosts, int rank, float *data,
                                int64_t n) {
    for (int64_t at = 0; at < n; at += MESSAGE_FLOATS) {
        int64_t count = n - at < MESSAGE_FLOATS ? n - at : MESSAGE_FLOATS;
        TY_TRY(ty_comm_receive(ctx, hosts->comm, &hosts->requests, rank, TY_COMM_TAG_REDUCE,
                               data + at, (size_t)count * sizeof *data));
    }
    return TY_OK;
}

/* The rank of node that talks for it to `rank` of another host: the work is dealt round. */
static int partner_on(const ty_comm *comm, int node, int rank) {
    int n_ranks = comm->node_first[node + 1] - comm->node_first[node];
    return comm->node_ranks[comm->node_first[node] + rank % n_ranks];
}

/* Whether this rank is the one that talks to `rank`. */
static bool is_partner(const ty_comm *comm, int rank) {
    return comm->peers[rank].node != comm->node && partner_on(comm, comm->node, rank) == comm->rank;
}

static const float *sum_of(const ty_reduction *reduction, const block *it) {
    if (it->sum < 0)
        return reduction->parts[it->first_local];
    return reduction->out + (1 + it->sum) * reduction->stride;
}

static float *staged(const ty_reduction_hosts *hosts, int block_index) {
    return hosts->staging + block_index * hosts->slice;
}

/* To every slice's owner elsewhere, what this host has of it; from everywhere, what belongs to this
 * rank's slice. */
static ty_status swap_sums(ty_ctx *ctx, const ty_reduction *reduction, ty_reduction_range own) {
    ty_reduction_hosts *hosts = reduction->hosts;
    const ty_comm *comm = hosts->comm;
    for (int i = 0; i < hosts->n_blocks; i++) {
        int node = hosts->blocks[i].node;
        if (node != comm->node)
            TY_TRY(receive_floats(ctx, hosts, partner_on(comm, node, comm->rank), staged(hosts, i),
                                  own.count));
    }
    for (int rank = 0; rank < comm->size; rank++) {
        ty_reduction_range slice = ty_reduction_share(reduction->n, rank, comm->size);
        for (int i = 0; i < hosts->n_blocks && is_partner(comm, rank); i++) {
            const block *it = &hosts->blocks[i];
            if (it->node == comm->node)
                TY_TRY(send_floats(ctx, hosts, rank, sum_of(reduction, it) + slice.first,
                                   slice.count));
        }
    }
    return TY_OK;
}

/* This rank's finished slice to all other hosts, and those of their ranks that this rank receives
 * for its own. */
static ty_status swap_results(ty_ctx *ctx, const ty_reduction *reduction, ty_reduction_range own) {
    ty_reduction_hosts *hosts = reduction->hosts;
    const ty_comm *comm = hosts->comm;
    for (int rank = 0; rank < comm->size; rank++) {
        ty_reduction_range slice = ty_reduction_share(reduction->n, rank, comm->size);
        if (is_partner(comm, rank))
            TY_TRY(receive_floats(ctx, hosts, rank, reduction->out + slice.first, slice.count));
    }
    for (int node = 0; node < comm->n_nodes; node++) {
        if (node != comm->node)
            TY_TRY(send_floats(ctx, hosts, partner_on(comm, node, comm->rank),
                               reduction->out + own.first, own.count));
    }
    return TY_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static void sum_own_blocks(ty_reduction *reduction) {
    const ty_reduction_hosts *hosts = reduction->hosts;
    const ty_comm *comm = hosts->comm;
    ty_reduction_range own = ty_reduction_share(reduction->n, comm->local_rank, comm->local_size);
    for (int i = 0; i < comm->local_size; i++)
        reduction->leaves[i] = reduction->parts[i] + own.first;
    for (int i = 0; i < hosts->n_blocks; i++) {
        const block *it = &hosts->blocks[i];
        if (it->sum >= 0)
            ty_sum_tree_run(&it->tree, reduction->leaves, own.count,
                            reduction->out + (1 + it->sum) * reduction->stride + own.first);
    }
}

static void finish_slice(ty_reduction *reduction, ty_reduction_range own) {
    const ty_reduction_hosts *hosts = reduction->hosts;
    for (int i = 0; i < hosts->n_blocks; i++) {
        const block *it = &hosts->blocks[i];
        hosts->leaves[i] =
            it->node == hosts->comm->node ? sum_of(reduction, it) + own.first : staged(hosts, i);
    }
    ty_sum_tree_run(&hosts->tree, hosts->leaves, own.count, reduction->out + own.first);
}

static ty_status talk(ty_ctx *ctx, ty_reduction *reduction, const ty_comm_call *call) {
    ty_reduction_hosts *hosts = reduction->hosts;
    ty_comm *comm = hosts->comm;
    ty_reduction_range own = ty_reduction_share(reduction->n, comm->rank, comm->size);
    ty_comm_patience patience = ty_comm_patience_for(comm, call);
    TY_TRY(swap_sums(ctx, reduction, own));
    TY_TRY(ty_comm_requests_wait(ctx, comm, &hosts->requests, &patience));
    finish_slice(reduction, own);
    patience = ty_comm_patience_for(comm, call);
    TY_TRY(swap_results(ctx, reduction, own));
    return ty_comm_requests_wait(ctx, comm, &hosts->requests, &patience);
}

ty_status ty_reduction_hosts_run(ty_ctx *ctx, ty_reduction *reduction) {
    ty_comm *comm = reduction->comm;
    ty_comm_call call = {
        .op = TY_COMM_REDUCE, .root = -1, .bytes = (uint64_t)reduction->n * sizeof(float)};
    TY_TRY(ty_comm_exchange(ctx, comm, &call, NULL, 0));
    sum_own_blocks(reduction);
    call.is_local = true;
    call.op = TY_COMM_REDUCE_PART;
    TY_TRY(ty_comm_exchange(ctx, comm, &call, NULL, 0));
    ty_status st = talk(ctx, reduction, &call);
    if (st != TY_OK)
        return ty_comm_break(ctx, comm, st);
    call.op = TY_COMM_REDUCE_END;
    return ty_comm_exchange(ctx, comm, &call, NULL, 0);
}
