/* Arbitrary bytes as every file of /proc and of the control groups. */
#include "base/system.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file that is read from its start on: opened, read to its end, closed, again and again. */
typedef struct stream {
    memory_file file; /* first: the other calls take it for theirs */
    off_t at;
} stream;

static int open_stream(void *self, const char *path, int flags, mode_t mode) {
    ((stream *)self)->at = 0;
    return memory_open(self, path, flags, mode);
}

static ssize_t read_stream(void *self, int fd, void *data, size_t bytes) {
    stream *s = self;
    const ssize_t got = memory_pread(self, fd, data, bytes, s->at);
    s->at += got;
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ty_ctx ctx;
    ty_system_reading reading;
    stream s = {.file = {.data = data, .bytes = size}};
    ty_io io = memory_io(&s.file);
    io.open = open_stream;
    io.read = read_stream;
    io.self = &s;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ty_system_read(&ctx, "", NULL, &reading);
    (void)ty_system_cpu_percent(&reading, &reading);
    ty_ctx_clear(&ctx);
    return 0;
}
