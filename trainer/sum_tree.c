/* A chunk at a time, so that what is in between stays in the first cache and every input is read
 * once. */
#include "trainer/sum_tree.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 2048, MAX_LEVELS = 31 };

/* --- building --------------------------------------------------------------------------------- */

typedef struct builder {
    ty_sum_tree *tree;
    int n;
    ty_sum_tree_leaf_fn leaf_of;
    void *self;
} builder;

static int add_node(ty_sum_tree *tree, ty_sum_tree_node node) {
    tree->nodes[tree->count] = node;
    return tree->count++;
}

static int build(builder *b, int first, int width) {
    int leaf = b->leaf_of(b->self, first, width);
    if (leaf >= 0)
        return add_node(b->tree, (ty_sum_tree_node){.leaf = leaf});
    int half = width / 2;
    int left = build(b, first, half);
    if (first + half >= b->n)
        return left;
    int right = build(b, first + half, half);
    return add_node(b->tree, (ty_sum_tree_node){.leaf = -1, .left = left, .right = right});
}

ty_status ty_sum_tree_init(ty_ctx *ctx, ty_sum_tree *tree, int n, ty_sum_tree_leaf_fn leaf_of,
                           void *self) {
    *tree = (ty_sum_tree){0};
    tree->nodes = calloc(2 * (size_t)n, sizeof *tree->nodes);
    tree->scratch = aligned_alloc(64, MAX_LEVELS * CHUNK * sizeof *tree->scratch);
    if (!tree->nodes || !tree->scratch) {
        ty_sum_tree_clear(tree);
        return ty_fail_nomem(ctx, "the tree of a sum");
    }
    int width = 1;
    while (width < n)
        width *= 2;
    builder b = {.tree = tree, .n = n, .leaf_of = leaf_of, .self = self};
    tree->root = build(&b, 0, width);
    return TY_OK;
}

void ty_sum_tree_clear(ty_sum_tree *tree) {
    free(tree->nodes);
    free(tree->scratch);
    *tree = (ty_sum_tree){0};
}

/* --- summing ---------------------------------------------------------------------------------- */

/* out may be a: each element is read before it is written, which the compiler is told to rely
 * on. */
static void add2(float *out, const float *a, const float *b, int64_t n) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void add4(float *restrict out, const float *a, const float *b, const float *c,
                 const float *d, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = (a[i] + b[i]) + (c[i] + d[i]);
}

typedef struct chunk {
    const ty_sum_tree_node *nodes;
    const float *const *leaves;
    int64_t at, n;
} chunk;

static const float *leaf_of(const chunk *c, int node) {
    int leaf = c->nodes[node].leaf;
    return leaf < 0 ? NULL : c->leaves[leaf] + c->at;
}

static bool is_pair(const chunk *c, int node) {
    const ty_sum_tree_node *it = &c->nodes[node];
    return it->leaf < 0 && leaf_of(c, it->left) && leaf_of(c, it->right);
}

static void sum_node(const chunk *c, int node, float *out, float *scratch);

static const float *operand(const chunk *c, int node, float *buffer, float *scratch) {
    const float *leaf = leaf_of(c, node);
    if (leaf)
        return leaf;
    sum_node(c, node, buffer, scratch);
    return buffer;
}

static void sum_node(const chunk *c, int node, float *out, float *scratch) {
    const ty_sum_tree_node *it = &c->nodes[node];
    if (it->leaf >= 0) {
        memcpy(out, leaf_of(c, node), (size_t)c->n * sizeof *out);
        return;
    }
    if (is_pair(c, it->left) && is_pair(c, it->right)) {
        const ty_sum_tree_node *left = &c->nodes[it->left];
        const ty_sum_tree_node *right = &c->nodes[it->right];
        add4(out, leaf_of(c, left->left), leaf_of(c, left->right), leaf_of(c, right->left),
             leaf_of(c, right->right), c->n);
        return;
    }
    const float *a = operand(c, it->left, out, scratch);
    const float *b = operand(c, it->right, scratch, scratch + CHUNK);
    add2(out, a, b, c->n);
}

void ty_sum_tree_run(const ty_sum_tree *tree, const float *const *leaves, int64_t n, float *out) {
    for (int64_t at = 0; at < n; at += CHUNK) {
        const chunk c = {
            .nodes = tree->nodes, .leaves = leaves, .at = at, .n = n - at < CHUNK ? n - at : CHUNK};
        sum_node(&c, tree->root, out + at, tree->scratch);
    }
}
