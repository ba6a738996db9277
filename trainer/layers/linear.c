/* linear: y = x W^T + b. "out": "auto" is the number of classes or targets, so that a config fits
 * any data set. */
#include "trainer/layers/layers.h"

typedef struct linear_config {
    int64_t out;
    bool bias;
    int init;
} linear_config;

_Static_assert(sizeof(linear_config) <= TY_LAYER_CONFIG_BYTES, "grow TY_LAYER_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "out",
     .type = TY_ROW_INT,
     .offset = offsetof(linear_config, out),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .unit = "features",
     .min = 1,
     .max = 16777216,
     .help = "output features; auto is the data's number of classes or targets"},
    {.key = "bias",
     .type = TY_ROW_BOOL,
     .offset = offsetof(linear_config, bias),
     .fallback = "true",
     .help = "add a learned number to each output"},
    {.key = "init",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(linear_config, init),
     .fallback = "\"auto\"",
     .choices = ty_layer_inits,
     .help = "how the weights start"},
};
const ty_rows ty_linear_rows = TY_ROWS(rows);

ty_status ty_layer_linear(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    const linear_config *config = keys;
    if (graph->values[x].shape.rank > 2)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "its input has %d dimensions a sample, want 1: put \"flatten\" before it",
                       graph->values[x].shape.rank - 1);
    const ty_linear_attrs attrs = {.out = config->out == TY_AUTO ? graph->n_outputs : config->out,
                                   .has_bias = config->bias};
    TY_TRY(ty_graph_add(ctx, graph, TY_OP_LINEAR, &attrs, (const int[]){x}, y));
    ty_layer_set_init(graph, config->init);
    return TY_OK;
}
