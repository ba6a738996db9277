/* Charts of a sweep in a terminal's characters, through the line charts of plot_text.h: trials that
 * look alike are one line, with a gap between any two of them. */
#include <math.h>

#include "cli/pictures/plot_text.h"
#include "cli/sweep/sweep_plot.h"

enum { ROWS = 16 };

/* Lines by look, and the best: what there is of points for each. */
typedef struct strokes {
    plot_line lines[LOOKS + 1];
    int64_t n;
    range values;
    bool is_short;
} strokes;

typedef struct stroke {
    double *x, *y;
    int64_t n;
} stroke;

static bool open_stroke(stroke *to, ty_arena *arena, size_t points) {
    to->x = ty_arena_array(arena, points + 1, sizeof *to->x);
    to->y = ty_arena_array(arena, points + 1, sizeof *to->y);
    return to->x && to->y;
}

static void add_point(stroke *to, range *seen, double x, double y) {
    to->x[to->n] = x;
    to->y[to->n++] = y;
    range_take(seen, y);
}

static void take_stroke(strokes *all, const stroke *from, const char *label) {
    if (from->n > 0)
        all->lines[all->n++] =
            (plot_line){.label = label, .x = from->x, .y = from->y, .n = from->n};
}

static void draw(const sweep_view *v, const strokes *all, const char *x_label, const console *c,
                 ty_text *out) {
    const plot p = {.title = v->metric,
                    .x_label = x_label,
                    .lines = all->lines,
                    .n_lines = all->n,
                    .y_is_log = chart_value_kind(v, &all->values) == AXIS_LOG};
    out->is_short |= all->is_short;
    plot_text(&p, c, c->width, ROWS, out);
}

/* --- history ------------------------------------------------------------------------------------ */

static void add_values(const sweep_view *v, chart_look look, ty_arena *arena, strokes *all) {
    stroke to = {0};
    if (!open_stroke(&to, arena, 2 * v->n)) {
        all->is_short = true;
        return;
    }
    for (size_t i = 0; i < v->n; i++)
        if (chart_look_of(v, v->trials[i]) == look && isfinite(chart_value(v, v->trials[i]))) {
            add_point(&to, &all->values, (double)i, chart_value(v, v->trials[i]));
            add_point(&to, &all->values, NAN, NAN);
        }
    take_stroke(all, &to, chart_look_words[look]);
}

static void add_best(const sweep_view *v, ty_arena *arena, strokes *all) {
    stroke to = {0};
    double best = NAN;
    if (!open_stroke(&to, arena, v->n)) {
        all->is_short = true;
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        if (chart_is_better(v, v->trials[i], best))
            best = v->trials[i]->value;
        if (!isnan(best))
            add_point(&to, &all->values, (double)i, best);
    }
    take_stroke(all, &to, "the best so far");
}

void sweep_print_history(const sweep_view *v, const console *c, ty_arena *arena, ty_text *out) {
    strokes all = {0};
    for (int look = 0; look < LOOKS; look++)
        add_values(v, (chart_look)look, arena, &all);
    add_best(v, arena, &all);
    draw(v, &all, "trial", c, out);
}

/* --- intermediate values ------------------------------------------------------------------------ */

static size_t count_reports(const sweep_view *v) {
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        n += v->trials[i]->reports + 1;
    return n;
}

static void add_curve(const sweep_view *v, const ty_trial *t, stroke *to, range *seen) {
    for (size_t k = 0; k < t->reports; k++)
        add_point(to, seen, t->step[k], chart_report(v, t, k));
    add_point(to, seen, NAN, NAN);
}

static void add_curves(const sweep_view *v, chart_look look, size_t points, ty_arena *arena,
                       strokes *all) {
    stroke to = {0};
    if (!open_stroke(&to, arena, points)) {
        all->is_short = true;
        return;
    }
    for (size_t i = 0; i < v->n; i++)
        if (chart_look_of(v, v->trials[i]) == look && v->trials[i]->reports > 0)
            add_curve(v, v->trials[i], &to, &all->values);
    take_stroke(all, &to, chart_look_words[look]);
}

void sweep_print_intermediate(const sweep_view *v, const console *c, ty_arena *arena,
                              ty_text *out) {
    const size_t points = count_reports(v);
    strokes all = {0};
    stroke best = {0};
    for (int look = 0; look < LOOKS; look++)
        add_curves(v, (chart_look)look, points, arena, &all);
    if (v->best && v->best->reports > 0 && open_stroke(&best, arena, v->best->reports + 1)) {
        add_curve(v, v->best, &best, &all.values);
        take_stroke(&all, &best, "the best trial");
    }
    draw(v, &all, "step", c, out);
}
