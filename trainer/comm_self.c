/* A world of one rank: nobody to wait for, no MPI call. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trainer/comm_private.h"

static ty_status exchange(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, const void *mine,
                          size_t bytes) {
    (void)ctx;
    (void)call;
    comm->seq++;
    if (bytes)
        memcpy(comm->own_part, mine, bytes);
    return TY_OK;
}

static const void *part(const ty_comm *comm, int rank) {
    (void)rank;
    return comm->own_part;
}

/* With one rank the caller's own exit ends the job. */
static void do_not_abort(ty_comm *comm, int exit_code) {
    (void)comm;
    (void)exit_code;
}

static ty_status split(ty_ctx *ctx, ty_comm *comm, int group, ty_comm **out) {
    (void)comm;
    if (group < 0)
        return TY_OK;
    TY_TRY(ty_comm_self_open(ctx, NULL, out));
    (*out)->is_group = true;
    return TY_OK;
}

static const struct ty_comm_kind self_kind = {.name = "self",
                                              .exchange = exchange,
                                              .part = part,
                                              .close = ty_comm_free,
                                              .abort = do_not_abort,
                                              .split = split};

ty_status ty_comm_self_open(ty_ctx *ctx, const ty_comm_options *options, ty_comm **out) {
    (void)options;
    ty_comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        return ty_fail_nomem(ctx, "the comm");
    *comm = (ty_comm){.kind = &self_kind, .size = 1, .local_size = 1, .host_size = 1, .n_nodes = 1};
    ty_ctx_init_child(&comm->ctx, ctx);
    comm->peers = calloc(1, sizeof *comm->peers);
    comm->node_first = calloc(2, sizeof *comm->node_first);
    comm->node_ranks = calloc(1, sizeof *comm->node_ranks);
    comm->own_part = malloc(TY_COMM_PART_BYTES);
    if (!comm->own_part || !comm->peers || !comm->node_first || !comm->node_ranks) {
        ty_comm_free(comm);
        return ty_fail_nomem(ctx, "the comm");
    }
    comm->node_first[1] = 1;
    comm->locals = comm->node_ranks;
    (void)gethostname(comm->peers[0].host, sizeof comm->peers[0].host - 1);
    *out = comm;
    return TY_OK;
}
