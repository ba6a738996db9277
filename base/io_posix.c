/* The real file system behind the seam: one line of libc for each call. */
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int real_open(void *self, const char *path, int flags, mode_t mode) {
    (void)self;
    return open(path, flags, mode);
}

static ssize_t real_read(void *self, int fd, void *data, size_t bytes) {
    (void)self;
    return read(fd, data, bytes);
}

static ssize_t real_pread(void *self, int fd, void *data, size_t bytes, off_t offset) {
    (void)self;
    return pread(fd, data, bytes, offset);
}

static ssize_t real_write(void *self, int fd, const void *data, size_t bytes) {
    (void)self;
    return write(fd, data, bytes);
}

static ssize_t real_pwrite(void *self, int fd, const void *data, size_t bytes, off_t offset) {
    (void)self;
    return pwrite(fd, data, bytes, offset);
}

static int real_fsync(void *self, int fd) {
    (void)self;
    return fsync(fd);
}

static int real_fdatasync(void *self, int fd) {
    (void)self;
    return fdatasync(fd);
}

static int real_ftruncate(void *self, int fd, off_t length) {
    (void)self;
    return ftruncate(fd, length);
}

static int real_fstat(void *self, int fd, struct stat *out) {
    (void)self;
    return fstat(fd, out);
}

static int real_close(void *self, int fd) {
    (void)self;
    return close(fd);
}

static int real_stat(void *self, const char *path, struct stat *out) {
    (void)self;
    return stat(path, out);
}

static int real_rename(void *self, const char *from, const char *to) {
    (void)self;
    return rename(from, to);
}

static int real_link(void *self, const char *from, const char *to) {
    (void)self;
    return link(from, to);
}

static int real_unlink(void *self, const char *path) {
    (void)self;
    return unlink(path);
}

static int real_mkdir(void *self, const char *path, mode_t mode) {
    (void)self;
    return mkdir(path, mode);
}

static int real_statvfs(void *self, const char *path, struct statvfs *out) {
    (void)self;
    return statvfs(path, out);
}

static const ty_io real_io = {
    .open = real_open,
    .read = real_read,
    .pread = real_pread,
    .write = real_write,
    .pwrite = real_pwrite,
    .fsync = real_fsync,
    .fdatasync = real_fdatasync,
    .ftruncate = real_ftruncate,
    .fstat = real_fstat,
    .close = real_close,
    .stat = real_stat,
    .rename = real_rename,
    .link = real_link,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .statvfs = real_statvfs,
};

const ty_io *ty_io_posix(void) {
    return &real_io;
}
