/* dropout: which values fall is a function of (seed, step, layer, sample), so nothing about it is
 * ever saved. */
#include "trainer/layers/layers.h"

typedef struct dropout_config {
    double rate;
} dropout_config;

_Static_assert(sizeof(dropout_config) <= TY_LAYER_CONFIG_BYTES, "grow TY_LAYER_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "rate",
     .type = TY_ROW_REAL,
     .offset = offsetof(dropout_config, rate),
     .fallback = "0.5",
     .unit = "probability",
     .help = "share of the values that is zeroed",
     .min = 0,
     .max = 1,
     .max_is_open = true},
};
const ty_rows ty_dropout_rows = TY_ROWS(rows);

ty_status ty_layer_dropout(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    const dropout_config *config = keys;
    const ty_dropout_attrs attrs = {.rate = config->rate};
    if (!graph->is_training || config->rate == 0) {
        *y = x;
        return TY_OK;
    }
    return ty_graph_add(ctx, graph, TY_OP_DROPOUT, &attrs, (const int[]){x}, y);
}
