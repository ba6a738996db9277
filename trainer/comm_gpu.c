/* Waiting for GPUs. What is queued on a GPU cannot be interrupted by a peer's absence, and NCCL finds
 * out slowly or never that a rank is gone; so ranks never block in the driver or in NCCL, but poll
 * them and look after each other meanwhile, and abort NCCL's work when somebody failed. */
#include <string.h>

#include "trainer/comm_private.h"

/* --- failing together ------------------------------------------------------------------------- */

static ty_status break_for_all(ty_ctx *ctx, ty_comm *comm, ty_status st) {
    st = ty_comm_break(ctx, comm, st);
    ty_comm_hosts_tell(ctx, comm);
    return st;
}

ty_status ty_comm_fail_alone(ty_ctx *ctx, ty_comm *comm, ty_status st) {
    char own[TY_MESSAGE_BYTES];
    memcpy(own, ctx->message, sizeof own);
    if (comm->size > 1)
        st = ty_fail(ctx, st, "rank %d (%s): %.*s", comm->rank, comm->peers[comm->rank].host,
                     (int)sizeof own - 64, own);
    return break_for_all(ctx, comm, st);
}

/* One pause in a wait for GPUs: whoever is gone or told of a failure ends it. */
static ty_status pause_for_gpus(ty_ctx *ctx, ty_comm *comm, ty_comm_patience *patience) {
    ty_status st = ty_comm_hosts_hear(ctx, comm);
    if (st == TY_OK)
        st = ty_comm_patience_pause(ctx, comm, patience);
    return st == TY_OK ? TY_OK : break_for_all(ctx, comm, st);
}

/* NCCL sees a connection end before anybody sees whose process did: for a moment the culprit is
 * looked for, then this rank tells what NCCL told it. */
static ty_status blame(ty_ctx *ctx, ty_comm *comm, const ty_comm_call *call, ty_status st) {
    char own[TY_MESSAGE_BYTES];
    memcpy(own, ctx->message, sizeof own);
    ty_comm_patience patience = ty_comm_patience_for_gpus(comm, call, false);
    while (patience.waited_ns < (int64_t)TY_COMM_GRACE_MS * 1000000)
        TY_TRY(pause_for_gpus(ctx, comm, &patience));
    memcpy(ctx->message, own, sizeof own);
    return ty_comm_fail_alone(ctx, comm, st);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* One look at what is waited for; dev or clique may be NULL. */
static ty_status look(ty_ctx *ctx, ty_device *dev, ty_clique *clique, bool *is_done) {
    bool is_idle = true, is_ready = true;
    if (clique) /* first: what it still queues, the device has not seen */
        TY_TRY(ty_clique_poll(ctx, clique, &is_ready));
    if (dev)
        TY_TRY(ty_device_poll(ctx, dev, &is_idle));
    *is_done = is_idle && is_ready;
    return TY_OK;
}

static ty_status wait_together(ty_ctx *ctx, ty_comm *comm, ty_comm_op op, ty_device *dev,
                               ty_clique *clique) {
    const ty_comm_call call = {.op = op, .root = -1};
    ty_comm_patience patience = ty_comm_patience_for_gpus(comm, &call, true);
    for (bool is_done = false;;) {
        const ty_status st = look(ctx, dev, clique, &is_done);
        if (st != TY_OK)
            return blame(ctx, comm, &call, st);
        if (is_done)
            return TY_OK;
        TY_TRY(pause_for_gpus(ctx, comm, &patience));
    }
}

ty_status ty_comm_clique_settle(ty_ctx *ctx, ty_comm *comm, ty_clique *clique) {
    return wait_together(ctx, comm, TY_COMM_GPU_WORK, NULL, clique);
}

ty_status ty_comm_clique_wait(ty_ctx *ctx, ty_comm *comm, ty_device *dev, ty_clique *clique) {
    return wait_together(ctx, comm, TY_COMM_GPU_WORK, dev, clique);
}

ty_status ty_comm_wait_device(ty_ctx *ctx, ty_comm *comm, ty_device *dev) {
    const ty_comm_call call = {.op = TY_COMM_GPU_WORK, .root = -1};
    ty_comm_patience patience = ty_comm_patience_for_gpus(comm, &call, false);
    if (comm->size == 1)
        return ty_device_sync(ctx, dev);
    for (bool is_done = false;;) {
        TY_TRY(look(ctx, dev, NULL, &is_done));
        if (is_done)
            return TY_OK;
        TY_TRY(pause_for_gpus(ctx, comm, &patience));
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static ty_status share_id(ty_ctx *ctx, ty_comm *comm, ty_device *dev,
                          uint8_t id[TY_CLIQUE_ID_BYTES]) {
    memset(id, 0, TY_CLIQUE_ID_BYTES);
    const ty_status st = comm->rank == 0 ? ty_clique_new_id(ctx, dev, id) : TY_OK;
    TY_TRY(ty_comm_agree(ctx, comm, st));
    return ty_comm_broadcast(ctx, comm, 0, id, TY_CLIQUE_ID_BYTES);
}

ty_status ty_comm_clique_open(ty_ctx *ctx, ty_comm *comm, ty_device *dev, ty_clique **out) {
    uint8_t id[TY_CLIQUE_ID_BYTES];
    ty_clique *clique = NULL;
    TY_TRY(share_id(ctx, comm, dev, id));
    ty_status st = ty_clique_open(ctx, dev, id, comm->rank, comm->size, &clique);
    st = ty_comm_agree(ctx, comm, st);
    if (st == TY_OK)
        st = wait_together(ctx, comm, TY_COMM_CONNECT_GPUS, NULL, clique);
    if (st != TY_OK) {
        ty_clique_abort(clique);
        return st;
    }
    *out = clique;
    return TY_OK;
}
