/* OpenMPI keeps one file a rank in /dev/shm (vader_segment.<host>.<user, hex>.<job>.<rank>) and
 * leaves it behind when the rank is killed. Jobs that are killed often would fill the memory of the
 * host. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trainer/comm_private.h"

static const char folder[] = "/dev/shm";

enum { MAX_SEGMENTS = 256 }; /* the rest is swept by the next start */

typedef struct segment_list {
    char names[MAX_SEGMENTS][128];
    bool is_in_use[MAX_SEGMENTS];
    int count;
} segment_list;

/* Only files that carry this host's name: another container with the same /dev/shm has processes we
 * cannot see. */
static bool is_ours(int folder_fd, const char *name, const char *prefix) {
    struct stat info;
    return strncmp(name, prefix, strlen(prefix)) == 0 &&
           fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
           info.st_uid == geteuid() && info.st_nlink == 1;
}

static void list_segments(int folder_fd, segment_list *list) {
    char host[TY_COMM_HOST_BYTES] = "";
    char prefix[128];
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(prefix, sizeof prefix, "vader_segment.%s.", host);
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        size_t length = strlen(entry->d_name);
        if (list->count == MAX_SEGMENTS)
            break;
        if (length < sizeof list->names[0] && is_ours(folder_fd, entry->d_name, prefix))
            memcpy(list->names[list->count++], entry->d_name, length + 1);
    }
    (void)closedir(dir);
}

static void mark_line(segment_list *list, const char *line) {
    for (int i = 0; i < list->count; i++)
        list->is_in_use[i] = list->is_in_use[i] || strstr(line, list->names[i]);
}

/* False where a process of ours does not let itself be read: then nothing can be said about any
 * file. */
static bool mark_mapped_by(segment_list *list, const char *pid) {
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%s", pid);
    struct stat info;
    if (stat(path, &info) != 0 || info.st_uid != geteuid())
        return true;
    (void)snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return errno == ENOENT || errno == ESRCH || strcmp(pid, "1") == 0;
    char line[1024];
    while (fgets(line, sizeof line, maps))
        mark_line(list, line);
    bool is_read = !ferror(maps) || errno == ESRCH;
    (void)fclose(maps);
    return is_read;
}

static bool mark_mapped(segment_list *list) {
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    bool is_known = true;
    for (struct dirent *entry = readdir(proc); entry && is_known; entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0]))
            is_known = mark_mapped_by(list, entry->d_name);
    }
    (void)closedir(proc);
    return is_known;
}

static bool has_unused(const segment_list *list) {
    for (int i = 0; i < list->count; i++) {
        if (!list->is_in_use[i])
            return true;
    }
    return false;
}

static void remove_unused(const ty_ctx *ctx, int folder_fd, const segment_list *list) {
    int n_removed = 0;
    for (int i = 0; i < list->count; i++) {
        if (!list->is_in_use[i])
            n_removed += unlinkat(folder_fd, list->names[i], 0) == 0;
    }
    if (n_removed)
        ty_log(ctx, TY_LOG_INFO, "comm", "removed %d files that killed jobs left in %s", n_removed,
               folder);
}

void ty_comm_sweep(const ty_ctx *ctx) {
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    segment_list *list = calloc(1, sizeof *list);
    if (folder_fd < 0 || !list)
        goto done;
    list_segments(folder_fd, list);
    if (!has_unused(list) || !mark_mapped(list) || !has_unused(list))
        goto done;
    /* A job that starts at this moment has made its file and maps it a few microseconds later: look
     * twice. */
    const struct timespec moment = {.tv_nsec = 50000000};
    (void)nanosleep(&moment, NULL);
    if (mark_mapped(list))
        remove_unused(ctx, folder_fd, list);
done:
    free(list);
    if (folder_fd >= 0)
        (void)close(folder_fd);
}
