/* Arbitrary bytes as every file of /proc and of the control groups. */
#include "base/system.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_system_reading reading;
    memory_file file = {.data = data, .bytes = size};
    const ty_io io = memory_io(&file);
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ty_system_read(&ctx, "", NULL, &reading);
    (void)ty_system_cpu_percent(&reading, &reading);
    ty_ctx_clear(&ctx);
    return 0;
}
