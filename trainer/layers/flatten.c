/* flatten: every sample becomes one row. */
#include "trainer/layers/layers.h"

ty_status ty_layer_flatten(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    const ty_shape shape = graph->values[x].shape;
    if (shape.rank == 2) {
        *y = x;
        return TY_OK;
    }
    const int64_t features = ty_shape_count(shape) / shape.dims[0];
    const ty_reshape_attrs attrs = {.shape = {.rank = 2, .dims = {shape.dims[0], features}}};
    return ty_graph_add(ctx, graph, TY_OP_RESHAPE, &attrs, (const int[]){x}, y);
}
