#include "cli/pictures/plot_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pictures/axis.h"

enum { MARGIN = 11, LEAST_COLUMNS = 40, MOST_COLUMNS = 400, LEAST_ROWS = 4, MOST_ROWS = 200 };

typedef struct cell {
    unsigned char dots; /* of braille: bits as in Unicode, U+2800 + dots */
    int line;           /* that was drawn here last, plus one; 0: none */
} cell;

typedef struct canvas {
    cell *cells;
    int columns, rows;
    axis x, y; /* in dots, from the left and from the top */
    int64_t n;
} canvas;

static void measure(canvas *v, const plot *p) {
    const axis_kind kind = p->y_is_log ? AXIS_LOG : AXIS_LINEAR;
    range x = {0}, y = {0};
    for (int64_t l = 0; l < p->n_lines; l++)
        for (int64_t i = 0; i < p->lines[l].n; i++)
            if (isfinite(p->lines[l].x[i]) && isfinite(p->lines[l].y[i])) {
                range_take(&x, p->lines[l].x[i]);
                range_take(&y, p->lines[l].y[i]);
            }
    if (y.high <= y.low)
        range_widen(&y, kind, 0);
    v->x = axis_over(&x, AXIS_LINEAR, 0, 2 * v->columns - 1);
    v->y = axis_over(&y, kind, 4 * v->rows - 1, 0);
    v->n = y.n;
}

static int to_dot(const axis *a, double v) {
    return (int)lround(axis_place(a, v));
}

/* Unicode numbers the dots 1 2 3 7 down the left and 4 5 6 8 down the right. */
static void set_dot(canvas *v, int column, int row, int line) {
    static const unsigned char bits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (column < 0 || row < 0 || column >= 2 * v->columns || row >= 4 * v->rows)
        return;
    cell *at = &v->cells[row / 4 * v->columns + column / 2];
    at->dots |= bits[row % 4][column % 2];
    at->line = line;
}

/* Every column or row of dots between the two, whichever are more. */
static void draw_segment(canvas *v, int x0, int y0, int x1, int y1, int line) {
    const int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int i = 0; i <= steps; i++) {
        const double t = steps > 0 ? (double)i / steps : 0;
        set_dot(v, x0 + (int)lround(t * (x1 - x0)), y0 + (int)lround(t * (y1 - y0)), line);
    }
}

static void draw_line(canvas *v, const plot_line *line, int number) {
    bool is_open = false;
    int x = 0, y = 0;
    for (int64_t i = 0; i < line->n; i++) {
        const bool is_finite = isfinite(line->x[i]) && isfinite(line->y[i]);
        if (is_finite) {
            const int new_x = to_dot(&v->x, line->x[i]), new_y = to_dot(&v->y, line->y[i]);
            draw_segment(v, is_open ? x : new_x, is_open ? y : new_y, new_x, new_y, number);
            x = new_x;
            y = new_y;
        }
        is_open = is_finite;
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static const char *color_of(const console *c, int line) {
    switch ((line - 1) % 6) {
    case 0:
        return console_blue(c);
    case 1:
        return console_yellow(c);
    case 2:
        return console_green(c);
    case 3:
        return console_magenta(c);
    case 4:
        return console_cyan(c);
    default:
        return console_red(c);
    }
}

static void add_dots(ty_text *out, unsigned char dots) {
    const char utf8[4] = {'\xe2', (char)(0xa0 | dots >> 6), (char)(0x80 | (dots & 0x3f)), '\0'};
    ty_text_add(out, utf8);
}

static char letter_of(int line) {
    return (char)('a' + (line - 1) % 26);
}

static void add_cells(const canvas *v, const console *c, int row, bool in_letters, ty_text *out) {
    int line = 0;
    for (int k = 0; k < v->columns; k++) {
        const cell *at = &v->cells[row * v->columns + k];
        if (at->line != 0 && at->line != line && !in_letters)
            ty_text_add(out, color_of(c, at->line));
        line = at->line != 0 ? at->line : line;
        if (at->line == 0)
            ty_text_add(out, " ");
        else if (in_letters)
            ty_text_add_n(out, (char[]){letter_of(at->line)}, 1);
        else
            add_dots(out, at->dots);
    }
    if (line != 0 && !in_letters)
        ty_text_add(out, console_plain(c));
}

static void add_rows(const canvas *v, const console *c, bool in_letters, ty_text *out) {
    for (int row = 0; row < v->rows; row++) {
        const bool is_told = row % 4 == 0 || row + 1 == v->rows;
        const double y = axis_value(&v->y, 1 - (double)row / (v->rows - 1));
        const double zero = (v->y.high / 2 - v->y.low / 2) * 1e-9;
        char label[32] = "";
        if (is_told)
            (void)snprintf(label, sizeof label, "%.4g",
                           v->y.kind == AXIS_LINEAR && fabs(y) < zero ? 0.0 : y);
        ty_text_addf(out, "%s%*s %s%s", console_dim(c), MARGIN - 2, label,
                     is_told ? "\xe2\x94\xa4" : "\xe2\x94\x82", console_plain(c));
        add_cells(v, c, row, in_letters, out);
        ty_text_add(out, "\n");
    }
}

static void add_axis(const canvas *v, const plot *p, const console *c, ty_text *out) {
    char left[32], right[32];
    (void)snprintf(left, sizeof left, "%.6g", v->x.low);
    (void)snprintf(right, sizeof right, "%.6g", v->x.high);
    const int middle = v->columns - (int)strlen(left) - (int)strlen(right);
    const int label = console_columns(p->x_label);
    const int before = middle > label ? (middle - label) / 2 : 0;
    ty_text_addf(out, "%s%*s\xe2\x94\x94", console_dim(c), MARGIN - 1, "");
    for (int k = 0; k < v->columns; k++)
        ty_text_add(out, "\xe2\x94\x80");
    ty_text_addf(out, "\n%*s%s%*s%s%*s%s%s\n", MARGIN, "", left, before, "", p->x_label,
                 middle > label + before ? middle - label - before : 1, "", right,
                 console_plain(c));
}

static void add_names(const plot *p, const console *c, bool in_letters, ty_text *out) {
    for (int64_t l = 0; l < p->n_lines; l++) {
        ty_text_addf(out, "%*s", MARGIN, "");
        if (in_letters)
            ty_text_addf(out, "%c   ", letter_of((int)l + 1));
        else
            ty_text_addf(out, "%s\xe2\xa0\xa4\xe2\xa0\xa4%s  ", color_of(c, (int)l + 1),
                         console_plain(c));
        ty_text_addf(out, "%s\n", p->lines[l].label);
    }
}

static int limited(int value, int least, int most) {
    return value < least ? least : value > most ? most : value;
}

void plot_text(const plot *p, const console *c, int columns, int rows, ty_text *out) {
    const bool in_letters = p->n_lines > 1 && !c->prints_color;
    canvas v = {.columns = limited(columns, LEAST_COLUMNS, MOST_COLUMNS) - MARGIN - 1,
                .rows = limited(rows, LEAST_ROWS, MOST_ROWS)};
    measure(&v, p);
    if (v.n == 0)
        return;
    v.cells = calloc((size_t)v.columns * (size_t)v.rows, sizeof *v.cells);
    if (!v.cells) {
        out->is_short = true;
        return;
    }
    for (int64_t l = 0; l < p->n_lines; l++)
        draw_line(&v, &p->lines[l], (int)l + 1);
    ty_text_addf(out, "%*s%s%s%s\n", MARGIN, "", console_bold(c), p->title, console_plain(c));
    add_rows(&v, c, in_letters, out);
    add_axis(&v, p, c, out);
    add_names(p, c, in_letters, out);
    free(v.cells);
}
