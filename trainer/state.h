/* What training changes, as flat buffers under one table of segments: parameters, running
 * statistics, optimizer state. */
#ifndef TY_TRAINER_STATE_H
#define TY_TRAINER_STATE_H

#include "trainer/checkpoint.h"
#include "trainer/config.h"
#include "trainer/graph.h"
#include "trainer/optimizers/optimizers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One set of the buffers. */
typedef struct ty_state_buffers {
    float *params, *stats;
    float *slots[TY_OPTIMIZER_MAX_SLOTS];
} ty_state_buffers;

typedef struct ty_state {
    const ty_graph *graph; /* borrowed: its segments */
    ty_device *dev;        /* borrowed */
    float *params, *stats;
    float *slots[TY_OPTIMIZER_MAX_SLOTS];
    void *params_bf16;     /* the copy that matrix products read; NULL: they read params */
    ty_state_buffers host; /* what files and other ranks see: on the CPU the same memory */
    const char *const *slot_names;
    int n_slots;
} ty_state;

/* Allocates the buffers, zeroed; optimizer NULL: none of its own (evaluation). */
ty_status ty_state_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph,
                        const ty_variant *optimizer, ty_state *out) TY_MUST_USE;
void ty_state_close(ty_state *state); /* accepts a zeroed one */

/* Brings the host's buffers up to date with the device's, and the other way round. Both wait. */
ty_status ty_state_fetch(ty_ctx *ctx, ty_state *state) TY_MUST_USE;
ty_status ty_state_send(ty_ctx *ctx, ty_state *state) TY_MUST_USE;

/* Queues the refreshing of params_bf16, where there is one. */
ty_status ty_state_round(ty_ctx *ctx, ty_state *state) TY_MUST_USE;

/* Fills parameters and statistics by their initialisers, each element from (seed, segment,
 * element). */
ty_status ty_state_initialise(ty_ctx *ctx, ty_state *state, uint64_t seed) TY_MUST_USE;

/* XXH3 of all parameters of the host's buffers, padding left out. */
uint64_t ty_state_hash(const ty_state *state);

/* The host's buffers as named tensors: "model/<segment>", "optimizer/<slot>/<segment>". data points
 * into them; the table and names are in arena. */
ty_status ty_state_tensors(ty_ctx *ctx, const ty_state *state, ty_arena *arena,
                           ty_ckpt_tensor **out, int64_t *out_n) TY_MUST_USE;

/* Copies every tensor of the state out of a checkpoint's content into the host's buffers. model_only:
 * parameters and statistics.
 * Errors: TY_ERR_CONFIG naming a tensor that the content lacks or has in another shape. */
ty_status ty_state_load(ty_ctx *ctx, ty_state *state, const ty_checkpoint *content,
                        bool model_only) TY_MUST_USE;

/* Cuts segments at multiples of 16 elements into n equal ranges of the flat buffer; writes the i-th
 * range's segments to out (room for n_segments) and answers how many. */
int64_t ty_state_cut(const ty_segment *segments, int64_t n_segments, int64_t elements, int i, int n,
                     ty_segment *out);

#ifdef __cplusplus
}
#endif
#endif
