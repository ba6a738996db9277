#include "hpo/samplers/lbfgs.h"

#include <math.h>
#include <string.h>

size_t ty_lbfgs_room(size_t n) {
    return 4 * n + TY_LBFGS_PAIRS * (2 * n + 1);
}

static double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

void ty_lbfgs_begin(ty_lbfgs *s, size_t n, const double *low, const double *high,
                    const double *start, double *memory) {
    *s = (ty_lbfgs){.n = n, .low = low, .high = high, .best_value = INFINITY};
    double **const parts[] = {&s->at, &s->best, &s->gradient, &s->direction};
    for (size_t i = 0; i < 4; i++, memory += n)
        *parts[i] = memory;
    s->moves = memory;
    s->turns = s->moves + TY_LBFGS_PAIRS * n;
    s->curvature = s->turns + TY_LBFGS_PAIRS * n;
    for (size_t i = 0; i < n; i++)
        s->at[i] = s->best[i] = clamp(start[i], low[i], high[i]);
}

/* A variable at its end whose gradient pushes outwards stays there. */
static bool is_free(const ty_lbfgs *s, size_t i) {
    return !((s->best[i] <= s->low[i] && s->gradient[i] >= 0) ||
             (s->best[i] >= s->high[i] && s->gradient[i] <= 0));
}

static double projected_size(const ty_lbfgs *s) {
    double most = 0;
    for (size_t i = 0; i < s->n; i++)
        if (is_free(s, i))
            most = fmax(most, fabs(s->gradient[i]));
    return most;
}

static void remember(ty_lbfgs *s, const double *gradient) {
    double *move = s->moves + s->next_pair * s->n, *turn = s->turns + s->next_pair * s->n;
    for (size_t i = 0; i < s->n; i++) {
        move[i] = s->at[i] - s->best[i];
        turn[i] = gradient[i] - s->gradient[i];
    }
    const double along = dot(move, turn, s->n);
    if (!(along > 0x1p-40 * dot(turn, turn, s->n)))
        return; /* not convex here: it would spoil the model of the curvature */
    s->curvature[s->next_pair] = 1 / along;
    s->next_pair = (s->next_pair + 1) % TY_LBFGS_PAIRS;
    s->pairs += s->pairs < TY_LBFGS_PAIRS;
}

static size_t pair_at(const ty_lbfgs *s, size_t age) {
    return (s->next_pair + 2 * TY_LBFGS_PAIRS - 1 - age) % TY_LBFGS_PAIRS;
}

/* The two-loop recursion: direction = -H gradient. */
static void bend(ty_lbfgs *s) {
    double alpha[TY_LBFGS_PAIRS];
    const size_t n = s->n;
    double *d = s->direction;
    for (size_t age = 0; age < s->pairs; age++) {
        const size_t p = pair_at(s, age);
        alpha[age] = s->curvature[p] * dot(s->moves + p * n, d, n);
        for (size_t i = 0; i < n; i++)
            d[i] -= alpha[age] * s->turns[p * n + i];
    }
    const double *turn = s->turns + pair_at(s, 0) * n;
    const double scale = 1 / (s->curvature[pair_at(s, 0)] * dot(turn, turn, n));
    for (size_t i = 0; i < n; i++)
        d[i] *= scale;
    for (size_t age = s->pairs; age-- > 0;) {
        const size_t p = pair_at(s, age);
        const double beta = s->curvature[p] * dot(s->turns + p * n, d, n);
        for (size_t i = 0; i < n; i++)
            d[i] += (alpha[age] - beta) * s->moves[p * n + i];
    }
}

static void set_downhill(ty_lbfgs *s) {
    for (size_t i = 0; i < s->n; i++)
        s->direction[i] = is_free(s, i) ? -s->gradient[i] : 0;
}

static void set_direction(ty_lbfgs *s) {
    set_downhill(s);
    const double size = sqrt(dot(s->direction, s->direction, s->n));
    s->step = size > 1 ? 1 / size : 1;
    if (s->pairs == 0)
        return;
    bend(s);
    for (size_t i = 0; i < s->n; i++)
        if (!is_free(s, i))
            s->direction[i] = 0;
    if (dot(s->direction, s->gradient, s->n) < 0)
        s->step = 1;
    else
        set_downhill(s);
}

static void set_point(ty_lbfgs *s) {
    for (size_t i = 0; i < s->n; i++)
        s->at[i] = clamp(s->best[i] + s->step * s->direction[i], s->low[i], s->high[i]);
}

/* How much the gradient says the value changes on the way to s->at. */
static double foreseen(const ty_lbfgs *s) {
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->gradient[i] * (s->at[i] - s->best[i]);
    return sum;
}

/* Too far: the minimum of the parabola through what is known, within reason. */
static bool shorten(ty_lbfgs *s, double value, double slope) {
    enum { MAX_TRIES = 20 };
    const double parabola = isfinite(value) ? -slope / (2 * (value - s->best_value - slope)) : 0.1;
    s->step *= clamp(parabola, 0.1, 0.5);
    set_point(s);
    return ++s->tries < MAX_TRIES && foreseen(s) < 0;
}

bool ty_lbfgs_take(ty_lbfgs *s, double value, const double *gradient) {
    const bool is_first = s->evaluations++ == 0;
    const double slope = is_first ? 0 : foreseen(s);
    if (!is_first && !(value <= s->best_value + 1e-4 * slope))
        return s->evaluations < s->max_evaluations && shorten(s, value, slope);
    if (!is_first)
        remember(s, gradient);
    const double gain = s->best_value - value;
    memcpy(s->best, s->at, s->n * sizeof *s->best);
    memcpy(s->gradient, gradient, s->n * sizeof *gradient);
    s->best_value = value;
    s->tries = 0;
    if (!isfinite(value) || s->evaluations >= s->max_evaluations ||
        projected_size(s) <= s->gradient_goal || (!is_first && gain <= s->gain_goal * fabs(value)))
        return false;
    set_direction(s);
    set_point(s);
    return foreseen(s) < 0;
}
