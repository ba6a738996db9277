/* HDF5: an array of features and one of targets, in the root or in groups train, val and test.
 * Features that lie in one piece are read from the file as they are needed, without the library;
 * chunked and compressed ones are read once, on opening. The library only ever runs in child
 * processes: its parser was not made for hostile files. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "data/hdf5_file.h"

typedef struct hdf5_part {
    const char *path; /* NULL: no such part */
    ty_h5_array x, y;
    int fd;       /* open where x is read as it is needed */
    void *loaded; /* x as u8 or f32 [count, x_count], otherwise */
    size_t loaded_bytes;
} hdf5_part;

typedef struct hdf5_set {
    hdf5_part parts[TY_SPLIT_COUNT];
    const ty_io *io;           /* that opened the files */
    double *y[TY_SPLIT_COUNT]; /* shared memory, while opening */
} hdf5_set;

static const char signature[] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};

/* The signature is at 0, or behind a user block of 512, 1024, ... bytes. */
static bool hdf5_accepts(const char *path, bool is_folder, const char *head, size_t head_bytes) {
    (void)path;
    for (size_t at = 0; !is_folder && at + sizeof signature <= head_bytes; at = at ? 2 * at : 512)
        if (memcmp(head + at, signature, sizeof signature) == 0)
            return true;
    return false;
}

static ty_status check_signature(ty_ctx *ctx, const char *path, int fd, int64_t size) {
    enum { SMALLEST_FILE = 96 }; /* a superblock and a root group */
    char found[sizeof signature];
    for (int64_t at = 0; size >= SMALLEST_FILE && at + (int64_t)sizeof found <= size;
         at = at ? 2 * at : 512) {
        TY_TRY(ty_file_pread(ctx, path, fd, found, sizeof found, at));
        if (memcmp(found, signature, sizeof found) == 0)
            return TY_OK;
    }
    return ty_fail(ctx, TY_ERR_DATA, "%s:@0: there is no HDF5 signature", path);
}

/* Opens a part's file for reading and checks that it is HDF5 before the library sees it. */
static ty_status open_file(ty_ctx *ctx, const char *path, int *fd, int64_t *size) {
    struct stat info;
    if (ctx->io->stat(ctx->io->self, path, &info) != 0)
        return ty_fail_errno(ctx, errno, "looking at %s", path);
    if (!S_ISREG(info.st_mode))
        return ty_fail(ctx, TY_ERR_DATA, "%s is not a regular file", path);
    TY_TRY(ty_file_open(ctx, path, O_RDONLY, 0, fd));
    *size = (int64_t)info.st_size;
    return check_signature(ctx, path, *fd, *size);
}

/* --- what was found --------------------------------------------------------------------------- */

/* The survey comes from a process that a hostile file may have taken over: nothing in it is taken
 * on trust. */
static bool is_sane(const ty_h5_array *array) {
    int64_t count = 1;
    if (memchr(array->name, '\0', sizeof array->name) == NULL || array->rank < 1 ||
        array->rank > TY_H5_MAX_RANK || (unsigned)array->element > TY_H5_F64 ||
        array->element_bytes > 8)
        return false;
    for (int d = 0; d < array->rank; d++)
        if (array->dims[d] < 1 || !ty_mul_i64(count, array->dims[d], &count))
            return false;
    return count == array->count && array->offset >= -1;
}

/* The file's word against its size, before anything is read or allocated. */
static ty_status check_extent(ty_ctx *ctx, const char *path, const ty_h5_array *array,
                              int64_t size) {
    const int64_t most_inflated = 1032; /* what deflate makes of a byte at best */
    int64_t bytes = 0, end = 0, most = 0;
    const int64_t element = array->element_bytes ? (int64_t)array->element_bytes : 1;
    const bool fits = ty_mul_i64(array->count, element, &bytes) &&
                      ty_add_i64(bytes, array->offset > 0 ? array->offset : 0, &end);
    if (!ty_mul_i64(size, most_inflated, &most))
        most = INT64_MAX;
    if (!fits || (array->offset >= 0 ? end > size : bytes > most))
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: %s promises %lld elements%s, which a file of %lld bytes cannot hold",
                       path, array->name, (long long)array->count,
                       array->offset >= 0 ? "" : " in chunks", (long long)size);
    return TY_OK;
}

/* The shape of one sample: [F], [1,H,W] or [C,H,W]. */
static ty_status set_shape(ty_ctx *ctx, const hdf5_part *part, ty_content *content) {
    const ty_h5_array *x = &part->x;
    if (x->rank < 2)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: %s has rank %d, want 2 ([N,F]), 3 ([N,H,W]) or 4 ([N,C,H,W])",
                       part->path, x->name, x->rank);
    content->x_is_u8 = x->element == TY_H5_U8;
    content->x_rank = x->rank == 2 ? 1 : 3;
    content->x_dims[0] = x->rank == 3 ? 1 : x->dims[1];
    for (int d = 1; d < content->x_rank; d++)
        content->x_dims[d] = x->dims[x->rank - 3 + d];
    content->x_count = x->count / x->dims[0];
    return TY_OK;
}

static ty_status check_part(ty_ctx *ctx, const hdf5_part *part, int64_t size,
                            const hdf5_part *train) {
    TY_TRY(check_extent(ctx, part->path, &part->x, size));
    TY_TRY(check_extent(ctx, part->path, &part->y, size));
    if (part->y.rank > 2 || part->y.dims[0] != part->x.dims[0])
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: %s has rank %d and %lld rows, want rank 1 or 2 and the %lld rows of %s",
                       part->path, part->y.name, part->y.rank, (long long)part->y.dims[0],
                       (long long)part->x.dims[0], part->x.name);
    if (part->x.element != train->x.element || part->x.rank != train->x.rank ||
        part->x.count / part->x.dims[0] != train->x.count / train->x.dims[0] ||
        memcmp(&part->x.dims[1], &train->x.dims[1], sizeof part->x.dims - sizeof part->x.dims[0]) !=
            0 ||
        part->y.count / part->y.dims[0] != train->y.count / train->y.dims[0])
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: type or shape of %s and %s differ from the training data's", part->path,
                       part->x.name, part->y.name);
    return TY_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Shared memory for an array, within the machine's means. */
static ty_status alloc_array(ty_ctx *ctx, const hdf5_part *part, const ty_h5_array *array,
                             size_t element_bytes, void **out, size_t *bytes) {
    const int64_t available = ty_memory_available(ctx);
    if (!ty_mul_size((size_t)array->count, element_bytes, bytes) || *bytes > INT64_MAX)
        return ty_fail(ctx, TY_ERR_DATA, "%s: the dimensions of %s overflow", part->path,
                       array->name);
    if ((int64_t)*bytes > available)
        return ty_fail(ctx, TY_ERR_NOMEM,
                       "%s: %s takes %.1f GB and %.1f GB are left on this machine; stored in one "
                       "piece it is read as "
                       "needed: h5repack -l CONTI",
                       part->path, array->name, (double)*bytes / 1e9, (double)available / 1e9);
    *out = ty_isolated_alloc(*bytes);
    return *out ? TY_OK : ty_fail_nomem(ctx, array->name);
}

/* Whether fetch can read the array itself. */
static bool is_direct(const ty_h5_array *array) {
    return array->offset >= 0 && array->element_bytes > 0;
}

static ty_status load_features(ty_ctx *ctx, hdf5_part *part) {
    const bool is_u8 = part->x.element == TY_H5_U8;
    if (is_direct(&part->x))
        return TY_OK;
    TY_TRY(alloc_array(ctx, part, &part->x, is_u8 ? 1 : sizeof(float), &part->loaded,
                       &part->loaded_bytes));
    return ty_h5_read_array(ctx, part->path, &part->x, is_u8 ? TY_H5_AS_U8 : TY_H5_AS_F32,
                            part->loaded);
}

static ty_status load_targets(ty_ctx *ctx, const hdf5_part *part, double **out) {
    void *memory = NULL;
    size_t bytes = 0;
    TY_TRY(alloc_array(ctx, part, &part->y, sizeof(double), &memory, &bytes));
    *out = memory;
    return ty_h5_read_array(ctx, part->path, &part->y, TY_H5_AS_F64, memory);
}

static bool is_integer(const ty_h5_array *array) {
    return array->element != TY_H5_F32 && array->element != TY_H5_F64 &&
           array->element != TY_H5_OTHER_FLOAT;
}

static ty_status set_targets(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                             ty_content *content) {
    hdf5_set *set = content->self;
    ty_raw_targets raw[TY_SPLIT_COUNT] = {0};
    int bad_part = -1;
    int64_t bad_row = 0;
    for (int p = 0; p < TY_SPLIT_COUNT; p++) {
        const hdf5_part *part = &set->parts[p];
        if (!part->path)
            continue;
        TY_TRY(load_targets(ctx, part, &set->y[p]));
        raw[p] = (ty_raw_targets){.width = part->y.count / part->y.dims[0],
                                  .is_integer = is_integer(&part->y),
                                  .values = set->y[p]};
    }
    const ty_status st =
        ty_content_set_targets(ctx, config, place, raw, content, &bad_part, &bad_row);
    if (st == TY_OK || bad_part < 0)
        return st;
    return ty_fail_within(ctx, st, "%s: %s[%lld]", set->parts[bad_part].path,
                          set->parts[bad_part].y.name, (long long)bad_row);
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status survey(ty_ctx *ctx, const ty_data_config *config, const char *path,
                        bool is_test_file, hdf5_set *set, ty_h5_survey *found) {
    const ty_h5_names names = {
        .features = config->features, .target = config->target, .is_test_file = is_test_file};
    int64_t size = 0;
    int fd = -1;
    ty_status st = open_file(ctx, path, &fd, &size);
    if (fd >= 0)
        (void)ctx->io->close(ctx->io->self, fd);
    TY_TRY(st);
    TY_TRY(ty_h5_survey_file(ctx, path, &names, found));
    for (int p = 0; p < TY_SPLIT_COUNT; p++) {
        if (!found->x[p].name[0])
            continue;
        set->parts[p].path = path;
        set->parts[p].x = found->x[p];
        set->parts[p].y = found->y[p];
        if (!is_sane(&set->parts[p].x) || !is_sane(&set->parts[p].y))
            return ty_fail(ctx, TY_ERR_DATA, "%s: the file is damaged", path);
        TY_TRY(check_part(ctx, &set->parts[p], size, &set->parts[TY_SPLIT_TRAIN]));
    }
    return TY_OK;
}

static ty_status survey_files(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                              hdf5_set *set) {
    ty_h5_survey *found = ty_isolated_alloc(sizeof *found);
    if (!found)
        return ty_fail_nomem(ctx, "reading an HDF5 file");
    ty_status st = survey(ctx, config, place->path, false, set, found);
    if (st == TY_OK && place->test_path) {
        memset(found, 0, sizeof *found);
        st = survey(ctx, config, place->test_path, true, set, found);
    }
    ty_isolated_free(found, sizeof *found);
    return st;
}

static ty_status add_file(ty_ctx *ctx, ty_content *content, const char *path, const char *prefix) {
    const char *slash = strrchr(path, '/');
    const char *name = ty_arena_printf(content->arena, "%s%s", prefix, slash ? slash + 1 : path);
    return name ? ty_content_add_file(ctx, content, name, path) : ty_fail_nomem(ctx, "a file name");
}

static ty_status open_part(ty_ctx *ctx, hdf5_part *part) {
    int64_t size = 0;
    if (is_direct(&part->x))
        TY_TRY(open_file(ctx, part->path, &part->fd, &size));
    return load_features(ctx, part);
}

static ty_status open_parts(ty_ctx *ctx, ty_content *content) {
    hdf5_set *set = content->self;
    TY_TRY(set_shape(ctx, &set->parts[TY_SPLIT_TRAIN], content));
    for (int p = 0; p < TY_SPLIT_COUNT; p++) {
        hdf5_part *part = &set->parts[p];
        if (!part->path)
            continue;
        content->count[p] = part->x.dims[0];
        TY_TRY(open_part(ctx, part));
    }
    return TY_OK;
}

static ty_status create_set(ty_ctx *ctx, ty_content *content, hdf5_set **out) {
    hdf5_set *set = content->self = ty_arena_alloc(content->arena, sizeof *set);
    if (!set)
        return ty_fail_nomem(ctx, "a data set");
    set->io = ctx->io;
    for (int p = 0; p < TY_SPLIT_COUNT; p++)
        set->parts[p].fd = -1;
    *out = set;
    return TY_OK;
}

static ty_status hdf5_open(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                           ty_content *content) {
    hdf5_set *set = NULL;
    TY_TRY(create_set(ctx, content, &set));
    TY_TRY(add_file(ctx, content, place->path, ""));
    if (place->test_path)
        TY_TRY(add_file(ctx, content, place->test_path, "test/"));
    TY_TRY(survey_files(ctx, config, place, set));
    TY_TRY(open_parts(ctx, content));
    const ty_status st = set_targets(ctx, config, place, content);
    for (int p = 0; p < TY_SPLIT_COUNT; p++)
        ty_isolated_free(set->y[p], set->y[p] ? (size_t)set->parts[p].y.count * sizeof(double) : 0);
    return st;
}

/* What a file of features alone has, as part TEST. */
static ty_status survey_samples(ty_ctx *ctx, const char *path, const char *features,
                                ty_h5_survey *found, hdf5_part *out) {
    const ty_h5_names names = {.features = features, .is_test_file = true, .leaves_targets = true};
    int64_t size = 0;
    int fd = -1;
    const ty_status st = open_file(ctx, path, &fd, &size);
    if (fd >= 0)
        (void)ctx->io->close(ctx->io->self, fd);
    TY_TRY(st);
    TY_TRY(ty_h5_survey_file(ctx, path, &names, found));
    out->path = path;
    out->x = found->x[TY_SPLIT_TEST];
    if (!is_sane(&out->x))
        return ty_fail(ctx, TY_ERR_DATA, "%s: the file is damaged", path);
    return check_extent(ctx, path, &out->x, size);
}

static ty_status hdf5_open_samples(ty_ctx *ctx, const char *features, const char *path,
                                   ty_content *content) {
    hdf5_set *set = NULL;
    TY_TRY(create_set(ctx, content, &set));
    hdf5_part *part = &set->parts[TY_SPLIT_TEST];
    path = ty_arena_string(content->arena, path);
    ty_h5_survey *found = ty_isolated_alloc(sizeof *found);
    ty_status st = path && found ? survey_samples(ctx, path, features, found, part)
                                 : ty_fail_nomem(ctx, "reading an HDF5 file");
    ty_isolated_free(found, sizeof *found);
    if (st == TY_OK)
        st = set_shape(ctx, part, content);
    content->count[TY_SPLIT_TEST] = st == TY_OK ? part->x.dims[0] : 0;
    return st == TY_OK ? open_part(ctx, part) : st;
}

static void hdf5_close(ty_content *content) {
    hdf5_set *set = content->self;
    for (int p = 0; set && p < TY_SPLIT_COUNT; p++) {
        ty_isolated_free(set->parts[p].loaded, set->parts[p].loaded_bytes);
        if (set->parts[p].path && set->parts[p].fd >= 0)
            (void)set->io->close(set->io->self, set->parts[p].fd);
    }
}

/* --- one sample ------------------------------------------------------------------------------- */

/* One stored integer, sign included. */
static double integer_at(const ty_h5_array *array, uint64_t bits) {
    switch (array->element) {
    case TY_H5_I8:
        return (int8_t)bits;
    case TY_H5_I16:
        return (int16_t)bits;
    case TY_H5_I32:
        return (int32_t)bits;
    case TY_H5_I64:
        return (double)(int64_t)bits;
    default:
        return (double)bits;
    }
}

static double element_at(const ty_h5_array *array, const uint8_t *at) {
    const size_t n = array->element_bytes;
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)at[array->is_big_endian ? n - 1 - i : i] << (8 * i);
    if (array->element == TY_H5_F32) {
        const uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof value);
        return (double)value;
    }
    if (array->element == TY_H5_F64) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return integer_at(array, bits);
}

static ty_status read_rows(ty_ctx *ctx, const hdf5_part *part, void *out, size_t bytes,
                           int64_t row) {
    const int64_t offset = part->x.offset + row * (int64_t)bytes;
    const ty_status st = ty_file_pread(ctx, part->path, part->fd, out, bytes, offset);
    return st == TY_ERR_INTEGRITY ? TY_ERR_DATA : st; /* it was long enough when it was opened */
}

static ty_status hdf5_fetch(ty_ctx *ctx, const ty_content *content, int p, int64_t row, void *x) {
    const hdf5_set *set = content->self;
    const hdf5_part *part = &set->parts[p];
    const size_t n = (size_t)content->x_count, bytes = n * (content->x_is_u8 ? 1 : sizeof(float));
    if (part->loaded) {
        memcpy(x, (const uint8_t *)part->loaded + (size_t)row * bytes, bytes);
        return TY_OK;
    }
    if (content->x_is_u8 || (part->x.element == TY_H5_F32 && !part->x.is_big_endian))
        return read_rows(ctx, part, x, bytes, row);
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const size_t stored = n * part->x.element_bytes;
    uint8_t *raw = ty_arena_alloc(&ctx->scratch, stored);
    ty_status st = raw ? read_rows(ctx, part, raw, stored, row) : ty_fail_nomem(ctx, "a sample");
    for (size_t i = 0; st == TY_OK && i < n; i++)
        ((float *)x)[i] = (float)element_at(&part->x, raw + i * part->x.element_bytes);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

const ty_reader ty_reader_hdf5 = {.format = "hdf5",
                                  .accepts = hdf5_accepts,
                                  .open = hdf5_open,
                                  .open_samples = hdf5_open_samples,
                                  .fetch = hdf5_fetch,
                                  .close = hdf5_close};
