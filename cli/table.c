#include "cli/table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { GAP = 2, MAX_COLUMNS = 64 };

static table_cell *next_cell(table *t) {
    if (t->n == t->capacity) {
        const int64_t capacity = t->capacity != 0 ? t->capacity * 2 : 256;
        table_cell *cells = ty_arena_array(t->arena, (size_t)capacity, sizeof *cells);
        if (!cells) {
            t->is_short = true;
            return NULL;
        }
        if (t->n != 0)
            memcpy(cells, t->cells, (size_t)t->n * sizeof *cells);
        t->cells = cells;
        t->capacity = capacity;
    }
    return &t->cells[t->n++];
}

/* A cell is one line. */
static const char *one_line(table *t, const char *text) {
    char *copy = ty_arena_string(t->arena, text);
    t->is_short = t->is_short || !copy;
    for (char *at = copy; at && *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    return copy;
}

void table_add(table *t, const char *text, const char *color) {
    const char *copy = one_line(t, text);
    table_cell *cell = next_cell(t);
    if (cell)
        *cell = (table_cell){.text = copy ? copy : "", .color = color};
}

void table_addf(table *t, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_add(t, text, NULL);
}

void table_add_number(table *t, double value) {
    if (isnan(value))
        table_add(t, "NaN", NULL);
    else
        table_addf(t, "%.6g", value);
}

void table_add_cut(ty_text *out, const char *text, int columns) {
    const char *at = text;
    if (console_columns(text) <= columns) {
        ty_text_add(out, text);
        return;
    }
    for (int i = 0; i + 1 < columns && *at; i++) {
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
    }
    ty_text_add_n(out, text, (size_t)(at - text));
    ty_text_add(out, columns > 0 ? "\xe2\x80\xa6" : "");
}

static void measure(const table *t, int *widths) {
    for (int64_t k = 0; k < t->n_columns; k++)
        widths[k] = console_columns(t->columns[k].head);
    for (int64_t i = 0; i < t->n; i++) {
        const int columns = console_columns(t->cells[i].text);
        int *width = &widths[i % t->n_columns];
        *width = columns > *width ? columns : *width;
    }
}

/* The column that has the most to give; -1: none has. */
static int64_t widest(const table *t, const int *widths) {
    int64_t best = -1;
    for (int64_t k = 0; k < t->n_columns; k++) {
        const int narrowest = t->columns[k].narrowest;
        if (narrowest > 0 && widths[k] > narrowest && (best < 0 || widths[k] > widths[best]))
            best = k;
    }
    return best;
}

static void fit(const table *t, int *widths, int columns) {
    int total = -GAP;
    for (int64_t k = 0; k < t->n_columns; k++)
        total += widths[k] + GAP;
    for (int64_t k = widest(t, widths); total > columns && k >= 0; k = widest(t, widths)) {
        widths[k]--;
        total--;
    }
}

static void add_cell(const table *t, const console *c, int64_t k, const table_cell *cell, int width,
                     ty_text *out) {
    const int columns = console_columns(cell->text);
    const int blanks = columns < width ? width - columns : 0;
    const bool is_last = k + 1 == t->n_columns;
    ty_text_addf(out, "%*s%s", k > 0 ? GAP : 0, "", cell->color ? cell->color : "");
    if (t->columns[k].is_right)
        ty_text_addf(out, "%*s", blanks, "");
    table_add_cut(out, cell->text, width);
    ty_text_add(out, cell->color ? console_plain(c) : "");
    if (!t->columns[k].is_right && !is_last)
        ty_text_addf(out, "%*s", blanks, "");
}

void table_write(const table *t, const console *c, ty_text *out) {
    int widths[MAX_COLUMNS] = {0};
    if (t->is_short || t->n_columns > MAX_COLUMNS || t->n_columns < 1)
        return;
    measure(t, widths);
    if (c->prints_on_terminal)
        fit(t, widths, c->width);
    for (int64_t k = 0; k < t->n_columns; k++) {
        const table_cell head = {.text = t->columns[k].head, .color = console_dim(c)};
        add_cell(t, c, k, &head, widths[k], out);
    }
    ty_text_add(out, "\n");
    for (int64_t i = 0; i + t->n_columns <= t->n; i += t->n_columns) {
        for (int64_t k = 0; k < t->n_columns; k++)
            add_cell(t, c, k, &t->cells[i + k], widths[k], out);
        ty_text_add(out, "\n");
    }
}
