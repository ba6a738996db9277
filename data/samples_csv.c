/* Unlabelled rows of CSV or TSV, encoded in one pass while they are read: a number as its feature,
 * a text as the number of its category, of which fetch makes the one-hot features. */
#include "data/samples_csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/table.h"

enum { MISSING_CATEGORY = -1 };

typedef struct csv_samples {
    const ty_fitted *fitted;
    const ty_samples_options *options; /* while opening */
    const char *name;
    int64_t n_columns; /* features' columns */
    int64_t width;     /* cells of a row */
    int64_t *cell_of;  /* [n_columns] the cell that holds a column */
    int64_t kept_cell[TY_SAMPLES_MAX_KEPT];
    int n_kept;
    float *values; /* [rows, n_columns] */
    int64_t rows, capacity;
    ty_text texts;   /* of kept cells, each with a NUL */
    size_t *text_at; /* [rows, n_kept] */
} csv_samples;

static const char *column_name(const csv_samples *set, int64_t c) {
    return set->fitted->columns ? set->fitted->columns[c].name : "";
}

/* --- which cell is which column --------------------------------------------------------------- */

static int64_t cell_named(const ty_csv_row *row, const char *name) {
    for (int64_t c = 0; c < row->n; c++)
        if (strcmp(row->cells[c].text, name) == 0)
            return c;
    return -1;
}

static bool has_any_name(const csv_samples *set, const ty_dictionary *names) {
    const ty_fitted *fitted = set->fitted;
    for (int64_t c = 0; c < set->n_columns; c++) {
        const char *name = fitted->columns[c].name;
        if (ty_dictionary_find(names, name, strlen(name)) >= 0)
            return true;
    }
    return ty_dictionary_find(names, fitted->target, strlen(fitted->target)) >= 0;
}

static ty_status fail_missing(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row,
                              const char *name) {
    int best = 1000;
    const char *nearest = "";
    for (int64_t c = 0; c < row->n && c < 1000; c++) {
        const int distance = ty_text_distance(name, row->cells[c].text);
        if (distance < best) {
            best = distance;
            nearest = row->cells[c].text;
        }
    }
    return ty_fail(ctx, TY_ERR_DATA,
                   "%s:%lld: there is no column \"%s\", which the model was trained with; the "
                   "nearest of its %lld is \"%s\"",
                   set->name, (long long)row->line, name, (long long)row->n, nearest);
}

/* The header's names, each with the first and the second cell that has it (-1: none). */
typedef struct header {
    ty_dictionary names;
    int64_t *first, *second;
} header;

static ty_status read_header(ty_ctx *ctx, ty_arena *arena, const ty_csv_row *row, header *out) {
    *out = (header){.first = ty_arena_array(arena, (size_t)row->n, sizeof *out->first),
                    .second = ty_arena_array(arena, (size_t)row->n, sizeof *out->second)};
    if (!out->first || !out->second)
        return ty_fail_nomem(ctx, "a file's columns");
    for (int64_t c = 0; c < row->n; c++) {
        const int32_t known = out->names.n;
        int32_t number = 0;
        TY_TRY(ty_dictionary_add(ctx, &out->names, arena, row->cells[c].text, row->cells[c].length,
                                 &number));
        if (number == known) {
            out->first[number] = c;
            out->second[number] = -1;
        } else if (out->second[number] < 0) {
            out->second[number] = c;
        }
    }
    return TY_OK;
}

static ty_status find_by_name(ty_ctx *ctx, csv_samples *set, const ty_csv_row *row,
                              const header *names) {
    for (int64_t c = 0; c < set->n_columns; c++) {
        const char *name = set->fitted->columns[c].name;
        const int32_t number = ty_dictionary_find(&names->names, name, strlen(name));
        if (number < 0)
            return fail_missing(ctx, set, row, name);
        if (names->second[number] >= 0)
            return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: two columns are called \"%s\"",
                           set->name, (long long)row->line, (long long)names->second[number] + 1,
                           name);
        set->cell_of[c] = names->first[number];
    }
    return TY_OK;
}

/* The place in the training's file that a column without a header is named after; -1: of a header. */
static int64_t trained_place(const ty_fitted *fitted, const char *name) {
    return fitted->has_header ? -1 : (int64_t)strtoll(name, NULL, 10) - 1;
}

/* Whether the file has the columns that training's file without a header had. */
static bool has_trained_places(const csv_samples *set, const ty_csv_row *row) {
    const ty_fitted *fitted = set->fitted;
    const int64_t target = trained_place(fitted, fitted->target);
    bool fits = target >= 0 && target < row->n;
    for (int64_t c = 0; fits && c < set->n_columns; c++) {
        set->cell_of[c] = trained_place(fitted, fitted->columns[c].name);
        fits = set->cell_of[c] >= 0 && set->cell_of[c] < row->n;
    }
    return fits;
}

static ty_status find_by_place(ty_ctx *ctx, csv_samples *set, const ty_csv_row *row) {
    const ty_fitted *fitted = set->fitted;
    const bool is_table = fitted->columns != NULL;
    if (is_table && row->n != set->n_columns && has_trained_places(set, row))
        return TY_OK;
    for (int64_t c = 0; c < set->n_columns; c++)
        set->cell_of[c] = c;
    const bool has_target = is_table && fitted->has_header && set->options->target_is_last &&
                            row->n == set->n_columns + 1;
    if (row->n == set->n_columns || has_target)
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_DATA,
        "%s:%lld: the row has %lld cells and no name of a column, want the %lld that the "
        "model was trained with%s%s%s",
        set->name, (long long)row->line, (long long)row->n, (long long)set->n_columns,
        is_table ? ", from \"" : "", column_name(set, 0), is_table ? "\" on" : "");
}

static bool has_a_number(const csv_samples *set) {
    for (int64_t c = 0; set->fitted->columns && c < set->n_columns; c++)
        if (!set->fitted->columns[c].is_categorical)
            return true;
    return set->fitted->columns == NULL;
}

/* *is_header: row names columns and holds no sample. */
static ty_status find_columns(ty_ctx *ctx, ty_arena *arena, csv_samples *set, const ty_csv_row *row,
                              bool *is_header) {
    const bool is_named = set->fitted->columns && set->fitted->has_header;
    header names = {0};
    set->width = row->n;
    if (is_named)
        TY_TRY(read_header(ctx, arena, row, &names));
    if (is_named && has_any_name(set, &names.names)) {
        *is_header = true;
        return find_by_name(ctx, set, row, &names);
    }
    *is_header = ty_table_is_header(row) && has_a_number(set);
    if (is_named && *is_header)
        return fail_missing(ctx, set, row, column_name(set, 0));
    return find_by_place(ctx, set, row);
}

static ty_status find_kept(ty_ctx *ctx, csv_samples *set, const ty_csv_row *row, bool is_header) {
    set->n_kept = set->options->n_keep;
    for (int k = 0; k < set->n_kept; k++) {
        const char *name = set->options->keep[k];
        char *end = NULL;
        const long long number = strtoll(name, &end, 10);
        set->kept_cell[k] = is_header ? cell_named(row, name) : -1;
        if (set->kept_cell[k] < 0 && *name && *end == '\0')
            set->kept_cell[k] = number - 1;
        if (set->kept_cell[k] < 0 || set->kept_cell[k] >= row->n)
            return ty_fail(ctx, TY_ERR_ARG, "%s has no column \"%s\" to keep%s", set->name, name,
                           is_header ? "" : ": there is no header, so want a number");
    }
    return TY_OK;
}

/* --- cells ------------------------------------------------------------------------------------ */

static ty_status fail_cell(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row, int64_t c,
                           const char *what) {
    return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: \"%.60s\" in column \"%s\" %s", set->name,
                   (long long)row->line, (long long)set->cell_of[c] + 1,
                   row->cells[set->cell_of[c]].text, column_name(set, c), what);
}

static ty_status fail_category(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row,
                               int64_t c) {
    enum { SHOWN = 5 };
    const ty_dictionary *known = &set->fitted->columns[c].categories;
    ty_text text = {0};
    ty_text_addf(&text, "is none of the %d categories of the training data:", (int)known->n);
    for (int32_t k = 0; k < known->n && k < SHOWN; k++)
        ty_text_addf(&text, "%s \"%.40s\"", k ? "," : "", known->texts[k]);
    ty_text_add(&text, known->n > SHOWN ? ", ..." : "");
    const ty_status st = fail_cell(ctx, set, row, c, ty_text_string(&text));
    ty_text_clear(&text);
    return st;
}

static ty_status read_category(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row,
                               int64_t c, float *out) {
    const ty_csv_cell *cell = &row->cells[set->cell_of[c]];
    double unused;
    int32_t number = MISSING_CATEGORY;
    if (ty_csv_kind(cell, &unused) != TY_CELL_MISSING) {
        number = ty_dictionary_find(&set->fitted->columns[c].categories, cell->text, cell->length);
        if (number < 0 && !set->options->allows_unknown)
            return fail_category(ctx, set, row, c);
    }
    *out = (float)number;
    return TY_OK;
}

static ty_status read_number(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row, int64_t c,
                             float *out) {
    const ty_fitted_column *column = &set->fitted->columns[c];
    double value = (double)NAN;
    const ty_cell_kind kind = ty_csv_kind(&row->cells[set->cell_of[c]], &value);
    if (kind != TY_CELL_NUMBER && kind != TY_CELL_MISSING)
        return fail_cell(ctx, set, row, c, "is not a finite number, as those of the training are");
    *out = ty_table_encode(kind == TY_CELL_MISSING ? (double)NAN : value, column->mean, column->std,
                           !set->fitted->is_standardised);
    return TY_OK;
}

/* An element of a sample that is no row of a table: nothing stands for a missing one. */
static ty_status read_element(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row, int64_t c,
                              float *out) {
    const ty_csv_cell *cell = &row->cells[set->cell_of[c]];
    double value = 0;
    const bool is_number = ty_csv_kind(cell, &value) == TY_CELL_NUMBER;
    const bool is_byte = value >= 0 && value <= 255 && value == floor(value);
    if (!is_number || (set->fitted->x_is_u8 && !is_byte))
        return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: \"%.60s\" is not %s", set->name,
                       (long long)row->line, (long long)c + 1, cell->text,
                       set->fitted->x_is_u8 ? "a whole number from 0 to 255" : "a finite number");
    *out = (float)value;
    return TY_OK;
}

static ty_status read_cells(ty_ctx *ctx, const csv_samples *set, const ty_csv_row *row,
                            float *out) {
    const ty_fitted_column *columns = set->fitted->columns;
    for (int64_t c = 0; c < set->n_columns; c++) {
        if (!columns)
            TY_TRY(read_element(ctx, set, row, c, &out[c]));
        else if (columns[c].is_categorical)
            TY_TRY(read_category(ctx, set, row, c, &out[c]));
        else
            TY_TRY(read_number(ctx, set, row, c, &out[c]));
    }
    return TY_OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Moves *memory to where `capacity` rows have room, within the machine's means. */
static ty_status move_rows(ty_ctx *ctx, const csv_samples *set, int64_t capacity, size_t row_bytes,
                           void **memory) {
    void *larger = NULL;
    TY_TRY(ty_content_alloc(ctx, set->name, capacity, row_bytes, &larger));
    if (set->rows > 0)
        memcpy(larger, *memory, (size_t)set->rows * row_bytes);
    free(*memory);
    *memory = larger;
    return TY_OK;
}

static ty_status make_room(ty_ctx *ctx, csv_samples *set) {
    if (set->rows < set->capacity)
        return TY_OK;
    const int64_t capacity = set->capacity ? set->capacity * 2 : 256;
    void *values = set->values, *text_at = set->text_at;
    ty_status st =
        move_rows(ctx, set, capacity, (size_t)set->n_columns * sizeof *set->values, &values);
    set->values = values;
    if (st == TY_OK && set->n_kept > 0)
        st = move_rows(ctx, set, capacity, (size_t)set->n_kept * sizeof *set->text_at, &text_at);
    set->text_at = text_at;
    if (st == TY_OK)
        set->capacity = capacity;
    return st;
}

static ty_status add_row(ty_ctx *ctx, csv_samples *set, const ty_csv_row *row) {
    if (row->n != set->width)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s:%lld: the row has %lld cells, want %lld as in the first row", set->name,
                       (long long)row->line, (long long)row->n, (long long)set->width);
    TY_TRY(make_room(ctx, set));
    TY_TRY(read_cells(ctx, set, row, set->values + set->rows * set->n_columns));
    for (int k = 0; k < set->n_kept; k++) {
        const ty_csv_cell *cell = &row->cells[set->kept_cell[k]];
        set->text_at[set->rows * set->n_kept + k] = set->texts.length;
        ty_text_add_n(&set->texts, cell->text, cell->length + 1);
    }
    set->rows++;
    return set->texts.is_short ? ty_fail_nomem(ctx, "the columns to keep") : TY_OK;
}

static ty_status read_rows(ty_ctx *ctx, ty_arena *arena, csv_samples *set, ty_csv *csv) {
    ty_csv_row row;
    bool has_row = false, is_header = false;
    TY_TRY(ty_csv_next(ctx, csv, &row, &has_row));
    if (!has_row)
        return ty_fail(ctx, TY_ERR_DATA, "%s is empty: 0 samples", set->name);
    TY_TRY(find_columns(ctx, arena, set, &row, &is_header));
    TY_TRY(find_kept(ctx, set, &row, is_header));
    if (!is_header)
        TY_TRY(add_row(ctx, set, &row));
    for (;;) {
        TY_TRY(ty_csv_next(ctx, csv, &row, &has_row));
        if (!has_row)
            break;
        TY_TRY(add_row(ctx, set, &row));
    }
    return set->rows > 0
               ? TY_OK
               : ty_fail(ctx, TY_ERR_DATA, "%s has a header but no rows: 0 samples", set->name);
}

/* --- the reader ------------------------------------------------------------------------------- */

static ty_status open_input(ty_ctx *ctx, const char *path, ty_input **out) {
    if (strcmp(path, "-") == 0)
        return ty_input_open_stream(ctx, "standard input", 0, out);
    return ty_input_open(ctx, path, out);
}

ty_status ty_samples_csv_open(ty_ctx *ctx, const ty_fitted *fitted,
                              const ty_samples_options *options, ty_content *content) {
    csv_samples *set = content->self = ty_arena_alloc(content->arena, sizeof *set);
    ty_input *input = NULL;
    ty_csv *csv = NULL;
    ty_status st = TY_OK;
    if (!set)
        return ty_fail_nomem(ctx, "a file's samples");
    set->fitted = fitted;
    set->options = options;
    set->n_columns = fitted->columns ? fitted->n_columns : fitted->x_count;
    if (set->n_columns > TY_CSV_MAX_CELLS)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: a sample has %lld numbers, more than a row of CSV may have: want HDF5",
                       options->path, (long long)set->n_columns);
    set->cell_of = ty_arena_array(content->arena, (size_t)set->n_columns, sizeof *set->cell_of);
    if (!set->cell_of)
        return ty_fail_nomem(ctx, "a file's columns");
    TY_TRY_GOTO(done, st, open_input(ctx, options->path, &input));
    set->name = ty_input_name(input);
    TY_TRY_GOTO(done, st, ty_csv_open(ctx, input, &csv));
    st = read_rows(ctx, content->arena, set, csv);
    content->count[TY_SPLIT_TEST] = set->rows;
done:
    ty_csv_close(csv);
    ty_input_close(ctx, input);
    set->options = NULL;
    set->name = NULL;
    return st;
}

static void encode_columns(const csv_samples *set, const float *values, float *x) {
    for (int64_t c = 0; c < set->n_columns; c++) {
        const ty_fitted_column *column = &set->fitted->columns[c];
        if (!column->is_categorical) {
            *x++ = values[c];
            continue;
        }
        memset(x, 0, (size_t)column->categories.n * sizeof *x);
        if (values[c] >= 0)
            x[(int64_t)values[c]] = 1.0f;
        x += column->categories.n;
    }
}

static ty_status samples_fetch(ty_ctx *ctx, const ty_content *content, int part, int64_t row,
                               void *x) {
    (void)ctx, (void)part;
    const csv_samples *set = content->self;
    const float *values = set->values + row * set->n_columns;
    uint8_t *bytes = x;
    if (set->fitted->columns)
        encode_columns(set, values, x);
    else if (!set->fitted->x_is_u8)
        memcpy(x, values, (size_t)set->n_columns * sizeof *values);
    for (int64_t c = 0; set->fitted->x_is_u8 && c < set->n_columns; c++)
        bytes[c] = (uint8_t)values[c];
    return TY_OK;
}

const char *ty_samples_csv_kept(const ty_content *content, int64_t row, int column) {
    const csv_samples *set = content->self;
    return set->texts.data + set->text_at[row * set->n_kept + column];
}

static void samples_close(ty_content *content) {
    csv_samples *set = content->self;
    if (!set)
        return;
    free(set->values);
    free(set->text_at);
    ty_text_clear(&set->texts);
}

const ty_reader ty_samples_csv = {.format = "csv", .fetch = samples_fetch, .close = samples_close};
