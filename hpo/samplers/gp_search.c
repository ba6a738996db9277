/* Many points that fill the space, then eight searches side by side from the best of them: along the
 * gradient in what is continuous, value by value in the rest, until neither helps. */
#include "hpo/samplers/gp_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/samplers/lbfgs.h"
#include "hpo/samplers/sobol.h"

enum { N_LANES = TY_GP_LANES, MAX_VALUES = 16, MAX_ROUNDS = 4 };

/* One of the eight searches. full has a value for every parameter, whether it plays a part or not. */
typedef struct lane {
    double full[TY_SPACE_MAX_PARAMS];
    double value; /* of the acquisition; -infinity where the space does not allow it */
} lane;

typedef struct scout {
    const ty_gp_search *search;
    const ty_gp_columns *columns;
    const ty_space *space;
    ty_sobol sobol;
    lane lanes[N_LANES], trials[N_LANES], best[N_LANES];
    double *at, *gradient; /* [dims][8] */
    double *point;         /* [dims] */
    double *low, *high;    /* [8][n_numbers], in lengthscales */
    double *room;          /* of the eight L-BFGS */
    double *candidate;     /* [candidates] values of the acquisition */
    void *memory;
} scout;

/* --- evaluating lanes --------------------------------------------------------------------------- */

static void settle(const scout *s, const lane *l, double *x) {
    memcpy(x, l->full, s->space->count * sizeof *x);
    ty_space_settle(s->space, x);
}

static void place(scout *s, const lane *l, size_t index) {
    double x[TY_SPACE_MAX_PARAMS];
    settle(s, l, x);
    ty_gp_encode(s->columns, x, s->point);
    for (size_t d = 0; d < s->columns->dims; d++)
        s->at[d * N_LANES + index] = s->point[d];
}

static bool is_allowed(const scout *s, const lane *l) {
    double x[TY_SPACE_MAX_PARAMS];
    settle(s, l, x);
    return ty_space_allows(s->space, x);
}

/* Fills in all eight values. */
static void evaluate(scout *s, lane *lanes) {
    double value[N_LANES];
    for (size_t l = 0; l < N_LANES; l++)
        place(s, &lanes[l], l);
    ty_gp_acquire(s->search->acquisition, s->at, value, NULL);
    for (size_t l = 0; l < N_LANES; l++)
        lanes[l].value = is_allowed(s, &lanes[l]) ? value[l] : -INFINITY;
}

/* --- candidates --------------------------------------------------------------------------------- */

static const ty_param *number_at(const scout *s, size_t d) {
    return &s->space->params[s->columns->param[d]];
}

static double value_at(const ty_param *p, double u) {
    return ty_param_value(p, p->z_low + u * (p->z_high - p->z_low));
}

static void fill_space(const scout *s, size_t index, lane *l) {
    double u[TY_SPACE_MAX_PARAMS];
    ty_sobol_point(&s->sobol, (uint32_t)index, u);
    for (size_t d = 0; d < s->space->count; d++)
        l->full[d] = ty_param_quantile(&s->space->params[d], u[d]);
}

/* Near the best point: every number a little elsewhere, in parts of its lengthscale, some choices
 * anew. */
static void stay_near(const scout *s, size_t index, ty_draws *draws, lane *l) {
    const ty_gp *gp = s->search->acquisition->gp;
    const size_t n = s->columns->n_numbers;
    const double radius = ty_exact_exp(-7 * ty_draw(draws));
    fill_space(s, index, l);
    for (size_t d = 0; d < s->columns->dims; d++) {
        const double best = s->search->best_x[s->columns->param[d]];
        const double normal = ty_draw_normal(draws), share = ty_draw(draws);
        if (isnan(best))
            continue;
        if (d < n) {
            const ty_param *p = number_at(s, d);
            const double scale = radius * fmin(1, 1 / sqrt(gp->weight[d]));
            const double u = (ty_param_z(p, best) - p->z_low) / (p->z_high - p->z_low);
            l->full[s->columns->param[d]] = value_at(p, fmin(fmax(u + scale * normal, 0), 1));
        } else if (share > 1 / (double)s->columns->dims) {
            l->full[s->columns->param[d]] = best;
        }
    }
}

/* Candidate `index`, the same whenever it is asked for. */
static void make_candidate(const scout *s, size_t index, lane *l) {
    ty_draws draws = s->search->draws;
    draws.next = (uint64_t)index * 4 * (TY_SPACE_MAX_PARAMS + 1);
    if (s->search->best_x && index % 4 == 3)
        stay_near(s, index, &draws, l);
    else
        fill_space(s, index, l);
}

static void scan(scout *s) {
    for (size_t i = 0; i < s->search->candidates; i += N_LANES) {
        for (size_t l = 0; l < N_LANES; l++)
            make_candidate(s, i + l, &s->lanes[l]);
        evaluate(s, s->lanes);
        for (size_t l = 0; l < N_LANES; l++)
            s->candidate[i + l] = s->lanes[l].value;
    }
}

static size_t highest(const double *v, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return best;
}

/* One of the candidates, each in proportion to its expected improvement; it is not drawn again. */
static size_t roulette(scout *s, ty_draws *draws, double most) {
    const size_t n = s->search->candidates;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ty_exact_exp(s->candidate[i] - most);
    double left = ty_draw(draws) * sum;
    size_t chosen = highest(s->candidate, n);
    for (size_t i = 0; sum > 0 && i < n; i++) {
        left -= ty_exact_exp(s->candidate[i] - most);
        if (left < 0) {
            chosen = i;
            break;
        }
    }
    return chosen;
}

/* The best candidate, the best known point, and six by chance. */
static void choose_starts(scout *s) {
    ty_draws draws = s->search->draws;
    draws.next = UINT64_C(1) << 40; /* beyond the candidates' */
    const double most = s->candidate[highest(s->candidate, s->search->candidates)];
    for (size_t l = 0; l < N_LANES; l++) {
        const size_t from =
            l == 0 ? highest(s->candidate, s->search->candidates) : roulette(s, &draws, most);
        make_candidate(s, from, &s->lanes[l]);
        s->candidate[from] = -INFINITY;
    }
    const double *best = s->search->best_x;
    for (size_t d = 0; best && d < s->space->count; d++)
        if (!isnan(best[d]))
            s->lanes[1].full[d] = best[d];
    evaluate(s, s->lanes);
}

/* --- along the gradient ------------------------------------------------------------------------- */

/* Lattices of a few values are searched value by value. */
static bool is_smooth(const ty_param *p) {
    return ty_param_cardinality(p) == 0 || ty_param_cardinality(p) > MAX_VALUES;
}

static bool has_smooth(const scout *s) {
    for (size_t d = 0; d < s->columns->n_numbers; d++)
        if (is_smooth(number_at(s, d)))
            return true;
    return false;
}

/* In lengthscales all directions are about as curved. What does not move has no room. */
static void begin_climb(scout *s, ty_lbfgs *climb, size_t index) {
    const ty_gp *gp = s->search->acquisition->gp;
    const size_t n = s->columns->n_numbers, param_count = s->space->count;
    double x[TY_SPACE_MAX_PARAMS], start[TY_SPACE_MAX_PARAMS];
    double *low = s->low + index * n, *high = s->high + index * n;
    settle(s, &s->lanes[index], x);
    ty_gp_encode(s->columns, x, s->point);
    for (size_t d = 0; d < n && d < param_count; d++) {
        const double root = sqrt(gp->weight[d]);
        const bool moves = is_smooth(number_at(s, d)) && !isnan(x[s->columns->param[d]]);
        start[d] = s->point[d] * root;
        low[d] = moves ? 0 : start[d];
        high[d] = moves ? root : start[d];
    }
    ty_lbfgs_begin(climb, n, low, high, start, s->room + index * ty_lbfgs_room(n));
    climb->gradient_goal = 1e-2;
    climb->gain_goal = 1e-9;
    climb->max_evaluations = 100;
}

/* One evaluation for all that still climb; false when none does. */
static bool climb_on(scout *s, ty_lbfgs *climbs, bool *climbing) {
    const ty_gp *gp = s->search->acquisition->gp;
    const size_t n = s->columns->n_numbers;
    double value[N_LANES], gradient[TY_SPACE_MAX_PARAMS];
    bool any = false;
    for (size_t l = 0; l < N_LANES; l++)
        for (size_t d = 0; d < n; d++)
            s->at[d * N_LANES + l] = climbs[l].at[d] / sqrt(gp->weight[d]);
    ty_gp_acquire(s->search->acquisition, s->at, value, s->gradient);
    for (size_t l = 0; l < N_LANES; l++) {
        for (size_t d = 0; d < n; d++)
            gradient[d] = -s->gradient[d * N_LANES + l] / sqrt(gp->weight[d]);
        climbing[l] = climbing[l] && ty_lbfgs_take(&climbs[l], -value[l], gradient);
        any |= climbing[l];
    }
    return any;
}

/* Brings the climb's end onto the lattices, and back into the lane if it is better. */
static void take_ends(scout *s, const ty_lbfgs *climbs) {
    const ty_gp *gp = s->search->acquisition->gp;
    for (size_t l = 0; l < N_LANES; l++) {
        s->trials[l] = s->lanes[l];
        for (size_t d = 0; d < s->columns->n_numbers; d++)
            if (climbs[l].low[d] < climbs[l].high[d])
                s->trials[l].full[s->columns->param[d]] =
                    value_at(number_at(s, d), climbs[l].best[d] / sqrt(gp->weight[d]));
    }
    evaluate(s, s->trials);
    for (size_t l = 0; l < N_LANES; l++)
        if (s->trials[l].value > s->lanes[l].value)
            s->lanes[l] = s->trials[l];
}

static void climb(scout *s) {
    ty_lbfgs climbs[N_LANES];
    bool climbing[N_LANES];
    for (size_t l = 0; l < N_LANES; l++) {
        place(s, &s->lanes[l], l);
        begin_climb(s, &climbs[l], l);
        climbing[l] = true;
    }
    while (climb_on(s, climbs, climbing))
        ;
    take_ends(s, climbs);
}

/* --- value by value ----------------------------------------------------------------------------- */

/* How many values of a parameter are tried at a time. */
static size_t tries_of(const ty_param *p) {
    const size_t n = ty_param_cardinality(p);
    return n > 0 && n < MAX_VALUES ? n : MAX_VALUES;
}

/* The k-th value to try for parameter p whose value is v. Of many values: steps of 1, 2, 4, ... to
 * both sides, or choices drawn. */
static double other_value(const ty_param *p, double v, size_t k, ty_draws *draws) {
    const size_t n = ty_param_cardinality(p);
    if (!ty_param_is_numeric(p))
        return (double)(n <= MAX_VALUES ? k : ty_draw_below(draws, n));
    if (n > 0 && n <= MAX_VALUES)
        return ty_param_nearest(p, p->low + (double)k * p->step);
    const double reach = p->step * (double)(UINT64_C(1) << k / 2);
    return ty_param_nearest(p, k % 2 ? v - reach : v + reach);
}

/* Tries other values of one parameter in all lanes; true where one is better. */
static bool vary(scout *s, size_t param, ty_draws *draws) {
    const ty_param *p = &s->space->params[param];
    bool any = false;
    memcpy(s->best, s->lanes, sizeof s->best);
    for (size_t k = 0; k < tries_of(p); k++) {
        memcpy(s->trials, s->lanes, sizeof s->trials);
        for (size_t l = 0; l < N_LANES; l++)
            s->trials[l].full[param] = other_value(p, s->lanes[l].full[param], k, draws);
        evaluate(s, s->trials);
        for (size_t l = 0; l < N_LANES; l++)
            if (s->trials[l].value > s->best[l].value) {
                s->best[l] = s->trials[l];
                any = true;
            }
    }
    memcpy(s->lanes, s->best, sizeof s->best);
    return any;
}

static bool vary_all(scout *s, ty_draws *draws) {
    bool any = false;
    for (size_t d = 0; d < s->columns->dims; d++) {
        const ty_param *p = &s->space->params[s->columns->param[d]];
        if (!ty_param_is_numeric(p) || p->step > 0)
            any |= vary(s, s->columns->param[d], draws);
    }
    return any;
}

static void improve(scout *s) {
    ty_draws draws = s->search->draws;
    draws.next = UINT64_C(1) << 41; /* beyond the starts' */
    const bool smooth = has_smooth(s);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (smooth)
            climb(s);
        if (!vary_all(s, &draws))
            break;
    }
}

/* --- the choice --------------------------------------------------------------------------------- */

static bool equals(const double *column, size_t stride, size_t index, const double *x,
                   size_t dims) {
    for (size_t d = 0; d < dims; d++) {
        const double v = column[d * stride + index];
        if (v != x[d] && !(isnan(v) && isnan(x[d])))
            return false;
    }
    return true;
}

static bool is_known(const ty_history *h, const double *x) {
    for (size_t i = 0; i < h->count; i++)
        if (equals(h->x, h->capacity, i, x, h->dims))
            return true;
    for (size_t i = 0; i < h->pending_count; i++)
        if (equals(h->pending_x, h->pending_capacity, i, x, h->dims))
            return true;
    return false;
}

/* The best lane whose point is new. */
static bool choose(scout *s, double *x) {
    for (size_t tried = 0; tried < N_LANES; tried++) {
        size_t best = 0;
        for (size_t l = 1; l < N_LANES; l++)
            if (s->lanes[l].value > s->lanes[best].value)
                best = l;
        if (s->lanes[best].value == -INFINITY)
            return false;
        settle(s, &s->lanes[best], x);
        if (!is_known(s->search->history, x))
            return true;
        s->lanes[best].value = -INFINITY;
    }
    return false;
}

/* Where all eight ended on known points: the best candidates that are new. */
static bool choose_candidate(scout *s, double *x) {
    for (size_t tried = 0; tried < s->search->candidates; tried++) {
        const size_t best = highest(s->candidate, s->search->candidates);
        if (s->candidate[best] == -INFINITY)
            return false;
        make_candidate(s, best, &s->lanes[0]);
        s->candidate[best] = -INFINITY;
        settle(s, &s->lanes[0], x);
        if (!is_known(s->search->history, x))
            return true;
    }
    return false;
}

static bool reserve(scout *s) {
    const size_t dims = s->columns->dims, n = s->columns->n_numbers;
    const size_t room = N_LANES * ty_lbfgs_room(n);
    double *at = s->memory = calloc(
        2 * N_LANES * dims + dims + 2 * N_LANES * n + room + s->search->candidates + 1, sizeof *at);
    if (!at)
        return false;
    s->at = at;
    s->gradient = s->at + N_LANES * dims;
    s->point = s->gradient + N_LANES * dims;
    s->low = s->point + dims;
    s->high = s->low + N_LANES * n;
    s->room = s->high + N_LANES * n;
    s->candidate = s->room + room;
    return true;
}

ty_status ty_gp_search_run(ty_ctx *ctx, ty_gp_search *search, double *x, bool *found) {
    scout *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the search of a Gaussian process");
    *s = (scout){.search = search, .columns = search->columns, .space = search->columns->space};
    if (!reserve(s)) {
        free(s);
        return ty_fail_nomem(ctx, "the search of a Gaussian process");
    }
    ty_sobol_init(&s->sobol, s->space->count,
                  ty_rng_key_mix(search->draws.key, search->draws.trial));
    scan(s);
    choose_starts(s);
    improve(s);
    *found = choose(s, x) || choose_candidate(s, x);
    free(s->memory);
    free(s);
    return TY_OK;
}
