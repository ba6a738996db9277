/* One rank's part of a step. Lanes take shards from the tree in order; each shard runs one fixed
 * plan on one thread. */
#include "trainer/trainer_private.h"

#include <stdlib.h>
#include <string.h>

int64_t ty_gradient_count(const ty_trainer *trainer) {
    return trainer->train_graph.params_count + trainer->train_graph.stats_count;
}

static ty_status allocate_buffers(ty_ctx *ctx, ty_trainer *trainer) {
    const int64_t n = ty_gradient_count(trainer);
    trainer->n_buffers =
        ty_shard_tree_buffers(trainer->geometry.shards_of_rank, trainer->geometry.lanes);
    trainer->buffers = calloc((size_t)trainer->n_buffers, sizeof *trainer->buffers);
    if (!trainer->buffers)
        return ty_fail_nomem(ctx, "gradient buffers");
    trainer->buffers[0] = ty_reduction_in(trainer->reduction);
    for (int i = 1; i < trainer->n_buffers; i++) {
        void *memory = NULL;
        TY_TRY(ty_device_alloc(ctx, ty_lanes_device(trainer->lanes), (size_t)n * sizeof(float),
                               &memory));
        trainer->buffers[i] = memory;
    }
    return TY_OK;
}

ty_status ty_gradient_open(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_geometry *geometry = &trainer->geometry;
    const int64_t n = ty_gradient_count(trainer);
    const bool is_exact = trainer->config->train.reduction == TY_REDUCE_EXACT;
    TY_TRY(ty_reduction_open(ctx, trainer->comm, n, is_exact, &trainer->reduction));
    TY_TRY(allocate_buffers(ctx, trainer));
    trainer->shard_sums =
        calloc((size_t)geometry->shards_of_rank * TY_SUM_COUNT, sizeof *trainer->shard_sums);
    if (!trainer->shard_sums)
        return ty_fail_nomem(ctx, "the shards' sums");
    return ty_shard_tree_open(ctx, geometry->shards_of_rank, geometry->lanes, trainer->buffers, n,
                              &trainer->tree);
}

void ty_gradient_close(ty_trainer *trainer) {
    ty_shard_tree_close(trainer->tree);
    for (int i = 1; trainer->buffers && i < trainer->n_buffers; i++)
        ty_device_free(ty_lanes_device(trainer->lanes), trainer->buffers[i]);
    free(trainer->buffers);
    free(trainer->shard_sums);
    ty_reduction_close(trainer->reduction);
}

/* --- a shard ---------------------------------------------------------------------------------- */

static ty_status copy_rows_in(ty_ctx *ctx, const ty_plan *plan, int value, const void *from,
                              int64_t first_row) {
    const ty_tensor *to = &plan->values[value];
    const size_t row_bytes = to->bytes / (size_t)plan->graph->rows;
    const char *host = (const char *)from + (size_t)first_row * row_bytes;
    return ty_device_copy_in(ctx, plan->dev, to->data, host, to->bytes);
}

static ty_status copy_shard_in(ty_ctx *ctx, const ty_plan *plan, const ty_batch *batch,
                               int64_t first_row) {
    const ty_graph *graph = plan->graph;
    TY_TRY(copy_rows_in(ctx, plan, graph->x, batch->x, first_row));
    TY_TRY(copy_rows_in(ctx, plan, graph->target, batch->y, first_row));
    TY_TRY(copy_rows_in(ctx, plan, graph->weight, batch->weight, first_row));
    return ty_device_copy_in(ctx, plan->dev, plan->sample_ids, batch->sample + first_row,
                             (size_t)graph->rows * sizeof *batch->sample);
}

/* In the order of rows, in double. */
static void sum_rows(const float *rows, const float *weight, int64_t n, double out[TY_SUM_COUNT]) {
    memset(out, 0, TY_SUM_COUNT * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * TY_LOSS_ROW;
        const double w = (double)weight[i];
        out[TY_SUM_LOSS] += w * (double)row[0];
        out[TY_SUM_WEIGHT] += w;
        out[TY_SUM_HITS] += row[3] == 0 ? w : 0;
    }
}

static ty_status compute_shard(ty_lane *lane, ty_trainer *trainer, int shard, float *gradients) {
    ty_lane_work *work = &trainer->work[lane->index];
    ty_plan *plan = &work->train;
    const int64_t rows = trainer->geometry.rows;
    const ty_tensor *loss_rows = &plan->values[plan->graph->loss_rows];
    plan->env.seed = (uint64_t)trainer->config->seed;
    plan->env.step = trainer->progress.step;
    ty_plan_bind_gradients(plan, gradients);
    TY_TRY(copy_shard_in(lane->ctx, plan, trainer->batch, shard * rows));
    TY_TRY(ty_flat_fill(lane->ctx, lane->dev, gradients, ty_gradient_count(trainer), 0));
    TY_TRY(ty_plan_forward(lane->ctx, plan));
    TY_TRY(ty_plan_backward(lane->ctx, plan));
    TY_TRY(ty_tensor_copy_out(lane->ctx, lane->dev, loss_rows, work->rows));
    TY_TRY(ty_device_sync(lane->ctx, lane->dev));
    sum_rows(work->rows, trainer->batch->weight + shard * rows, rows,
             trainer->shard_sums + (size_t)shard * TY_SUM_COUNT);
    return TY_OK;
}

static ty_status compute_shards(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    ty_status st = TY_OK;
    int shard;
    float *gradients;
    while (st == TY_OK && ty_shard_tree_take(trainer->tree, &shard, &gradients)) {
        st = compute_shard(lane, trainer, shard, gradients);
        if (st == TY_OK)
            st = ty_shard_tree_give(lane->ctx, lane->dev, trainer->tree, shard);
    }
    if (st != TY_OK)
        ty_shard_tree_fail(trainer->tree);
    return st;
}

ty_status ty_gradient_compute(ty_ctx *ctx, ty_trainer *trainer, const ty_batch *batch,
                              double out[TY_SUM_COUNT]) {
    trainer->batch = batch;
    ty_shard_tree_begin(trainer->tree);
    TY_TRY(ty_lanes_run(ctx, trainer->lanes, compute_shards, trainer));
    ty_shard_tree_sum(trainer->shard_sums, trainer->geometry.shards_of_rank, TY_SUM_COUNT, out);
    return TY_OK;
}
