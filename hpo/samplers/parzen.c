/* Keeping the kernels: which points there are, who is whose neighbour, and what follows. */
#include "hpo/samplers/parzen_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"

/* --- axes ------------------------------------------------------------------------------------------ */

static int rank_of(const ty_parzen_axis *axis) {
    return !ty_param_is_numeric(axis->param) ? 2 : axis->param->step > 0;
}

static int by_rank(const void *a, const void *b) {
    const ty_parzen_axis *left = a, *right = b;
    const int difference = rank_of(left) - rank_of(right);
    return difference ? difference : left->index < right->index ? -1 : 1;
}

ty_parzen_axes ty_parzen_axes_of(ty_parzen_axis *v, size_t count) {
    ty_parzen_axes axes = {.v = v, .count = count};
    if (count > 0)
        qsort(v, count, sizeof *v, by_rank);
    for (size_t a = 0; a < count; a++) {
        v[a].low = v[a].param->z_low;
        v[a].width = v[a].param->z_high - v[a].param->z_low;
        axes.smooth_count += rank_of(&v[a]) == 0;
        axes.numeric_count += rank_of(&v[a]) <= 1;
    }
    return axes;
}

/* --- memory ---------------------------------------------------------------------------------------- */

ty_status ty_parzen_open(ty_ctx *ctx, const ty_parzen_axes *axes, bool draws, ty_parzen **out) {
    ty_parzen *p = calloc(1, sizeof *p);
    if (!p)
        return ty_fail_nomem(ctx, "a Parzen estimator");
    int level = TY_PARZEN_LEVELS - 1;
    while (!ty_parzen_loops_at(level))
        level--;
    const size_t choices = axes->count - axes->numeric_count;
    p->axes = axes;
    p->loops = ty_parzen_loops_at(level);
    p->weight_sum = 1;
    p->draws = draws;
    p->prior_below = ty_exact_ndtr(-0.5);
    p->prior_mass = 1 - 2 * p->prior_below;
    p->odds = calloc(TY_PARZEN_POINTS * choices + 1, sizeof *p->odds);
    if (!p->odds) {
        free(p);
        return ty_fail_nomem(ctx, "a Parzen estimator");
    }
    *out = p;
    return TY_OK;
}

static void free_arrays(ty_parzen *p) {
    free(p->trial);
    free(p->is_stale);
    free(p->stale);
    free(p->weight);
    free(p->height);
    free(p->columns);
    free(p->sorted);
}

void ty_parzen_close(ty_parzen *p) {
    if (!p)
        return;
    free_arrays(p);
    free(p->odds);
    free(p);
}

/* An odd number of blocks: columns a power of two apart would share few lines of a cache. */
static size_t capacity_for(size_t n) {
    const size_t blocks = n / TY_PARZEN_BLOCK + 1;
    return ((blocks + blocks / 2) | 1) * TY_PARZEN_BLOCK;
}

static void copy_from(ty_parzen *to, const ty_parzen *from) {
    const size_t n = from->count, columns = from->axes->count * TY_PARZEN_COLUMNS;
    if (n == 0)
        return;
    memcpy(to->trial, from->trial, n * sizeof *to->trial);
    memcpy(to->is_stale, from->is_stale, n * sizeof *to->is_stale);
    memcpy(to->height, from->height, n * sizeof *to->height);
    for (size_t i = 0; i < columns; i++)
        memcpy(to->columns + i * to->capacity, from->columns + i * from->capacity,
               n * sizeof *to->columns);
    for (size_t a = 0; a < from->axes->count; a++)
        memcpy(to->sorted + a * to->capacity, from->sorted + a * from->capacity,
               n * sizeof *to->sorted);
}

static void make_empty_heights(ty_parzen *p, size_t from, size_t to) {
    for (size_t k = from; k < to; k++)
        p->height[k] = -1e300;
}

static ty_status reserve(ty_ctx *ctx, ty_parzen *p, size_t n) {
    if (n < p->capacity)
        return TY_OK;
    const size_t capacity = capacity_for(n), axes = p->axes->count;
    ty_parzen wide = *p;
    wide.capacity = capacity;
    wide.trial = calloc(capacity, sizeof *wide.trial);
    wide.is_stale = calloc(capacity, sizeof *wide.is_stale);
    wide.stale = calloc(capacity, sizeof *wide.stale);
    wide.weight = calloc(capacity, sizeof *wide.weight);
    wide.height = calloc(capacity, sizeof *wide.height);
    wide.columns = calloc(axes * TY_PARZEN_COLUMNS * capacity, sizeof *wide.columns);
    wide.sorted = calloc(axes * capacity, sizeof *wide.sorted);
    if (!wide.trial || !wide.is_stale || !wide.stale || !wide.weight || !wide.height ||
        !wide.columns || !wide.sorted) {
        free_arrays(&wide);
        return ty_fail_nomem(ctx, "a Parzen estimator");
    }
    copy_from(&wide, p);
    make_empty_heights(&wide, wide.count, capacity);
    free_arrays(p);
    *p = wide;
    return TY_OK;
}

/* --- sigmas ---------------------------------------------------------------------------------------- */

static double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

static double least_sigma(size_t n) {
    return 1 / fmin(100, (double)n + 2);
}

/* An axis whose sigmas are set. */
typedef struct neighbours {
    const uint32_t *sorted;
    const double *u;
    double *sigma, *norm;
    size_t last; /* rank */
} neighbours;

static neighbours neighbours_of(const ty_parzen *p, size_t axis) {
    return (neighbours){.sorted = p->sorted + axis * p->capacity,
                        .u = ty_parzen_column_of(p, axis, TY_PARZEN_U),
                        .sigma = ty_parzen_column_of(p, axis, TY_PARZEN_SIGMA),
                        .norm = ty_parzen_column_of(p, axis, TY_PARZEN_NORM),
                        .last = p->count - 1};
}

/* The greater distance to a neighbour of the kernel of this rank; at the ends see parzen.h. */
static double distance_at(const neighbours *n, size_t rank) {
    const double here = n->u[n->sorted[rank]];
    if (n->last == 0)
        return here > 0.5 ? here : 1 - here;
    if (rank == 0)
        return n->u[n->sorted[1]] - here;
    const double left = here - n->u[n->sorted[rank - 1]];
    if (rank == n->last)
        return left;
    const double right = n->u[n->sorted[rank + 1]] - here;
    return left > right ? left : right;
}

static void set_sigma(ty_parzen *p, const neighbours *n, size_t rank) {
    const size_t k = n->sorted[rank];
    const double sigma = clamp(distance_at(n, rank), p->sigma_min, 1);
    if (n->sigma[k] == sigma)
        return;
    n->sigma[k] = sigma;
    n->norm[k] = NAN;
    p->is_stale[k] = true;
}

static void set_sigmas(ty_parzen *p) {
    for (size_t a = 0; a < p->axes->numeric_count; a++) {
        const neighbours n = neighbours_of(p, a);
        for (size_t rank = 0; rank < p->count; rank++)
            set_sigma(p, &n, rank);
    }
}

/* --- norms and heights ----------------------------------------------------------------------------- */

/* Stale kernels of one axis, as many as fit a block; beside them those of which [0, 1] cuts something
 * off. */
typedef struct batch {
    size_t axis, count, cut_count;
    size_t kernel[TY_PARZEN_BLOCK], cut[TY_PARZEN_BLOCK];
    double sigma[TY_PARZEN_BLOCK], from[TY_PARZEN_BLOCK], to[TY_PARZEN_BLOCK];
    double log_mass[TY_PARZEN_BLOCK];
} batch;

/* What is farther from a kernel is less than half a unit in the last place of 1. */
static const double FAR = 8.5;

static void add_to_batch(const ty_parzen *p, batch *b, size_t k) {
    const double u = ty_parzen_column_of(p, b->axis, TY_PARZEN_U)[k];
    const double sigma = ty_parzen_column_of(p, b->axis, TY_PARZEN_SIGMA)[k], scale = 1 / sigma;
    ty_parzen_column_of(p, b->axis, TY_PARZEN_SHARP)[k] = 0x1.6a09e667f3bcdp-1 * scale;
    b->kernel[b->count] = k;
    b->sigma[b->count++] = sigma;
    b->cut[b->cut_count] = k;
    b->from[b->cut_count] = -u * scale;
    b->to[b->cut_count] = (1 - u) * scale;
    b->cut_count += b->from[b->cut_count] > -FAR || b->to[b->cut_count] < FAR;
}

/* Where points are drawn, of the kernels that are cut; nothing is below 0 of the others. */
static void set_masses(ty_parzen *p, const batch *b) {
    double *below = ty_parzen_column_of(p, b->axis, TY_PARZEN_BELOW);
    double *mass = ty_parzen_column_of(p, b->axis, TY_PARZEN_MASS);
    for (size_t i = 0; i < b->count; i++) {
        below[b->kernel[i]] = 0;
        mass[b->kernel[i]] = 1;
    }
    for (size_t i = 0; i < b->cut_count; i++) {
        below[b->cut[i]] = ty_exact_ndtr(b->from[i]);
        mass[b->cut[i]] = ty_exact_exp(b->log_mass[i]);
    }
}

static void finish_batch(ty_parzen *p, batch *b) {
    const ty_exact_loops *exact = ty_exact_loops_best();
    const bool is_smooth = b->axis < p->axes->smooth_count;
    double *norm = ty_parzen_column_of(p, b->axis, TY_PARZEN_NORM);
    exact->log(b->sigma, b->sigma, (int64_t)b->count);
    for (size_t i = 0; i < b->count; i++)
        norm[b->kernel[i]] = is_smooth ? b->sigma[i] : 0;
    exact->log_ndtr_diff(b->log_mass, b->from, b->to, (int64_t)b->cut_count);
    for (size_t i = 0; i < b->cut_count; i++)
        norm[b->cut[i]] += b->log_mass[i];
    if (p->draws)
        set_masses(p, b);
    b->count = b->cut_count = 0;
}

static void settle_axis(ty_parzen *p, size_t axis, size_t stale_count) {
    const double *norm = ty_parzen_column_of(p, axis, TY_PARZEN_NORM);
    batch b;
    b.axis = axis;
    b.count = b.cut_count = 0;
    for (size_t i = 0; i < stale_count; i++) {
        if (isnan(norm[p->stale[i]]))
            add_to_batch(p, &b, p->stale[i]);
        if (b.count == TY_PARZEN_BLOCK)
            finish_batch(p, &b);
    }
    finish_batch(p, &b);
}

static void settle_height(ty_parzen *p, size_t k) {
    double height = 0;
    for (size_t a = 0; a < p->axes->numeric_count; a++)
        height -= ty_parzen_column_of(p, a, TY_PARZEN_NORM)[k];
    p->height[k] = height;
    p->is_stale[k] = false;
}

static void settle(ty_parzen *p) {
    size_t stale_count = 0;
    for (size_t k = 0; k < p->count; k++) {
        p->stale[stale_count] = (uint32_t)k;
        stale_count += p->is_stale[k];
    }
    for (size_t a = 0; a < p->axes->numeric_count; a++)
        settle_axis(p, a, stale_count);
    for (size_t i = 0; i < stale_count; i++)
        settle_height(p, p->stale[i]);
}

/* The newest 25 count 1; those before from 1 / n up to 1. */
static void set_weights(ty_parzen *p) {
    const size_t n = p->count, flat = n < TY_PARZEN_FLAT ? n : TY_PARZEN_FLAT, ramp = n - flat;
    const double first = 1 / (double)n, step = ramp > 1 ? (1 - first) / (double)(ramp - 1) : 0;
    for (size_t k = 0; k < ramp; k++)
        p->weight[k] = first + (double)k * step;
    for (size_t k = ramp; k < n; k++)
        p->weight[k] = 1;
    const double mean = ramp > 1 ? 0.5 * (1 + first) : first;
    p->weight_sum = 1 + (double)flat + (ramp > 0 ? (double)ramp * mean : 0);
}

/* --- adding and removing --------------------------------------------------------------------------- */

/* Of an axis: u, then age. */
static bool is_before(const double *u, size_t a, size_t b) {
    return u[a] < u[b] || (u[a] == u[b] && a < b);
}

static size_t rank_for(const ty_parzen *p, size_t axis, size_t k, size_t n) {
    const uint32_t *sorted = p->sorted + axis * p->capacity;
    const double *u = ty_parzen_column_of(p, axis, TY_PARZEN_U);
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (is_before(u, sorted[middle], k))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Moves what belongs to the kernels from `from` on to `to`. */
static void shift(ty_parzen *p, size_t to, size_t from) {
    const size_t n = p->count - from;
    memmove(p->trial + to, p->trial + from, n * sizeof *p->trial);
    memmove(p->is_stale + to, p->is_stale + from, n * sizeof *p->is_stale);
    memmove(p->height + to, p->height + from, n * sizeof *p->height);
    for (size_t i = 0; i < p->axes->count * TY_PARZEN_COLUMNS; i++) {
        double *column = p->columns + i * p->capacity;
        memmove(column + to, column + from, n * sizeof *column);
    }
}

/* The kernels from k on have moved by one. */
static void renumber(ty_parzen *p, size_t axis, size_t k, uint32_t by) {
    uint32_t *sorted = p->sorted + axis * p->capacity;
    for (size_t rank = 0; rank < p->count; rank++)
        sorted[rank] += sorted[rank] >= k ? by : 0;
}

static double u_of(const ty_parzen *p, size_t a, const ty_parzen_point *point) {
    const ty_parzen_axis *axis = &p->axes->v[a];
    const double z = point->z[axis->index * point->stride];
    return a < p->axes->numeric_count ? clamp((z - axis->low) / axis->width, 0, 1) : z;
}

static void set_u(ty_parzen *p, size_t k, const ty_parzen_point *point) {
    p->trial[k] = point->trial;
    p->is_stale[k] = true;
    for (size_t a = 0; a < p->axes->count; a++) {
        ty_parzen_column_of(p, a, TY_PARZEN_U)[k] = u_of(p, a, point);
        ty_parzen_column_of(p, a, TY_PARZEN_SIGMA)[k] = 0; /* none yet */
        ty_parzen_column_of(p, a, TY_PARZEN_NORM)[k] = NAN;
    }
}

/* The neighbours left and right of a rank; ranks beyond the ends are none's. */
static void set_sigmas_around(ty_parzen *p, size_t axis, size_t rank) {
    const neighbours n = neighbours_of(p, axis);
    for (size_t r = rank > 0 ? rank - 1 : 0; r < p->count && r <= rank + 1; r++)
        set_sigma(p, &n, r);
}

static void add(ty_parzen *p, size_t k, const ty_parzen_point *point) {
    size_t ranks[TY_SPACE_MAX_PARAMS];
    shift(p, k + 1, k);
    set_u(p, k, point);
    for (size_t a = 0; a < p->axes->numeric_count; a++) {
        uint32_t *sorted = p->sorted + a * p->capacity;
        if (k < p->count)
            renumber(p, a, k, 1);
        ranks[a] = rank_for(p, a, k, p->count);
        memmove(sorted + ranks[a] + 1, sorted + ranks[a], (p->count - ranks[a]) * sizeof *sorted);
        sorted[ranks[a]] = (uint32_t)k;
    }
    p->count++;
    for (size_t a = 0; a < p->axes->numeric_count; a++)
        set_sigmas_around(p, a, ranks[a]);
}

static void drop(ty_parzen *p, size_t k) {
    size_t ranks[TY_SPACE_MAX_PARAMS];
    for (size_t a = 0; a < p->axes->numeric_count; a++) {
        uint32_t *sorted = p->sorted + a * p->capacity;
        ranks[a] = rank_for(p, a, k, p->count);
        memmove(sorted + ranks[a], sorted + ranks[a] + 1,
                (p->count - 1 - ranks[a]) * sizeof *sorted);
    }
    shift(p, k, k + 1);
    p->count--;
    make_empty_heights(p, p->count, p->count + 1);
    for (size_t a = 0; a < p->axes->numeric_count; a++) {
        renumber(p, a, k, (uint32_t)-1);
        set_sigmas_around(p, a, ranks[a]);
    }
}

/* --- all at once ----------------------------------------------------------------------------------- */

/* A bottom-up merge sort: stable, so that equal ones stay in order of age. */
static void sort_axis(ty_parzen *p, size_t axis, uint32_t *spare) {
    const size_t n = p->count;
    const double *u = ty_parzen_column_of(p, axis, TY_PARZEN_U);
    uint32_t *sorted = p->sorted + axis * p->capacity;
    for (size_t k = 0; k < n; k++)
        sorted[k] = (uint32_t)k;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += 2 * run) {
            size_t i = at, j = at + run, to = at;
            const size_t i_end = j < n ? j : n, j_end = j + run < n ? j + run : n;
            while (i < i_end || j < j_end)
                spare[to++] = j >= j_end || (i < i_end && !(u[sorted[j]] < u[sorted[i]]))
                                  ? sorted[i++]
                                  : sorted[j++];
        }
        memcpy(sorted, spare, n * sizeof *sorted);
    }
}

static ty_status rebuild(ty_ctx *ctx, ty_parzen *p, const ty_parzen_point *points, size_t n) {
    uint32_t *spare = calloc(n + 1, sizeof *spare);
    if (!spare)
        return ty_fail_nomem(ctx, "sorting points");
    make_empty_heights(p, n, n > p->count ? n : p->count);
    p->count = n;
    for (size_t k = 0; k < n; k++)
        set_u(p, k, &points[k]);
    for (size_t a = 0; a < p->axes->numeric_count; a++)
        sort_axis(p, a, spare);
    free(spare);
    p->sigma_min = 0; /* of other points */
    return TY_OK;
}

static bool is_same(const ty_parzen *p, size_t k, const ty_parzen_point *point) {
    bool is = p->trial[k] == point->trial;
    for (size_t a = 0; is && !point->is_known && a < p->axes->count; a++)
        is = ty_parzen_column_of(p, a, TY_PARZEN_U)[k] == u_of(p, a, point);
    return is;
}

/* How many are only here or only there. */
static size_t count_changes(const ty_parzen *p, const ty_parzen_point *points, size_t n) {
    size_t k = 0, i = 0, same = 0;
    while (k < p->count && i < n) {
        const size_t here = p->trial[k], there = points[i].trial;
        same += is_same(p, k, &points[i]);
        k += here <= there;
        i += there <= here;
    }
    return p->count - same + (n - same);
}

static void change(ty_parzen *p, const ty_parzen_point *points, size_t n) {
    for (size_t k = 0, i = 0; k < p->count || i < n;) {
        if (k < p->count && i < n && is_same(p, k, &points[i])) {
            k++;
            i++;
        } else if (k < p->count && (i == n || p->trial[k] <= points[i].trial)) {
            drop(p, k);
        } else {
            add(p, k++, &points[i++]);
        }
    }
}

ty_status ty_parzen_set(ty_ctx *ctx, ty_parzen *p, const ty_parzen_point *points, size_t n) {
    const size_t changes = count_changes(p, points, n);
    if (changes == 0)
        return TY_OK;
    TY_TRY(reserve(ctx, p, p->count + changes));
    if (changes > 8 + n / 8)
        TY_TRY(rebuild(ctx, p, points, n));
    else
        change(p, points, n);
    if (p->sigma_min != least_sigma(n)) {
        p->sigma_min = least_sigma(n);
        set_sigmas(p);
    }
    settle(p);
    set_weights(p);
    return TY_OK;
}
