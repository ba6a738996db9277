/* Arbitrary bytes as a journal. Where the first byte is odd, frames are given right sequences and
 * hashes first, so that the fuzzer gets behind the checksums; then every one of them has to be read
 * back. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/journal.h"
#include "tests/fuzz/memory_io.h"

enum { HEADER = 8, FRAME = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes what follows the header good records as far as the lengths allow; returns how many. */
static uint64_t repair(unsigned char *file, size_t bytes) {
    uint64_t count = 0;
    memcpy(file, "TYJRNL1\n", HEADER);
    for (size_t at = HEADER; bytes - at >= FRAME;) {
        uint32_t length;
        memcpy(&length, file + at, 4);
        length %= 1024;
        if (length > bytes - at - FRAME)
            break;
        memcpy(file + at, &length, 4);
        count++;
        memcpy(file + at + 8, &count, 8);
        uint64_t hash = ty_hash64_pair(file + at, 16, file + at + FRAME, length);
        memcpy(file + at + 16, &hash, 8);
        at += FRAME + length;
    }
    return count;
}

/* Touches each byte that a record claims. */
static uint64_t read_all(ty_ctx *ctx) {
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = true;
    uint64_t count = 0;
    if (ty_journal_reader_open(ctx, "fuzz", &reader) != TY_OK)
        return 0;
    while (ty_journal_reader_next(ctx, reader, &record, &has_record) == TY_OK && has_record) {
        if (record.sequence != ++count)
            abort();
        size_t zeros = 0;
        for (size_t i = 0; i < record.payload_bytes; i++)
            zeros += ((const unsigned char *)record.payload)[i] == 0;
        if (zeros > record.payload_bytes)
            abort();
    }
    ty_journal_reader_close(reader);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 + HEADER)
        return 0;
    size_t bytes = size - 1;
    unsigned char *copy = malloc(bytes);
    if (!copy)
        abort();
    memcpy(copy, data + 1, bytes);
    bool is_repaired = (data[0] & 1) != 0;
    uint64_t want = is_repaired ? repair(copy, bytes) : 0;
    memory_file file = {.data = copy, .bytes = bytes};
    ty_io io = memory_io(&file);
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    uint64_t got = read_all(&ctx);
    if (is_repaired && got < want)
        abort();
    ty_ctx_clear(&ctx);
    free(copy);
    return 0;
}
