/* The reduced gradient becomes an update. Lanes share the work by ranges of the flat buffers; what
 * they compute is elementwise or per segment, so their number changes no bit. Every rank does all
 * of it. */
#include "trainer/trainer_private.h"

#include <stdlib.h>

/* A row of norms per segment, and one for the batch statistics. */
static size_t norm_rows(const ty_trainer *trainer) {
    return (size_t)trainer->train_graph.n_params + 1;
}

static ty_status cut_segments(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_graph *graph = &trainer->train_graph;
    const int lanes = trainer->geometry.lanes;
    for (int i = 0; i < lanes; i++) {
        ty_lane_work *work = &trainer->work[i];
        work->segments = calloc((size_t)graph->n_params, sizeof *work->segments);
        if (!work->segments)
            return ty_fail_nomem(ctx, "the update's ranges");
        work->n_segments = ty_state_cut(graph->params, graph->n_params, graph->params_count, i,
                                        lanes, work->segments);
    }
    return TY_OK;
}

ty_status ty_update_open(ty_ctx *ctx, ty_trainer *trainer) {
    ty_device *dev = ty_lanes_device(trainer->lanes);
    const size_t bytes = norm_rows(trainer) * 2 * sizeof(double);
    void *memory = NULL;
    TY_TRY(ty_device_alloc(ctx, dev, bytes, &memory));
    trainer->norms = memory;
    TY_TRY(ty_device_alloc_host(ctx, dev, bytes, &memory));
    trainer->norms_host = memory;
    TY_TRY(ty_device_alloc(ctx, dev, sizeof *trainer->verdict, &memory));
    trainer->verdict = memory;
    TY_TRY(ty_device_alloc_host(ctx, dev, sizeof *trainer->verdict, &memory));
    trainer->verdict_host = memory;
    return cut_segments(ctx, trainer);
}

void ty_update_close(ty_trainer *trainer) {
    for (int i = 0; trainer->work && i < trainer->geometry.lanes; i++)
        free(trainer->work[i].segments);
    if (!trainer->lanes)
        return;
    ty_device *dev = ty_lanes_device(trainer->lanes);
    ty_device_free(dev, trainer->norms);
    ty_device_free(dev, trainer->verdict);
    ty_device_free_host(dev, trainer->norms_host);
    ty_device_free_host(dev, trainer->verdict_host);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* Lane i has the segments that begin in the i-th part of the flat buffer; they follow each other. */
static int first_segment(const ty_trainer *trainer, int lane) {
    const ty_graph *graph = &trainer->train_graph;
    const int lanes = trainer->geometry.lanes;
    int i = 0;
    while (i < graph->n_params && graph->params[i].offset * lanes / graph->params_count < lane)
        i++;
    return i;
}

static ty_status norm_segments(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    const ty_graph *graph = &trainer->train_graph;
    const float *sum = ty_reduction_out(trainer->reduction);
    const int first = first_segment(trainer, lane->index);
    const int end = first_segment(trainer, lane->index + 1);
    TY_TRY(ty_flat_norms(lane->ctx, lane->dev, sum, graph->params + first, end - first,
                         trainer->norms + 2 * (size_t)first));
    const ty_segment rest = {.offset = graph->params_count, .count = graph->stats_count + 1};
    if (lane->index == 0)
        TY_TRY(ty_flat_norms(lane->ctx, lane->dev, sum, &rest, 1,
                             trainer->norms + 2 * (size_t)graph->n_params));
    return TY_OK;
}

static ty_status judge(ty_ctx *ctx, const ty_trainer *trainer, double total_weight) {
    const ty_judge_args args = {.norms = trainer->norms,
                                .n_gradient_rows = trainer->train_graph.n_params,
                                .n_rows = (int64_t)norm_rows(trainer),
                                .total_weight = total_weight,
                                .max_norm = trainer->config->train.max_grad_norm,
                                .verdict = trainer->verdict};
    return ty_flat_judge(ctx, ty_lanes_device(trainer->lanes), &args);
}

/* --- changing --------------------------------------------------------------------------------- */

static ty_status update_range(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    const ty_lane_work *work = &trainer->work[lane->index];
    const ty_update_args args = {.params = trainer->state.params,
                                 .grads = ty_reduction_out(trainer->reduction),
                                 .slots = trainer->state.slots,
                                 .segments = work->segments,
                                 .n_segments = work->n_segments,
                                 .learning_rate = trainer->learning_rate,
                                 .verdict = trainer->verdict,
                                 .params_bf16 = trainer->state.params_bf16,
                                 .step = trainer->progress.updates + 1};
    return ty_optimizer_run(lane->ctx, lane->dev, &trainer->config->optimizer, &args);
}

/* running += momentum (mean over shards - running), each layer with its own momentum. */
static ty_status follow_statistics(ty_ctx *ctx, ty_trainer *trainer) {
    ty_device *dev = ty_lanes_device(trainer->lanes);
    const ty_graph *graph = &trainer->train_graph;
    const float *sum = ty_reduction_out(trainer->reduction) + graph->params_count;
    for (int i = 0; i < graph->n_stats; i++) {
        const ty_segment *stat = &graph->stats[i];
        const ty_blend_args blend = {.to = trainer->state.stats + stat->offset,
                                     .from = sum + stat->offset,
                                     .n = stat->count,
                                     .rate = (float)stat->learning_rate,
                                     .from_scale = 1.0f / (float)trainer->geometry.shards,
                                     .verdict = trainer->verdict};
        TY_TRY(ty_flat_blend(ctx, dev, &blend));
    }
    return TY_OK;
}

ty_status ty_update_run(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) {
    ty_device *dev = ty_lanes_device(trainer->lanes);
    trainer->learning_rate = report->learning_rate;
    TY_TRY(ty_lanes_run(ctx, trainer->lanes, norm_segments, trainer));
    TY_TRY(judge(ctx, trainer, report->sums[TY_SUM_WEIGHT]));
    TY_TRY(ty_lanes_run(ctx, trainer->lanes, update_range, trainer));
    TY_TRY(follow_statistics(ctx, trainer));
    TY_TRY(ty_device_copy_out(ctx, dev, trainer->norms_host, trainer->norms,
                              norm_rows(trainer) * 2 * sizeof(double)));
    return ty_device_copy_out(ctx, dev, trainer->verdict_host, trainer->verdict,
                              sizeof *trainer->verdict);
}

void ty_update_hear(const ty_trainer *trainer, ty_step_report *report) {
    report->gradient_norm = trainer->verdict_host->gradient_norm;
    report->n_nonfinite = (int64_t)trainer->verdict_host->n_nonfinite;
    report->is_skipped = trainer->verdict_host->is_skipped != 0;
}
