/* From what a data set's files hold to the features that the model reads, as data/ encodes them:
 * numbers of a table have the training split's mean for missing ones (NaN), are standardised in
 * double, then rounded to float; texts become one feature a category, all 0 for others. */
#include "trainer/onnx_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const ty_onnx_shape any_batch = {1, {-1}};

static ty_onnx_shape matrix(int64_t columns) {
    return (ty_onnx_shape){2, {-1, columns}};
}

/* --- numbers ---------------------------------------------------------------------------------- */

typedef struct numbers {
    const char *name; /* of the value [batch, n] of doubles */
    double *mean, *std;
    int64_t n;
} numbers;

/* A column that does not vary is 0: x / infinity. */
static ty_status gather_numbers(ty_ctx *ctx, ty_onnx_graph *g, const ty_onnx_source *source,
                                numbers *out) {
    const size_t most = (size_t)source->n_columns + 1;
    out->mean = ty_arena_array(g->arena, most, sizeof *out->mean);
    out->std = ty_arena_array(g->arena, most, sizeof *out->std);
    if (!out->mean || !out->std)
        return ty_fail_nomem(ctx, "the columns' statistics");
    for (int64_t c = 0; c < source->n_columns; c++) {
        const ty_onnx_column *column = &source->columns[c];
        if (column->is_text)
            continue;
        out->mean[out->n] = column->mean;
        out->std[out->n++] = column->std > 0 ? column->std : INFINITY;
    }
    return TY_OK;
}

static const char *put_row(ty_onnx_graph *g, const char *y, const double *values, int64_t n) {
    return ty_onnx_constant(g, y, TY_ONNX_DOUBLE, (ty_onnx_shape){1, {n}}, values,
                            (size_t)n * sizeof *values);
}

static void put_doubles(ty_onnx_graph *g, const char *op, const char *a, const char *b,
                        const char *y, int64_t n) {
    ty_onnx_node(g, op, (const char *const[]){a, b, NULL}, y, TY_ONNX_DOUBLE, matrix(n));
}

/* [batch, n] doubles to [batch, n] floats called y. */
static void encode_numbers(ty_onnx_graph *g, const numbers *of, bool is_standardised,
                           const char *y) {
    const char *mean = put_row(g, ty_onnx_part(g, y, "mean"), of->mean, of->n);
    const char *missing = ty_onnx_part(g, y, "missing"), *filled = ty_onnx_part(g, y, "filled");
    const char *last = filled;
    ty_onnx_node(g, "IsNaN", (const char *const[]){of->name, NULL}, missing, TY_ONNX_BOOL,
                 matrix(of->n));
    ty_onnx_node(g, "Where", (const char *const[]){missing, mean, of->name, NULL}, filled,
                 TY_ONNX_DOUBLE, matrix(of->n));
    if (is_standardised) {
        const char *std = put_row(g, ty_onnx_part(g, y, "std"), of->std, of->n);
        const char *centred = ty_onnx_part(g, y, "centred");
        last = ty_onnx_part(g, y, "standardised");
        put_doubles(g, "Sub", filled, mean, centred, of->n);
        put_doubles(g, "Div", centred, std, last, of->n);
    }
    ty_onnx_begin(g, "Cast", (const char *const[]){last, NULL}, y);
    ty_onnx_attr_int(g, "to", TY_ONNX_FLOAT);
    ty_onnx_end(g, y, TY_ONNX_FLOAT, matrix(of->n));
}

/* --- columns one by one ----------------------------------------------------------------------- */

/* [batch] to [batch, 1]. */
static const char *put_upright(ty_onnx_graph *g, const char *x, const char *axis, const char *y) {
    put_doubles(g, "Unsqueeze", x, axis, y, 1);
    return y;
}

static const char *put_hot(ty_onnx_graph *g, const ty_onnx_column *column, const char *x,
                           const char *y) {
    ty_onnx_begin(g, "OneHotEncoder", (const char *const[]){x, NULL}, y);
    ty_onnx_attr_texts(g, "cats_strings", column->categories, column->n_features);
    ty_onnx_attr_int(g, "zeros", 1);
    ty_onnx_in_ml(g);
    ty_onnx_end(g, y, TY_ONNX_FLOAT, matrix(column->n_features));
    return y;
}

static void put_concat(ty_onnx_graph *g, const char *const *parts, const char *y, ty_onnx_type type,
                       int64_t n) {
    ty_onnx_begin(g, "Concat", parts, y);
    ty_onnx_attr_int(g, "axis", 1);
    ty_onnx_end(g, y, type, matrix(n));
}

/* Where numbers stand before all texts, a feature's place in [numbers, texts...] is its own. */
static bool has_numbers_first(const ty_onnx_source *source) {
    for (int64_t c = 1; c < source->n_columns; c++)
        if (source->columns[c - 1].is_text && !source->columns[c].is_text)
            return false;
    return true;
}

/* From [numbers, texts...] to the table's order. */
static ty_status put_order(ty_ctx *ctx, ty_onnx_graph *g, const ty_onnx_source *source,
                           int64_t n_numbers, const char *x, const char *y) {
    const int64_t n = source->info.x_count;
    int64_t *order = ty_arena_array(g->arena, (size_t)n, sizeof *order), at = 0;
    int64_t number = 0, text = n_numbers;
    if (!order)
        return ty_fail_nomem(ctx, "the order of columns");
    for (int64_t c = 0; c < source->n_columns; c++)
        for (int64_t k = 0; k < source->columns[c].n_features; k++)
            order[at++] = source->columns[c].is_text ? text++ : number++;
    const char *list = ty_onnx_list(g, ty_onnx_part(g, y, "order"), order, n);
    ty_onnx_begin(g, "Gather", (const char *const[]){x, list, NULL}, y);
    ty_onnx_attr_int(g, "axis", 1);
    ty_onnx_end(g, y, TY_ONNX_FLOAT, matrix(n));
    return TY_OK;
}

/* One input a column: numbers side by side in one matrix, texts each their own, then the table's
 * order. parts: [numbers, texts..., NULL], columns: [a number..., NULL]. */
static ty_status encode_each(ty_ctx *ctx, ty_onnx_graph *g, const ty_onnx_source *source,
                             numbers *of, const char **parts, const char **columns) {
    static const int64_t one = 1;
    const char *axis = ty_onnx_list(g, "/x/axis", &one, 1);
    int64_t n_parts = of->n > 0, n_numbers = 0;
    for (int64_t c = 0; c < source->n_columns; c++) {
        const ty_onnx_column *column = &source->columns[c];
        if (column->n_features == 0)
            continue;
        const char *x = column->input;
        const char *y = ty_onnx_part(g, "/x/columns", x);
        ty_onnx_add_input(g, x, column->is_text ? TY_ONNX_STRING : TY_ONNX_DOUBLE, any_batch);
        if (column->is_text)
            parts[n_parts++] = put_hot(g, column, x, y);
        else
            columns[n_numbers++] = put_upright(g, x, axis, y);
    }
    if (of->n > 0) {
        of->name = "/x/numbers";
        put_concat(g, columns, of->name, TY_ONNX_DOUBLE, of->n);
        encode_numbers(g, of, source->is_standardised, parts[0] = "/x/encoded");
    }
    const char *y = has_numbers_first(source) ? "/x/features" : "/x/sorted";
    put_concat(g, parts, y, TY_ONNX_FLOAT, source->info.x_count);
    return strcmp(y, "/x/features") == 0 ? TY_OK
                                         : put_order(ctx, g, source, of->n, y, "/x/features");
}

static ty_status encode_table(ty_ctx *ctx, ty_onnx_graph *g, const ty_onnx_source *source,
                              const char **name) {
    const size_t most = (size_t)source->n_columns + 2;
    numbers of = {.name = "x"};
    TY_TRY(gather_numbers(ctx, g, source, &of));
    *name = "/x/features";
    if (!source->is_by_column) {
        ty_onnx_add_input(g, "x", TY_ONNX_DOUBLE, matrix(of.n));
        encode_numbers(g, &of, source->is_standardised, *name);
        return TY_OK;
    }
    const char **parts = ty_arena_array(g->arena, most, sizeof *parts);
    const char **columns = ty_arena_array(g->arena, most, sizeof *columns);
    if (!parts || !columns)
        return ty_fail_nomem(ctx, "the columns' names");
    return encode_each(ctx, g, source, &of, parts, columns);
}

ty_status ty_onnx_emit_inputs(ty_ctx *ctx, ty_onnx_graph *g, const ty_onnx_source *source) {
    const ty_value *x = &g->model->values[g->model->x];
    const char *name = "x";
    if (source->columns)
        TY_TRY(encode_table(ctx, g, source, &name));
    else
        ty_onnx_add_input(g, "x", x->dtype == TY_DTYPE_U8 ? TY_ONNX_UINT8 : TY_ONNX_FLOAT,
                          ty_onnx_batch_of(x->shape));
    g->names[g->model->x] = name;
    return TY_OK;
}
