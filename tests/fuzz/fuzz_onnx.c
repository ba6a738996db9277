/* Arbitrary bytes as a model.onnx of ours, which is its own data file too, since every path is it.
 * What is taken has a config and a data state that nobody checked: they are made into a model. */
#include <stdlib.h>

#include "tests/fuzz/memory_io.h"
#include "trainer/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(ty_ctx *ctx, const ty_checkpoint_file *file) {
    const ty_checkpoint *content = ty_checkpoint_content(file);
    ty_text example = {0};
    if (content->n_tensors < 1 || content->step < 0 || !content->config || !content->data_state)
        abort();
    for (int64_t i = 0; i < content->n_tensors; i++)
        if (ty_checkpoint_tensor(content, content->tensors[i].name) != &content->tensors[i])
            abort();
    const ty_status st = ty_onnx_example(ctx, content, NULL, &example);
    if (st != TY_OK && st != TY_ERR_INTEGRITY && st != TY_ERR_CONFIG)
        abort();
    ty_text_clear(&example);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_file file = {.data = data, .bytes = size};
    ty_io io = memory_io(&file);
    ty_ctx ctx;
    ty_checkpoint_file *model = NULL;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    const ty_status st = ty_onnx_read(&ctx, "fuzz/model.onnx", &model);
    if (st == TY_OK)
        use(&ctx, model);
    else if (st != TY_ERR_INTEGRITY && st != TY_ERR_DATA)
        abort();
    ty_checkpoint_file_close(model);
    ty_ctx_clear(&ctx);
    return 0;
}
