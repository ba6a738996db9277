/* Laying a graph out: prepare in order, then lifetimes, then pointers. */
#include "trainer/plan.h"

#include <stdlib.h>

/* --- preparing the calls ---------------------------------------------------------------------- */

static ty_tensor canonical(ty_dtype dtype, ty_shape shape) {
    return (ty_tensor){.dtype = dtype,
                       .shape = shape,
                       .bytes = (size_t)ty_shape_count(shape) * ty_dtype_bytes(dtype)};
}

static void describe_segments(const ty_graph *graph, const ty_node *node, ty_op_args *call) {
    for (int i = 0; i < node->n_params; i++) {
        call->param[i] = canonical(TY_DTYPE_F32, graph->params[node->param[i]].shape);
        call->d_param[i] = node->has_backward ? call->param[i] : (ty_tensor){0};
    }
    for (int i = 0; i < node->n_stats; i++) {
        call->stat[i] = canonical(TY_DTYPE_F32, graph->stats[node->stat[i]].shape);
        call->batch_stat[i] = graph->is_training ? call->stat[i] : (ty_tensor){0};
    }
}

/* Layouts flow: what the producer chose for y is what its readers see as x, and a gradient has its
 * value's layout. */
static ty_status prepare_call(ty_ctx *ctx, ty_plan *plan, int index) {
    const ty_graph *graph = plan->graph;
    const ty_node *node = &graph->nodes[index];
    const ty_op_impl *impl = ty_device_op(plan->dev, node->op);
    if (!impl)
        return ty_fail(ctx, TY_ERR_DEVICE, "device %s has no op %s",
                       ty_device_describe(plan->dev)->name, ty_ops[node->op].name);
    ty_op_args *call = &plan->calls[index];
    *call = (ty_op_args){.id = node->op,
                         .attrs = node->attrs,
                         .op_number = node->number,
                         .is_training = graph->is_training,
                         .env = &plan->env};
    for (int k = 0; k < ty_ops[node->op].n_inputs; k++) {
        call->wants_dx[k] = node->wants_dx[k];
        call->accumulates_dx[k] = node->accumulates_dx[k];
        call->x[k] = plan->values[node->x[k]];
        call->d_x[k] = node->wants_dx[k] ? call->x[k] : (ty_tensor){0};
    }
    describe_segments(graph, node, call);
    call->y = canonical(graph->values[node->y].dtype, graph->values[node->y].shape);
    TY_TRY(impl->prepare(ctx, plan->dev, call));
    if (node->has_backward && node->y != graph->loss_rows)
        call->d_y = call->y;
    plan->values[node->y] = call->y;
    plan->forward[plan->n_forward++] = (ty_step){.run = impl->forward, .args = call};
    return TY_OK;
}

static void list_backward(ty_plan *plan) {
    for (int i = plan->graph->n_nodes - 1; i >= 0; i--) {
        const ty_node *node = &plan->graph->nodes[i];
        if (node->has_backward)
            plan->backward[plan->n_backward++] = (ty_step){
                .run = ty_device_op(plan->dev, node->op)->backward, .args = &plan->calls[i]};
    }
}

/* --- lifetimes -------------------------------------------------------------------------------- */

/* One item for each value, gradient and aux that the plan has, then sample ids and workspace. */
typedef struct item_map {
    int *value, *gradient, *aux; /* index of the item; -1: none */
    int ids, workspace;
} item_map;

static int backward_time(const ty_graph *graph, int node) {
    return 2 * graph->n_nodes - 1 - node;
}

static int add_item(ty_plan *plan, size_t bytes, int first, int last) {
    if (bytes == 0)
        return -1;
    plan->items[plan->n_items] = (ty_lifetime){.bytes = bytes, .first = first, .last = last};
    return plan->n_items++;
}

static void extend(ty_plan *plan, int item, int first, int last) {
    if (item < 0)
        return;
    ty_lifetime *life = &plan->items[item];
    life->first = first < life->first ? first : life->first;
    life->last = last > life->last ? last : life->last;
}

static void add_values(ty_plan *plan, item_map *map) {
    const ty_graph *graph = plan->graph;
    const int end = 2 * graph->n_nodes;
    for (int v = 0; v < graph->n_values; v++) {
        const ty_value *value = &graph->values[v];
        const int first = value->role == TY_VALUE_INPUT ? -1 : value->producer;
        const int last = value->role == TY_VALUE_ROWS ? end : first;
        const bool exists = value->role != TY_VALUE_GONE;
        map->value[v] = add_item(plan, exists ? plan->values[v].bytes : 0, first, last);
        map->gradient[v] = -1;
    }
}

static void live_through_node(ty_plan *plan, item_map *map, int i) {
    const ty_graph *graph = plan->graph;
    const ty_node *node = &graph->nodes[i];
    const ty_op *op = &ty_ops[node->op];
    const int back = backward_time(graph, i);
    const bool runs_back = node->has_backward;
    for (int k = 0; k < op->n_inputs; k++) {
        const bool reads_x = runs_back && (op->backward_reads & TY_READS_X);
        extend(plan, map->value[node->x[k]], i, reads_x ? back : i);
        if (node->wants_dx[k] && map->gradient[node->x[k]] < 0)
            map->gradient[node->x[k]] = add_item(plan, plan->values[node->x[k]].bytes, back, back);
    }
    extend(plan, map->value[node->y], i, runs_back && (op->backward_reads & TY_READS_Y) ? back : i);
    extend(plan, map->gradient[node->y], back, back);
    map->aux[i] = add_item(plan, plan->calls[i].aux.bytes, i, runs_back ? back : i);
}

static void add_shared(ty_plan *plan, item_map *map) {
    const ty_graph *graph = plan->graph;
    const int end = 2 * graph->n_nodes;
    size_t workspace = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        const size_t bytes = plan->calls[i].workspace_bytes;
        workspace = bytes > workspace ? bytes : workspace;
    }
    map->ids = add_item(plan, (size_t)graph->rows * sizeof(int64_t), -1, end);
    map->workspace = add_item(plan, workspace, -1, end);
}

/* Gradients appear with their first writer, the last reader, so nodes are seen from the end. */
static ty_status plan_lifetimes(ty_ctx *ctx, ty_plan *plan, item_map *map) {
    add_values(plan, map);
    for (int i = plan->graph->n_nodes - 1; i >= 0; i--)
        live_through_node(plan, map, i);
    add_shared(plan, map);
    return ty_lifetimes_place(ctx, plan->items, plan->n_items, &plan->arena_bytes);
}

/* --- pointers --------------------------------------------------------------------------------- */

/* Until an arena is bound, data holds offset + 1, so that NULL goes on meaning "none". */
static void *place(const ty_plan *plan, int item) {
    return item < 0 ? NULL : (void *)(uintptr_t)(plan->items[item].offset + 1);
}

static void place_all(ty_plan *plan, const item_map *map) {
    const ty_graph *graph = plan->graph;
    for (int v = 0; v < graph->n_values; v++) {
        plan->values[v].data = place(plan, map->value[v]);
        plan->gradients[v] = map->gradient[v] < 0 ? (ty_tensor){0} : plan->values[v];
        plan->gradients[v].data = place(plan, map->gradient[v]);
    }
    plan->sample_ids = place(plan, map->ids);
    for (int i = 0; i < graph->n_nodes; i++) {
        plan->calls[i].aux.data = place(plan, map->aux[i]);
        plan->calls[i].workspace = place(plan, map->workspace);
    }
}

static void *moved(void *placed, void *arena) {
    return placed ? (char *)arena + ((uintptr_t)placed - 1) : NULL;
}

static void *param_data(const ty_tensor *param, int64_t offset, const ty_plan_buffers *buffers) {
    if (param->dtype == TY_DTYPE_BF16)
        return (char *)buffers->params_bf16 + (size_t)offset * ty_dtype_bytes(TY_DTYPE_BF16);
    return buffers->params + offset;
}

static void bind_call(ty_plan *plan, int i, void *arena, const ty_plan_buffers *buffers) {
    const ty_graph *graph = plan->graph;
    const ty_node *node = &graph->nodes[i];
    ty_op_args *call = &plan->calls[i];
    for (int k = 0; k < ty_ops[node->op].n_inputs; k++) {
        call->x[k].data = plan->values[node->x[k]].data;
        call->d_x[k].data = node->wants_dx[k] ? plan->gradients[node->x[k]].data : NULL;
    }
    call->y.data = plan->values[node->y].data;
    call->d_y.data = plan->gradients[node->y].data;
    call->aux.data = moved(call->aux.data, arena);
    call->workspace = moved(call->workspace, arena);
    for (int k = 0; k < node->n_params; k++)
        call->param[k].data =
            param_data(&call->param[k], graph->params[node->param[k]].offset, buffers);
    for (int k = 0; k < node->n_stats; k++)
        call->stat[k].data = buffers->stats + graph->stats[node->stat[k]].offset;
}

void ty_plan_bind(ty_plan *plan, void *arena, const ty_plan_buffers *buffers) {
    for (int v = 0; v < plan->graph->n_values; v++) {
        plan->values[v].data = moved(plan->values[v].data, arena);
        plan->gradients[v].data = moved(plan->gradients[v].data, arena);
    }
    plan->sample_ids = moved(plan->sample_ids, arena);
    plan->env.sample_ids = plan->sample_ids;
    for (int i = 0; i < plan->graph->n_nodes; i++)
        bind_call(plan, i, arena, buffers);
}

void ty_plan_bind_gradients(ty_plan *plan, float *gradients) {
    const ty_graph *graph = plan->graph;
    float *statistics = gradients + graph->params_count;
    for (int i = 0; i < graph->n_nodes; i++) {
        const ty_node *node = &graph->nodes[i];
        for (int k = 0; k < node->n_params && node->has_backward; k++)
            plan->calls[i].d_param[k].data = gradients + graph->params[node->param[k]].offset;
        for (int k = 0; k < node->n_stats; k++)
            plan->calls[i].batch_stat[k].data = statistics + graph->stats[node->stat[k]].offset;
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static ty_status allocate(ty_ctx *ctx, ty_plan *plan) {
    const size_t nodes = (size_t)plan->graph->n_nodes, values = (size_t)plan->graph->n_values;
    plan->calls = calloc(nodes + 1, sizeof *plan->calls);
    plan->forward = calloc(nodes + 1, sizeof *plan->forward);
    plan->backward = calloc(nodes + 1, sizeof *plan->backward);
    plan->values = calloc(values + 1, sizeof *plan->values);
    plan->gradients = calloc(values + 1, sizeof *plan->gradients);
    plan->items = calloc(2 * values + nodes + 2, sizeof *plan->items);
    const bool has_all = plan->calls && plan->forward && plan->backward && plan->values &&
                         plan->gradients && plan->items;
    return has_all ? TY_OK : ty_fail_nomem(ctx, "the plan's tables");
}

static ty_status lay_out(ty_ctx *ctx, ty_plan *plan) {
    const ty_graph *graph = plan->graph;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    item_map map = {.value = ty_arena_array(&ctx->scratch, (size_t)graph->n_values, sizeof(int)),
                    .gradient = ty_arena_array(&ctx->scratch, (size_t)graph->n_values, sizeof(int)),
                    .aux = ty_arena_array(&ctx->scratch, (size_t)graph->n_nodes, sizeof(int))};
    ty_status st = ty_fail_nomem(ctx, "the memory plan");
    if (map.value && map.gradient && map.aux)
        st = plan_lifetimes(ctx, plan, &map);
    if (st == TY_OK)
        place_all(plan, &map);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status fill(ty_ctx *ctx, ty_plan *plan) {
    const ty_graph *graph = plan->graph;
    TY_TRY(allocate(ctx, plan));
    for (int v = 0; v < graph->n_values; v++)
        plan->values[v] = canonical(graph->values[v].dtype, graph->values[v].shape);
    for (int i = 0; i < graph->n_nodes; i++)
        TY_TRY(prepare_call(ctx, plan, i));
    list_backward(plan);
    return lay_out(ctx, plan);
}

ty_status ty_plan_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph, ty_plan *out) {
    *out = (ty_plan){.graph = graph, .dev = dev};
    const ty_status st = fill(ctx, out);
    if (st != TY_OK)
        ty_plan_close(out);
    return st;
}

void ty_plan_close(ty_plan *plan) {
    for (int i = 0; plan->calls && i < plan->graph->n_nodes; i++) {
        const ty_op_impl *impl = ty_device_op(plan->dev, plan->graph->nodes[i].op);
        if (impl && plan->calls[i].state)
            impl->release(plan->dev, &plan->calls[i]);
    }
    free(plan->calls);
    free(plan->forward);
    free(plan->backward);
    free(plan->values);
    free(plan->gradients);
    free(plan->items);
    *plan = (ty_plan){0};
}

static ty_status run_all(ty_ctx *ctx, const ty_plan *plan, const ty_step *steps, int n) {
    for (int i = 0; i < n; i++)
        TY_TRY(steps[i].run(ctx, plan->dev, steps[i].args));
    return TY_OK;
}

ty_status ty_plan_forward(ty_ctx *ctx, const ty_plan *plan) {
    return run_all(ctx, plan, plan->forward, plan->n_forward);
}

ty_status ty_plan_backward(ty_ctx *ctx, const ty_plan *plan) {
    return run_all(ctx, plan, plan->backward, plan->n_backward);
}

/* Where the segment after this one begins: they follow each other with padding between. */
static int64_t end_of(const ty_graph *graph, int param) {
    return param + 1 < graph->n_params ? graph->params[param + 1].offset : graph->params_count;
}

ty_status ty_plan_backward_step(ty_ctx *ctx, const ty_plan *plan, int step, int64_t *out_first,
                                int64_t *out_count) {
    const ty_graph *graph = plan->graph;
    const ty_node *node = &graph->nodes[plan->backward[step].args - plan->calls];
    *out_first = node->n_params ? graph->params[node->param[0]].offset : 0;
    *out_count = node->n_params ? end_of(graph, node->param[node->n_params - 1]) - *out_first : 0;
    return plan->backward[step].run(ctx, plan->dev, plan->backward[step].args);
}
