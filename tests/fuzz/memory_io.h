/* One read-only file that is memory, for parsers that read through ctx->io. Whatever path is
 * opened, it is this file. */
#ifndef TY_TESTS_FUZZ_MEMORY_IO_H
#define TY_TESTS_FUZZ_MEMORY_IO_H

#include <errno.h>
#include <string.h>

#include "base/io.h"

typedef struct memory_file {
    const unsigned char *data;
    size_t bytes;
} memory_file;

static inline int memory_open(void *self, const char *path, int flags, mode_t mode) {
    (void)self, (void)path, (void)flags, (void)mode;
    return 1000;
}

static inline ssize_t memory_pread(void *self, int fd, void *data, size_t bytes, off_t offset) {
    const memory_file *file = self;
    (void)fd;
    if (offset < 0 || (uint64_t)offset >= file->bytes)
        return 0;
    size_t left = file->bytes - (size_t)offset;
    size_t now = bytes < left ? bytes : left;
    memcpy(data, file->data + offset, now);
    return (ssize_t)now;
}

static inline int memory_fstat(void *self, int fd, struct stat *out) {
    const memory_file *file = self;
    (void)fd;
    *out = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)file->bytes};
    return 0;
}

static inline int memory_close(void *self, int fd) {
    (void)self, (void)fd;
    return 0;
}

static inline ty_io memory_io(memory_file *file) {
    return (ty_io){.open = memory_open,
                   .pread = memory_pread,
                   .fstat = memory_fstat,
                   .close = memory_close,
                   .self = file};
}

#endif
