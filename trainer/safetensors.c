/* model.safetensors (github.com/huggingface/safetensors, README): the length of a JSON header in
 * eight bytes, the header, padded with spaces, and the tensors one behind the other without gaps. */
#include <inttypes.h>

#include "trainer/file_out.h"
#include "trainer/onnx_private.h"

enum { ALIGNMENT = 64, LENGTH_BYTES = 8 };

static void add_metadata(ty_text *header, const ty_checkpoint *content, const char *version) {
    ty_text_addf(header, "\"__metadata__\":{\"%s\":", TY_ONNX_KEY_CONFIG);
    ty_text_add_json(header, content->config);
    ty_text_addf(header, ",\"%s\":", TY_ONNX_KEY_DATA);
    ty_text_add_json(header, content->data_state);
    ty_text_addf(header, ",\"%s\":\"%" PRId64 "\",\"%s\":", TY_ONNX_KEY_STEP, content->step,
                 TY_ONNX_KEY_VERSION);
    ty_text_add_json(header, version);
    ty_text_add(header, "}");
}

static void add_tensor(ty_text *header, const ty_onnx_tensor *tensor, uint64_t at) {
    ty_text_add(header, ",");
    ty_text_add_json(header, tensor->name);
    ty_text_add(header, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int i = 0; i < tensor->shape.rank; i++)
        ty_text_addf(header, "%s%" PRId64, i ? "," : "", tensor->shape.dims[i]);
    ty_text_addf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + tensor->bytes);
}

static void add_header(ty_text *header, const ty_checkpoint *content, const char *version,
                       const ty_onnx_tensor *tensors, int64_t n) {
    uint64_t at = 0;
    ty_text_add(header, "{");
    add_metadata(header, content, version);
    for (int64_t i = 0; i < n; i++) {
        add_tensor(header, &tensors[i], at);
        at += tensors[i].bytes;
    }
    ty_text_add(header, "}");
    while ((header->length + LENGTH_BYTES) % ALIGNMENT != 0 && !header->is_short)
        ty_text_add(header, " ");
}

static ty_status write_parts(ty_ctx *ctx, const char *path, const ty_text *header,
                             const ty_onnx_tensor *tensors, int64_t n) {
    const uint64_t length = header->length; /* little-endian, as we are */
    ty_file_out out = {.fd = -1};
    ty_status st = ty_file_out_open(ctx, path, &out);
    if (st == TY_OK)
        st = ty_file_out_add(ctx, &out, &length, LENGTH_BYTES);
    if (st == TY_OK)
        st = ty_file_out_add(ctx, &out, ty_text_string(header), header->length);
    for (int64_t i = 0; st == TY_OK && i < n; i++)
        st = ty_file_out_add(ctx, &out, tensors[i].data, tensors[i].bytes);
    return ty_file_out_end(ctx, &out, st);
}

static ty_status write_model(ty_ctx *ctx, const ty_checkpoint *content, ty_onnx_source *source,
                             const char *path, const char *version) {
    ty_onnx_tensor *tensors;
    int64_t n;
    TY_TRY(ty_onnx_source_init(ctx, content, source));
    TY_TRY(ty_onnx_tensors(ctx, content, &source->graph, &source->arena, &tensors, &n));
    ty_text header = {0};
    add_header(&header, content, version, tensors, n);
    const ty_status st = header.is_short ? ty_fail_nomem(ctx, "the header")
                                         : write_parts(ctx, path, &header, tensors, n);
    ty_text_clear(&header);
    return st;
}

ty_status ty_safetensors_write(ty_ctx *ctx, const ty_checkpoint *content, const char *folder,
                               const char *version) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_onnx_source source = {0};
    const char *path = ty_path_join(&ctx->scratch, folder, TY_SAFETENSORS_FILE);
    const ty_status st =
        path ? write_model(ctx, content, &source, path, version) : ty_fail_nomem(ctx, "a path");
    ty_onnx_source_clear(&source);
    ty_arena_reset(&ctx->scratch, mark);
    return st == TY_OK ? TY_OK : ty_fail_within(ctx, st, "writing " TY_SAFETENSORS_FILE);
}
