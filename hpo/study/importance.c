/* PED-ANOVA over a study's complete trials. */
#include "hpo/study/importance.h"

#include <math.h>
#include <stdlib.h>

#include "hpo/exact/exact.h"
#include "hpo/optuna/optuna_private.h"

enum { MAX_GRID = 50, MIN_TRIALS = 2 };
#define TARGET_QUANTILE 0.1
#define PRIOR_WEIGHT 1.0
#define LEAST_SIGMA (0.5 / 1.64) /* nine tenths of a kernel lie in one cell */
#define LEAST_DENSITY 1e-12

/* The complete trials with a finite loss. */
typedef struct field {
    const ty_trial **trials;
    bool *is_target; /* among the best */
    size_t count, target_count;
} field;

/* --- which trials ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double loss_of(const ty_trial *t, bool maximize) {
    return maximize ? -t->value : t->value;
}

static void collect(const ty_study *study, field *f) {
    for (size_t i = 0; i < ty_study_count(study); i++) {
        const ty_trial *t = ty_study_trial(study, i);
        if (t->state == TY_TRIAL_COMPLETE && isfinite(t->value))
            f->trials[f->count++] = t;
    }
}

/* losses: room for f->count. */
static void mark_targets(field *f, bool maximize, double *losses) {
    const size_t n = (size_t)ceil(TARGET_QUANTILE * (double)f->count);
    for (size_t i = 0; i < f->count; i++)
        losses[i] = loss_of(f->trials[i], maximize);
    qsort(losses, f->count, sizeof *losses, by_value);
    for (size_t i = 0; i < f->count; i++) {
        f->is_target[i] = loss_of(f->trials[i], maximize) <= losses[n - 1];
        f->target_count += f->is_target[i];
    }
}

/* --- one parameter on a grid -------------------------------------------------------------------- */

/* Where a parameter's values fall. A choice's cells are its choices. */
typedef struct grid {
    bool is_choice, is_log;
    double low, cell; /* of numbers: the first cell's middle, and the distance to the next */
    size_t size;
} grid;

static double scaled(const grid *g, double v) {
    return g->is_log ? ty_exact_log(v) : v;
}

static size_t grid_size(const optuna_range *r) {
    const double n = r->is_int && r->is_log
                         ? ceil(ty_exact_log(r->high - r->low + 1) / ty_exact_log(2)) + 1
                     : r->step > 0 ? rint((r->high - r->low) / r->step) + 1
                                   : MAX_GRID;
    return n < MAX_GRID ? (size_t)n : MAX_GRID;
}

/* size 0 where the parameter has one value. */
static grid grid_of(const ty_param *p) {
    if (!ty_param_is_numeric(p))
        return (grid){.is_choice = true, .size = p->choice_count > 1 ? p->choice_count : 0};
    const optuna_range r = optuna_range_of(p);
    grid g = {.is_log = r.is_log};
    if (r.high <= r.low || (r.step > 0 && r.high - r.low < r.step))
        return g;
    g.size = grid_size(&r);
    g.low = scaled(&g, r.low);
    g.cell = (scaled(&g, r.high) - g.low) / (double)(g.size - 1);
    return g;
}

/* A value halfway between two cells goes to the lower one; of cells that are too narrow for a number, to
 * the first. */
static size_t cell_of(const grid *g, double v) {
    if (g->is_choice)
        return (size_t)v;
    const double at = ceil((scaled(g, v) - g->low) / g->cell - 0.5);
    return !(at > 0) ? 0 : at >= (double)(g->size - 1) ? g->size - 1 : (size_t)at;
}

/* --- the density of counted cells --------------------------------------------------------------- */

static double total_of(const double *counts, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

/* The cell in which the running count reaches (passes, where is_beyond) `rank`; the last used one
 * where none does. */
static double cell_at_rank(const double *counts, size_t n, double rank, bool is_beyond) {
    double sum = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        if (counts[i] == 0)
            continue;
        sum += counts[i];
        last = (double)i;
        if (is_beyond ? sum > rank : sum >= rank)
            return last;
    }
    return last;
}

/* Scott's rule (Scott 1992) with the quartiles' distance where that is narrower. */
static double scott_sigma(const double *counts, size_t n) {
    const double total = total_of(counts, n);
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)i * counts[i];
    mean /= total;
    for (size_t i = 0; i < n; i++)
        square += ((double)i - mean) * ((double)i - mean) * counts[i];
    const double deviation = sqrt(square / (total > 2 ? total - 1 : 1));
    const double quartiles = (cell_at_rank(counts, n, floor(total * 3 / 4), true) -
                              cell_at_rank(counts, n, floor(total / 4), false)) /
                             1.34;
    const double narrow = quartiles < deviation ? quartiles : deviation;
    const double sigma = 1.059 * narrow * ty_exact_pow(total, -0.2);
    return sigma > LEAST_SIGMA ? sigma : LEAST_SIGMA;
}

/* Adds weight times a normal at mu, cut off at the grid's ends, each cell its share. */
static void add_normal(double mu, double sigma, double weight, size_t n, double *density) {
    const double all = ty_exact_log_ndtr_diff((-0.5 - mu) / sigma, ((double)n - 0.5 - mu) / sigma);
    for (size_t i = 0; i < n; i++) {
        const double low = ((double)i - 0.5 - mu) / sigma, high = ((double)i + 0.5 - mu) / sigma;
        density[i] += weight * ty_exact_exp(ty_exact_log_ndtr_diff(low, high) - all);
    }
}

static void add_number_kernels(const double *counts, size_t n, double total, double *density) {
    const double sigma = scott_sigma(counts, n);
    for (size_t i = 0; i < n; i++)
        if (counts[i] > 0)
            add_normal((double)i, sigma, counts[i] / total, n, density);
    add_normal((double)(n - 1) / 2, (double)n, PRIOR_WEIGHT / total, n, density);
}

/* Every cell's kernel has a little of all choices and much of its own. */
static void add_choice_kernels(const double *counts, size_t n, double total, double *density) {
    double kernels = 1, spread = 0;
    for (size_t i = 0; i < n; i++)
        kernels += counts[i] > 0;
    const double little = PRIOR_WEIGHT / kernels, sum = 1 + (double)n * little;
    for (size_t i = 0; i < n; i++)
        spread += counts[i] / total * little / sum;
    spread += PRIOR_WEIGHT / total / (double)n;
    for (size_t i = 0; i < n; i++)
        density[i] += spread + counts[i] / total / sum;
}

static void estimate(const grid *g, const double *counts, double *density) {
    const double total = total_of(counts, g->size) + PRIOR_WEIGHT;
    for (size_t i = 0; i < g->size; i++)
        density[i] = LEAST_DENSITY;
    if (g->is_choice)
        add_choice_kernels(counts, g->size, total, density);
    else
        add_number_kernels(counts, g->size, total, density);
}

/* --- importance --------------------------------------------------------------------------------- */

static double pearson(const double *top, const double *all, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double ratio = top[i] / all[i] - 1;
        sum += all[i] * ratio * ratio;
    }
    return sum;
}

/* memory: [4][g->size] */
static double importance_of(const field *f, size_t param, const grid *g, double *memory) {
    double *const all = memory, *const top = all + g->size, *const density = top + g->size,
                  *const best = density + g->size;
    for (size_t i = 0; i < 2 * g->size; i++)
        memory[i] = 0;
    for (size_t i = 0; i < f->count; i++) {
        const double v = f->trials[i]->x[param];
        if (isnan(v))
            continue;
        all[cell_of(g, v)]++;
        top[cell_of(g, v)] += f->is_target[i];
    }
    const double n_all = total_of(all, g->size), n_top = total_of(top, g->size);
    if (n_all < MIN_TRIALS || n_top == 0)
        return 0;
    estimate(g, all, density);
    estimate(g, top, best);
    const double quantile = (double)f->target_count / (double)f->count;
    const double top_share = n_top / (double)f->target_count, share = n_all / (double)f->count;
    return top_share * top_share / share * pearson(best, density, g->size) * quantile * quantile;
}

static ty_status weigh(ty_ctx *ctx, const field *f, const ty_space *space, double *out) {
    for (size_t d = 0; d < space->count; d++) {
        const grid g = grid_of(&space->params[d]);
        if (g.size == 0)
            continue;
        double *memory = calloc(4 * g.size, sizeof *memory);
        if (!memory)
            return ty_fail_nomem(ctx, "the importance of parameters");
        out[d] = importance_of(f, d, &g, memory);
        free(memory);
    }
    return TY_OK;
}

ty_status ty_importance(ty_ctx *ctx, const ty_study *study, const ty_space *space, bool maximize,
                        double *out) {
    const size_t n = ty_study_count(study) + 1; /* at least one, so that NULL is an error */
    field f = {.trials = calloc(n, sizeof *f.trials), .is_target = calloc(n, 1)};
    double *losses = calloc(n, sizeof *losses);
    ty_status st = TY_OK;
    for (size_t d = 0; d < space->count; d++)
        out[d] = 0;
    if (f.trials && f.is_target && losses) {
        collect(study, &f);
        if (f.count >= MIN_TRIALS) {
            mark_targets(&f, maximize, losses);
            st = weigh(ctx, &f, space, out);
        }
    } else
        st = ty_fail_nomem(ctx, "the importance of parameters");
    free(f.trials);
    free(f.is_target);
    free(losses);
    return st;
}
