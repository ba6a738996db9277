/* XXH3 against accidents, SHA-256 where a digest is shown or published. Both come from
 * libraries. */
#ifndef TY_BASE_HASH_H
#define TY_BASE_HASH_H

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* XXH3, 64 bits. */
uint64_t ty_hash64(const void *data, size_t bytes);

/* The hash of a with b behind it. */
uint64_t ty_hash64_pair(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

typedef struct ty_hash128 {
    uint64_t low, high;
} ty_hash128;

/* XXH3, 128 bits. */
ty_hash128 ty_hash_128(const void *data, size_t bytes);

/* The same 128 bits for data that comes in pieces. */
typedef struct ty_hash_stream ty_hash_stream;

ty_status ty_hash_stream_open(ty_ctx *ctx, ty_hash_stream **out) TY_MUST_USE;
void ty_hash_stream_update(ty_hash_stream *stream, const void *data, size_t bytes);
ty_hash128 ty_hash_stream_finish(const ty_hash_stream *stream); /* of everything so far */
void ty_hash_stream_close(ty_hash_stream *stream);              /* accepts NULL */

enum { TY_SHA256_BYTES = 32, TY_SHA256_HEX = 65 }; /* hex length counts the NUL */

typedef struct ty_sha256 ty_sha256; /* a running digest */

/* *out is the caller's to close; finish once, after the last update. Errors: TY_ERR_INTERNAL from
 * the library, TY_ERR_NOMEM. */
ty_status ty_sha256_open(ty_ctx *ctx, ty_sha256 **out) TY_MUST_USE;
ty_status ty_sha256_update(ty_ctx *ctx, ty_sha256 *sha, const void *data, size_t bytes) TY_MUST_USE;
ty_status ty_sha256_finish(ty_ctx *ctx, ty_sha256 *sha, uint8_t out[TY_SHA256_BYTES]) TY_MUST_USE;
void ty_sha256_close(ty_sha256 *sha); /* accepts NULL */

/* At once: of memory, of a file (errors as ty_file_open's and ty_file_pread's); 64 hex digits and a
 * NUL. */
ty_status ty_sha256_of(ty_ctx *ctx, const void *data, size_t bytes,
                       uint8_t out[TY_SHA256_BYTES]) TY_MUST_USE;
ty_status ty_sha256_of_file(ty_ctx *ctx, const char *path, uint8_t out[TY_SHA256_BYTES]) TY_MUST_USE;
void ty_sha256_to_hex(const uint8_t digest[TY_SHA256_BYTES], char out[TY_SHA256_HEX]);

#ifdef __cplusplus
}
#endif
#endif
