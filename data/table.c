/* See table.h: scan, choose, load. */
#include "data/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- every row of a file ---------------------------------------------------------------------- */

/* What is done with a row; index counts rows behind the header from 0. *goes_on false ends the
 * reading. */
typedef struct row_visit {
    ty_status (*row)(ty_ctx *ctx, void *self, const ty_csv_row *row, int64_t index, bool *goes_on);
    void *self;
} row_visit;

static ty_status check_width(ty_ctx *ctx, const ty_table *table, const char *path,
                             const ty_csv_row *row) {
    if (row->n == table->n_columns)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DATA,
                   "%s:%lld: the row has %lld cells, want %lld as in the first row", path,
                   (long long)row->line, (long long)row->n, (long long)table->n_columns);
}

static ty_status visit_rows(ty_ctx *ctx, const ty_table *table, const char *path, ty_csv *csv,
                            const row_visit *visit) {
    bool has_row = false, goes_on = true;
    int64_t index = table->has_header ? -1 : 0;
    ty_csv_row row;
    for (;; index++) {
        TY_TRY(ty_csv_next(ctx, csv, &row, &has_row));
        if (!has_row)
            return TY_OK;
        TY_TRY(check_width(ctx, table, path, &row));
        if (index >= 0)
            TY_TRY(visit->row(ctx, visit->self, &row, index, &goes_on));
        if (!goes_on)
            return TY_OK;
    }
}

/* Opens the file of a part and lets use() have its rows. */
static ty_status with_file(ty_ctx *ctx, const ty_table *table, const char *path,
                           ty_status (*use)(ty_ctx *, const ty_table *, const char *, ty_csv *,
                                            const row_visit *),
                           const row_visit *visit) {
    ty_input *input = NULL;
    ty_csv *csv = NULL;
    ty_status st = TY_OK;
    TY_TRY(ty_input_open(ctx, path, &input));
    TY_TRY_GOTO(done, st, ty_csv_open(ctx, input, &csv));
    st = use(ctx, table, path, csv, visit);
done:
    ty_csv_close(csv);
    ty_input_close(ctx, input);
    return st;
}

typedef struct line_search {
    int64_t row, line;
} line_search;

static ty_status see_line(ty_ctx *ctx, void *self, const ty_csv_row *row, int64_t index,
                          bool *goes_on) {
    (void)ctx;
    line_search *search = self;
    *goes_on = index < search->row;
    search->line = row->line;
    return TY_OK;
}

int64_t ty_table_line(ty_ctx *ctx, const ty_table *table, int part, int64_t row) {
    line_search search = {.row = row};
    const row_visit visit = {see_line, &search};
    const ty_status st = with_file(ctx, table, table->path[part], visit_rows, &visit);
    return st == TY_OK ? search.line : 0;
}

/* --- scan ------------------------------------------------------------------------------------- */

static ty_status check_utf8(ty_ctx *ctx, const char *path, int64_t line, int64_t column,
                            const ty_csv_cell *cell) {
    const size_t at = ty_csv_utf8_end(cell->text, cell->length);
    if (at == cell->length)
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_DATA,
        "%s:%lld:%lld: byte 0x%02x is not UTF-8; if the file is Latin-1: iconv -f latin1 -t utf-8",
        path, (long long)line, (long long)column + 1, (unsigned char)cell->text[at]);
}

bool ty_table_is_header(const ty_csv_row *row) {
    int64_t n_texts = 0;
    double value;
    for (int64_t c = 0; c < row->n; c++) {
        const ty_cell_kind kind = ty_csv_kind(&row->cells[c], &value);
        if (kind == TY_CELL_NUMBER || kind == TY_CELL_INFINITE)
            return false;
        n_texts += kind == TY_CELL_TEXT;
    }
    return n_texts > 0;
}

static ty_status name_columns(ty_ctx *ctx, ty_table *table, const ty_csv_row *row) {
    ty_dictionary names = {0};
    const char *path = table->path[TY_SPLIT_TRAIN];
    for (int64_t c = 0; c < row->n; c++) {
        const ty_csv_cell *cell = &row->cells[c];
        const bool is_named = table->has_header && cell->length > 0;
        TY_TRY(check_utf8(ctx, path, row->line, c, cell));
        char *name = is_named
                         ? ty_arena_string_n(table->arena, cell->text, cell->length)
                         : ty_arena_printf(table->arena, "%s%lld",
                                           table->has_header ? "column " : "", (long long)c + 1);
        if (!name)
            return ty_fail_nomem(ctx, "column names");
        int32_t number = 0;
        TY_TRY(ty_dictionary_add(ctx, &names, table->arena, name, strlen(name), &number));
        if (number < c)
            return ty_fail(ctx, TY_ERR_DATA,
                           "%s:%lld:%lld: two columns are called \"%s\", the other is number %d",
                           path, (long long)row->line, (long long)c + 1, name, number + 1);
        table->columns[c].name = name;
    }
    return TY_OK;
}

static ty_status begin_table(ty_ctx *ctx, ty_table *table, const ty_csv_row *first) {
    table->has_header = ty_table_is_header(first);
    table->n_columns = first->n;
    table->columns = ty_arena_array(table->arena, (size_t)first->n, sizeof *table->columns);
    if (!table->columns)
        return ty_fail_nomem(ctx, "columns");
    return name_columns(ctx, table, first);
}

static void note_cell(ty_column *column, const ty_csv_cell *cell, int64_t line) {
    double value;
    switch (ty_csv_kind(cell, &value)) {
    case TY_CELL_MISSING:
        column->n_missing++;
        break;
    case TY_CELL_NUMBER:
        column->n_numbers++;
        break;
    case TY_CELL_INFINITE:
        if (column->n_infinite++ == 0)
            column->infinite_line = line;
        break;
    case TY_CELL_TEXT:
        if (column->n_texts++ == 0) {
            column->text_line = line;
            (void)snprintf(column->text_sample, sizeof column->text_sample, "%s", cell->text);
        }
        break;
    }
}

static ty_status scan_row(ty_ctx *ctx, void *self, const ty_csv_row *row, int64_t index,
                          bool *goes_on) {
    (void)ctx, (void)goes_on;
    ty_table *table = self;
    for (int64_t c = 0; c < row->n; c++)
        note_cell(&table->columns[c], &row->cells[c], row->line);
    table->rows[TY_SPLIT_TRAIN] = index + 1;
    return TY_OK;
}

/* The first row says what the table is, so it is looked at before it is visited as a row. */
static ty_status scan_first(ty_ctx *ctx, const ty_table *unused, const char *path, ty_csv *csv,
                            const row_visit *visit) {
    (void)unused;
    ty_csv_row row;
    bool has_row = false;
    TY_TRY(ty_csv_next(ctx, csv, &row, &has_row));
    if (!has_row)
        return ty_fail(ctx, TY_ERR_DATA, "%s is empty: 0 samples", path);
    return begin_table(ctx, visit->self, &row);
}

static ty_status count_row(ty_ctx *ctx, void *self, const ty_csv_row *row, int64_t index,
                           bool *goes_on) {
    (void)ctx, (void)row, (void)goes_on;
    *(int64_t *)self = index + 1;
    return TY_OK;
}

/* Both files have to have the same columns in the same order. */
static ty_status check_header(ty_ctx *ctx, const ty_table *table, const char *path, ty_csv *csv,
                              const row_visit *visit) {
    (void)visit;
    ty_csv_row row;
    bool has_row = false;
    TY_TRY(ty_csv_next(ctx, csv, &row, &has_row));
    if (!has_row)
        return ty_fail(ctx, TY_ERR_DATA, "%s is empty: 0 samples", path);
    TY_TRY(check_width(ctx, table, path, &row));
    for (int64_t c = 0; c < row.n && table->has_header; c++)
        if (row.cells[c].length > 0 && strcmp(row.cells[c].text, table->columns[c].name) != 0)
            return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: column \"%s\", want \"%s\" as in %s",
                           path, (long long)row.line, (long long)c + 1, row.cells[c].text,
                           table->columns[c].name, table->path[TY_SPLIT_TRAIN]);
    return TY_OK;
}

static ty_status check_rows(ty_ctx *ctx, const ty_table *table, int part) {
    if (table->rows[part] > 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_DATA, "%s has a header but no rows: 0 samples", table->path[part]);
}

ty_status ty_table_scan(ty_ctx *ctx, ty_table *table) {
    const char *train = table->path[TY_SPLIT_TRAIN], *test = table->path[TY_SPLIT_TEST];
    const row_visit scan = {scan_row, table}, count = {count_row, &table->rows[TY_SPLIT_TEST]};
    TY_TRY(with_file(ctx, table, train, scan_first, &scan));
    TY_TRY(with_file(ctx, table, train, visit_rows, &scan));
    TY_TRY(check_rows(ctx, table, TY_SPLIT_TRAIN));
    for (int64_t c = 0; c < table->n_columns; c++) {
        ty_column *column = &table->columns[c];
        column->kind = column->n_texts > 0                          ? TY_COLUMN_CATEGORICAL
                       : column->n_numbers + column->n_infinite > 0 ? TY_COLUMN_NUMERIC
                                                                    : TY_COLUMN_EMPTY;
    }
    if (!test)
        return TY_OK;
    TY_TRY(with_file(ctx, table, test, check_header, &count));
    TY_TRY(with_file(ctx, table, test, visit_rows, &count));
    return check_rows(ctx, table, TY_SPLIT_TEST);
}

/* --- load ------------------------------------------------------------------------------------- */

static bool is_loaded(const ty_table *table, int64_t c) {
    return c == table->target || table->columns[c].is_feature;
}

/* One block for a part: first the columns of doubles, then those of codes. */
static ty_status alloc_cells(ty_ctx *ctx, ty_table *table, int part) {
    size_t row_bytes = 0;
    for (int64_t c = 0; c < table->n_columns; c++)
        if (is_loaded(table, c))
            row_bytes +=
                table->columns[c].kind == TY_COLUMN_NUMERIC ? sizeof(double) : sizeof(int32_t);
    const int64_t rows = table->rows[part];
    TY_TRY(ty_content_alloc(ctx, table->path[part], rows, row_bytes, &table->cells[part]));
    double *numbers = table->cells[part];
    for (int64_t c = 0; c < table->n_columns; c++) {
        if (!is_loaded(table, c) || table->columns[c].kind != TY_COLUMN_NUMERIC)
            continue;
        table->columns[c].numbers[part] = numbers;
        numbers += rows;
    }
    int32_t *codes = (int32_t *)numbers;
    for (int64_t c = 0; c < table->n_columns; c++) {
        if (!is_loaded(table, c) || table->columns[c].kind != TY_COLUMN_CATEGORICAL)
            continue;
        table->columns[c].codes[part] = codes;
        codes += rows;
    }
    return TY_OK;
}

typedef struct load {
    ty_table *table;
    int part;
    int64_t n; /* rows so far: a file that changes between the passes is noticed */
} load;

static ty_status fail_cell(ty_ctx *ctx, const load *to, const ty_csv_row *row, int64_t c,
                           const char *what) {
    return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: \"%s\" in column \"%s\" %s",
                   to->table->path[to->part], (long long)row->line, (long long)c + 1,
                   row->cells[c].text, to->table->columns[c].name, what);
}

static ty_status load_number(ty_ctx *ctx, const load *to, const ty_csv_row *row, int64_t c,
                             double *out) {
    switch (ty_csv_kind(&row->cells[c], out)) {
    case TY_CELL_NUMBER:
        return TY_OK;
    case TY_CELL_MISSING:
        *out = (double)NAN;
        return TY_OK;
    default:
        return fail_cell(ctx, to, row, c,
                         "is not a finite number, as all others in the training data are");
    }
}

static ty_status fail_categories(ty_ctx *ctx, const load *to, const ty_csv_row *row, int64_t c,
                                 int most) {
    const ty_column *column = &to->table->columns[c];
    ty_text text = {0};
    ty_text_addf(&text, "is the text that makes it more than %d different ones; ", most);
    if (column->n_numbers > column->n_texts)
        ty_text_addf(&text, "is \"%s\" in line %lld meant to be a number? ", column->text_sample,
                     (long long)column->text_line);
    ty_text_addf(&text, "to leave the column out: data.features \"-%s\"", column->name);
    const ty_status st = fail_cell(ctx, to, row, c, ty_text_string(&text));
    ty_text_clear(&text);
    return st;
}

static ty_status load_text(ty_ctx *ctx, const load *to, const ty_csv_row *row, int64_t c,
                           int32_t *out) {
    ty_table *table = to->table;
    ty_column *column = &table->columns[c];
    const ty_csv_cell *cell = &row->cells[c];
    const int most = c == table->target ? TY_TABLE_MAX_CLASSES : TY_TABLE_MAX_CATEGORIES;
    double unused;
    *out = -1;
    if (ty_csv_kind(cell, &unused) == TY_CELL_MISSING)
        return TY_OK;
    *out = ty_dictionary_find(&column->dictionary, cell->text, cell->length);
    if (*out >= 0)
        return TY_OK;
    if (to->part != TY_SPLIT_TRAIN)
        return c == table->target
                   ? fail_cell(ctx, to, row, c, "is not a class of the training data")
                   : TY_OK;
    if (column->dictionary.n == most)
        return fail_categories(ctx, to, row, c, most);
    TY_TRY(check_utf8(ctx, table->path[to->part], row->line, c, cell));
    return ty_dictionary_add(ctx, &column->dictionary, table->arena, cell->text, cell->length, out);
}

static ty_status load_row(ty_ctx *ctx, void *self, const ty_csv_row *row, int64_t index,
                          bool *goes_on) {
    load *to = self;
    ty_table *table = to->table;
    (void)goes_on;
    to->n = index + 1;
    if (index >= table->rows[to->part])
        return ty_fail(ctx, TY_ERR_DATA, "%s grew while it was read", table->path[to->part]);
    for (int64_t c = 0; c < table->n_columns; c++) {
        ty_column *column = &table->columns[c];
        double unused;
        if (!is_loaded(table, c))
            continue;
        if (c == table->target && ty_csv_kind(&row->cells[c], &unused) == TY_CELL_MISSING)
            return fail_cell(ctx, to, row, c, "is a missing value, but the column is the target");
        if (column->kind == TY_COLUMN_NUMERIC)
            TY_TRY(load_number(ctx, to, row, c, &column->numbers[to->part][index]));
        else
            TY_TRY(load_text(ctx, to, row, c, &column->codes[to->part][index]));
    }
    return TY_OK;
}

ty_status ty_table_load(ty_ctx *ctx, ty_table *table) {
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        if (table->rows[part] == 0)
            continue;
        load to = {.table = table, .part = part};
        const row_visit visit = {load_row, &to};
        TY_TRY(alloc_cells(ctx, table, part));
        TY_TRY(with_file(ctx, table, table->path[part], visit_rows, &visit));
        if (to.n != table->rows[part])
            return ty_fail(ctx, TY_ERR_DATA, "%s shrank while it was read", table->path[part]);
    }
    return TY_OK;
}

float ty_table_encode(double value, double mean, double std, bool is_raw) {
    const double filled = isnan(value) ? mean : value;
    if (is_raw)
        return (float)filled;
    return std > 0 ? (float)((filled - mean) / std) : 0.0f;
}

void ty_table_clear(ty_table *table) {
    for (int part = 0; part < TY_SPLIT_COUNT; part++) {
        free(table->cells[part]);
        table->cells[part] = NULL;
    }
}
