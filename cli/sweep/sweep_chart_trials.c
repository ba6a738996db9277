/* Trials one after another: their values, their curves, when they ran. */
#include <math.h>

#include "cli/sweep/sweep_chart.h"

enum { WIDE = CHART_WIDTH - CHART_RIGHT };

/* --- history ------------------------------------------------------------------------------------ */

/* A mark that says more when it is pointed at; where there are many, they share a path. */
enum { MANY = 600 };

static void add_told_mark(const sweep_view *v, const ty_trial *t, double x, double y,
                          ty_text *out) {
    const chart_look look = chart_look_of(v, t);
    ty_text mark = {0};
    chart_add_mark(&mark, look, x, y);
    ty_text_addf(out, "<path class='mark %s' d='%s'><title>trial %zu: %s", chart_look_names[look],
                 ty_text_string(&mark), t->number, chart_look_words[look]);
    if (isfinite(chart_value(v, t)))
        ty_text_addf(out, ", %.6g", chart_value(v, t));
    ty_text_add(out, *t->reason ? ", " : "");
    axis_add_words(out, t->reason, 100);
    ty_text_add(out, "</title></path>");
    out->is_short |= mark.is_short;
    ty_text_clear(&mark);
}

static void add_trials(const sweep_view *v, const axis *x, const axis *y, ty_text *out) {
    ty_text paths[LOOKS] = {0};
    for (size_t i = 0; i < v->n; i++) {
        const double value = chart_value(v, v->trials[i]);
        const double at = axis_place(x, (double)i);
        /* Who has no value lies on the floor. */
        const double level = isfinite(value) ? axis_place(y, value) : y->from - 6;
        const chart_look look = chart_look_of(v, v->trials[i]);
        if (v->n <= MANY)
            add_told_mark(v, v->trials[i], at, level, out);
        else
            chart_add_mark(&paths[look], look, at, level);
    }
    for (int look = 0; look < LOOKS; look++)
        chart_end_marks(&paths[look], (chart_look)look, out);
}

static void add_best_line(const sweep_view *v, const axis *x, const axis *y, ty_text *out) {
    double best = NAN;
    ty_text_add(out, "<path class='curve best' d='");
    for (size_t i = 0; i < v->n; i++) {
        if (!chart_is_better(v, v->trials[i], best))
            continue;
        ty_text_addf(out, isnan(best) ? "M%.1f %.1f" : "H%.1fV%.1f", axis_place(x, (double)i),
                     axis_place(y, v->trials[i]->value));
        best = v->trials[i]->value;
    }
    if (!isnan(best))
        ty_text_addf(out, "H%.1f", axis_place(x, (double)v->n - 1));
    ty_text_add(out, "'/>");
    if (v->best)
        chart_add_ring(v, axis_place(x, (double)v->best->number), axis_place(y, v->best->value),
                       out);
}

double chart_history(const sweep_view *v, ty_text *out) {
    enum { TOP = 24, BOTTOM = 340 };
    if (v->n == 0)
        return chart_say_nothing(out, "no trial has begun");
    const chart_panel p = {.x = chart_number_axis(v, CHART_LEFT, WIDE),
                           .y = chart_value_axis(v, BOTTOM, TOP),
                           .x_label = "trial",
                           .y_label = v->metric,
                           .x_ticks = 8,
                           .y_ticks = 6,
                           .has_y_text = chart_has_values(v)};
    chart_add_panel(&p, out);
    add_trials(v, &p.x, &p.y, out);
    add_best_line(v, &p.x, &p.y, out);
    chart_add_legend(v, 12, out);
    chart_add_text(out, WIDE, 12, "end", "line: the best so far", 40);
    return BOTTOM + 40;
}

/* --- intermediate values ------------------------------------------------------------------------ */

enum { POINTS = 60000 }; /* of all curves together, about */

/* Not every point of many long curves: first, last, and evenly in between. */
static size_t stride_of(const sweep_view *v, const ty_trial *t) {
    const size_t room = POINTS / v->n > 8 ? POINTS / v->n : 8;
    return t->reports > room ? (t->reports + room - 1) / room : 1;
}

static void add_curve(const sweep_view *v, const ty_trial *t, const chart_panel *p, ty_text *out) {
    const char *look = t == v->best ? "best" : chart_look_names[chart_look_of(v, t)];
    const size_t stride = stride_of(v, t);
    const char *move = "M";
    ty_text_addf(out, "<path class='curve %s' d='", look);
    for (size_t i = 0; i < t->reports; i++) {
        const double value = chart_report(v, t, i);
        if (i % stride != 0 && i + 1 != t->reports)
            continue;
        if (isfinite(value))
            ty_text_addf(out, "%s%.1f %.1f", move, axis_place(&p->x, t->step[i]),
                         axis_place(&p->y, value));
        move = isfinite(value) ? "L" : "M";
    }
    ty_text_addf(out, "'><title>trial %zu</title></path>", t->number);
}

/* How a curve ended; a whole one needs no mark. */
static void add_ends(const sweep_view *v, const chart_panel *p, ty_text *out) {
    ty_text paths[LOOKS] = {0};
    for (size_t i = 0; i < v->n; i++) {
        const ty_trial *t = v->trials[i];
        const chart_look look = chart_look_of(v, t);
        size_t last = t->reports;
        while (last > 0 && !isfinite(t->reported[last - 1]))
            last--;
        if (last > 0 && (look != LOOK_DONE || t->reports == 1))
            chart_add_mark(&paths[look], look, axis_place(&p->x, t->step[last - 1]),
                           axis_place(&p->y, chart_report(v, t, last - 1)));
    }
    for (int look = 0; look < LOOKS; look++)
        chart_end_marks(&paths[look], (chart_look)look, out);
}

static void take_reports(const sweep_view *v, range *steps, range *values) {
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->trials[i]->reports; k++)
            if (isfinite(v->trials[i]->reported[k])) {
                range_take(steps, v->trials[i]->step[k]);
                range_take(values, chart_report(v, v->trials[i], k));
            }
}

static bool has_whole_steps(const sweep_view *v) {
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->trials[i]->reports; k++)
            if (v->trials[i]->step[k] != floor(v->trials[i]->step[k]))
                return false;
    return true;
}

double chart_intermediate(const sweep_view *v, ty_text *out) {
    enum { TOP = 24, BOTTOM = 380 };
    range steps = {0}, values = {0};
    take_reports(v, &steps, &values);
    if (values.n == 0)
        return chart_say_nothing(out, "no trial has reported a finite value");
    const axis_kind kind = chart_value_kind(v, &values);
    range_widen(&values, kind, 0.05);
    range_widen(&steps, AXIS_LINEAR, 0.02);
    chart_panel p = {.x = axis_over(&steps, AXIS_LINEAR, CHART_LEFT, WIDE),
                     .y = axis_over(&values, kind, BOTTOM, TOP),
                     .x_label = "step",
                     .y_label = v->metric,
                     .x_ticks = 8,
                     .y_ticks = 6,
                     .has_y_text = true};
    p.x.is_whole = has_whole_steps(v);
    chart_add_panel(&p, out);
    for (size_t i = 0; i < v->n; i++)
        if (v->trials[i] != v->best && v->trials[i]->reports > 1)
            add_curve(v, v->trials[i], &p, out);
    if (v->best && v->best->reports > 1)
        add_curve(v, v->best, &p, out);
    add_ends(v, &p, out);
    chart_add_legend(v, 12, out);
    if (v->best)
        chart_add_text(out, WIDE, 12, "end", "strong line: the best trial", 40);
    return BOTTOM + 40;
}

/* --- timeline ----------------------------------------------------------------------------------- */

typedef struct clock_face {
    const char *label;
    double ns; /* of a unit */
} clock_face;

static clock_face face_of(int64_t span_ns) {
    const double seconds = (double)span_ns / 1e9;
    if (seconds < 120)
        return (clock_face){"seconds since the first trial began", 1e9};
    if (seconds < 7200)
        return (clock_face){"minutes since the first trial began", 60e9};
    return (clock_face){"hours since the first trial began", 3600e9};
}

/* When a leg ended, or how far it has come. One of a sweep that was killed has no end. */
static int64_t end_of(const sweep_view *v, const ty_trial *t, const ty_leg *leg) {
    if (leg->told_ns > 0)
        return leg->told_ns;
    return t->is_lost ? leg->asked_ns : v->now_ns;
}

static void span_of(const sweep_view *v, int64_t *first, int64_t *last) {
    *first = INT64_MAX;
    *last = 0;
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->trials[i]->leg_count; k++) {
            const ty_leg *leg = &v->trials[i]->legs[k];
            const int64_t end = end_of(v, v->trials[i], leg);
            *first = leg->asked_ns < *first ? leg->asked_ns : *first;
            *last = end > *last ? end : *last;
        }
}

static void add_leg(const sweep_view *v, const ty_trial *t, const ty_leg *leg, int64_t zero,
                    const clock_face *face, const chart_panel *p, ty_text *out) {
    const bool is_last = leg == &t->legs[t->leg_count - 1];
    const chart_look look = is_last ? chart_look_of(v, t) : LOOK_PAUSED;
    const double x0 = axis_place(&p->x, (double)(leg->asked_ns - zero) / face->ns);
    const double x1 = axis_place(&p->x, (double)(end_of(v, t, leg) - zero) / face->ns);
    const double y0 = axis_place(&p->y, (double)t->number - 0.4);
    const double y1 = axis_place(&p->y, (double)t->number + 0.4);
    ty_text_addf(out,
                 "<rect class='bar %s' x='%.1f' y='%.2f' width='%.1f' height='%.2f'><title>trial "
                 "%zu: %s</title></rect>",
                 chart_look_names[look], x0, y0, fmax(x1 - x0, 1), y1 - y0, t->number,
                 chart_look_words[look]);
}

double chart_timeline(const sweep_view *v, ty_text *out) {
    enum { TOP = 24, LEAST = 60, MOST = 620, ROW = 14 };
    int64_t first, last;
    range times = {0};
    span_of(v, &first, &last);
    if (v->n == 0 || first > last)
        return chart_say_nothing(out, "no trial has begun");
    const clock_face face = face_of(last - first);
    const double bottom = TOP + fmax(fmin(ROW * (double)v->n, MOST), LEAST);
    range_take(&times, 0);
    range_take(&times, (double)(last - first) / face.ns);
    const chart_panel p = {.x = axis_over(&times, AXIS_LINEAR, CHART_LEFT, WIDE),
                           .y = chart_number_axis(v, TOP, bottom),
                           .x_label = face.label,
                           .y_label = "trial",
                           .x_ticks = 8,
                           .y_ticks = 8, /* trials run downwards */
                           .has_y_text = true};
    chart_add_panel(&p, out);
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; k < v->trials[i]->leg_count; k++)
            add_leg(v, v->trials[i], &v->trials[i]->legs[k], first, &face, &p, out);
    chart_add_legend(v, 12, out);
    return bottom + 40;
}
