/* Rows of cells in columns that line up: what `runs` and the like print. */
#ifndef TY_CLI_TABLE_H
#define TY_CLI_TABLE_H

#include "base/base.h"
#include "cli/console.h"

typedef struct table_column {
    const char *head;
    bool is_right; /* numbers */
    int narrowest; /* columns that a long text may be cut to where the terminal is narrow; 0: never */
} table_column;

typedef struct table_cell {
    const char *text, *color; /* color: an escape of the console's, NULL for none */
} table_cell;

typedef struct table {
    ty_arena *arena; /* the caller's: cells live there */
    const table_column *columns;
    int64_t n_columns;
    table_cell *cells; /* row by row */
    int64_t n, capacity;
    bool is_short; /* memory ran out; the table prints nothing then */
} table;

/* Adds the next cell, from left to right and row by row; texts are copied. */
void table_add(table *t, const char *text, const char *color);
void table_addf(table *t, const char *format, ...) TY_PRINTF(2, 3);
void table_add_number(table *t, double value); /* six digits; "-" stands for none: table_add */

/* Appends the head and all whole rows. On a terminal texts are cut, with an ellipsis, so that a row
 * is one line; elsewhere nothing is. */
void table_write(const table *t, const console *c, ty_text *out);

/* text cut to so many columns, its last one an ellipsis. */
void table_add_cut(ty_text *out, const char *text, int columns);

#endif
