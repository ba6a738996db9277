/* Which columns are the target and the features. */
#include "data/table.h"

#include <string.h>

static int64_t column_of(const ty_table *table, const char *name, size_t length) {
    for (int64_t c = 0; c < table->n_columns; c++)
        if (strncmp(table->columns[c].name, name, length) == 0 &&
            table->columns[c].name[length] == '\0')
            return c;
    return -1;
}

static ty_status fail_unknown(ty_ctx *ctx, const ty_table *table, const char *key, const char *name,
                              size_t length) {
    char wanted[128];
    int best = 1000;
    const char *nearest = "";
    (void)snprintf(wanted, sizeof wanted, "%.*s", (int)(length < 127 ? length : 127), name);
    for (int64_t c = 0; c < table->n_columns && c < 1000; c++) {
        const int distance = ty_text_distance(wanted, table->columns[c].name);
        if (distance < best) {
            best = distance;
            nearest = table->columns[c].name;
        }
    }
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "%s: %s has no column \"%s\"; the nearest of its %lld is \"%s\"", key,
                   table->path[TY_SPLIT_TRAIN], wanted, (long long)table->n_columns, nearest);
}

static ty_status choose_target(ty_ctx *ctx, const char *name, ty_table *table) {
    table->target = name ? column_of(table, name, strlen(name)) : table->n_columns - 1;
    if (table->target < 0)
        return fail_unknown(ctx, table, "data.target", name, strlen(name));
    return TY_OK;
}

/* "a,b" or "-a,-b". A list of the one kind starts from nothing, of the other from everything. */
static ty_status choose_listed(ty_ctx *ctx, const char *list, ty_table *table) {
    const bool leaves_out = list[0] == '-' && column_of(table, list, strcspn(list, ",")) < 0;
    for (int64_t c = 0; c < table->n_columns; c++)
        table->columns[c].is_feature = leaves_out;
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        const char *next = at + length + (at[length] == ',');
        if (leaves_out != (at[0] == '-' && column_of(table, at, length) < 0))
            return ty_fail(
                ctx, TY_ERR_CONFIG,
                "data.features \"%s\" mixes columns to use with columns to leave out (\"-name\")",
                list);
        at += leaves_out;
        length -= leaves_out;
        const int64_t c = column_of(table, at, length);
        if (c < 0)
            return fail_unknown(ctx, table, "data.features", at, length);
        table->columns[c].is_feature = !leaves_out;
        at = next;
    }
    return TY_OK;
}

/* A column that cannot be a feature is dropped with a word, or refused. */
static ty_status check_feature(ty_ctx *ctx, const ty_table *table, ty_column *column) {
    if (column->kind == TY_COLUMN_EMPTY) {
        ty_log(ctx, TY_LOG_WARN, "data", "column \"%s\" of %s has no values and is not used",
               column->name, table->path[TY_SPLIT_TRAIN]);
        column->is_feature = false;
    }
    if (column->kind == TY_COLUMN_NUMERIC && column->n_infinite > 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: column \"%s\" has an infinite number",
                       table->path[TY_SPLIT_TRAIN], (long long)column->infinite_line,
                       (long long)(column - table->columns) + 1, column->name);
    return TY_OK;
}

ty_status ty_table_choose(ty_ctx *ctx, const ty_data_config *config, ty_table *table) {
    int64_t n_features = 0;
    TY_TRY(choose_target(ctx, config->target, table));
    for (int64_t c = 0; c < table->n_columns; c++)
        table->columns[c].is_feature = true;
    if (config->features)
        TY_TRY(choose_listed(ctx, config->features, table));
    table->columns[table->target].is_feature = false;
    for (int64_t c = 0; c < table->n_columns; c++) {
        ty_column *column = &table->columns[c];
        if (column->is_feature || c == table->target)
            TY_TRY(check_feature(ctx, table, column));
        n_features += column->is_feature;
    }
    if (table->columns[table->target].kind == TY_COLUMN_EMPTY)
        return ty_fail(ctx, TY_ERR_DATA, "%s: the target column \"%s\" has no values",
                       table->path[TY_SPLIT_TRAIN], table->columns[table->target].name);
    if (n_features == 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: no column is left to predict \"%s\" from",
                       table->path[TY_SPLIT_TRAIN], table->columns[table->target].name);
    return TY_OK;
}
