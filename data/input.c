/* Plain and gzip files behind one read call. */
#include "data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK_BYTES = 256 * 1024 };

/* Deflate makes at most 1032 bytes of one (zlib's manual, "Maximum Compression Factor"). */
enum { MOST_INFLATED = 1032 };

struct ty_input {
    char *name;
    int fd;              /* -1: memory */
    const uint8_t *data; /* memory */
    int64_t size;        /* stored bytes */
    int64_t position;    /* stored bytes taken into chunk so far */
    const uint8_t *next; /* not yet used bytes of the chunk */
    size_t left;
    bool is_compressed, is_ended;
    bool is_stream; /* of unknown size, read where it stands; fd is borrowed */
    z_stream inflater;
    uint8_t *chunk; /* of a file */
};

/* As much as there is, so that a pipe's first bytes are enough to see what they are. */
static ty_status refill_from_stream(ty_ctx *ctx, ty_input *input) {
    size_t bytes = 0;
    while (bytes < CHUNK_BYTES) {
        const ssize_t got =
            ctx->io->read(ctx->io->self, input->fd, input->chunk + bytes, CHUNK_BYTES - bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ty_fail_errno(ctx, errno, "reading %s", input->name);
        if (got == 0)
            break;
        bytes += (size_t)got;
    }
    input->next = input->chunk;
    input->left = bytes;
    input->position += (int64_t)bytes;
    input->size = input->position;
    return TY_OK;
}

static ty_status refill(ty_ctx *ctx, ty_input *input) {
    if (input->is_stream)
        return refill_from_stream(ctx, input);
    const int64_t rest = input->size - input->position;
    const size_t bytes = rest < CHUNK_BYTES ? (size_t)rest : (size_t)CHUNK_BYTES;
    if (input->fd < 0) {
        input->next = input->data + input->position;
    } else {
        ty_status st =
            ty_file_pread(ctx, input->name, input->fd, input->chunk, bytes, input->position);
        if (st != TY_OK) /* it was long enough when it was opened */
            return st == TY_ERR_INTEGRITY ? TY_ERR_DATA : st;
        input->next = input->chunk;
    }
    input->left = bytes;
    input->position += (int64_t)bytes;
    return TY_OK;
}

/* Offset in the file of the next byte that is not used yet. */
static long long offset_of_next(const ty_input *input) {
    return (long long)(input->position - (int64_t)input->left);
}

static ty_status detect_gzip(ty_ctx *ctx, ty_input *input) {
    TY_TRY(refill(ctx, input));
    if (input->left < 2 || input->next[0] != 0x1f || input->next[1] != 0x8b)
        return TY_OK;
    if (inflateInit2(&input->inflater, 15 + 16) != Z_OK) /* 16: gzip, checks its CRC */
        return ty_fail_nomem(ctx, "decompression");
    input->is_compressed = true;
    return TY_OK;
}

static ty_status create(ty_ctx *ctx, const char *name, ty_input **out) {
    ty_input *input = calloc(1, sizeof *input);
    if (!input || !(input->name = strdup(name))) {
        free(input);
        return ty_fail_nomem(ctx, "a file buffer");
    }
    input->fd = -1;
    *out = input;
    return TY_OK;
}

static ty_status open_regular(ty_ctx *ctx, ty_input *input) {
    struct stat info;
    /* stat first: opening a pipe would wait for its writer. */
    if (ctx->io->stat(ctx->io->self, input->name, &info) != 0)
        return ty_fail_errno(ctx, errno, "opening %s", input->name);
    if (!S_ISREG(info.st_mode))
        return ty_fail(ctx, TY_ERR_DATA, "%s is not a regular file", input->name);
    TY_TRY(ty_file_open(ctx, input->name, O_RDONLY, 0, &input->fd));
    if (ctx->io->fstat(ctx->io->self, input->fd, &info) != 0)
        return ty_fail_errno(ctx, errno, "reading the size of %s", input->name);
    input->size = (int64_t)info.st_size;
    input->chunk = malloc(CHUNK_BYTES);
    return input->chunk ? TY_OK : ty_fail_nomem(ctx, "a file buffer");
}

ty_status ty_input_open(ty_ctx *ctx, const char *path, ty_input **out) {
    ty_input *input = NULL;
    ty_status st = TY_OK;
    TY_TRY(create(ctx, path, &input));
    TY_TRY_GOTO(failed, st, open_regular(ctx, input));
    TY_TRY_GOTO(failed, st, detect_gzip(ctx, input));
    *out = input;
    return TY_OK;
failed:
    ty_input_close(ctx, input);
    return st;
}

ty_status ty_input_open_stream(ty_ctx *ctx, const char *name, int fd, ty_input **out) {
    ty_input *input = NULL;
    ty_status st = TY_OK;
    TY_TRY(create(ctx, name, &input));
    input->is_stream = true;
    input->fd = fd;
    input->chunk = malloc(CHUNK_BYTES);
    if (!input->chunk)
        st = ty_fail_nomem(ctx, "a file buffer");
    if (st == TY_OK)
        st = detect_gzip(ctx, input);
    if (st != TY_OK) {
        ty_input_close(ctx, input);
        return st;
    }
    *out = input;
    return TY_OK;
}

ty_status ty_input_open_memory(ty_ctx *ctx, const char *name, const void *data, size_t bytes,
                               ty_input **out) {
    ty_input *input = NULL;
    TY_TRY(create(ctx, name, &input));
    input->data = data;
    input->size = (int64_t)bytes;
    ty_status st = detect_gzip(ctx, input);
    if (st != TY_OK) {
        ty_input_close(ctx, input);
        return st;
    }
    *out = input;
    return TY_OK;
}

void ty_input_close(ty_ctx *ctx, ty_input *input) {
    if (!input)
        return;
    if (input->is_compressed)
        (void)inflateEnd(&input->inflater);
    if (input->fd >= 0 && !input->is_stream)
        (void)ctx->io->close(ctx->io->self, input->fd); /* only read from: nothing can be lost */
    free(input->chunk);
    free(input->name);
    free(input);
}

static ty_status read_plain(ty_ctx *ctx, ty_input *input, uint8_t *out, size_t bytes, size_t *got) {
    size_t done = 0;
    while (done < bytes) {
        if (input->left == 0) {
            TY_TRY(refill(ctx, input));
            if (input->left == 0)
                break;
        }
        const size_t n = input->left < bytes - done ? input->left : bytes - done;
        memcpy(out + done, input->next, n);
        input->next += n;
        input->left -= n;
        done += n;
    }
    *got = done;
    return TY_OK;
}

/* One gzip member has ended: another one, or the end of the file, has to follow. */
static ty_status end_member(ty_ctx *ctx, ty_input *input) {
    if (input->left == 0)
        TY_TRY(refill(ctx, input));
    if (input->left == 0) {
        input->is_ended = true;
        return TY_OK;
    }
    if (input->next[0] != 0x1f)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@%lld: bytes follow the end of the compressed data",
                       input->name, offset_of_next(input));
    if (inflateReset(&input->inflater) != Z_OK)
        return ty_fail(ctx, TY_ERR_INTERNAL, "zlib could not be reset");
    return TY_OK;
}

/* Makes inflate work once; *done grows by what came out. */
static ty_status inflate_some(ty_ctx *ctx, ty_input *input, uint8_t *out, size_t bytes,
                              size_t *done) {
    if (input->left == 0)
        TY_TRY(refill(ctx, input));
    if (input->left == 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@%lld: the compressed data is cut off here; the file is not complete",
                       input->name, offset_of_next(input));
    const size_t most = 1u << 30, want = bytes - *done < most ? bytes - *done : most;
    z_stream *z = &input->inflater;
    z->next_in =
        (z_const Bytef *)(uintptr_t)input->next; /* zlib's type has no const, but keeps its word */
    z->avail_in = (uInt)input->left;
    z->next_out = out + *done;
    z->avail_out = (uInt)want;
    const int rc = inflate(z, Z_NO_FLUSH);
    input->next += input->left - z->avail_in;
    input->left = z->avail_in;
    *done += want - z->avail_out;
    if (rc == Z_STREAM_END)
        return end_member(ctx, input);
    if (rc == Z_MEM_ERROR)
        return ty_fail_nomem(ctx, "decompression");
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@%lld: the compressed data is damaged (%s)",
                       input->name, offset_of_next(input),
                       z->msg ? z->msg : "zlib gives no reason");
    return TY_OK;
}

ty_status ty_input_read(ty_ctx *ctx, ty_input *input, void *data, size_t bytes, size_t *got) {
    if (!input->is_compressed)
        return read_plain(ctx, input, data, bytes, got);
    size_t done = 0;
    while (done < bytes && !input->is_ended)
        TY_TRY(inflate_some(ctx, input, data, bytes, &done));
    *got = done;
    return TY_OK;
}

const char *ty_input_name(const ty_input *input) {
    return input->name;
}

bool ty_input_is_compressed(const ty_input *input) {
    return input->is_compressed;
}

int64_t ty_input_stored_bytes(const ty_input *input) {
    return input->size;
}

int64_t ty_input_most_bytes(const ty_input *input) {
    int64_t most = INT64_MAX;
    if (input->is_stream)
        return most;
    if (!input->is_compressed)
        return input->size;
    return ty_mul_i64(input->size, MOST_INFLATED, &most) ? most : INT64_MAX;
}
