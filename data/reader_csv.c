/* CSV and TSV: numeric columns become one feature, standardised, with the mean for missing values;
 * columns of text one feature for each category of the training split, all 0 for others and for
 * missing ones. What was fitted is in the set's state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/table.h"

static bool csv_accepts(const char *path, bool is_folder, const char *head, size_t head_bytes) {
    (void)path;
    return !is_folder && head_bytes > 0 && memchr(head, '\0', head_bytes) == NULL;
}

/* --- the target ------------------------------------------------------------------------------- */

/* Whole numbers of few different values: more likely to be names of classes than quantities. */
static bool looks_like_classes(const double *values, int64_t n) {
    enum { MOST = 32 };
    double seen[MOST];
    int n_seen = 0;
    for (int64_t i = 0; i < n; i++) {
        int k = 0;
        while (k < n_seen && seen[k] != values[i])
            k++;
        if (k < n_seen)
            continue;
        if (n_seen == MOST || values[i] != floor(values[i]))
            return false;
        seen[n_seen++] = values[i];
    }
    return true;
}

static ty_status set_numeric_target(ty_ctx *ctx, const ty_data_config *config,
                                    const ty_data_place *place, const ty_table *table,
                                    ty_content *content) {
    const ty_column *target = &table->columns[table->target];
    const bool is_integer =
        looks_like_classes(target->numbers[TY_SPLIT_TRAIN], table->rows[TY_SPLIT_TRAIN]);
    ty_raw_targets raw[TY_SPLIT_COUNT];
    int bad_part = -1;
    int64_t bad_row = 0;
    for (int part = 0; part < TY_SPLIT_COUNT; part++)
        raw[part] =
            (ty_raw_targets){.width = 1, .is_integer = is_integer, .values = target->numbers[part]};
    const ty_status st =
        ty_content_set_targets(ctx, config, place, raw, content, &bad_part, &bad_row);
    if (st == TY_OK || bad_part < 0)
        return st;
    const long long line = ty_table_line(ctx, table, bad_part, bad_row);
    return ty_fail_within(ctx, st, "%s:%lld:%lld", table->path[bad_part], line,
                          (long long)table->target + 1);
}

/* Classes are the texts of the train file, sorted by bytes. */
static ty_status set_text_target(ty_ctx *ctx, const ty_data_config *config, const ty_table *table,
                                 ty_content *content) {
    const ty_column *target = &table->columns[table->target];
    const ty_dictionary *texts = &target->dictionary;
    int32_t *order = NULL;
    if (config->task == TY_TASK_REGRESSION)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:%lld:%lld: \"%s\" is no number, but data.task is \"regression\" and "
                       "\"%s\" the target",
                       table->path[TY_SPLIT_TRAIN], (long long)target->text_line,
                       (long long)table->target + 1, target->text_sample, target->name);
    if (config->task == TY_TASK_AUTO && target->n_numbers > target->n_texts)
        return ty_fail(
            ctx, TY_ERR_DATA,
            "%s:%lld:%lld: \"%s\" is no number, but most of the target \"%s\" are; correct it, or "
            "set data.task to \"classification\"",
            table->path[TY_SPLIT_TRAIN], (long long)target->text_line, (long long)table->target + 1,
            target->text_sample, target->name);
    TY_TRY(ty_dictionary_sort(ctx, texts, content->arena, &order));
    const char **names = ty_arena_array(content->arena, (size_t)texts->n, sizeof *names);
    int32_t *class_of_code =
        ty_arena_array(content->arena, (size_t)texts->n, sizeof *class_of_code);
    if (!names || !class_of_code)
        return ty_fail_nomem(ctx, "class names");
    for (int32_t k = 0; k < texts->n; k++) {
        names[k] = texts->texts[order[k]];
        class_of_code[order[k]] = k;
    }
    content->is_classification = true;
    content->class_names = names;
    content->n_outputs = texts->n;
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        void *memory = NULL;
        TY_TRY(ty_content_alloc(ctx, "the labels", table->rows[part], sizeof(int32_t), &memory));
        content->labels[part] = memory;
        for (int64_t i = 0; i < table->rows[part]; i++)
            content->labels[part][i] = class_of_code[target->codes[part][i]];
    }
    return TY_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status add_file(ty_ctx *ctx, ty_content *content, const char *path, const char *prefix) {
    const char *slash = strrchr(path, '/');
    const char *name = ty_arena_printf(content->arena, "%s%s", prefix, slash ? slash + 1 : path);
    return name ? ty_content_add_file(ctx, content, name, path) : ty_fail_nomem(ctx, "a file name");
}

static ty_status csv_open(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                          ty_content *content) {
    ty_table *table = content->self = ty_arena_alloc(content->arena, sizeof *table);
    if (!table)
        return ty_fail_nomem(ctx, "a data set");
    table->arena = content->arena;
    table->path[TY_SPLIT_TRAIN] = place->path;
    table->path[TY_SPLIT_TEST] = place->test_path;
    TY_TRY(add_file(ctx, content, place->path, ""));
    if (place->test_path)
        TY_TRY(add_file(ctx, content, place->test_path, "test/"));
    TY_TRY(ty_table_scan(ctx, table));
    TY_TRY(ty_table_choose(ctx, config, table));
    TY_TRY(ty_table_load(ctx, table));
    memcpy(content->count, table->rows, sizeof content->count);
    content->x_rank = 1;
    content->is_encoded = true;
    return table->columns[table->target].kind == TY_COLUMN_NUMERIC
               ? set_numeric_target(ctx, config, place, table, content)
               : set_text_target(ctx, config, table, content);
}

static void csv_close(ty_content *content) {
    if (content->self)
        ty_table_clear(content->self);
}

/* --- fitting ---------------------------------------------------------------------------------- */

/* Two passes: exact enough for columns like times in seconds since 1970. */
static void fit_numeric(ty_column *column, const ty_split_map *train) {
    const double *v = column->numbers[train->part];
    double sum = 0, squares = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < train->count; i++) {
        const double value = v[ty_split_row(train, i)];
        sum += isnan(value) ? 0 : value;
        n += !isnan(value);
    }
    column->mean = n > 0 ? sum / (double)n : 0;
    for (int64_t i = 0; i < train->count; i++) {
        const double d = v[ty_split_row(train, i)] - column->mean;
        squares += isnan(d) ? 0 : d * d;
    }
    column->std = n > 0 ? sqrt(squares / (double)n) : 0;
}

static ty_status fit_categories(ty_ctx *ctx, ty_arena *arena, ty_column *column,
                                const ty_split_map *train) {
    const size_t n = (size_t)column->dictionary.n;
    int32_t *order = NULL;
    TY_TRY(ty_dictionary_sort(ctx, &column->dictionary, arena, &order));
    column->hot_of_code = ty_arena_array(arena, n + 1, sizeof *column->hot_of_code);
    column->categories = ty_arena_array(arena, n + 1, sizeof *column->categories);
    if (!column->hot_of_code || !column->categories)
        return ty_fail_nomem(ctx, "the categories of a column");
    for (int64_t i = 0; i < train->count; i++) {
        const int32_t code = column->codes[train->part][ty_split_row(train, i)];
        if (code >= 0)
            column->hot_of_code[code] = 1;
    }
    column->n_hot = 0;
    for (size_t k = 0; k < n; k++) {
        int32_t *hot = &column->hot_of_code[order[k]];
        if (*hot == 1)
            column->categories[column->n_hot] = column->dictionary.texts[order[k]];
        *hot = *hot == 1 ? column->n_hot++ : -1;
    }
    return TY_OK;
}

static ty_status csv_fit(ty_ctx *ctx, const ty_data_config *config, ty_content *content,
                         const ty_split_map *train) {
    ty_table *table = content->self;
    table->is_raw = config->normalize == TY_NORMALIZE_NONE;
    content->x_count = 0;
    for (int64_t c = 0; c < table->n_columns; c++) {
        ty_column *column = &table->columns[c];
        if (!column->is_feature)
            continue;
        if (column->kind == TY_COLUMN_CATEGORICAL)
            TY_TRY(fit_categories(ctx, content->arena, column, train));
        else
            fit_numeric(column, train);
        content->x_count += column->kind == TY_COLUMN_CATEGORICAL ? column->n_hot : 1;
    }
    if (content->x_count > TY_TABLE_MAX_FEATURES)
        return ty_fail(
            ctx, TY_ERR_DATA,
            "%s makes %lld features, want at most %d; leave columns out with data.features",
            table->path[TY_SPLIT_TRAIN], (long long)content->x_count, TY_TABLE_MAX_FEATURES);
    if (content->x_count == 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: no feature column has a value in the training split",
                       table->path[TY_SPLIT_TRAIN]);
    content->x_dims[0] = content->x_count;
    return TY_OK;
}

/* --- one sample ------------------------------------------------------------------------------- */

static ty_status csv_fetch(ty_ctx *ctx, const ty_content *content, int part, int64_t row, void *x) {
    (void)ctx;
    const ty_table *table = content->self;
    float *at = x;
    for (int64_t c = 0; c < table->n_columns; c++) {
        const ty_column *column = &table->columns[c];
        if (!column->is_feature)
            continue;
        if (column->kind == TY_COLUMN_NUMERIC) {
            *at++ = ty_table_encode(column->numbers[part][row], column->mean, column->std,
                                    table->is_raw);
            continue;
        }
        memset(at, 0, (size_t)column->n_hot * sizeof *at);
        const int32_t code = column->codes[part][row];
        if (code >= 0 && column->hot_of_code[code] >= 0)
            at[column->hot_of_code[code]] = 1.0f;
        at += column->n_hot;
    }
    return TY_OK;
}

/* --- what is known of the columns ------------------------------------------------------------- */

static void add_column(const ty_column *column, ty_text *json) {
    ty_text_add(json, "{\"name\":");
    ty_text_add_json(json, column->name);
    ty_text_addf(json, ",\"kind\":\"%s\",\"missing\":%lld",
                 column->kind == TY_COLUMN_NUMERIC ? "numeric" : "categorical",
                 (long long)column->n_missing);
    if (column->kind == TY_COLUMN_NUMERIC) {
        ty_text_add(json, ",\"mean\":");
        ty_text_add_number(json, column->mean);
        ty_text_add(json, ",\"std\":");
        ty_text_add_number(json, column->std);
    } else {
        ty_text_add(json, ",\"categories\":[");
        for (int32_t k = 0; k < column->n_hot; k++) {
            ty_text_add(json, k ? "," : "");
            ty_text_add_json(json, column->categories[k]);
        }
        ty_text_add(json, "]");
    }
    ty_text_add(json, "}");
}

static void csv_add_state(const ty_content *content, ty_text *json) {
    const ty_table *table = content->self;
    ty_text_add(json, ",\"target\":");
    ty_text_add_json(json, table->columns[table->target].name);
    ty_text_addf(json, ",\"header\":%s,\"standardised\":%s,\"columns\":[",
                 table->has_header ? "true" : "false", table->is_raw ? "false" : "true");
    bool is_first = true;
    for (int64_t c = 0; c < table->n_columns; c++) {
        if (!table->columns[c].is_feature)
            continue;
        ty_text_add(json, is_first ? "" : ",");
        add_column(&table->columns[c], json);
        is_first = false;
    }
    ty_text_add(json, "]");
}

static void describe_column(const ty_column *column, ty_text *out) {
    enum { SHOWN = 6 };
    ty_text_addf(out, "  %-24s  %8lld  ", column->name, (long long)column->n_missing);
    if (column->kind == TY_COLUMN_NUMERIC) {
        ty_text_addf(out, "number, mean %.6g, std %.6g\n", column->mean, column->std);
        return;
    }
    ty_text_addf(out, "%d categories: ", column->n_hot);
    for (int32_t k = 0; k < column->n_hot && k < SHOWN; k++)
        ty_text_addf(out, "%s%s", k ? ", " : "", column->categories[k]);
    ty_text_add(out, column->n_hot > SHOWN ? ", ...\n" : "\n");
}

static void csv_describe(const ty_content *content, ty_text *out) {
    enum { MOST_COLUMNS = 100 };
    const ty_table *table = content->self;
    int64_t shown = 0;
    ty_text_addf(out, "\n  target %s\n\n  %-24s  %8s\n", table->columns[table->target].name,
                 "column", "missing");
    for (int64_t c = 0; c < table->n_columns && shown < MOST_COLUMNS; c++) {
        if (!table->columns[c].is_feature)
            continue;
        describe_column(&table->columns[c], out);
        shown++;
    }
    if (shown == MOST_COLUMNS)
        ty_text_add(out, "  ...\n");
}

const ty_reader ty_reader_csv = {.format = "csv",
                                 .accepts = csv_accepts,
                                 .open = csv_open,
                                 .fit = csv_fit,
                                 .fetch = csv_fetch,
                                 .add_state = csv_add_state,
                                 .describe = csv_describe,
                                 .close = csv_close};
