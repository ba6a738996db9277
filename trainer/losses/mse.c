/* mse: mean over the targets of (prediction - target)^2. */
#include "trainer/losses/losses.h"

ty_status ty_loss_mse(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *out) {
    (void)keys;
    const ty_shape predictions = graph->values[x].shape;
    if (graph->values[graph->target].dtype != TY_DTYPE_F32)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "loss is mse, but the data's targets are classes: use cross_entropy");
    if (predictions.rank != 2 || predictions.dims[1] != graph->n_outputs)
        return ty_loss_misfit(ctx, graph, x, "targets");
    const ty_mse_attrs attrs = {0};
    return ty_graph_add(ctx, graph, TY_OP_MSE, &attrs,
                        (const int[]){x, graph->target, graph->weight}, out);
}
