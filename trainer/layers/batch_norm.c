/* batch_norm: statistics of each shard while training, running ones in evaluation. */
#include "trainer/layers/layers.h"

typedef struct batch_norm_config {
    double epsilon, momentum;
} batch_norm_config;

_Static_assert(sizeof(batch_norm_config) <= TY_LAYER_CONFIG_BYTES, "grow TY_LAYER_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "epsilon",
     .type = TY_ROW_REAL,
     .offset = offsetof(batch_norm_config, epsilon),
     .fallback = "1e-5",
     .help = "added to the variance",
     .min = 0,
     .max = 1,
     .min_is_open = true},
    {.key = "momentum",
     .type = TY_ROW_REAL,
     .offset = offsetof(batch_norm_config, momentum),
     .fallback = "0.1",
     .unit = "ratio",
     .min = 0,
     .max = 1,
     .min_is_open = true,
     .help = "share of each step's statistics in the running ones"},
};
const ty_rows ty_batch_norm_rows = TY_ROWS(rows);

ty_status ty_layer_batch_norm(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    const batch_norm_config *config = keys;
    const ty_shape shape = graph->values[x].shape;
    if (graph->is_training && shape.rank >= 2 && ty_shape_count(shape) == shape.dims[1])
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "its statistics would be of 1 value, since 1 sample is computed at a time: "
                       "want a larger train.global_batch_size or train.micro_batch_size");
    const ty_batch_norm_attrs attrs = {.epsilon = config->epsilon};
    TY_TRY(ty_graph_add(ctx, graph, TY_OP_BATCH_NORM, &attrs, (const int[]){x}, y));
    const ty_node *node = &graph->nodes[graph->n_nodes - 1];
    for (int i = 0; i < node->n_stats; i++)
        graph->stats[node->stat[i]].learning_rate = config->momentum;
    return TY_OK;
}
