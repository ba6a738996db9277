/* Arbitrary bytes as a CSV file that is opened, split, fitted and read. The first byte chooses
 * options. */
#include <stdlib.h>

#include "data/data.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* memory_io with what a data set asks for besides: a position to read from, and stat. */
typedef struct positioned_file {
    memory_file file; /* first: memory_io's calls see only this */
    size_t position;
} positioned_file;

static int open_again(void *self, const char *path, int flags, mode_t mode) {
    if (strcmp(path, "/fuzz.csv") != 0) {
        errno = ENOENT;
        return -1;
    }
    ((positioned_file *)self)->position = 0;
    return memory_open(self, path, flags, mode);
}

static ssize_t read_on(void *self, int fd, void *data, size_t bytes) {
    positioned_file *file = self;
    const ssize_t got = memory_pread(self, fd, data, bytes, (off_t)file->position);
    file->position += got > 0 ? (size_t)got : 0;
    return got;
}

static int stat_file(void *self, const char *path, struct stat *out) {
    if (strcmp(path, "/fuzz.csv") == 0)
        return memory_fstat(self, 0, out);
    errno = ENOENT;
    return -1;
}

/* Every sample of every split is finite and of a known class. */
static void read_all(ty_ctx *ctx, const ty_dataset *set) {
    const ty_data_info *info = ty_dataset_info(set);
    float *x = malloc((size_t)info->x_count * sizeof *x);
    int32_t *y = malloc((size_t)info->n_outputs * sizeof *y);
    if (!x || !y)
        abort();
    for (int split = 0; split < TY_SPLIT_COUNT; split++) {
        for (int64_t i = 0; i < info->count[split] && i < 50; i++) {
            if (ty_dataset_sample(ctx, set, (ty_split)split, i, x, y) != TY_OK)
                abort();
            for (int64_t k = 0; k < info->x_count; k++)
                if (!(x[k] - x[k] == 0.0f)) /* neither NaN nor infinite */
                    abort();
            if (info->is_classification && (y[0] < 0 || y[0] >= info->n_outputs))
                abort();
        }
    }
    free(x);
    free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    positioned_file file = {.file = {.data = data + 1, .bytes = size - 1}};
    ty_io io = memory_io(&file.file);
    io.open = open_again;
    io.read = read_on;
    io.stat = stat_file;
    const ty_data_config config = {.source = "/fuzz.csv",
                                   .format = 2,
                                   .split_seed = 1,
                                   .val_fraction = data[0] & 1 ? 0.25 : 0,
                                   .test_fraction = data[0] & 2 ? 0.25 : 0,
                                   .target = data[0] & 4 ? "y" : NULL,
                                   .features = data[0] & 8 ? "-id" : NULL,
                                   .task = (data[0] >> 4) % 3,
                                   .normalize = data[0] >> 7,
                                   .shuffle_window = TY_AUTO};
    ty_ctx ctx;
    ty_dataset *set = NULL;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    if (ty_dataset_open(&ctx, &config, NULL, &set) == TY_OK)
        read_all(&ctx, set);
    else if (ctx.message[0] == '\0')
        abort(); /* a refusal says why */
    ty_dataset_close(set);
    ty_ctx_clear(&ctx);
    return 0;
}
