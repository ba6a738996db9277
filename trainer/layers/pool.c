/* max_pool, avg_pool and global_avg_pool: one op. */
#include "trainer/layers/layers.h"

typedef struct pool_config {
    int64_t kernel, stride, padding;
} pool_config;

_Static_assert(sizeof(pool_config) <= TY_LAYER_CONFIG_BYTES, "grow TY_LAYER_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "kernel",
     .type = TY_ROW_INT,
     .offset = offsetof(pool_config, kernel),
     .fallback = "2",
     .unit = "pixels",
     .help = "side of the window",
     .min = 1,
     .max = 1024},
    {.key = "stride",
     .type = TY_ROW_INT,
     .offset = offsetof(pool_config, stride),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .unit = "pixels",
     .min = 1,
     .max = 1024,
     .help = "distance between windows; auto is the kernel"},
    {.key = "padding",
     .type = TY_ROW_INT,
     .offset = offsetof(pool_config, padding),
     .fallback = "0",
     .unit = "pixels",
     .help = "put around the image",
     .min = 0,
     .max = 1024},
};
const ty_rows ty_pool_rows = TY_ROWS(rows);

static ty_status add(ty_ctx *ctx, ty_graph *graph, const pool_config *config, bool is_max, int x,
                     int *y) {
    TY_TRY(ty_layer_wants_image(ctx, graph, x));
    const int64_t stride = config->stride == TY_AUTO ? config->kernel : config->stride;
    const ty_pool2d_attrs attrs = {.is_max = is_max,
                                   .kernel = {config->kernel, config->kernel},
                                   .stride = {stride, stride},
                                   .padding = {config->padding, config->padding}};
    return ty_graph_add(ctx, graph, TY_OP_POOL2D, &attrs, (const int[]){x}, y);
}

ty_status ty_layer_max_pool(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    return add(ctx, graph, keys, true, x, y);
}

ty_status ty_layer_avg_pool(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    return add(ctx, graph, keys, false, x, y);
}

ty_status ty_layer_global_avg_pool(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    (void)keys;
    const ty_pool2d_attrs attrs = {.is_global = true};
    int planes;
    TY_TRY(ty_layer_wants_image(ctx, graph, x));
    TY_TRY(ty_graph_add(ctx, graph, TY_OP_POOL2D, &attrs, (const int[]){x}, &planes));
    return ty_layer_flatten(ctx, graph, NULL, planes, y);
}
