/* The files of a package but the model itself. */
#include "registry/package.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "registry/manifest.h"
#include "registry/package_private.h"
#include "tracking/tracking.h"

/* The MLflow whose MLmodel this is: the first with models that have ids of their own. Newer ones
 * add nothing that loading needs. */
static const char mlflow_version[] = "3.0.1";
static const char python_version[] = "3.11";

/* No Python was here when the model was made, so that nothing is pinned: these are the oldest that
 * read what we write (opset 17, IR 8). */
static const char requirements[] = "mlflow>=2.22\nonnx>=1.12\nonnxruntime>=1.14\nnumpy\n";

static const char conda[] =
    "channels:\n- conda-forge\ndependencies:\n- python=3.11\n- pip\n- pip:\n"
    "  - mlflow>=2.22\n  - onnx>=1.12\n  - onnxruntime>=1.14\n  - numpy\n"
    "name: mlflow-env\n";

static const char python_env[] = "python: '3.11'\nbuild_dependencies:\n- pip\n- setuptools\n"
                                 "- wheel\ndependencies:\n- -r requirements.txt\n";

ty_status ty_package_new_id(ty_ctx *ctx, char out[TY_PACKAGE_ID]) {
    memcpy(out, "m-", 2);
    return ty_identity_random(ctx, out + 2);
}

/* --- what no MLmodel can hold ----------------------------------------------------------------- */

static bool is_printable(const char *text) {
    if (!text || !*text)
        return false;
    for (size_t length; *text; text += length) {
        length = ty_text_utf8_length(text);
        if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static ty_status check_tensors(ty_ctx *ctx, const char *what, const ty_package_tensor *v,
                               int64_t n) {
    if (n < 1 || n > TY_PACKAGE_MAX_TENSORS)
        return ty_fail(ctx, TY_ERR_ARG, "a package has %lld %ss, want 1 to %d", (long long)n, what,
                       (int)TY_PACKAGE_MAX_TENSORS);
    for (int64_t i = 0; i < n; i++) {
        if (!is_printable(v[i].name) || !is_printable(v[i].dtype))
            return ty_fail(ctx, TY_ERR_ARG, "a package's %s has no printable name or type", what);
        if (v[i].rank < 0 || v[i].rank > TY_PACKAGE_MAX_RANK)
            return ty_fail(ctx, TY_ERR_ARG, "%s %s has %lld dimensions, want at most %d", what,
                           v[i].name, (long long)v[i].rank, (int)TY_PACKAGE_MAX_RANK);
    }
    return TY_OK;
}

static ty_status check_facts(ty_ctx *ctx, const ty_package_facts *f) {
    if (!f->model_id || !ty_package_id_is_good(f->model_id))
        return ty_fail(ctx, TY_ERR_ARG, "a package's id is \"%s\", want m- and 32 hex digits",
                       f->model_id ? f->model_id : "");
    if (f->run_id &&
        (strlen(f->run_id) > 256 || strspn(f->run_id, TY_PACKAGE_ID_LETTERS) != strlen(f->run_id)))
        return ty_fail(ctx, TY_ERR_ARG, "a package's run is \"%.100s\", which is no id", f->run_id);
    if (!f->name || !*f->name)
        return ty_fail(ctx, TY_ERR_ARG, "a package has no name");
    TY_TRY(check_tensors(ctx, "input", f->inputs, f->n_inputs));
    return check_tensors(ctx, "output", f->outputs, f->n_outputs);
}

/* --- MLmodel ---------------------------------------------------------------------------------- */

/* A scalar as YAML 1.1 takes it in double quotes, in ASCII. Invalid UTF-8 becomes U+FFFD. */
static void add_scalar(ty_text *out, const char *text) {
    ty_text_add(out, "\"");
    while (*text) {
        const unsigned char *at = (const unsigned char *)text;
        const size_t length = ty_text_utf8_length(text);
        uint32_t code = length ? at[0] : 0xfffd;
        if (length > 1)
            code &= 0xffu >> (length + 1);
        for (size_t i = 1; i < length; i++)
            code = code << 6 | (at[i] & 0x3fu);
        if (code == '"' || code == '\\')
            ty_text_addf(out, "\\%c", (int)code);
        else if (code >= 0x20 && code < 0x7f)
            ty_text_addf(out, "%c", (int)code);
        else
            ty_text_addf(out, "\\U%08X", (unsigned)code);
        text += length ? length : 1;
    }
    ty_text_add(out, "\"");
}

/* A YAML string that holds JSON, as MLflow writes it. */
static void add_specs(ty_text *out, const char *key, const ty_package_tensor *v, int64_t n) {
    ty_text json = {0};
    ty_text_add(&json, "[");
    for (int64_t i = 0; i < n; i++) {
        ty_text_addf(&json, "%s{\"name\": ", i ? ", " : "");
        ty_text_add_json(&json, v[i].name);
        ty_text_add(&json, ", \"type\": \"tensor\", \"tensor-spec\": {\"dtype\": ");
        ty_text_add_json(&json, v[i].dtype);
        ty_text_add(&json, ", \"shape\": [");
        for (int64_t d = 0; d < v[i].rank; d++)
            ty_text_addf(&json, "%s%lld", d ? ", " : "", (long long)v[i].shape[d]);
        ty_text_add(&json, "]}}");
    }
    ty_text_add(&json, "]");
    ty_text_addf(out, "  %s: ", key);
    add_scalar(out, ty_text_string(&json));
    ty_text_add(out, "\n");
    out->is_short |= json.is_short;
    ty_text_clear(&json);
}

static void add_metadata(ty_text *out, const ty_package_facts *f) {
    if (f->n_metadata == 0) {
        ty_text_add(out, "metadata: null\n");
        return;
    }
    ty_text_add(out, "metadata:\n");
    for (int64_t i = 0; i < f->n_metadata; i++) {
        ty_text_add(out, "  ");
        add_scalar(out, f->metadata[i].key);
        ty_text_add(out, ": ");
        add_scalar(out, f->metadata[i].text);
        ty_text_add(out, "\n");
    }
}

static void add_flavors(ty_text *out, const char *data) {
    ty_text_add(out, "flavors:\n  onnx:\n    code: null\n    data: ");
    add_scalar(out, data);
    ty_text_add(out, "\n    onnx_session_options: null\n    onnx_version: 1.12.0\n    providers:\n"
                     "    - CUDAExecutionProvider\n    - CPUExecutionProvider\n"
                     "  python_function:\n    data: ");
    add_scalar(out, data);
    ty_text_addf(out,
                 "\n    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n"
                 "    loader_module: mlflow.onnx\n    python_version: '%s'\n",
                 python_version);
}

static void add_time(ty_text *out, int64_t ns) {
    char text[32] = "1970-01-01 00:00:00";
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    ty_text_addf(out, "utc_time_created: '%s.%06d'\n", text, (int)(ns % 1000000000 / 1000));
}

/* The lines artifact_path, model_id and run_id stay on one line each and are out of the manifest's
 * sight: a server changes them. */
static void add_mlmodel(ty_text *out, const ty_package_facts *f, const char *data, int64_t bytes) {
    ty_text_add(out, "artifact_path: ");
    add_scalar(out, f->name);
    ty_text_add(out, "\n");
    add_flavors(out, data);
    ty_text_add(out, "is_signature_from_type_hint: false\n");
    add_metadata(out, f);
    ty_text_addf(out, "mlflow_version: %s\nmodel_id: %s\nmodel_size_bytes: %lld\nmodel_uuid: %s\n",
                 mlflow_version, f->model_id, (long long)bytes, f->model_id + 2);
    ty_text_addf(out, "prompts: null\nrun_id: %s\n", f->run_id ? f->run_id : "null");
    if (f->example)
        ty_text_add(out, "saved_input_example_info:\n  artifact_path: input_example.json\n"
                         "  serving_input_path: serving_input_example.json\n  type: ndarray\n");
    ty_text_add(out, "signature:\n");
    add_specs(out, "inputs", f->inputs, f->n_inputs);
    add_specs(out, "outputs", f->outputs, f->n_outputs);
    ty_text_add(out, "  params: null\ntype_hint_from_example: false\n");
    add_time(out, f->created_ns);
}

/* --- the example ------------------------------------------------------------------------------ */

/* Exactly the inputs, by name. */
static ty_status check_example(ty_ctx *ctx, const ty_package_facts *f) {
    json_error_t error;
    json_t *example = json_loads(f->example, JSON_REJECT_DUPLICATES, &error);
    ty_status st = TY_OK;
    if (!json_is_object(example) || (int64_t)json_object_size(example) != f->n_inputs)
        st = ty_fail(
            ctx, TY_ERR_ARG, "a package's example is no JSON object of its %lld input%s: %s",
            (long long)f->n_inputs, f->n_inputs == 1 ? "" : "s", example ? "" : error.text);
    for (int64_t i = 0; st == TY_OK && i < f->n_inputs; i++)
        if (!json_is_array(json_object_get(example, f->inputs[i].name)))
            st = ty_fail(ctx, TY_ERR_ARG, "a package's example has no list for input %s",
                         f->inputs[i].name);
    json_decref(example);
    return st;
}

/* --- the folder ------------------------------------------------------------------------------- */

static ty_status write_text(ty_ctx *ctx, const char *folder, const char *name,
                            const ty_text *text) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, name);
    const ty_status st = path && !text->is_short
                             ? ty_file_write_atomic(ctx, path, ty_text_string(text), text->length)
                             : ty_fail_nomem(ctx, "a package's file");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status write_constant(ty_ctx *ctx, const char *folder, const char *name,
                                const char *content) {
    ty_text text = {0};
    ty_text_add(&text, content);
    const ty_status st = write_text(ctx, folder, name, &text);
    ty_text_clear(&text);
    return st;
}

static ty_status write_example(ty_ctx *ctx, const char *folder, const char *name, const char *front,
                               const char *example, const char *back) {
    ty_text text = {0};
    ty_text_addf(&text, "%s%s%s\n", front, example, back);
    const ty_status st = write_text(ctx, folder, name, &text);
    ty_text_clear(&text);
    return st;
}

/* Tensors by name as they are, and as a request has them. */
static ty_status write_examples(ty_ctx *ctx, const char *folder, const ty_package_facts *f) {
    TY_TRY(check_example(ctx, f));
    TY_TRY(write_example(ctx, folder, "input_example.json", "", f->example, ""));
    return write_example(ctx, folder, "serving_input_example.json", "{\"inputs\": ", f->example,
                         "}");
}

/* What the folder holds besides MLmodel, in bytes. */
static ty_status size_of_folder(ty_ctx *ctx, const char *folder, int64_t *out) {
    ty_arena arena = {0};
    ty_manifest list = {0};
    const ty_status st = ty_manifest_list(ctx, folder, &arena, &list);
    *out = 0;
    for (int64_t i = 0; st == TY_OK && i < list.n_files; i++)
        if (strcmp(list.files[i].path, "MLmodel") != 0)
            *out += list.files[i].size;
    ty_arena_clear(&arena);
    return st;
}

static ty_status check_data(ty_ctx *ctx, const char *folder, const char *data) {
    struct stat info;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, data);
    ty_status st = path ? ty_file_stat(ctx, path, &info) : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK && !ty_artifact_name_is_safe(data))
        st = ty_fail(ctx, TY_ERR_ARG, "a package's model is %s, want a name within it", data);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status write_mlmodel(ty_ctx *ctx, const char *folder, const ty_package_facts *f,
                               const char *data) {
    ty_text text = {0};
    int64_t bytes = 0;
    ty_status st = size_of_folder(ctx, folder, &bytes);
    if (st == TY_OK) {
        add_mlmodel(&text, f, data, bytes);
        st = write_text(ctx, folder, "MLmodel", &text);
    }
    ty_text_clear(&text);
    return st;
}

ty_status ty_package_write(ty_ctx *ctx, const char *folder, const ty_package_facts *facts) {
    const char *data = facts->data ? facts->data : "model.onnx";
    TY_TRY(check_facts(ctx, facts));
    TY_TRY(check_data(ctx, folder, data));
    TY_TRY(write_constant(ctx, folder, "conda.yaml", conda));
    TY_TRY(write_constant(ctx, folder, "python_env.yaml", python_env));
    TY_TRY(write_constant(ctx, folder, "requirements.txt", requirements));
    if (facts->example)
        TY_TRY(write_examples(ctx, folder, facts));
    TY_TRY(write_mlmodel(ctx, folder, facts, data));
    return ty_manifest_write(ctx, folder);
}
