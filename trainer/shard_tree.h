/* The sum of a rank's shards in a fixed binary tree. The tree is by index: a range of shards is the
 * sum of its first half and its second half, whoever computed them and whenever. With a
 * power-of-two number of ranks, each holding an equal range, the ranks' ranges are themselves nodes
 * of the tree over all shards, so ranks and lanes change no bit.
 *
 *            0..7
 *        0..3    4..7      <- 2 ranks: each computes one of these, ty_reduction adds them
 *      0-1 2-3  4-5 6-7    <- 4 ranks
 *
 * Few buffers are needed: shards are handed out in order, and a finished prefix is at most one
 * partial sum per level. */
#ifndef TY_TRAINER_SHARD_TREE_H
#define TY_TRAINER_SHARD_TREE_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_shard_tree ty_shard_tree;

/* How many buffers of n floats a tree uses, the root included. */
int ty_shard_tree_buffers(int n_leaves, int n_lanes);

/* buffers: ty_shard_tree_buffers of them, borrowed, n floats each; the sum is left in
 * buffers[0]. */
ty_status ty_shard_tree_open(ty_ctx *ctx, int n_leaves, int n_lanes, float *const *buffers,
                             int64_t n, ty_shard_tree **out) TY_MUST_USE;
void ty_shard_tree_close(ty_shard_tree *tree); /* accepts NULL */

/* Starts over: all leaves are to be computed. Called while no lane is inside. */
void ty_shard_tree_begin(ty_shard_tree *tree);

/* Hands the calling lane the next leaf and a buffer to fill, waiting until one is free. False: no
 * leaf is left, or a lane failed. Any thread. */
bool ty_shard_tree_take(ty_shard_tree *tree, int *leaf, float **buffer);

/* The leaf is computed; adds up whatever it completes, on the calling lane's device. Any thread. */
ty_status ty_shard_tree_give(ty_ctx *ctx, ty_device *dev, ty_shard_tree *tree,
                             int leaf) TY_MUST_USE;

/* No more leaves are handed out; waiting lanes leave. Any thread. */
void ty_shard_tree_fail(ty_shard_tree *tree);

/* The same tree over small rows of doubles on the host: out[k] = sum over leaves of rows[leaf *
 * width + k]. */
void ty_shard_tree_sum(const double *rows, int n_leaves, int width, double *out);

#ifdef __cplusplus
}
#endif
#endif
