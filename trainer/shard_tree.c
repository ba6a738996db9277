/* Nodes are numbered with the leaves first. Whoever finishes the second child of a node adds the
 * two. */
#include "trainer/shard_tree.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct tree_node {
    int parent, sibling; /* -1 for the root */
    bool is_left, is_done;
    int buffer;
} tree_node;

struct ty_shard_tree {
    int n_leaves, n_nodes, n_buffers;
    int64_t n;
    float **buffers;
    tree_node *nodes;
    pthread_mutex_t lock;
    pthread_cond_t has_free;
    int next_leaf;
    int *free_buffers, n_free;
    bool has_failed;
};

static int depth_of(int n_leaves) {
    int depth = 0;
    while ((1 << depth) < n_leaves)
        depth++;
    return depth;
}

int ty_shard_tree_buffers(int n_leaves, int n_lanes) {
    const int wanted = n_lanes + depth_of(n_leaves);
    return wanted < n_leaves ? wanted : n_leaves;
}

/* Links the nodes over leaves [from, to) and answers the one on top. */
static int link_range(ty_shard_tree *tree, int from, int to) {
    if (to - from == 1)
        return from;
    const int middle = from + (to - from) / 2;
    const int left = link_range(tree, from, middle), right = link_range(tree, middle, to);
    const int top = tree->n_nodes++;
    tree->nodes[top] = (tree_node){.parent = -1, .sibling = -1};
    tree->nodes[left] = (tree_node){.parent = top, .sibling = right, .is_left = true};
    tree->nodes[right] = (tree_node){.parent = top, .sibling = left};
    return top;
}

ty_status ty_shard_tree_open(ty_ctx *ctx, int n_leaves, int n_lanes, float *const *buffers,
                             int64_t n, ty_shard_tree **out) {
    ty_shard_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return ty_fail_nomem(ctx, "the reduction tree");
    *tree = (ty_shard_tree){.n_leaves = n_leaves, .n_nodes = n_leaves, .n = n};
    tree->n_buffers = ty_shard_tree_buffers(n_leaves, n_lanes);
    tree->nodes = calloc((size_t)n_leaves * 2, sizeof *tree->nodes);
    tree->buffers = calloc((size_t)tree->n_buffers, sizeof *tree->buffers);
    tree->free_buffers = calloc((size_t)tree->n_buffers, sizeof *tree->free_buffers);
    pthread_mutex_init(&tree->lock, NULL);
    pthread_cond_init(&tree->has_free, NULL);
    if (!tree->nodes || !tree->buffers || !tree->free_buffers) {
        ty_shard_tree_close(tree);
        return ty_fail_nomem(ctx, "the reduction tree");
    }
    for (int i = 0; i < tree->n_buffers; i++)
        tree->buffers[i] = buffers[i];
    tree->nodes[0] = (tree_node){.parent = -1, .sibling = -1};
    (void)link_range(tree, 0, n_leaves);
    ty_shard_tree_begin(tree);
    *out = tree;
    return TY_OK;
}

void ty_shard_tree_close(ty_shard_tree *tree) {
    if (!tree)
        return;
    pthread_cond_destroy(&tree->has_free);
    pthread_mutex_destroy(&tree->lock);
    free(tree->nodes);
    free(tree->buffers);
    free(tree->free_buffers);
    free(tree);
}

void ty_shard_tree_begin(ty_shard_tree *tree) {
    tree->next_leaf = 0;
    tree->has_failed = false;
    for (int i = 0; i < tree->n_nodes; i++)
        tree->nodes[i].is_done = false;
    tree->n_free = 0;
    for (int i = tree->n_buffers - 1; i >= 0; i--)
        tree->free_buffers[tree->n_free++] =
            i; /* buffer 0 is taken first: the sum of one leaf is in place */
}

bool ty_shard_tree_take(ty_shard_tree *tree, int *leaf, float **buffer) {
    pthread_mutex_lock(&tree->lock);
    while (!tree->has_failed && tree->next_leaf < tree->n_leaves && tree->n_free == 0)
        pthread_cond_wait(&tree->has_free, &tree->lock);
    const bool has_leaf = !tree->has_failed && tree->next_leaf < tree->n_leaves;
    if (has_leaf) {
        *leaf = tree->next_leaf++;
        tree->nodes[*leaf].buffer = tree->free_buffers[--tree->n_free];
        *buffer = tree->buffers[tree->nodes[*leaf].buffer];
    }
    pthread_mutex_unlock(&tree->lock);
    return has_leaf;
}

/* Marks node done; answers its parent where the sibling is done too, else -1. */
static int complete(ty_shard_tree *tree, int node) {
    pthread_mutex_lock(&tree->lock);
    tree->nodes[node].is_done = true;
    const int sibling = tree->nodes[node].sibling;
    const bool has_both = sibling >= 0 && tree->nodes[sibling].is_done;
    const int parent = has_both ? tree->nodes[node].parent : -1;
    pthread_mutex_unlock(&tree->lock);
    return parent;
}

static void give_back(ty_shard_tree *tree, int buffer) {
    pthread_mutex_lock(&tree->lock);
    tree->free_buffers[tree->n_free++] = buffer;
    pthread_cond_broadcast(&tree->has_free);
    pthread_mutex_unlock(&tree->lock);
}

/* Nobody waits for the sum: on the CPU it is done, and a GPU has one lane, whose work runs in order. */
static ty_status add_children(ty_ctx *ctx, ty_device *dev, ty_shard_tree *tree, int child,
                              int parent) {
    const tree_node *one = &tree->nodes[child], *other = &tree->nodes[one->sibling];
    const int left = one->is_left ? one->buffer : other->buffer;
    const int right = one->is_left ? other->buffer : one->buffer;
    /* Only the root's children are left when it is summed, so buffer 0 is free or one of them. */
    const int to = tree->nodes[parent].parent < 0 ? 0 : left;
    TY_TRY(ty_flat_add(ctx, dev, tree->buffers[to], tree->buffers[left], tree->buffers[right],
                       tree->n));
    tree->nodes[parent].buffer = to;
    if (tree->nodes[parent].parent >= 0)
        give_back(tree, right);
    return TY_OK;
}

ty_status ty_shard_tree_give(ty_ctx *ctx, ty_device *dev, ty_shard_tree *tree, int leaf) {
    int node = leaf;
    for (int parent; (parent = complete(tree, node)) >= 0; node = parent)
        TY_TRY(add_children(ctx, dev, tree, node, parent));
    return TY_OK;
}

void ty_shard_tree_fail(ty_shard_tree *tree) {
    pthread_mutex_lock(&tree->lock);
    tree->has_failed = true;
    pthread_cond_broadcast(&tree->has_free);
    pthread_mutex_unlock(&tree->lock);
}

void ty_shard_tree_sum(const double *rows, int n_leaves, int width, double *out) {
    if (n_leaves == 1) {
        for (int k = 0; k < width; k++)
            out[k] = rows[k];
        return;
    }
    enum { WIDEST = 16 };
    double right[WIDEST];
    const int middle = n_leaves / 2;
    ty_shard_tree_sum(rows, middle, width, out);
    ty_shard_tree_sum(rows + (size_t)middle * (size_t)width, n_leaves - middle, width, right);
    for (int k = 0; k < width; k++)
        out[k] += right[k];
}
