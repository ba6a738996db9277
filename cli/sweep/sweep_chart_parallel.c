/* Parallel coordinates: one upright axis a parameter and one for the metric, a line a trial (Inselberg
 * 1985). Colour is the rank of the trial's value; who is better is drawn later. */
#include <math.h>
#include <stdlib.h>

#include "cli/sweep/sweep_chart.h"

enum { MOST = 10, TOP = 112, BOTTOM = 472, ABSENT = BOTTOM + 26, INSET = 80 };

typedef struct columns {
    const sweep_view *v;
    size_t n; /* parameters; the metric stands behind them */
    axis axes[MOST + 1];
    double x[MOST + 1];
    bool has_absent; /* a trial has no value of the metric, or of a parameter */
} columns;

static columns columns_of(const sweep_view *v) {
    columns c = {.v = v, .n = v->space->count < MOST ? v->space->count : MOST};
    const double step = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT - INSET) / (double)c.n;
    for (size_t i = 0; i <= c.n; i++) {
        c.x[i] = CHART_LEFT / 2.0 + step * (double)i;
        c.axes[i] = i < c.n ? chart_param_axis(v, v->order[i], BOTTOM, TOP)
                            : chart_value_axis(v, BOTTOM, TOP);
    }
    for (size_t t = 0; t < v->n; t++) {
        c.has_absent |= !isfinite(chart_value(v, v->trials[t]));
        for (size_t i = 0; i < c.n; i++)
            c.has_absent |= isnan(v->trials[t]->x[v->order[i]]);
    }
    return c;
}

static void add_axis(const columns *c, size_t i, ty_text *out) {
    axis_tick ticks[AXIS_MAX_TICKS];
    const int n = axis_ticks(&c->axes[i], 5, ticks);
    const char *name = i < c->n ? c->v->space->params[c->v->order[i]].name : c->v->metric;
    ty_text_addf(out, "<line class='frame' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/>", c->x[i], c->x[i],
                 TOP, BOTTOM);
    ty_text_addf(out, "<text class='tick' transform='translate(%.1f %d) rotate(-28)'>", c->x[i],
                 TOP - 10);
    axis_add_words(out, name, i < c->n ? 24 : 18);
    ty_text_add(out, "</text>");
    for (int k = 0; k < n; k++) {
        ty_text_addf(out, "<text class='tick halo' x='%.1f' y='%.1f'>", c->x[i] + 4,
                     axis_place(&c->axes[i], ticks[k].value) + 4);
        axis_add_words(out, ticks[k].text, 10);
        ty_text_add(out, "</text>");
    }
}

static void add_line(const columns *c, const ty_trial *t, const char *class, int level,
                     ty_text *out) {
    const double value = chart_value(c->v, t);
    ty_text_addf(out, "<path class='curve %s", class);
    if (level >= 0)
        ty_text_addf(out, " q%d", level);
    ty_text_add(out, "' d='");
    for (size_t i = 0; i <= c->n; i++) {
        const double at = i < c->n ? t->x[c->v->order[i]] : value;
        ty_text_addf(out, "%s%.1f %.1f", i ? "L" : "M", c->x[i],
                     isfinite(at) ? axis_place(&c->axes[i], at) : ABSENT);
    }
    ty_text_addf(out, "'><title>trial %zu</title></path>", t->number);
}

/* Who did not end with a value that counts, below the others. */
static void add_others(const columns *c, ty_text *out) {
    for (size_t i = 0; i < c->v->n; i++) {
        const ty_trial *t = c->v->trials[i];
        const chart_look look = chart_look_of(c->v, t);
        if (look != LOOK_DONE && t->state != TY_TRIAL_RUNNING)
            add_line(c, t, chart_look_names[look], -1, out);
    }
}

static void add_done(const columns *c, const double *ranks, ty_text *out) {
    const sweep_view *v = c->v;
    for (int level = 0; level < CHART_LEVELS; level++)
        for (size_t i = 0; i < v->n; i++)
            if (chart_look_of(v, v->trials[i]) == LOOK_DONE && v->trials[i] != v->best &&
                chart_level(ranks[i]) == level)
                add_line(c, v->trials[i], "", level, out);
    if (v->best)
        add_line(c, v->best, "best", -1, out);
}

double chart_parallel(const sweep_view *v, ty_text *out) {
    if (v->n == 0 || v->space->count == 0)
        return chart_say_nothing(out, v->n == 0 ? "no trial has begun" : "there is no parameter");
    double *ranks = chart_ranks(v);
    if (!ranks) {
        out->is_short = true;
        return 0;
    }
    const columns c = columns_of(v);
    add_others(&c, out);
    add_done(&c, ranks, out);
    for (size_t i = 0; i <= c.n; i++)
        add_axis(&c, i, out);
    if (c.has_absent)
        chart_add_text(out, 4, ABSENT + 18, "start", "lowest: plays no part, or has no value", 60);
    if (v->space->count > MOST)
        chart_add_text(
            out, CHART_WIDTH - CHART_RIGHT, ABSENT + 18, "end",
            v->share ? "the ten parameters that mattered most" : "the first ten parameters", 40);
    chart_add_legend(v, 12, out);
    chart_add_ramp("done: worst", "best, strong line", 12, out);
    free(ranks);
    return ABSENT + 26;
}
