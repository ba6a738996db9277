/* What is done with the kernels: drawing from the mixture, and its density. */
#include "hpo/samplers/parzen_private.h"

#include <math.h>

#include "hpo/exact/exact.h"

#define LOG_ROOT_2_PI 0x1.d67f1c864beb5p-1
#define LOG_PRIOR_MASS (-0x1.eb7a27583ce33p-1) /* of [0, 1] under a normal kernel at 1/2, sigma 1 */

/* A kernel that is less than e^-60 times the prior's counts for nothing. */
static const double REACH = 60;

const ty_parzen_loops *ty_parzen_loops_at(int level) {
    static const ty_parzen_loops *const tables[TY_PARZEN_LEVELS] = {
        &ty_parzen_loops_sse2, &ty_parzen_loops_avx2, &ty_parzen_loops_avx512};
    return ty_exact_loops_at(level) ? tables[level] : NULL;
}

/* --- places ---------------------------------------------------------------------------------------- */

static double unit(const ty_parzen_axis *axis, double z) {
    return (z - axis->low) / axis->width;
}

static ty_parzen_place place_of(const ty_parzen_axis *axis, double v) {
    if (!ty_param_is_numeric(axis->param))
        return (ty_parzen_place){v, v, v};
    double from, to;
    ty_param_cell(axis->param, v, &from, &to);
    return (ty_parzen_place){unit(axis, ty_param_z(axis->param, v)), unit(axis, from),
                             unit(axis, to)};
}

void ty_parzen_place_of(const ty_parzen_axes *axes, const double *x, ty_parzen_place *places) {
    for (size_t a = 0; a < axes->count; a++)
        places[a] = place_of(&axes->v[a], x[axes->v[a].index]);
}

/* --- drawing --------------------------------------------------------------------------------------- */

/* A kernel by its weight; count: the prior's. */
static size_t draw_kernel(const ty_parzen *p, ty_draws *draws) {
    double left = ty_draw(draws) * p->weight_sum;
    size_t k = 0;
    while (k < p->count && left >= p->weight[k])
        left -= p->weight[k++];
    return k;
}

/* From a normal kernel within [0, 1] on each axis of numbers, by its quantile, those of all axes at once:
 * u [numeric_count, rounded up to whole registers]. */
static void draw_normals(const ty_parzen *p, size_t k, ty_draws *draws, double *u) {
    const size_t n = p->axes->numeric_count, whole = (n + 7) / 8 * 8;
    const bool is_prior = k == p->count;
    for (size_t a = 0; a < n; a++) {
        const double below =
            is_prior ? p->prior_below : ty_parzen_column_of(p, a, TY_PARZEN_BELOW)[k];
        const double mass = is_prior ? p->prior_mass : ty_parzen_column_of(p, a, TY_PARZEN_MASS)[k];
        const double q = below + ty_draw_open(draws) * mass;
        u[a] = q < 1 ? q : 1;
    }
    for (size_t a = n; a < whole; a++)
        u[a] = 0.5;
    ty_exact_loops_best()->ndtri(u, u, (int64_t)whole);
    for (size_t a = 0; a < n; a++) {
        const double middle = is_prior ? 0.5 : ty_parzen_column_of(p, a, TY_PARZEN_U)[k];
        const double sigma = is_prior ? 1 : ty_parzen_column_of(p, a, TY_PARZEN_SIGMA)[k];
        const double at = middle + sigma * u[a];
        /* Not the ends themselves: those of a normal prior are infinite. */
        u[a] = at < 0x1p-60 ? 0x1p-60 : at > 1 - 0x1p-53 ? 1 - 0x1p-53 : at;
    }
}

/* The kernel of a choice is a mixture of that choice, weight 1, and the prior, weight k / (n + 1). */
static double draw_choice(const ty_parzen *p, size_t axis, size_t k, ty_draws *draws) {
    const ty_param *param = p->axes->v[axis].param;
    const double prior = (double)param->choice_count / ((double)p->count + 1);
    const double w = ty_draw(draws) * (1 + prior);
    if (k == p->count)
        return ty_param_quantile(param, w / (1 + prior));
    if (w < 1)
        return ty_parzen_column_of(p, axis, TY_PARZEN_U)[k];
    return ty_param_quantile(param, (w - 1) / prior);
}

static ty_parzen_place number_at(const ty_parzen *p, size_t axis, double u, double *v) {
    const ty_parzen_axis *at = &p->axes->v[axis];
    *v = ty_param_value(at->param, at->low + u * at->width);
    return axis < p->axes->smooth_count ? (ty_parzen_place){u, u, u} : place_of(at, *v);
}

void ty_parzen_draw(const ty_parzen *p, ty_draws *draws, double *x, ty_parzen_place *places) {
    double u[TY_SPACE_MAX_PARAMS];
    const size_t k = draw_kernel(p, draws);
    draw_normals(p, k, draws, u);
    for (size_t a = 0; a < p->axes->count; a++) {
        double *v = &x[p->axes->v[a].index];
        if (a < p->axes->numeric_count) {
            places[a] = number_at(p, a, u[a], v);
        } else {
            *v = draw_choice(p, a, k, draws);
            places[a] = (ty_parzen_place){*v, *v, *v};
        }
    }
}

/* --- density --------------------------------------------------------------------------------------- */

/* The prior's probability of a choice; one of nothing may have been seen all the same. */
static double prior_of(const ty_param *param, double choice) {
    const double p = param->probabilities ? param->probabilities[(size_t)choice]
                                          : 1 / (double)param->choice_count;
    return p > 1e-12 ? p : 1e-12;
}

/* log of the prior's kernel; densities without their factors 1 / sqrt(2 pi). */
static double prior_log(const ty_parzen_axes *axes, const ty_parzen_place *places) {
    double log = 0;
    for (size_t a = 0; a < axes->count; a++) {
        const double t = places[a].u - 0.5;
        if (a < axes->smooth_count)
            log -= 0.5 * t * t + LOG_PRIOR_MASS;
        else if (a < axes->numeric_count)
            log +=
                ty_exact_log_ndtr_diff(places[a].from - 0.5, places[a].to - 0.5) - LOG_PRIOR_MASS;
        else
            log += ty_exact_log(prior_of(axes->v[a].param, places[a].u));
    }
    return log;
}

/* A sum that is kept as e^top times sum, so that it neither overflows nor vanishes. */
typedef struct log_sum {
    double top, sum;
    double cut; /* below it nothing counts */
} log_sum;

/* The logs of a choice's probability under a kernel of it, and of another. */
static ty_parzen_odds odds_of(const ty_parzen *p, size_t axis, double choice) {
    const ty_param *param = p->axes->v[axis].param;
    const double prior = (double)param->choice_count / ((double)p->count + 1);
    const double miss = prior_of(param, choice) * prior, all = ty_exact_log1p(prior);
    return (ty_parzen_odds){ty_exact_log1p(miss) - all, ty_exact_log(miss) - all};
}

static void set_odds(ty_parzen *p, const ty_parzen_place *places, ty_parzen_odds *odds) {
    for (size_t a = p->axes->numeric_count; a < p->axes->count; a++)
        *odds++ = odds_of(p, a, places[a].u);
}

/* Leaves those kernels of a block that can still count: their e, and which they are. */
static size_t keep_reaching(double *e, size_t *kernel, size_t n, double cut) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        e[kept] = e[i];
        kernel[kept] = kernel[i];
        kept += e[i] >= cut;
    }
    return kept;
}

/* Adds the logs of a cell's mass under the kernels that are left. */
static void add_cell(const ty_parzen *p, size_t axis, const ty_parzen_place *place,
                     const size_t *kernel, size_t n, double *e) {
    const double *u = ty_parzen_column_of(p, axis, TY_PARZEN_U);
    const double *sigma = ty_parzen_column_of(p, axis, TY_PARZEN_SIGMA);
    double from[TY_PARZEN_BLOCK], to[TY_PARZEN_BLOCK];
    for (size_t i = 0; i < n; i++) {
        from[i] = (place->from - u[kernel[i]]) / sigma[kernel[i]];
        to[i] = (place->to - u[kernel[i]]) / sigma[kernel[i]];
    }
    ty_exact_loops_best()->log_ndtr_diff(from, from, to, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        e[i] += from[i];
}

static void add_block(const ty_parzen *p, const size_t *kernel, double *e, size_t n, log_sum *to) {
    double top = to->top;
    for (size_t i = 0; i < n; i++)
        top = e[i] > top ? e[i] : top;
    if (top > to->top)
        to->sum *= ty_exact_exp(to->top - top);
    to->top = top;
    for (size_t i = 0; i < n; i++)
        e[i] -= top;
    ty_exact_loops_best()->exp(e, e, (int64_t)n);
    double part[4] = {0};
    for (size_t i = 0; i < n; i++)
        part[i % 4] += p->weight[kernel[i]] * e[i];
    to->sum += (part[0] + part[1]) + (part[2] + part[3]);
}

/* What the kernels of one block add at one point. */
static void visit_block(const ty_parzen *p, size_t block, const ty_parzen_place *places,
                        const ty_parzen_odds *odds, log_sum *to) {
    double e[TY_PARZEN_BLOCK];
    size_t kernel[TY_PARZEN_BLOCK];
    /* Whole registers; what is past the last kernel never reaches the cut. */
    const size_t left = (p->count - block + 7) / 8 * 8;
    size_t n = left < TY_PARZEN_BLOCK ? left : TY_PARZEN_BLOCK;
    if (!p->loops->approach(e, p->height + block, p->columns + block, p->capacity, places,
                            p->axes->smooth_count, to->cut, n))
        return;
    for (size_t a = p->axes->numeric_count; a < p->axes->count; a++, odds++)
        p->loops->choose(e, ty_parzen_column_of(p, a, TY_PARZEN_U) + block, places[a].u, odds->hit,
                         odds->miss, n);
    for (size_t i = 0; i < n; i++)
        kernel[i] = block + i;
    n = keep_reaching(e, kernel, n, to->cut);
    for (size_t a = p->axes->smooth_count; n > 0 && a < p->axes->numeric_count; a++) {
        add_cell(p, a, &places[a], kernel, n, e);
        n = keep_reaching(e, kernel, n, to->cut);
    }
    if (n > 0)
        add_block(p, kernel, e, n, to);
}

/* Block by block for all points, since a block of kernels stays in the nearest cache. */
static void log_density(ty_parzen *p, const ty_parzen_place *places, size_t n, double *out) {
    const size_t axes = p->axes->count, choices = axes - p->axes->numeric_count;
    log_sum sums[TY_PARZEN_POINTS];
    for (size_t i = 0; i < n; i++) {
        const double prior = prior_log(p->axes, places + i * axes);
        sums[i] = (log_sum){.top = prior, .sum = 1, .cut = prior - REACH};
        set_odds(p, places + i * axes, p->odds + i * choices);
    }
    for (size_t block = 0; block < p->count; block += TY_PARZEN_BLOCK)
        for (size_t i = 0; i < n; i++)
            visit_block(p, block, places + i * axes, p->odds + i * choices, &sums[i]);
    const double constant =
        ty_exact_log(p->weight_sum) + (double)p->axes->smooth_count * LOG_ROOT_2_PI;
    for (size_t i = 0; i < n; i++)
        out[i] = sums[i].top + ty_exact_log(sums[i].sum) - constant;
}

void ty_parzen_log_density(ty_parzen *p, const ty_parzen_place *places, size_t n, double *out) {
    for (size_t at = 0; at < n; at += TY_PARZEN_POINTS) {
        const size_t some = n - at < TY_PARZEN_POINTS ? n - at : TY_PARZEN_POINTS;
        log_density(p, places + at * p->axes->count, some, out + at);
    }
}
