/* A line chart as inline SVG: what the report's curves are drawn with. */
#ifndef TY_CLI_PICTURES_PLOT_H
#define TY_CLI_PICTURES_PLOT_H

#include "base/base.h"

typedef struct plot_line {
    const char *label;
    const double *x, *y; /* non-finite points break the line */
    int64_t n;
} plot_line;

typedef struct plot {
    const char *title, *x_label;
    const plot_line *lines;
    bool y_is_log;   /* where all is positive */
    int64_t n_lines; /* 6 have colours of their own; further ones have dashes */
} plot;

/* Appends <svg>...</svg>; nothing where no line has two finite points. Long lines are thinned to
 * the plot's pixels, keeping each pixel column's extremes. */
void plot_svg(const plot *p, ty_text *out);

/* The same as a file of its own: with its styles, readable on light and on dark, the lines named
 * below. Where there is nothing to draw it says so. */
void plot_svg_file(const plot *p, ty_text *out);

#endif
