/* Fusion: an activation moves into the op that feeds it. One pass over memory less, forward and
 * backward. */
#include "trainer/graph.h"

/* Takes the activation into node's attributes, where the op can compute it and find its derivative
 * from y. */
static bool absorb(ty_node *node, ty_activation kind) {
    if (node->op == TY_OP_LINEAR) {
        ty_linear_attrs *attrs = node->attrs;
        const bool fits = kind == TY_ACT_RELU || kind == TY_ACT_TANH || kind == TY_ACT_SIGMOID;
        if (!fits || attrs->activation != TY_ACT_NONE)
            return false;
        attrs->activation = kind;
        return true;
    }
    if (node->op == TY_OP_CONV2D) {
        ty_conv2d_attrs *attrs = node->attrs;
        if (kind != TY_ACT_RELU || attrs->activation != TY_ACT_NONE)
            return false;
        attrs->activation = kind;
        return true;
    }
    if (node->op == TY_OP_BATCH_NORM) {
        ty_batch_norm_attrs *attrs = node->attrs;
        if (kind != TY_ACT_RELU || attrs->has_relu)
            return false;
        return attrs->has_relu = true;
    }
    return false;
}

static bool fuse_into_producer(ty_graph *graph, const ty_node *node) {
    if (node->op != TY_OP_ACTIVATION)
        return false;
    const int between = node->x[0];
    const int producer = graph->values[between].producer;
    const ty_activation_attrs *attrs = node->attrs;
    if (producer < 0 || ty_graph_readers(graph, between) != 1 ||
        !absorb(&graph->nodes[producer], attrs->kind))
        return false;
    graph->values[between].role = TY_VALUE_GONE;
    graph->values[between].producer = -1;
    graph->nodes[producer].y = node->y;
    graph->nodes[producer].flops_forward += node->flops_forward;
    graph->nodes[producer].flops_backward += node->flops_backward;
    graph->values[node->y].producer = producer;
    return true;
}

static void drop_absorbed(ty_graph *graph) {
    int kept = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        const ty_node node = graph->nodes[i];
        if (node.y < 0)
            continue;
        graph->nodes[kept] = node;
        graph->values[node.y].producer = kept++;
    }
    graph->n_nodes = kept;
}

void ty_graph_fuse(ty_graph *graph) {
    for (int i = 0; i < graph->n_nodes; i++) {
        if (fuse_into_producer(graph, &graph->nodes[i]))
            graph->nodes[i].y = -1;
    }
    drop_absorbed(graph);
}
