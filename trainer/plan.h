/* A graph laid out on a device: every op prepared, every value at an offset of one arena, two
 * linear arrays of steps. Nothing is allocated or decided once it runs. One plan belongs to one
 * lane; calls on the lane's thread.
 *
 *   time      0 .. N-1: forward of node i         2N-1-i: backward of node i
 *   a value   lives from its forward to its last reader (forward or backward)
 *   gradient  lives from the first call that writes it to its producer's backward */
#ifndef TY_TRAINER_PLAN_H
#define TY_TRAINER_PLAN_H

#include "trainer/graph.h"
#include "trainer/lifetimes.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef ty_status ty_step_run(ty_ctx *ctx, ty_device *dev, const ty_op_args *args);

typedef struct ty_step {
    ty_step_run *run;
    const ty_op_args *args;
} ty_step;

typedef struct ty_plan {
    const ty_graph *graph; /* borrowed */
    ty_device *dev;        /* borrowed */
    ty_op_args *calls;     /* one per node */
    ty_step *forward, *backward;
    int n_forward, n_backward;
    ty_tensor *values, *gradients; /* one per value of the graph; data NULL: there is none */
    ty_lifetime *items;            /* what lies in the arena */
    int n_items;
    size_t arena_bytes;
    int64_t *sample_ids; /* in the arena, [rows] */
    ty_op_env env;
} ty_plan;

/* Prepares every call in order, so that layouts flow from producer to reader, and plans the arena.
 * The training graph of a plan is differentiated; an evaluation graph runs forward only.
 * Errors: TY_ERR_DEVICE, TY_ERR_NOMEM. */
ty_status ty_plan_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph,
                       ty_plan *out) TY_MUST_USE;
void ty_plan_close(ty_plan *plan); /* accepts a zeroed plan */

/* The flat buffers a plan reads; params_bf16 may be NULL where no call asks for it. */
typedef struct ty_plan_buffers {
    float *params, *stats;
    void *params_bf16;
} ty_plan_buffers;

/* Binds every pointer but the gradients'. arena has arena_bytes. */
void ty_plan_bind(ty_plan *plan, void *arena, const ty_plan_buffers *buffers);

/* Points parameter gradients and batch statistics at one flat buffer: [params_count gradients,
 * stats_count statistics]. */
void ty_plan_bind_gradients(ty_plan *plan, float *gradients);

/* Queue the steps of one pass, on the lane's thread; done after the next ty_device_sync. Backward
 * follows a forward of the same shard and ADDS to parameter gradients. */
ty_status ty_plan_forward(ty_ctx *ctx, const ty_plan *plan) TY_MUST_USE;
ty_status ty_plan_backward(ty_ctx *ctx, const ty_plan *plan) TY_MUST_USE;

/* One step of the backward pass, 0 <= step < n_backward in order, for those who start something in
 * between. *out_count elements of the flat gradient buffer from *out_first on are then complete
 * (padding included), 0 where the step has no parameters. */
ty_status ty_plan_backward_step(ty_ctx *ctx, const ty_plan *plan, int step, int64_t *out_first,
                                int64_t *out_count) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
