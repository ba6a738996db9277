/* Arbitrary bytes as an IDX file, plain or gzip. What is accepted has to be as long as its header
 * says and all readable. */
#include <stdlib.h>

#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const ty_idx *idx) {
    int64_t product = 1;
    volatile double sum = 0;
    for (int d = 0; d < idx->rank; d++)
        product *= idx->dims[d];
    if (product != idx->count || product < 1)
        abort();
    for (int64_t i = 0; i < idx->count; i++)
        sum = sum + ty_idx_at(idx, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_input *input = NULL;
    ty_idx idx = {0};
    ty_ctx_init(&ctx);
    if (ty_input_open_memory(&ctx, "fuzz", data, size, &input) == TY_OK) {
        const ty_status st = ty_idx_read(&ctx, input, &idx);
        if (st == TY_OK)
            read_all(&idx);
        else if (ctx.message[0] == '\0')
            abort(); /* a refusal says why */
    }
    ty_idx_clear(&idx);
    ty_input_close(&ctx, input);
    ty_ctx_clear(&ctx);
    return 0;
}
