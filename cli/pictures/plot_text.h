/* The same line chart in a terminal's characters. */
#ifndef TY_CLI_PICTURES_PLOT_TEXT_H
#define TY_CLI_PICTURES_PLOT_TEXT_H

#include "cli/console.h"
#include "cli/pictures/plot.h"

/* Appends the chart, its axes and its lines' names, `columns` wide (at least 40) and `rows` high.
 * Lines are drawn in braille dots, two by four a character, and told apart by colour; without
 * colour several lines are drawn in letters. Nothing where no line has a finite point. */
void plot_text(const plot *p, const console *c, int columns, int rows, ty_text *out);

#endif
