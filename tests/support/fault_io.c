#include "tests/support/fault_io.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static fault_kind next_fault(void *self) {
    fault_io *fault = self;
    long long number = atomic_fetch_add(&fault->count, 1) + 1;
    if (fault->kind == FAULT_NONE || number < fault->fail_at)
        return FAULT_NONE;
    return number == fault->fail_at || fault->is_sticky ? fault->kind : FAULT_NONE;
}

static void die(void) {
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* True where the operation is not done at all; errno says why. */
static bool is_refused(fault_kind kind) {
    if (kind == FAULT_KILL)
        die();
    if (kind == FAULT_SLEEP)
        (void)raise(SIGSTOP);
    errno = kind == FAULT_ENOSPC ? ENOSPC : kind == FAULT_EINTR ? EINTR : EIO;
    return kind == FAULT_EIO || kind == FAULT_ENOSPC || kind == FAULT_EINTR;
}

/* What a done operation without bytes answers. */
static int answer(fault_kind kind, int result) {
    if (kind != FAULT_TORN)
        return result;
    errno = EIO;
    return -1;
}

static size_t moved(fault_kind kind, size_t bytes) {
    bool is_half =
        kind == FAULT_SHORT || kind == FAULT_TORN || kind == FAULT_KILL || kind == FAULT_SLEEP_AMID;
    return is_half && bytes > 1 ? bytes / 2 : bytes;
}

static ssize_t answer_bytes(fault_kind kind, ssize_t result) {
    if (kind == FAULT_KILL)
        die();
    if (kind == FAULT_SLEEP_AMID)
        (void)raise(SIGSTOP);
    if (kind != FAULT_TORN)
        return result;
    errno = EIO;
    return -1;
}

static bool is_not_written(fault_kind kind) {
    return kind != FAULT_KILL && is_refused(kind);
}

static int fault_open(void *self, const char *path, int flags, mode_t mode) {
    fault_kind kind = next_fault(self);
    if (is_refused(kind))
        return -1;
    int fd = ty_io_posix()->open(NULL, path, flags, mode);
    if (kind == FAULT_TORN && fd >= 0)
        (void)close(fd); /* the file may be there now, but nobody has it */
    return answer(kind, fd);
}

static ssize_t fault_read(void *self, int fd, void *data, size_t bytes) {
    fault_kind kind = next_fault(self);
    if (is_refused(kind))
        return -1;
    return answer_bytes(kind, ty_io_posix()->read(NULL, fd, data, moved(kind, bytes)));
}

static ssize_t fault_pread(void *self, int fd, void *data, size_t bytes, off_t offset) {
    fault_kind kind = next_fault(self);
    if (is_refused(kind))
        return -1;
    return answer_bytes(kind, ty_io_posix()->pread(NULL, fd, data, moved(kind, bytes), offset));
}

static ssize_t fault_write(void *self, int fd, const void *data, size_t bytes) {
    fault_kind kind = next_fault(self);
    if (is_not_written(kind))
        return -1;
    return answer_bytes(kind, ty_io_posix()->write(NULL, fd, data, moved(kind, bytes)));
}

static ssize_t fault_pwrite(void *self, int fd, const void *data, size_t bytes, off_t offset) {
    fault_kind kind = next_fault(self);
    if (is_not_written(kind))
        return -1;
    return answer_bytes(kind, ty_io_posix()->pwrite(NULL, fd, data, moved(kind, bytes), offset));
}

static int fault_fsync(void *self, int fd) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->fsync(NULL, fd));
}

static int fault_fdatasync(void *self, int fd) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->fdatasync(NULL, fd));
}

static int fault_ftruncate(void *self, int fd, off_t length) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->ftruncate(NULL, fd, length));
}

static int fault_fstat(void *self, int fd, struct stat *out) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->fstat(NULL, fd, out));
}

/* Linux closes whatever it answers. */
static int fault_close(void *self, int fd) {
    fault_kind kind = next_fault(self);
    if (kind == FAULT_KILL)
        die();
    int result = ty_io_posix()->close(NULL, fd);
    return is_refused(kind) ? -1 : answer(kind, result);
}

static int fault_stat(void *self, const char *path, struct stat *out) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->stat(NULL, path, out));
}

static int fault_rename(void *self, const char *from, const char *to) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->rename(NULL, from, to));
}

static int fault_link(void *self, const char *from, const char *to) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->link(NULL, from, to));
}

static int fault_unlink(void *self, const char *path) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->unlink(NULL, path));
}

static int fault_mkdir(void *self, const char *path, mode_t mode) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->mkdir(NULL, path, mode));
}

static int fault_statvfs(void *self, const char *path, struct statvfs *out) {
    fault_kind kind = next_fault(self);
    return is_refused(kind) ? -1 : answer(kind, ty_io_posix()->statvfs(NULL, path, out));
}

void fault_io_init(fault_io *fault) {
    fault->io = (ty_io){
        .open = fault_open,
        .read = fault_read,
        .pread = fault_pread,
        .write = fault_write,
        .pwrite = fault_pwrite,
        .fsync = fault_fsync,
        .fdatasync = fault_fdatasync,
        .ftruncate = fault_ftruncate,
        .fstat = fault_fstat,
        .close = fault_close,
        .stat = fault_stat,
        .rename = fault_rename,
        .link = fault_link,
        .unlink = fault_unlink,
        .mkdir = fault_mkdir,
        .statvfs = fault_statvfs,
        .self = fault,
    };
    fault_io_arm(fault, FAULT_NONE, 0, false);
}

void fault_io_arm(fault_io *fault, fault_kind kind, long long fail_at, bool is_sticky) {
    atomic_store(&fault->count, 0);
    fault->kind = kind;
    fault->fail_at = fail_at;
    fault->is_sticky = is_sticky;
}

long long fault_io_count(fault_io *fault) {
    return atomic_load(&fault->count);
}

const char *fault_kind_name(fault_kind kind) {
    static const char *const names[FAULT_KINDS] = {
        [FAULT_NONE] = "no fault", [FAULT_EIO] = "EIO",     [FAULT_ENOSPC] = "ENOSPC",
        [FAULT_EINTR] = "EINTR",   [FAULT_SHORT] = "short", [FAULT_TORN] = "torn",
        [FAULT_KILL] = "kill",
    };
    return names[kind];
}
