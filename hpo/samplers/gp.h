/* A Gaussian process over the unit cube: Matern 5/2 with a lengthscale a dimension (choices by whether
 * they differ), a scale and noise (Rasmussen & Williams, Gaussian Processes for Machine Learning, ch.
 * 2 and 5). Values are what a caller made of them (mean 0, deviation 1). Every number has the same bits
 * on every machine, and a point that is added gives the bits that it would give from the start. */
#ifndef TY_HPO_SAMPLERS_GP_H
#define TY_HPO_SAMPLERS_GP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "hpo/samplers/gp_loops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_GP_MAX_DIMS = 256, TY_GP_MAX_PENDING = 64, TY_GP_MAX_FANTASIES = 128 };

typedef struct ty_gp {
    const ty_gp_loops *loops;
    size_t n_numbers, dims; /* dimensions 0..n_numbers-1 are numbers in [0, 1], the rest choices */
    size_t n, capacity;     /* capacity is the stride of all that follows */
    double *x;              /* [dims][capacity] */
    double *y, *white;      /* [capacity]; white = W y */
    double *alpha;          /* [capacity] of ty_gp_loss */
    double *U, *W;          /* [capacity][capacity]: K + noise = U^T U, W = U^-T */
    double *k, *slope;      /* [capacity][capacity], of ty_gp_loss */
    double *weight;         /* [dims] 1 / lengthscale^2 */
    double scale, noise;
} ty_gp;

void ty_gp_init(ty_gp *gp, size_t n_numbers, size_t dims);
void ty_gp_clear(ty_gp *gp); /* accepts a zeroed one */

/* Makes room for n points; those that are there stay, but what follows from them (U, W, white) has to
 * be computed anew when the capacity changed, and *has_grown says so. */
ty_status ty_gp_reserve(ty_ctx *ctx, ty_gp *gp, size_t n, bool *has_grown) TY_MUST_USE;

void ty_gp_put(ty_gp *gp, size_t index, const double *point);

/* Factors for points 0..n-1, of which the first `kept` were there before, and sets gp->n. */
void ty_gp_factor(ty_gp *gp, size_t kept, size_t n);

/* white = W y. */
void ty_gp_whiten(ty_gp *gp);

/* --- hyperparameters: theta [dims + 2] = log weights, log scale, log (noise - least noise) ------------- */

enum { TY_GP_EXTRA = 2 };

void ty_gp_set(ty_gp *gp, const double *theta);
size_t ty_gp_theta_count(const ty_gp *gp);

/* -(log marginal likelihood + log prior) without constants, and its gradient [dims + 2]. Destroys U and
 * W and sets the hyperparameters. */
double ty_gp_loss(ty_gp *gp, const double *theta, double *gradient);

/* Moves theta [dims + 2] to a minimum of the loss, in a number of evaluations that is bounded; factors
 * afterwards. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_fit(ty_ctx *ctx, ty_gp *gp, double *theta) TY_MUST_USE;

/* Where a fit without a forerunner begins. */
void ty_gp_default_theta(const ty_gp *gp, double *theta);

/* --- acquisition: log expected improvement (Ament et al., NeurIPS 2023) -------------------------------- */

/* log(phi(z) + z Phi(z)) wherever z is, and its derivative. */
double ty_gp_log_ei(double z, double *derivative);

/* What is asked of 8 points at a time. With points under way (the last n_pending of gp's, whose values
 * are not known) it is the mean over fantasies of what those may turn out to be: the values of all
 * improve together (q-EI, sequential greedy). */
typedef struct ty_gp_acquisition {
    const ty_gp *gp;
    size_t n_pending, n_fantasies; /* without pending ones: 0 and 1 */
    double best;
    double *normal;            /* [n_fantasies][n_pending] standard normal numbers */
    double *fantasy_best;      /* [n_fantasies] */
    double *k, *slope, *v, *g; /* [capacity][8] scratch */
    double *room;              /* of all of the above */
} ty_gp_acquisition;

/* best is the least value known. normals [n_fantasies][n_pending] are copied. white of pending points
 * counts as 0. Errors: TY_ERR_NOMEM. */
ty_status ty_gp_acquisition_init(ty_ctx *ctx, ty_gp_acquisition *a, const ty_gp *gp, double best,
                                 size_t n_pending, size_t n_fantasies,
                                 const double *normals) TY_MUST_USE;
void ty_gp_acquisition_clear(ty_gp_acquisition *a); /* accepts a zeroed one */

/* at [dims][8]; value [8]; gradient [n_numbers][8] or NULL. */
void ty_gp_acquire(const ty_gp_acquisition *a, const double *at, double *value, double *gradient);

#ifdef __cplusplus
}
#endif
#endif
