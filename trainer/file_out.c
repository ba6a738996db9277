#include "trainer/file_out.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1024 * 1024 };

ty_status ty_file_out_open(ty_ctx *ctx, const char *path, ty_file_out *out) {
    *out = (ty_file_out){.path = path, .fd = -1};
    out->buffer = malloc(BUFFER_BYTES);
    if (!out->buffer)
        return ty_fail_nomem(ctx, path);
    return ty_file_open_temp(ctx, path, &ctx->scratch, &out->temp, &out->fd);
}

static ty_status flush(ty_ctx *ctx, ty_file_out *out) {
    const size_t bytes = out->used;
    out->used = 0;
    return bytes ? ty_file_write(ctx, out->temp, out->fd, out->buffer, bytes) : TY_OK;
}

ty_status ty_file_out_add(ty_ctx *ctx, ty_file_out *out, const void *data, size_t bytes) {
    out->offset += bytes;
    if (bytes > BUFFER_BYTES - out->used)
        TY_TRY(flush(ctx, out));
    if (bytes > BUFFER_BYTES)
        return ty_file_write(ctx, out->temp, out->fd, data, bytes);
    if (bytes > 0)
        memcpy(out->buffer + out->used, data, bytes);
    out->used += bytes;
    return TY_OK;
}

ty_status ty_file_out_align(ty_ctx *ctx, ty_file_out *out, uint64_t alignment) {
    static const unsigned char zeros[4096];
    const uint64_t past = out->offset % alignment;
    uint64_t missing = past ? alignment - past : 0;
    while (missing > 0) {
        const size_t now = missing < sizeof zeros ? (size_t)missing : sizeof zeros;
        TY_TRY(ty_file_out_add(ctx, out, zeros, now));
        missing -= now;
    }
    return TY_OK;
}

static ty_status publish(ty_ctx *ctx, ty_file_out *out) {
    TY_TRY(flush(ctx, out));
    TY_TRY(ty_file_sync(ctx, out->temp, out->fd));
    const int fd = out->fd;
    out->fd = -1;
    TY_TRY(ty_file_close(ctx, out->temp, fd));
    return ty_file_publish(ctx, out->temp, out->path);
}

ty_status ty_file_out_end(ty_ctx *ctx, ty_file_out *out, ty_status st) {
    const bool is_open = out->buffer && out->fd >= 0;
    if (st == TY_OK && is_open)
        st = publish(ctx, out);
    if (out->buffer && out->fd >= 0)
        (void)ctx->io->close(ctx->io->self, out->fd);
    if (st != TY_OK && is_open)
        (void)ctx->io->unlink(ctx->io->self, out->temp);
    free(out->buffer);
    *out = (ty_file_out){.fd = -1};
    return st;
}
