/* The table of layers: what may stand in model.layers. A layer is one file with its keys (rows) and
 * a build function that appends nodes to a graph, and one line here. */
#ifndef TY_TRAINER_LAYERS_LAYERS_H
#define TY_TRAINER_LAYERS_LAYERS_H

#include "trainer/graph.h"

/* X(type, rows or NULL, help) */
#define TY_LAYER_ROWS(X)                                                                           \
    X(conv2d, &ty_conv2d_rows, "2-D convolution over [channels, height, width]")                   \
    X(linear, &ty_linear_rows, "fully connected layer; the last one needs no out")                 \
    X(batch_norm, &ty_batch_norm_rows, "batch normalisation (Ioffe & Szegedy 2015)")               \
    X(relu, NULL, "max(x, 0)")                                                                     \
    X(gelu, NULL, "x times the normal distribution function of x")                                 \
    X(silu, NULL, "x times sigmoid(x)")                                                            \
    X(tanh, NULL, "hyperbolic tangent")                                                            \
    X(sigmoid, NULL, "1 / (1 + exp(-x))")                                                          \
    X(max_pool, &ty_pool_rows, "largest value of each window")                                     \
    X(avg_pool, &ty_pool_rows, "mean of each window, padding left out")                            \
    X(global_avg_pool, NULL, "mean of each plane; leaves [channels]")                              \
    X(dropout, &ty_dropout_rows, "zeroes a share of the values while training")                    \
    X(flatten, NULL, "[channels, height, width] to [features]")

enum { TY_LAYER_CONFIG_BYTES = 64 }; /* room for any layer's keys */

/* Appends the layer's nodes behind value x; *y is its output. config is what the rows filled. */
typedef ty_status ty_layer_build(ty_ctx *ctx, ty_graph *graph, const void *config, int x, int *y);

#define TY_LAYER_DECLARE(type, rows, help) ty_layer_build ty_layer_##type;
TY_LAYER_ROWS(TY_LAYER_DECLARE)
#undef TY_LAYER_DECLARE

extern const ty_rows ty_conv2d_rows, ty_linear_rows, ty_batch_norm_rows, ty_pool_rows,
    ty_dropout_rows;

/* For config.c; ends with a row of type NULL. */
extern const ty_variant_row ty_layer_variants[];

/* Builds one layer of a config. Errors: TY_ERR_CONFIG with the layer's path. */
ty_status ty_layer_append(ty_ctx *ctx, ty_graph *graph, const ty_variant *layer, int x,
                          int *y) TY_MUST_USE;

/* Whether value x is [channels, height, width] a sample. Errors: TY_ERR_CONFIG, its path left to the
 * caller. */
ty_status ty_layer_wants_image(ty_ctx *ctx, const ty_graph *graph, int x) TY_MUST_USE;

/* "init" of layers with weights: index 0 leaves the op's own choice. set_init gives the first
 * parameter of the newest node another start. */
extern const char *const ty_layer_inits[];
void ty_layer_set_init(ty_graph *graph, int choice);

#endif
