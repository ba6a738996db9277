/* Arbitrary bytes as a checkpoint, up to the point where HDF5 would see them. Where the first byte
 * is odd, the user block is given the right length and hashes first: then nothing but the fields
 * themselves may be refused. */
#include <stdlib.h>

#include "base/hash.h"
#include "tests/fuzz/memory_io.h"
#include "trainer/checkpoint.h"

enum { BLOCK = 512, OWN_HASH = 504 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair(unsigned char *file, size_t bytes) {
    const uint64_t length = bytes;
    const ty_hash128 hash = ty_hash_128(file + BLOCK, bytes - BLOCK);
    memcpy(file, "TYCKPT\0\1", 8);
    memcpy(file + 24, &length, 8);
    memcpy(file + 32, &hash.low, 8);
    memcpy(file + 40, &hash.high, 8);
    const uint64_t own = ty_hash64(file, OWN_HASH);
    memcpy(file + OWN_HASH, &own, 8);
}

/* What the block says when nothing else is wrong with it. */
static bool has_good_fields(const unsigned char *file) {
    uint32_t version, flags;
    int64_t step;
    memcpy(&version, file + 8, 4);
    memcpy(&flags, file + 12, 4);
    memcpy(&step, file + 16, 8);
    for (size_t i = 48; i < OWN_HASH; i++)
        if (file[i] != 0)
            return false;
    return version == 1 && flags <= 1 && step >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    size_t bytes = size - 1;
    unsigned char *copy = malloc(bytes + 1);
    if (!copy)
        abort();
    memcpy(copy, data + 1, bytes);
    bool is_repaired = (data[0] & 1) != 0 && bytes >= BLOCK;
    if (is_repaired)
        repair(copy, bytes);
    memory_file file = {.data = copy, .bytes = bytes};
    ty_io io = memory_io(&file);
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ty_checkpoint_header header;
    ty_status st = ty_checkpoint_verify(&ctx, "fuzz", &header);
    if (st != TY_OK && st != TY_ERR_INTEGRITY)
        abort();
    if (is_repaired && (st == TY_OK) != has_good_fields(copy))
        abort();
    if (st == TY_OK && header.bytes != bytes)
        abort();
    ty_ctx_clear(&ctx);
    free(copy);
    return 0;
}
