/* Building a graph: values, nodes and segments are appended to growing tables. */
#include "trainer/graph.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENT_ALIGNMENT = 16 }; /* elements: one cache line of f32 */

void ty_graph_init(ty_graph *graph, bool is_training, int64_t rows, int64_t n_outputs) {
    *graph = (ty_graph){.is_training = is_training, .rows = rows, .n_outputs = n_outputs};
}

void ty_graph_clear(ty_graph *graph) {
    free(graph->values);
    free(graph->nodes);
    free(graph->params);
    free(graph->stats);
    free(graph->layers);
    ty_arena_clear(&graph->arena);
    *graph = (ty_graph){0};
}

/* Makes room for one more element; capacities are the powers of two from 16. */
static ty_status grow(ty_ctx *ctx, void *table, int n, size_t element) {
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
        return TY_OK;
    void *old;
    memcpy(&old, table, sizeof old);
    void *bigger = realloc(old, (n ? (size_t)n * 2 : 16) * element);
    if (!bigger)
        return ty_fail_nomem(ctx, "the model's graph");
    memcpy(table, &bigger, sizeof bigger);
    return TY_OK;
}

static ty_status add_value(ty_ctx *ctx, ty_graph *graph, ty_value value, int *out) {
    TY_TRY(grow(ctx, &graph->values, graph->n_values, sizeof *graph->values));
    graph->values[graph->n_values] = value;
    *out = graph->n_values++;
    return TY_OK;
}

ty_status ty_graph_input(ty_ctx *ctx, ty_graph *graph, ty_dtype dtype, ty_shape shape, int *out) {
    const ty_value value = {.dtype = dtype, .shape = shape, .role = TY_VALUE_INPUT, .producer = -1};
    return add_value(ctx, graph, value, out);
}

ty_status ty_graph_begin_layer(ty_ctx *ctx, ty_graph *graph, const char *type) {
    TY_TRY(grow(ctx, &graph->layers, graph->n_layers, sizeof *graph->layers));
    char *name = ty_arena_printf(&graph->arena, "layers.%d.%s", graph->n_layers, type);
    if (!name)
        return ty_fail_nomem(ctx, "a layer's name");
    graph->layers[graph->n_layers++] = (ty_graph_layer){.name = name, .type = type};
    return TY_OK;
}

void ty_graph_end_layer(ty_graph *graph, int y) {
    graph->layers[graph->n_layers - 1].shape = graph->values[y].shape;
}

/* Appends one segment to a flat buffer and moves its end on. */
static ty_status add_segment(ty_ctx *ctx, ty_graph *graph, const ty_param_spec *spec,
                             ty_segment **table, int *n, int64_t *end) {
    TY_TRY(grow(ctx, table, *n, sizeof **table));
    const char *layer = graph->n_layers ? graph->layers[graph->n_layers - 1].name : "graph";
    const char *name = ty_arena_printf(&graph->arena, "%s.%s", layer, spec->name);
    if (!name)
        return ty_fail_nomem(ctx, "a parameter's name");
    const int64_t count = ty_shape_count(spec->shape);
    (*table)[(*n)++] = (ty_segment){.name = name,
                                    .shape = spec->shape,
                                    .offset = *end,
                                    .count = count,
                                    .weight_decay = spec->has_weight_decay ? 1 : 0,
                                    .learning_rate = 1,
                                    .init = spec->init,
                                    .fan_in = spec->fan_in,
                                    .fan_out = spec->fan_out};
    if (!ty_add_i64(*end, count + SEGMENT_ALIGNMENT - 1, end))
        return ty_fail(ctx, TY_ERR_CONFIG, "the model's parameters overflow 64 bits at %s", name);
    *end -= *end % SEGMENT_ALIGNMENT;
    return TY_OK;
}

static ty_status add_segments(ty_ctx *ctx, ty_graph *graph, const ty_op_shapes *shapes,
                              ty_node *node) {
    for (int i = 0; i < shapes->n_params; i++) {
        node->param[node->n_params++] = graph->n_params;
        TY_TRY(add_segment(ctx, graph, &shapes->param[i], &graph->params, &graph->n_params,
                           &graph->params_count));
    }
    for (int i = 0; i < shapes->n_stats; i++) {
        node->stat[node->n_stats++] = graph->n_stats;
        TY_TRY(add_segment(ctx, graph, &shapes->stat[i], &graph->stats, &graph->n_stats,
                           &graph->stats_count));
    }
    return TY_OK;
}

/* What the table of layers shows of the one in progress. */
static void count_in_layer(ty_graph *graph, const ty_node *node) {
    if (graph->n_layers == 0)
        return;
    ty_graph_layer *layer = &graph->layers[graph->n_layers - 1];
    layer->flops += node->flops_forward + node->flops_backward;
    for (int i = 0; i < node->n_params; i++)
        layer->parameters += graph->params[node->param[i]].count;
}

ty_status ty_graph_add(ty_ctx *ctx, ty_graph *graph, ty_op_id op, const void *attrs,
                       const int *inputs, int *out) {
    const ty_op *row = &ty_ops[op];
    ty_node node = {.op = op, .number = graph->n_nodes};
    ty_tensor in[TY_OP_MAX_INPUTS] = {{0}};
    for (int i = 0; i < row->n_inputs; i++) {
        node.x[i] = inputs[i];
        in[i].dtype = graph->values[inputs[i]].dtype;
        in[i].shape = graph->values[inputs[i]].shape;
    }
    node.attrs = ty_arena_alloc(&graph->arena, row->attrs_bytes);
    if (!node.attrs)
        return ty_fail_nomem(ctx, "an op's attributes");
    if (row->attrs_bytes)
        memcpy(node.attrs, attrs, row->attrs_bytes);
    ty_op_shapes shapes = {0};
    TY_TRY(row->infer(ctx, node.attrs, in, &shapes));
    node.flops_forward = shapes.flops_forward;
    node.flops_backward = shapes.flops_backward;
    const ty_value y = {.dtype = shapes.y_dtype,
                        .shape = shapes.y,
                        .role = TY_VALUE_INNER,
                        .producer = graph->n_nodes};
    TY_TRY(add_value(ctx, graph, y, &node.y));
    TY_TRY(add_segments(ctx, graph, &shapes, &node));
    TY_TRY(grow(ctx, &graph->nodes, graph->n_nodes, sizeof *graph->nodes));
    graph->nodes[graph->n_nodes++] = node;
    count_in_layer(graph, &node);
    *out = node.y;
    return TY_OK;
}

int ty_graph_readers(const ty_graph *graph, int value) {
    int readers = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        for (int k = 0; k < ty_ops[graph->nodes[i].op].n_inputs; k++)
            readers += graph->nodes[i].x[k] == value;
    }
    return readers;
}

int64_t ty_graph_parameters(const ty_graph *graph) {
    int64_t sum = 0;
    for (int i = 0; i < graph->n_params; i++)
        sum += graph->params[i].count;
    return sum;
}
