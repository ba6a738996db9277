/* Cliques over NCCL: one communicator each, all of its work on the COMM stream.
 *
 * The communicator never blocks: a call may come back while a thread of NCCL is still connecting or
 * launching for it (ncclInProgress), and nothing may follow it, on the communicator or on the
 * stream, until poll says so. That is the caller's to wait for, because only the caller sees when
 * a peer is gone. */
#include "kernels/cuda/nccl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cuda/vendor.h"

_Static_assert(NCCL_UNIQUE_ID_BYTES == TY_CLIQUE_ID_BYTES, "an id is NCCL's");

typedef struct clique {
    ty_clique base; /* first */
    const ty_vendor_nccl *nccl;
    ncclComm_t comm;
} clique;

static clique *clique_of(ty_clique *base) {
    return (clique *)base;
}

static cudaStream_t stream_of(const clique *it) {
    return ty_cuda_of(it->base.dev)->streams[TY_QUEUE_COMM];
}

/* --- errors ----------------------------------------------------------------------------------- */

static bool is_failure(ncclResult_t result) {
    return result != ncclSuccess && result != ncclInProgress;
}

/* Of what a call answered; comm may be NULL. NCCL's own words about the last failure say more than
 * its code, up to the end of their first line. */
static ty_status check(ty_ctx *ctx, const ty_vendor_nccl *nccl, ncclComm_t comm,
                       ncclResult_t result, const char *what) {
    ty_cuda_forget_error();
    if (!is_failure(result))
        return TY_OK;
    const char *details = nccl->ncclGetLastError(comm);
    details = details ? details : "";
    const int length = (int)strcspn(details, "\n");
    return ty_fail(ctx, TY_ERR_COMM, "%s: %s%s%.*s", what, nccl->ncclGetErrorString(result),
                   length ? ": " : "", length, details);
}

static ty_status called(ty_ctx *ctx, const clique *it, ncclResult_t result, const char *what) {
    return check(ctx, it->nccl, it->comm, result, what);
}

/* --- from the first byte of the id to being connected ------------------------------------------ */

static ty_status new_id(ty_ctx *ctx, ty_device *dev, uint8_t id[TY_CLIQUE_ID_BYTES]) {
    TY_TRY(ty_cuda_want_nccl(ctx, ty_cuda_of(dev)));
    const ty_vendor_nccl *nccl = ty_cuda_of(dev)->nccl;
    ncclUniqueId unique;
    TY_TRY(check(ctx, nccl, NULL, nccl->ncclGetUniqueId(&unique), "making NCCL's id"));
    memcpy(id, unique.internal, sizeof unique.internal);
    return TY_OK;
}

/* The variable outranks the configuration that is handed over. */
static ty_status refuse_blocking(ty_ctx *ctx) {
    const char *asked = ctx->getenv("NCCL_COMM_BLOCKING");
    if (!asked || strcmp(asked, "0") == 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DEVICE,
                   "NCCL_COMM_BLOCKING is \"%s\": ranks would block inside NCCL, where no deadline "
                   "reaches them; unset it",
                   asked);
}

static ty_status begin(ty_ctx *ctx, clique *it, const uint8_t id[TY_CLIQUE_ID_BYTES]) {
    ncclUniqueId unique;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    memcpy(unique.internal, id, sizeof unique.internal);
    const ncclResult_t result =
        it->nccl->ncclCommInitRankConfig(&it->comm, it->base.size, unique, it->base.rank, &config);
    return called(ctx, it, result, "connecting GPUs by NCCL");
}

static ty_status open_clique(ty_ctx *ctx, ty_device *dev, const uint8_t id[TY_CLIQUE_ID_BYTES],
                             int rank, int size, ty_clique **out) {
    if (size < 1 || size > TY_CLIQUE_MOST_RANKS)
        return ty_fail(ctx, TY_ERR_ARG, "connecting %d GPUs by NCCL, want 1 to %d", size,
                       TY_CLIQUE_MOST_RANKS);
    TY_TRY(refuse_blocking(ctx));
    TY_TRY(ty_cuda_want_nccl(ctx, ty_cuda_of(dev)));
    clique *it = calloc(1, sizeof *it);
    if (!it)
        return ty_fail_nomem(ctx, "a clique of GPUs");
    *it = (clique){.base = {.dev = dev, .rank = rank, .size = size}, .nccl = ty_cuda_of(dev)->nccl};
    const ty_status st = begin(ctx, it, id);
    if (st != TY_OK) {
        ty_clique_cuda.abort(&it->base);
        return st;
    }
    *out = &it->base;
    return TY_OK;
}

static ty_status poll_clique(ty_ctx *ctx, ty_clique *base, bool *is_ready) {
    const clique *it = clique_of(base);
    ncclResult_t state = ncclSuccess;
    TY_TRY(called(ctx, it, it->nccl->ncclCommGetAsyncError(it->comm, &state), "asking NCCL"));
    *is_ready = state == ncclSuccess;
    return called(ctx, it, state, "NCCL");
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void abort_clique(ty_clique *base) {
    clique *it = clique_of(base);
    if (it->comm)
        (void)it->nccl->ncclCommAbort(it->comm);
    ty_cuda_forget_error();
    free(it);
}

/* Counted in pauses and not by a clock: a suspended job must not wake up to an abort. */
enum { CLOSE_PAUSE_MS = 1, CLOSE_PAUSES = 5000 };

/* Whether all ranks came to the end of what was queued. */
static bool is_finalized(const clique *it) {
    const struct timespec pause = {.tv_nsec = CLOSE_PAUSE_MS * 1000000};
    ncclResult_t state = it->nccl->ncclCommFinalize(it->comm);
    for (int i = 0; i < CLOSE_PAUSES && state == ncclInProgress; i++) {
        if (it->nccl->ncclCommGetAsyncError(it->comm, &state) != ncclSuccess)
            return false;
        if (state == ncclInProgress)
            (void)nanosleep(&pause, NULL);
    }
    return state == ncclSuccess;
}

static void close_clique(ty_clique *base) {
    clique *it = clique_of(base);
    if (!is_finalized(it)) {
        abort_clique(base);
        return;
    }
    (void)it->nccl->ncclCommDestroy(it->comm);
    ty_cuda_forget_error();
    free(it);
}

/* --- work ------------------------------------------------------------------------------------- */

static ty_status all_reduce(ty_ctx *ctx, ty_clique *base, float *x, int64_t n) {
    const clique *it = clique_of(base);
    return called(
        ctx, it,
        it->nccl->ncclAllReduce(x, x, (size_t)n, ncclFloat, ncclSum, it->comm, stream_of(it)),
        "all-reduce by NCCL");
}

/* Keeps the first failure: the group has to be ended whatever happened in it. */
static void keep(ncclResult_t *first, ncclResult_t result) {
    if (!is_failure(*first))
        *first = result;
}

static ty_status all_to_all(ty_ctx *ctx, ty_clique *base, const float *from, float *to,
                            int64_t slice) {
    const clique *it = clique_of(base);
    const ty_vendor_nccl *nccl = it->nccl;
    ncclResult_t result = nccl->ncclGroupStart();
    TY_TRY(called(ctx, it, result, "all-to-all by NCCL"));
    for (int rank = 0; rank < base->size; rank++) {
        const int64_t at = rank * slice;
        keep(&result,
             nccl->ncclSend(from + at, (size_t)slice, ncclFloat, rank, it->comm, stream_of(it)));
        keep(&result,
             nccl->ncclRecv(to + at, (size_t)slice, ncclFloat, rank, it->comm, stream_of(it)));
    }
    keep(&result, nccl->ncclGroupEnd());
    return called(ctx, it, result, "all-to-all by NCCL");
}

static ty_status all_gather(ty_ctx *ctx, ty_clique *base, float *x, int64_t slice) {
    const clique *it = clique_of(base);
    return called(ctx, it,
                  it->nccl->ncclAllGather(x + base->rank * slice, x, (size_t)slice, ncclFloat,
                                          it->comm, stream_of(it)),
                  "all-gather by NCCL");
}

const ty_clique_table ty_clique_cuda = {.new_id = new_id,
                                        .open = open_clique,
                                        .poll = poll_clique,
                                        .abort = abort_clique,
                                        .close = close_clique,
                                        .all_reduce = all_reduce,
                                        .all_to_all = all_to_all,
                                        .all_gather = all_gather,
                                        .sum_slices = ty_clique_sum_slices_cuda};
