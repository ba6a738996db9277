/* Layout -> file, front to back: each piece is hashed while it is in the cache and written once.
 * Then the user block, then flush, rename, flush of the folder. */
#include "trainer/checkpoint_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pieces below this are gathered in the buffer; larger ones are written from where they lie. */
enum { GATHER_BELOW = 64 * 1024 };

typedef struct stream {
    const char *path;
    int fd;
    uint64_t offset; /* of the buffer's first byte */
    unsigned char *buffer;
    size_t used;
    ty_hash_stream *hash;
} stream;

static ty_status write_out(ty_ctx *ctx, stream *s, const void *data, size_t bytes) {
    ty_hash_stream_update(s->hash, data, bytes);
    TY_TRY(ty_file_pwrite(ctx, s->path, s->fd, data, bytes, (int64_t)s->offset));
    s->offset += bytes;
    return TY_OK;
}

static ty_status flush_buffer(ty_ctx *ctx, stream *s) {
    size_t bytes = s->used;
    s->used = 0;
    return bytes > 0 ? write_out(ctx, s, s->buffer, bytes) : TY_OK;
}

/* Room for at least one byte in the buffer. */
static ty_status make_room(ty_ctx *ctx, stream *s) {
    return s->used == TY_CKPT_PIECE_BYTES ? flush_buffer(ctx, s) : TY_OK;
}

static size_t room(const stream *s, uint64_t wanted) {
    size_t left = TY_CKPT_PIECE_BYTES - s->used;
    return wanted < left ? (size_t)wanted : left;
}

static ty_status put_image(ty_ctx *ctx, stream *s, const ty_ckpt_image *image, uint64_t to) {
    while (s->offset + s->used < to) {
        TY_TRY(make_room(ctx, s));
        size_t now = room(s, to - s->offset - s->used);
        ty_ckpt_image_read(image, s->offset + s->used, s->buffer + s->used, now);
        s->used += now;
    }
    return TY_OK;
}

static ty_status put_large(ty_ctx *ctx, stream *s, const unsigned char *data, size_t bytes) {
    TY_TRY(flush_buffer(ctx, s));
    while (bytes > 0) {
        size_t now = bytes < TY_CKPT_PIECE_BYTES ? bytes : (size_t)TY_CKPT_PIECE_BYTES;
        TY_TRY(write_out(ctx, s, data, now));
        data += now;
        bytes -= now;
    }
    return TY_OK;
}

static ty_status put_small(ty_ctx *ctx, stream *s, const unsigned char *data, size_t bytes) {
    while (bytes > 0) {
        TY_TRY(make_room(ctx, s));
        size_t now = room(s, bytes);
        memcpy(s->buffer + s->used, data, now);
        s->used += now;
        data += now;
        bytes -= now;
    }
    return TY_OK;
}

/* Everything behind the user block. */
static ty_status put_body(ty_ctx *ctx, stream *s, const ty_ckpt_layout *layout) {
    for (size_t i = 0; i < layout->n_pieces; i++) {
        const ty_ckpt_piece *piece = &layout->pieces[i];
        TY_TRY(put_image(ctx, s, &layout->image, piece->address));
        if (piece->bytes < GATHER_BELOW)
            TY_TRY(put_small(ctx, s, piece->data, piece->bytes));
        else
            TY_TRY(put_large(ctx, s, piece->data, piece->bytes));
    }
    TY_TRY(put_image(ctx, s, &layout->image, layout->file_bytes));
    return flush_buffer(ctx, s);
}

static ty_status write_file(ty_ctx *ctx, const char *path, int fd, const ty_ckpt_layout *layout,
                            int64_t step, bool is_best) {
    unsigned char block[TY_CKPT_BLOCK_BYTES];
    stream s = {.path = path, .fd = fd, .offset = TY_CKPT_BLOCK_BYTES};
    ty_status st = TY_OK;
    if (!(s.buffer = malloc(TY_CKPT_PIECE_BYTES)))
        return ty_fail_nomem(ctx, "writing a checkpoint");
    TY_TRY_GOTO(done, st, ty_hash_stream_open(ctx, &s.hash));
    TY_TRY_GOTO(done, st, put_body(ctx, &s, layout));
    ty_checkpoint_header header = {.step = step,
                                   .bytes = layout->file_bytes,
                                   .hash = ty_hash_stream_finish(s.hash),
                                   .is_best = is_best};
    ty_ckpt_block_encode(&header, block);
    TY_TRY_GOTO(done, st, ty_file_pwrite(ctx, path, fd, block, sizeof block, 0));
    st = ty_file_sync(ctx, path, fd);
done:
    ty_hash_stream_close(s.hash);
    free(s.buffer);
    return st;
}

/* Said early and clearly rather than after a disk full of half a file. Where the file system cannot
 * tell, we try. */
static ty_status check_room(ty_ctx *ctx, const char *path, uint64_t bytes) {
    uint64_t free_bytes = 0;
    const char *folder = ty_path_folder(&ctx->scratch, path);
    if (!folder)
        return ty_fail_nomem(ctx, "a folder's name");
    if (ty_disk_free(ctx, folder, &free_bytes) != TY_OK || free_bytes >= bytes)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_IO, "%s needs %" PRIu64 " bytes and its disk has %" PRIu64 " left",
                   path, bytes, free_bytes);
}

static ty_status write_and_publish(ty_ctx *ctx, const char *path, const ty_ckpt_layout *layout,
                                   int64_t step, bool is_best) {
    char *temp;
    int fd;
    TY_TRY(check_room(ctx, path, layout->file_bytes));
    TY_TRY(ty_file_open_temp(ctx, path, &ctx->scratch, &temp, &fd));
    ty_status st = write_file(ctx, temp, fd, layout, step, is_best);
    if (st == TY_OK)
        st = ty_file_close(ctx, temp, fd);
    else
        (void)ctx->io->close(ctx->io->self, fd);
    if (st == TY_OK)
        st = ty_file_publish(ctx, temp, path);
    if (st != TY_OK)
        (void)ctx->io->unlink(ctx->io->self,
                              temp); /* not there any more if only the folder's flush failed */
    return st;
}

ty_status ty_ckpt_publish(ty_ctx *ctx, const char *path, const ty_checkpoint *content,
                          bool is_best) {
    ty_ckpt_layout layout;
    TY_TRY(ty_ckpt_layout_init(ctx, content, &layout));
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = write_and_publish(ctx, path, &layout, content->step, is_best);
    ty_arena_reset(&ctx->scratch, mark);
    ty_ckpt_layout_clear(&layout);
    return st == TY_OK
               ? TY_OK
               : ty_fail_within(ctx, st, "writing the checkpoint of step %" PRId64, content->step);
}

ty_status ty_checkpoint_write(ty_ctx *ctx, const char *path, const ty_checkpoint *checkpoint) {
    return ty_ckpt_publish(ctx, path, checkpoint, false);
}
