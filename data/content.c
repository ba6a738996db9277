/* What every reader needs: memory within the machine's means, a list of files, classes out of
 * labels. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/reader.h"

ty_status ty_content_add_file(ty_ctx *ctx, ty_content *content, const char *name,
                              const char *path) {
    if (content->n_files == TY_DATA_FILES)
        return ty_fail(ctx, TY_ERR_INTERNAL, "a data set of more than %d files", TY_DATA_FILES);
    ty_data_file *file = &content->files[content->n_files];
    file->name = ty_arena_string(content->arena, name);
    file->path = ty_arena_string(content->arena, path);
    if (!file->name || !file->path)
        return ty_fail_nomem(ctx, "a file name");
    content->n_files++;
    return TY_OK;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* A small file of the kernel's; NULL where it cannot be read. The caller frees it. */
static char *read_small(ty_ctx *ctx, const char *path) {
    enum { MOST_BYTES = 65536 };
    char *text = NULL;
    size_t bytes = 0;
    return ty_file_read_all(ctx, path, MOST_BYTES, &text, &bytes) == TY_OK ? text : NULL;
}

/* A plain number of bytes; -1 where there is none ("max"). */
static int64_t read_number(ty_ctx *ctx, const char *path) {
    char *text = read_small(ctx, path), *end = text;
    errno = 0;
    const long long value = text ? strtoll(text, &end, 10) : 0;
    const bool is_number = end != text && errno == 0;
    free(text);
    return is_number ? (int64_t)value : -1;
}

static int64_t machine_available(ty_ctx *ctx) {
    static const char key[] = "MemAvailable:";
    char *text = read_small(ctx, "/proc/meminfo");
    const char *line = text ? strstr(text, key) : NULL;
    const long long kib = line ? strtoll(line + sizeof key - 1, NULL, 10) : 0;
    free(text);
    return kib > 0 && kib < INT64_MAX / 1024 ? (int64_t)kib * 1024 : INT64_MAX;
}

/* What the control group leaves; its version 2 first, then 1. The page cache counts as used there,
 * but is given back under pressure: half of it is a careful guess. */
static int64_t group_available(ty_ctx *ctx) {
    static const char *const files[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const int64_t limit = read_number(ctx, files[i][0]), used = read_number(ctx, files[i][1]);
        if (limit > 0 && used >= 0)
            return limit > used / 2 ? limit - used / 2 : 0;
    }
    return INT64_MAX;
}

int64_t ty_memory_available(ty_ctx *ctx) {
    const int64_t machine = machine_available(ctx), group = group_available(ctx);
    return machine < group ? machine : group;
}

ty_status ty_content_alloc(ty_ctx *ctx, const char *what, int64_t count, size_t size, void **out) {
    enum { ALWAYS_FINE = 1 << 20 };
    size_t bytes = 0;
    if (!ty_size_of_i64(count, &bytes) || !ty_mul_size(bytes, size, &bytes) || bytes > INT64_MAX)
        return ty_fail(ctx, TY_ERR_DATA, "%s would take more bytes than can be counted", what);
    const int64_t available = bytes > ALWAYS_FINE ? ty_memory_available(ctx) : INT64_MAX;
    if ((int64_t)bytes > available)
        return ty_fail(ctx, TY_ERR_NOMEM,
                       "%s takes %.1f GB and %.1f GB are left on this machine; take a smaller set, "
                       "or HDF5 with "
                       "contiguous data sets, which are read from disk as they are needed",
                       what, (double)bytes / 1e9, (double)available / 1e9);
    *out = malloc(bytes ? bytes : 1);
    return *out ? TY_OK : ty_fail_nomem(ctx, what);
}

/* --- classes ---------------------------------------------------------------------------------- */

enum { MOST_CLASSES = 100000 };

static int compare_values(const void *a, const void *b) {
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static ty_status check_whole(ty_ctx *ctx, double value) {
    if (!(fabs(value) <= 9007199254740992.0) ||
        value != floor(value)) /* 2^53: beyond, doubles skip some */
        return ty_fail(
            ctx, TY_ERR_DATA,
            "label %g is not a whole number; set data.task to \"regression\" if it is a quantity",
            value);
    return TY_OK;
}

typedef struct value_set {
    int64_t *v; /* sorted */
    int64_t n, capacity;
} value_set;

static ty_status insert_value(ty_ctx *ctx, ty_arena *arena, value_set *set, int64_t at,
                              int64_t value) {
    if (set->n == set->capacity) {
        const int64_t capacity = set->capacity ? set->capacity * 2 : 16;
        int64_t *larger = ty_arena_array(arena, (size_t)capacity, sizeof *larger);
        if (!larger)
            return ty_fail_nomem(ctx, "class labels");
        if (set->n > 0)
            memcpy(larger, set->v, (size_t)set->n * sizeof *larger);
        set->v = larger;
        set->capacity = capacity;
    }
    memmove(&set->v[at + 1], &set->v[at], (size_t)(set->n - at) * sizeof *set->v);
    set->v[at] = value;
    set->n++;
    return TY_OK;
}

static ty_status distinct_values(ty_ctx *ctx, ty_arena *arena, const double *values, int64_t n,
                                 value_set *out, int64_t *bad_row) {
    for (int64_t i = 0; i < n; i++) {
        *bad_row = i;
        TY_TRY(check_whole(ctx, values[i]));
        const int64_t value = (int64_t)values[i];
        int64_t low = 0, high = out->n;
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (out->v[middle] < value)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < out->n && out->v[low] == value)
            continue;
        if (out->n == MOST_CLASSES)
            return ty_fail(
                ctx, TY_ERR_DATA,
                "the labels have more than %d different values; set data.task to \"regression\" if "
                "they are quantities",
                MOST_CLASSES);
        TY_TRY(insert_value(ctx, arena, out, low, value));
    }
    return TY_OK;
}

static ty_status name_classes(ty_ctx *ctx, ty_content *content, const ty_data_place *place,
                              const value_set *classes) {
    const char **names = ty_arena_array(content->arena, (size_t)classes->n, sizeof *names);
    if (!names)
        return ty_fail_nomem(ctx, "class names");
    for (int64_t k = 0; k < classes->n; k++) {
        const int64_t value = classes->v[k];
        const bool is_known = value >= 0 && value < place->n_class_names;
        names[k] = is_known ? place->class_names[value]
                            : ty_arena_printf(content->arena, "%lld", (long long)value);
        if (!names[k])
            return ty_fail_nomem(ctx, "class names");
    }
    content->class_names = names;
    content->n_outputs = classes->n;
    return TY_OK;
}

static ty_status map_labels(ty_ctx *ctx, ty_content *content, int part, const double *raw,
                            const value_set *classes, int64_t *bad_row) {
    const int64_t n = content->count[part];
    void *memory = NULL;
    TY_TRY(ty_content_alloc(ctx, "the labels", n, sizeof(int32_t), &memory));
    int32_t *labels = content->labels[part] = memory;
    for (int64_t i = 0; i < n; i++) {
        *bad_row = i;
        TY_TRY(check_whole(ctx, raw[i]));
        const int64_t value = (int64_t)raw[i];
        const int64_t *found =
            bsearch(&value, classes->v, (size_t)classes->n, sizeof value, compare_values);
        if (!found)
            return ty_fail(ctx, TY_ERR_DATA,
                           "label %lld is not among the %lld classes of the training data",
                           (long long)value, (long long)classes->n);
        labels[i] = (int32_t)(found - classes->v);
    }
    return TY_OK;
}

static ty_status set_classes(ty_ctx *ctx, const ty_data_place *place, const ty_raw_targets raw[],
                             ty_content *content, int *bad_part, int64_t *bad_row) {
    value_set classes = {0};
    *bad_part = TY_SPLIT_TRAIN;
    TY_TRY(distinct_values(ctx, content->arena, raw[TY_SPLIT_TRAIN].values,
                           content->count[TY_SPLIT_TRAIN], &classes, bad_row));
    TY_TRY(name_classes(ctx, content, place, &classes));
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        *bad_part = part;
        TY_TRY(map_labels(ctx, content, part, raw[part].values, &classes, bad_row));
    }
    return TY_OK;
}

static ty_status set_numbers(ty_ctx *ctx, const ty_raw_targets raw[], ty_content *content,
                             int *bad_part, int64_t *bad_row) {
    content->n_outputs = raw[TY_SPLIT_TRAIN].width;
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        int64_t n = 0;
        void *memory = NULL;
        if (!ty_mul_i64(content->count[part], content->n_outputs, &n))
            return ty_fail(ctx, TY_ERR_DATA, "the number of targets overflows");
        TY_TRY(ty_content_alloc(ctx, "the targets", n, sizeof(float), &memory));
        float *targets = content->targets[part] = memory;
        for (int64_t i = 0; i < n; i++) {
            targets[i] = (float)raw[part].values[i];
            if (isfinite(targets[i]))
                continue;
            *bad_part = part;
            *bad_row = i / content->n_outputs;
            return ty_fail(ctx, TY_ERR_DATA, "target %g is not a finite 32-bit number",
                           raw[part].values[i]);
        }
    }
    return TY_OK;
}

ty_status ty_content_set_targets(ty_ctx *ctx, const ty_data_config *config,
                                 const ty_data_place *place, const ty_raw_targets raw[],
                                 ty_content *content, int *bad_part, int64_t *bad_row) {
    const ty_raw_targets *train = &raw[TY_SPLIT_TRAIN];
    *bad_part = -1;
    content->is_classification =
        config->task == TY_TASK_CLASSIFICATION ||
        (config->task == TY_TASK_AUTO && train->is_integer && train->width == 1);
    if (content->is_classification && train->width != 1)
        return ty_fail(
            ctx, TY_ERR_DATA,
            "data.task is \"classification\", but there are %lld targets per sample, want 1",
            (long long)train->width);
    ty_status st = content->is_classification
                       ? set_classes(ctx, place, raw, content, bad_part, bad_row)
                       : set_numbers(ctx, raw, content, bad_part, bad_row);
    if (st == TY_OK || st == TY_ERR_NOMEM)
        *bad_part = -1;
    return st;
}

void ty_content_clear_targets(ty_content *content) {
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        free(content->labels[part]);
        free(content->targets[part]);
        content->labels[part] = NULL;
        content->targets[part] = NULL;
    }
}
