#include "hpo/samplers/cma.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"

/* Beyond these the numbers themselves are in danger. */
static const double SIGMA_MAX = 1e32, TINY = 1e-8;

/* --- constants ---------------------------------------------------------------------------------- */

static size_t default_population(size_t dims) {
    return 4 + (size_t)floor(3 * ty_exact_log((double)dims)); /* eq. 48 */
}

static double sum(const double *v, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i];
    return total;
}

static double sum_squares(const double *v, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i] * v[i];
    return total;
}

/* Eq. 49; the last are negative. */
static void set_raw_weights(ty_cma *s) {
    const double middle = ty_exact_log(((double)s->population + 1) / 2);
    for (size_t i = 0; i < s->population; i++)
        s->weight[i] = middle - ty_exact_log((double)i + 1);
}

/* Of parents, and of the rest: sum^2 / sum of squares. */
static double effective(const double *weight, size_t n) {
    const double total = sum(weight, n);
    return total * total / sum_squares(weight, n);
}

static void set_rates(ty_cma *s) {
    const double d = (double)s->dims, me = s->parents_eff;
    s->c1 = 2 / ((d + 1.3) * (d + 1.3) + me);
    s->cmu = 2 * (me - 2 + 1 / me) / ((d + 2) * (d + 2) + me);
    if (s->is_separable) { /* d variances rather than d^2 / 2 covariances learn faster */
        s->c1 *= (d + 2) / 3;
        s->cmu *= (d + 2) / 3;
    }
    s->cmu = fmin(1 - s->c1 - 1e-8, s->cmu);
    s->c_sigma = (me + 2) / (d + me + 5);
    s->d_sigma = 1 + 2 * fmax(0, sqrt((me - 1) / (d + 1)) - 1) + s->c_sigma;
    s->cc = (4 + me / d) / (d + 4 + 2 * me / d);
    s->chi = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
    s->margin = 1 / (d * (double)s->population);
}

/* Eqs. 50 to 53: positive ones sum to 1, negative ones to what leaves C positive. */
static void scale_weights(ty_cma *s, double rest_eff) {
    const double d = (double)s->dims;
    double least = 1 + s->c1 / s->cmu;
    least = fmin(least, 1 + 2 * rest_eff / (s->parents_eff + 2));
    least = fmin(least, (1 - s->c1 - s->cmu) / (d * s->cmu));
    double positive = 0, negative = 0;
    for (size_t i = 0; i < s->population; i++)
        *(s->weight[i] > 0 ? &positive : &negative) += fabs(s->weight[i]);
    for (size_t i = 0; i < s->population; i++)
        s->weight[i] *= s->weight[i] >= 0 ? 1 / positive : least / negative;
}

static void set_constants(ty_cma *s) {
    set_raw_weights(s);
    s->parents = s->population / 2;
    s->parents_eff = effective(s->weight, s->parents);
    set_rates(s);
    scale_weights(s, effective(s->weight + s->parents, s->population - s->parents));
}

/* --- memory ------------------------------------------------------------------------------------- */

static ty_status reserve(ty_ctx *ctx, ty_cma *s) {
    const size_t d = s->dims, square = d * d;
    s->spread_count = 10 + (30 * d + s->population - 1) / s->population;
    const size_t n = s->population + 5 * d + 3 * square + 2 * s->spread_count + square + 4 * d;
    double *at = s->memory = calloc(n, sizeof *at);
    if (!at)
        return ty_fail_nomem(ctx, "CMA-ES");
    double **const parts[] = {&s->weight,  &s->mean,   &s->path_sigma, &s->path_c,
                              &s->stretch, &s->axis,   &s->C,          &s->root,
                              &s->unroot,  &s->spread, &s->scratch};
    const size_t sizes[] = {s->population,       d, d, d, d, d, square, square, square,
                            2 * s->spread_count, 0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; at += sizes[i++])
        *parts[i] = at;
    return TY_OK;
}

static void set_identity(double *A, size_t n) {
    for (size_t i = 0; i < n * n; i++)
        A[i] = i % (n + 1) == 0;
}

/* to = B diag(f) B^T, f = D or 1 / D. */
static void compose(const ty_cma *s, const double *B, bool is_inverse, double *to) {
    const size_t n = s->dims;
    memset(to, 0, n * n * sizeof *to);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            const double scaled =
                is_inverse ? B[i * n + k] / s->axis[k] : B[i * n + k] * s->axis[k];
            for (size_t j = 0; j <= i; j++)
                to[i * n + j] += scaled * B[j * n + k];
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            to[j * n + i] = to[i * n + j];
}

static void set_roots_of_diagonal(ty_cma *s) {
    const size_t n = s->dims;
    for (size_t i = 0; i < n; i++) {
        const double root = sqrt(fmax(s->C[i * n + i], TINY * TINY));
        s->axis[i] = s->root[i * n + i] = root;
        s->unroot[i * n + i] = 1 / root;
    }
}

/* Roots of C; an eigenvalue that rounding made negative becomes a tiny one. */
static void set_roots(ty_cma *s) {
    if (s->is_separable) {
        set_roots_of_diagonal(s);
        return;
    }
    const size_t n = s->dims;
    double *B = s->scratch; /* root serves as the matrix that the rotations use up */
    memcpy(s->root, s->C, n * n * sizeof *s->root);
    ty_cma_eigen(s->root, n, s->axis, B);
    for (size_t i = 0; i < n; i++)
        s->axis[i] = sqrt(s->axis[i] < 0 ? TINY : s->axis[i]);
    compose(s, B, false, s->root);
    compose(s, B, true, s->unroot);
}

ty_status ty_cma_init(ty_ctx *ctx, ty_cma *s, const ty_cma_options *o) {
    *s = (ty_cma){.dims = o->dims,
                  .population = o->population ? o->population : default_population(o->dims),
                  .is_separable = o->is_separable,
                  .sigma = o->sigma,
                  .tolerance = 1e-12 * o->sigma,
                  .lattice = o->lattice};
    TY_TRY(reserve(ctx, s));
    set_constants(s);
    memcpy(s->mean, o->mean, s->dims * sizeof *s->mean);
    set_identity(s->C, s->dims);
    if (o->cov)
        memcpy(s->C, o->cov, s->dims * s->dims * sizeof *s->C);
    for (size_t i = 0; i < s->dims; i++)
        s->stretch[i] = 1;
    set_roots(s);
    return TY_OK;
}

void ty_cma_clear(ty_cma *s) {
    free(s->memory);
    *s = (ty_cma){0};
}

/* --- points ------------------------------------------------------------------------------------- */

static void times(const double *A, const double *v, size_t n, double *to) {
    for (size_t i = 0; i < n; i++) {
        to[i] = 0;
        for (size_t j = 0; j < n; j++)
            to[i] += A[i * n + j] * v[j];
    }
}

void ty_cma_point(const ty_cma *s, const double *normal, double *x) {
    times(s->root, normal, s->dims, x);
    for (size_t i = 0; i < s->dims; i++)
        x[i] = s->mean[i] + s->sigma * x[i];
}

double ty_cma_encode(const ty_cma *s, size_t dim, double x) {
    return s->stretch[dim] == 1 ? x : (x - s->mean[dim]) * s->stretch[dim] + s->mean[dim];
}

double ty_cma_decode(const ty_cma *s, size_t dim, double evaluated) {
    return (evaluated - s->mean[dim]) / s->stretch[dim] + s->mean[dim];
}

void ty_cma_shorten(const ty_cma *s, double *x) {
    const size_t n = s->dims;
    const double d = (double)n, most = sqrt(d) + 2 * d / (d + 2);
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double part = 0;
        for (size_t j = 0; j < n; j++)
            part += s->unroot[i * n + j] * ((x[j] - s->mean[j]) / s->sigma);
        squares += part * part;
    }
    const double length = sqrt(squares);
    for (size_t i = 0; length > most && i < n; i++)
        x[i] = s->mean[i] + (x[i] - s->mean[i]) * (most / length);
}

/* --- learning ----------------------------------------------------------------------------------- */

/* y [dims]: one point in units of the step. */
static void step_of(const ty_cma *s, const double *x, const double *mean, double *y) {
    for (size_t i = 0; i < s->dims; i++)
        y[i] = (x[i] - mean[i]) / s->sigma;
}

/* Eq. 41: the parents' mean step. */
static void parents_step(const ty_cma *s, const double *x, double *step, double *y) {
    memset(step, 0, s->dims * sizeof *step);
    for (size_t k = 0; k < s->parents; k++) {
        step_of(s, x + k * s->dims, s->mean, y);
        for (size_t i = 0; i < s->dims; i++)
            step[i] += y[i] * s->weight[k];
    }
}

static void follow(double *path, size_t n, double rate, double gain, const double *by) {
    for (size_t i = 0; i < n; i++)
        path[i] = (1 - rate) * path[i] + gain * by[i];
}

/* Integer powers, by squaring. */
static double power(double base, size_t n) {
    double result = 1;
    for (; n; n >>= 1, base *= base)
        if (n & 1)
            result *= base;
    return result;
}

/* Whether the path is no longer than a walk at random would make it; else C must wait. */
static bool path_is_usual(const ty_cma *s, double length) {
    const double grown = sqrt(1 - power(1 - s->c_sigma, 2 * (s->generation + 1)));
    return length / grown < (1.4 + 2 / ((double)s->dims + 1)) * s->chi;
}

static void add_outer(ty_cma *s, double factor, const double *v) {
    const size_t n = s->dims;
    for (size_t i = 0; i < n; i++)
        for (size_t j = s->is_separable ? i : 0; j <= i; j++)
            s->C[i * n + j] += factor * (v[i] * v[j]);
}

static void mirror(double *C, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            C[j * n + i] = C[i * n + j];
}

/* Eqs. 46 and 47. mean is that which x was drawn about. */
static void learn_covariance(ty_cma *s, const double *x, const double *mean, double kept, double *y,
                             double *white) {
    const size_t n = s->dims;
    const double old = 1 + s->c1 * kept - s->c1 - s->cmu * sum(s->weight, s->population);
    for (size_t i = 0; i < n * n; i++)
        s->C[i] *= old;
    add_outer(s, s->c1, s->path_c);
    for (size_t k = 0; k < s->population; k++) {
        step_of(s, x + k * n, mean, y);
        double weight = s->weight[k];
        if (weight < 0) {
            times(s->unroot, y, n, white);
            weight *= (double)n / (sum_squares(white, n) + TINY);
        }
        add_outer(s, s->cmu * weight, y);
    }
    mirror(s->C, n);
}

static void remember_spread(ty_cma *s, double best, double worst) {
    double *at = s->spread + 2 * (s->generation % s->spread_count);
    at[0] = best;
    at[1] = worst;
}

/* --- the margin --------------------------------------------------------------------------------- */

/* The mean lies in the first or last cell: it stays so near its end that the other side keeps the
 * margin's probability. */
static void keep_near(ty_cma *s, size_t i, double end, double scale) {
    const double away = -ty_exact_ndtri(s->margin) * scale;
    s->mean[i] = end + (s->mean[i] > end ? away : s->mean[i] < end ? -away : 0);
}

static double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

/* The mean lies in between: both neighbours keep half the margin. below and above are their
 * probabilities. */
static void keep_between(ty_cma *s, size_t i, double low, double high, double below, double above) {
    const double half = s->margin / 2, middle = 1 - (below + above);
    below = fmax(below, half);
    above = fmax(above, half);
    const double excess = 1 - below - above - middle, room = below + middle + above - 3 * half;
    const double p_low = clamp(below + excess * (below - half) / room, 1e-10, 0.5 - 1e-10);
    const double p_high = clamp(above + excess * (above - half) / room, 1e-10, 0.5 - 1e-10);
    const double to_low = -ty_exact_ndtri(p_low), to_high = -ty_exact_ndtri(p_high);
    s->stretch[i] = (high - low) / ((to_low + to_high) * s->sigma * sqrt(s->C[i * s->dims + i]));
    s->mean[i] = (low * to_high + high * to_low) / (to_low + to_high);
}

static void keep_margin(ty_cma *s, size_t i) {
    double low, high;
    if (!s->lattice.ends(s->lattice.self, i, s->mean[i], &low, &high))
        return;
    const double scale = s->sigma * s->stretch[i] * sqrt(s->C[i * s->dims + i]);
    const double below = ty_exact_ndtr((low - s->mean[i]) / scale);
    const double above = ty_exact_ndtr((s->mean[i] - high) / scale);
    /* The only end there is may lie so near the mean that both sides are a half. */
    if (low < high && fmax(below, above) <= 0.5)
        keep_between(s, i, low, high, below, above);
    else if (fmin(below, above) < s->margin)
        keep_near(s, i, high, scale);
}

void ty_cma_tell(ty_cma *s, const double *x, double best, double worst) {
    const size_t n = s->dims;
    double *mean = s->scratch + n * n, *step = mean + n, *y = step + n, *white = y + n;
    s->generation++;
    remember_spread(s, best, worst);
    memcpy(mean, s->mean, n * sizeof *mean);
    parents_step(s, x, step, y);
    const double sigma = s->sigma;
    times(s->unroot, step, n, white);
    follow(s->path_sigma, n, s->c_sigma, sqrt(s->c_sigma * (2 - s->c_sigma) * s->parents_eff),
           white);
    const double length = sqrt(sum_squares(s->path_sigma, n));
    const bool is_usual = path_is_usual(s, length);
    const double gain = is_usual ? sqrt(s->cc * (2 - s->cc) * s->parents_eff) : 0;
    follow(s->path_c, n, s->cc, gain, step);
    learn_covariance(s, x, mean, is_usual ? 0 : s->cc * (2 - s->cc), y, white);
    for (size_t i = 0; i < n; i++)
        s->mean[i] += sigma * step[i];
    s->sigma =
        fmin(sigma * ty_exact_exp(s->c_sigma / s->d_sigma * (length / s->chi - 1)), SIGMA_MAX);
    for (size_t i = 0; s->lattice.ends && i < n; i++)
        keep_margin(s, i);
    set_roots(s);
}

/* --- the end ------------------------------------------------------------------------------------ */

static bool values_are_alike(const ty_cma *s) {
    double least = s->spread[0], most = s->spread[0];
    for (size_t i = 0; i < 2 * s->spread_count; i++) {
        least = fmin(least, s->spread[i]);
        most = fmax(most, s->spread[i]);
    }
    return s->generation > s->spread_count && most - least < 1e-12;
}

static bool steps_are_tiny(const ty_cma *s) {
    for (size_t i = 0; i < s->dims; i++)
        if (s->sigma * s->C[i * s->dims + i] >= s->tolerance ||
            s->sigma * s->path_c[i] >= s->tolerance)
            return false;
    return true;
}

static bool a_coordinate_is_stuck(const ty_cma *s) {
    for (size_t i = 0; i < s->dims; i++)
        if (s->mean[i] == s->mean[i] + 0.2 * s->sigma * sqrt(s->C[i * s->dims + i]))
            return true;
    return false;
}

bool ty_cma_is_done(const ty_cma *s) {
    double least = s->axis[0], most = s->axis[0];
    for (size_t i = 0; i < s->dims; i++) {
        least = fmin(least, s->axis[i]);
        most = fmax(most, s->axis[i]);
    }
    return values_are_alike(s) || steps_are_tiny(s) || s->sigma * most > 1e4 ||
           a_coordinate_is_stuck(s) || most > 1e7 * least;
}

/* --- warm start --------------------------------------------------------------------------------- */

/* Brings the determinant of cov to 1; its d-th root is returned. */
static double normalise(double *cov, size_t d, double *copy, double *values, double *V) {
    memcpy(copy, cov, d * d * sizeof *cov);
    ty_cma_eigen(copy, d, values, V);
    double logs = 0;
    for (size_t i = 0; i < d; i++)
        logs += ty_exact_log(fmax(values[i], TINY * TINY));
    const double root = ty_exact_exp(logs / (double)d);
    for (size_t i = 0; i < d * d; i++)
        cov[i] /= root;
    return root;
}

double ty_cma_resemble(const double *x, size_t n, size_t d, double *mean, double *cov,
                       double *scratch) {
    for (size_t i = 0; i < d; i++) {
        mean[i] = 0;
        for (size_t k = 0; k < n; k++)
            mean[i] += x[k * d + i] / (double)n;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
            cov[i * d + j] = i == j ? 0.1 * 0.1 : 0; /* alpha of the paper, squared */
            for (size_t k = 0; k < n; k++)
                cov[i * d + j] += (x[k * d + i] - mean[i]) * (x[k * d + j] - mean[j]) / (double)n;
        }
    return sqrt(normalise(cov, d, scratch, scratch + d * d, scratch + d * d + d));
}
