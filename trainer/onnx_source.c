/* From the texts of a checkpoint to what a graph is built from. They are checked as if a stranger
 * had written them: a damaged checkpoint is refused before it comes here, but not a forged one. */
#include "trainer/onnx_private.h"

#include <math.h>
#include <string.h>

#include "trainer/model.h"

/* A table of more numbers than that is one matrix: nobody names so many inputs. */
enum { MOST_INPUTS = 256 };

typedef struct reading {
    ty_ctx *ctx;
    ty_onnx_source *out;
    const json_t *root;
} reading;

static ty_status contradicts(const reading *r, const char *what) {
    return ty_fail(r->ctx, TY_ERR_INTEGRITY, "the model's data_state has no %s", what);
}

static ty_status no_memory(const reading *r) {
    return ty_fail_nomem(r->ctx, "the data's fitted state");
}

/* --- x and y ---------------------------------------------------------------------------------- */

static ty_status read_x(const reading *r) {
    ty_data_info *info = &r->out->info;
    const json_t *x = json_object_get(r->root, "x"), *shape = json_object_get(x, "shape");
    const char *dtype = json_string_value(json_object_get(x, "dtype"));
    const size_t rank = json_array_size(shape);
    if (!dtype || (strcmp(dtype, "uint8") != 0 && strcmp(dtype, "float32") != 0) || rank < 1 ||
        rank > sizeof info->x_dims / sizeof info->x_dims[0])
        return contradicts(r, "x of uint8 or float32 and 1 to 3 dimensions");
    info->x_is_u8 = strcmp(dtype, "uint8") == 0;
    info->x_rank = (int)rank;
    info->x_count = 1;
    for (size_t i = 0; i < rank; i++) {
        info->x_dims[i] = json_integer_value(json_array_get(shape, i));
        if (info->x_dims[i] < 1 || !ty_mul_i64(info->x_count, info->x_dims[i], &info->x_count))
            return contradicts(r, "x.shape that can be counted");
    }
    return TY_OK;
}

static ty_status read_y(const reading *r) {
    ty_data_info *info = &r->out->info;
    const json_t *y = json_object_get(r->root, "y");
    const char *task = json_string_value(json_object_get(y, "task"));
    info->n_outputs = json_integer_value(json_object_get(y, "outputs"));
    info->is_classification = task && strcmp(task, "classification") == 0;
    if (!task || (!info->is_classification && strcmp(task, "regression") != 0) ||
        info->n_outputs < 1)
        return contradicts(r, "y of a known task with outputs");
    return TY_OK;
}

/* Finite numbers; NULL: it is no list of at least one. */
static const float *read_floats(const reading *r, const char *key, int64_t *n) {
    const json_t *list = json_object_get(r->root, key);
    const size_t count = json_array_size(list);
    float *values = ty_arena_array(&r->out->arena, count + 1, sizeof *values);
    for (size_t i = 0; values && i < count; i++) {
        values[i] = (float)json_number_value(json_array_get(list, i));
        if (!json_is_number(json_array_get(list, i)) || !isfinite(values[i]))
            return NULL;
    }
    *n = (int64_t)count;
    return count > 0 ? values : NULL;
}

static ty_status read_normalisation(const reading *r) {
    ty_data_info *info = &r->out->info;
    int64_t n = 0;
    info->mean = read_floats(r, "mean", &info->n_channels);
    info->inverse_std = read_floats(r, "inverse_std", &n);
    if (!info->mean || !info->inverse_std || n != info->n_channels ||
        (n != 1 && n != info->x_dims[0]))
        return contradicts(r, "mean and inverse_std of as many numbers as x has channels");
    return TY_OK;
}

/* --- columns ---------------------------------------------------------------------------------- */

static ty_status read_categories(const reading *r, const json_t *column, ty_onnx_column *out) {
    const json_t *list = json_object_get(column, "categories");
    const size_t n = json_array_size(list);
    const char **names = ty_arena_array(&r->out->arena, n + 1, sizeof *names);
    if (!names)
        return no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return contradicts(r, "texts as a column's categories");
        if (!(names[i] = ty_arena_string(&r->out->arena, name)))
            return no_memory(r);
    }
    out->categories = names;
    out->n_features = (int64_t)n;
    return TY_OK;
}

static ty_status read_column(const reading *r, const json_t *column, ty_onnx_column *out) {
    const char *name = json_string_value(json_object_get(column, "name"));
    const char *kind = json_string_value(json_object_get(column, "kind"));
    const json_t *mean = json_object_get(column, "mean"), *std = json_object_get(column, "std");
    if (!name || !kind)
        return contradicts(r, "name and kind of a column");
    if (!(out->name = ty_arena_string(&r->out->arena, name)))
        return no_memory(r);
    out->is_text = strcmp(kind, "categorical") == 0;
    if (out->is_text)
        return read_categories(r, column, out);
    out->mean = json_number_value(mean);
    out->std = json_number_value(std);
    out->n_features = 1;
    if (strcmp(kind, "numeric") != 0 || !json_is_number(mean) || !json_is_number(std) ||
        !isfinite(out->mean) || !isfinite(out->std) || out->std < 0)
        return contradicts(r, "mean and std of a numeric column");
    return TY_OK;
}

/* Names of our own begin with a slash, tensors with "layers.". */
static bool is_taken(const ty_onnx_column *columns, int64_t n, const char *name) {
    static const char *const outputs[] = {"logits", "probabilities", "prediction"};
    bool is_ours = *name == '\0' || *name == '/' || strncmp(name, "layers.", 7) == 0;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++)
        is_ours |= strcmp(name, outputs[i]) == 0;
    for (int64_t i = 0; !is_ours && i < n; i++)
        is_ours = strcmp(columns[i].input, name) == 0;
    return is_ours;
}

static ty_status name_input(const reading *r, ty_onnx_column *columns, int64_t c) {
    const char *name = columns[c].name;
    if (is_taken(columns, c, name))
        name = ty_arena_printf(&r->out->arena, "column_%lld", (long long)c + 1);
    while (name && is_taken(columns, c, name))
        name = ty_arena_printf(&r->out->arena, "%s_", name);
    columns[c].input = name;
    return name ? TY_OK : no_memory(r);
}

static ty_status read_columns(const reading *r) {
    ty_onnx_source *out = r->out;
    const json_t *list = json_object_get(r->root, "columns");
    int64_t n_features = 0;
    bool has_texts = false;
    if (!list)
        return TY_OK;
    out->is_standardised = json_is_true(json_object_get(r->root, "standardised"));
    out->n_columns = (int64_t)json_array_size(list);
    ty_onnx_column *columns =
        ty_arena_array(&out->arena, (size_t)out->n_columns + 1, sizeof *columns);
    if (!columns)
        return no_memory(r);
    for (int64_t c = 0; c < out->n_columns; c++) {
        TY_TRY(read_column(r, json_array_get(list, (size_t)c), &columns[c]));
        TY_TRY(name_input(r, columns, c));
        has_texts |= columns[c].is_text;
        n_features += columns[c].n_features;
    }
    out->columns = columns;
    out->is_by_column = has_texts || (json_is_true(json_object_get(r->root, "header")) &&
                                      out->n_columns <= MOST_INPUTS);
    if (out->info.x_rank != 1 || out->info.x_is_u8 || n_features != out->info.x_count)
        return contradicts(r, "columns that make as many features as x has");
    return TY_OK;
}

/* --- all -------------------------------------------------------------------------------------- */

static ty_status read_data_state(ty_ctx *ctx, const char *text, ty_onnx_source *out) {
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const reading r = {.ctx = ctx, .out = out, .root = root};
    ty_status st = json_is_object(root) ? TY_OK : contradicts(&r, "JSON object in it");
    if (st == TY_OK)
        st = read_x(&r);
    if (st == TY_OK)
        st = read_y(&r);
    if (st == TY_OK)
        st = read_normalisation(&r);
    if (st == TY_OK)
        st = read_columns(&r);
    json_decref(root);
    return st;
}

ty_status ty_onnx_source_init(ty_ctx *ctx, const ty_checkpoint *content, ty_onnx_source *out) {
    ty_train_config config;
    *out = (ty_onnx_source){0};
    TY_TRY(read_data_state(ctx, content->data_state, out));
    TY_TRY(ty_doc_parse(ctx, "the model's config", content->config, strlen(content->config),
                        &out->doc));
    TY_TRY(ty_train_config_load(ctx, out->doc, &config));
    return ty_model_build(ctx, &config, &out->info, 1, false, &out->graph);
}

void ty_onnx_source_clear(ty_onnx_source *source) {
    ty_graph_clear(&source->graph);
    ty_doc_close(source->doc);
    ty_arena_clear(&source->arena);
    *source = (ty_onnx_source){0};
}

/* --- tensors ---------------------------------------------------------------------------------- */

static ty_status take(ty_ctx *ctx, const ty_checkpoint *content, const ty_segment *segment,
                      ty_arena *arena, ty_onnx_tensor *out) {
    const char *name = ty_arena_printf(arena, "model/%s", segment->name);
    if (!name)
        return ty_fail_nomem(ctx, "a tensor's name");
    const ty_ckpt_tensor *from = ty_checkpoint_tensor(content, name);
    bool is_same = from && from->dtype == TY_DTYPE_F32 && from->shape.rank == segment->shape.rank;
    for (int i = 0; is_same && i < segment->shape.rank; i++)
        is_same = from->shape.dims[i] == segment->shape.dims[i];
    if (!is_same)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "the model has no tensor %s of the shape that its config says",
                       segment->name);
    *out = (ty_onnx_tensor){.name = segment->name,
                            .shape = segment->shape,
                            .data = from->data,
                            .bytes = (size_t)segment->count * sizeof(float)};
    return TY_OK;
}

ty_status ty_onnx_tensors(ty_ctx *ctx, const ty_checkpoint *content, const ty_graph *graph,
                          ty_arena *arena, ty_onnx_tensor **out, int64_t *out_n) {
    const int n = graph->n_params + graph->n_stats;
    ty_onnx_tensor *tensors = ty_arena_array(arena, (size_t)n + 1, sizeof *tensors);
    if (!tensors)
        return ty_fail_nomem(ctx, "the model's tensors");
    for (int i = 0; i < graph->n_params; i++)
        TY_TRY(take(ctx, content, &graph->params[i], arena, &tensors[i]));
    for (int i = 0; i < graph->n_stats; i++)
        TY_TRY(take(ctx, content, &graph->stats[i], arena, &tensors[graph->n_params + i]));
    *out = tensors;
    *out_n = n;
    return TY_OK;
}
