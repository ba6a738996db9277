/* The table made into rows for the config and functions for the graph. */
#include "trainer/layers/layers.h"

#include <stdio.h>
#include <string.h>

#define ROW_OF(name, keys, text)                                                                   \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = keys,                                                                                 \
     .struct_bytes = TY_LAYER_CONFIG_BYTES,                                                        \
     .id = ID_##name},
#define ID_OF(name, keys, text) ID_##name,
#define BUILD_OF(name, keys, text) [ID_##name] = ty_layer_##name,

enum { TY_LAYER_ROWS(ID_OF) };

const ty_variant_row ty_layer_variants[] = {TY_LAYER_ROWS(ROW_OF){.type = NULL}};

static ty_layer_build *const builds[] = {TY_LAYER_ROWS(BUILD_OF)};

/* An op says its own name first; behind the layer's it would be said twice. */
static ty_status name_layer(ty_ctx *ctx, ty_status st, const ty_variant *layer) {
    char reason[TY_MESSAGE_BYTES];
    const size_t name = strspn(ctx->message, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const bool has_name = name > 0 && strncmp(ctx->message + name, ": ", 2) == 0;
    (void)snprintf(reason, sizeof reason, "%s", ctx->message + (has_name ? name + 2 : 0));
    return ty_fail(ctx, st, "%s (%s): %s", layer->path, layer->row->type, reason);
}

ty_status ty_layer_append(ty_ctx *ctx, ty_graph *graph, const ty_variant *layer, int x, int *y) {
    ty_status st = ty_graph_begin_layer(ctx, graph, layer->row->type);
    if (st == TY_OK)
        st = builds[layer->row->id](ctx, graph, layer->config, x, y);
    if (st == TY_OK)
        ty_graph_end_layer(graph, *y);
    return st == TY_OK ? st : name_layer(ctx, st, layer);
}

ty_status ty_layer_wants_image(ty_ctx *ctx, const ty_graph *graph, int x) {
    const int rank = graph->values[x].shape.rank - 1;
    if (rank == 3)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "its input has %d dimension%s a sample, want 3: [channels, height, width], as "
                   "images have them before \"flatten\"",
                   rank, rank == 1 ? "" : "s");
}

const char *const ty_layer_inits[] = {"auto", "kaiming", "xavier", "normal", "zeros", NULL};

void ty_layer_set_init(ty_graph *graph, int choice) {
    static const ty_init_kind kinds[] = {TY_INIT_ZEROS, TY_INIT_KAIMING, TY_INIT_XAVIER,
                                         TY_INIT_NORMAL, TY_INIT_ZEROS};
    const ty_node *node = &graph->nodes[graph->n_nodes - 1];
    if (choice > 0 && node->n_params > 0)
        graph->params[node->param[0]].init = kinds[choice];
}
