#include "cli/pictures/plot.h"

#include <math.h>
#include <string.h>

#include "cli/pictures/axis.h"

enum { WIDTH = 520, HEIGHT = 260, LEFT = 56, RIGHT = 14, TOP = 30, BOTTOM = 40 };

static const char *const colors[] = {"#2563eb", "#ea580c", "#059669",
                                     "#7c3aed", "#db2777", "#475569"};

typedef struct box {
    axis x, y;
    int64_t n; /* finite points seen */
} box;

static box bounds(const plot *p) {
    range x = {0}, y = {0};
    for (int64_t l = 0; l < p->n_lines; l++)
        for (int64_t i = 0; i < p->lines[l].n; i++)
            if (isfinite(p->lines[l].x[i]) && isfinite(p->lines[l].y[i])) {
                range_take(&x, p->lines[l].x[i]);
                range_take(&y, p->lines[l].y[i]);
            }
    const axis_kind kind = p->y_is_log ? AXIS_LOG : AXIS_LINEAR;
    range_widen(&y, kind, 0.05);
    return (box){.x = axis_over(&x, AXIS_LINEAR, LEFT, WIDTH - RIGHT),
                 .y = axis_over(&y, kind, HEIGHT - BOTTOM, TOP),
                 .n = y.n};
}

static void add_axes(const plot *p, const box *b, ty_text *out) {
    enum { TICKS = 5 };
    axis_draw_left(&b->y, TICKS, LEFT, WIDTH - RIGHT, true, out);
    axis_draw_bottom(&b->x, TICKS, HEIGHT - BOTTOM, out);
    ty_text_addf(out, "<text x='%d' y='%d' class='tick' text-anchor='middle'>", (LEFT + WIDTH) / 2,
                 HEIGHT - 6);
    ty_text_add_html(out, p->x_label);
    ty_text_add(out, "</text>");
}

/* One pixel column keeps its first, lowest, highest and last point: a long curve keeps its shape
 * and its spikes. */
typedef struct column {
    int px;
    double first, low, high, last;
    bool has;
} column;

static void add_column(const column *c, bool *is_open, ty_text *out) {
    if (!c->has)
        return;
    ty_text_addf(out, "%s%d %.1f", *is_open ? "L" : "M", c->px, c->first);
    if (c->high - c->low > 0.5)
        ty_text_addf(out, "L%d %.1fL%d %.1fL%d %.1f", c->px, c->low, c->px, c->high, c->px,
                     c->last);
    *is_open = true;
}

enum { N_COLORS = sizeof colors / sizeof colors[0] };

static void add_stroke(int64_t l, ty_text *out) {
    static const char *const dashes[] = {"", " stroke-dasharray='6 3'", " stroke-dasharray='2 3'"};
    ty_text_addf(out, "class='l%d' stroke-width='1.8' stroke='%s'%s", (int)(l % N_COLORS),
                 colors[l % N_COLORS], dashes[l / N_COLORS % 3]);
}

static void add_line(const plot_line *line, int64_t l, const box *b, ty_text *out) {
    bool is_open = false;
    column c = {.px = -1};
    ty_text_add(out, "<path fill='none' ");
    add_stroke(l, out);
    ty_text_add(out, " d='");
    for (int64_t i = 0; i < line->n; i++) {
        bool is_finite = isfinite(line->x[i]) && isfinite(line->y[i]);
        int px = is_finite ? (int)lround(axis_place(&b->x, line->x[i])) : -1;
        double py = is_finite ? axis_place(&b->y, line->y[i]) : 0;
        if (px != c.px) {
            add_column(&c, &is_open, out);
            is_open = is_open && is_finite;
            c = (column){
                .px = px, .first = py, .low = py, .high = py, .last = py, .has = is_finite};
        }
        c.low = fmin(c.low, py);
        c.high = fmax(c.high, py);
        c.last = py;
    }
    add_column(&c, &is_open, out);
    ty_text_add(out, "'/>");
    if (line->n == 1 && c.has)
        ty_text_addf(out, "<circle cx='%d' cy='%.1f' r='3' fill='%s'/>", c.px, c.last,
                     colors[l % N_COLORS]);
}

static void add_legend(const plot *p, ty_text *out) {
    int x = LEFT;
    for (int64_t l = 0; l < p->n_lines; l++) {
        const char *label = p->lines[l].label;
        ty_text_addf(out, "<rect x='%d' y='16' width='10' height='3' fill='%s'/>", x,
                     colors[l % N_COLORS]);
        ty_text_addf(out, "<text x='%d' y='21' class='tick'>", x + 14);
        ty_text_add_html(out, label);
        ty_text_add(out, "</text>");
        x += 34 + 7 * (int)strlen(label);
    }
}

void plot_svg(const plot *p, ty_text *out) {
    box b = bounds(p);
    if (b.n < 2)
        return;
    ty_text_addf(out, "<svg viewBox='0 0 %d %d' role='img' aria-label='", WIDTH, HEIGHT);
    ty_text_add_html(out, p->title);
    ty_text_add(out, "'>");
    add_axes(p, &b, out);
    for (int64_t l = 0; l < p->n_lines; l++)
        add_line(&p->lines[l], l, &b, out);
    add_legend(p, out);
    ty_text_add(out, "</svg>\n");
}

/* --- a file of its own ------------------------------------------------------------------------ */

enum { ROW = 16 };

static const char file_style[] =
    "<style>text{font-family:system-ui,sans-serif}.tick{font-size:11px;fill:#475569}"
    ".title{font-size:14px;font-weight:600;fill:#0f172a}.grid{stroke:#e2e8f0}.paper{fill:#fff}"
    "@media(prefers-color-scheme:dark){.paper{fill:#0f172a}.tick{fill:#cbd5e1}"
    ".title{fill:#f1f5f9}.grid{stroke:#334155}.l0{stroke:#60a5fa}.l1{stroke:#fb923c}"
    ".l2{stroke:#34d399}.l3{stroke:#a78bfa}.l4{stroke:#f472b6}.l5{stroke:#94a3b8}}</style>";

static void add_names(const plot *p, ty_text *out) {
    for (int64_t l = 0; l < p->n_lines; l++) {
        const int y = HEIGHT + ROW * (int)l + 4;
        ty_text_addf(out, "<line x1='%d' x2='%d' y1='%d' y2='%d' ", LEFT, LEFT + 24, y, y);
        add_stroke(l, out);
        ty_text_addf(out, "/><text x='%d' y='%d' class='tick'>", LEFT + 32, y + 4);
        ty_text_add_html(out, p->lines[l].label);
        ty_text_add(out, "</text>");
    }
}

void plot_svg_file(const plot *p, ty_text *out) {
    const int height = HEIGHT + ROW * (int)p->n_lines + 4;
    const box b = bounds(p);
    ty_text_addf(out,
                 "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' "
                 "height='%d'>%s<title>",
                 WIDTH, height, 2 * WIDTH, 2 * height, file_style);
    ty_text_add_html(out, p->title);
    ty_text_addf(out,
                 "</title><rect class='paper' width='%d' height='%d'/>"
                 "<text class='title' x='%d' y='20'>",
                 WIDTH, height, LEFT);
    ty_text_add_html(out, p->title);
    ty_text_add(out, "</text>");
    if (b.n == 0)
        ty_text_addf(out, "<text class='tick' x='%d' y='%d'>no finite points</text>", LEFT,
                     HEIGHT / 2);
    if (b.n > 0)
        add_axes(p, &b, out);
    for (int64_t l = 0; b.n > 0 && l < p->n_lines; l++)
        add_line(&p->lines[l], l, &b, out);
    add_names(p, out);
    ty_text_add(out, "</svg>\n");
}
