/* Which device each rank computes on. Ranks look for themselves, then judge everybody's answer
 * together, so that a job runs on GPUs or on CPUs, with one GPU a rank, or not at all. */
#ifndef TY_TRAINER_DEVICES_H
#define TY_TRAINER_DEVICES_H

#include "kernels/kernels.h"
#include "trainer/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Config train.collectives. */
enum { TY_COLLECTIVES_AUTO, TY_COLLECTIVES_NCCL, TY_COLLECTIVES_MPI };

enum { TY_DEVICES_HOST_BYTES = 96, TY_DEVICES_SUMS_BYTES = 160 };

typedef struct ty_devices {
    ty_device_found found; /* this rank's: what to open */
    bool is_staged;    /* GPUs are summed over ranks through host memory (ty_reduction_options) */
    int ranks_per_gpu; /* the most that share one; at least 1 */
    char sums
        [TY_DEVICES_SUMS_BYTES]; /* how ranks are summed, for people: "nccl", "mpi", "mpi through
                                         host memory: ..."; empty with one rank */
} ty_devices;

/* What is asked of all ranks alike. */
typedef struct ty_devices_wish {
    ty_device_options device; /* local_rank is this rank's */
    bool shares_gpu;          /* config train.share_gpu: ranks of one host may have one GPU */
    int collectives;          /* TY_COLLECTIVES_* */
} ty_devices_wish;

/* Collective; the same answer but found on all ranks.
 * Errors: TY_ERR_DEVICE naming the rank that lacks what the others have, the ranks that are on one
 * GPU, or the first rank whose device can't be had; TY_ERR_CONFIG wishes that contradict each
 * other. */
ty_status ty_devices_choose(ty_ctx *ctx, ty_comm *comm, const ty_devices_wish *wish,
                            ty_devices *out) TY_MUST_USE;

/* What one rank found, as the others see it. */
typedef struct ty_devices_report {
    ty_device_found found;
    char host[TY_DEVICES_HOST_BYTES];
    int64_t node; /* ranks with the same number share a host */
} ty_devices_report;

/* The judgement alone, over reports[n_ranks] in rank order; fills out but found. */
ty_status ty_devices_judge(ty_ctx *ctx, const ty_devices_report *reports, int n_ranks,
                           const ty_devices_wish *wish, ty_devices *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
