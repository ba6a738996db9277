/* The inside of a Parzen estimator, and the loops over its kernels. Private to hpo/parzen*.c. */
#ifndef TY_HPO_SAMPLERS_PARZEN_PRIVATE_H
#define TY_HPO_SAMPLERS_PARZEN_PRIVATE_H

#include "hpo/samplers/parzen.h"

enum {
    TY_PARZEN_BLOCK = 64,  /* kernels that are looked at together */
    TY_PARZEN_POINTS = 32, /* points that a density is asked for at together */
    TY_PARZEN_LEVELS = 3,  /* SSE2, AVX2, AVX-512 */
    TY_PARZEN_FLAT = 25    /* so many newest points count alike */
};

/* What a kernel has on an axis, each a column [capacity] in order of trials. */
typedef enum ty_parzen_column {
    TY_PARZEN_U,     /* its middle, or the index of a choice */
    TY_PARZEN_SIGMA, /* numbers; so are the rest */
    TY_PARZEN_SHARP, /* 1 / (sqrt(2) sigma) */
    TY_PARZEN_NORM,  /* log of its mass in [0, 1], times sigma where it is a density; NAN: stale */
    /* Where points are drawn: the mass below 0 and within [0, 1] of the whole normal kernel. */
    TY_PARZEN_BELOW,
    TY_PARZEN_MASS,
    TY_PARZEN_COLUMNS
} ty_parzen_column;

/* The logs of the probability of a choice under a kernel of it, and under one of another. */
typedef struct ty_parzen_odds {
    double hit, miss;
} ty_parzen_odds;

struct ty_parzen {
    const ty_parzen_axes *axes;
    const struct ty_parzen_loops *loops;
    bool draws; /* otherwise the last two columns are not kept */
    double prior_below, prior_mass;
    size_t count, capacity; /* capacity is a multiple of the block */
    double sigma_min;       /* that the sigmas were made with */
    double weight_sum;      /* with the prior's */
    size_t *trial;          /* [capacity], ascending */
    bool *is_stale;         /* a norm of it is */
    uint32_t *stale;        /* scratch: which are */
    double *weight;
    double *height;   /* log of its greatest value but for choices; past count: nothing counts */
    double *columns;  /* [axes][TY_PARZEN_COLUMNS][capacity] */
    uint32_t *sorted; /* [axes][capacity]: kernels of an axis by u, then age */
    ty_parzen_odds *odds; /* scratch [TY_PARZEN_POINTS][choice axes] */
};

static inline double *ty_parzen_column_of(const ty_parzen *p, size_t axis,
                                          ty_parzen_column column) {
    return p->columns + (axis * TY_PARZEN_COLUMNS + column) * p->capacity;
}

/* Loops over a block of n kernels; the same bits at every level, as lanes are kernels. */
typedef struct ty_parzen_loops {
    /* e[k] = height[k] minus the squared distances on the first axes, smooth ones, between places and
     * the kernels; columns is that of axis 0 at the block's first kernel. False as soon as no e can
     * reach `cut`; e is undefined then. */
    bool (*approach)(double *e, const double *height, const double *columns, size_t capacity,
                     const ty_parzen_place *places, size_t axes, double cut, size_t n);
    /* e[k] += where u[k] == chosen ? hit : miss. */
    void (*choose)(double *e, const double *u, double chosen, double hit, double miss, size_t n);
} ty_parzen_loops;

extern const ty_parzen_loops ty_parzen_loops_sse2, ty_parzen_loops_avx2, ty_parzen_loops_avx512;

/* The table of a level; NULL where this CPU lacks it. */
const ty_parzen_loops *ty_parzen_loops_at(int level);

#endif
