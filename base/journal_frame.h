/* Private to base: what the journal's writer and its reader share. */
#ifndef TY_BASE_JOURNAL_FRAME_H
#define TY_BASE_JOURNAL_FRAME_H

#include "base/journal.h"

enum { TY_JOURNAL_HEADER_BYTES = 8, TY_FRAME_BYTES = 24 };

extern const char ty_journal_magic[TY_JOURNAL_HEADER_BYTES];

/* Where one who had the lease may wake up: puts a copy in the journal's place, and settles the lease.
 * Errors: TY_ERR_BUSY the lease is somebody else's by now; TY_ERR_IO. */
ty_status ty_journal_fence(ty_ctx *ctx, const char *path, ty_lease *lease) TY_MUST_USE;

/* Writes the 24 bytes that stand before a payload. */
void ty_frame_encode(unsigned char head[TY_FRAME_BYTES], uint32_t type, uint64_t sequence,
                     const void *payload, size_t payload_bytes);

struct ty_journal_reader {
    const ty_io *io;
    char *path;
    int fd;
    bool has_header;        /* the first 8 bytes were seen and are right */
    int64_t offset;         /* behind the last good record */
    uint64_t next_sequence; /* of the record at offset */
    unsigned char *buffer;  /* the file's bytes from buffer_offset on */
    int64_t buffer_offset;
    size_t buffer_bytes, buffer_capacity;
};

/* A reader over a descriptor that stays the caller's, from a record's offset on. Cleared by
 * ty_frame_reader_clear. */
ty_status ty_frame_reader_init(ty_ctx *ctx, ty_journal_reader *reader, const char *path, int fd,
                               int64_t offset, uint64_t next_sequence) TY_MUST_USE;
void ty_frame_reader_clear(ty_journal_reader *reader);

#endif
