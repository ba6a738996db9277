/* What the model says of samples that nobody has labelled: the value that the loss would read. */
#include "trainer/trainer_private.h"

#include <stdlib.h>

typedef struct inference {
    ty_pass pass; /* first: blocks see only this */
    const ty_infer_sink *sink;
    int64_t block_floats;
    float *outputs; /* [lanes][block_floats] */
} inference;

/* The value that the loss reads: logits, or predicted numbers. */
static const ty_tensor *outputs_of(const ty_plan *plan) {
    const ty_graph *graph = plan->graph;
    const ty_node *loss = &graph->nodes[graph->values[graph->loss_rows].producer];
    return &plan->values[loss->x[0]];
}

static ty_status take_block(ty_lane *lane, const ty_pass *pass, int64_t first) {
    const inference *in = (const inference *)(const void *)pass;
    const int64_t rows = pass->trainer->geometry.eval_rows;
    const int64_t at = ty_pass_position(pass, pass->rank, pass->batch, first);
    float *outputs = in->outputs + lane->index * in->block_floats;
    TY_TRY(ty_tensor_copy_out(lane->ctx, lane->dev,
                              outputs_of(&pass->trainer->work[lane->index].eval), outputs));
    TY_TRY(ty_device_sync(lane->ctx, lane->dev));
    return in->sink->block(lane->ctx, in->sink->self, lane->index, at,
                           pass->n - at < rows ? pass->n - at : rows, outputs);
}

static ty_status end_batch(ty_ctx *ctx, const ty_pass *pass) {
    const inference *in = (const inference *)(const void *)pass;
    const int64_t rows = pass->trainer->geometry.eval_rows;
    const int64_t before = ty_pass_position(pass, pass->rank, pass->batch, 0);
    const int64_t taken = pass->n - before < pass->rank_rows ? pass->n - before : pass->rank_rows;
    return in->sink->batch(ctx, in->sink->self, (int)((taken + rows - 1) / rows), before + taken);
}

static bool is_of_shape(const ty_trainer *trainer, const ty_dataset *data) {
    const ty_data_info *of = trainer->data, *info = ty_dataset_info(data);
    return of->x_is_u8 == info->x_is_u8 && of->x_count == info->x_count &&
           of->is_classification == info->is_classification && of->n_outputs == info->n_outputs;
}

ty_status ty_trainer_infer(ty_ctx *ctx, ty_trainer *trainer, const ty_dataset *data, ty_split split,
                           const ty_infer_sink *sink) {
    inference in = {.sink = sink};
    if (trainer->options.is_plan_only || !is_of_shape(trainer, data))
        return ty_fail(ctx, TY_ERR_ARG,
                       "this trainer was opened to plan, or for samples of another shape");
    ty_pass_init(&in.pass, trainer, data, split, false);
    in.pass.block = take_block;
    in.pass.batch_done = end_batch;
    in.block_floats = trainer->geometry.eval_rows * trainer->data->n_outputs;
    in.outputs = calloc((size_t)(in.block_floats * trainer->geometry.lanes), sizeof *in.outputs);
    if (!in.outputs)
        return ty_fail_nomem(ctx, "predictions");
    const ty_status st = ty_pass_run(ctx, &in.pass);
    free(in.outputs);
    return st;
}

int ty_trainer_infer_slots(const ty_trainer *trainer) {
    return trainer->geometry.lanes;
}

uint64_t ty_trainer_model_hash(const ty_trainer *trainer) {
    const ty_graph *graph = trainer->state.graph;
    uint64_t hash = ty_state_hash(&trainer->state);
    for (int i = 0; i < graph->n_stats; i++) {
        const ty_segment *segment = &graph->stats[i];
        hash = ty_hash64_pair(&hash, sizeof hash, trainer->state.host.stats + segment->offset,
                              (size_t)segment->count * sizeof(float));
    }
    return hash;
}
