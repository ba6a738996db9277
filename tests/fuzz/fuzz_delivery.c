/* Arbitrary bytes as a record of delivery.journal: the first byte is its type. Whatever was
 * understood is still there when the next one comes. */
#include "tracking/sinks/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char target[] = "{\"uri\":\"http://here\"}";
    ty_ctx ctx;
    ty_delivery_state state;
    if (size == 0)
        return 0;
    ty_ctx_init(&ctx);
    ty_delivery_state_init(&state, "http://here");
    const ty_journal_record first = {1, 1, target, sizeof target - 1};
    const ty_journal_record raw = {data[0] % 10, 2, data + 1, size - 1};
    if (ty_delivery_take(&ctx, &state, &first) != TY_OK || state.target != 0)
        __builtin_trap();
    for (int i = 0; i < 2; i++)
        if (ty_delivery_take(&ctx, &state, &raw) == TY_OK && state.target != 0)
            __builtin_trap();
    ty_delivery_state_clear(&state);
    ty_ctx_clear(&ctx);
    return 0;
}
