/* The charts of a sweep as SVG, pure functions of its table. sweep_chart.c has the table of charts, and
 * what they share: the frame, how a trial looks by what became of it, panels with axes.
 * sweep_chart_trials.c draws trials one after another, sweep_chart_params.c over their parameters,
 * sweep_chart_parallel.c through all of them. */
#ifndef TY_CLI_SWEEP_SWEEP_CHART_H
#define TY_CLI_SWEEP_SWEEP_CHART_H

#include "cli/pictures/axis.h"
#include "hpo/hpo.h"

/* A sweep to draw; everything is borrowed. */
typedef struct sweep_view {
    const char *name, *metric;
    bool maximize;
    const ty_space *space;
    const ty_trial *const *trials; /* [n], by number */
    size_t n;
    const ty_trial *best; /* NULL: none */
    const double *share;  /* [space->count], sum 1: what mattered; NULL: nobody knows yet */
    const size_t *order;  /* [space->count]: parameters, what mattered most first */
    int64_t
        now_ns;  /* wall clock, up to which the sweep is known: running trials have come so far */
    bool is_run; /* a process runs the sweep now */
    /* [n]: until when each trial belongs to who asked for it; 0: to who runs the sweep. NULL: all are 0. */
    const int64_t *expires_ns;
    int64_t seen_ns; /* wall clock, when all this was looked at */
} sweep_view;

/* Appends what a chart shows below its head, at (0, 0), and returns its height. */
typedef double chart_draw(const sweep_view *v, ty_text *out);

typedef struct sweep_chart {
    const char *name, *title;
    chart_draw *draw;
} sweep_chart;

enum { SWEEP_CHARTS = 7, CHART_WIDTH = 900 };
extern const sweep_chart sweep_charts[SWEEP_CHARTS];

/* NULL: there is none of this name. */
const sweep_chart *sweep_chart_find(const char *name);

/* Appends <svg>...</svg>, CHART_WIDTH wide; a file of its own has its styles with it, readable on
 * light and on dark. */
void sweep_chart_svg(const sweep_chart *chart, const sweep_view *v, bool is_file, ty_text *out);

/* The styles, for a page that has charts in it. */
extern const char sweep_chart_style[];

/* --- for the files that draw -------------------------------------------------------------------- */

enum { CHART_LEFT = 70, CHART_RIGHT = 14 };

/* What became of a trial, as it looks. */
typedef enum chart_look {
    LOOK_DONE,
    LOOK_STOPPED,
    LOOK_PAUSED,
    LOOK_FAILED,
    LOOK_RUNS,
    LOOK_INTERRUPTED, /* nobody runs the sweep any more; it goes on with it */
    LOOK_LOST,        /* nobody runs it any more; it is given out again */
    LOOK_OUT,         /* done, but beyond the limits on metrics */
    LOOKS
} chart_look;
extern const char *const chart_look_names[LOOKS]; /* classes of CSS */
extern const char *const chart_look_words[LOOKS]; /* for people */

chart_look chart_look_of(const sweep_view *v, const ty_trial *t);

/* A trial's value, or its last report's where it has none yet; not finite: it has neither. */
double chart_value(const sweep_view *v, const ty_trial *t);
bool chart_has_values(const sweep_view *v); /* whether any trial has one */

/* What a trial reported, as it was told. */
double chart_report(const sweep_view *v, const ty_trial *t, size_t i);

/* Whether a trial that counts has a finite value better than `best`; NAN: there was none before. */
bool chart_is_better(const sweep_view *v, const ty_trial *t, double best);

/* Appends a mark to the d of a path of class "mark" and of the look. */
void chart_add_mark(ty_text *path, chart_look look, double x, double y);

/* <path class='mark LOOK' d='...'/> of what was added; nothing where nothing was. Clears path. */
void chart_end_marks(ty_text *path, chart_look look, ty_text *out);

/* A ring at (x, y) round the best trial. A trial that fell to minus infinity is the best one and has no place: no
 * ring. */
void chart_add_ring(const sweep_view *v, double x, double y, ty_text *out);

/* The looks that there are, named, on a line at y. */
void chart_add_legend(const sweep_view *v, double y, ty_text *out);

/* "worst" to "best", in the colours of classes q0 to q7. */
enum { CHART_LEVELS = 8 };
void chart_add_ramp(const char *low, const char *high, double y, ty_text *out);

/* [n], the caller's to free: 0 the worst value to 1 the best, NAN without a value. NULL: no memory. */
double *chart_ranks(const sweep_view *v);
int chart_level(double rank); /* 0 to CHART_LEVELS - 1; NAN: 0 */

/* How values are shown: by logarithms where they are far apart, which loses what lies near the top of
 * what is to be great. */
axis_kind chart_value_kind(const sweep_view *v, const range *values);

/* The axis of the metric over all trials' values. */
axis chart_value_axis(const sweep_view *v, double from, double to);
axis chart_param_axis(const sweep_view *v, size_t d, double from, double to);
axis chart_number_axis(const sweep_view *v, double from, double to); /* trials; 0 < n */

/* Frame, grid and ticks. */
typedef struct chart_panel {
    axis x, y;
    const char *x_label, *y_label; /* NULL: none */
    int x_ticks, y_ticks;
    bool has_y_text;
} chart_panel;
void chart_add_panel(const chart_panel *p, ty_text *out);

/* <text class='tick'>; anchor: "start", "middle", "end". */
void chart_add_text(ty_text *out, double x, double y, const char *anchor, const char *text,
                    int columns);

/* One line that says why there is nothing to see. Returns the height. */
double chart_say_nothing(ty_text *out, const char *why);

/* sweep_chart_trials.c */
double chart_history(const sweep_view *v, ty_text *out);
double chart_intermediate(const sweep_view *v, ty_text *out);
double chart_timeline(const sweep_view *v, ty_text *out);
/* sweep_chart_params.c */
double chart_slice(const sweep_view *v, ty_text *out);
double chart_contour(const sweep_view *v, ty_text *out);
double chart_importance(const sweep_view *v, ty_text *out);
/* sweep_chart_parallel.c */
double chart_parallel(const sweep_view *v, ty_text *out);

#endif
