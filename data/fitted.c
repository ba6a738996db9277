/* JSON -> ty_fitted; describe.c and reader_csv.c write what is read here. */
#include "data/fitted.h"

#include <math.h>
#include <string.h>

#include "data/table.h"

enum { MOST_OUTPUTS = 1 << 24 };
#define MOST_FEATURES (INT64_C(1) << 32) /* of a sample */

static ty_status refuse(ty_ctx *ctx, const char *what) {
    return ty_fail(ctx, TY_ERR_INTEGRITY, "the state of the training's data has no valid \"%s\"",
                   what);
}

static ty_status read_flag(ty_ctx *ctx, const json_t *of, const char *key, bool *out) {
    const json_t *value = json_object_get(of, key);
    if (!json_is_boolean(value))
        return refuse(ctx, key);
    *out = json_is_true(value);
    return TY_OK;
}

static ty_status read_text(ty_ctx *ctx, const json_t *of, const char *key, ty_arena *arena,
                           const char **out) {
    const json_t *value = json_object_get(of, key);
    if (!json_is_string(value))
        return refuse(ctx, key);
    *out = ty_arena_string(arena, json_string_value(value));
    return *out ? TY_OK : ty_fail_nomem(ctx, key);
}

static ty_status read_real(ty_ctx *ctx, const json_t *of, const char *key, double *out) {
    const json_t *value = json_object_get(of, key);
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return refuse(ctx, key);
    *out = json_number_value(value);
    return TY_OK;
}

/* --- what a sample is ------------------------------------------------------------------------- */

static ty_status read_shape(ty_ctx *ctx, const json_t *root, ty_fitted *out) {
    const json_t *x = json_object_get(root, "x"), *shape = json_object_get(x, "shape");
    const char *dtype = json_string_value(json_object_get(x, "dtype"));
    out->x_is_u8 = dtype && strcmp(dtype, "uint8") == 0;
    if (!out->x_is_u8 && (!dtype || strcmp(dtype, "float32") != 0))
        return refuse(ctx, "x.dtype");
    const size_t rank = json_array_size(shape);
    if (rank != 1 && rank != 3)
        return refuse(ctx, "x.shape");
    out->x_rank = (int)rank;
    out->x_count = 1;
    for (size_t d = 0; d < rank; d++) {
        const int64_t n = json_integer_value(json_array_get(shape, d));
        if (n < 1 || !ty_mul_i64(out->x_count, n, &out->x_count) || out->x_count > MOST_FEATURES)
            return refuse(ctx, "x.shape");
        out->x_dims[d] = n;
    }
    return TY_OK;
}

static ty_status read_classes(ty_ctx *ctx, const json_t *y, ty_arena *arena, ty_fitted *out) {
    const json_t *classes = json_object_get(y, "classes");
    if (json_array_size(classes) != (size_t)out->n_outputs)
        return refuse(ctx, "y.classes");
    const char **names = ty_arena_array(arena, (size_t)out->n_outputs, sizeof *names);
    if (!names)
        return ty_fail_nomem(ctx, "class names");
    for (size_t k = 0; k < (size_t)out->n_outputs; k++) {
        const char *name = json_string_value(json_array_get(classes, k));
        if (!name)
            return refuse(ctx, "y.classes");
        if (!(names[k] = ty_arena_string(arena, name)))
            return ty_fail_nomem(ctx, "class names");
    }
    out->class_names = names;
    return TY_OK;
}

static ty_status read_outputs(ty_ctx *ctx, const json_t *root, ty_arena *arena, ty_fitted *out) {
    const json_t *y = json_object_get(root, "y");
    const char *task = json_string_value(json_object_get(y, "task"));
    out->n_outputs = json_integer_value(json_object_get(y, "outputs"));
    out->is_classification = task && strcmp(task, "classification") == 0;
    if (!out->is_classification && (!task || strcmp(task, "regression") != 0))
        return refuse(ctx, "y.task");
    if (out->n_outputs < 1 || out->n_outputs > MOST_OUTPUTS)
        return refuse(ctx, "y.outputs");
    return out->is_classification ? read_classes(ctx, y, arena, out) : TY_OK;
}

static ty_status read_channels(ty_ctx *ctx, const json_t *root, const char *key, ty_arena *arena,
                               int64_t n, float **out) {
    const json_t *list = json_object_get(root, key);
    if (json_array_size(list) != (size_t)n)
        return refuse(ctx, key);
    *out = ty_arena_array(arena, (size_t)n, sizeof **out);
    if (!*out)
        return ty_fail_nomem(ctx, "the channels' statistics");
    for (size_t c = 0; c < (size_t)n; c++) {
        const json_t *value = json_array_get(list, c);
        (*out)[c] = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite((*out)[c]))
            return refuse(ctx, key);
    }
    return TY_OK;
}

static ty_status read_statistics(ty_ctx *ctx, const json_t *root, ty_arena *arena, ty_fitted *out) {
    out->n_channels = (int64_t)json_array_size(json_object_get(root, "mean"));
    if (out->n_channels != 1 && out->n_channels != out->x_dims[0])
        return refuse(ctx, "mean");
    TY_TRY(read_channels(ctx, root, "mean", arena, out->n_channels, &out->mean));
    return read_channels(ctx, root, "inverse_std", arena, out->n_channels, &out->inverse_std);
}

/* --- a table's columns ------------------------------------------------------------------------ */

static ty_status read_categories(ty_ctx *ctx, const json_t *column, ty_arena *arena,
                                 ty_fitted_column *out) {
    const json_t *list = json_object_get(column, "categories");
    if (!json_is_array(list) || json_array_size(list) > TY_TABLE_MAX_CATEGORIES)
        return refuse(ctx, "categories");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const char *text = json_string_value(json_array_get(list, k));
        int32_t number = -1;
        if (!text)
            return refuse(ctx, "categories");
        TY_TRY(ty_dictionary_add(ctx, &out->categories, arena, text, strlen(text), &number));
        if (number != (int32_t)k) /* the same text twice */
            return refuse(ctx, "categories");
    }
    return TY_OK;
}

static ty_status read_column(ty_ctx *ctx, const json_t *column, ty_arena *arena,
                             ty_fitted_column *out) {
    const char *kind = json_string_value(json_object_get(column, "kind"));
    TY_TRY(read_text(ctx, column, "name", arena, &out->name));
    out->is_categorical = kind && strcmp(kind, "categorical") == 0;
    if (out->is_categorical)
        return read_categories(ctx, column, arena, out);
    if (!kind || strcmp(kind, "numeric") != 0)
        return refuse(ctx, "kind");
    TY_TRY(read_real(ctx, column, "mean", &out->mean));
    TY_TRY(read_real(ctx, column, "std", &out->std));
    return out->std < 0 ? refuse(ctx, "std") : TY_OK;
}

static ty_status read_columns(ty_ctx *ctx, const json_t *root, ty_arena *arena, ty_fitted *out) {
    const json_t *list = json_object_get(root, "columns");
    int64_t features = 0;
    if (!list)
        return TY_OK;
    TY_TRY(read_text(ctx, root, "target", arena, &out->target));
    TY_TRY(read_flag(ctx, root, "header", &out->has_header));
    TY_TRY(read_flag(ctx, root, "standardised", &out->is_standardised));
    out->n_columns = (int64_t)json_array_size(list);
    if (out->n_columns < 1 || out->n_columns > TY_CSV_MAX_CELLS)
        return refuse(ctx, "columns");
    out->columns = ty_arena_array(arena, (size_t)out->n_columns, sizeof *out->columns);
    if (!out->columns)
        return ty_fail_nomem(ctx, "columns");
    for (int64_t c = 0; c < out->n_columns; c++) {
        ty_fitted_column *column = &out->columns[c];
        TY_TRY(read_column(ctx, json_array_get(list, (size_t)c), arena, column));
        features += column->is_categorical ? column->categories.n : 1;
    }
    const bool fits = out->x_rank == 1 && features == out->x_count && !out->x_is_u8;
    return fits ? TY_OK : refuse(ctx, "columns");
}

/* --- the whole -------------------------------------------------------------------------------- */

static ty_status read_root(ty_ctx *ctx, const json_t *root, ty_arena *arena, ty_fitted *out) {
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return refuse(ctx, "version");
    TY_TRY(read_text(ctx, root, "format", arena, &out->format));
    TY_TRY(read_shape(ctx, root, out));
    TY_TRY(read_outputs(ctx, root, arena, out));
    TY_TRY(read_statistics(ctx, root, arena, out));
    return read_columns(ctx, root, arena, out);
}

ty_status ty_fitted_read(ty_ctx *ctx, const char *state, ty_arena *arena, ty_fitted *out) {
    json_error_t error;
    json_t *root = json_loads(state, JSON_REJECT_DUPLICATES, &error);
    *out = (ty_fitted){0};
    if (!root)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "the state of the training's data is no JSON: %s",
                       error.text);
    const ty_status st = read_root(ctx, root, arena, out);
    json_decref(root);
    return st;
}

void ty_fitted_describe(const ty_fitted *fitted, ty_data_info *out) {
    *out = (ty_data_info){.format = fitted->format,
                          .x_is_u8 = fitted->x_is_u8,
                          .x_rank = fitted->x_rank,
                          .x_count = fitted->x_count,
                          .is_classification = fitted->is_classification,
                          .n_outputs = fitted->n_outputs,
                          .class_names = fitted->class_names,
                          .n_channels = fitted->n_channels,
                          .mean = fitted->mean,
                          .inverse_std = fitted->inverse_std,
                          .schema_json = "{}"};
    memcpy(out->x_dims, fitted->x_dims, sizeof out->x_dims);
}
