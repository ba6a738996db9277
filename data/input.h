/* A stream of bytes from a file or from memory, inflated where it is gzip. Private to data/.
 * What it takes is bounded: two fixed buffers, whatever the file says of itself. */
#ifndef TY_DATA_INPUT_H
#define TY_DATA_INPUT_H

#include "base/base.h"

typedef struct ty_input ty_input;

/* Opens a regular file. *out is the caller's to close.
 * Errors: TY_ERR_NOT_FOUND, TY_ERR_IO; TY_ERR_DATA where it is none. */
ty_status ty_input_open(ty_ctx *ctx, const char *path, ty_input **out) TY_MUST_USE;

/* The same from an open descriptor, a pipe or a terminal, read once to its end; it stays open. name
 * stands for it in messages.
 * Errors: TY_ERR_IO, TY_ERR_DATA. */
ty_status ty_input_open_stream(ty_ctx *ctx, const char *name, int fd, ty_input **out) TY_MUST_USE;

/* The same over borrowed memory; name stands for the file in messages. */
ty_status ty_input_open_memory(ty_ctx *ctx, const char *name, const void *data, size_t bytes,
                               ty_input **out) TY_MUST_USE;
void ty_input_close(ty_ctx *ctx, ty_input *input); /* accepts NULL */

/* Reads up to `bytes` bytes; *got is less only at the end.
 * Errors: TY_ERR_DATA compressed data damaged, cut off or followed by something else, naming the
 * offset in the file; TY_ERR_IO. */
ty_status ty_input_read(ty_ctx *ctx, ty_input *input, void *data, size_t bytes,
                        size_t *got) TY_MUST_USE;

/* For messages; whether the file is gzip. */
const char *ty_input_name(const ty_input *input);
bool ty_input_is_compressed(const ty_input *input);

/* The most bytes that the file can hold, decompressed: its size, or what deflate can make of it at
 * best; unknown (INT64_MAX) of a stream. Nothing larger is ever allocated on a header's word. */
int64_t ty_input_most_bytes(const ty_input *input);
/* The file's size; of a stream, what was read so far. */
int64_t ty_input_stored_bytes(const ty_input *input);

#endif
