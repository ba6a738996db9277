/* Hyperparameters of a Gaussian process: the maximum of likelihood times prior, over logarithms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/samplers/gp.h"
#include "hpo/samplers/lbfgs.h"

/* Noise below this makes the matrix singular in all but name. */
static const double LEAST_NOISE = 1e-6;

size_t ty_gp_theta_count(const ty_gp *gp) {
    return gp->dims + TY_GP_EXTRA;
}

void ty_gp_set(ty_gp *gp, const double *theta) {
    for (size_t d = 0; d < gp->dims; d++)
        gp->weight[d] = ty_exact_exp(theta[d]);
    gp->scale = ty_exact_exp(theta[gp->dims]);
    gp->noise = ty_exact_exp(theta[gp->dims + 1]) + LEAST_NOISE;
}

void ty_gp_default_theta(const ty_gp *gp, double *theta) {
    for (size_t d = 0; d < ty_gp_theta_count(gp); d++)
        theta[d] = 0;
    theta[gp->dims + 1] = -4.6; /* from noise that explains everything nothing leads away */
}

/* --- priors ------------------------------------------------------------------------------------- */

/* Optuna's: -(0.1 / w + 0.1 w) a weight, Gamma(2, 1) on the scale, Gamma(1.1, 30) on the noise. */
static double prior_loss(const ty_gp *gp, double *gradient) {
    double loss = 0;
    for (size_t d = 0; d < gp->dims; d++) {
        const double w = gp->weight[d];
        loss += 0.1 / w + 0.1 * w;
        gradient[d] += 0.1 * w - 0.1 / w;
    }
    loss += gp->scale - ty_exact_log(gp->scale);
    gradient[gp->dims] += gp->scale - 1;
    loss += 30 * gp->noise - 0.1 * ty_exact_log(gp->noise);
    gradient[gp->dims + 1] += (30 - 0.1 / gp->noise) * (gp->noise - LEAST_NOISE);
    return loss;
}

/* --- likelihood --------------------------------------------------------------------------------- */

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* alpha = W^T white = K^-1 y. */
static void solve(const ty_gp *gp, double *alpha) {
    memset(alpha, 0, gp->n * sizeof *alpha);
    for (size_t i = 0; i < gp->n; i++)
        for (size_t j = 0; j <= i; j++)
            alpha[j] += gp->W[i * gp->capacity + j] * gp->white[i];
}

/* k = K^-1 - alpha alpha^T, upper triangle; twice the loss's derivative by K. */
static void set_derivative(ty_gp *gp, const double *alpha) {
    const size_t c = gp->capacity;
    gp->loops->gram(gp->k, gp->W, (int64_t)c, (int64_t)gp->n);
    for (size_t i = 0; i < gp->n; i++)
        for (size_t j = i; j < gp->n; j++)
            gp->k[i * c + j] -= alpha[i] * alpha[j];
}

static void add_weight_gradient(ty_gp *gp, double *sums, double *gradient) {
    const ty_gp_points points = {.x = gp->x,
                                 .stride = (int64_t)gp->capacity,
                                 .n = (int64_t)gp->n,
                                 .n_numbers = (int64_t)gp->n_numbers,
                                 .dims = (int64_t)gp->dims,
                                 .weight = gp->weight};
    memset(sums, 0, gp->dims * TY_GP_LANES * sizeof *sums);
    gp->loops->weight_sums(sums, gp->k, gp->slope, (int64_t)gp->capacity, &points);
    for (size_t d = 0; d < gp->dims; d++)
        gradient[d] += gp->weight[d] * sums[d * TY_GP_LANES];
}

/* The sum of derivative times K is n - y . alpha; less the noise's part it is the scale's. */
static void add_extra_gradient(const ty_gp *gp, const double *alpha, double *gradient) {
    double trace = 0;
    for (size_t i = 0; i < gp->n; i++)
        trace += gp->k[i * gp->capacity + i];
    const double whole = (double)gp->n - dot(gp->y, alpha, gp->n);
    gradient[gp->dims] += 0.5 * (whole - gp->noise * trace);
    gradient[gp->dims + 1] += 0.5 * trace * (gp->noise - LEAST_NOISE);
}

double ty_gp_loss(ty_gp *gp, const double *theta, double *gradient) {
    const size_t n = gp->n;
    double sums[(TY_GP_MAX_DIMS + 1) * TY_GP_LANES];
    memset(gradient, 0, ty_gp_theta_count(gp) * sizeof *gradient);
    ty_gp_set(gp, theta);
    ty_gp_factor(gp, 0, n);
    ty_gp_whiten(gp);
    double loss = prior_loss(gp, gradient) + 0.5 * dot(gp->white, gp->white, n);
    for (size_t i = 0; i < n; i++)
        loss += ty_exact_log(gp->U[i * gp->capacity + i]);
    double *alpha = gp->alpha;
    solve(gp, alpha);
    set_derivative(gp, alpha);
    add_weight_gradient(gp, sums, gradient);
    add_extra_gradient(gp, alpha, gradient);
    return loss;
}

/* --- the fit ------------------------------------------------------------------------------------ */

ty_status ty_gp_fit(ty_ctx *ctx, ty_gp *gp, double *theta) {
    enum { MAX_EVALUATIONS = 60 };
    const size_t n = ty_gp_theta_count(gp);
    double *room = malloc((ty_lbfgs_room(n) + 3 * n) * sizeof *room);
    if (!room)
        return ty_fail_nomem(ctx, "the fit of a Gaussian process");
    double *low = room + ty_lbfgs_room(n), *high = low + n, *gradient = high + n;
    for (size_t i = 0; i < n; i++) {
        low[i] = i == n - 1 ? -30 : -9; /* e^-9 = 1e-4: priors keep away from there */
        high[i] = 9;
    }
    ty_lbfgs search;
    ty_lbfgs_begin(&search, n, low, high, theta, room);
    search.gradient_goal = 1e-2;
    search.gain_goal = 1e-9;
    search.max_evaluations = MAX_EVALUATIONS;
    while (ty_lbfgs_take(&search, ty_gp_loss(gp, search.at, gradient), gradient))
        ;
    memcpy(theta, search.best, n * sizeof *theta);
    free(room);
    ty_gp_set(gp, theta);
    ty_gp_factor(gp, 0, gp->n);
    ty_gp_whiten(gp);
    return TY_OK;
}
