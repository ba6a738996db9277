/* CMA-ES over trials (cma.h has the algorithm). It moves the numbers that play a part in every trial,
 * in [0, 1] of their flat scale; choices and conditional parameters are drawn from their priors.
 *
 * Which trials make which generation, so that the search is a function of what was shown alone:
 *  - The shown trials are taken in the order in which they were shown; the first `startup`, and all
 *    imported ones, only say where to begin; of the rest each run of `population` is one generation.
 *  - A trial whose point is the one that the present generation suggests for its number counts with
 *    what was drawn, before it was rounded to a lattice. Any other (asked for while an older
 *    generation was searching, enqueued, imported) counts with its own point, brought near enough to
 *    do no harm (ty_cma_shorten). So a late trial is not wasted, and nothing needs to be remembered.
 *  - Order in a generation: complete and feasible ones by value; infeasible ones by violation; pruned
 *    ones by how far they came, then by value. Failed ones are never shown.
 *  - When a search has nothing to gain any more, the next generation begins a new one at a point
 *    drawn anew, of twice the population (IPOP; Auger & Hansen, CEC 2005). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/samplers/cma.h"
#include "hpo/samplers/sampler.h"

typedef struct cma_config {
    int64_t population; /* TY_AUTO: by dimension */
    double sigma;
    int64_t startup;
    bool is_separable;
    bool restarts;
} cma_config;

static const ty_row row[] = {
    {.key = "population",
     .type = TY_ROW_INT,
     .offset = offsetof(cma_config, population),
     .fallback = "\"auto\"",
     .allows_auto = true,
     .min = 4,
     .max = 100000,
     .unit = "trials",
     .help = "trials of a generation; auto: 4 + 3 ln of the number of parameters"},
    {.key = "sigma",
     .type = TY_ROW_REAL,
     .offset = offsetof(cma_config, sigma),
     .fallback = "0.16666666666666666",
     .min = 0,
     .max = 1,
     .min_is_open = true,
     .help = "standard deviation at the beginning, as a part of each range"},
    {.key = "startup",
     .type = TY_ROW_INT,
     .offset = offsetof(cma_config, startup),
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .unit = "trials",
     .help =
         "so many trials, imported or drawn from the priors, say where to begin (the best tenth of "
         "them); 0: at the middle"},
    {.key = "separable",
     .type = TY_ROW_BOOL,
     .offset = offsetof(cma_config, is_separable),
     .fallback = "false",
     .help = "learn variances alone, no correlations: faster with many parameters"},
    {.key = "restarts",
     .type = TY_ROW_BOOL,
     .offset = offsetof(cma_config, restarts),
     .fallback = "true",
     .help = "begin anew with twice the population where a search has nothing to gain any more"}};

const ty_rows ty_sampler_cma_rows = TY_ROWS(row);

typedef struct cma_search {
    const ty_space *space;
    const cma_config *config;
    uint64_t seed;
    size_t dims;
    size_t *param; /* [dims] indices into space->params */
    double *x;     /* [space->count] scratch */
    double *u;     /* [dims] scratch */
    /* What follows is a fold over the shown trials, kept only so that it need not be done again. */
    size_t taken;
    ty_cma cma; /* zeroed: not begun */
    size_t n_searches;
    size_t *member; /* [population] indices of shown trials, of the generation that fills up */
    double *point;  /* [population, dims] */
    size_t n_members;
} cma_search;

/* --- parameters and [0, 1] ---------------------------------------------------------------------- */

static const ty_param *param_of(const cma_search *s, size_t dim) {
    return &s->space->params[s->param[dim]];
}

static bool is_moved(const ty_param *p) {
    return ty_param_is_numeric(p) && p->clause_count == 0 && p->z_low < p->z_high &&
           ty_param_cardinality(p) != 1;
}

static double unit_of(const ty_param *p, double z) {
    return (z - p->z_low) / (p->z_high - p->z_low);
}

static double value_at(const ty_param *p, double u) {
    return ty_param_value(p, p->z_low + u * (p->z_high - p->z_low));
}

/* ty_cma_lattice over a search's parameters: where the cell round m ends, inside the range. */
static bool cell_ends(const void *self, size_t dim, double m, double *low, double *high) {
    const ty_param *p = param_of(self, dim);
    if (p->step == 0)
        return false;
    ty_param_cell(p, value_at(p, m), low, high);
    *low = unit_of(p, *low);
    *high = unit_of(p, *high);
    if (*low <= 0)
        *low = *high;
    else if (*high >= 1)
        *high = *low;
    return true;
}

/* --- a search begins ---------------------------------------------------------------------------- */

static void forget_search(cma_search *s) {
    ty_cma_clear(&s->cma);
    free(s->member);
    free(s->point);
    s->member = NULL;
    s->point = NULL;
    s->n_members = 0;
}

static ty_status begin(ty_ctx *ctx, cma_search *s, size_t population, const double *mean,
                       double sigma, const double *cov) {
    forget_search(s);
    TY_TRY(ty_cma_init(ctx, &s->cma,
                       &(ty_cma_options){.dims = s->dims,
                                         .population = population,
                                         .is_separable = s->config->is_separable,
                                         .mean = mean,
                                         .sigma = sigma,
                                         .cov = cov,
                                         .lattice = {cell_ends, s}}));
    s->member = calloc(s->cma.population, sizeof *s->member);
    s->point = calloc(s->cma.population * s->dims, sizeof *s->point);
    s->n_searches++;
    return s->member && s->point ? TY_OK : ty_fail_nomem(ctx, "a generation of CMA-ES");
}

static size_t first_population(const cma_search *s) {
    return s->config->population == TY_AUTO ? 0 : (size_t)s->config->population;
}

static ty_status begin_at_middle(ty_ctx *ctx, cma_search *s) {
    for (size_t d = 0; d < s->dims; d++)
        s->u[d] = 0.5;
    return begin(ctx, s, first_population(s), s->u, s->config->sigma, NULL);
}

/* Attempts of trials never come as far as this one. */
static ty_status begin_anew(ty_ctx *ctx, cma_search *s) {
    ty_draws draws = ty_draws_open(s->seed, TY_DRAW_MODEL, s->n_searches, UINT32_MAX);
    for (size_t d = 0; d < s->dims; d++)
        s->u[d] = ty_draw(&draws);
    return begin(ctx, s, 2 * s->cma.population, s->u, s->config->sigma, NULL);
}

/* --- order -------------------------------------------------------------------------------------- */

/* 0: complete and feasible, 1: infeasible, 2: pruned. */
static int class_of(const ty_shown *t) {
    return t->state == TY_TRIAL_PRUNED ? 2 : t->violation > 0;
}

static int compare(double a, double b) {
    return isnan(a) ? !isnan(b) : a > b ? 1 : a < b || isnan(b) ? -1 : 0;
}

static int compare_shown(const ty_shown *a, const ty_shown *b) {
    const int kind = class_of(a);
    int by = kind - class_of(b);
    if (by == 0 && kind == 1)
        by = compare(a->violation, b->violation);
    if (by == 0 && kind == 2)
        by = compare(b->last_step, a->last_step);
    return by ? by : compare(a->value, b->value);
}

/* Puts the indices in order, the earlier of equals first. */
static void sort_shown(const ty_history *h, size_t *index, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const size_t held = index[i];
        size_t at = i;
        for (; at > 0 && compare_shown(&h->shown[held], &h->shown[index[at - 1]]) < 0; at--)
            index[at] = index[at - 1];
        index[at] = held;
    }
}

/* --- points ------------------------------------------------------------------------------------- */

static bool is_inside(const cma_search *s, const double *u) {
    for (size_t d = 0; d < s->dims; d++)
        if (param_of(s, d)->step == 0 && !(u[d] > 0 && u[d] < 1))
            return false;
    return true;
}

/* An end without a value (of a normal law) is not reached. */
static double nearest_inside(const ty_param *p, double u) {
    if (p->step > 0)
        return u;
    if (u <= 0)
        return isfinite(p->low) ? 0 : 0x1p-20;
    if (u >= 1)
        return isfinite(p->high) ? 1 : 1 - 0x1p-20;
    return u;
}

/* u [dims]: what the present generation draws for this trial. */
static void draw_unit(const cma_search *s, size_t trial, uint32_t attempt, double *u) {
    enum { MAX_DRAWS = 100 };
    ty_draws draws = ty_draws_open(s->seed, TY_DRAW_MODEL, trial, attempt);
    double normal[TY_SPACE_MAX_PARAMS];
    for (int i = 0; i < MAX_DRAWS; i++) {
        for (size_t d = 0; d < s->dims; d++)
            normal[d] = ty_draw_normal(&draws);
        ty_cma_point(&s->cma, normal, u);
        if (is_inside(s, u))
            return;
    }
    for (size_t d = 0; d < s->dims; d++)
        u[d] = nearest_inside(param_of(s, d), u[d]);
}

/* x [space->count], u [dims]. Settled last: what plays a part may hang on a number that is moved. */
static void draw_point(const cma_search *s, size_t trial, uint32_t attempt, double *x, double *u) {
    const size_t dims = s->cma.memory ? s->dims : 0;
    ty_draws_values(s->space, s->seed, trial, attempt, x);
    if (dims > 0)
        draw_unit(s, trial, attempt, u);
    for (size_t d = 0; d < dims; d++)
        x[s->param[d]] = value_at(param_of(s, d), ty_cma_encode(&s->cma, d, u[d]));
    ty_space_settle(s->space, x);
}

static bool is_shown_point(const cma_search *s, const ty_history *h, size_t index) {
    for (size_t d = 0; d < s->dims; d++)
        if (s->x[s->param[d]] != h->x[s->param[d] * h->capacity + index])
            return false;
    return true;
}

/* Whether the present generation suggests just this for the trial; then s->u is what it drew. */
static bool is_own(cma_search *s, const ty_history *h, size_t index) {
    enum { MAX_REFUSED = 64 };
    for (uint32_t attempt = 0; attempt < MAX_REFUSED; attempt++) {
        draw_point(s, h->shown[index].number, attempt, s->x, s->u);
        if (ty_space_allows(s->space, s->x))
            return is_shown_point(s, h, index);
    }
    return false;
}

/* u [dims] of a shown trial's point as it is. */
static void shown_unit(const cma_search *s, const ty_history *h, size_t index, double *u) {
    for (size_t d = 0; d < s->dims; d++)
        u[d] = unit_of(param_of(s, d), h->z[s->param[d] * h->capacity + index]);
}

static void take_point(cma_search *s, const ty_history *h, size_t index, double *u) {
    if (is_own(s, h, index)) {
        memcpy(u, s->u, s->dims * sizeof *u);
        return;
    }
    shown_unit(s, h, index, u);
    for (size_t d = 0; d < s->dims; d++)
        if (param_of(s, d)->step > 0)
            u[d] = ty_cma_decode(&s->cma, d, u[d]);
    ty_cma_shorten(&s->cma, u);
}

/* --- the fold ----------------------------------------------------------------------------------- */

/* Begins like the best tenth of the first n trials. */
static ty_status begin_warm(ty_ctx *ctx, cma_search *s, const ty_history *h, size_t n) {
    const size_t d = s->dims, best = (n + 9) / 10;
    double *room = calloc(best * d + d + 3 * d * d + d, sizeof *room);
    size_t *order = calloc(n, sizeof *order);
    ty_status st = room && order ? TY_OK : ty_fail_nomem(ctx, "the start of CMA-ES");
    for (size_t i = 0; st == TY_OK && i < n; i++)
        order[i] = i;
    if (st == TY_OK) {
        double *mean = room + best * d, *cov = mean + d;
        sort_shown(h, order, n);
        for (size_t i = 0; i < best; i++)
            shown_unit(s, h, order[i], room + i * d);
        const double sigma = ty_cma_resemble(room, best, d, mean, cov, cov + d * d);
        st = begin(ctx, s, first_population(s), mean, sigma, cov);
    }
    free(room);
    free(order);
    return st;
}

/* The generation is full. Members are put in order together with their points. */
static ty_status learn(ty_ctx *ctx, cma_search *s, const ty_history *h) {
    const size_t n = s->n_members, d = s->dims, first = s->taken + 1 - n;
    double *sorted = malloc(n * d * sizeof *sorted);
    if (!sorted)
        return ty_fail_nomem(ctx, "a generation of CMA-ES");
    sort_shown(h, s->member, n);
    for (size_t i = 0; i < n; i++)
        memcpy(sorted + i * d, s->point + (s->member[i] - first) * d, d * sizeof *sorted);
    ty_cma_tell(&s->cma, sorted, h->shown[s->member[0]].value, h->shown[s->member[n - 1]].value);
    free(sorted);
    s->n_members = 0;
    return s->config->restarts && ty_cma_is_done(&s->cma) ? begin_anew(ctx, s) : TY_OK;
}

static ty_status take(ty_ctx *ctx, cma_search *s, const ty_history *h, size_t index) {
    const size_t wanted = (size_t)s->config->startup;
    const size_t startup = wanted > h->imported ? wanted : h->imported;
    if (index < startup)
        return index + 1 == startup ? begin_warm(ctx, s, h, startup) : TY_OK;
    take_point(s, h, index, s->point + s->n_members * s->dims);
    s->member[s->n_members++] = index;
    return s->n_members == s->cma.population ? learn(ctx, s, h) : TY_OK;
}

static ty_status catch_up(ty_ctx *ctx, cma_search *s, const ty_history *h) {
    for (; s->dims > 0 && s->taken < h->count; s->taken++)
        TY_TRY(take(ctx, s, h, s->taken));
    return TY_OK;
}

/* --- the row ------------------------------------------------------------------------------------ */

static void close(void *self) {
    cma_search *s = self;
    if (!s)
        return;
    forget_search(s);
    free(s->param);
    free(s->x);
    free(s->u);
    free(s);
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    cma_search *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the CMA-ES sampler");
    *s = (cma_search){.space = space, .config = config, .seed = seed};
    s->param = calloc(space->count + 1, sizeof *s->param);
    s->x = calloc(space->count + 1, sizeof *s->x);
    s->u = calloc(space->count + 1, sizeof *s->u);
    ty_status st = s->param && s->x && s->u ? TY_OK : ty_fail_nomem(ctx, "the CMA-ES sampler");
    for (size_t d = 0; st == TY_OK && d < space->count; d++)
        if (is_moved(&space->params[d]))
            s->param[s->dims++] = d;
    if (st == TY_OK && s->dims > 0 && s->config->startup == 0)
        st = begin_at_middle(ctx, s);
    if (st != TY_OK) {
        close(s);
        return st;
    }
    *self = s;
    return TY_OK;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    cma_search *s = self;
    TY_TRY(catch_up(ctx, s, history));
    draw_point(s, trial, attempt, x, s->u);
    return TY_OK;
}

const ty_sampler_type ty_sampler_cma = {.open = open, .suggest = suggest, .close = close};
