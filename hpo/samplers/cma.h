/* CMA-ES: a normal distribution that learns from ranks where to search (Hansen, The CMA Evolution
 * Strategy: A Tutorial, arXiv 1604.00772, with active covariance update), the margin that keeps
 * lattice dimensions from freezing (Hamano et al., GECCO 2022), and covariance restricted to the
 * diagonal (Ros & Hansen, PPSN 2008) on request. It draws no numbers and knows nothing of trials;
 * sampler_cma.c says how a sweep's trials become its generations. */
#ifndef TY_HPO_SAMPLERS_CMA_H
#define TY_HPO_SAMPLERS_CMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the lattice's cells end: the ends inside the range nearest to m from below and from above;
 * both the same one where m lies in the first or the last cell. False: dimension `dim` is no lattice
 * of two values or more, and low and high are left alone. */
typedef struct ty_cma_lattice {
    bool (*ends)(const void *self, size_t dim, double m, double *low, double *high);
    const void *self;
} ty_cma_lattice;

typedef struct ty_cma_options {
    size_t dims;
    size_t population; /* 0: 4 + 3 ln dims, rounded down */
    bool is_separable;
    const double *mean;     /* [dims] */
    double sigma;           /* > 0 */
    const double *cov;      /* [dims, dims]; NULL: the identity */
    ty_cma_lattice lattice; /* ends NULL: all dimensions are continuous */
} ty_cma_options;

typedef struct ty_cma {
    size_t dims, population, parents, generation;
    bool is_separable;
    double parents_eff, cc, c1, cmu, c_sigma, d_sigma, chi, margin;
    double sigma, tolerance;
    ty_cma_lattice lattice;
    double *memory;        /* what follows lies in it */
    double *weight;        /* [population], of the best first; the last are negative */
    double *mean;          /* [dims] */
    double *path_sigma;    /* [dims] evolution paths */
    double *path_c;        /* [dims] */
    double *stretch;       /* [dims] of lattice dimensions: the margin's diagonal A */
    double *C;             /* [dims, dims] */
    double *root, *unroot; /* [dims, dims]: C^(1/2) and C^(-1/2), symmetric */
    double *axis;          /* [dims]: roots of C's eigenvalues, ascending */
    double *spread;        /* [spread_count, 2]: best and worst of the last generations */
    size_t spread_count;
    double *scratch; /* [dims, dims] and [4, dims] */
} ty_cma;

/* Errors: TY_ERR_NOMEM. Accepts no dims = 0. */
ty_status ty_cma_init(ty_ctx *ctx, ty_cma *cma, const ty_cma_options *options) TY_MUST_USE;
void ty_cma_clear(ty_cma *cma); /* accepts a zeroed one */

/* x = mean + sigma C^(1/2) normal; all [dims]. What to evaluate is ty_cma_encode of it. */
void ty_cma_point(const ty_cma *cma, const double *normal, double *x);

/* The margin's stretch about the mean: of the value to evaluate from x, and of x from that. */
double ty_cma_encode(const ty_cma *cma, size_t dim, double x);
double ty_cma_decode(const ty_cma *cma, size_t dim, double evaluated);

/* Brings a point that came from elsewhere no farther from the mean than sqrt(d) + 2d / (d + 2)
 * standard deviations, so that it cannot tear the distribution (Hansen, Injecting external solutions
 * into CMA-ES, arXiv 1110.4181). x [dims] is changed in place. */
void ty_cma_shorten(const ty_cma *cma, double *x);

/* One generation: x [population, dims], best first, with the values of its best and worst. */
void ty_cma_tell(ty_cma *cma, const double *x, double best, double worst);

/* Nothing is to be gained any more: all values alike, no room to move, numbers at their limits. */
bool ty_cma_is_done(const ty_cma *cma);

/* A distribution like the n best of other trials' points (Nomura et al., Warm starting CMA-ES, AAAI
 * 2021): x [n, dims]; mean [dims] and cov [dims, dims], of determinant 1, are set; sigma is the
 * result. scratch has room for 2 dims^2 + dims numbers. */
double ty_cma_resemble(const double *x, size_t n, size_t dims, double *mean, double *cov,
                       double *scratch);

/* Eigenvalues, ascending, and vectors (the columns of V) of symmetric A [n, n] by Jacobi's rotations;
 * A is destroyed. The same bits everywhere. */
void ty_cma_eigen(double *A, size_t n, double *value, double *V);

#ifdef __cplusplus
}
#endif
#endif
