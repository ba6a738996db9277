/* From the texts of a checkpoint to what a graph is built from. They are checked as if a stranger
 * had written them: a damaged checkpoint is refused before it comes here, but not a forged one. */
#include "trainer/onnx_private.h"

#include <string.h>

#include "trainer/model.h"

/* A table of more numbers than that is one matrix: nobody names so many inputs. */
enum { MOST_INPUTS = 256 };

/* --- columns ---------------------------------------------------------------------------------- */

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

static ty_status name_input(ty_ctx *ctx, ty_arena *arena, ty_onnx_column *columns, int64_t c) {
    const char *name = columns[c].name;
    if (is_taken(columns, c, name))
        name = ty_arena_printf(arena, "column_%lld", (long long)c + 1);
    while (name && is_taken(columns, c, name))
        name = ty_arena_printf(arena, "%s_", name);
    columns[c].input = name;
    return name ? TY_OK : ty_fail_nomem(ctx, "the columns' names");
}

static ty_onnx_column column_of(const ty_fitted_column *fitted) {
    return (ty_onnx_column){.name = fitted->name,
                            .is_text = fitted->is_categorical,
                            .mean = fitted->mean,
                            .std = fitted->std,
                            .categories = fitted->categories.texts,
                            .n_features = fitted->is_categorical ? fitted->categories.n : 1};
}

static ty_status take_columns(ty_ctx *ctx, const ty_fitted *fitted, ty_onnx_source *out) {
    bool has_texts = false;
    if (!fitted->columns)
        return TY_OK;
    ty_onnx_column *columns =
        ty_arena_array(&out->arena, (size_t)fitted->n_columns, sizeof *columns);
    if (!columns)
        return ty_fail_nomem(ctx, "the columns");
    for (int64_t c = 0; c < fitted->n_columns; c++) {
        columns[c] = column_of(&fitted->columns[c]);
        TY_TRY(name_input(ctx, &out->arena, columns, c));
        has_texts |= columns[c].is_text;
    }
    out->columns = columns;
    out->n_columns = fitted->n_columns;
    out->is_standardised = fitted->is_standardised;
    out->is_by_column = has_texts || (fitted->has_header && fitted->n_columns <= MOST_INPUTS);
    return TY_OK;
}

/* --- all -------------------------------------------------------------------------------------- */

ty_status ty_onnx_source_init(ty_ctx *ctx, const ty_checkpoint *content, ty_onnx_source *out) {
    ty_train_config config;
    ty_fitted fitted;
    *out = (ty_onnx_source){0};
    TY_TRY(ty_fitted_read(ctx, content->data_state, &out->arena, &fitted));
    ty_fitted_describe(&fitted, &out->info);
    TY_TRY(take_columns(ctx, &fitted, out));
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
