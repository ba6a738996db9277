/* Whole files: open, exact transfers, read all, publish. Every call goes through ctx->io. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io_retry.h"

enum { MAX_TEMP_NAMES = 1000 };
enum { MAX_TRANSFER = 1 << 30 }; /* Linux moves at most 2 GiB - 4 KiB a call */

ty_status ty_file_open(ty_ctx *ctx, const char *path, int flags, mode_t mode, int *out_fd) {
    int fd;
    TY_IO_RETRY(fd, ctx->io->open(ctx->io->self, path, flags | O_CLOEXEC, mode));
    if (fd < 0)
        return ty_fail_errno(ctx, errno, "cannot open %s", path);
    *out_fd = fd;
    return TY_OK;
}

ty_status ty_file_close(ty_ctx *ctx, const char *path, int fd) {
    /* Linux has closed the descriptor whatever close says; a second try would close somebody
     * else's. */
    if (ctx->io->close(ctx->io->self, fd) < 0 && errno != EINTR)
        return ty_fail_errno(ctx, errno, "closing %s", path);
    return TY_OK;
}

static size_t piece_of(size_t bytes) {
    return bytes < MAX_TRANSFER ? bytes : (size_t)MAX_TRANSFER;
}

ty_status ty_file_pread(ty_ctx *ctx, const char *path, int fd, void *data, size_t bytes,
                        int64_t offset) {
    const ty_io *io = ctx->io;
    char *at = data;
    while (bytes > 0) {
        ssize_t got;
        TY_IO_RETRY(got, io->pread(io->self, fd, at, piece_of(bytes), (off_t)offset));
        if (got < 0)
            return ty_fail_errno(ctx, errno, "cannot read %s at offset %" PRId64, path, offset);
        if (got == 0)
            return ty_fail(ctx, TY_ERR_INTEGRITY,
                           "%s ends at offset %" PRId64 ", want %zu bytes more", path, offset,
                           bytes);
        at += got;
        bytes -= (size_t)got;
        offset += got;
    }
    return TY_OK;
}

/* What one write call answered: progress, or the failure it stands for. */
static ty_status check_written(ty_ctx *ctx, const char *path, ssize_t put, size_t bytes) {
    if (put < 0)
        return ty_fail_errno(ctx, errno, "cannot write %zu bytes to %s", bytes, path);
    if (put == 0)
        return ty_fail(ctx, TY_ERR_IO, "cannot write %zu bytes to %s: it takes none", bytes, path);
    return TY_OK;
}

ty_status ty_file_write(ty_ctx *ctx, const char *path, int fd, const void *data, size_t bytes) {
    const ty_io *io = ctx->io;
    const char *at = data;
    while (bytes > 0) {
        ssize_t put;
        TY_IO_RETRY(put, io->write(io->self, fd, at, piece_of(bytes)));
        TY_TRY(check_written(ctx, path, put, bytes));
        at += put;
        bytes -= (size_t)put;
    }
    return TY_OK;
}

ty_status ty_file_pwrite(ty_ctx *ctx, const char *path, int fd, const void *data, size_t bytes,
                         int64_t offset) {
    const ty_io *io = ctx->io;
    const char *at = data;
    while (bytes > 0) {
        ssize_t put;
        TY_IO_RETRY(put, io->pwrite(io->self, fd, at, piece_of(bytes), (off_t)offset));
        TY_TRY(check_written(ctx, path, put, bytes));
        at += put;
        bytes -= (size_t)put;
        offset += put;
    }
    return TY_OK;
}

ty_status ty_file_sync(ty_ctx *ctx, const char *path, int fd) {
    int result;
    TY_IO_RETRY(result, ctx->io->fsync(ctx->io->self, fd));
    if (result < 0)
        return ty_fail_errno(ctx, errno, "cannot flush %s to the disk", path);
    return TY_OK;
}

ty_status ty_file_stat(ty_ctx *ctx, const char *path, struct stat *out) {
    int result;
    TY_IO_RETRY(result, ctx->io->stat(ctx->io->self, path, out));
    return result < 0 ? ty_fail_errno(ctx, errno, "cannot look at %s", path) : TY_OK;
}

ty_status ty_file_stat_fd(ty_ctx *ctx, const char *path, int fd, struct stat *out) {
    int result;
    TY_IO_RETRY(result, ctx->io->fstat(ctx->io->self, fd, out));
    return result < 0 ? ty_fail_errno(ctx, errno, "cannot look at %s", path) : TY_OK;
}

/* A growing buffer that ends up holding the file and a NUL. */
typedef struct slurp {
    char *data;
    size_t bytes, capacity;
} slurp;

static ty_status grow(ty_ctx *ctx, slurp *to, size_t capacity) {
    char *data = capacity < SIZE_MAX ? realloc(to->data, capacity + 1) : NULL;
    if (!data)
        return ty_fail_nomem(ctx, "a file's content");
    to->data = data;
    to->capacity = capacity;
    return TY_OK;
}

/* Reads to the end; files of /proc say that they are empty, so the size is where to start, not
 * where to stop. */
static ty_status slurp_rest(ty_ctx *ctx, const char *path, int fd, size_t max_bytes, slurp *to) {
    for (;;) {
        char beyond[4096];
        bool is_full = to->bytes == to->capacity;
        char *into = is_full ? beyond : to->data + to->bytes;
        size_t room = is_full ? sizeof beyond : to->capacity - to->bytes;
        ssize_t got;
        TY_IO_RETRY(got, ctx->io->read(ctx->io->self, fd, into, piece_of(room)));
        if (got < 0)
            return ty_fail_errno(ctx, errno, "cannot read %s", path);
        if (got == 0)
            return TY_OK;
        if (is_full && (size_t)got > max_bytes - to->bytes)
            return ty_fail(ctx, TY_ERR_DATA, "%s is longer than %zu bytes", path, max_bytes);
        if (is_full) {
            size_t doubled = to->capacity < max_bytes / 2 ? to->capacity * 2 : max_bytes;
            size_t needed = to->bytes + (size_t)got;
            TY_TRY(grow(ctx, to, doubled > needed ? doubled : needed));
            memcpy(to->data + to->bytes, beyond, (size_t)got);
        }
        to->bytes += (size_t)got;
    }
}

static ty_status slurp_file(ty_ctx *ctx, const char *path, int fd, size_t max_bytes, slurp *to) {
    struct stat info;
    TY_TRY(ty_file_stat_fd(ctx, path, fd, &info));
    if (!S_ISREG(info.st_mode))
        return ty_fail(ctx, TY_ERR_IO, "%s is not a regular file", path);
    if ((uint64_t)info.st_size > max_bytes)
        return ty_fail(ctx, TY_ERR_DATA, "%s has %jd bytes, want at most %zu", path,
                       (intmax_t)info.st_size, max_bytes);
    TY_TRY(grow(ctx, to, (size_t)info.st_size));
    return slurp_rest(ctx, path, fd, max_bytes, to);
}

ty_status ty_file_read_all(ty_ctx *ctx, const char *path, size_t max_bytes, char **out_data,
                           size_t *out_bytes) {
    int fd;
    /* O_NONBLOCK: opening a pipe that nobody writes must not wait. */
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd));
    slurp content = {0};
    ty_status st = slurp_file(ctx, path, fd, max_bytes, &content);
    (void)ctx->io->close(ctx->io->self, fd);
    if (st != TY_OK) {
        free(content.data);
        return st;
    }
    content.data[content.bytes] = '\0';
    *out_data = content.data;
    *out_bytes = content.bytes;
    return TY_OK;
}

ty_status ty_file_open_temp(ty_ctx *ctx, const char *path, ty_arena *arena, char **out_temp,
                            int *out_fd) {
    char *folder = ty_path_folder(arena, path);
    const char *slash = strrchr(path, '/');
    for (int n = 0; folder && n < MAX_TEMP_NAMES; n++) {
        char *temp = ty_arena_printf(arena, "%s/.tmp-%s-%ld-%d", folder, slash ? slash + 1 : path,
                                     (long)getpid(), n);
        if (!temp)
            break;
        int fd;
        TY_IO_RETRY(fd, ctx->io->open(ctx->io->self, temp,
                                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return ty_fail_errno(ctx, errno, "cannot create %s", temp);
        *out_temp = temp;
        *out_fd = fd;
        return TY_OK;
    }
    return folder ? ty_fail(ctx, TY_ERR_IO, "no free name for a temporary next to %s", path)
                  : ty_fail_nomem(ctx, "a file's name");
}

static ty_status sweep(ty_ctx *ctx, const char *path) {
    const char *slash = strrchr(path, '/'), *folder = ty_path_folder(&ctx->scratch, path);
    const char *prefix = ty_arena_printf(&ctx->scratch, ".tmp-%s-", slash ? slash + 1 : path);
    char **names = NULL;
    size_t n = 0;
    if (!folder || !prefix)
        return ty_fail_nomem(ctx, "a file's name");
    TY_TRY(ty_dir_list(ctx, folder, &ctx->scratch, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) != 0)
            continue;
        const char *left = ty_path_join(&ctx->scratch, folder, names[i]);
        TY_TRY(left ? ty_file_unlink(ctx, left) : ty_fail_nomem(ctx, "a file's name"));
    }
    return TY_OK;
}

ty_status ty_file_sweep_temps(ty_ctx *ctx, const char *path) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = sweep(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status fill_and_close(ty_ctx *ctx, const char *path, int fd, const void *data,
                                size_t bytes) {
    ty_status st = ty_file_write(ctx, path, fd, data, bytes);
    if (st == TY_OK)
        st = ty_file_sync(ctx, path, fd);
    if (st != TY_OK) {
        (void)ctx->io->close(ctx->io->self, fd);
        return st;
    }
    return ty_file_close(ctx, path, fd);
}

ty_status ty_file_write_atomic(ty_ctx *ctx, const char *path, const void *data, size_t bytes) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *temp = NULL;
    int fd = -1;
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, ty_file_open_temp(ctx, path, &ctx->scratch, &temp, &fd));
    st = fill_and_close(ctx, temp, fd, data, bytes);
    if (st == TY_OK)
        st = ty_file_publish(ctx, temp, path);
    if (st != TY_OK)
        (void)ctx->io->unlink(ctx->io->self,
                              temp); /* gone already where only the last sync failed */
done:
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_file_rename(ty_ctx *ctx, const char *from, const char *to) {
    int result;
    TY_IO_RETRY(result, ctx->io->rename(ctx->io->self, from, to));
    return result < 0 ? ty_fail_errno(ctx, errno, "cannot rename %s to %s", from, to) : TY_OK;
}

ty_status ty_file_publish(ty_ctx *ctx, const char *from, const char *to) {
    TY_TRY(ty_file_rename(ctx, from, to));
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *folder = ty_path_folder(&ctx->scratch, to);
    ty_status st = folder ? ty_dir_sync(ctx, folder) : ty_fail_nomem(ctx, "a folder's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_file_unlink(ty_ctx *ctx, const char *path) {
    int result;
    TY_IO_RETRY(result, ctx->io->unlink(ctx->io->self, path));
    if (result < 0 && errno != ENOENT)
        return ty_fail_errno(ctx, errno, "cannot remove %s", path);
    return TY_OK;
}

bool ty_file_exists(ty_ctx *ctx, const char *path) {
    struct stat info;
    int result;
    TY_IO_RETRY(result, ctx->io->stat(ctx->io->self, path, &info));
    return result == 0;
}
