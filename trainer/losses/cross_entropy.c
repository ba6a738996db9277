/* cross_entropy: smoothing shapes the training signal only; evaluation reports the plain loss. */
#include "trainer/losses/losses.h"

typedef struct cross_entropy_config {
    double label_smoothing;
} cross_entropy_config;

_Static_assert(sizeof(cross_entropy_config) <= TY_LOSS_CONFIG_BYTES, "grow TY_LOSS_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "label_smoothing",
     .type = TY_ROW_REAL,
     .offset = offsetof(cross_entropy_config, label_smoothing),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .max_is_open = true,
     .unit = "ratio",
     .help = "share of the target spread over all classes while training (Szegedy et al. 2016)"},
};
const ty_rows ty_cross_entropy_rows = TY_ROWS(rows);

ty_status ty_loss_cross_entropy(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *out) {
    const cross_entropy_config *config = keys;
    const ty_shape logits = graph->values[x].shape;
    if (graph->values[graph->target].dtype != TY_DTYPE_I32)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "loss is cross_entropy, but the data's targets are numbers: use mse");
    if (logits.rank != 2 || logits.dims[1] != graph->n_outputs)
        return ty_loss_misfit(ctx, graph, x, "classes");
    const bool smooths = config && graph->is_training;
    const ty_softmax_xent_attrs attrs = {.label_smoothing = smooths ? config->label_smoothing : 0,
                                         .ignore_index = INT32_MIN};
    return ty_graph_add(ctx, graph, TY_OP_SOFTMAX_XENT, &attrs,
                        (const int[]){x, graph->target, graph->weight}, out);
}
