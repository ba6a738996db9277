#include "cli/sweep/sweep_chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep/sweep.h"

/* --- the charts --------------------------------------------------------------------------------- */

const sweep_chart sweep_charts[SWEEP_CHARTS] = {
    {"history", "values, trial by trial", chart_history},
    {"importance", "what mattered (PED-ANOVA)", chart_importance},
    {"slice", "values over each parameter", chart_slice},
    {"contour", "values over pairs of parameters", chart_contour},
    {"parallel", "all parameters of each trial", chart_parallel},
    {"intermediate", "what trials reported on their way", chart_intermediate},
    {"timeline", "when each trial ran", chart_timeline},
};

const sweep_chart *sweep_chart_find(const char *name) {
    for (int i = 0; i < SWEEP_CHARTS; i++)
        if (strcmp(sweep_charts[i].name, name) == 0)
            return &sweep_charts[i];
    return NULL;
}

/* --- the frame ---------------------------------------------------------------------------------- */

/* A ramp's strong end is the best, on either ground. */
const char sweep_chart_style[] =
    ".chart text{font-family:system-ui,sans-serif}.chart .tick{font-size:12px;fill:#475569}"
    ".chart .title{font-size:15px;font-weight:600;fill:#0f172a}.chart .grid{stroke:#e2e8f0}"
    ".chart .frame{fill:none;stroke:#94a3b8}.chart .paper{fill:#fff}"
    ".mark{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}"
    ".dot{fill:none;stroke:#0f172a;stroke-width:3;stroke-linecap:round}.dot.edge{stroke:#fff;"
    "stroke-width:5}"
    ".halo{paint-order:stroke;stroke:#fff;stroke-width:3}.curve{fill:none;stroke-width:1;stroke-"
    "opacity:.55}.bar{stroke:none}"
    ".done{--c:#2563eb}.stopped{--c:#ea580c}.paused{--c:#7c3aed}.failed{--c:#dc2626}"
    ".runs{--c:#059669}.interrupted{--c:#92400e}.lost{--c:#be185d}.out{--c:#64748b}"
    ".best{--c:#0f172a}"
    ".mark,.curve{stroke:var(--c)}.bar{fill:var(--c)}.mark.done{stroke-width:7}"
    ".curve.best{stroke-width:2.2;stroke-opacity:1}.ring{fill:none;stroke:#0f172a;stroke-width:2}"
    ".q0{--c:#e2e8f0}.q1{--c:#cbdcf7}.q2{--c:#a9c5f5}.q3{--c:#84abf0}.q4{--c:#5b8dea}"
    ".q5{--c:#3b6fd6}.q6{--c:#274fa8}.q7{--c:#172f6b}"
    "@media(prefers-color-scheme:dark){.chart .paper{fill:#0f172a}.chart .tick{fill:#cbd5e1}"
    ".chart .title{fill:#f1f5f9}.chart .grid{stroke:#27364d}.chart .frame{stroke:#475569}"
    ".done{--c:#60a5fa}.stopped{--c:#fb923c}.paused{--c:#a78bfa}.failed{--c:#f87171}"
    ".runs{--c:#34d399}.interrupted{--c:#d6a35c}.lost{--c:#f472b6}.out{--c:#94a3b8}"
    ".best{--c:#f1f5f9}.ring,.dot{stroke:#f1f5f9}.halo{stroke:#0f172a}"
    ".q0{--c:#263449}.q1{--c:#253f66}.q2{--c:#274e86}.q3{--c:#2f63a8}.q4{--c:#3f7cc9}"
    ".q5{--c:#5f9be3}.q6{--c:#92bff2}.q7{--c:#d6e8ff}}";

enum { HEAD = 34, FOOT = 8 };

void sweep_chart_svg(const sweep_chart *chart, const sweep_view *v, bool is_file, ty_text *out) {
    ty_text body = {0}, title = {0};
    const int height = HEAD + FOOT + (int)ceil(chart->draw(v, &body));
    ty_text_addf(&title, "%s: %s", v->name, chart->title);
    ty_text_addf(out,
                 "<svg xmlns='http://www.w3.org/2000/svg' class='chart' viewBox='0 0 %d %d' "
                 "width='%d' height='%d' role='img' aria-labelledby='title-%s'>",
                 CHART_WIDTH, height, CHART_WIDTH, height, chart->name);
    if (is_file)
        ty_text_addf(out, "<style>%s</style>", sweep_chart_style);
    ty_text_addf(out, "<title id='title-%s'>", chart->name);
    axis_add_words(out, ty_text_string(&title), 120);
    ty_text_addf(out, "</title><rect class='paper' width='%d' height='%d'/>", CHART_WIDTH, height);
    ty_text_addf(out, "<text class='title' x='12' y='22'>");
    axis_add_words(out, is_file ? ty_text_string(&title) : chart->title, 100);
    ty_text_addf(out, "</text><g transform='translate(0 %d)'>", HEAD);
    ty_text_add(out, ty_text_string(&body));
    ty_text_add(out, "</g></svg>\n");
    out->is_short |= body.is_short || title.is_short;
    ty_text_clear(&body);
    ty_text_clear(&title);
}

void chart_add_text(ty_text *out, double x, double y, const char *anchor, const char *text,
                    int columns) {
    ty_text_addf(out, "<text class='tick' x='%.1f' y='%.1f' text-anchor='%s'>", x, y, anchor);
    axis_add_words(out, text, columns);
    ty_text_add(out, "</text>");
}

double chart_say_nothing(ty_text *out, const char *why) {
    chart_add_text(out, CHART_LEFT, 24, "start", why, 100);
    return 44;
}

/* --- trials ------------------------------------------------------------------------------------- */

const char *const chart_look_names[LOOKS] = {
    [LOOK_DONE] = "done",     [LOOK_STOPPED] = "stopped", [LOOK_PAUSED] = "paused",
    [LOOK_FAILED] = "failed", [LOOK_RUNS] = "runs",       [LOOK_INTERRUPTED] = "interrupted",
    [LOOK_LOST] = "lost",     [LOOK_OUT] = "out"};

const char *const chart_look_words[LOOKS] = {
    [LOOK_DONE] = "done",     [LOOK_STOPPED] = "stopped",
    [LOOK_PAUSED] = "paused", [LOOK_FAILED] = "failed",
    [LOOK_RUNS] = "running",  [LOOK_INTERRUPTED] = "interrupted",
    [LOOK_LOST] = "lost",     [LOOK_OUT] = "done, beyond a limit"};

/* Of one that has not ended. */
static chart_look look_of_begun(const sweep_view *v, const ty_trial *t) {
    const int64_t expires_ns = v->expires_ns ? v->expires_ns[t->number] : 0;
    const bool is_asked = expires_ns > 0; /* by somebody outside, who need not run the sweep */
    if (t->is_lost || (is_asked && expires_ns <= v->seen_ns))
        return LOOK_LOST;
    return is_asked || v->is_run ? LOOK_RUNS : LOOK_INTERRUPTED;
}

chart_look chart_look_of(const sweep_view *v, const ty_trial *t) {
    static const chart_look looks[] = {[TY_TRIAL_COMPLETE] = LOOK_DONE,
                                       [TY_TRIAL_PRUNED] = LOOK_STOPPED,
                                       [TY_TRIAL_PAUSED] = LOOK_PAUSED,
                                       [TY_TRIAL_FAILED] = LOOK_FAILED};
    if (t->state == TY_TRIAL_RUNNING)
        return look_of_begun(v, t);
    return t->state == TY_TRIAL_COMPLETE && t->violation > 0 ? LOOK_OUT : looks[t->state];
}

double chart_report(const sweep_view *v, const ty_trial *t, size_t i) {
    return v->maximize ? -t->reported[i] : t->reported[i];
}

double chart_value(const sweep_view *v, const ty_trial *t) {
    if (isfinite(t->value))
        return t->value;
    for (size_t i = t->reports; i > 0; i--)
        if (isfinite(t->reported[i - 1]))
            return chart_report(v, t, i - 1);
    return NAN;
}

bool chart_has_values(const sweep_view *v) {
    for (size_t i = 0; i < v->n; i++)
        if (isfinite(chart_value(v, v->trials[i])))
            return true;
    return false;
}

bool chart_is_better(const sweep_view *v, const ty_trial *t, double best) {
    return chart_look_of(v, t) == LOOK_DONE && isfinite(t->value) &&
           (isnan(best) || (v->maximize ? t->value > best : t->value < best));
}

/* A dot is a line without length, whose ends are round. */
void chart_add_mark(ty_text *path, chart_look look, double x, double y) {
    static const char *const shapes[LOOKS] = {[LOOK_DONE] = "h0",
                                              [LOOK_STOPPED] = "m-4 -3h8l-4 7z",
                                              [LOOK_PAUSED] = "m-2 -4v8m4 -8v8",
                                              [LOOK_FAILED] = "m-3.5 -3.5l7 7m-7 0l7 -7",
                                              [LOOK_RUNS] = "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
                                              [LOOK_INTERRUPTED] = "m4 0a4 4 0 1 1 -4 -4",
                                              [LOOK_LOST] = "m-5 0h3m4 0h3",
                                              [LOOK_OUT] = "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z"};
    ty_text_addf(path, "M%.1f %.1f%s", x, y, shapes[look]);
}

void chart_end_marks(ty_text *path, chart_look look, ty_text *out) {
    if (path->length > 0)
        ty_text_addf(out, "<path class='mark %s' d='%s'/>", chart_look_names[look],
                     ty_text_string(path));
    out->is_short |= path->is_short;
    ty_text_clear(path);
}

void chart_add_ring(const sweep_view *v, double x, double y, ty_text *out) {
    if (isfinite(v->best->value))
        ty_text_addf(out, "<circle class='ring' cx='%.1f' cy='%.1f' r='7'/>", x, y);
}

static bool has_look(const sweep_view *v, chart_look look) {
    for (size_t i = 0; i < v->n; i++)
        if (chart_look_of(v, v->trials[i]) == look)
            return true;
    return false;
}

#define LETTER 6.4 /* pixels of one, about: room for all looks beside a ramp */

void chart_add_legend(const sweep_view *v, double y, ty_text *out) {
    double x = CHART_LEFT + 6;
    for (int look = 0; look < LOOKS; look++) {
        ty_text mark = {0};
        if (!has_look(v, (chart_look)look))
            continue;
        chart_add_mark(&mark, (chart_look)look, x, y - 4);
        chart_end_marks(&mark, (chart_look)look, out);
        chart_add_text(out, x + 10, y, "start", chart_look_words[look], 30);
        x += 28 + LETTER * (double)strlen(chart_look_words[look]);
    }
}

void chart_add_ramp(const char *low, const char *high, double y, ty_text *out) {
    enum { BLOCK = 8, WORDS = 110 };
    const double x = CHART_WIDTH - CHART_RIGHT - WORDS - CHART_LEVELS * BLOCK;
    for (int i = 0; i < CHART_LEVELS; i++)
        ty_text_addf(out, "<rect class='bar q%d' x='%.1f' y='%.1f' width='%d' height='10'/>", i,
                     x + BLOCK * i, y - 9, BLOCK);
    chart_add_text(out, x - 8, y, "end", low, 40);
    chart_add_text(out, x + CHART_LEVELS * BLOCK + 8, y, "start", high, 40);
}

/* --- ranks -------------------------------------------------------------------------------------- */

typedef struct placed {
    double value; /* turned: less is better */
    size_t trial;
} placed;

static int compare(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* Equal values have the rank of the first of them. */
static void rank_them(const placed *sorted, size_t n, double *out) {
    for (size_t i = 0, first = 0; i < n; i++) {
        first = sorted[i].value > sorted[first].value ? i : first;
        out[sorted[i].trial] = n > 1 ? 1 - (double)first / (double)(n - 1) : 1;
    }
}

double *chart_ranks(const sweep_view *v) {
    double *out = malloc((v->n + 1) * sizeof *out);
    placed *sorted = malloc((v->n + 1) * sizeof *sorted);
    size_t n = 0;
    for (size_t i = 0; out && sorted && i < v->n; i++) {
        const double value = chart_value(v, v->trials[i]);
        out[i] = NAN;
        if (isfinite(value))
            sorted[n++] = (placed){.value = v->maximize ? -value : value, .trial = i};
    }
    if (out && sorted) {
        qsort(sorted, n, sizeof *sorted, compare);
        rank_them(sorted, n, out);
    }
    if (!sorted) {
        free(out);
        out = NULL;
    }
    free(sorted);
    return out;
}

int chart_level(double rank) {
    const int level = isnan(rank) ? 0 : (int)(rank * CHART_LEVELS);
    return level < 0 ? 0 : level >= CHART_LEVELS ? CHART_LEVELS - 1 : level;
}

/* --- axes --------------------------------------------------------------------------------------- */

axis_kind chart_value_kind(const sweep_view *v, const range *values) {
    return range_is_wide(values, v->maximize ? 1000 : 10) ? AXIS_LOG : AXIS_LINEAR;
}

axis chart_value_axis(const sweep_view *v, double from, double to) {
    range r = {0};
    for (size_t i = 0; i < v->n; i++)
        range_take(&r, chart_value(v, v->trials[i]));
    const axis_kind kind = chart_value_kind(v, &r);
    range_widen(&r, kind, 0.06);
    return axis_over(&r, kind, from, to);
}

static void name_choice(const void *of, size_t i, ty_text *out) {
    sweep_add_value(of, (double)i, out);
}

static axis choice_axis(const ty_param *p, double from, double to) {
    return (axis){.kind = AXIS_CHOICE,
                  .low = -0.5,
                  .high = (double)p->choice_count - 0.5,
                  .from = from,
                  .to = to,
                  .name = name_choice,
                  .of = p};
}

/* The whole range where there is one: what was left out is to be seen, too. */
axis chart_param_axis(const sweep_view *v, size_t d, double from, double to) {
    const ty_param *p = &v->space->params[d];
    range r = {0};
    if (!ty_param_is_numeric(p))
        return choice_axis(p, from, to);
    for (size_t i = 0; i < v->n; i++)
        range_take(&r, v->trials[i]->x[d]);
    range_take(&r, p->low);
    range_take(&r, p->high);
    const bool is_log = p->prior == TY_PRIOR_LOG || p->prior == TY_PRIOR_LOG_NORMAL;
    const axis_kind kind = is_log && r.low > 0 ? AXIS_LOG : AXIS_LINEAR;
    range_widen(&r, kind, 0.03);
    axis a = axis_over(&r, kind, from, to);
    a.is_whole = p->is_int;
    return a;
}

axis chart_number_axis(const sweep_view *v, double from, double to) {
    return (axis){.kind = AXIS_LINEAR,
                  .is_whole = true,
                  .low = -0.5,
                  .high = (double)v->n - 0.5,
                  .from = from,
                  .to = to};
}

void chart_add_panel(const chart_panel *p, ty_text *out) {
    const double x0 = p->x.from, x1 = p->x.to;
    const double y0 = fmin(p->y.from, p->y.to), y1 = fmax(p->y.from, p->y.to);
    ty_text_addf(out, "<rect class='frame' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>", x0, y0,
                 x1 - x0, y1 - y0);
    axis_draw_left(&p->y, p->y_ticks, x0, x1, p->has_y_text, out);
    axis_draw_bottom(&p->x, p->x_ticks, y1, out);
    if (p->x_label)
        chart_add_text(out, (x0 + x1) / 2, y1 + 34, "middle", p->x_label, (int)((x1 - x0) / 7));
    if (!p->y_label)
        return;
    ty_text_addf(out,
                 "<text class='tick' text-anchor='middle' transform='translate(%.1f %.1f) "
                 "rotate(-90)'>",
                 x0 - CHART_LEFT + 12, (y0 + y1) / 2);
    axis_add_words(out, p->y_label, (int)((y1 - y0) / 7));
    ty_text_add(out, "</text>");
}
