/* Reverse differentiation over a list of nodes: the backward pass is the list read from its end. */
#include "trainer/graph.h"

/* A gradient is wanted where a parameter lies upstream. */
static void mark_values(ty_graph *graph) {
    for (int i = 0; i < graph->n_nodes; i++) {
        const ty_node *node = &graph->nodes[i];
        bool wants = node->n_params > 0;
        for (int k = 0; k < ty_ops[node->op].n_inputs; k++)
            wants |= graph->values[node->x[k]].wants_gradient;
        graph->values[node->y].wants_gradient = wants;
    }
}

/* The first call of the backward pass that reaches a value writes its gradient, later ones add. */
static void mark_inputs(const ty_graph *graph, ty_node *node, bool *is_written) {
    for (int k = 0; k < ty_ops[node->op].n_inputs; k++) {
        const int x = node->x[k];
        node->wants_dx[k] = graph->values[x].wants_gradient;
        node->accumulates_dx[k] = node->wants_dx[k] && is_written[x];
        is_written[x] |= node->wants_dx[k];
    }
}

ty_status ty_graph_differentiate(ty_ctx *ctx, ty_graph *graph) {
    bool *is_written = ty_arena_array(&graph->arena, (size_t)graph->n_values, sizeof *is_written);
    if (!is_written)
        return ty_fail_nomem(ctx, "the backward pass");
    mark_values(graph);
    is_written[graph->loss_rows] = true; /* the loss starts the pass; its op reads no gradient */
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        ty_node *node = &graph->nodes[i];
        node->has_backward = graph->values[node->y].wants_gradient && is_written[node->y];
        if (!node->has_backward)
            continue;
        if (!ty_ops[node->op].has_backward)
            return ty_fail(ctx, TY_ERR_INTERNAL,
                           "op %s has no backward pass and parameters before it",
                           ty_ops[node->op].name);
        mark_inputs(graph, node, is_written);
    }
    return TY_OK;
}
