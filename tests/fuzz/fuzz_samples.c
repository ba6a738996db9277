/* Arbitrary bytes as what a model says it was trained on, and as a CSV that is opened in its way: the
 * state is text up to the first newline, the CSV is the rest. */
#include <stdlib.h>

#include "data/data.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ROWS = 50, MOST_FEATURES = 1 << 20 };

/* memory_io with a position to read from, and stat. */
typedef struct positioned_file {
    memory_file file; /* first: memory_io's calls see only this */
    size_t position;
} positioned_file;

static int open_again(void *self, const char *path, int flags, mode_t mode) {
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
    (void)path;
    return memory_fstat(self, 0, out);
}

/* Every sample can be had and every kept text is one. */
static void read_all(ty_ctx *ctx, const ty_dataset *set) {
    const ty_data_info *info = ty_dataset_info(set);
    float *x = malloc((size_t)info->x_count * sizeof *x);
    float *y = malloc((size_t)info->n_outputs * sizeof *y);
    if (!x || !y)
        abort();
    for (int64_t i = 0; i < info->count[TY_SPLIT_TEST] && i < MOST_ROWS; i++)
        if (ty_dataset_sample(ctx, set, TY_SPLIT_TEST, i, x, y) != TY_OK ||
            strlen(ty_samples_kept(set, i, 0)) > TY_DOC_MAX_BYTES)
            abort();
    free(x);
    free(y);
}

static void open_in(ty_ctx *ctx, const ty_dataset *fitted) {
    static const char *const keep[] = {"1"};
    ty_dataset *set = NULL;
    const ty_samples_options options = {.path = "/fuzz.csv",
                                        .allows_unknown = true,
                                        .target_is_last = true,
                                        .keep = keep,
                                        .n_keep = 1};
    ctx->message[0] = '\0';
    if (ty_samples_open(ctx, fitted, &options, &set) == TY_OK)
        read_all(ctx, set);
    else if (ctx->message[0] == '\0')
        abort(); /* a refusal says why */
    ty_dataset_close(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    if (!newline)
        return 0;
    const size_t state_bytes = (size_t)(newline - data);
    positioned_file file = {.file = {.data = newline + 1, .bytes = size - state_bytes - 1}};
    ty_io io = memory_io(&file.file);
    io.open = open_again;
    io.read = read_on;
    io.stat = stat_file;
    char *state = strndup((const char *)data, state_bytes);
    ty_dataset *fitted = NULL;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    if (!state)
        abort();
    if (ty_dataset_restore(&ctx, state, &fitted) == TY_OK &&
        ty_dataset_info(fitted)->x_count <= MOST_FEATURES)
        open_in(&ctx, fitted);
    ty_dataset_close(fitted);
    ty_ctx_clear(&ctx);
    free(state);
    return 0;
}
