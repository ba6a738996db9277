/* What was planned, in numbers that are known before anything runs. */
#include "trainer/trainer_private.h"

#include <inttypes.h>

size_t ty_report_arena(const ty_lane_work *work) {
    return work->train.arena_bytes > work->eval.arena_bytes ? work->train.arena_bytes
                                                            : work->eval.arena_bytes;
}

static const char *shape_text(ty_arena *arena, ty_shape shape) {
    ty_text text = {0};
    for (int i = 1; i < shape.rank; i++)
        ty_text_addf(&text, "%s%" PRId64, i > 1 ? "x" : "", shape.dims[i]);
    char *out = text.is_short ? NULL : ty_arena_string(arena, ty_text_string(&text));
    ty_text_clear(&text);
    return out;
}

ty_status ty_report_layers(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_graph *graph =
        trainer->options.is_forward_only ? &trainer->eval_graph : &trainer->train_graph;
    trainer->layers =
        ty_arena_array(&trainer->arena, (size_t)graph->n_layers + 1, sizeof *trainer->layers);
    if (!trainer->layers)
        return ty_fail_nomem(ctx, "the model's table");
    /* Of a step; of one block where nothing is trained. */
    const double shards = trainer->options.is_forward_only ? 1 : trainer->geometry.shards;
    for (int i = 0; i < graph->n_layers; i++) {
        const ty_graph_layer *layer = &graph->layers[i];
        const char *shape = shape_text(&trainer->arena, layer->shape);
        if (!shape)
            return ty_fail_nomem(ctx, "the model's table");
        trainer->layers[i] = (ty_layer_row){.name = layer->name,
                                            .type = layer->type,
                                            .output_shape = shape,
                                            .parameters = layer->parameters,
                                            .flops = layer->flops * shards};
    }
    return TY_OK;
}

/* What one row of a batch takes: x, y, weight and id. */
static int64_t row_bytes(const ty_data_info *data) {
    const int64_t x = data->x_count * (data->x_is_u8 ? 1 : 4);
    const int64_t y = data->is_classification ? 4 : 4 * data->n_outputs;
    return x + y + 4 + 8;
}

int ty_trainer_depth(const ty_trainer *trainer) {
    enum { AHEAD_BYTES = 4 << 20, LEAST = 3, MOST = 16 };
    const int64_t rows = trainer->geometry.rows * trainer->geometry.shards_of_rank;
    const int64_t depth = AHEAD_BYTES / (rows * row_bytes(trainer->data));
    return depth < LEAST ? LEAST : depth > MOST ? MOST : (int)depth;
}

static int64_t loader_bytes(const ty_trainer *trainer, bool trains) {
    const ty_geometry *geometry = &trainer->geometry;
    const int64_t training = geometry->rows * geometry->shards_of_rank;
    const int64_t rows = (trains ? training * ty_trainer_depth(trainer) : 0) +
                         geometry->eval_rows * geometry->lanes * 2;
    return rows * row_bytes(trainer->data);
}

static int64_t bytes_of_floats(int64_t n) {
    return n * (int64_t)sizeof(float);
}

/* Both places of the feeds, which lie on the host and on the GPU. */
static int64_t feed_bytes(const ty_trainer *trainer, bool trains) {
    const ty_geometry *geometry = &trainer->geometry;
    const int64_t rows = (trains ? geometry->rows * geometry->shards_of_rank : 0) +
                         geometry->eval_rows * geometry->lanes;
    return 2 * rows * row_bytes(trainer->data);
}

/* What only a GPU has: batches on their way, the parameters' copy in bf16. */
static int64_t gpu_bytes(const ty_trainer *trainer, bool trains) {
    const bool rounds = trainer->config->train.precision == TY_PRECISION_BF16;
    return feed_bytes(trainer, trains) + (rounds ? trainer->eval_graph.params_count * 2 : 0);
}

/* Whether ranks have a sum beside their parts: on the CPU, and on GPUs in exact sums of slices. */
static bool has_second_sum(const ty_trainer *trainer) {
    const bool by_slices =
        trainer->config->train.reduction == TY_REDUCE_EXACT && !trainer->devices.is_staged;
    return trainer->geometry.ranks > 1 && (!trainer->report.is_gpu || by_slices);
}

static void add_up_memory(const ty_trainer *trainer, ty_train_report *report) {
    const ty_geometry *geometry = &trainer->geometry;
    const ty_graph *graph = &trainer->train_graph;
    int n_slots = 0;
    (void)ty_optimizer_slots(&trainer->config->optimizer, &n_slots);
    const bool trains = !trainer->options.is_forward_only;
    const int64_t gradient = trains ? bytes_of_floats(ty_gradient_count(trainer)) : 0;
    /* One more than the tree's where ranks have a sum beside their parts. */
    const int64_t tree =
        trains ? ty_shard_tree_buffers(geometry->shards_of_rank, geometry->lanes) : 0;
    const int64_t buffers = tree + (trains && has_second_sum(trainer) ? 1 : 0);
    report->bytes_parameters =
        bytes_of_floats(trainer->eval_graph.params_count + trainer->eval_graph.stats_count);
    report->bytes_gradients = gradient * buffers;
    report->bytes_optimizer = trains ? bytes_of_floats(graph->params_count) * n_slots : 0;
    report->bytes_activations = (int64_t)ty_report_arena(&trainer->work[0]);
    const int64_t state = report->bytes_parameters + report->bytes_optimizer;
    const bool stages = trains && geometry->rank == 0 && trainer->options.run_folder;
    const int64_t on_host = loader_bytes(trainer, trains) + (stages ? state : 0);
    report->bytes_total = state + report->bytes_gradients +
                          report->bytes_activations * geometry->lanes +
                          (report->is_gpu ? gpu_bytes(trainer, trains) : on_host);
    report->bytes_host = report->is_gpu ? on_host + state + feed_bytes(trainer, trains) : 0;
}

void ty_report_write(ty_trainer *trainer) {
    const ty_geometry *geometry = &trainer->geometry;
    ty_train_report *report = &trainer->report;
    report->parameters = ty_graph_parameters(&trainer->eval_graph);
    report->lanes = geometry->lanes;
    report->micro_batch = geometry->rows;
    report->shards = geometry->shards;
    report->global_batch = geometry->batch;
    report->steps_per_epoch =
        (trainer->extent.samples_per_epoch + geometry->batch - 1) / geometry->batch;
    report->total_steps = trainer->extent.total_steps;
    for (int i = 0; i < trainer->train_graph.n_layers; i++)
        report->flops_per_step += trainer->train_graph.layers[i].flops * geometry->shards;
    add_up_memory(trainer, report);
}
