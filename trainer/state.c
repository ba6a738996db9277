/* Flat buffers and the names their ranges go by. */
#include "trainer/state.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(int64_t n) {
    return (size_t)(n > 0 ? n : 1) * sizeof(float);
}

/* A buffer on the device and its copy on the host, which on the CPU is the same memory. */
static ty_status allocate(ty_ctx *ctx, ty_device *dev, int64_t n, float **out, float **host) {
    void *memory = NULL;
    TY_TRY(ty_device_alloc(ctx, dev, bytes_of(n), &memory));
    *out = *host = memory;
    if (ty_device_describe(dev)->kind == TY_DEVICE_IS_CPU)
        return TY_OK;
    *host = NULL;
    TY_TRY(ty_device_alloc_host(ctx, dev, bytes_of(n), &memory));
    *host = memory;
    return TY_OK;
}

static ty_status allocate_all(ty_ctx *ctx, ty_state *state) {
    const int64_t n = state->graph->params_count;
    ty_device *dev = state->dev;
    TY_TRY(allocate(ctx, dev, n, &state->params, &state->host.params));
    TY_TRY(allocate(ctx, dev, state->graph->stats_count, &state->stats, &state->host.stats));
    for (int i = 0; i < state->n_slots; i++)
        TY_TRY(allocate(ctx, dev, n, &state->slots[i], &state->host.slots[i]));
    if (ty_device_describe(dev)->precision != TY_PRECISION_BF16)
        return TY_OK;
    return ty_device_alloc(ctx, dev, (size_t)n * ty_dtype_bytes(TY_DTYPE_BF16),
                           &state->params_bf16);
}

ty_status ty_state_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph,
                        const ty_variant *optimizer, ty_state *out) {
    *out = (ty_state){.graph = graph, .dev = dev};
    if (optimizer)
        out->slot_names = ty_optimizer_slots(optimizer, &out->n_slots);
    const ty_status st = allocate_all(ctx, out);
    if (st != TY_OK)
        ty_state_close(out);
    return st;
}

static void release(ty_device *dev, float *buffer, float *host) {
    if (host != buffer)
        ty_device_free_host(dev, host);
    ty_device_free(dev, buffer);
}

void ty_state_close(ty_state *state) {
    if (!state->dev)
        return;
    release(state->dev, state->params, state->host.params);
    release(state->dev, state->stats, state->host.stats);
    for (int i = 0; i < state->n_slots; i++)
        release(state->dev, state->slots[i], state->host.slots[i]);
    ty_device_free(state->dev, state->params_bf16);
    *state = (ty_state){0};
}

/* --- between device and host ------------------------------------------------------------------ */

static ty_status move(ty_ctx *ctx, ty_device *dev, ty_copy kind, float *buffer, float *host,
                      int64_t n) {
    if (host == buffer)
        return TY_OK;
    return ty_device_copy(ctx, dev, TY_QUEUE_COMPUTE, kind, kind == TY_COPY_IN ? buffer : host,
                          kind == TY_COPY_IN ? host : buffer, (size_t)n * sizeof(float));
}

static ty_status move_all(ty_ctx *ctx, ty_state *state, ty_copy kind) {
    const int64_t n = state->graph->params_count;
    ty_device *dev = state->dev;
    TY_TRY(move(ctx, dev, kind, state->params, state->host.params, n));
    TY_TRY(move(ctx, dev, kind, state->stats, state->host.stats, state->graph->stats_count));
    for (int i = 0; i < state->n_slots; i++)
        TY_TRY(move(ctx, dev, kind, state->slots[i], state->host.slots[i], n));
    return TY_OK;
}

ty_status ty_state_fetch(ty_ctx *ctx, ty_state *state) {
    TY_TRY(move_all(ctx, state, TY_COPY_OUT));
    return ty_device_sync(ctx, state->dev);
}

ty_status ty_state_round(ty_ctx *ctx, ty_state *state) {
    const ty_cast_args cast = {.to = state->params_bf16,
                               .to_dtype = TY_DTYPE_BF16,
                               .from = state->params,
                               .from_dtype = TY_DTYPE_F32,
                               .n = state->graph->params_count};
    return state->params_bf16 ? ty_flat_cast(ctx, state->dev, &cast) : TY_OK;
}

ty_status ty_state_send(ty_ctx *ctx, ty_state *state) {
    TY_TRY(move_all(ctx, state, TY_COPY_IN));
    TY_TRY(ty_state_round(ctx, state));
    return ty_device_sync(ctx, state->dev);
}

ty_status ty_state_initialise(ty_ctx *ctx, ty_state *state, uint64_t seed) {
    const ty_graph *graph = state->graph;
    const ty_init_args params = {.params = state->params,
                                 .segments = graph->params,
                                 .n_segments = graph->n_params,
                                 .seed = seed};
    const ty_init_args stats = {.params = state->stats,
                                .segments = graph->stats,
                                .n_segments = graph->n_stats,
                                .seed = seed};
    TY_TRY(ty_flat_init(ctx, state->dev, &params));
    TY_TRY(ty_flat_init(ctx, state->dev, &stats));
    TY_TRY(ty_state_round(ctx, state));
    return ty_device_sync(ctx, state->dev);
}

uint64_t ty_state_hash(const ty_state *state) {
    uint64_t hash = 0;
    for (int i = 0; i < state->graph->n_params; i++) {
        const ty_segment *segment = &state->graph->params[i];
        const uint64_t parts[2] = {hash, ty_hash64(state->host.params + segment->offset,
                                                   (size_t)segment->count * sizeof(float))};
        hash = ty_hash64(parts, sizeof parts);
    }
    return hash;
}

/* --- named tensors ---------------------------------------------------------------------------- */

typedef struct tensor_list {
    ty_arena *arena;
    ty_ckpt_tensor *v;
    int64_t n;
    bool is_short;
} tensor_list;

static void list_segments(tensor_list *list, const char *prefix, const ty_segment *segments, int n,
                          float *flat) {
    for (int i = 0; i < n; i++) {
        const char *name = ty_arena_printf(list->arena, "%s/%s", prefix, segments[i].name);
        list->is_short |= name == NULL;
        list->v[list->n++] = (ty_ckpt_tensor){.name = name,
                                              .dtype = TY_DTYPE_F32,
                                              .shape = segments[i].shape,
                                              .data = flat + segments[i].offset};
    }
}

ty_status ty_state_tensors(ty_ctx *ctx, const ty_state *state, ty_arena *arena,
                           ty_ckpt_tensor **out, int64_t *out_n) {
    const ty_graph *graph = state->graph;
    const size_t most = (size_t)(graph->n_params * (1 + state->n_slots) + graph->n_stats);
    tensor_list list = {.arena = arena, .v = ty_arena_array(arena, most + 1, sizeof *list.v)};
    if (!list.v)
        return ty_fail_nomem(ctx, "the checkpoint's table");
    list_segments(&list, "model", graph->params, graph->n_params, state->host.params);
    list_segments(&list, "model", graph->stats, graph->n_stats, state->host.stats);
    for (int i = 0; i < state->n_slots; i++) {
        const char *prefix = ty_arena_printf(arena, "optimizer/%s", state->slot_names[i]);
        if (!prefix)
            return ty_fail_nomem(ctx, "the checkpoint's table");
        list_segments(&list, prefix, graph->params, graph->n_params, state->host.slots[i]);
    }
    if (list.is_short)
        return ty_fail_nomem(ctx, "the checkpoint's table");
    *out = list.v;
    *out_n = list.n;
    return TY_OK;
}

static ty_status load_tensor(ty_ctx *ctx, const ty_checkpoint *content, const ty_ckpt_tensor *to) {
    const ty_ckpt_tensor *from = ty_checkpoint_tensor(content, to->name);
    if (!from)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the checkpoint has no tensor %s: it is of another model", to->name);
    const bool has_shape = from->dtype == to->dtype && from->shape.rank == to->shape.rank &&
                           memcmp(from->shape.dims, to->shape.dims,
                                  (size_t)to->shape.rank * sizeof to->shape.dims[0]) == 0;
    if (!has_shape)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the checkpoint's tensor %s has %lld elements in another shape, want %lld",
                       to->name, (long long)ty_shape_count(from->shape),
                       (long long)ty_shape_count(to->shape));
    memcpy(to->data, from->data, (size_t)ty_shape_count(to->shape) * sizeof(float));
    return TY_OK;
}

ty_status ty_state_load(ty_ctx *ctx, ty_state *state, const ty_checkpoint *content,
                        bool model_only) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_ckpt_tensor *tensors;
    int64_t n;
    ty_status st = ty_state_tensors(ctx, state, &ctx->scratch, &tensors, &n);
    const int64_t of_model = state->graph->n_params + state->graph->n_stats;
    for (int64_t i = 0; st == TY_OK && i < (model_only ? of_model : n); i++)
        st = load_tensor(ctx, content, &tensors[i]);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

int64_t ty_state_cut(const ty_segment *segments, int64_t n_segments, int64_t elements, int i, int n,
                     ty_segment *out) {
    const int64_t lines = (elements + 15) / 16;
    const int64_t from = lines * i / n * 16, to = lines * (i + 1) / n * 16;
    int64_t count = 0;
    for (int64_t s = 0; s < n_segments; s++) {
        const int64_t first = segments[s].offset, end = first + segments[s].count;
        const int64_t low = first > from ? first : from, high = end < to ? end : to;
        if (low >= high)
            continue;
        out[count] = segments[s];
        out[count].offset = low;
        out[count++].count = high - low;
    }
    return count;
}
