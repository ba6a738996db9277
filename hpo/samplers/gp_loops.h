/* The arithmetic of a Gaussian process in vector registers. One source (gp_loops_body.h) is built for
 * each instruction-set level; lanes are outputs, never parts of a sum that depends on their number, so
 * that all levels give the same bits. Matrices are row-major with a stride (in doubles) that is a
 * multiple of TY_GP_LANES; rows and columns beyond n are there and may be written. */
#ifndef TY_HPO_SAMPLERS_GP_LOOPS_H
#define TY_HPO_SAMPLERS_GP_LOOPS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_GP_LANES = 8 };

/* Points [dims][stride]; the first n_numbers dimensions are numbers (squared differences), the others
 * choices (0 alike, 1 not). weight [dims] = 1 / lengthscale^2. */
typedef struct ty_gp_points {
    const double *x;
    int64_t stride, n, n_numbers, dims;
    const double *weight;
} ty_gp_points;

typedef struct ty_gp_loops {
    /* Of point `at` to points from..n-1: Matern 5/2 (times scale) and its derivative by the squared
     * distance; k, slope [n] are written from from / TY_GP_LANES * TY_GP_LANES on. */
    void (*kernel_row)(double *k, double *slope, const ty_gp_points *points, int64_t at,
                       int64_t from, double scale);
    /* Columns from..n-1 of the upper factor U of A = U^T U, in place; earlier columns hold U already.
     * `from` is a multiple of TY_GP_LANES. A pivot below least becomes least. */
    void (*factor)(double *A, int64_t stride, int64_t from, int64_t n, double least);
    /* Rows from..n-1 of W = U^-T (lower); from is a multiple of TY_GP_LANES. */
    void (*invert)(double *W, const double *U, int64_t stride, int64_t from, int64_t n);
    /* Upper triangle of W^T W, which is A^-1. */
    void (*gram)(double *to, const double *W, int64_t stride, int64_t n);
    /* to[8 d] = sum over i < j of m[i][j] slope[i][j] (squared difference of i and j in d); to [dims][8]
     * comes as zeros. */
    void (*weight_sums)(double *to, const double *m, const double *slope, int64_t stride,
                        const ty_gp_points *points);

    /* Of 8 points at once, at [dims][8]: k and slope [n][8]. */
    void (*kernel_lanes)(double *k, double *slope, const ty_gp_points *points, const double *at,
                         double scale);
    /* to [n][8] = W v and W^T v, v [n][8]; n is padded to a multiple of 4 by zeros in W. */
    void (*lower_times)(double *to, const double *W, int64_t stride, int64_t n, const double *v);
    void (*upper_times)(double *to, const double *W, int64_t stride, int64_t n, const double *v);
    /* to [n_numbers][8]: the derivatives by at of the sum over i of g[i] k[i]; g, slope [n][8]. */
    void (*point_gradient)(double *to, const ty_gp_points *points, const double *at,
                           const double *g, const double *slope);
} ty_gp_loops;

/* The table of a level (of ty_exact_loops_at); NULL where this CPU lacks it. */
const ty_gp_loops *ty_gp_loops_at(int level);
const ty_gp_loops *ty_gp_loops_best(void);

extern const ty_gp_loops ty_gp_loops_sse2, ty_gp_loops_avx2, ty_gp_loops_avx512;

#ifdef __cplusplus
}
#endif
#endif
