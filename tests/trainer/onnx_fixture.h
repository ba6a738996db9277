/* What the tests of exported models share: a folder, a small content, and files that are forged
 * field by field. */
#ifndef TY_TESTS_TRAINER_ONNX_FIXTURE_H
#define TY_TESTS_TRAINER_ONNX_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/temp_folder.h"
#include "trainer/onnx_private.h"

#define ONNX_CONFIG                                                                                \
    "{\"data\": {\"source\": \"synthetic\"}, \"model\": {\"layers\": [\"flatten\", "               \
    "{\"type\": \"linear\", \"out\": 3}, \"batch_norm\", \"relu\", \"linear\"]}}"
#define ONNX_DATA                                                                                  \
    "{\"version\":1,\"format\":\"synthetic\",\"x\":{\"dtype\":\"uint8\",\"shape\":[1,2,2]},"       \
    "\"y\":{\"task\":\"classification\",\"outputs\":2,\"classes\":[\"a\",\"b\"]},\"mean\":[3],"    \
    "\"inverse_std\":[0.5]}"

typedef struct onnx_fixture {
    temp_folder folder;
    ty_ctx ctx;
    ty_arena arena;
    ty_checkpoint content;
} onnx_fixture;

static inline void onnx_fixture_add(onnx_fixture *f, const ty_segment *segments, int n) {
    ty_ckpt_tensor *tensors = (ty_ckpt_tensor *)(uintptr_t)f->content.tensors;
    for (int i = 0; i < n; i++) {
        float *data = ty_arena_array(&f->arena, (size_t)segments[i].count, sizeof *data);
        char *name = ty_arena_printf(&f->arena, "model/%s", segments[i].name);
        assert_true(data && name);
        for (int64_t k = 0; k < segments[i].count; k++)
            data[k] = (float)(i + 1) + 0.25F * (float)k;
        tensors[f->content.n_tensors++] =
            (ty_ckpt_tensor){name, TY_DTYPE_F32, segments[i].shape, data};
    }
}

/* A content of that config and data, whose numbers follow from their places. */
static inline void onnx_fixture_fill(onnx_fixture *f, const char *config, const char *data_state) {
    ty_onnx_source source;
    f->content =
        (ty_checkpoint){.step = 12, .state = "{}", .config = config, .data_state = data_state};
    if (ty_onnx_source_init(&f->ctx, &f->content, &source) != TY_OK)
        fail_msg("%s", f->ctx.message);
    f->content.tensors =
        ty_arena_array(&f->arena, (size_t)(source.graph.n_params + source.graph.n_stats + 1),
                       sizeof *f->content.tensors);
    assert_non_null(f->content.tensors);
    onnx_fixture_add(f, source.graph.params, source.graph.n_params);
    onnx_fixture_add(f, source.graph.stats, source.graph.n_stats);
    ty_onnx_source_clear(&source);
}

static inline int onnx_fixture_open(void **state) {
    onnx_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = temp_folder_make();
    ty_ctx_init(&f->ctx);
    onnx_fixture_fill(f, ONNX_CONFIG, ONNX_DATA);
    *state = f;
    return 0;
}

static inline int onnx_fixture_close(void **state) {
    onnx_fixture *f = *state;
    temp_folder_remove(&f->folder);
    ty_arena_clear(&f->arena);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static inline ty_status onnx_fixture_write(onnx_fixture *f, ty_ctx *ctx, uint64_t external_bytes) {
    const ty_onnx_options options = {.version = "test", .external_bytes = external_bytes};
    ty_onnx_signature signature;
    return ty_onnx_write(ctx, &f->content, f->folder.path, &options, &f->arena, &signature);
}

#endif
