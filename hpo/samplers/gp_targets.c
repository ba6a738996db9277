#include "hpo/samplers/gp_targets.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_sound(const ty_shown *t) {
    return t->state == TY_TRIAL_COMPLETE && t->violation <= 0 && isfinite(t->value);
}

/* The middle and the largest known target; 0 where there is none. */
typedef struct landmarks {
    double median, most;
} landmarks;

static landmarks landmarks_of(const double *y, const bool *is_known, size_t n, double *sorted) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (is_known[i])
            sorted[count++] = y[i];
    if (count == 0)
        return (landmarks){0, 0};
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return (landmarks){sorted[count / 2], sorted[count - 1]};
}

static double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

/* Of a trial that nothing else is known of. */
static double target_of(const ty_shown *t, landmarks l) {
    if (t->state == TY_TRIAL_PRUNED && !isnan(t->value))
        return clamp(t->value, l.median, l.most);
    return t->value == -INFINITY && t->violation <= 0 ? l.median : l.most;
}

double ty_gp_scale(double most) {
    return most > 0x1p500 ? 0x1p-600 : 1;
}

/* Where good values end, a stationary process has nothing to learn from how bad the bad ones are: beyond
 * the median they grow only as a logarithm, more slowly the farther the good half reaches down. (Snoek
 * et al., ICML 2014, and Vizier warp values for the same reason.) sorted [n] is scratch. */
static void compress(double *y, size_t n, double *sorted) {
    memcpy(sorted, y, n * sizeof *y);
    qsort(sorted, n, sizeof *y, compare_doubles);
    const double scale = ty_gp_scale(fmax(fabs(sorted[0]), fabs(sorted[n / 2])));
    const double median = scale * sorted[n / 2], reach = 2 * (median - scale * sorted[0]);
    for (size_t i = 0; i < n; i++) {
        y[i] *= scale;
        if (reach > 0 && y[i] > median)
            y[i] = median + reach * ty_exact_log1p(fmin((y[i] - median) / reach, DBL_MAX));
    }
}

static void standardise(double *y, size_t n) {
    double most = 0, mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(y[i]));
    const double scale = ty_gp_scale(most);
    for (size_t i = 0; i < n; i++)
        mean += (y[i] *= scale) / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (y[i] - mean) * (y[i] - mean) / (double)n;
    const double deviation = squares > 0 ? sqrt(squares) : 1;
    for (size_t i = 0; i < n; i++)
        y[i] = (y[i] - mean) / deviation;
}

/* Returns with y known for whole and stopped trials, and something for each. */
static ty_status raw_targets(ty_ctx *ctx, const ty_history *h, const size_t *rows, size_t n,
                             bool *is_known, double *y, double *sorted) {
    for (size_t i = 0; i < n; i++) {
        const ty_shown *t = &h->shown[rows[i]];
        is_known[i] = is_sound(t);
        y[i] = is_known[i] ? t->value : 0;
    }
    TY_TRY(ty_gp_outlooks(ctx, h, rows, n, is_known, y));
    const landmarks l = landmarks_of(y, is_known, n, sorted);
    for (size_t i = 0; i < n; i++)
        y[i] = is_known[i] ? y[i] : target_of(&h->shown[rows[i]], l);
    return TY_OK;
}

ty_status ty_gp_targets(ty_ctx *ctx, const ty_history *h, const size_t *rows, size_t n, double *y) {
    double *sorted = malloc((n + 1) * sizeof *sorted);
    bool *is_known = malloc((n + 1) * sizeof *is_known);
    ty_status st = sorted && is_known ? raw_targets(ctx, h, rows, n, is_known, y, sorted)
                                      : ty_fail_nomem(ctx, "the values of a Gaussian process");
    if (st == TY_OK && n > 0) {
        compress(y, n, sorted);
        standardise(y, n);
    }
    free(sorted);
    free(is_known);
    return st;
}

/* --- a choice of rows --------------------------------------------------------------------------- */

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static int compare_ranked(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    const int by_value = (x->value > y->value) - (x->value < y->value);
    return by_value ? by_value : (x->index > y->index) - (x->index < y->index);
}

static int compare_rows(const void *a, const void *b) {
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

ty_status ty_gp_best_and_newest(ty_ctx *ctx, const ty_history *h, size_t count, size_t most,
                                size_t *rows) {
    ranked *order = malloc((count + 1) * sizeof *order);
    bool *is_chosen = calloc(count + 1, sizeof *is_chosen);
    const ty_status st =
        order && is_chosen ? TY_OK : ty_fail_nomem(ctx, "the trials of a Gaussian process");
    if (st == TY_OK) {
        for (size_t i = 0; i < count; i++)
            order[i] = (ranked){is_sound(&h->shown[i]) ? h->shown[i].value : INFINITY, i};
        qsort(order, count, sizeof *order, compare_ranked);
        size_t n = 0;
        for (; n < most / 2; n++)
            is_chosen[rows[n] = order[n].index] = true;
        for (size_t i = count; i-- > 0 && n < most;)
            if (!is_chosen[i])
                rows[n++] = i;
        qsort(rows, most, sizeof *rows, compare_rows);
    }
    free(order);
    free(is_chosen);
    return st;
}
