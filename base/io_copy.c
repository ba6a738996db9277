#include <errno.h>
#include <fcntl.h>

#include "base/io.h"
#include "base/io_retry.h"

enum { COPY_BYTES = 1024 * 1024 };

static ty_status copy_bytes(ty_ctx *ctx, const char *from, int in, const char *to, int out,
                            char *buffer) {
    for (;;) {
        ssize_t n;
        TY_IO_RETRY(n, ctx->io->read(ctx->io->self, in, buffer, COPY_BYTES));
        if (n < 0)
            return ty_fail_errno(ctx, errno, "reading %s", from);
        if (n == 0)
            return TY_OK;
        TY_TRY(ty_file_write(ctx, to, out, buffer, (size_t)n));
    }
}

ty_status ty_file_copy_into(ty_ctx *ctx, const char *from, const char *to, int out) {
    int in = -1;
    TY_TRY(ty_file_open(ctx, from, O_RDONLY | O_NOFOLLOW, 0, &in));
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *buffer = ty_arena_alloc(&ctx->scratch, COPY_BYTES);
    const ty_status st =
        buffer ? copy_bytes(ctx, from, in, to, out, buffer) : ty_fail_nomem(ctx, "copying a file");
    ty_arena_reset(&ctx->scratch, mark);
    (void)ctx->io->close(ctx->io->self, in);
    return st;
}
