/* Trials over their parameters: one by one, in pairs, and how much each mattered. */
#include <math.h>
#include <stdlib.h>

#include "cli/sweep/sweep_chart.h"

/* A grid of panels of one size. */
typedef struct layout {
    int columns;
    double width, height; /* of a panel */
    double gap_x, gap_y;
    double left;
} layout;

static layout layout_of(size_t panels, double gap_x, double left) {
    enum { MOST = 3, ROOM = 64 };
    const int columns = panels < MOST ? (int)panels : MOST;
    return (layout){.columns = columns,
                    .width = (CHART_WIDTH - CHART_RIGHT - left - gap_x * (columns - 1)) / columns,
                    .height = columns == 1   ? 260
                              : columns == 2 ? 210
                                             : 160,
                    .gap_x = gap_x,
                    .gap_y = ROOM,
                    .left = left};
}

static double left_of(const layout *l, size_t i) {
    return l->left + (double)(i % (size_t)l->columns) * (l->width + l->gap_x);
}

enum { TOP = 26 };

static double top_of(const layout *l, size_t i) {
    return TOP + (double)(i / (size_t)l->columns) * (l->height + l->gap_y);
}

/* --- slice -------------------------------------------------------------------------------------- */

/* Complete trials are darker the later they are; the palest levels are too pale for a dot. */
static int age_level(const sweep_view *v, size_t i) {
    enum { PALEST = 2 };
    return PALEST + (int)(i * (CHART_LEVELS - PALEST) / v->n);
}

static void end_dots(ty_text *path, int level, ty_text *out) {
    if (path->length > 0)
        ty_text_addf(out, "<path class='mark done q%d' d='%s'/>", level, ty_text_string(path));
    out->is_short |= path->is_short;
    ty_text_clear(path);
}

static void add_slice_marks(const sweep_view *v, size_t d, const chart_panel *p, ty_text *out) {
    ty_text dots[CHART_LEVELS] = {0}, marks[LOOKS] = {0};
    for (size_t i = 0; i < v->n; i++) {
        const ty_trial *t = v->trials[i];
        const double value = chart_value(v, t);
        const chart_look look = chart_look_of(v, t);
        if (isnan(t->x[d]))
            continue;
        chart_add_mark(look == LOOK_DONE ? &dots[age_level(v, i)] : &marks[look], look,
                       axis_place(&p->x, t->x[d]),
                       isfinite(value) ? axis_place(&p->y, value) : p->y.from - 6);
    }
    for (int look = 0; look < LOOKS; look++)
        chart_end_marks(&marks[look], (chart_look)look, out);
    for (int level = 0; level < CHART_LEVELS; level++)
        end_dots(&dots[level], level, out);
    if (v->best && !isnan(v->best->x[d]))
        chart_add_ring(v, axis_place(&p->x, v->best->x[d]), axis_place(&p->y, v->best->value), out);
}

static void add_slice(const sweep_view *v, const layout *l, size_t i, ty_text *out) {
    const double x = left_of(l, i), y = top_of(l, i);
    const bool is_first = i % (size_t)l->columns == 0;
    const size_t d = v->order[i];
    const chart_panel p = {.x = chart_param_axis(v, d, x, x + l->width),
                           .y = chart_value_axis(v, y + l->height, y),
                           .x_label = v->space->params[d].name,
                           .y_label = is_first ? v->metric : NULL,
                           .x_ticks = (int)(l->width / 63),
                           .y_ticks = 4,
                           .has_y_text = is_first};
    chart_add_panel(&p, out);
    add_slice_marks(v, d, &p, out);
}

double chart_slice(const sweep_view *v, ty_text *out) {
    const size_t n = v->space->count;
    if (!chart_has_values(v))
        return chart_say_nothing(out, "no trial has a value");
    if (n == 0)
        return chart_say_nothing(out, "there is no parameter");
    const layout l = layout_of(n, 24, CHART_LEFT);
    for (size_t i = 0; i < n; i++)
        add_slice(v, &l, i, out);
    chart_add_legend(v, 12, out);
    chart_add_ramp("done earlier", "later; ring: best", 12, out);
    return top_of(&l, n - 1) + l.height + 40;
}

/* --- contour ------------------------------------------------------------------------------------ */

/* The mean of the trials' ranks round each place, weighted by their distance (Nadaraya 1964, Watson
 * 1964); where no trial is near, nothing is said. Choices have no distance: each is for itself. */
enum { CELLS_X = 40, CELLS_Y = 28 };

typedef struct surface {
    const sweep_view *v;
    const double *ranks;
    size_t dx, dy;
    const chart_panel *p;
    int cells_x, cells_y;
    double cell_x, cell_y; /* pixels */
} surface;

static double squared_distance(const axis *a, double v, double pixel) {
    const double pixels = axis_place(a, v) - pixel, extent = fabs(a->to - a->from);
    if (a->kind == AXIS_CHOICE)
        return fabs(pixels) < 0.5 * extent / (a->high - a->low) ? 0 : INFINITY;
    return pixels * pixels / (extent * extent);
}

/* NAN: nobody is near. */
static double rank_round(const surface *s, double x, double y) {
    const double width = 0.07, least = 0.011; /* three widths from a single trial */
    double weights = 0, sum = 0;
    for (size_t i = 0; i < s->v->n; i++) {
        const double *at = s->v->trials[i]->x;
        if (isnan(s->ranks[i]) || isnan(at[s->dx]) || isnan(at[s->dy]))
            continue;
        const double far =
            squared_distance(&s->p->x, at[s->dx], x) + squared_distance(&s->p->y, at[s->dy], y);
        const double weight = exp(-far / (2 * width * width));
        weights += weight;
        sum += weight * s->ranks[i];
    }
    return weights >= least ? sum / weights : NAN;
}

static int level_at(const surface *s, int column, int row) {
    const double rank = rank_round(s, s->p->x.from + (column + 0.5) * s->cell_x,
                                   s->p->y.to + (row + 0.5) * s->cell_y);
    return isnan(rank) ? -1 : chart_level(rank);
}

/* Neighbours in a row that are alike are one rectangle. */
static void add_row(const surface *s, int row, ty_text *out) {
    int begun = 0, level = level_at(s, 0, row);
    for (int column = 1; column <= s->cells_x; column++) {
        const int next = column < s->cells_x ? level_at(s, column, row) : -2;
        if (next == level)
            continue;
        if (level >= 0)
            ty_text_addf(out,
                         "<rect class='bar q%d' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>",
                         level, s->p->x.from + begun * s->cell_x, s->p->y.to + row * s->cell_y,
                         (column - begun) * s->cell_x + 0.3, s->cell_y + 0.3);
        begun = column;
        level = next;
    }
}

static int cells_of(const axis *a, int usual) {
    const double count = a->high - a->low;
    return a->kind == AXIS_CHOICE && count < usual ? (int)(count + 0.5) : usual;
}

static void add_dots(const surface *s, ty_text *out) {
    ty_text path = {0};
    for (size_t i = 0; i < s->v->n; i++) {
        const double *at = s->v->trials[i]->x;
        if (!isnan(s->ranks[i]) && !isnan(at[s->dx]) && !isnan(at[s->dy]))
            ty_text_addf(&path, "M%.1f %.1fh0", axis_place(&s->p->x, at[s->dx]),
                         axis_place(&s->p->y, at[s->dy]));
    }
    /* Twice, so that a dot has an edge on any ground. */
    for (int i = 0; i < 2; i++)
        ty_text_addf(out, "<path class='dot%s' d='%s'/>", i ? "" : " edge", ty_text_string(&path));
    out->is_short |= path.is_short;
    ty_text_clear(&path);
}

static void add_surface(const sweep_view *v, const double *ranks, size_t dx, size_t dy,
                        const layout *l, size_t at, ty_text *out) {
    const double x = left_of(l, at), y = top_of(l, at);
    const chart_panel p = {.x = chart_param_axis(v, dx, x, x + l->width),
                           .y = chart_param_axis(v, dy, y + l->height, y),
                           .x_label = v->space->params[dx].name,
                           .y_label = v->space->params[dy].name,
                           .x_ticks = (int)(l->width / 65),
                           .y_ticks = 4,
                           .has_y_text = true};
    surface s = {.v = v, .ranks = ranks, .dx = dx, .dy = dy, .p = &p};
    s.cells_x = cells_of(&p.x, CELLS_X);
    s.cells_y = cells_of(&p.y, CELLS_Y);
    s.cell_x = l->width / s.cells_x;
    s.cell_y = l->height / s.cells_y;
    chart_add_panel(&p, out);
    for (int row = 0; row < s.cells_y; row++)
        add_row(&s, row, out);
    add_dots(&s, out);
}

static double add_pairs(const sweep_view *v, size_t n, const double *ranks, ty_text *out) {
    const size_t pairs = n * (n - 1) / 2;
    const layout l = layout_of(pairs, CHART_LEFT + 10, CHART_LEFT);
    size_t at = 0;
    for (size_t b = 1; b < n; b++)
        for (size_t a = 0; a < b; a++)
            add_surface(v, ranks, v->order[a], v->order[b], &l, at++, out);
    return top_of(&l, pairs - 1) + l.height + 40;
}

double chart_contour(const sweep_view *v, ty_text *out) {
    enum { MOST = 4 };
    const size_t n = v->space->count < MOST ? v->space->count : MOST;
    if (!chart_has_values(v))
        return chart_say_nothing(out, "no trial has a value");
    if (n < 2)
        return chart_say_nothing(out, "a pair wants two parameters");
    double *ranks = chart_ranks(v);
    if (!ranks) {
        out->is_short = true;
        return 0;
    }
    if (v->space->count > MOST)
        chart_add_text(out, CHART_LEFT, 12, "start",
                       v->share ? "the four that mattered most" : "the first four parameters", 40);
    chart_add_ramp("near trials of the worst values", "of the best", 12, out);
    const double height = add_pairs(v, n, ranks, out);
    free(ranks);
    return height;
}

/* --- importance --------------------------------------------------------------------------------- */

double chart_importance(const sweep_view *v, ty_text *out) {
    enum { ROW = 26, NAMES = 250, PERCENT = 60 };
    const double wide = CHART_WIDTH - CHART_RIGHT - NAMES - PERCENT;
    if (!v->share)
        return chart_say_nothing(out, "the complete trials say nothing yet of what matters");
    const double most = v->share[v->order[0]] > 0 ? v->share[v->order[0]] : 1;
    for (size_t i = 0; i < v->space->count; i++) {
        const size_t d = v->order[i];
        const double y = 8 + ROW * (double)i, width = wide * v->share[d] / most;
        char percent[16];
        (void)snprintf(percent, sizeof percent, "%.1f %%", 100 * v->share[d]);
        chart_add_text(out, NAMES - 10, y + 14, "end", v->space->params[d].name, 34);
        ty_text_addf(out,
                     "<rect class='bar done' x='%d' y='%.1f' width='%.1f' height='%d' rx='2'/>",
                     NAMES, y, fmax(width, 1), ROW - 8);
        chart_add_text(out, NAMES + fmax(width, 1) + 8, y + 14, "start", percent, 12);
    }
    return 16 + ROW * (double)v->space->count;
}
