/* Thin covers: nothing outside this file names xxhash or libcrypto. */
#include "base/hash.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* shows XXH3_state_t, so that it can live on the stack */
#include <xxhash.h>

#include "base/io.h"

uint64_t ty_hash64(const void *data, size_t bytes) {
    return XXH3_64bits(data, bytes);
}

uint64_t ty_hash64_pair(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    unsigned char together[240]; /* up to here one copy is cheaper than a running state */
    if (a_bytes <= sizeof together && b_bytes <= sizeof together - a_bytes) {
        if (a_bytes > 0)
            memcpy(together, a, a_bytes);
        if (b_bytes > 0)
            memcpy(together + a_bytes, b, b_bytes);
        return XXH3_64bits(together, a_bytes + b_bytes);
    }
    XXH3_state_t state;
    (void)XXH3_64bits_reset(&state);
    (void)XXH3_64bits_update(&state, a, a_bytes);
    (void)XXH3_64bits_update(&state, b, b_bytes);
    return XXH3_64bits_digest(&state);
}

ty_hash128 ty_hash_128(const void *data, size_t bytes) {
    XXH128_hash_t hash = XXH3_128bits(data, bytes);
    return (ty_hash128){.low = hash.low64, .high = hash.high64};
}

struct ty_hash_stream {
    XXH3_state_t *state;
};

ty_status ty_hash_stream_open(ty_ctx *ctx, ty_hash_stream **out) {
    ty_hash_stream *stream = malloc(sizeof *stream);
    XXH3_state_t *state = XXH3_createState();
    if (!stream || !state) {
        free(stream);
        (void)XXH3_freeState(state);
        return ty_fail_nomem(ctx, "a running hash");
    }
    (void)XXH3_128bits_reset(state);
    stream->state = state;
    *out = stream;
    return TY_OK;
}

void ty_hash_stream_update(ty_hash_stream *stream, const void *data, size_t bytes) {
    if (bytes > 0)
        (void)XXH3_128bits_update(stream->state, data, bytes);
}

ty_hash128 ty_hash_stream_finish(const ty_hash_stream *stream) {
    XXH128_hash_t hash = XXH3_128bits_digest(stream->state);
    return (ty_hash128){.low = hash.low64, .high = hash.high64};
}

void ty_hash_stream_close(ty_hash_stream *stream) {
    if (stream)
        (void)XXH3_freeState(stream->state);
    free(stream);
}

struct ty_sha256 {
    EVP_MD_CTX *digest;
};

ty_status ty_sha256_open(ty_ctx *ctx, ty_sha256 **out) {
    ty_sha256 *sha = malloc(sizeof *sha);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (!sha || !digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(digest);
        free(sha);
        return ty_fail_nomem(ctx, "a SHA-256 digest");
    }
    sha->digest = digest;
    *out = sha;
    return TY_OK;
}

ty_status ty_sha256_update(ty_ctx *ctx, ty_sha256 *sha, const void *data, size_t bytes) {
    if (EVP_DigestUpdate(sha->digest, data, bytes) != 1)
        return ty_fail(ctx, TY_ERR_INTERNAL, "libcrypto refused %zu bytes for SHA-256", bytes);
    return TY_OK;
}

ty_status ty_sha256_finish(ty_ctx *ctx, ty_sha256 *sha, uint8_t out[TY_SHA256_BYTES]) {
    if (EVP_DigestFinal_ex(sha->digest, out, NULL) != 1)
        return ty_fail(ctx, TY_ERR_INTERNAL, "libcrypto could not finish a SHA-256");
    return TY_OK;
}

void ty_sha256_close(ty_sha256 *sha) {
    if (sha)
        EVP_MD_CTX_free(sha->digest);
    free(sha);
}

ty_status ty_sha256_of(ty_ctx *ctx, const void *data, size_t bytes, uint8_t out[TY_SHA256_BYTES]) {
    ty_sha256 *sha = NULL;
    TY_TRY(ty_sha256_open(ctx, &sha));
    ty_status st = ty_sha256_update(ctx, sha, data, bytes);
    if (st == TY_OK)
        st = ty_sha256_finish(ctx, sha, out);
    ty_sha256_close(sha);
    return st;
}

static ty_status add_file(ty_ctx *ctx, const char *path, int fd, int64_t bytes, ty_sha256 *sha) {
    enum { PIECE = 256 * 1024 };
    unsigned char *piece = malloc(PIECE);
    ty_status st = piece ? TY_OK : ty_fail_nomem(ctx, "reading a file");
    for (int64_t at = 0; st == TY_OK && at < bytes; at += PIECE) {
        size_t now = bytes - at < PIECE ? (size_t)(bytes - at) : (size_t)PIECE;
        st = ty_file_pread(ctx, path, fd, piece, now, at);
        if (st == TY_OK)
            st = ty_sha256_update(ctx, sha, piece, now);
    }
    free(piece);
    return st;
}

ty_status ty_sha256_of_file(ty_ctx *ctx, const char *path, uint8_t out[TY_SHA256_BYTES]) {
    int fd = -1;
    ty_sha256 *sha = NULL;
    struct stat info;
    ty_status st = TY_OK;
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd));
    TY_TRY_GOTO(done, st, ty_sha256_open(ctx, &sha));
    TY_TRY_GOTO(done, st, ty_file_stat_fd(ctx, path, fd, &info));
    if (!S_ISREG(info.st_mode)) {
        st = ty_fail(ctx, TY_ERR_IO, "%s is not a regular file", path);
        goto done;
    }
    TY_TRY_GOTO(done, st, add_file(ctx, path, fd, (int64_t)info.st_size, sha));
    st = ty_sha256_finish(ctx, sha, out);
done:
    ty_sha256_close(sha);
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

void ty_sha256_to_hex(const uint8_t digest[TY_SHA256_BYTES], char out[TY_SHA256_HEX]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < TY_SHA256_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[TY_SHA256_HEX - 1] = '\0';
}
