/* Rows of cells from CSV text (RFC 4180, and what is met in the wild: tabs or semicolons, LF, CRLF
 * or CR, a byte order mark, empty lines). A stream: one row is held at a time, whatever the file's
 * size. Private to data/. */
#ifndef TY_DATA_CSV_H
#define TY_DATA_CSV_H

#include "data/input.h"

enum {
    TY_CSV_MAX_CELL_BYTES = 64 * 1024,
    TY_CSV_MAX_ROW_BYTES = 16 * 1024 * 1024,
    TY_CSV_MAX_CELLS = 65536
};

typedef struct ty_csv_cell {
    /* NUL-terminated; without quotes, outer blanks removed where there were none. */
    const char *text;
    size_t length;
} ty_csv_cell;

typedef struct ty_csv_row {
    const ty_csv_cell *cells;
    int64_t n;
    int64_t line; /* from 1, where the row begins */
} ty_csv_row;

typedef struct ty_csv ty_csv;

/* Reads from input, which is borrowed and has to be at its start. The separator is the one of tab,
 * semicolon and comma that the first line has most of.
 * Errors: TY_ERR_DATA UTF-16, NUL bytes. */
ty_status ty_csv_open(ty_ctx *ctx, ty_input *input, ty_csv **out) TY_MUST_USE;
void ty_csv_close(ty_csv *csv); /* accepts NULL */

/* The next row that is not empty, valid until the next call; *has_row false at the end.
 * Errors: TY_ERR_DATA naming file:line:column: a quote that is not closed or followed by text, a
 * cell, row or number of cells beyond the limits, a NUL byte. */
ty_status ty_csv_next(ty_ctx *ctx, ty_csv *csv, ty_csv_row *out, bool *has_row) TY_MUST_USE;

/* What a cell is. Missing: empty, ?, and NA, N/A, NaN, null in any case. */
typedef enum ty_cell_kind {
    TY_CELL_MISSING,
    TY_CELL_NUMBER,
    TY_CELL_INFINITE, /* inf, or a number beyond a float's range */
    TY_CELL_TEXT
} ty_cell_kind;

/* Decimal numbers with optional sign, fraction and exponent; *value is set for numbers. */
ty_cell_kind ty_csv_kind(const ty_csv_cell *cell, double *value);

/* Offset of the first byte that is not UTF-8; length where all are. */
size_t ty_csv_utf8_end(const char *text, size_t length);

#endif
