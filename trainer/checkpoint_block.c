/* The 512 bytes in front: enough to know a damaged, cut or foreign file before a parser sees it.
 *
 *     0  8 bytes "TYCKPT\0\1"          24  u64 length of the file
 *     8  u32 version of this block     32  u64 low, u64 high: XXH3-128 of bytes 512..end
 *    12  u32 flags: 1 best             48  zeros
 *    16  i64 step                     504  u64 XXH3-64 of bytes 0..503
 */
#include "trainer/checkpoint_private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, FLAG_BEST = 1, AT_END = 48, AT_OWN_HASH = 504 };

static const unsigned char magic[8] = {'T', 'Y', 'C', 'K', 'P', 'T', 0, 1};

static void put(unsigned char *at, const void *value, size_t bytes) {
    memcpy(at, value, bytes);
}

void ty_ckpt_block_encode(const ty_checkpoint_header *header,
                          unsigned char block[TY_CKPT_BLOCK_BYTES]) {
    const uint32_t version = VERSION, flags = header->is_best ? FLAG_BEST : 0;
    memset(block, 0, TY_CKPT_BLOCK_BYTES);
    put(block, magic, 8);
    put(block + 8, &version, 4);
    put(block + 12, &flags, 4);
    put(block + 16, &header->step, 8);
    put(block + 24, &header->bytes, 8);
    put(block + 32, &header->hash.low, 8);
    put(block + 40, &header->hash.high, 8);
    uint64_t own = ty_hash64(block, AT_OWN_HASH);
    put(block + AT_OWN_HASH, &own, 8);
}

static bool is_zero(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static ty_status decode(ty_ctx *ctx, const char *path,
                        const unsigned char block[TY_CKPT_BLOCK_BYTES], ty_checkpoint_header *out) {
    uint32_t version, flags;
    uint64_t own;
    memcpy(&version, block + 8, 4);
    memcpy(&flags, block + 12, 4);
    memcpy(&out->step, block + 16, 8);
    memcpy(&out->bytes, block + 24, 8);
    memcpy(&out->hash.low, block + 32, 8);
    memcpy(&out->hash.high, block + 40, 8);
    memcpy(&own, block + AT_OWN_HASH, 8);
    out->is_best = (flags & FLAG_BEST) != 0;
    if (memcmp(block, magic, sizeof magic) != 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is no checkpoint: wrong bytes at offset 0", path);
    if (own != ty_hash64(block, AT_OWN_HASH))
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "%s is damaged at offset 0: the header's hash is wrong", path);
    if (version != VERSION)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s has version %" PRIu32 " at offset 8, want %d",
                       path, version, VERSION);
    if (out->step < 0 || flags > FLAG_BEST || !is_zero(block + AT_END, AT_OWN_HASH - AT_END))
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s has a header that version %d does not write",
                       path, VERSION);
    return TY_OK;
}

static ty_status read_block(ty_ctx *ctx, const char *path, int fd, ty_checkpoint_header *out) {
    struct stat info;
    unsigned char block[TY_CKPT_BLOCK_BYTES];
    TY_TRY(ty_file_stat_fd(ctx, path, fd, &info));
    if (!S_ISREG(info.st_mode))
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is not a regular file", path);
    if (info.st_size < TY_CKPT_BLOCK_BYTES)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is no checkpoint: it ends at offset %jd", path,
                       (intmax_t)info.st_size);
    TY_TRY(ty_file_pread(ctx, path, fd, block, sizeof block, 0));
    TY_TRY(decode(ctx, path, block, out));
    if (out->bytes != (uint64_t)info.st_size)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s ends at offset %jd, want %" PRIu64, path,
                       (intmax_t)info.st_size, out->bytes);
    return TY_OK;
}

ty_status ty_ckpt_block_open(ty_ctx *ctx, const char *path, ty_checkpoint_header *out,
                             int *out_fd) {
    int fd;
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd));
    ty_status st = read_block(ctx, path, fd, out);
    if (st == TY_OK)
        *out_fd = fd;
    else
        (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

ty_status ty_ckpt_block_check(ty_ctx *ctx, const char *path, const ty_checkpoint_header *header,
                              ty_hash128 hash) {
    if (hash.low == header->hash.low && hash.high == header->hash.high)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_INTEGRITY,
                   "%s is damaged behind offset %d: hash %016" PRIx64 "%016" PRIx64
                   ", want %016" PRIx64 "%016" PRIx64,
                   path, TY_CKPT_BLOCK_BYTES, hash.high, hash.low, header->hash.high,
                   header->hash.low);
}

static ty_status hash_rest(ty_ctx *ctx, const char *path, int fd, uint64_t bytes,
                           ty_hash_stream *stream) {
    unsigned char *piece = malloc(TY_CKPT_PIECE_BYTES);
    ty_status st = piece ? TY_OK : ty_fail_nomem(ctx, "verifying a checkpoint");
    for (uint64_t at = TY_CKPT_BLOCK_BYTES; st == TY_OK && at < bytes; at += TY_CKPT_PIECE_BYTES) {
        uint64_t left = bytes - at;
        size_t now = left < TY_CKPT_PIECE_BYTES ? (size_t)left : (size_t)TY_CKPT_PIECE_BYTES;
        st = ty_file_pread(ctx, path, fd, piece, now, (int64_t)at);
        if (st == TY_OK)
            ty_hash_stream_update(stream, piece, now);
    }
    free(piece);
    return st;
}

ty_status ty_checkpoint_verify(ty_ctx *ctx, const char *path, ty_checkpoint_header *out) {
    int fd = -1;
    ty_hash_stream *stream = NULL;
    ty_status st = TY_OK;
    TY_TRY(ty_ckpt_block_open(ctx, path, out, &fd));
    TY_TRY_GOTO(done, st, ty_hash_stream_open(ctx, &stream));
    TY_TRY_GOTO(done, st, hash_rest(ctx, path, fd, out->bytes, stream));
    st = ty_ckpt_block_check(ctx, path, out, ty_hash_stream_finish(stream));
done:
    ty_hash_stream_close(stream);
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}
