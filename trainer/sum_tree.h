/* Sums of f32 vectors in the order of a fixed binary tree, so that the bits do not depend on who
 * adds. The tree over places 0..n-1 is (((0+1)+(2+3))+...) with n rounded up to a power of two;
 * places >= n are left out, and a half without places adds nothing. */
#ifndef TY_TRAINER_SUM_TREE_H
#define TY_TRAINER_SUM_TREE_H

#include <stdint.h>

#include "base/base.h"

typedef struct ty_sum_tree_node {
    int leaf; /* -1: the sum of left and right */
    int left, right;
} ty_sum_tree_node;

typedef struct ty_sum_tree {
    ty_sum_tree_node *nodes;
    int count, root;
    float *scratch; /* of one chunk for each level */
} ty_sum_tree;

/* The leaf that stands for the whole subtree over places [first, first + width), or -1 where it is
 * to be split. Asked from the root down and left to right; always has an answer for width 1. */
typedef int (*ty_sum_tree_leaf_fn)(void *self, int first, int width);

/* Builds the tree over n >= 1 places. Errors: TY_ERR_NOMEM. */
ty_status ty_sum_tree_init(ty_ctx *ctx, ty_sum_tree *tree, int n, ty_sum_tree_leaf_fn leaf_of,
                           void *self) TY_MUST_USE;
void ty_sum_tree_clear(ty_sum_tree *tree);

/* out[i] = the tree's sum of leaves[leaf][i], i < n. out overlaps no leaf. */
void ty_sum_tree_run(const ty_sum_tree *tree, const float *const *leaves, int64_t n, float *out);

#endif
