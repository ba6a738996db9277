/* A model as a list of calls to ops, in the order they run. Layers append to it; fusion and
 * differentiation rewrite it; a plan lays it out. Values and segments are known by their index.
 * Nothing here knows a device.
 *
 *   input -> normalize -> layers... -> loss -> rows {loss, a, b, c} per sample */
#ifndef TY_TRAINER_GRAPH_H
#define TY_TRAINER_GRAPH_H

#include "kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_value_role {
    TY_VALUE_INPUT, /* x, targets, weights: copied in before a shard runs */
    TY_VALUE_INNER, /* made and used inside */
    TY_VALUE_ROWS,  /* the loss's rows: read by the host after a shard */
    TY_VALUE_GONE   /* fused away */
} ty_value_role;

typedef struct ty_value {
    ty_dtype dtype;
    ty_shape shape; /* dims[0] is the rows of a shard */
    ty_value_role role;
    int producer; /* node; -1: none */
    bool wants_gradient;
} ty_value;

typedef struct ty_node {
    ty_op_id op;
    void *attrs;    /* in the graph's arena; fusion writes to it */
    int64_t number; /* where the layers put it; stays when others are fused away, since it keys
                       random numbers */
    int x[TY_OP_MAX_INPUTS], y;
    int n_params, param[TY_OP_MAX_PARAMS];
    int n_stats, stat[TY_OP_MAX_STATS];
    bool has_backward; /* takes part in the backward pass */
    bool wants_dx[TY_OP_MAX_INPUTS], accumulates_dx[TY_OP_MAX_INPUTS];
    double flops_forward, flops_backward;
} ty_node;

/* What the model's table shows of one layer. */
typedef struct ty_graph_layer {
    const char *name, *type; /* "layers.0.conv2d", "conv2d" */
    ty_shape shape;          /* of its output */
    int64_t parameters;
    double flops; /* forward and backward, of all rows */
} ty_graph_layer;

typedef struct ty_graph {
    ty_arena arena;
    bool is_training;
    int64_t rows;      /* of a shard */
    int64_t n_outputs; /* classes or targets of the data */
    ty_value *values;
    ty_node *nodes;
    ty_segment *params; /* of one flat buffer of params_count elements */
    ty_segment *stats;  /* of one flat buffer of stats_count; learning_rate is how fast a running
                           statistic follows */
    ty_graph_layer *layers;
    int n_values, n_nodes, n_params, n_stats, n_layers;
    int64_t params_count, stats_count; /* padding included */
    int x, target, weight, loss_rows;  /* values */
} ty_graph;

/* An empty graph. Clear accepts a zeroed one. */
void ty_graph_init(ty_graph *graph, bool is_training, int64_t rows, int64_t n_outputs);
void ty_graph_clear(ty_graph *graph);

/* Adds a value that is copied in. */
ty_status ty_graph_input(ty_ctx *ctx, ty_graph *graph, ty_dtype dtype, ty_shape shape,
                         int *out) TY_MUST_USE;

/* Appends one call; attrs are copied; its parameters and statistics become segments named after the
 * layer in progress.
 * Errors: TY_ERR_CONFIG from the op's infer; TY_ERR_NOMEM. */
ty_status ty_graph_add(ty_ctx *ctx, ty_graph *graph, ty_op_id op, const void *attrs,
                       const int *inputs, int *out) TY_MUST_USE;

/* Brackets the nodes of one row of the model's table; type also names its segments:
 * "layers.<n>.<type>.weight". */
ty_status ty_graph_begin_layer(ty_ctx *ctx, ty_graph *graph, const char *type) TY_MUST_USE;
void ty_graph_end_layer(ty_graph *graph, int y);

/* Folds an activation into the linear, conv2d or batch_norm before it where that op can do it in
 * the same pass and nobody else reads the value between. */
void ty_graph_fuse(ty_graph *graph);

/* Reverse differentiation: marks which nodes run backward, which inputs they write gradients to,
 * and where a gradient is added to one that an earlier call of the backward pass wrote.
 * Errors: TY_ERR_INTERNAL an op without backward is in the way. */
ty_status ty_graph_differentiate(ty_ctx *ctx, ty_graph *graph) TY_MUST_USE;

/* How many node inputs read the value. */
int ty_graph_readers(const ty_graph *graph, int value);

/* Parameters without padding. */
int64_t ty_graph_parameters(const ty_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
