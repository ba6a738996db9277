#include "cli/plot.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 520, HEIGHT = 260, LEFT = 56, RIGHT = 14, TOP = 30, BOTTOM = 40 };

static const char *const colors[] = {"#2563eb", "#ea580c", "#059669",
                                     "#7c3aed", "#db2777", "#475569"};

typedef struct box {
    double x0, x1, y0, y1;
    int64_t n; /* finite points seen */
} box;

static void grow(box *b, double x, double y) {
    if (!isfinite(x) || !isfinite(y))
        return;
    b->x0 = b->n ? fmin(b->x0, x) : x;
    b->x1 = b->n ? fmax(b->x1, x) : x;
    b->y0 = b->n ? fmin(b->y0, y) : y;
    b->y1 = b->n ? fmax(b->y1, y) : y;
    b->n++;
}

static box bounds(const plot *p) {
    box b = {0};
    for (int64_t l = 0; l < p->n_lines; l++)
        for (int64_t i = 0; i < p->lines[l].n; i++)
            grow(&b, p->lines[l].x[i], p->lines[l].y[i]);
    if (b.x1 <= b.x0)
        b.x1 = b.x0 + 1;
    double pad = b.y1 > b.y0 ? 0.05 * (b.y1 - b.y0) : fmax(fabs(b.y0) * 0.1, 1e-3);
    b.y0 -= pad;
    b.y1 += pad;
    return b;
}

static double to_px(const box *b, double x) {
    return LEFT + (x - b->x0) / (b->x1 - b->x0) * (WIDTH - LEFT - RIGHT);
}

static double to_py(const box *b, double y) {
    return HEIGHT - BOTTOM - (y - b->y0) / (b->y1 - b->y0) * (HEIGHT - TOP - BOTTOM);
}

/* The 1, 2 or 5 times a power of ten that cuts the span into about five (Heckbert 1990, nice
 * numbers). */
static double nice_step(double span) {
    double raw = span / 5, power = pow(10, floor(log10(raw))), mantissa = raw / power;
    return power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
}

static void add_axes(const plot *p, const box *b, ty_text *out) {
    double step_y = nice_step(b->y1 - b->y0), step_x = nice_step(b->x1 - b->x0);
    for (double y = ceil(b->y0 / step_y) * step_y; y <= b->y1; y += step_y)
        ty_text_addf(out,
                     "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' class='grid'/>"
                     "<text x='%d' y='%.1f' class='tick' text-anchor='end'>%.4g</text>",
                     LEFT, WIDTH - RIGHT, to_py(b, y), to_py(b, y), LEFT - 6, to_py(b, y) + 4,
                     fabs(y) < step_y * 1e-9 ? 0.0 : y);
    for (double x = ceil(b->x0 / step_x) * step_x; x <= b->x1; x += step_x)
        ty_text_addf(out, "<text x='%.1f' y='%d' class='tick' text-anchor='middle'>%.6g</text>",
                     to_px(b, x), HEIGHT - BOTTOM + 16, x);
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
        int px = is_finite ? (int)lround(to_px(b, line->x[i])) : -1;
        double py = is_finite ? to_py(b, line->y[i]) : 0;
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
