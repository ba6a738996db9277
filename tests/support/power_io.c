#include "tests/support/power_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FDS = 4096, MAX_FILES = 512, PAGE = 4096, NAME_BYTES = 256 };

typedef enum operation_kind {
    CREATE,
    WRITE,
    SYNC,
    RENAME,
    UNLINK,
    FOLDER_SYNC,
    PROMISE
} operation_kind;

typedef struct operation {
    operation_kind kind;
    int file;                              /* CREATE, WRITE, SYNC */
    char from[NAME_BYTES], to[NAME_BYTES]; /* last parts of paths */
    int64_t offset;                        /* PROMISE: its value */
    size_t bytes;
    unsigned char *data;
} operation;

struct power_io {
    ty_io io;
    operation *operations;
    size_t count, capacity;
    int files;
    int file_of[MAX_FDS]; /* by descriptor: 0 unknown, -1 a folder, else a file's number */
};

static void *must(void *memory) {
    if (!memory)
        abort();
    return memory;
}

static operation *add(power_io *power, operation_kind kind) {
    if (power->count == power->capacity) {
        power->capacity = power->capacity ? power->capacity * 2 : 256;
        power->operations =
            must(reallocarray(power->operations, power->capacity, sizeof *power->operations));
    }
    operation *made = &power->operations[power->count++];
    *made = (operation){.kind = kind};
    return made;
}

static void set_name(char out[NAME_BYTES], const char *path) {
    const char *slash = strrchr(path, '/');
    (void)snprintf(out, NAME_BYTES, "%s", slash ? slash + 1 : path);
}

/* --- recording -------------------------------------------------------------------------------- */

static int power_open(void *self, const char *path, int flags, mode_t mode) {
    power_io *power = self;
    int fd = ty_io_posix()->open(NULL, path, flags, mode);
    if (fd < 0 || fd >= MAX_FDS)
        return fd;
    power->file_of[fd] = (flags & O_DIRECTORY) != 0 ? -1 : 0;
    if ((flags & O_CREAT) != 0) {
        if (++power->files == MAX_FILES)
            abort();
        operation *made = add(power, CREATE);
        made->file = power->file_of[fd] = power->files;
        set_name(made->to, path);
    }
    return fd;
}

static ssize_t record_write(power_io *power, int fd, const void *data, ssize_t bytes,
                            int64_t offset) {
    if (bytes > 0 && power->file_of[fd] > 0) {
        operation *made = add(power, WRITE);
        made->file = power->file_of[fd];
        made->offset = offset;
        made->bytes = (size_t)bytes;
        made->data = memcpy(must(malloc((size_t)bytes)), data, (size_t)bytes);
    }
    return bytes;
}

static ssize_t power_write(void *self, int fd, const void *data, size_t bytes) {
    int64_t offset = lseek(fd, 0, SEEK_CUR);
    return record_write(self, fd, data, ty_io_posix()->write(NULL, fd, data, bytes), offset);
}

static ssize_t power_pwrite(void *self, int fd, const void *data, size_t bytes, off_t offset) {
    return record_write(self, fd, data, ty_io_posix()->pwrite(NULL, fd, data, bytes, offset),
                        (int64_t)offset);
}

/* Not done for real: nobody cuts the power of this machine. */
static int power_fsync(void *self, int fd) {
    power_io *power = self;
    operation *made = add(power, power->file_of[fd] < 0 ? FOLDER_SYNC : SYNC);
    made->file = power->file_of[fd];
    return 0;
}

static int power_rename(void *self, const char *from, const char *to) {
    operation *made = add(self, RENAME);
    set_name(made->from, from);
    set_name(made->to, to);
    return ty_io_posix()->rename(NULL, from, to);
}

static int power_unlink(void *self, const char *path) {
    set_name(add(self, UNLINK)->from, path);
    return ty_io_posix()->unlink(NULL, path);
}

power_io *power_io_open(void) {
    power_io *power = must(calloc(1, sizeof *power));
    power->io = *ty_io_posix();
    power->io.open = power_open;
    power->io.write = power_write;
    power->io.pwrite = power_pwrite;
    power->io.fsync = power_fsync;
    power->io.fdatasync = power_fsync;
    power->io.rename = power_rename;
    power->io.unlink = power_unlink;
    power->io.self = power;
    return power;
}

void power_io_close(power_io *power) {
    for (size_t i = 0; i < power->count; i++)
        free(power->operations[i].data);
    free(power->operations);
    free(power);
}

const ty_io *power_io_io(power_io *power) {
    return &power->io;
}

void power_io_promise(power_io *power, int64_t value) {
    add(power, PROMISE)->offset = value;
}

size_t power_io_count(const power_io *power) {
    return power->count;
}

/* --- what a cut leaves ------------------------------------------------------------------------ */

typedef struct content {
    unsigned char *data;
    size_t bytes;
} content;

typedef struct names {
    struct {
        char name[NAME_BYTES];
        int file;
    } row[MAX_FILES];
    int count;
} names;

static bool coin(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (*seed * UINT64_C(2685821657736338717) >> 60 & 1) != 0;
}

static int find_name(const names *all, const char *name) {
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->row[i].name, name) == 0)
            return i;
    return -1;
}

static void drop_name(names *all, const char *name) {
    int at = find_name(all, name);
    if (at >= 0)
        all->row[at] = all->row[--all->count];
}

static void put_name(names *all, const char *name, int file) {
    drop_name(all, name);
    (void)snprintf(all->row[all->count].name, NAME_BYTES, "%s", name);
    all->row[all->count++].file = file;
}

static void apply_name(names *all, const operation *done) {
    if (done->kind == CREATE)
        put_name(all, done->to, done->file);
    if (done->kind == UNLINK)
        drop_name(all, done->from);
    int at = done->kind == RENAME ? find_name(all, done->from) : -1;
    if (at < 0)
        return;
    int file = all->row[at].file;
    drop_name(all, done->from);
    put_name(all, done->to, file);
}

static void extend(content *to, size_t bytes) {
    if (bytes <= to->bytes)
        return;
    to->data = must(realloc(to->data, bytes));
    memset(to->data + to->bytes, 0, bytes - to->bytes);
    to->bytes = bytes;
}

/* Pages that are not sure keep what was there before: zeros in a new file. */
static void apply_write(content *to, const operation *done, bool is_sure, uint64_t *seed) {
    size_t start = (size_t)done->offset, end = start + done->bytes;
    if (is_sure || coin(seed))
        extend(to, end);
    for (size_t at = start; at < end;) {
        size_t next = (at / PAGE + 1) * PAGE;
        if (next > end)
            next = end;
        if (is_sure || coin(seed)) {
            extend(to, next);
            memcpy(to->data + at, done->data + (at - start), next - at);
        }
        at = next;
    }
}

/* The number of operations before the last sync of a file (or of the folder: -1). */
static size_t sure_until(const power_io *power, size_t count, int file) {
    while (count > 0) {
        const operation *done = &power->operations[--count];
        if (file < 0 ? done->kind == FOLDER_SYNC : done->kind == SYNC && done->file == file)
            return count;
    }
    return 0;
}

static void write_out(const char *folder, const char *name, const content *what) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = must(fopen(path, "wb"));
    bool is_written = what->bytes == 0 || fwrite(what->data, what->bytes, 1, file) == 1;
    if (fclose(file) != 0 || !is_written)
        abort();
}

int64_t power_io_cut(const power_io *power, size_t count, uint64_t *seed, const char *folder) {
    int64_t promised = -1;
    names *all = must(calloc(1, sizeof *all));
    content *contents = must(calloc((size_t)power->files + 1, sizeof *contents));
    size_t sure_names = sure_until(power, count, -1);
    size_t *sure = must(calloc((size_t)power->files + 1, sizeof *sure));
    for (int file = 1; file <= power->files; file++)
        sure[file] = sure_until(power, count, file);
    for (size_t i = 0; i < count; i++) {
        const operation *done = &power->operations[i];
        if (done->kind == PROMISE)
            promised = done->offset;
        else if (done->kind == WRITE)
            apply_write(&contents[done->file], done, i < sure[done->file], seed);
        else if (i < sure_names || coin(seed))
            apply_name(all, done);
    }
    for (int i = 0; i < all->count; i++)
        write_out(folder, all->row[i].name, &contents[all->row[i].file]);
    for (int file = 0; file <= power->files; file++)
        free(contents[file].data);
    free(contents);
    free(sure);
    free(all);
    return promised;
}
