/* Folders, disks and the text of paths. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io_retry.h"

char *ty_path_folder(ty_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ty_arena_string(arena, ".");
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? ty_arena_string(arena, "/")
                         : ty_arena_string_n(arena, path, (size_t)(slash - path));
}

char *ty_path_join(ty_arena *arena, const char *folder, const char *name) {
    if (name[0] == '/')
        return ty_arena_string(arena, name);
    size_t length = strlen(folder);
    bool has_slash = length > 0 && folder[length - 1] == '/';
    return ty_arena_printf(arena, "%s%s%s", folder, has_slash ? "" : "/", name);
}

/* Writes "/part" behind to, or takes the last part away for "..". Returns the new end. */
static char *apply_part(char *start, char *to, const char *part, size_t length) {
    if (length == 0 || (length == 1 && part[0] == '.'))
        return to;
    if (length == 2 && part[0] == '.' && part[1] == '.') {
        while (to > start && *--to != '/') {
        }
        return to;
    }
    *to++ = '/';
    memcpy(to, part, length);
    return to + length;
}

char *ty_path_absolute(ty_arena *arena, const char *path) {
    char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (path[0] != '/' && !here)
        return NULL;
    char *whole = ty_arena_printf(arena, "%s/%s", here ? here : "", path);
    free(here);
    char *out = whole ? ty_arena_alloc(arena, strlen(whole) + 2) : NULL;
    if (!out)
        return NULL;
    char *to = out;
    for (const char *part = whole; *part;) {
        size_t length = strcspn(part, "/");
        to = apply_part(out, to, part, length);
        part += length + (part[length] == '/');
    }
    if (to == out)
        *to++ = '/';
    *to = '\0';
    return out;
}

static ty_status check_is_folder(ty_ctx *ctx, const char *path) {
    struct stat info;
    TY_TRY(ty_file_stat(ctx, path, &info));
    if (!S_ISDIR(info.st_mode))
        return ty_fail(ctx, TY_ERR_IO, "%s is in the way: want a folder there", path);
    return TY_OK;
}

/* One level; the entry is made durable in its parent, or the files below would be lost with it. */
static ty_status make_level(ty_ctx *ctx, const char *path) {
    int result;
    TY_IO_RETRY(result, ctx->io->mkdir(ctx->io->self, path, 0777));
    if (result < 0) {
        int why = errno;
        if (why == EEXIST || ty_file_exists(ctx, path)) /* EROFS and EACCES come before EEXIST */
            return check_is_folder(ctx, path);
        return ty_fail_errno(ctx, why, "cannot create the folder %s", path);
    }
    char *parent = ty_path_folder(&ctx->scratch, path);
    return parent ? ty_dir_sync(ctx, parent) : ty_fail_nomem(ctx, "a folder's name");
}

ty_status ty_dir_make(ty_ctx *ctx, const char *path) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *prefix = ty_arena_string(&ctx->scratch, path);
    ty_status st = prefix ? TY_OK : ty_fail_nomem(ctx, "a folder's name");
    size_t length = prefix ? strlen(prefix) : 0;
    while (length > 1 && prefix[length - 1] == '/')
        prefix[--length] = '\0';
    for (size_t i = 1; st == TY_OK && i <= length; i++) {
        if (prefix[i] != '/' && prefix[i] != '\0')
            continue;
        char kept = prefix[i];
        prefix[i] = '\0';
        st = make_level(ctx, prefix);
        prefix[i] = kept;
    }
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_dir_sync(ty_ctx *ctx, const char *path) {
    int fd;
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_DIRECTORY, 0, &fd));
    int result;
    TY_IO_RETRY(result, ctx->io->fsync(ctx->io->self, fd));
    ty_status st = TY_OK;
    if (result < 0 && errno != EINVAL &&
        errno != ENOTSUP) /* some file systems have none for folders */
        st = ty_fail_errno(ctx, errno, "cannot flush the folder %s to the disk", path);
    (void)ctx->io->close(ctx->io->self, fd); /* opened for reading: nothing can be lost here */
    return st;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct name_list {
    char **names; /* malloc, grown by doubling */
    size_t count, capacity;
} name_list;

static bool add_name(name_list *list, ty_arena *arena, const char *name) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        char **names = reallocarray(list->names, capacity, sizeof *names);
        if (!names)
            return false;
        list->names = names;
        list->capacity = capacity;
    }
    char *copy = ty_arena_string(arena, name);
    if (!copy)
        return false;
    list->names[list->count++] = copy;
    return true;
}

static ty_status collect_names(ty_ctx *ctx, const char *path, DIR *dir, ty_arena *arena,
                               name_list *list) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno != 0)
            return ty_fail_errno(ctx, errno, "cannot list the folder %s", path);
        if (!entry)
            return TY_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!add_name(list, arena, entry->d_name))
            return ty_fail_nomem(ctx, "a folder's list");
    }
}

ty_status ty_dir_list(ty_ctx *ctx, const char *path, ty_arena *arena, char ***out_names,
                      size_t *out_count) {
    DIR *dir = opendir(path);
    if (!dir)
        return ty_fail_errno(ctx, errno, "cannot open the folder %s", path);
    name_list list = {0};
    ty_status st = collect_names(ctx, path, dir, arena, &list);
    (void)closedir(dir);
    char **names = NULL;
    if (st == TY_OK && !(names = ty_arena_array(arena, list.count + 1, sizeof *names)))
        st = ty_fail_nomem(ctx, "a folder's list");
    if (st == TY_OK && list.count > 0) {
        qsort(list.names, list.count, sizeof *names, by_bytes);
        memcpy(names, list.names, list.count * sizeof *names);
    }
    free(list.names);
    if (st != TY_OK)
        return st;
    *out_names = names;
    *out_count = list.count;
    return TY_OK;
}

ty_status ty_disk_free(ty_ctx *ctx, const char *path, uint64_t *out_bytes) {
    struct statvfs info;
    int result;
    TY_IO_RETRY(result, ctx->io->statvfs(ctx->io->self, path, &info));
    if (result < 0)
        return ty_fail_errno(ctx, errno, "cannot ask for the free space of %s", path);
    *out_bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    return TY_OK;
}

bool ty_disk_is_network(ty_ctx *ctx, const char *path) {
    /* Numbers of linux/magic.h and, for those outside the kernel, of their own sources. */
    static const uint32_t network[] = {0x00006969 /* nfs */,
                                       0x0000517b /* smb */,
                                       0xff534d42 /* cifs */,
                                       0xfe534d42 /* smb2 */,
                                       0x0bd00bd0 /* lustre */,
                                       0x47504653 /* gpfs */,
                                       0x65735546 /* fuse */,
                                       0x01021997 /* 9p */,
                                       0x00c36400 /* ceph */,
                                       0x5346414f /* afs */,
                                       0x6b414653 /* kafs */,
                                       0x73757245 /* coda */,
                                       0x01161970 /* gfs2 */,
                                       0x7461636f /* ocfs2 */,
                                       0x19830326 /* beegfs */,
                                       0xaad7aaea /* panfs */,
                                       0x20030528 /* orangefs */};
    struct statfs info;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    int result = statfs(path, &info);
    const char *folder = result < 0 ? ty_path_folder(&ctx->scratch, path) : NULL;
    if (folder)
        result = statfs(folder, &info); /* the file itself may not be there yet */
    ty_arena_reset(&ctx->scratch, mark);
    for (size_t i = 0; result == 0 && i < sizeof network / sizeof network[0]; i++)
        if ((uint32_t)info.f_type == network[i])
            return true;
    return false;
}
