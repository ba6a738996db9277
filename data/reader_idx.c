/* IDX: a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k-* (or test-*) for
 * the test part; each may be .gz. Everything is held in memory as it is stored; other types than u8
 * become f32. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/idx.h"
#include "data/reader.h"

typedef struct idx_set {
    void *x[TY_SPLIT_COUNT]; /* u8 or f32 [count, x_count] */
} idx_set;

/* The first words that files of a part go by. */
static const char *const part_words[TY_SPLIT_COUNT][3] = {[TY_SPLIT_TRAIN] = {"train"},
                                                          [TY_SPLIT_VAL] = {"val", "valid"},
                                                          [TY_SPLIT_TEST] = {"t10k", "test"}};

static bool idx_accepts(const char *path, bool is_folder, const char *head, size_t head_bytes) {
    (void)path;
    return is_folder || (head_bytes >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= TY_IDX_U8 &&
                         head[2] <= TY_IDX_F64 && head[3] >= 1 && head[3] <= TY_IDX_MAX_RANK);
}

/* Whether name is <word>-<kind>, "-" or ".", "idx" and the rest. */
static bool is_named(const char *name, const char *word, const char *kind) {
    const size_t word_length = strlen(word), kind_length = strlen(kind);
    return strncmp(name, word, word_length) == 0 && name[word_length] == '-' &&
           strncmp(name + word_length + 1, kind, kind_length) == 0 &&
           strpbrk(name + word_length + 1 + kind_length, "-.") ==
               name + word_length + 1 + kind_length &&
           strncmp(name + word_length + 2 + kind_length, "idx", 3) == 0;
}

/* The part's file of a kind, or NULL. Names are sorted, so that the plain one comes before its
 * .gz. */
static const char *find_file(char *const *names, size_t n, int part, const char *kind) {
    for (int w = 0; w < 3 && part_words[part][w]; w++)
        for (size_t i = 0; i < n; i++)
            if (is_named(names[i], part_words[part][w], kind))
                return names[i];
    return NULL;
}

static ty_status read_file(ty_ctx *ctx, const char *path, ty_idx *out) {
    ty_input *input = NULL;
    TY_TRY(ty_input_open(ctx, path, &input));
    const ty_status st = ty_idx_read(ctx, input, out);
    ty_input_close(ctx, input);
    return st;
}

static ty_status to_floats(ty_ctx *ctx, const char *path, const ty_idx *idx, void **out) {
    void *memory = NULL;
    TY_TRY(ty_content_alloc(ctx, path, idx->count, sizeof(float), &memory));
    float *x = *out = memory;
    for (int64_t i = 0; i < idx->count; i++) {
        x[i] = (float)ty_idx_at(idx, i);
        if (!isfinite(x[i]))
            return ty_fail(
                ctx, TY_ERR_DATA, "%s:@%lld: the element is not a finite 32-bit number", path,
                (long long)idx->header_bytes + (long long)i * (long long)idx->element_bytes);
    }
    return TY_OK;
}

/* The shape of one sample: [F], [1,H,W] or [C,H,W]. */
static ty_status set_shape(ty_ctx *ctx, const char *path, const ty_idx *idx, ty_content *content) {
    if (idx->rank < 2)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@3: the rank is %d, want 2 ([N,F]), 3 ([N,H,W]) or 4",
                       path, idx->rank);
    content->x_is_u8 = idx->type == TY_IDX_U8;
    content->x_rank = idx->rank == 2 ? 1 : 3;
    content->x_dims[0] = idx->rank == 3 ? 1 : idx->dims[1];
    for (int d = 1; d < content->x_rank; d++)
        content->x_dims[d] = idx->dims[idx->rank - 3 + d];
    content->x_count = idx->count / idx->dims[0];
    return TY_OK;
}

static ty_status check_same_shape(ty_ctx *ctx, const char *path, const ty_idx *idx,
                                  const ty_content *content) {
    ty_content other = {0};
    TY_TRY(set_shape(ctx, path, idx, &other));
    if (other.x_is_u8 != content->x_is_u8 || other.x_rank != content->x_rank ||
        memcmp(other.x_dims, content->x_dims, sizeof other.x_dims) != 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:@0: a sample has type or shape [%lld,%lld,%lld], the training data has "
                       "[%lld,%lld,%lld]",
                       path, (long long)other.x_dims[0], (long long)other.x_dims[1],
                       (long long)other.x_dims[2], (long long)content->x_dims[0],
                       (long long)content->x_dims[1], (long long)content->x_dims[2]);
    return TY_OK;
}

/* Takes the images' memory into the content, as floats where they are no bytes. */
static ty_status take_images(ty_ctx *ctx, const char *path, int part, ty_idx *images,
                             ty_content *content) {
    idx_set *set = content->self;
    content->count[part] = images->dims[0];
    if (!content->x_is_u8)
        return to_floats(ctx, path, images, &set->x[part]);
    set->x[part] = images->data;
    images->data = NULL;
    return TY_OK;
}

static ty_status read_images(ty_ctx *ctx, const char *path, int part, ty_content *content) {
    ty_idx images = {0};
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, read_file(ctx, path, &images));
    if (part == TY_SPLIT_TRAIN)
        TY_TRY_GOTO(done, st, set_shape(ctx, path, &images, content));
    TY_TRY_GOTO(done, st, check_same_shape(ctx, path, &images, content));
    st = take_images(ctx, path, part, &images, content);
done:
    ty_idx_clear(&images);
    return st;
}

static ty_status read_labels(ty_ctx *ctx, const char *path, int64_t count, ty_idx *labels,
                             ty_raw_targets *out) {
    void *memory = NULL;
    TY_TRY(read_file(ctx, path, labels));
    if (labels->rank > 2)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@3: labels have rank %d, want 1 or 2", path,
                       labels->rank);
    if (labels->dims[0] != count)
        return ty_fail(ctx, TY_ERR_DATA, "%s:@4: %lld labels for %lld images", path,
                       (long long)labels->dims[0], (long long)count);
    TY_TRY(ty_content_alloc(ctx, path, labels->count, sizeof(double), &memory));
    double *values = memory;
    for (int64_t i = 0; i < labels->count; i++)
        values[i] = ty_idx_at(labels, i);
    *out = (ty_raw_targets){
        .width = labels->count / count, .is_integer = labels->type < TY_IDX_F32, .values = values};
    return TY_OK;
}

/* The files of one part: where they lie, and what the labels' file says. */
typedef struct idx_part {
    const char *images, *labels; /* paths; NULL where the folder has no such part */
    ty_idx label_file;
} idx_part;

static ty_status add_part_file(ty_ctx *ctx, const char *folder, const char *name, bool is_other,
                               ty_content *content, const char **path) {
    *path = ty_path_join(content->arena, folder, name);
    char *listed = ty_arena_printf(content->arena, "%s%s", is_other ? "test/" : "", name);
    if (!*path || !listed)
        return ty_fail_nomem(ctx, "a path");
    return ty_content_add_file(ctx, content, listed, *path);
}

static ty_status locate(ty_ctx *ctx, const char *folder, int from_part, bool is_other,
                        ty_content *content, idx_part *out) {
    char **names = NULL;
    size_t n = 0;
    TY_TRY(ty_dir_list(ctx, folder, content->arena, &names, &n));
    const char *images = find_file(names, n, from_part, "images");
    const char *labels = find_file(names, n, from_part, "labels");
    if (!images && !labels)
        return TY_OK;
    if (!images || !labels)
        return ty_fail(ctx, TY_ERR_DATA, "%s has %s, but no %s-%s-idx* for it", folder,
                       images ? images : labels, part_words[from_part][0],
                       images ? "labels" : "images");
    TY_TRY(add_part_file(ctx, folder, images, is_other, content, &out->images));
    return add_part_file(ctx, folder, labels, is_other, content, &out->labels);
}

static ty_status locate_all(ty_ctx *ctx, const ty_data_place *place, ty_content *content,
                            idx_part parts[]) {
    for (int part = 0; part < TY_SPLIT_COUNT; part++)
        if (part != TY_SPLIT_TEST || !place->test_path)
            TY_TRY(locate(ctx, place->path, part, false, content, &parts[part]));
    if (!parts[TY_SPLIT_TRAIN].images)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s has no train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz]",
                       place->path);
    if (!place->test_path)
        return TY_OK;
    TY_TRY(locate(ctx, place->test_path, TY_SPLIT_TEST, true, content, &parts[TY_SPLIT_TEST]));
    if (!parts[TY_SPLIT_TEST].images)
        TY_TRY(locate(ctx, place->test_path, TY_SPLIT_TRAIN, true, content, &parts[TY_SPLIT_TEST]));
    if (!parts[TY_SPLIT_TEST].images)
        return ty_fail(ctx, TY_ERR_DATA,
                       "data.test_source %s has neither t10k-images-idx* nor train-images-idx*",
                       place->test_path);
    return TY_OK;
}

static ty_status read_parts(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                            ty_content *content, idx_part parts[], ty_raw_targets raw[]) {
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        if (!parts[part].images)
            continue;
        TY_TRY(read_images(ctx, parts[part].images, part, content));
        TY_TRY(read_labels(ctx, parts[part].labels, content->count[part], &parts[part].label_file,
                           &raw[part]));
        if (raw[part].width != raw[TY_SPLIT_TRAIN].width)
            return ty_fail(ctx, TY_ERR_DATA,
                           "%s:@4: %lld numbers per label, the training data has %lld",
                           parts[part].labels, (long long)raw[part].width,
                           (long long)raw[TY_SPLIT_TRAIN].width);
    }
    int bad_part = -1;
    int64_t bad_row = 0;
    const ty_status st =
        ty_content_set_targets(ctx, config, place, raw, content, &bad_part, &bad_row);
    if (st == TY_OK || bad_part < 0)
        return st;
    const ty_idx *file = &parts[bad_part].label_file;
    const int64_t element = bad_row * raw[bad_part].width;
    return ty_fail_within(ctx, st, "%s:@%lld", parts[bad_part].labels,
                          (long long)file->header_bytes +
                              (long long)element * (long long)file->element_bytes);
}

static ty_status idx_open(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                          ty_content *content) {
    idx_part parts[TY_SPLIT_COUNT] = {0};
    ty_raw_targets raw[TY_SPLIT_COUNT] = {0};
    struct stat info;
    if (ctx->io->stat(ctx->io->self, place->path, &info) == 0 && !S_ISDIR(info.st_mode))
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s is a single file; data.source has to name the folder that holds "
                       "train-images-idx3-ubyte and train-labels-idx1-ubyte",
                       place->path);
    content->self = ty_arena_alloc(content->arena, sizeof(idx_set));
    if (!content->self)
        return ty_fail_nomem(ctx, "a data set");
    ty_status st = locate_all(ctx, place, content, parts);
    if (st == TY_OK)
        st = read_parts(ctx, config, place, content, parts, raw);
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        ty_idx_clear(&parts[part].label_file);
        free((void *)(uintptr_t)raw[part].values);
    }
    return st;
}

static ty_status idx_open_samples(ty_ctx *ctx, const char *features, const char *path,
                                  ty_content *content) {
    (void)features;
    ty_idx images = {0};
    content->self = ty_arena_alloc(content->arena, sizeof(idx_set));
    if (!content->self)
        return ty_fail_nomem(ctx, "a file's samples");
    ty_status st = read_file(ctx, path, &images);
    if (st == TY_OK)
        st = set_shape(ctx, path, &images, content);
    if (st == TY_OK)
        st = take_images(ctx, path, TY_SPLIT_TEST, &images, content);
    ty_idx_clear(&images);
    return st;
}

static ty_status idx_fetch(ty_ctx *ctx, const ty_content *content, int part, int64_t row, void *x) {
    (void)ctx;
    const idx_set *set = content->self;
    const size_t bytes = (size_t)content->x_count * (content->x_is_u8 ? 1 : sizeof(float));
    memcpy(x, (const uint8_t *)set->x[part] + (size_t)row * bytes, bytes);
    return TY_OK;
}

static void idx_close(ty_content *content) {
    idx_set *set = content->self;
    for (int part = 0; set && part < TY_SPLIT_COUNT; part++)
        free(set->x[part]);
}

const ty_reader ty_reader_idx = {.format = "idx",
                                 .accepts = idx_accepts,
                                 .open = idx_open,
                                 .open_samples = idx_open_samples,
                                 .fetch = idx_fetch,
                                 .close = idx_close};
