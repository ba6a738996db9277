/* The whole model.onnx. Nodes are small and gathered first; tensors are written from where the
 * checkpoint has them, so that a model is never held twice. A message's length stands before it:
 * it is counted, then the same fields are written. */
#include "trainer/onnx_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trainer/file_out.h"

/* A protobuf has at most 2 GiB; tensors are put elsewhere well before. */
static const uint64_t external_by_default = UINT64_C(1500) * 1000 * 1000;
enum { DATA_ALIGNMENT = 4096 }; /* so that others can map a tensor */
enum { LOCATION_EXTERNAL = 1 };

typedef struct writing {
    ty_ctx *ctx;
    const ty_checkpoint *content;
    const ty_onnx_options *options;
    const char *folder;
    ty_onnx_source source;
    ty_onnx_graph g;
    ty_onnx_tensor *tensors;
    int64_t n_tensors;
    ty_text *headers;  /* of each tensor: its fields but the data */
    uint64_t *offsets; /* in the data file */
    bool is_external;
    char hash[33];
} writing;

/* --- the graph -------------------------------------------------------------------------------- */

static ty_status name_values(writing *w, const ty_node *loss) {
    ty_onnx_graph *g = &w->g;
    const ty_graph *model = g->model;
    g->names = ty_arena_array(g->arena, (size_t)model->n_values, sizeof *g->names);
    if (!g->names)
        return ty_fail_nomem(w->ctx, "the graph's names");
    for (int i = 0; i < model->n_nodes; i++) {
        const ty_node *node = &model->nodes[i];
        const char *name = ty_arena_printf(g->arena, "/%s_%d", ty_ops[node->op].name, i);
        g->is_short |= name == NULL;
        g->names[node->y] = name ? name : "";
    }
    g->names[loss->x[0]] = ty_onnx_head(loss->op);
    return TY_OK;
}

static ty_status build_nodes(writing *w) {
    ty_onnx_graph *g = &w->g;
    const ty_graph *model = g->model = &w->source.graph;
    const ty_node *loss = &model->nodes[model->n_nodes - 1];
    enum { MOST_OUTPUTS = 2 };
    g->in = ty_arena_array(g->arena, (size_t)w->source.n_columns + 1, sizeof *g->in);
    g->out = ty_arena_array(g->arena, MOST_OUTPUTS, sizeof *g->out);
    if (!g->in || !g->out)
        return ty_fail_nomem(w->ctx, "the graph's signature");
    TY_TRY(name_values(w, loss));
    ty_onnx_add_output(g, g->names[loss->x[0]], TY_ONNX_FLOAT,
                       ty_onnx_batch_of(model->values[loss->x[0]].shape));
    TY_TRY(ty_onnx_emit_inputs(w->ctx, g, &w->source));
    for (int i = 0; i < model->n_nodes; i++)
        ty_onnx_emit(g, &model->nodes[i]);
    return TY_OK;
}

/* --- tensors ---------------------------------------------------------------------------------- */

static ty_status hash_tensors(writing *w) {
    ty_hash_stream *stream = NULL;
    TY_TRY(ty_hash_stream_open(w->ctx, &stream));
    for (int64_t i = 0; i < w->n_tensors; i++)
        ty_hash_stream_update(stream, w->tensors[i].data, w->tensors[i].bytes);
    const ty_hash128 hash = ty_hash_stream_finish(stream);
    ty_hash_stream_close(stream);
    (void)snprintf(w->hash, sizeof w->hash, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    return TY_OK;
}

static void add_pair(ty_text *message, int field, const char *key, const char *value) {
    ty_text pair = {0};
    ty_pb_add_string(&pair, TY_ONNX_PAIR_KEY, key);
    ty_pb_add_string(&pair, TY_ONNX_PAIR_VALUE, value);
    ty_pb_add_message(message, field, &pair);
    ty_text_clear(&pair);
}

static void add_place(ty_text *header, uint64_t offset, uint64_t bytes) {
    char number[32];
    add_pair(header, TY_ONNX_TENSOR_EXTERNAL, "location", TY_ONNX_DATA_FILE);
    (void)snprintf(number, sizeof number, "%" PRIu64, offset);
    add_pair(header, TY_ONNX_TENSOR_EXTERNAL, "offset", number);
    (void)snprintf(number, sizeof number, "%" PRIu64, bytes);
    add_pair(header, TY_ONNX_TENSOR_EXTERNAL, "length", number);
    ty_pb_add_int(header, TY_ONNX_TENSOR_LOCATION, LOCATION_EXTERNAL);
}

static void describe_tensor(const writing *w, int64_t i) {
    const ty_onnx_tensor *tensor = &w->tensors[i];
    ty_text *header = &w->headers[i];
    for (int d = 0; d < tensor->shape.rank; d++)
        ty_pb_add_int(header, TY_ONNX_TENSOR_DIM, tensor->shape.dims[d]);
    ty_pb_add_int(header, TY_ONNX_TENSOR_TYPE, TY_ONNX_FLOAT);
    ty_pb_add_string(header, TY_ONNX_TENSOR_NAME, tensor->name);
    if (w->is_external)
        add_place(header, w->offsets[i], tensor->bytes);
    else
        ty_pb_add_length(header, TY_ONNX_TENSOR_RAW, tensor->bytes);
}

static ty_status describe_tensors(writing *w) {
    const size_t n = (size_t)w->n_tensors;
    uint64_t total = 0, end = 0;
    w->headers = ty_arena_array(&w->source.arena, n, sizeof *w->headers);
    w->offsets = ty_arena_array(&w->source.arena, n, sizeof *w->offsets);
    if (!w->headers || !w->offsets)
        return ty_fail_nomem(w->ctx, "the graph's tensors");
    for (size_t i = 0; i < n; i++) {
        w->offsets[i] = (end + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
        end = w->offsets[i] + w->tensors[i].bytes;
        total += w->tensors[i].bytes;
    }
    const uint64_t most = w->options->external_bytes;
    w->is_external = total > (most ? most : external_by_default);
    for (int64_t i = 0; i < w->n_tensors; i++) {
        describe_tensor(w, i);
        w->g.is_short |= w->headers[i].is_short;
    }
    return hash_tensors(w);
}

static uint64_t bytes_of(const writing *w, int64_t i) {
    return w->headers[i].length + (w->is_external ? 0 : w->tensors[i].bytes);
}

static ty_status write_data(writing *w, const char *path) {
    ty_file_out out = {.fd = -1};
    ty_status st = ty_file_out_open(w->ctx, path, &out);
    for (int64_t i = 0; st == TY_OK && i < w->n_tensors; i++) {
        st = ty_file_out_align(w->ctx, &out, DATA_ALIGNMENT);
        if (st == TY_OK)
            st = ty_file_out_add(w->ctx, &out, w->tensors[i].data, w->tensors[i].bytes);
    }
    return ty_file_out_end(w->ctx, &out, st);
}

/* --- the file --------------------------------------------------------------------------------- */

static ty_status add_text(writing *w, ty_file_out *out, const ty_text *text) {
    return ty_file_out_add(w->ctx, out, ty_text_string(text), text->length);
}

static void add_opset(ty_text *model, const char *domain, int version) {
    ty_text opset = {0};
    ty_pb_add_string(&opset, TY_ONNX_OPSET_DOMAIN, domain);
    ty_pb_add_int(&opset, TY_ONNX_OPSET_VERSION, version);
    ty_pb_add_message(model, TY_ONNX_MODEL_OPSET, &opset);
    ty_text_clear(&opset);
}

/* The versions that were released together (docs/Versioning.md). */
static void add_versions(const writing *w, ty_text *model) {
    const int opset = w->options->opset ? w->options->opset : TY_ONNX_OPSET;
    ty_pb_add_int(model, TY_ONNX_MODEL_IR, opset < 15 ? 7 : 8);
    add_opset(model, "", opset);
    if (w->g.takes_ml)
        add_opset(model, "ai.onnx.ml", opset < 16 ? 2 : 3);
}

/* Everything of the model that is not its graph. */
static void add_model(const writing *w, ty_text *model) {
    char step[32];
    (void)snprintf(step, sizeof step, "%" PRId64, w->content->step);
    add_versions(w, model);
    ty_pb_add_string(model, TY_ONNX_MODEL_PRODUCER, "tiltyard");
    ty_pb_add_string(model, TY_ONNX_MODEL_PRODUCER_VERSION, w->options->version);
    add_pair(model, TY_ONNX_MODEL_METADATA, TY_ONNX_KEY_CONFIG, w->content->config);
    add_pair(model, TY_ONNX_MODEL_METADATA, TY_ONNX_KEY_DATA, w->content->data_state);
    add_pair(model, TY_ONNX_MODEL_METADATA, TY_ONNX_KEY_VERSION, w->options->version);
    add_pair(model, TY_ONNX_MODEL_METADATA, TY_ONNX_KEY_STEP, step);
    add_pair(model, TY_ONNX_MODEL_METADATA, TY_ONNX_KEY_HASH, w->hash);
}

/* Fields of the graph around its tensors: nodes and name before, values behind. */
static void add_graph(writing *w, ty_text *front, ty_text *back) {
    ty_onnx_graph *g = &w->g;
    ty_text_add_n(front, ty_text_string(&g->nodes), g->nodes.length);
    ty_pb_add_string(front, TY_ONNX_GRAPH_NAME, "tiltyard");
    ty_text_add_n(back, ty_text_string(&g->inputs), g->inputs.length);
    ty_text_add_n(back, ty_text_string(&g->outputs), g->outputs.length);
    ty_text_add_n(back, ty_text_string(&g->infos), g->infos.length);
    g->is_short |= g->nodes.is_short || g->inputs.is_short || g->outputs.is_short ||
                   g->infos.is_short || front->is_short || back->is_short;
}

static ty_status write_tensors(writing *w, ty_file_out *out) {
    for (int64_t i = 0; i < w->n_tensors; i++) {
        ty_text head = {0};
        ty_pb_add_length(&head, TY_ONNX_GRAPH_INITIALIZER, bytes_of(w, i));
        ty_status st = add_text(w, out, &head);
        ty_text_clear(&head);
        TY_TRY(st);
        TY_TRY(add_text(w, out, &w->headers[i]));
        if (!w->is_external)
            TY_TRY(ty_file_out_add(w->ctx, out, w->tensors[i].data, w->tensors[i].bytes));
    }
    return TY_OK;
}

static uint64_t tensors_length(const writing *w) {
    uint64_t length = 0;
    for (int64_t i = 0; i < w->n_tensors; i++) {
        ty_text head = {0};
        ty_pb_add_length(&head, TY_ONNX_GRAPH_INITIALIZER, bytes_of(w, i));
        length += head.length + bytes_of(w, i);
        ty_text_clear(&head);
    }
    return length;
}

static ty_status write_parts(writing *w, const char *path, const ty_text *model,
                             const ty_text *front, const ty_text *back) {
    ty_file_out out = {.fd = -1};
    ty_status st = ty_file_out_open(w->ctx, path, &out);
    if (st == TY_OK)
        st = add_text(w, &out, model);
    if (st == TY_OK)
        st = add_text(w, &out, front);
    if (st == TY_OK)
        st = write_tensors(w, &out);
    if (st == TY_OK)
        st = add_text(w, &out, back);
    return ty_file_out_end(w->ctx, &out, st);
}

static ty_status write_graph(writing *w, const char *path) {
    ty_text model = {0}, front = {0}, back = {0};
    add_model(w, &model);
    add_graph(w, &front, &back);
    ty_pb_add_length(&model, TY_ONNX_MODEL_GRAPH, front.length + tensors_length(w) + back.length);
    const ty_status st = w->g.is_short || model.is_short
                             ? ty_fail_nomem(w->ctx, "the graph")
                             : write_parts(w, path, &model, &front, &back);
    ty_text_clear(&back);
    ty_text_clear(&front);
    ty_text_clear(&model);
    return st;
}

/* The data first: a graph that is there has all it points to. A smaller model's leaves none. */
static ty_status write_files(writing *w) {
    ty_ctx *ctx = w->ctx;
    char *path = ty_path_join(&ctx->scratch, w->folder, TY_ONNX_FILE);
    char *data = ty_path_join(&ctx->scratch, w->folder, TY_ONNX_DATA_FILE);
    if (!path || !data)
        return ty_fail_nomem(ctx, "the graph's path");
    if (w->is_external)
        TY_TRY(write_data(w, data));
    TY_TRY(write_graph(w, path));
    return w->is_external ? TY_OK : ty_file_unlink(ctx, data);
}

static ty_status check_opset(ty_ctx *ctx, int opset) {
    if (opset == 0 || (opset >= TY_ONNX_OLDEST_OPSET && opset <= TY_ONNX_OPSET))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_ARG, "opset %d, want %d to %d", opset, (int)TY_ONNX_OLDEST_OPSET,
                   (int)TY_ONNX_OPSET);
}

static ty_status write_model(writing *w) {
    TY_TRY(check_opset(w->ctx, w->options->opset));
    TY_TRY(ty_onnx_source_init(w->ctx, w->content, &w->source));
    TY_TRY(ty_onnx_tensors(w->ctx, w->content, &w->source.graph, &w->source.arena, &w->tensors,
                           &w->n_tensors));
    TY_TRY(build_nodes(w));
    TY_TRY(describe_tensors(w));
    return write_files(w);
}

static void clear(writing *w) {
    for (int64_t i = 0; w->headers && i < w->n_tensors; i++)
        ty_text_clear(&w->headers[i]);
    ty_onnx_graph_clear(&w->g);
    ty_onnx_source_clear(&w->source);
}

/* The signature's own strings, where names are still in memory that ends. */
static ty_status keep_names(ty_ctx *ctx, ty_arena *arena, ty_onnx_value *values, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!(values[i].name = ty_arena_string(arena, values[i].name)))
            return ty_fail_nomem(ctx, "the graph's signature");
    return TY_OK;
}

ty_status ty_onnx_write(ty_ctx *ctx, const ty_checkpoint *content, const char *folder,
                        const ty_onnx_options *options, ty_arena *arena, ty_onnx_signature *out) {
    writing w = {.ctx = ctx,
                 .content = content,
                 .options = options,
                 .folder = folder,
                 .g = {.arena = arena}};
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = write_model(&w);
    if (st == TY_OK)
        st = keep_names(ctx, arena, w.g.in, w.g.n_in);
    *out = (ty_onnx_signature){.inputs = w.g.in,
                               .outputs = w.g.out,
                               .n_inputs = w.g.n_in,
                               .n_outputs = w.g.n_out,
                               .has_data_file = w.is_external};
    clear(&w);
    ty_arena_reset(&ctx->scratch, mark);
    return st == TY_OK ? TY_OK : ty_fail_within(ctx, st, "writing " TY_ONNX_FILE);
}
