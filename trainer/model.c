/* A model is a chain of layers between normalised samples and a loss. */
#include "trainer/model.h"

#include "trainer/layers/layers.h"
#include "trainer/losses/losses.h"

static ty_status add_inputs(ty_ctx *ctx, ty_graph *graph, const ty_data_info *data) {
    ty_shape x = {.rank = 1 + data->x_rank, .dims = {graph->rows}};
    for (int i = 0; i < data->x_rank; i++)
        x.dims[i + 1] = data->x_dims[i];
    const ty_shape per_sample = {.rank = 1, .dims = {graph->rows}};
    const ty_shape targets = {.rank = 2, .dims = {graph->rows, data->n_outputs}};
    TY_TRY(ty_graph_input(ctx, graph, data->x_is_u8 ? TY_DTYPE_U8 : TY_DTYPE_F32, x, &graph->x));
    TY_TRY(ty_graph_input(ctx, graph, data->is_classification ? TY_DTYPE_I32 : TY_DTYPE_F32,
                          data->is_classification ? per_sample : targets, &graph->target));
    return ty_graph_input(ctx, graph, TY_DTYPE_F32, per_sample, &graph->weight);
}

static ty_status add_normalize(ty_ctx *ctx, ty_graph *graph, const ty_data_info *data, int *y) {
    const ty_normalize_attrs attrs = {
        .n_channels = data->n_channels, .mean = data->mean, .inverse_std = data->inverse_std};
    return ty_graph_add(ctx, graph, TY_OP_NORMALIZE, &attrs, (const int[]){graph->x}, y);
}

static ty_status add_layers(ty_ctx *ctx, ty_graph *graph, const ty_variants *layers, int *value) {
    if (layers->n == 0)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "model.layers is empty, want at least {\"type\": \"linear\"}");
    for (int64_t i = 0; i < layers->n; i++)
        TY_TRY(ty_layer_append(ctx, graph, &layers->v[i], *value, value));
    return TY_OK;
}

ty_status ty_model_build(ty_ctx *ctx, const ty_train_config *config, const ty_data_info *data,
                         int64_t rows, bool is_training, ty_graph *out) {
    int value;
    ty_graph_init(out, is_training, rows, data->n_outputs);
    TY_TRY(add_inputs(ctx, out, data));
    TY_TRY(add_normalize(ctx, out, data, &value));
    TY_TRY(add_layers(ctx, out, &config->model.layers, &value));
    TY_TRY(ty_loss_append(ctx, out, &config->loss, value, &out->loss_rows));
    out->values[out->loss_rows].role = TY_VALUE_ROWS;
    if (out->n_params == 0)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "model.layers has no layer that learns: add a linear or conv2d one");
    ty_graph_fuse(out);
    return is_training ? ty_graph_differentiate(ctx, out) : TY_OK;
}
