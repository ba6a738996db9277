/* Minimises a smooth function in a box: L-BFGS (Nocedal & Wright, Numerical Optimization, 7.2) on the
 * variables that are free to move, with a backtracking search along the projected path (Bertsekas
 * 1982). Control is reversed: it says where to evaluate, the caller brings value and gradient, so that
 * several searches can share one pass over their function. */
#ifndef TY_HPO_SAMPLERS_LBFGS_H
#define TY_HPO_SAMPLERS_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_LBFGS_PAIRS = 10 };

typedef struct ty_lbfgs {
    size_t n;
    const double *low, *high; /* [n] */
    double gradient_goal;     /* ends when no component of the projected gradient is larger */
    double gain_goal;         /* ... or when a step gains no more than this part of the value */
    size_t max_evaluations;
    double *at;   /* [n] where to evaluate next */
    double *best; /* [n] the best point so far, of value best_value */
    double best_value;
    double *gradient, *direction; /* [n] */
    double *moves, *turns;        /* [PAIRS, n] differences of points and of gradients */
    double *curvature;            /* [PAIRS] 1 / (move . turn) */
    size_t pairs, next_pair, evaluations, tries;
    double step;
} ty_lbfgs;

/* How many doubles a search of n variables needs. */
size_t ty_lbfgs_room(size_t n);

/* Begins at start [n], brought into the box. memory has ty_lbfgs_room(n) doubles; it, low and high are
 * borrowed. gradient_goal, gain_goal and max_evaluations must be set after it. */
void ty_lbfgs_begin(ty_lbfgs *search, size_t n, const double *low, const double *high,
                    const double *start, double *memory);

/* Takes the function's value and gradient [n] at search->at; a value that is no number counts as
 * infinite. True: search->at is the next point. False: it is over, search->best holds the result. */
bool ty_lbfgs_take(ty_lbfgs *search, double value, const double *gradient);

#ifdef __cplusplus
}
#endif
#endif
