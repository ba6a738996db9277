/* The seam to the file system: every byte of a checkpoint, journal or report passes one of these
 * calls, so that tests can fail the n-th of them (tests/support/fault_io.h). Semantics are POSIX's:
 * -1 and errno on failure. */
#ifndef TY_BASE_IO_H
#define TY_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_io {
    int (*open)(void *self, const char *path, int flags, mode_t mode);
    ssize_t (*read)(void *self, int fd, void *data, size_t bytes);
    ssize_t (*pread)(void *self, int fd, void *data, size_t bytes, off_t offset);
    ssize_t (*write)(void *self, int fd, const void *data, size_t bytes);
    ssize_t (*pwrite)(void *self, int fd, const void *data, size_t bytes, off_t offset);
    int (*fsync)(void *self, int fd);
    int (*fdatasync)(void *self, int fd);
    int (*ftruncate)(void *self, int fd, off_t length);
    int (*fstat)(void *self, int fd, struct stat *out);
    int (*close)(void *self, int fd);
    int (*stat)(void *self, const char *path, struct stat *out);
    int (*rename)(void *self, const char *from, const char *to);
    int (*link)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*mkdir)(void *self, const char *path, mode_t mode);
    int (*statvfs)(void *self, const char *path, struct statvfs *out);
    void *self;
} ty_io;

/* The real one; a constant. */
const ty_io *ty_io_posix(void);

/* The helpers below retry EINTR and short transfers and fail with the path in the message. */

/* Opens; the descriptor is the caller's to ty_file_close. flags get O_CLOEXEC. */
ty_status ty_file_open(ty_ctx *ctx, const char *path, int flags, mode_t mode,
                       int *out_fd) TY_MUST_USE;
ty_status ty_file_close(ty_ctx *ctx, const char *path, int fd) TY_MUST_USE;

/* Exactly `bytes` bytes at offset; TY_ERR_INTEGRITY when the file ends before. */
ty_status ty_file_pread(ty_ctx *ctx, const char *path, int fd, void *data, size_t bytes,
                        int64_t offset) TY_MUST_USE;

/* All bytes at the file's position, or at offset; sync: they survive a power cut. */
ty_status ty_file_write(ty_ctx *ctx, const char *path, int fd, const void *data,
                        size_t bytes) TY_MUST_USE;
ty_status ty_file_pwrite(ty_ctx *ctx, const char *path, int fd, const void *data, size_t bytes,
                         int64_t offset) TY_MUST_USE;
ty_status ty_file_sync(ty_ctx *ctx, const char *path, int fd) TY_MUST_USE;

/* stat by name and by descriptor. */
ty_status ty_file_stat(ty_ctx *ctx, const char *path, struct stat *out) TY_MUST_USE;
ty_status ty_file_stat_fd(ty_ctx *ctx, const char *path, int fd, struct stat *out) TY_MUST_USE;

/* Reads a whole regular file of at most max_bytes into malloc memory, with a NUL behind the last
 * byte.
 * Errors: TY_ERR_NOT_FOUND; TY_ERR_IO not a regular file or unreadable; TY_ERR_DATA longer than
 * max_bytes. */
ty_status ty_file_read_all(ty_ctx *ctx, const char *path, size_t max_bytes, char **out_data,
                           size_t *out_bytes) TY_MUST_USE;

/* Creates a new file ".tmp-<name>-..." next to path, for reading and writing; links are not
 * followed. *out_temp is in arena; file and descriptor are the caller's, who publishes or unlinks
 * it. */
ty_status ty_file_open_temp(ty_ctx *ctx, const char *path, ty_arena *arena, char **out_temp,
                            int *out_fd) TY_MUST_USE;

/* Removes what killed processes left of such files for path. Only while nobody else writes path. */
ty_status ty_file_sweep_temps(ty_ctx *ctx, const char *path) TY_MUST_USE;

/* Publishes data under path or leaves what was there: temporary in the same folder, fsync, rename,
 * folder fsync. Where only the last of these failed, the new content is in place but may not
 * survive a power cut. */
ty_status ty_file_write_atomic(ty_ctx *ctx, const char *path, const void *data,
                               size_t bytes) TY_MUST_USE;

/* Copies the file `from` to where descriptor `out`, of the file `to`, stands. A link that took its place since it was
 * listed is not followed. */
ty_status ty_file_copy_into(ty_ctx *ctx, const char *from, const char *to, int out) TY_MUST_USE;

/* Replaces `to`; a power cut may undo it. */
ty_status ty_file_rename(ty_ctx *ctx, const char *from, const char *to) TY_MUST_USE;
/* rename followed by fsync of the folder that holds `to`. */
ty_status ty_file_publish(ty_ctx *ctx, const char *from, const char *to) TY_MUST_USE;
ty_status ty_file_unlink(ty_ctx *ctx, const char *path) TY_MUST_USE; /* a missing file is fine */
/* Whether anything lies at path; false also where that cannot be told. */
bool ty_file_exists(ty_ctx *ctx, const char *path);

/* mkdir -p. */
ty_status ty_dir_make(ty_ctx *ctx, const char *path) TY_MUST_USE;
/* Names that were made, renamed or removed in the folder stay so through a power cut. */
ty_status ty_dir_sync(ty_ctx *ctx, const char *path) TY_MUST_USE;

/* The entries' names, without "." and "..", sorted by bytes; array and names live in arena. */
ty_status ty_dir_list(ty_ctx *ctx, const char *path, ty_arena *arena, char ***out_names,
                      size_t *out_count) TY_MUST_USE;

/* Free bytes of the file system that holds path. */
ty_status ty_disk_free(ty_ctx *ctx, const char *path, uint64_t *out_bytes) TY_MUST_USE;

/* Whether path lies on a network file system (statfs: NFS, SMB, Lustre, GPFS, FUSE, 9p...). */
bool ty_disk_is_network(ty_ctx *ctx, const char *path);

/* The folder part of path, "." where there is none; in arena. NULL: no memory. */
char *ty_path_folder(ty_arena *arena, const char *path) TY_MUST_USE;
/* folder + "/" + name; name alone where it is absolute. NULL: no memory. */
char *ty_path_join(ty_arena *arena, const char *folder, const char *name) TY_MUST_USE;
/* Absolute and without "." or ".." (the path need not exist). NULL: no memory. */
char *ty_path_absolute(ty_arena *arena, const char *path) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
