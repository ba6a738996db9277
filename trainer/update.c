/* The reduced gradient becomes an update. Lanes share the work by ranges of the flat buffers; what
 * they compute is elementwise or per segment, so their number changes no bit. Every rank does all
 * of it. */
#include "trainer/trainer_private.h"

#include <math.h>
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
    void *norms = NULL, *stats = NULL;
    TY_TRY(ty_device_alloc(ctx, dev, bytes, &norms));
    trainer->norms = norms;
    TY_TRY(ty_device_alloc(ctx, dev, (size_t)(trainer->train_graph.stats_count + 1) * sizeof(float),
                           &stats));
    trainer->mean_stats = stats;
    trainer->norms_host = calloc(1, bytes);
    if (!trainer->norms_host)
        return ty_fail_nomem(ctx, "gradient norms");
    return cut_segments(ctx, trainer);
}

void ty_update_close(ty_trainer *trainer) {
    for (int i = 0; trainer->work && i < trainer->geometry.lanes; i++)
        free(trainer->work[i].segments);
    if (!trainer->lanes)
        return;
    ty_device_free(ty_lanes_device(trainer->lanes), trainer->norms);
    ty_device_free(ty_lanes_device(trainer->lanes), trainer->mean_stats);
    free(trainer->norms_host);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* Lane i has the segments that begin in the i-th part of the flat buffer. */
static bool is_mine(const ty_trainer *trainer, const ty_segment *segment, int lane) {
    const int64_t elements = trainer->train_graph.params_count;
    return segment->offset * trainer->geometry.lanes / elements == lane;
}

static ty_status norm_segments(ty_lane *lane, void *arg) {
    ty_trainer *trainer = arg;
    const ty_graph *graph = &trainer->train_graph;
    const float *sum = ty_reduction_out(trainer->reduction);
    for (int i = 0; i < graph->n_params; i++) {
        const ty_segment *segment = &graph->params[i];
        if (is_mine(trainer, segment, lane->index))
            TY_TRY(ty_flat_norm(lane->ctx, lane->dev, sum + segment->offset, segment->count,
                                trainer->norms + 2 * i));
    }
    if (lane->index == 0 && graph->stats_count > 0)
        TY_TRY(ty_flat_norm(lane->ctx, lane->dev, sum + graph->params_count, graph->stats_count,
                            trainer->norms + 2 * graph->n_params));
    return ty_device_sync(lane->ctx, lane->dev);
}

ty_status ty_update_inspect(ty_ctx *ctx, ty_trainer *trainer, ty_step_report *report) {
    ty_device *dev = ty_lanes_device(trainer->lanes);
    const size_t rows = norm_rows(trainer);
    TY_TRY(ty_lanes_run(ctx, trainer->lanes, norm_segments, trainer));
    TY_TRY(ty_device_copy_out(ctx, dev, trainer->norms_host, trainer->norms,
                              rows * 2 * sizeof(double)));
    TY_TRY(ty_device_sync(ctx, dev));
    double squares = 0, nonfinite = 0;
    for (size_t i = 0; i < rows; i++) {
        squares += i + 1 < rows ? trainer->norms_host[2 * i] : 0;
        nonfinite += trainer->norms_host[2 * i + 1];
    }
    report->gradient_norm = sqrt(squares) / report->sums[TY_SUM_WEIGHT];
    report->n_nonfinite = (int64_t)nonfinite;
    return TY_OK;
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
                                 .grad_scale = trainer->grad_scale,
                                 .step = trainer->progress.updates + 1};
    TY_TRY(ty_optimizer_run(lane->ctx, lane->dev, &trainer->config->optimizer, &args));
    return ty_device_sync(lane->ctx, lane->dev);
}

/* running += momentum (mean over shards - running), each layer with its own momentum. */
static ty_status follow_statistics(ty_ctx *ctx, ty_trainer *trainer) {
    ty_device *dev = ty_lanes_device(trainer->lanes);
    const ty_graph *graph = &trainer->train_graph;
    const float *sum = ty_reduction_out(trainer->reduction) + graph->params_count;
    if (graph->stats_count == 0)
        return TY_OK;
    TY_TRY(ty_flat_copy(ctx, dev, trainer->mean_stats, sum, graph->stats_count));
    TY_TRY(ty_flat_scale(ctx, dev, trainer->mean_stats, graph->stats_count,
                         1.0f / (float)trainer->geometry.shards));
    for (int i = 0; i < graph->n_stats; i++) {
        const ty_segment *stat = &graph->stats[i];
        TY_TRY(ty_flat_blend(ctx, dev, trainer->state.stats + stat->offset,
                             trainer->mean_stats + stat->offset, stat->count,
                             (float)stat->learning_rate));
    }
    return ty_device_sync(ctx, dev);
}

/* Gradients are sums over samples: 1 / total weight makes them means, and clipping shortens
 * them. */
static double scale_of(const ty_trainer *trainer, const ty_step_report *report) {
    const double most = trainer->config->train.max_grad_norm;
    const double clip = most > 0 && report->gradient_norm > most ? most / report->gradient_norm : 1;
    return clip / report->sums[TY_SUM_WEIGHT];
}

ty_status ty_update_apply(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) {
    trainer->grad_scale = scale_of(trainer, report);
    trainer->learning_rate = report->learning_rate;
    TY_TRY(ty_lanes_run(ctx, trainer->lanes, update_range, trainer));
    TY_TRY(follow_statistics(ctx, trainer));
    trainer->progress.updates++;
    return TY_OK;
}
