/* One side of a chart: where a value lies in pixels, and the ticks that say so. What all charts
 * share, the lines of runs and the pictures of sweeps. */
#ifndef TY_CLI_PICTURES_AXIS_H
#define TY_CLI_PICTURES_AXIS_H

#include "base/base.h"

/* What is known of some values: their least and greatest finite one. A zeroed range has none. */
typedef struct range {
    double low, high;
    int64_t n;
} range;

void range_take(range *r, double v);

/* Whether values are positive and at least so many times apart. */
bool range_is_wide(const range *r, double times);

typedef enum axis_kind {
    AXIS_LINEAR,
    AXIS_LOG,   /* 0 < low */
    AXIS_CHOICE /* values are 0, 1, 2, ...; low = -0.5, high = count - 0.5 */
} axis_kind;

/* Wider by share of itself on either side, of its logarithm for LOG; one that is a point gets an
 * extent. */
void range_widen(range *r, axis_kind kind, double share);

typedef struct axis {
    axis_kind kind;
    bool is_whole;    /* LINEAR: ticks are whole numbers */
    double low, high; /* values at its ends, low < high, finite */
    double from, to;  /* pixels of low and of high */
    /* CHOICE: appends what choice i is called; of is borrowed. */
    void (*name)(const void *of, size_t i, ty_text *out);
    const void *of;
} axis;

/* An axis over what a range has seen, from pixel to pixel. LOG over what is not positive is LINEAR, and
 * a range without a value is 0 to 1. */
axis axis_over(const range *r, axis_kind kind, double from, double to);

/* v's pixel. Values outside lie outside; v is finite. */
double axis_place(const axis *a, double v);

/* The value at this share of the way from low to high. */
double axis_value(const axis *a, double share);

enum { AXIS_MAX_TICKS = 24 };

typedef struct axis_tick {
    double value;
    char text[64];
} axis_tick;

/* About `wanted` ticks at round values (1, 2 or 5 times a power of ten: Heckbert 1990, nice numbers),
 * or as many of the choices. Returns how many; wanted < AXIS_MAX_TICKS / 2. */
int axis_ticks(const axis *a, int wanted, axis_tick out[AXIS_MAX_TICKS]);

/* Appends text for SVG, cut to so many columns: escaped, what no picture may hold shown as "?". */
void axis_add_words(ty_text *out, const char *text, int columns);

/* Ticks of a left axis, right-aligned at x0, with grid lines from x0 to x1; of a bottom one, with their
 * text below y. For CSS: classes grid and tick. */
void axis_draw_left(const axis *a, int wanted, double x0, double x1, bool has_text, ty_text *out);
void axis_draw_bottom(const axis *a, int wanted, double y, ty_text *out);

#endif
