/* A step's time before there is a GPU to take it: the sum over its launches of what a roofline
 * (Williams, Waterman & Patterson 2009) allows each. */
#include "trainer/trainer_private.h"

#include <string.h>

/* What real kernels reach of a data sheet: streaming kernels about 85 % of the bandwidth, library
 * products about 70 % of the peak where they are large. A launch is queued in about 3 us. */
static const double bandwidth_share = 0.85, flops_share = 0.7, launch_s = 3e-6;

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

/* Its kernel is called as its type is. */
static ty_status add_update(ty_ctx *ctx, ty_trainer *trainer, prediction *p) {
    const double n = (double)trainer->train_graph.params_count;
    const double all = (double)ty_gradient_count(trainer);
    add_flat(p, "clear gradients", "flat_fill", 4 * all, p->shards);
    add_flat(p, "sum of shards", "flat_add", 12 * all, p->shards - 1);
    add_flat(p, "norms", "flat_norm_parts", 4 * all, 1);
    const char *kernel =
        ty_arena_printf(&trainer->arena, "flat_%s", trainer->config->optimizer.row->type);
    if (!kernel)
        return ty_fail_nomem(ctx, "the prediction");
    add_flat(p, "update", kernel, update_bytes(trainer) * n, 1);
    return TY_OK;
}

static int64_t most_rows(const ty_trainer *trainer) {
    return 2 * (int64_t)trainer->train_graph.n_nodes * TY_OP_MAX_COSTS + 8;
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
