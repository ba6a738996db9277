/* A folder of a test's own, removed with everything in it. */
#ifndef TY_TESTS_SUPPORT_TEMP_FOLDER_H
#define TY_TESTS_SUPPORT_TEMP_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEMP_FOLDER_BYTES = 512 };

typedef struct temp_folder {
    char path[TEMP_FOLDER_BYTES];
} temp_folder;

static inline temp_folder temp_folder_make(void) {
    temp_folder folder;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder.path, sizeof folder.path, "%s/tiltyard-test-XXXXXX",
                   base && base[0] && strlen(base) < 400 ? base : "/tmp");
    if (!mkdtemp(folder.path)) {
        perror(folder.path);
        abort();
    }
    return folder;
}

static inline int temp_folder_remove_one(const char *path, const struct stat *info, int kind,
                                         struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline void temp_folder_remove(const temp_folder *folder) {
    (void)nftw(folder->path, temp_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* folder/name in out, which has room for two of them. */
static inline const char *temp_folder_path(const temp_folder *folder, const char *name,
                                           char out[2 * TEMP_FOLDER_BYTES]) {
    (void)snprintf(out, 2 * TEMP_FOLDER_BYTES, "%s/%s", folder->path, name);
    return out;
}

#endif
