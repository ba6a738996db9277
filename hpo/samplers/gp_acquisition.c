/* Log expected improvement of 8 points at once, and its gradient by one pass there and one back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/samplers/gp.h"

static const double LOG_ROOT_2_PI = 0.91893853320467274178, ROOT_HALF_PI = 1.2533141373155002512,
                    ROOT_HALF = 0.70710678118654752440;

/* Below -1 by Mills' ratio m = Phi(-a) / phi(a): phi (1 - a m), where 1 - a m ~ 1 / a^2 far out. */
static double log_ei_left(double a, double *derivative) {
    const double mills = ROOT_HALF_PI * ty_exact_erfcx(a * ROOT_HALF);
    const double rest = a < 1e4 ? 1 - a * mills : 1 / (a * a);
    *derivative = a < 1e4 ? mills / rest : a;
    return -0.5 * a * a - LOG_ROOT_2_PI + ty_exact_log(rest);
}

double ty_gp_log_ei(double z, double *derivative) {
    if (z < -1)
        return log_ei_left(-z, derivative);
    const double below = ty_exact_ndtr(z);
    const double h = ty_exact_exp(-0.5 * z * z - LOG_ROOT_2_PI) + z * below;
    *derivative = below / h;
    return ty_exact_log(h);
}

/* --- fantasies ---------------------------------------------------------------------------------- */

/* Values of the pending points, given normals: mean + the factor's lower rows times normals. The least
 * of them and of what is known is what a candidate has to improve upon. */
static double best_of(const ty_gp_acquisition *a, const double *normal) {
    const ty_gp *gp = a->gp;
    const size_t seen = gp->n - a->n_pending;
    double best = a->best;
    for (size_t j = seen; j < gp->n; j++) {
        double value = 0;
        for (size_t i = 0; i <= j; i++)
            value += gp->U[i * gp->capacity + j] * (i < seen ? gp->white[i] : normal[i - seen]);
        best = fmin(best, value);
    }
    return best;
}

ty_status ty_gp_acquisition_init(ty_ctx *ctx, ty_gp_acquisition *a, const ty_gp *gp, double best,
                                 size_t n_pending, size_t n_fantasies, const double *normals) {
    *a = (ty_gp_acquisition){
        .gp = gp, .n_pending = n_pending, .n_fantasies = n_fantasies, .best = best};
    const size_t n_normals = n_fantasies * n_pending, n = gp->capacity * TY_GP_LANES;
    a->room = calloc(n_normals + n_fantasies + 4 * n, sizeof *a->room);
    if (!a->room)
        return ty_fail_nomem(ctx, "an acquisition function");
    a->normal = a->room;
    a->fantasy_best = a->normal + n_normals;
    a->k = a->fantasy_best + n_fantasies;
    a->slope = a->k + n;
    a->v = a->slope + n;
    a->g = a->v + n;
    if (n_normals > 0)
        memcpy(a->normal, normals, n_normals * sizeof *normals);
    for (size_t s = 0; s < n_fantasies; s++)
        a->fantasy_best[s] = best_of(a, a->normal + s * n_pending);
    return TY_OK;
}

void ty_gp_acquisition_clear(ty_gp_acquisition *a) {
    free(a->room);
    *a = (ty_gp_acquisition){0};
}

/* --- one point of the eight --------------------------------------------------------------------- */

typedef struct moments {
    double mean, variance;
} moments;

static moments moments_at(const ty_gp_acquisition *a, size_t lane) {
    const ty_gp *gp = a->gp;
    const size_t seen = gp->n - a->n_pending;
    moments m = {0, gp->scale};
    for (size_t i = 0; i < gp->n; i++) {
        const double v = a->v[i * TY_GP_LANES + lane];
        m.mean += i < seen ? v * gp->white[i] : 0;
        m.variance -= v * v;
    }
    m.variance = fmax(m.variance, 1e-12 * gp->scale);
    return m;
}

static double mean_of_fantasy(const ty_gp_acquisition *a, size_t lane, double mean, size_t s) {
    const size_t seen = a->gp->n - a->n_pending;
    for (size_t j = 0; j < a->n_pending; j++)
        mean += a->v[(seen + j) * TY_GP_LANES + lane] * a->normal[s * a->n_pending + j];
    return mean;
}

/* What a point's value depends on, and how: by the mean (of all fantasies), the variance, and what the
 * pending points contribute to the mean. */
typedef struct slopes {
    double mean, variance;
    double pending[TY_GP_MAX_PENDING];
} slopes;

static void add_slopes(const ty_gp_acquisition *a, slopes *to, double share, double z, double by_z,
                       double sigma, size_t s) {
    const double by_mean = -share * by_z / sigma;
    to->mean += by_mean;
    to->variance += share * (1 - z * by_z) / (2 * sigma * sigma);
    for (size_t j = 0; j < a->n_pending; j++)
        to->pending[j] += by_mean * a->normal[s * a->n_pending + j];
}

/* The logarithm of the mean of expected improvements over fantasies. */
static double value_at(const ty_gp_acquisition *a, size_t lane, slopes *by) {
    double logs[TY_GP_MAX_FANTASIES], z[TY_GP_MAX_FANTASIES], by_z[TY_GP_MAX_FANTASIES];
    const moments m = moments_at(a, lane);
    const double sigma = sqrt(m.variance);
    double most = -INFINITY, sum = 0;
    for (size_t s = 0; s < a->n_fantasies; s++) {
        z[s] = (a->fantasy_best[s] - mean_of_fantasy(a, lane, m.mean, s)) / sigma;
        logs[s] = ty_gp_log_ei(z[s], &by_z[s]);
        most = fmax(most, logs[s]);
    }
    for (size_t s = 0; s < a->n_fantasies; s++)
        sum += a->n_fantasies > 1 ? logs[s] = ty_exact_exp(logs[s] - most) : 1;
    *by = (slopes){0};
    for (size_t s = 0; s < a->n_fantasies; s++)
        add_slopes(a, by, a->n_fantasies > 1 ? logs[s] / sum : 1, z[s], by_z[s], sigma, s);
    return most + ty_exact_log(sum / (double)a->n_fantasies) + ty_exact_log(sigma);
}

/* What the way back starts from: the derivative by v = W k. */
static void set_back(const ty_gp_acquisition *a, size_t lane, const slopes *by) {
    const ty_gp *gp = a->gp;
    const size_t seen = gp->n - a->n_pending;
    for (size_t i = 0; i < gp->n; i++) {
        double *v = &a->v[i * TY_GP_LANES + lane];
        const double mean = i < seen ? by->mean * gp->white[i] : by->pending[i - seen];
        *v = mean - 2 * by->variance * *v;
    }
}

void ty_gp_acquire(const ty_gp_acquisition *a, const double *at, double *value, double *gradient) {
    const ty_gp *gp = a->gp;
    const ty_gp_points points = {.x = gp->x,
                                 .stride = (int64_t)gp->capacity,
                                 .n = (int64_t)gp->n,
                                 .n_numbers = (int64_t)gp->n_numbers,
                                 .dims = (int64_t)gp->dims,
                                 .weight = gp->weight};
    const int64_t stride = (int64_t)gp->capacity, n = (int64_t)gp->n;
    gp->loops->kernel_lanes(a->k, a->slope, &points, at, gp->scale);
    gp->loops->lower_times(a->v, gp->W, stride, n, a->k);
    for (size_t lane = 0; lane < TY_GP_LANES; lane++) {
        slopes by;
        value[lane] = value_at(a, lane, &by);
        if (gradient)
            set_back(a, lane, &by);
    }
    if (!gradient)
        return;
    gp->loops->upper_times(a->g, gp->W, stride, n, a->v);
    gp->loops->point_gradient(gradient, &points, at, a->g, a->slope);
}
