/* The table, and the choice that "auto" makes. */
#include "trainer/losses/losses.h"

#define ID_OF(name, keys, text) ID_##name,
#define ROW_OF(name, keys, text)                                                                   \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = keys,                                                                                 \
     .struct_bytes = TY_LOSS_CONFIG_BYTES,                                                         \
     .id = ID_##name},
#define BUILD_OF(name, keys, text) [ID_##name] = ty_loss_##name,

enum { TY_LOSS_ROWS(ID_OF) };

const ty_variant_row ty_loss_variants[] = {TY_LOSS_ROWS(ROW_OF){.type = NULL}};

static ty_loss_build *const builds[] = {TY_LOSS_ROWS(BUILD_OF)};

ty_status ty_loss_auto(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *rows) {
    (void)keys;
    if (graph->values[graph->target].dtype == TY_DTYPE_I32)
        return ty_loss_cross_entropy(ctx, graph, NULL, x, rows);
    return ty_loss_mse(ctx, graph, NULL, x, rows);
}

ty_status ty_loss_misfit(ty_ctx *ctx, const ty_graph *graph, int x, const char *what) {
    const ty_shape shape = graph->values[x].shape;
    const char *layer = graph->n_layers ? graph->layers[graph->n_layers - 1].type : "none";
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "model.layers.%d (%s): the last layer gives %lld values a sample, want one for "
                   "each of %lld %s, as \"linear\" without \"out\" has them",
                   graph->n_layers - 1, layer, (long long)(ty_shape_count(shape) / shape.dims[0]),
                   (long long)graph->n_outputs, what);
}

ty_status ty_loss_append(ty_ctx *ctx, ty_graph *graph, const ty_variant *loss, int x, int *rows) {
    return builds[loss->row->id](ctx, graph, loss->config, x, rows);
}
