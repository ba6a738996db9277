/* relu, gelu, silu, tanh, sigmoid: one op, five names. ty_graph_fuse folds them into the op before
 * where it can. */
#include "trainer/layers/layers.h"

static ty_status add(ty_ctx *ctx, ty_graph *graph, ty_activation kind, int x, int *y) {
    const ty_activation_attrs attrs = {.kind = kind};
    return ty_graph_add(ctx, graph, TY_OP_ACTIVATION, &attrs, (const int[]){x}, y);
}

ty_status ty_layer_relu(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    return add(ctx, graph, TY_ACT_RELU, x, y);
}

ty_status ty_layer_gelu(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    return add(ctx, graph, TY_ACT_GELU, x, y);
}

ty_status ty_layer_silu(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    return add(ctx, graph, TY_ACT_SILU, x, y);
}

ty_status ty_layer_tanh(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    return add(ctx, graph, TY_ACT_TANH, x, y);
}

ty_status ty_layer_sigmoid(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    return add(ctx, graph, TY_ACT_SIGMOID, x, y);
}
