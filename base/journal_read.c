/* Reads frames, and tells a torn tail from damage: behind a torn tail nothing whole follows.
 * The file may grow, and its torn tail be cut, while it is read: nothing but good records is ever
 * stepped over, and the buffer is thrown away at each doubt. */
#include "base/journal_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/io_retry.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "journals are little-endian and so must be the machine");

enum { BUFFER_BYTES = 64 * 1024, SEARCH_BYTES = 256 * 1024 };

const char ty_journal_magic[TY_JOURNAL_HEADER_BYTES] = {'T', 'Y', 'J', 'R', 'N', 'L', '1', '\n'};

typedef struct frame {
    uint32_t payload_bytes, type;
    uint64_t sequence, hash;
} frame;

static frame decode(const unsigned char *head) {
    frame f;
    memcpy(&f.payload_bytes, head, 4);
    memcpy(&f.type, head + 4, 4);
    memcpy(&f.sequence, head + 8, 8);
    memcpy(&f.hash, head + 16, 8);
    return f;
}

void ty_frame_encode(unsigned char head[TY_FRAME_BYTES], uint32_t type, uint64_t sequence,
                     const void *payload, size_t payload_bytes) {
    uint32_t bytes = (uint32_t)payload_bytes;
    memcpy(head, &bytes, 4);
    memcpy(head + 4, &type, 4);
    memcpy(head + 8, &sequence, 8);
    uint64_t hash = ty_hash64_pair(head, 16, payload, payload_bytes);
    memcpy(head + 16, &hash, 8);
}

static bool is_whole(const unsigned char *record, frame f) {
    return ty_hash64_pair(record, 16, record + TY_FRAME_BYTES, f.payload_bytes) == f.hash;
}

/* As many of `bytes` bytes at offset as the file has now. */
static ty_status read_up_to(ty_ctx *ctx, const ty_journal_reader *reader, void *data, size_t bytes,
                            int64_t offset, size_t *out_bytes) {
    unsigned char *at = data;
    size_t done = 0;
    while (done < bytes) {
        ssize_t got;
        TY_IO_RETRY(got, ctx->io->pread(ctx->io->self, reader->fd, at + done, bytes - done,
                                        (off_t)(offset + (int64_t)done)));
        if (got < 0)
            return ty_fail_errno(ctx, errno, "cannot read %s at offset %" PRId64, reader->path,
                                 offset + (int64_t)done);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_bytes = done;
    return TY_OK;
}

static ty_status file_bytes(ty_ctx *ctx, const ty_journal_reader *reader, int64_t *out) {
    struct stat info;
    TY_TRY(ty_file_stat_fd(ctx, reader->path, reader->fd, &info));
    *out = (int64_t)info.st_size;
    return TY_OK;
}

static ty_status reserve(ty_ctx *ctx, ty_journal_reader *reader, size_t bytes) {
    if (bytes <= reader->buffer_capacity)
        return TY_OK;
    unsigned char *buffer = malloc(bytes);
    if (!buffer)
        return ty_fail_nomem(ctx, "a journal's record");
    free(reader->buffer);
    reader->buffer = buffer;
    reader->buffer_capacity = bytes;
    reader->buffer_bytes = 0;
    return TY_OK;
}

static void forget_buffer(ty_journal_reader *reader) {
    reader->buffer_bytes = 0;
}

/* Makes `bytes` bytes at the reader's offset visible, or as many as there are. */
static ty_status see(ty_ctx *ctx, ty_journal_reader *reader, size_t bytes,
                     const unsigned char **out, size_t *out_bytes) {
    int64_t skip = reader->offset - reader->buffer_offset;
    if (skip < 0 || skip > (int64_t)reader->buffer_bytes ||
        reader->buffer_bytes - (size_t)skip < bytes) {
        TY_TRY(reserve(ctx, reader, bytes > BUFFER_BYTES ? bytes : (size_t)BUFFER_BYTES));
        reader->buffer_offset = reader->offset;
        forget_buffer(reader);
        TY_TRY(read_up_to(ctx, reader, reader->buffer, reader->buffer_capacity, reader->offset,
                          &reader->buffer_bytes));
        skip = 0;
    }
    *out = reader->buffer + skip;
    *out_bytes = reader->buffer_bytes - (size_t)skip;
    return TY_OK;
}

/* One look at the record at the reader's offset; *record is NULL where there is no whole one. */
static ty_status look(ty_ctx *ctx, ty_journal_reader *reader, const unsigned char **record) {
    const unsigned char *at;
    size_t visible;
    int64_t size;
    *record = NULL;
    TY_TRY(see(ctx, reader, TY_FRAME_BYTES, &at, &visible));
    if (visible < TY_FRAME_BYTES)
        return TY_OK;
    size_t needed = TY_FRAME_BYTES + (size_t)decode(at).payload_bytes;
    if (needed - TY_FRAME_BYTES > TY_JOURNAL_MAX_PAYLOAD)
        return TY_OK;
    if (needed > visible) {
        TY_TRY(file_bytes(ctx, reader, &size)); /* a lying length must not cost memory */
        if (size - reader->offset < (int64_t)needed)
            return TY_OK;
        TY_TRY(see(ctx, reader, needed, &at, &visible));
    }
    /* A writer may have cut and rewritten the record between the two looks. */
    bool is_same = visible >= needed && decode(at).payload_bytes == needed - TY_FRAME_BYTES;
    if (is_same && is_whole(at, decode(at)))
        *record = at;
    return TY_OK;
}

/* Whether a whole record lies at offset; *budget keeps a hostile file from costing more than a few
 * times its size. */
static ty_status is_record_at(ty_ctx *ctx, ty_journal_reader *reader, int64_t offset, frame f,
                              int64_t *budget, bool *out) {
    size_t bytes = TY_FRAME_BYTES + (size_t)f.payload_bytes, got = 0;
    *budget -= (int64_t)bytes;
    if (*budget < 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "%s is damaged at offset %" PRId64 ": what follows is no journal",
                       reader->path, reader->offset);
    TY_TRY(reserve(ctx, reader, bytes));
    forget_buffer(reader);
    TY_TRY(read_up_to(ctx, reader, reader->buffer, bytes, offset, &got));
    *out = got == bytes && decode(reader->buffer).payload_bytes == f.payload_bytes &&
           is_whole(reader->buffer, decode(reader->buffer));
    return TY_OK;
}

/* Looks through one window of the file's rest for a whole record; *found is its offset, or stays
 * -1. */
static ty_status search_window(ty_ctx *ctx, ty_journal_reader *reader, const unsigned char *window,
                               size_t window_bytes, int64_t window_offset, int64_t size,
                               int64_t *budget, int64_t *found) {
    uint64_t most = reader->next_sequence + (uint64_t)(size - reader->offset) / TY_FRAME_BYTES;
    for (size_t i = 0; i + TY_FRAME_BYTES <= window_bytes && *found < 0; i++) {
        frame f = decode(window + i);
        int64_t offset = window_offset + (int64_t)i;
        bool is_likely = f.sequence > reader->next_sequence && f.sequence <= most &&
                         f.payload_bytes <= TY_JOURNAL_MAX_PAYLOAD &&
                         (int64_t)f.payload_bytes <= size - offset - TY_FRAME_BYTES;
        bool is_record = false;
        if (is_likely)
            TY_TRY(is_record_at(ctx, reader, offset, f, budget, &is_record));
        if (is_record)
            *found = offset;
    }
    return TY_OK;
}

static ty_status find_later_record(ty_ctx *ctx, ty_journal_reader *reader, int64_t *found) {
    int64_t size;
    *found = -1;
    TY_TRY(file_bytes(ctx, reader, &size));
    if (size - reader->offset <= TY_FRAME_BYTES)
        return TY_OK;
    int64_t budget = 4 * (size - reader->offset) + 1024 * 1024;
    unsigned char *window = malloc(SEARCH_BYTES);
    if (!window)
        return ty_fail_nomem(ctx, "checking a journal's tail");
    ty_status st = TY_OK;
    for (int64_t at = reader->offset + 1; st == TY_OK && *found < 0 && at < size;
         at += SEARCH_BYTES - TY_FRAME_BYTES + 1) {
        size_t got = 0;
        st = read_up_to(ctx, reader, window, SEARCH_BYTES, at, &got);
        if (st == TY_OK)
            st = search_window(ctx, reader, window, got, at, size, &budget, found);
    }
    free(window);
    return st;
}

/* No whole record at the offset: the end, a torn tail, one that is being written, or damage. */
static ty_status look_again(ty_ctx *ctx, ty_journal_reader *reader, const unsigned char **record) {
    int64_t later;
    forget_buffer(reader);
    TY_TRY(find_later_record(ctx, reader, &later));
    forget_buffer(reader);
    if (later < 0)
        return TY_OK;
    /* Records are written one after the other, so this one is finished now if it ever will be. */
    TY_TRY(look(ctx, reader, record));
    if (!*record)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "%s is damaged at offset %" PRId64 ": record %" PRIu64
                       " is not what was written, although a later one at offset %" PRId64 " is",
                       reader->path, reader->offset, reader->next_sequence, later);
    return TY_OK;
}

static ty_status check_header(ty_ctx *ctx, ty_journal_reader *reader) {
    char head[TY_JOURNAL_HEADER_BYTES];
    size_t got = 0;
    TY_TRY(read_up_to(ctx, reader, head, sizeof head, 0, &got));
    if (memcmp(head, ty_journal_magic, got) != 0)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s is no journal: wrong first %zu bytes",
                       reader->path, got);
    reader->has_header = got == sizeof head; /* fewer: it is being created */
    return TY_OK;
}

ty_status ty_journal_reader_next(ty_ctx *ctx, ty_journal_reader *reader, ty_journal_record *out,
                                 bool *has_record) {
    const unsigned char *record = NULL;
    *has_record = false;
    if (!reader->has_header)
        TY_TRY(check_header(ctx, reader));
    if (!reader->has_header)
        return TY_OK;
    TY_TRY(look(ctx, reader, &record));
    if (!record)
        TY_TRY(look_again(ctx, reader, &record));
    if (!record)
        return TY_OK;
    frame f = decode(record);
    if (f.sequence != reader->next_sequence)
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "%s is damaged at offset %" PRId64 ": record %" PRIu64 ", want %" PRIu64,
                       reader->path, reader->offset, f.sequence, reader->next_sequence);
    *out = (ty_journal_record){.type = f.type,
                               .sequence = f.sequence,
                               .payload = record + TY_FRAME_BYTES,
                               .payload_bytes = f.payload_bytes};
    *has_record = true;
    reader->offset += TY_FRAME_BYTES + (int64_t)f.payload_bytes;
    reader->next_sequence++;
    return TY_OK;
}

ty_status ty_frame_reader_init(ty_ctx *ctx, ty_journal_reader *reader, const char *path, int fd,
                               int64_t offset, uint64_t next_sequence) {
    *reader = (ty_journal_reader){.io = ctx->io,
                                  .path = strdup(path),
                                  .fd = fd,
                                  .offset = offset,
                                  .next_sequence = next_sequence};
    return reader->path ? TY_OK : ty_fail_nomem(ctx, "a journal's reader");
}

void ty_frame_reader_clear(ty_journal_reader *reader) {
    free(reader->path);
    free(reader->buffer);
    reader->path = NULL;
    reader->buffer = NULL;
}

ty_status ty_journal_reader_open(ty_ctx *ctx, const char *path, ty_journal_reader **out) {
    int fd = -1;
    ty_status st = TY_OK;
    ty_journal_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return ty_fail_nomem(ctx, "a journal's reader");
    TY_TRY_GOTO(fail, st, ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd));
    TY_TRY_GOTO(fail, st, ty_frame_reader_init(ctx, reader, path, fd, TY_JOURNAL_HEADER_BYTES, 1));
    TY_TRY_GOTO(fail, st, check_header(ctx, reader));
    *out = reader;
    return TY_OK;
fail:
    ty_frame_reader_clear(reader);
    free(reader);
    if (fd >= 0)
        (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

void ty_journal_reader_close(ty_journal_reader *reader) {
    if (!reader)
        return;
    (void)reader->io->close(reader->io->self, reader->fd);
    ty_frame_reader_clear(reader);
    free(reader);
}
