/* A step's time before there is a GPU to take it: the sum over its launches of what a roofline
 * (Williams, Waterman & Patterson 2009) allows each. */
#include "trainer/trainer_private.h"

#include <string.h>

/* What real kernels reach of a data sheet: streaming kernels about 85 % of the bandwidth, library
 * products about 70 % of the peak where they are large. A launch is queued in about 3 us. */
static const double bandwidth_share = 0.85, flops_share = 0.7, launch_s = 3e-6;

enum { MOST_OTHERS = 16 }; /* rows of a prediction that are no op's */

typedef struct prediction {
    const ty_device *dev;
    const ty_device_info *info;
    ty_predicted *rows;
    int64_t n, room;
    int shards;
} prediction;

static double seconds_of(const prediction *p, const ty_op_cost *cost) {
    const double peak =
        p->info->peak_flops[cost->is_matrix ? p->info->precision : TY_PRECISION_FP32];
    const double moving = cost->bytes / (bandwidth_share * p->info->peak_bandwidth);
    const double computing = cost->flops / (flops_share * peak);
    return moving > computing ? moving : computing;
}

static void add(prediction *p, const char *op, const ty_op_cost *cost, int times) {
    if (p->n == p->room)
        return;
    const double seconds = seconds_of(p, cost);
    p->rows[p->n++] = (ty_predicted){.op = op,
                                     .cost = *cost,
                                     .times = times,
                                     .seconds = seconds > launch_s ? seconds : launch_s,
                                     .is_launch_bound = seconds < launch_s};
}

/* A kernel of our own over flat buffers. */
static void add_flat(prediction *p, const char *op, const char *kernel, double bytes, int times) {
    ty_op_cost cost = {.kernel = kernel, .bytes = bytes, .engine = "own"};
    ty_op_note_kernel(p->dev, &cost);
    if (times > 0)
        add(p, op, &cost, times);
}

/* Between host and GPU, a few KB: what counts is that they are queued. */
static void add_copy(prediction *p, const char *op, double bytes, int times) {
    const ty_op_cost cost = {.bytes = bytes, .engine = "a copy"};
    add(p, op, &cost, times);
}

static ty_status add_pass(ty_ctx *ctx, ty_trainer *trainer, prediction *p, bool is_backward) {
    const ty_plan *plan = &trainer->work[0].train;
    for (int k = 0; k < plan->graph->n_nodes; k++) {
        const int i = is_backward ? plan->graph->n_nodes - 1 - k : k;
        const ty_node *node = &plan->graph->nodes[i];
        ty_op_cost costs[TY_OP_MAX_COSTS];
        if (is_backward && !node->has_backward)
            continue;
        const int n = ty_op_costs(plan->dev, &plan->calls[i], is_backward, costs);
        const char *op = ty_arena_printf(&trainer->arena, "%s %s", ty_ops[node->op].name,
                                         is_backward ? "backward" : "forward");
        if (!op)
            return ty_fail_nomem(ctx, "the prediction");
        for (int c = 0; c < n; c++)
            add(p, op, &costs[c], p->shards);
    }
    return TY_OK;
}

/* Bytes a parameter of an optimizer's update: gradient, parameter and each slot, read and written. */
static double update_bytes(const ty_trainer *trainer) {
    const bool rounds =
        ty_device_describe(ty_lanes_device(trainer->lanes))->precision == TY_PRECISION_BF16;
    int n_slots = 0;
    (void)ty_optimizer_slots(&trainer->config->optimizer, &n_slots);
    return 12 + 8.0 * n_slots + (rounds ? 2 : 0);
}

/* Bytes of one row of all four inputs: sample, target, weight, number. */
static double input_bytes(const ty_graph *graph) {
    double bytes = sizeof(float) + sizeof(int64_t);
    const int inputs[] = {graph->x, graph->target};
    for (int i = 0; i < 2; i++) {
        const ty_value *value = &graph->values[inputs[i]];
        bytes += (double)(ty_shape_count(value->shape) / graph->rows) *
                 (double)ty_dtype_bytes(value->dtype);
    }
    return bytes;
}

/* What surrounds the passes over a shard (gradient.c, feed.c). Batches of a step travel on another
 * queue, beside the step before, yet the host queues them, too. */
static void add_shards(prediction *p, const ty_graph *graph, double all) {
    enum { INPUTS = 4 };
    const double rows = (double)graph->rows, row_bytes = TY_LOSS_ROW * sizeof(float);
    const double inputs = rows * input_bytes(graph) / INPUTS;
    add_copy(p, "batch in", inputs * p->shards, INPUTS);
    add_copy(p, "rows of a shard", 2 * inputs, INPUTS * p->shards);
    add_flat(p, "clear gradients", "flat_fill", 4 * all, p->shards);
    add_flat(p, "loss of a shard", "flat_loss", rows * (row_bytes + sizeof(float)), p->shards);
    add_copy(p, "loss rows out", rows * row_bytes, p->shards);
    add_flat(p, "sum of shards", "flat_add", 12 * all, p->shards - 1);
}

static int launches_for(int64_t n_segments) {
    return (int)((n_segments + TY_FLAT_SEGMENTS_AT_ONCE - 1) / TY_FLAT_SEGMENTS_AT_ONCE);
}

/* From the gradient to its verdict: norms of parameters' segments, and of what lies behind them. */
static void add_judgement(prediction *p, const ty_graph *graph, double all) {
    const int times = launches_for(graph->n_params) + 1;
    const double norm_bytes = 2 * sizeof(double) * ((double)graph->n_params + 1);
    add_flat(p, "norms", "flat_norm_parts", 4 * all / times, times);
    add_flat(p, "norms", "flat_norm_totals", norm_bytes / times, times);
    add_flat(p, "verdict", "flat_judge", norm_bytes, 1);
    add_copy(p, "norms, verdict out", norm_bytes / 2, 2);
}

/* The optimizer's kernel is called as its type is. */
static ty_status add_update(ty_ctx *ctx, ty_trainer *trainer, prediction *p) {
    const ty_graph *graph = &trainer->train_graph;
    const double n = (double)graph->params_count, n_stats = (double)graph->stats_count;
    const double all = (double)ty_gradient_count(trainer);
    const int times = launches_for(graph->n_params);
    const char *kernel =
        ty_arena_printf(&trainer->arena, "flat_%s", trainer->config->optimizer.row->type);
    if (!kernel)
        return ty_fail_nomem(ctx, "the prediction");
    add_shards(p, graph, all);
    add_judgement(p, graph, all);
    if (times > 0)
        add_flat(p, "update", kernel, update_bytes(trainer) * n / times, times);
    if (graph->n_stats > 0)
        add_flat(p, "running statistics", "flat_blend", 12 * n_stats / graph->n_stats,
                 graph->n_stats);
    return TY_OK;
}

static int64_t most_rows(const ty_trainer *trainer) {
    return 2 * (int64_t)trainer->train_graph.n_nodes * TY_OP_MAX_COSTS + MOST_OTHERS;
}

static void total(const ty_trainer *trainer, const prediction *p, ty_prediction *out) {
    *out = (ty_prediction){.rows = p->rows, .n_rows = p->n};
    for (int64_t i = 0; i < p->n; i++) {
        out->seconds += p->rows[i].seconds * p->rows[i].times;
        out->n_launches += p->rows[i].times;
    }
    const double flops = trainer->report.flops_per_step / trainer->geometry.ranks;
    out->samples_per_s = (double)trainer->geometry.batch / out->seconds;
    out->flops_share = flops / out->seconds / p->info->peak_flops[p->info->precision];
    const ty_plan *plan = &trainer->work[0].train;
    for (int i = 0; i < plan->graph->n_nodes; i++)
        if (plan->calls[i].workspace_bytes > out->workspace_bytes)
            out->workspace_bytes = plan->calls[i].workspace_bytes;
}

ty_status ty_trainer_predict(ty_ctx *ctx, ty_trainer *trainer, ty_prediction *out) {
    const ty_device *dev = ty_lanes_device(trainer->lanes);
    prediction p = {.dev = dev,
                    .info = ty_device_describe(dev),
                    .room = most_rows(trainer),
                    .shards = trainer->geometry.shards_of_rank};
    if (p.info->peak_bandwidth <= 0)
        return ty_fail(ctx, TY_ERR_CONFIG, "no prediction for %s: its peak rates are unknown",
                       p.info->model);
    p.rows = ty_arena_array(&trainer->arena, (size_t)p.room, sizeof *p.rows);
    if (!p.rows)
        return ty_fail_nomem(ctx, "the prediction");
    TY_TRY(add_pass(ctx, trainer, &p, false));
    TY_TRY(add_pass(ctx, trainer, &p, true));
    TY_TRY(add_update(ctx, trainer, &p));
    total(trainer, &p, out);
    return TY_OK;
}
