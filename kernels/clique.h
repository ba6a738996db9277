/* GPUs that sum together: one process each, NCCL underneath. Only devices that work on queues have it
 * (ty_device_has_cliques); the CPU's ranks talk through trainer/comm. All work is queued on
 * TY_QUEUE_COMM; the caller orders it against COMPUTE by ty_device_order. Every rank makes the same
 * calls in the same order. NCCL alone finds out slowly, or never, that a rank is gone: the caller
 * waits by polling, looks after its peers meanwhile, and aborts. */
#ifndef TY_KERNELS_CLIQUE_H
#define TY_KERNELS_CLIQUE_H

#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_clique ty_clique;

enum { TY_CLIQUE_ID_BYTES = 128 };

bool ty_device_has_cliques(const ty_device *dev);

/* Makes the bytes that rank 0 gives to all the others. Loads NCCL.
 * Errors: TY_ERR_DEVICE NCCL is missing or of another major version. */
ty_status ty_clique_new_id(ty_ctx *ctx, ty_device *dev, uint8_t id[TY_CLIQUE_ID_BYTES]) TY_MUST_USE;

/* Begins to connect and returns at once; the clique is usable when poll says so. *out is the
 * caller's to close. */
ty_status ty_clique_open(ty_ctx *ctx, ty_device *dev, const uint8_t id[TY_CLIQUE_ID_BYTES],
                         int rank, int size, ty_clique **out) TY_MUST_USE;

/* How things stand: *is_ready once all ranks are connected and all that was called so far is queued.
 * Nothing may be called or queued after a call below before it says so: NCCL connects and launches
 * in a thread of its own, which may have to wait for other ranks.
 * Errors: TY_ERR_COMM what NCCL says went wrong since. */
ty_status ty_clique_poll(ty_ctx *ctx, ty_clique *clique, bool *is_ready) TY_MUST_USE;

/* After a failure: gives up what is queued, on this rank alone; frees the clique. */
void ty_clique_abort(ty_clique *clique);
/* In order, when everybody's work is done. Accepts NULL. */
void ty_clique_close(ty_clique *clique);

/* x[0..n) = the sum of everybody's, in an order that NCCL chooses. */
ty_status ty_clique_all_reduce(ty_ctx *ctx, ty_clique *clique, float *x, int64_t n) TY_MUST_USE;

/* For the three calls below slice is a multiple of 4, memory is aligned to 16 bytes.
 * to[r * slice ...] of this rank = from[this rank * slice ...] of rank r. from and to hold size *
 * slice floats. */
ty_status ty_clique_all_to_all(ty_ctx *ctx, ty_clique *clique, const float *from, float *to,
                               int64_t slice) TY_MUST_USE;

/* x[r * slice ...] = rank r's, for all r; in place. */
ty_status ty_clique_all_gather(ty_ctx *ctx, ty_clique *clique, float *x, int64_t slice) TY_MUST_USE;

/* to[i] = the sum over r of parts[r * slice + i], i < slice, in the fixed tree over ranks
 * ((0+1)+(2+3))+...: the order of ty_comm_sum. Queued on COMM. to overlaps no part. */
ty_status ty_clique_sum_slices(ty_ctx *ctx, ty_clique *clique, const float *parts, float *to,
                               int64_t slice) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
