/* The table made into rows for the config and functions for the graph. */
#include "trainer/layers/layers.h"

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

ty_status ty_layer_append(ty_ctx *ctx, ty_graph *graph, const ty_variant *layer, int x, int *y) {
    ty_status st = ty_graph_begin_layer(ctx, graph, layer->row->type);
    if (st == TY_OK)
        st = builds[layer->row->id](ctx, graph, layer->config, x, y);
    if (st == TY_OK)
        ty_graph_end_layer(graph, *y);
    return st == TY_OK ? st : ty_fail_within(ctx, st, "%s (%s)", layer->path, layer->row->type);
}

const char *const ty_layer_inits[] = {"auto", "kaiming", "xavier", "normal", "zeros", NULL};

void ty_layer_set_init(ty_graph *graph, int choice) {
    static const ty_init_kind kinds[] = {TY_INIT_ZEROS, TY_INIT_KAIMING, TY_INIT_XAVIER,
                                         TY_INIT_NORMAL, TY_INIT_ZEROS};
    const ty_node *node = &graph->nodes[graph->n_nodes - 1];
    if (choice > 0 && node->n_params > 0)
        graph->params[node->param[0]].init = kinds[choice];
}
