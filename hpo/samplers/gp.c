#include "hpo/samplers/gp.h"

#include <stdlib.h>
#include <string.h>

/* Relative to the scale: what rounding may take off a pivot. */
static const double LEAST_PIVOT = 1e-10;

void ty_gp_init(ty_gp *gp, size_t n_numbers, size_t dims) {
    *gp = (ty_gp){
        .loops = ty_gp_loops_best(), .n_numbers = n_numbers, .dims = dims, .scale = 1, .noise = 1};
}

void ty_gp_clear(ty_gp *gp) {
    free(gp->x);
    free(gp->y);
    free(gp->white);
    free(gp->alpha);
    free(gp->U);
    free(gp->W);
    free(gp->k);
    free(gp->slope);
    free(gp->weight);
    *gp = (ty_gp){0};
}

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

/* An odd number of cache lines, so that a column's rows don't share one set of the cache. */
static size_t stride_for(size_t n) {
    const size_t lines = round_up(n, TY_GP_LANES) / TY_GP_LANES;
    return (lines | 1) * TY_GP_LANES;
}

static bool renew(double **array, size_t count) {
    free(*array);
    return (*array = calloc(count, sizeof **array)) != NULL;
}

static bool widen_points(ty_gp *gp, size_t capacity) {
    double *x = calloc((gp->dims + 1) * capacity, sizeof *x);
    if (!x)
        return false;
    for (size_t d = 0; gp->n > 0 && d < gp->dims; d++)
        memcpy(x + d * capacity, gp->x + d * gp->capacity, gp->n * sizeof *x);
    free(gp->x);
    gp->x = x;
    return true;
}

ty_status ty_gp_reserve(ty_ctx *ctx, ty_gp *gp, size_t n, bool *has_grown) {
    *has_grown = n > gp->capacity;
    if (!*has_grown)
        return TY_OK;
    const size_t capacity = stride_for(n + n / 2 + 32), square = capacity * capacity;
    if (!widen_points(gp, capacity))
        return ty_fail_nomem(ctx, "a Gaussian process");
    gp->capacity = capacity;
    if (!renew(&gp->y, capacity) || !renew(&gp->white, capacity) || !renew(&gp->alpha, capacity) ||
        !renew(&gp->U, square) || !renew(&gp->W, square) || !renew(&gp->k, square) ||
        !renew(&gp->slope, square) || (!gp->weight && !renew(&gp->weight, gp->dims + 1)))
        return ty_fail_nomem(ctx, "a Gaussian process");
    return TY_OK;
}

void ty_gp_put(ty_gp *gp, size_t index, const double *point) {
    for (size_t d = 0; d < gp->dims; d++)
        gp->x[d * gp->capacity + index] = point[d];
}

static ty_gp_points points_of(const ty_gp *gp, size_t n) {
    return (ty_gp_points){.x = gp->x,
                          .stride = (int64_t)gp->capacity,
                          .n = (int64_t)n,
                          .n_numbers = (int64_t)gp->n_numbers,
                          .dims = (int64_t)gp->dims,
                          .weight = gp->weight};
}

/* Columns from..n-1 of the upper triangle of K + noise. A row of points holds a column's lower
 * neighbours as well: K is symmetric. */
static void set_columns(ty_gp *gp, size_t from, size_t n) {
    const ty_gp_points points = points_of(gp, n);
    const size_t c = gp->capacity;
    for (size_t i = 0; i < n; i++) {
        const size_t first = i > from ? i : from;
        gp->loops->kernel_row(gp->U + i * c, gp->slope + i * c, &points, (int64_t)i, (int64_t)first,
                              gp->scale);
        gp->U[i * c + i] += i >= from ? gp->noise : 0;
    }
}

void ty_gp_factor(ty_gp *gp, size_t kept, size_t n) {
    const size_t from = kept / TY_GP_LANES * TY_GP_LANES;
    const int64_t stride = (int64_t)gp->capacity;
    set_columns(gp, from, n);
    gp->loops->factor(gp->U, stride, (int64_t)from, (int64_t)n, LEAST_PIVOT * gp->scale);
    gp->loops->invert(gp->W, gp->U, stride, (int64_t)from, (int64_t)n);
    gp->n = n;
}

void ty_gp_whiten(ty_gp *gp) {
    for (size_t i = 0; i < gp->n; i++) {
        const double *row = gp->W + i * gp->capacity;
        double sum = 0;
        for (size_t j = 0; j <= i; j++)
            sum += row[j] * gp->y[j];
        gp->white[i] = sum;
    }
}
