/* A Parzen estimator: the density of points that have been seen, as a mixture of products, one kernel
 * a point and one for the prior (Bergstra et al. 2011; the bandwidths and weights as Optuna 5 has
 * them). Its kernels are kept up point by point, so that a density costs what its nearby kernels cost.
 *
 * Axes. Numbers are measured in u = (z - z_low) / (z_high - z_low), choices by their index.
 *   Kernel of a number: a normal one around the point, cut off outside [0, 1]; its sigma is the greater
 *     of the distances to the points left and right of it (the cube's edges where there is none; but
 *     once there are two points, the outermost take the inner distance alone), at least 1 / min(100,
 *     n + 2), at most 1. The prior's kernel has its middle at 1/2 and sigma 1. On a lattice a kernel's
 *     mass in the value's cell counts, not its density.
 *   Kernel of a choice: (k p / (n + 1) + [this is it]) / (k / (n + 1) + 1) among k choices of prior
 *     probabilities p; the prior's kernel is p.
 *   Weights: points by age (their trials' numbers): the newest 25 and the prior count 1, those before
 *     less the older they are, from 1 / n up in equal steps.
 * Points at the same place are told apart by age. A kernel of less than e^-60 times the prior's value
 * where a density is asked for counts as nothing there, so that most of them need not be looked at. */
#ifndef TY_HPO_SAMPLERS_PARZEN_H
#define TY_HPO_SAMPLERS_PARZEN_H

#include "hpo/samplers/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_parzen_axis {
    const ty_param *param;
    size_t index;      /* of the parameter in its space */
    double low, width; /* u = (z - low) / width */
} ty_parzen_axis;

/* The axes of an estimator: first numbers of any value, then lattices, then choices. */
typedef struct ty_parzen_axes {
    const ty_parzen_axis *v;
    size_t count, smooth_count, numeric_count; /* lattices: [smooth_count, numeric_count) */
} ty_parzen_axes;

/* Sorts v [count] (param and index set) as wanted and sets the rest. */
ty_parzen_axes ty_parzen_axes_of(ty_parzen_axis *v, size_t count);

/* A point to estimate from: that of a trial, in z of its space, z[index * stride]. */
typedef struct ty_parzen_point {
    size_t trial;
    const double *z;
    size_t stride;
    bool is_known; /* the trial had this very point when it was last seen, if it was */
} ty_parzen_point;

/* Where densities are asked for; for a lattice from..to is the value's cell. */
typedef struct ty_parzen_place {
    double u, from, to;
} ty_parzen_place;

typedef struct ty_parzen ty_parzen;

/* axes outlives *out, which is the caller's to close. Only one that draws can be drawn from. */
ty_status ty_parzen_open(ty_ctx *ctx, const ty_parzen_axes *axes, bool draws,
                         ty_parzen **out) TY_MUST_USE;
void ty_parzen_close(ty_parzen *parzen); /* accepts NULL */

/* Makes it the estimator of exactly these points [n], trials ascending. What of the last points is
 * still there is kept; the result has the same bits whatever came before. */
ty_status ty_parzen_set(ty_ctx *ctx, ty_parzen *parzen, const ty_parzen_point *points,
                        size_t n) TY_MUST_USE;

/* Draws from the mixture: x [param count of the space], at the axes alone, and its places [axes]. */
void ty_parzen_draw(const ty_parzen *parzen, ty_draws *draws, double *x, ty_parzen_place *places);

/* The places [axes] of values x of a space. */
void ty_parzen_place_of(const ty_parzen_axes *axes, const double *x, ty_parzen_place *places);

/* The logarithm of the density at n points, places [n][axes]; cells count by their mass. */
void ty_parzen_log_density(ty_parzen *parzen, const ty_parzen_place *places, size_t n, double *out);

#ifdef __cplusplus
}
#endif
#endif
