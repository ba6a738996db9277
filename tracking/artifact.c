#include "tracking/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { COPY_BYTES = 1024 * 1024 };

static bool is_part_safe(const char *part, size_t length) {
    if (length == 0 || length > 255 || (part[0] == '.' && length == 1) ||
        (length == 2 && part[0] == '.' && part[1] == '.'))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f || part[i] == '\\')
            return false;
    return true;
}

bool ty_artifact_name_is_safe(const char *name) {
    for (;;) {
        const size_t length = strcspn(name, "/");
        if (!is_part_safe(name, length))
            return false;
        if (name[length] == '\0')
            return true;
        name += length + 1;
    }
}

static ty_status copy_bytes(ty_ctx *ctx, const char *from, int in, const char *to, int out) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *buffer = ty_arena_alloc(&ctx->scratch, COPY_BYTES);
    ty_status st = buffer ? TY_OK : ty_fail_nomem(ctx, "copying an artifact");
    for (ssize_t n = 1; st == TY_OK && n != 0;) {
        n = ctx->io->read(ctx->io->self, in, buffer, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = ty_fail_errno(ctx, errno, "reading %s", from);
        else
            st = ty_file_write(ctx, to, out, buffer, (size_t)n);
    }
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status copy_file(ty_ctx *ctx, const char *from, const char *to) {
    ty_status st = TY_OK;
    int in = -1, out = -1;
    TY_TRY_GOTO(done, st, ty_file_open(ctx, from, O_RDONLY, 0, &in));
    TY_TRY_GOTO(done, st, ty_file_open(ctx, to, O_WRONLY | O_CREAT | O_TRUNC, 0666, &out));
    TY_TRY_GOTO(done, st, copy_bytes(ctx, from, in, to, out));
    TY_TRY_GOTO(done, st, ty_file_sync(ctx, to, out));
done:
    if (in >= 0)
        (void)ctx->io->close(ctx->io->self, in);
    if (out >= 0) {
        const int code = ctx->io->close(ctx->io->self, out);
        if (code != 0 && st == TY_OK)
            st = ty_fail_errno(ctx, errno, "closing %s", to);
    }
    return st;
}

static bool is_same_file(ty_ctx *ctx, const char *a, const char *b) {
    struct stat of_a, of_b;
    return ctx->io->stat(ctx->io->self, a, &of_a) == 0 &&
           ctx->io->stat(ctx->io->self, b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static ty_status link_or_copy(ty_ctx *ctx, const char *from, const char *to) {
    TY_TRY(ty_file_unlink(ctx, to)); /* left by one that died here */
    if (ctx->io->link(ctx->io->self, from, to) == 0)
        return TY_OK;
    if (errno == ENOENT)
        return ty_fail_errno(ctx, errno, "publishing %s", from);
    return copy_file(ctx, from, to);
}

ty_status ty_artifact_publish(ty_ctx *ctx, const char *from, const char *to) {
    if (is_same_file(ctx, from, to))
        return TY_OK;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    ty_status st = TY_OK;
    const char *folder = ty_path_folder(&ctx->scratch, to);
    const char *temporary = ty_arena_printf(&ctx->scratch, "%s.partial", to);
    if (!folder || !temporary)
        TY_TRY_GOTO(done, st, ty_fail_nomem(ctx, "an artifact's name"));
    TY_TRY_GOTO(done, st, ty_dir_make(ctx, folder));
    TY_TRY_GOTO(done, st, link_or_copy(ctx, from, temporary));
    TY_TRY_GOTO(done, st, ty_file_publish(ctx, temporary, to));
done:
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
