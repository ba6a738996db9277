/* A byte-wise state machine over chunks of the input. */
#include "data/csv.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct ty_csv {
    ty_input *input;
    char separator;
    int64_t line;   /* of the byte that comes next */
    size_t at, end; /* in chunk */
    bool is_ended;
    char *text; /* cells of the row, each with a NUL behind it */
    size_t text_length, text_capacity;
    size_t *starts; /* of cells in text */
    ty_csv_cell *cells;
    int64_t n_cells, cell_capacity;
    char chunk[CHUNK_BYTES];
};

enum { END_OF_FILE = -1 };

static ty_status refill(ty_ctx *ctx, ty_csv *csv) {
    size_t got = 0;
    if (csv->is_ended)
        return TY_OK;
    TY_TRY(ty_input_read(ctx, csv->input, csv->chunk, sizeof csv->chunk, &got));
    csv->at = 0;
    csv->end = got;
    csv->is_ended = got < sizeof csv->chunk;
    const char *nul = memchr(csv->chunk, '\0', got);
    if (nul)
        return ty_fail(ctx, TY_ERR_DATA, "%s: after line %lld there is a NUL byte: this is no text",
                       ty_input_name(csv->input), (long long)csv->line);
    return TY_OK;
}

/* The next byte, not taken; END_OF_FILE at the end. */
static ty_status peek(ty_ctx *ctx, ty_csv *csv, int *byte) {
    if (csv->at == csv->end)
        TY_TRY(refill(ctx, csv));
    *byte = csv->at == csv->end ? END_OF_FILE : (unsigned char)csv->chunk[csv->at];
    return TY_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static char guess_separator(const char *text, size_t n) {
    static const char candidates[] = {',', '\t', ';'};
    int count[3] = {0}, best = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < n && (is_quoted || (text[i] != '\n' && text[i] != '\r')); i++) {
        is_quoted ^= text[i] == '"';
        for (int c = 0; c < 3; c++)
            count[c] += !is_quoted && text[i] == candidates[c];
    }
    for (int c = 1; c < 3; c++)
        best = count[c] > count[best] ? c : best;
    return candidates[best];
}

static ty_status begin(ty_ctx *ctx, ty_csv *csv) {
    static const char utf8_mark[] = {'\xef', '\xbb', '\xbf'};
    size_t got = 0;
    TY_TRY(ty_input_read(ctx, csv->input, csv->chunk, sizeof csv->chunk, &got));
    csv->end = got;
    csv->is_ended = got < sizeof csv->chunk;
    const unsigned char first = got > 1 ? (unsigned char)csv->chunk[0] : 0,
                        second = got > 1 ? (unsigned char)csv->chunk[1] : 0;
    if ((first == 0xff && second == 0xfe) || (first == 0xfe && second == 0xff))
        return ty_fail(ctx, TY_ERR_DATA, "%s is UTF-16, want UTF-8: iconv -f utf-16 -t utf-8",
                       ty_input_name(csv->input));
    if (memchr(csv->chunk, '\0', got))
        return ty_fail(ctx, TY_ERR_DATA, "%s: there is a NUL byte: this is no text",
                       ty_input_name(csv->input));
    if (got >= sizeof utf8_mark && memcmp(csv->chunk, utf8_mark, sizeof utf8_mark) == 0)
        csv->at = sizeof utf8_mark;
    csv->separator = guess_separator(csv->chunk + csv->at, csv->end - csv->at);
    return TY_OK;
}

ty_status ty_csv_open(ty_ctx *ctx, ty_input *input, ty_csv **out) {
    ty_csv *csv = calloc(1, sizeof *csv);
    if (!csv)
        return ty_fail_nomem(ctx, "a CSV reader");
    csv->input = input;
    csv->line = 1;
    const ty_status st = begin(ctx, csv);
    if (st != TY_OK) {
        ty_csv_close(csv);
        return st;
    }
    *out = csv;
    return TY_OK;
}

void ty_csv_close(ty_csv *csv) {
    if (!csv)
        return;
    free(csv->text);
    free(csv->starts);
    free(csv->cells);
    free(csv);
}

/* --- rows ------------------------------------------------------------------------------------- */

static ty_status fail_at(ty_ctx *ctx, const ty_csv *csv, int64_t line, const char *what) {
    return ty_fail(ctx, TY_ERR_DATA, "%s:%lld:%lld: %s", ty_input_name(csv->input), (long long)line,
                   (long long)csv->n_cells, what);
}

static ty_status add_bytes(ty_ctx *ctx, ty_csv *csv, const char *bytes, size_t n) {
    if (n > csv->text_capacity - csv->text_length) {
        const size_t least = csv->text_length + n, doubled = 2 * csv->text_capacity + 4096;
        const size_t capacity = least > doubled ? least : doubled;
        if (least > TY_CSV_MAX_ROW_BYTES)
            return fail_at(ctx, csv, csv->line, "the row is longer than 16 MiB");
        char *text = realloc(csv->text, capacity);
        if (!text)
            return ty_fail_nomem(ctx, "a CSV row");
        csv->text = text;
        csv->text_capacity = capacity;
    }
    memcpy(csv->text + csv->text_length, bytes, n);
    csv->text_length += n;
    return TY_OK;
}

static ty_status begin_cell(ty_ctx *ctx, ty_csv *csv) {
    if (csv->n_cells == TY_CSV_MAX_CELLS)
        return fail_at(ctx, csv, csv->line, "the row has more than 65536 cells");
    if (csv->n_cells == csv->cell_capacity) {
        const int64_t capacity = csv->cell_capacity ? 2 * csv->cell_capacity : 64;
        size_t *starts = realloc(csv->starts, (size_t)capacity * sizeof *starts);
        if (starts)
            csv->starts = starts;
        ty_csv_cell *cells = realloc(csv->cells, (size_t)capacity * sizeof *cells);
        if (cells)
            csv->cells = cells;
        if (!starts || !cells)
            return ty_fail_nomem(ctx, "a CSV row");
        csv->cell_capacity = capacity;
    }
    csv->starts[csv->n_cells] = csv->text_length;
    csv->cells[csv->n_cells].length = 0;
    csv->n_cells++;
    return TY_OK;
}

static size_t cell_length(const ty_csv *csv) {
    return csv->text_length - csv->starts[csv->n_cells - 1];
}

static ty_status end_cell(ty_ctx *ctx, ty_csv *csv) {
    csv->cells[csv->n_cells - 1].length = cell_length(csv);
    return add_bytes(ctx, csv, "", 1);
}

static bool is_blank(const ty_csv *csv, int byte) {
    return (byte == ' ' || byte == '\t') && byte != csv->separator;
}

static bool ends_cell(const ty_csv *csv, int byte) {
    return byte == END_OF_FILE || byte == '\n' || byte == '\r' || byte == csv->separator;
}

static ty_status skip_blanks(ty_ctx *ctx, ty_csv *csv, int *byte) {
    for (;;) {
        TY_TRY(peek(ctx, csv, byte));
        if (!is_blank(csv, *byte))
            return TY_OK;
        csv->at++;
    }
}

static ty_status check_cell_length(ty_ctx *ctx, const ty_csv *csv, int64_t line, bool is_quoted) {
    if (cell_length(csv) <= TY_CSV_MAX_CELL_BYTES)
        return TY_OK;
    return fail_at(ctx, csv, line,
                   is_quoted ? "the cell is longer than 64 KiB; is its quote closed?"
                             : "the cell is longer than 64 KiB");
}

/* How many bytes of the chunk belong to the cell. */
static size_t plain_length(const ty_csv *csv) {
    const char separator = csv->separator, *at = csv->chunk + csv->at, *end = csv->chunk + csv->end;
    const char *start = at;
    while (at < end && *at != separator && *at != '\n' && *at != '\r')
        at++;
    return (size_t)(at - start);
}

static ty_status read_plain_cell(ty_ctx *ctx, ty_csv *csv) {
    int byte = 0;
    for (;;) {
        TY_TRY(peek(ctx, csv, &byte));
        if (ends_cell(csv, byte))
            break;
        const size_t n = plain_length(csv);
        TY_TRY(add_bytes(ctx, csv, csv->chunk + csv->at, n));
        csv->at += n;
        TY_TRY(check_cell_length(ctx, csv, csv->line, false));
    }
    while (cell_length(csv) > 0 && is_blank(csv, csv->text[csv->text_length - 1]))
        csv->text_length--;
    return end_cell(ctx, csv);
}

/* Behind the opening quote; two quotes stand for one. */
static ty_status read_quoted_cell(ty_ctx *ctx, ty_csv *csv) {
    const int64_t line = csv->line;
    int byte = 0;
    for (;;) {
        TY_TRY(peek(ctx, csv, &byte));
        if (byte == END_OF_FILE)
            return fail_at(ctx, csv, line, "the quote that opens this cell is never closed");
        csv->at++;
        csv->line += byte == '\n';
        if (byte == '"') {
            TY_TRY(peek(ctx, csv, &byte));
            if (byte != '"')
                break;
            csv->at++;
        }
        const char one = (char)byte;
        TY_TRY(add_bytes(ctx, csv, &one, 1));
        TY_TRY(check_cell_length(ctx, csv, line, true));
    }
    TY_TRY(skip_blanks(ctx, csv, &byte));
    if (!ends_cell(csv, byte))
        return fail_at(
            ctx, csv, csv->line,
            "text follows the closing quote; a quote inside a quoted cell is written twice");
    return end_cell(ctx, csv);
}

/* Reads up to the end of the row and takes it. */
static ty_status read_cells(ty_ctx *ctx, ty_csv *csv) {
    int byte = 0;
    do {
        TY_TRY(begin_cell(ctx, csv));
        TY_TRY(skip_blanks(ctx, csv, &byte));
        if (byte == '"') {
            csv->at++;
            TY_TRY(read_quoted_cell(ctx, csv));
        } else {
            TY_TRY(read_plain_cell(ctx, csv));
        }
        TY_TRY(peek(ctx, csv, &byte));
        csv->at += byte != END_OF_FILE;
    } while (byte == csv->separator);
    if (byte == '\r') {
        TY_TRY(peek(ctx, csv, &byte));
        csv->at += byte == '\n';
    }
    csv->line++;
    return TY_OK;
}

ty_status ty_csv_next(ty_ctx *ctx, ty_csv *csv, ty_csv_row *out, bool *has_row) {
    int byte = 0;
    *has_row = false;
    for (;;) {
        TY_TRY(peek(ctx, csv, &byte));
        if (byte == END_OF_FILE)
            return TY_OK;
        const int64_t line = csv->line;
        csv->n_cells = 0;
        csv->text_length = 0;
        TY_TRY(read_cells(ctx, csv));
        if (csv->n_cells == 1 && csv->cells[0].length == 0)
            continue; /* an empty line */
        for (int64_t c = 0; c < csv->n_cells; c++)
            csv->cells[c].text = csv->text + csv->starts[c];
        *out = (ty_csv_row){.cells = csv->cells, .n = csv->n_cells, .line = line};
        *has_row = true;
        return TY_OK;
    }
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool is_missing(const ty_csv_cell *cell) {
    static const char *const words[] = {"na", "n/a", "nan", "null", "?"};
    if (cell->length == 0)
        return true;
    for (size_t i = 0; cell->length <= 4 && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(cell->text, words[i]) == 0)
            return true;
    return false;
}

/* A decimal number taken apart: digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits;
    int n_digits; /* significant ones in digits; more than 18 are not kept */
    int exponent;
    bool is_long; /* some digits are missing in digits */
} decimal;

static const char *read_digits(const char *text, decimal *to, bool is_fraction, int *n_read) {
    for (*n_read = 0; *text >= '0' && *text <= '9'; text++, ++*n_read) {
        if (to->n_digits >= 18) {
            to->is_long = true;
            continue;
        }
        to->digits = to->digits * 10 + (uint64_t)(*text - '0');
        to->n_digits += to->digits > 0;
        to->exponent -= is_fraction;
    }
    return text;
}

/* Whether all of text is [+-] digits [. digits] [e [+-] digits]; strtod alone would take "0x1p3",
 * "nan(1)" and more. */
static bool read_decimal(const char *text, decimal *out) {
    int n_whole = 0, n_fraction = 0, n_exponent = 0;
    *out = (decimal){0};
    text += *text == '+' || *text == '-';
    text = read_digits(text, out, false, &n_whole);
    if (*text == '.')
        text = read_digits(text + 1, out, true, &n_fraction);
    if (n_whole + n_fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        decimal power = {0};
        const bool is_negative = text[1] == '-';
        text = read_digits(text + 1 + (is_negative || text[1] == '+'), &power, false, &n_exponent);
        if (n_exponent == 0)
            return false;
        out->is_long |= power.digits > 1000;
        out->exponent += (is_negative ? -1 : 1) * (int)(power.digits > 1000 ? 1000 : power.digits);
    }
    return *text == '\0';
}

/* Exact where digits and power of ten are doubles themselves, so that one operation rounds once
 * (Clinger 1990); strtod otherwise. */
static double decimal_value(const char *text, const decimal *number) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const uint64_t largest = (uint64_t)1 << 53;
    const int e = number->exponent;
    if (number->is_long || number->digits > largest || e < -22 || e > 22)
        return strtod(text, NULL);
    const double digits = (double)number->digits;
    const double magnitude = e < 0 ? digits / powers[-e] : digits * powers[e];
    return *text == '-' ? -magnitude : magnitude;
}

static bool is_infinite_word(const char *text) {
    text += *text == '+' || *text == '-';
    return strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0;
}

ty_cell_kind ty_csv_kind(const ty_csv_cell *cell, double *value) {
    if (is_missing(cell))
        return TY_CELL_MISSING;
    decimal number;
    if (read_decimal(cell->text, &number)) {
        *value = decimal_value(cell->text, &number);
        return fabs(*value) <= (double)FLT_MAX ? TY_CELL_NUMBER : TY_CELL_INFINITE;
    }
    return is_infinite_word(cell->text) ? TY_CELL_INFINITE : TY_CELL_TEXT;
}

/* Bytes of the sequence that starts here by its first byte; 0 where none can. */
static size_t sequence_length(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t ty_csv_utf8_end(const char *text, size_t length) {
    for (size_t i = 0; i < length;) {
        const unsigned char *at = (const unsigned char *)text + i;
        const size_t n = sequence_length(at[0]);
        if (n == 0 || n > length - i)
            return i;
        for (size_t k = 1; k < n; k++)
            if ((at[k] & 0xc0) != 0x80)
                return i;
        const bool is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
        const bool is_outside =
            (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
        if (is_overlong || is_outside)
            return i;
        i += n;
    }
    return length;
}
