/* conv2d: square windows; "padding": "auto" keeps height and width at stride 1. */
#include "trainer/layers/layers.h"

typedef struct conv2d_config {
    int64_t out, kernel, stride, padding, groups;
    bool bias;
    int init;
} conv2d_config;

_Static_assert(sizeof(conv2d_config) <= TY_LAYER_CONFIG_BYTES, "grow TY_LAYER_CONFIG_BYTES");

static const ty_row rows[] = {
    {.key = "out",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, out),
     .unit = "channels",
     .help = "output channels",
     .min = 1,
     .max = 65536},
    {.key = "kernel",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, kernel),
     .fallback = "3",
     .unit = "pixels",
     .help = "side of the window",
     .min = 1,
     .max = 1024},
    {.key = "stride",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, stride),
     .fallback = "1",
     .unit = "pixels",
     .help = "distance between windows",
     .min = 1,
     .max = 1024},
    {.key = "padding",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, padding),
     .fallback = "\"auto\"",
     .unit = "pixels",
     .allows_auto = true,
     .min = 0,
     .max = 1024,
     .help =
         "zeros put around the image; auto is (kernel - 1) / 2, which keeps its size at stride 1"},
    {.key = "groups",
     .type = TY_ROW_INT,
     .offset = offsetof(conv2d_config, groups),
     .fallback = "1",
     .help = "groups of channels that see only each other",
     .min = 1,
     .max = 65536},
    {.key = "bias",
     .type = TY_ROW_BOOL,
     .offset = offsetof(conv2d_config, bias),
     .fallback = "true",
     .help = "add a learned number to each output channel"},
    {.key = "init",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(conv2d_config, init),
     .fallback = "\"auto\"",
     .choices = ty_layer_inits,
     .help = "how the filters start"},
};
const ty_rows ty_conv2d_rows = TY_ROWS(rows);

ty_status ty_layer_conv2d(ty_ctx *ctx, ty_graph *graph, const void *keys, int x, int *y) {
    const conv2d_config *config = keys;
    TY_TRY(ty_layer_wants_image(ctx, graph, x));
    const int64_t padding = config->padding == TY_AUTO ? (config->kernel - 1) / 2 : config->padding;
    const ty_conv2d_attrs attrs = {.out = config->out,
                                   .kernel = {config->kernel, config->kernel},
                                   .stride = {config->stride, config->stride},
                                   .padding = {padding, padding},
                                   .groups = config->groups,
                                   .has_bias = config->bias};
    TY_TRY(ty_graph_add(ctx, graph, TY_OP_CONV2D, &attrs, (const int[]){x}, y));
    ty_layer_set_init(graph, config->init);
    return TY_OK;
}
