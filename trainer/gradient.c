/* One rank's part of a step. Lanes take shards from the tree in order; each shard runs one fixed
 * plan on one thread. */
#include "trainer/trainer_private.h"

#include <stdlib.h>
#include <string.h>

int64_t ty_gradient_count(const ty_trainer *trainer) {
    return trainer->train_graph.params_count + trainer->train_graph.stats_count + 1;
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
    const ty_reduction_options reduction = {.n = n,
                                            .is_exact = is_exact,
                                            .dev = ty_lanes_device(trainer->lanes),
                                            .is_staged = trainer->devices.is_staged};
    TY_TRY(ty_reduction_open_on(ctx, trainer->comm, &reduction, &trainer->reduction));
    TY_TRY(allocate_buffers(ctx, trainer));
    trainer->shard_sums =
        calloc((size_t)geometry->shards_of_rank * TY_SUM_COUNT, sizeof *trainer->shard_sums);
    if (!trainer->shard_sums)
        return ty_fail_nomem(ctx, "the shards' sums");
    const int64_t rows = geometry->rows * geometry->shards_of_rank;
    ty_device *dev = ty_lanes_device(trainer->lanes);
    void *loss_rows = NULL;
    TY_TRY(ty_device_alloc_host(ctx, dev, (size_t)rows * TY_LOSS_ROW * sizeof(float), &loss_rows));
    trainer->loss_rows = loss_rows;
    TY_TRY(ty_feed_open(ctx, dev, &trainer->train_graph, rows, &trainer->feed));
    return ty_shard_tree_open(ctx, geometry->shards_of_rank, geometry->lanes, trainer->buffers, n,
                              &trainer->tree);
}

/* The reduction first: it gives up what would keep the device busy for ever. */
void ty_gradient_close(ty_trainer *trainer) {
    ty_reduction_close(trainer->reduction);
    ty_shard_tree_close(trainer->tree);
    ty_feed_close(trainer->feed);
    if (trainer->lanes)
        ty_device_free_host(ty_lanes_device(trainer->lanes), trainer->loss_rows);
    for (int i = 1; trainer->buffers && i < trainer->n_buffers; i++)
        ty_device_free(ty_lanes_device(trainer->lanes), trainer->buffers[i]);
    free(trainer->buffers);
    free(trainer->shard_sums);
}

/* --- a shard ---------------------------------------------------------------------------------- */

/* Host memory of a shard's loss rows; of its first row in the batch. */
static float *rows_of(const ty_trainer *trainer, int shard) {
    return trainer->loss_rows + (size_t)shard * (size_t)trainer->geometry.rows * TY_LOSS_ROW;
}

static const float *weights_of(const ty_trainer *trainer, int shard) {
    return ty_feed_weights(trainer->feed) + (size_t)shard * (size_t)trainer->geometry.rows;
}

/* Each layer's gradient is given to the reduction as soon as it is complete: on GPUs its sum over
 * ranks then runs beside the rest of the backward pass. */
static ty_status backward_into_buckets(ty_ctx *ctx, const ty_trainer *trainer,
                                       const ty_plan *plan) {
    const int64_t params = trainer->train_graph.params_count;
    int64_t first, count;
    TY_TRY(
        ty_reduction_ready(ctx, trainer->reduction, params, ty_gradient_count(trainer) - params));
    for (int step = 0; step < plan->n_backward; step++) {
        TY_TRY(ty_plan_backward_step(ctx, plan, step, &first, &count));
        if (count > 0)
            TY_TRY(ty_reduction_ready(ctx, trainer->reduction, first, count));
    }
    return TY_OK;
}

/* The sum of losses rides along with the gradients, so that whether it is finite is known wherever
 * they are. A rank's only shard is its whole part: nothing will be added to it. */
static ty_status queue_backward(ty_ctx *ctx, const ty_trainer *trainer, const ty_plan *plan,
                                float *gradients) {
    const ty_graph *graph = plan->graph;
    const ty_tensor *rows = &plan->values[graph->loss_rows];
    float *loss = gradients + ty_gradient_count(trainer) - 1;
    TY_TRY(ty_flat_loss(ctx, plan->dev, rows->data, plan->values[graph->weight].data, graph->rows,
                        loss));
    return trainer->geometry.shards_of_rank == 1 ? backward_into_buckets(ctx, trainer, plan)
                                                 : ty_plan_backward(ctx, plan);
}

static ty_status compute_shard(ty_lane *lane, ty_trainer *trainer, int shard, float *gradients) {
    ty_plan *plan = &trainer->work[lane->index].train;
    const ty_tensor *loss_rows = &plan->values[plan->graph->loss_rows];
    plan->env.seed = (uint64_t)trainer->config->seed;
    plan->env.step = trainer->progress.step;
    ty_plan_bind_gradients(plan, gradients);
    TY_TRY(ty_feed_rows(lane->ctx, trainer->feed, plan, shard * trainer->geometry.rows));
    TY_TRY(ty_flat_fill(lane->ctx, lane->dev, gradients, ty_gradient_count(trainer), 0));
    TY_TRY(ty_plan_forward(lane->ctx, plan));
    TY_TRY(queue_backward(lane->ctx, trainer, plan, gradients));
    return ty_tensor_copy_out(lane->ctx, lane->dev, loss_rows, rows_of(trainer, shard));
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

ty_status ty_gradient_compute(ty_ctx *ctx, ty_trainer *trainer) {
    ty_shard_tree_begin(trainer->tree);
    return ty_lanes_run(ctx, trainer->lanes, compute_shards, trainer);
}

/* --- sums over samples ------------------------------------------------------------------------ */

double ty_gradient_weight(const ty_trainer *trainer) {
    double sum;
    for (int shard = 0; shard < trainer->geometry.shards_of_rank; shard++) {
        const float *weight = weights_of(trainer, shard);
        trainer->shard_sums[shard] = 0;
        for (int64_t i = 0; i < trainer->geometry.rows; i++)
            trainer->shard_sums[shard] += (double)weight[i];
    }
    ty_shard_tree_sum(trainer->shard_sums, trainer->geometry.shards_of_rank, 1, &sum);
    return sum;
}

/* In the order of rows, in double. A row without a class (its target is ignored) is no hit. */
static void sum_rows(const float *rows, const float *weight, int64_t n, double out[TY_SUM_COUNT]) {
    memset(out, 0, TY_SUM_COUNT * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * TY_LOSS_ROW;
        const double w = (double)weight[i];
        out[TY_SUM_LOSS] += w == 0 ? 0 : w * (double)row[0];
        out[TY_SUM_WEIGHT] += w;
        out[TY_SUM_HITS] += row[1] >= 0 && row[3] == 0 ? w : 0;
    }
}

void ty_gradient_sums(const ty_trainer *trainer, double out[TY_SUM_COUNT]) {
    for (int shard = 0; shard < trainer->geometry.shards_of_rank; shard++)
        sum_rows(rows_of(trainer, shard), weights_of(trainer, shard), trainer->geometry.rows,
                 trainer->shard_sums + (size_t)shard * TY_SUM_COUNT);
    ty_shard_tree_sum(trainer->shard_sums, trainer->geometry.shards_of_rank, TY_SUM_COUNT, out);
}
