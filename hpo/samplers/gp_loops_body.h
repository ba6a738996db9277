/* The source of every instruction-set level: a gp_loops_*.c defines GP_TABLE and includes this. A
 * `lanes` is 8 doubles in as many registers as they take. */
#include "hpo/samplers/gp_loops.h"

#include <math.h>
#include <string.h>

#include "hpo/exact/exact_inline.h"

typedef double lanes __attribute__((vector_size(8 * TY_GP_LANES)));
typedef int64_t lane_masks __attribute__((vector_size(8 * TY_GP_LANES)));

enum { N_ROWS = 4 }; /* of a tile: with 8 columns it fills AVX2's registers */

static inline lanes load(const double *from) {
    lanes v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void store(double *to, lanes v) {
    memcpy(to, &v, sizeof v);
}

static inline lanes all(double x) {
    return x - (lanes){0};
}

/* 1 where a and b differ, 0 elsewhere. */
static inline lanes differ(lanes a, lanes b) {
    const lane_masks holds = a != b;
    const lanes one = all(1);
    lane_masks bits;
    memcpy(&bits, &one, sizeof bits);
    bits &= holds;
    lanes result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* --- Matern 5/2 --------------------------------------------------------------------------------- */

/* In place of squared distances, k and slope come; arrays of 8, so that the compiler vectorises exp. */
static inline void matern(const double *squared, double *k, double *slope, double scale) {
    for (int l = 0; l < TY_GP_LANES; l++) {
        const double root = sqrt(5 * squared[l]);
        const double fall = scale * exp_of(-root);
        k[l] = fall * ((5.0 / 3) * squared[l] + root + 1);
        slope[l] = (-5.0 / 6) * (root + 1) * fall;
    }
}

static void kernel_row(double *k, double *slope, const ty_gp_points *p, int64_t at, int64_t from,
                       double scale) {
    double squared[TY_GP_LANES];
    for (int64_t j = from / TY_GP_LANES * TY_GP_LANES; j < p->n; j += TY_GP_LANES) {
        lanes sum = {0};
        for (int64_t d = 0; d < p->dims; d++) {
            const double *x = p->x + d * p->stride;
            const lanes gap =
                d < p->n_numbers ? load(x + j) - x[at] : differ(load(x + j), all(x[at]));
            sum += p->weight[d] * (gap * gap);
        }
        store(squared, sum);
        matern(squared, k + j, slope + j, scale);
    }
}

static void kernel_lanes(double *k, double *slope, const ty_gp_points *p, const double *at,
                         double scale) {
    double squared[TY_GP_LANES];
    for (int64_t i = 0; i < p->n; i++) {
        lanes sum = {0};
        for (int64_t d = 0; d < p->dims; d++) {
            const lanes x = all(p->x[d * p->stride + i]), a = load(at + d * TY_GP_LANES);
            const lanes gap = d < p->n_numbers ? a - x : differ(a, x);
            sum += p->weight[d] * (gap * gap);
        }
        store(squared, sum);
        matern(squared, k + i * TY_GP_LANES, slope + i * TY_GP_LANES, scale);
    }
}

/* --- matrices ----------------------------------------------------------------------------------- */

typedef struct tile {
    lanes row[N_ROWS];
} tile;

/* row[r] -= a[k by_k + r by_r] b[k], k ascending: each output is one sum in one order. */
static inline void subtract(tile *t, const double *a, int64_t by_k, int64_t by_r, const double *b,
                            int64_t b_stride, int64_t n_k) {
    lanes r0 = t->row[0], r1 = t->row[1], r2 = t->row[2], r3 = t->row[3];
    for (int64_t k = 0; k < n_k; k++, a += by_k, b += b_stride) {
        const lanes column = load(b);
        r0 -= a[0] * column;
        r1 -= a[by_r] * column;
        r2 -= a[2 * by_r] * column;
        r3 -= a[3 * by_r] * column;
    }
    *t = (tile){{r0, r1, r2, r3}};
}

/* Rows i..i+3 of columns j..j+7, all rows above being done. U[k][i + r] for k = i..: the triangle. */
static inline void solve_rows(tile *t, const double *U, int64_t stride, int64_t i) {
    for (int r = 0; r < N_ROWS; r++) {
        for (int k = 0; k < r; k++)
            t->row[r] -= U[(i + k) * stride + i + r] * t->row[k];
        t->row[r] /= all(U[(i + r) * stride + i + r]);
    }
}

static inline tile load_tile(const double *A, int64_t stride) {
    return (tile){{load(A), load(A + stride), load(A + 2 * stride), load(A + 3 * stride)}};
}

static inline void store_tile(double *A, int64_t stride, const tile *t) {
    for (int r = 0; r < N_ROWS; r++)
        store(A + r * stride, t->row[r]);
}

/* The 8 by 8 triangle on the diagonal, whose rows above are taken off already. */
static void factor_triangle(double *A, int64_t stride, double least) {
    for (int i = 0; i < TY_GP_LANES; i++) {
        double *row = A + i * stride;
        for (int k = 0; k < i; k++)
            for (int j = i; j < TY_GP_LANES; j++)
                row[j] -= A[k * stride + i] * A[k * stride + j];
        const double pivot = sqrt(row[i] > least ? row[i] : least);
        for (int j = i + 1; j < TY_GP_LANES; j++)
            row[j] /= pivot;
        row[i] = pivot;
    }
}

/* What lies beyond n is the identity, so that whole tiles can be worked on. */
static void pad(double *A, int64_t stride, int64_t n) {
    const int64_t end = (n + TY_GP_LANES - 1) / TY_GP_LANES * TY_GP_LANES;
    for (int64_t i = 0; i < end; i++)
        for (int64_t j = n; j < end; j++)
            A[i * stride + j] = i == j;
}

static void factor(double *A, int64_t stride, int64_t from, int64_t n, double least) {
    pad(A, stride, n);
    for (int64_t j = from; j < n; j += TY_GP_LANES) {
        for (int64_t i = 0; i < j; i += N_ROWS) {
            tile t = load_tile(A + i * stride + j, stride);
            subtract(&t, A + i, stride, 1, A + j, stride, i);
            solve_rows(&t, A, stride, i);
            store_tile(A + i * stride + j, stride, &t);
        }
        for (int64_t i = j; i < j + TY_GP_LANES; i += N_ROWS) {
            tile t = load_tile(A + i * stride + j, stride);
            subtract(&t, A + i, stride, 1, A + j, stride, j);
            store_tile(A + i * stride + j, stride, &t);
        }
        factor_triangle(A + j * stride + j, stride, least);
    }
}

static void invert(double *W, const double *U, int64_t stride, int64_t from, int64_t n) {
    const int64_t end = (n + TY_GP_LANES - 1) / TY_GP_LANES * TY_GP_LANES;
    for (int64_t i = from; i < end; i += N_ROWS)
        for (int64_t j = 0; j < i + N_ROWS; j += TY_GP_LANES) {
            tile t = {0};
            for (int r = 0; r < N_ROWS; r++)
                if (i + r >= j && i + r < j + TY_GP_LANES)
                    t.row[r][i + r - j] = 1;
            if (i > j)
                subtract(&t, U + j * stride + i, stride, 1, W + j * stride + j, stride, i - j);
            solve_rows(&t, U, stride, i);
            store_tile(W + i * stride + j, stride, &t);
        }
}

static void gram(double *to, const double *W, int64_t stride, int64_t n) {
    const int64_t end = (n + TY_GP_LANES - 1) / TY_GP_LANES * TY_GP_LANES;
    for (int64_t i = 0; i < n; i += N_ROWS)
        for (int64_t j = i / TY_GP_LANES * TY_GP_LANES; j < n; j += TY_GP_LANES) {
            const int64_t k = j > i ? j : i;
            tile t = {0};
            subtract(&t, W + k * stride + i, stride, 1, W + k * stride + j, stride, end - k);
            for (int r = 0; r < N_ROWS; r++)
                t.row[r] = -t.row[r];
            store_tile(to + i * stride + j, stride, &t);
        }
}

/* ((0 + 4) + (2 + 6)) + ...: the same tree whatever the registers are. */
static double total(lanes sum) {
    double lane[TY_GP_LANES];
    store(lane, sum);
    for (int width = TY_GP_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lane[l] += lane[l + width];
    return lane[0];
}

/* m slope over j > i; 0 for the others of a group of 8. */
static inline lanes pairs_of(const double *m, const double *slope, int64_t i, int64_t j,
                             int64_t n) {
    double v[TY_GP_LANES];
    store(v, load(m + j) * load(slope + j));
    for (int64_t l = 0; l < TY_GP_LANES; l++)
        if (j + l <= i || j + l >= n)
            v[l] = 0;
    return load(v);
}

static void weight_sums(double *to, const double *m, const double *slope, int64_t stride,
                        const ty_gp_points *p) {
    for (int64_t i = 0; i < p->n; i++) {
        for (int64_t j = i / TY_GP_LANES * TY_GP_LANES; j < p->n; j += TY_GP_LANES) {
            const lanes pair = pairs_of(m + i * stride, slope + i * stride, i, j, p->n);
            for (int64_t d = 0; d < p->dims; d++) {
                const double *x = p->x + d * p->stride;
                const lanes gap =
                    d < p->n_numbers ? load(x + j) - x[i] : differ(load(x + j), all(x[i]));
                store(to + d * TY_GP_LANES, load(to + d * TY_GP_LANES) + pair * (gap * gap));
            }
        }
    }
    for (int64_t d = 0; d < p->dims; d++)
        to[d * TY_GP_LANES] = total(load(to + d * TY_GP_LANES));
}

/* --- 8 points ----------------------------------------------------------------------------------- */

static void lower_times(double *to, const double *W, int64_t stride, int64_t n, const double *v) {
    for (int64_t i = 0; i < n; i += N_ROWS) {
        tile t = {0};
        subtract(&t, W + i * stride, 1, stride, v, TY_GP_LANES, i + N_ROWS);
        for (int r = 0; r < N_ROWS; r++)
            store(to + (i + r) * TY_GP_LANES, -t.row[r]);
    }
}

static void upper_times(double *to, const double *W, int64_t stride, int64_t n, const double *v) {
    const int64_t end = (n + N_ROWS - 1) / N_ROWS * N_ROWS;
    for (int64_t i = 0; i < n; i += N_ROWS) {
        tile t = {0};
        subtract(&t, W + i * stride + i, stride, 1, v + i * TY_GP_LANES, TY_GP_LANES, end - i);
        for (int r = 0; r < N_ROWS; r++)
            store(to + (i + r) * TY_GP_LANES, -t.row[r]);
    }
}

static void point_gradient(double *to, const ty_gp_points *p, const double *at, const double *g,
                           const double *slope) {
    for (int64_t d = 0; d < p->n_numbers; d++) {
        const double *x = p->x + d * p->stride;
        const lanes a = load(at + d * TY_GP_LANES);
        lanes sum = {0};
        for (int64_t i = 0; i < p->n; i++)
            sum += load(g + i * TY_GP_LANES) * load(slope + i * TY_GP_LANES) * (a - x[i]);
        store(to + d * TY_GP_LANES, (2 * p->weight[d]) * sum);
    }
}

const ty_gp_loops GP_TABLE = {
    .kernel_row = kernel_row,
    .factor = factor,
    .invert = invert,
    .gram = gram,
    .weight_sums = weight_sums,
    .kernel_lanes = kernel_lanes,
    .lower_times = lower_times,
    .upper_times = upper_times,
    .point_gradient = point_gradient,
};
