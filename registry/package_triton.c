/* A package laid out for Triton, KServe's and Seldon's ONNX servers: NAME/1/model.onnx and
 * NAME/config.pbtxt (NVIDIA Triton Inference Server, docs/user_guide/model_configuration.md). */
#include "registry/files.h"
#include "registry/manifest.h"
#include "registry/package_private.h"
#include "tracking/tracking.h"

/* So many rows Triton may gather into one batch. */
enum { MAX_BATCH = 256 };

static const char *triton_type(const char *dtype) {
    static const char *const types[][2] = {{"float32", "TYPE_FP32"}, {"float64", "TYPE_FP64"},
                                           {"float16", "TYPE_FP16"}, {"int64", "TYPE_INT64"},
                                           {"int32", "TYPE_INT32"},  {"int16", "TYPE_INT16"},
                                           {"int8", "TYPE_INT8"},    {"uint8", "TYPE_UINT8"},
                                           {"bool", "TYPE_BOOL"},    {"str", "TYPE_STRING"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i][0], dtype) == 0)
            return types[i][1];
    return NULL;
}

/* Every tensor begins with a batch of any size and has more to it: what Triton may gather rows of. */
static bool is_batched(const ty_package_tensor *v, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (v[i].rank < 2 || v[i].shape[0] != -1)
            return false;
    return true;
}

static ty_status add_tensors(ty_ctx *ctx, ty_text *out, const char *what,
                             const ty_package_tensor *v, int64_t n, bool drops_batch) {
    ty_text_addf(out, "%s [", what);
    for (int64_t i = 0; i < n; i++) {
        const char *type = triton_type(v[i].dtype);
        if (!type)
            return ty_fail(ctx, TY_ERR_DATA, "Triton has no word for %s, the type of %s",
                           v[i].dtype, v[i].name);
        ty_text_add(out, i ? ",\n  { name: " : "\n  { name: ");
        ty_text_add_json(out, v[i].name);
        ty_text_addf(out, ", data_type: %s, dims: [", type);
        for (int64_t d = drops_batch; d < v[i].rank; d++)
            ty_text_addf(out, "%s%lld", d > drops_batch ? ", " : " ", (long long)v[i].shape[d]);
        ty_text_add(out, " ] }");
    }
    ty_text_add(out, "\n]\n");
    return TY_OK;
}

static ty_status add_config(ty_ctx *ctx, ty_text *out, const ty_package *p, const char *name) {
    const bool has_batch =
        is_batched(p->inputs, p->n_inputs) && is_batched(p->outputs, p->n_outputs);
    ty_text_add(out, "name: ");
    ty_text_add_json(out, name);
    ty_text_addf(out, "\nbackend: \"onnxruntime\"\ndefault_model_filename: ");
    ty_text_add_json(out, p->data);
    ty_text_addf(out, "\nmax_batch_size: %d\n", has_batch ? MAX_BATCH : 0);
    TY_TRY(add_tensors(ctx, out, "input", p->inputs, p->n_inputs, has_batch));
    TY_TRY(add_tensors(ctx, out, "output", p->outputs, p->n_outputs, has_batch));
    if (has_batch)
        ty_text_add(out, "dynamic_batching { }\n");
    return TY_OK;
}

/* The model and what lies beside it as its external data. */
static bool is_of_model(const char *path, const char *data) {
    const size_t length = strlen(data);
    return strncmp(path, data, length) == 0 &&
           (path[length] == '\0' || strcmp(path + length, ".data") == 0);
}

static ty_status copy_model(ty_ctx *ctx, const char *package, const ty_package *p,
                            const char *version, ty_arena *arena) {
    ty_manifest list;
    TY_TRY(ty_manifest_list(ctx, package, arena, &list));
    for (int64_t i = 0; i < list.n_files; i++) {
        if (!is_of_model(list.files[i].path, p->data))
            continue;
        const char *from = ty_path_join(arena, package, list.files[i].path);
        const char *to = ty_path_join(arena, version, list.files[i].path);
        if (!from || !to)
            return ty_fail_nomem(ctx, "a path");
        TY_TRY(ty_file_copy(ctx, from, to));
    }
    return TY_OK;
}

static ty_status write_config(ty_ctx *ctx, const char *path, const ty_package *p,
                              const char *name) {
    ty_text text = {0};
    ty_status st = add_config(ctx, &text, p, name);
    if (st == TY_OK)
        st = text.is_short ? ty_fail_nomem(ctx, "Triton's configuration")
                           : ty_file_write_atomic(ctx, path, text.data, text.length);
    ty_text_clear(&text);
    return st;
}

static ty_status export(ty_ctx *ctx, const char *package, const char *name, const char *folder,
                        ty_arena *arena) {
    ty_package p;
    TY_TRY(ty_package_read(ctx, package, arena, &p));
    if (!p.data || p.n_inputs == 0 || p.n_outputs == 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s is no ONNX model with a signature of tensors",
                       package);
    const char *model = ty_path_join(arena, folder, name);
    const char *version = model ? ty_path_join(arena, model, "1") : NULL;
    const char *config = model ? ty_path_join(arena, model, "config.pbtxt") : NULL;
    if (!version || !config)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(ty_dir_make(ctx, version));
    TY_TRY(copy_model(ctx, package, &p, version, arena));
    return write_config(ctx, config, &p, name);
}

ty_status ty_package_export_triton(ty_ctx *ctx, const char *package, const char *name,
                                   const char *folder) {
    if (!ty_artifact_name_is_safe(name) || strchr(name, '/'))
        return ty_fail(ctx, TY_ERR_ARG, "\"%s\" is no name for a model's folder", name);
    ty_arena arena = {0};
    const ty_status st = export(ctx, package, name, folder, &arena);
    ty_arena_clear(&arena);
    return st;
}
