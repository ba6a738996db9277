/* One sample as the inputs of an exported graph take it, in JSON. */
#include "trainer/onnx_private.h"

#include <math.h>

/* --- as it is stored -------------------------------------------------------------------------- */

/* Where there is no sample, what normalisation makes 0. */
static double stored_value(const ty_data_info *info, const void *x, int64_t i) {
    const int64_t per_channel = info->x_count / info->n_channels;
    if (!x)
        return (double)info->mean[i / per_channel];
    return info->x_is_u8 ? ((const uint8_t *)x)[i] : (double)((const float *)x)[i];
}

/* Nested lists over x_dims[dim..], from element *at on. */
static void add_nested(ty_text *out, const ty_data_info *info, const void *x, int dim,
                       int64_t *at) {
    if (dim == info->x_rank) {
        const double value = stored_value(info, x, (*at)++);
        ty_text_addf(out, info->x_is_u8 ? "%.0f" : "%.9g", value);
        return;
    }
    ty_text_add(out, "[");
    for (int64_t i = 0; i < info->x_dims[dim]; i++) {
        ty_text_add(out, i ? "," : "");
        add_nested(out, info, x, dim + 1, at);
    }
    ty_text_add(out, "]");
}

/* --- as a table had it ------------------------------------------------------------------------ */

/* A float of the encoding has 7 digits of what the cell said. */
static void add_number(ty_text *out, const ty_onnx_source *source, const ty_onnx_column *column,
                       const float *x) {
    double value = column->mean;
    if (x && source->is_standardised)
        value += (double)*x * column->std;
    else if (x)
        value = (double)*x;
    ty_text_addf(out, "%.7g", value);
}

static void add_category(ty_text *out, const ty_onnx_column *column, const float *x) {
    int64_t hot = x ? -1 : 0;
    for (int64_t k = 0; x && k < column->n_features; k++)
        hot = x[k] != 0 ? k : hot;
    ty_text_add_json(out, hot < 0 ? "" : column->categories[hot]);
}

static void add_columns(ty_text *out, const ty_onnx_source *source, const float *x) {
    const char *comma = "";
    for (int64_t c = 0; c < source->n_columns; c++) {
        const ty_onnx_column *column = &source->columns[c];
        if (column->n_features == 0)
            continue;
        ty_text_add(out, comma);
        if (source->is_by_column) {
            ty_text_add_json(out, column->input);
            ty_text_add(out, ":[");
        }
        if (column->is_text)
            add_category(out, column, x);
        else
            add_number(out, source, column, x);
        ty_text_add(out, source->is_by_column ? "]" : "");
        comma = ",";
        x = x ? x + column->n_features : NULL;
    }
}

static void add_sample(ty_text *out, const ty_onnx_source *source, const void *x) {
    int64_t at = 0;
    if (source->is_by_column) {
        ty_text_add(out, "{");
        add_columns(out, source, x);
        ty_text_add(out, "}");
        return;
    }
    ty_text_add(out, "{\"x\":[");
    if (source->columns) {
        ty_text_add(out, "[");
        add_columns(out, source, x);
        ty_text_add(out, "]");
    } else {
        add_nested(out, &source->info, x, 0, &at);
    }
    ty_text_add(out, "]}");
}

ty_status ty_onnx_example(ty_ctx *ctx, const ty_checkpoint *content, const void *x, ty_text *out) {
    ty_onnx_source source = {0};
    const ty_status st = ty_onnx_source_init(ctx, content, &source);
    if (st == TY_OK && source.info.x_count <= TY_ONNX_EXAMPLE_ELEMENTS)
        add_sample(out, &source, x);
    ty_onnx_source_clear(&source);
    if (st != TY_OK)
        return st;
    return out->is_short ? ty_fail_nomem(ctx, "the model's example") : TY_OK;
}
