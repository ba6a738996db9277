#include "trainer/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/comm_private.h"

_Static_assert((int)TY_DEVICES_HOST_BYTES == (int)TY_COMM_HOST_BYTES, "a host is named alike");

/* --- judging ---------------------------------------------------------------------------------- */

typedef struct pair {
    int a, b; /* ranks; a < 0: there is none */
} pair;

static bool is_gpu(const ty_devices_report *report) {
    return report->found.kind != TY_DEVICE_IS_CPU;
}

static int first_of(const ty_devices_report *reports, int n, bool has_gpu) {
    for (int rank = 0; rank < n; rank++) {
        if (is_gpu(&reports[rank]) == has_gpu)
            return rank;
    }
    return -1;
}

static ty_status check_kinds(ty_ctx *ctx, const ty_devices_report *reports, int n) {
    const int with = first_of(reports, n, true), without = first_of(reports, n, false);
    if (with < 0 || without < 0)
        return TY_OK;
    const ty_devices_report *a = &reports[with], *b = &reports[without];
    return ty_fail(ctx, TY_ERR_DEVICE,
                   "rank %d (%s) has no GPU where rank %d (%s) has %s: want one for every rank, or "
                   "device=\"cpu\": %.*s",
                   without, b->host, with, a->host, a->found.name,
                   (int)sizeof b->found.reason - 256, b->found.reason);
}

/* GPUs that nobody gave a number to (described ones) are not compared. */
static bool is_same_gpu(const ty_devices_report *a, const ty_devices_report *b) {
    static const uint8_t none[TY_DEVICE_UUID_BYTES] = {0};
    return is_gpu(a) && is_gpu(b) && a->node == b->node &&
           memcmp(a->found.uuid, none, sizeof none) != 0 &&
           memcmp(a->found.uuid, b->found.uuid, sizeof none) == 0;
}

static pair find_sharers(const ty_devices_report *reports, int n) {
    for (int b = 1; b < n; b++) {
        for (int a = 0; a < b; a++) {
            if (is_same_gpu(&reports[a], &reports[b]))
                return (pair){a, b};
        }
    }
    return (pair){-1, -1};
}

/* The most ranks that are on one GPU: they have its memory between them. */
static int most_sharers(const ty_devices_report *reports, int n) {
    int most = 1;
    for (int a = 0; a < n; a++) {
        int sharers = 1;
        for (int b = a + 1; b < n; b++)
            sharers += is_same_gpu(&reports[a], &reports[b]);
        most = sharers > most ? sharers : most;
    }
    return most;
}

static ty_status check_sharers(ty_ctx *ctx, const ty_devices_report *reports, pair sharers,
                               const ty_devices_wish *wish) {
    const ty_devices_report *it = &reports[sharers.a];
    if (!wish->shares_gpu)
        return ty_fail(
            ctx, TY_ERR_DEVICE,
            "ranks %d and %d are both on %s of %s (%s), and rank %d sees %d GPU%s: start "
            "no more ranks than GPUs there, or set train.share_gpu=true",
            sharers.a, sharers.b, it->found.name, it->host, it->found.model, sharers.a,
            it->found.n_devices, it->found.n_devices == 1 ? "" : "s");
    if (wish->collectives == TY_COLLECTIVES_NCCL)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "train.collectives is \"nccl\", which wants a GPU for each rank, but ranks "
                       "%d and %d share %s of %s: want \"auto\" or \"mpi\"",
                       sharers.a, sharers.b, it->found.name, it->host);
    return TY_OK;
}

static ty_status check_nccl_wish(ty_ctx *ctx, bool has_gpus, const ty_devices_wish *wish) {
    if (has_gpus || wish->collectives != TY_COLLECTIVES_NCCL)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "train.collectives is \"nccl\", which sums on GPUs, but the device is the cpu: "
                   "want \"auto\" or \"mpi\"");
}

ty_status ty_devices_judge(ty_ctx *ctx, const ty_devices_report *reports, int n_ranks,
                           const ty_devices_wish *wish, ty_devices *out) {
    out->is_staged = false;
    out->ranks_per_gpu = most_sharers(reports, n_ranks);
    out->sums[0] = '\0';
    TY_TRY(check_kinds(ctx, reports, n_ranks));
    const pair sharers = find_sharers(reports, n_ranks);
    if (sharers.a >= 0)
        TY_TRY(check_sharers(ctx, reports, sharers, wish));
    if (n_ranks == 1)
        return TY_OK;
    const bool has_gpus = is_gpu(&reports[0]);
    const bool is_asked_for = wish->collectives == TY_COLLECTIVES_MPI;
    TY_TRY(check_nccl_wish(ctx, has_gpus, wish));
    out->is_staged = has_gpus && (is_asked_for || sharers.a >= 0);
    if (!out->is_staged)
        (void)snprintf(out->sums, sizeof out->sums, "%s", has_gpus ? "nccl" : "mpi");
    else if (is_asked_for)
        (void)snprintf(out->sums, sizeof out->sums,
                       "mpi through host memory: train.collectives is \"mpi\"");
    else
        (void)snprintf(out->sums, sizeof out->sums,
                       "mpi through host memory: ranks %d and %d share a GPU, which NCCL can't",
                       sharers.a, sharers.b);
    return TY_OK;
}

/* --- choosing --------------------------------------------------------------------------------- */

static ty_status judge_all(ty_ctx *ctx, ty_comm *comm, const ty_devices_wish *wish,
                           const ty_devices_report *mine, ty_devices *out) {
    ty_devices_report *all = calloc((size_t)comm->size, sizeof *all);
    ty_status st = all ? TY_OK : ty_fail_nomem(ctx, "the table of devices");
    TY_TRY_GOTO(done, st, ty_comm_agree(ctx, comm, st));
    TY_TRY_GOTO(done, st, ty_comm_all_gather(ctx, comm, mine, sizeof *mine, all));
    st = ty_devices_judge(ctx, all, comm->size, wish, out);
done:
    free(all);
    return st;
}

ty_status ty_devices_choose(ty_ctx *ctx, ty_comm *comm, const ty_devices_wish *wish,
                            ty_devices *out) {
    const ty_comm_peer *self = &comm->peers[comm->rank];
    ty_devices_report mine;
    memset(&mine, 0, sizeof mine);
    memcpy(mine.host, self->host, sizeof mine.host);
    mine.node = self->node;
    TY_TRY(ty_comm_agree(ctx, comm, ty_device_find(ctx, &wish->device, &mine.found)));
    out->found = mine.found;
    return judge_all(ctx, comm, wish, &mine, out);
}
