/* Grid search: every combination of values once, and no other. A parameter that plays no part has no
 * values to go through, and what constraints refuse is no combination. The order is an odometer's:
 * the last parameter turns fastest, values ascend, choices come as they were written.
 *
 * Without conditions and constraints a trial's digits are those of its number. Otherwise they are
 * found by counting, from the place where the last suggestion was. */
#include <math.h>
#include <stdlib.h>

#include "base/checked.h"
#include "hpo/samplers/sampler.h"

enum { MAX_COUNTED = 1000000, MAX_LOOKED = 20000000 };

typedef struct grid {
    const ty_space *space;
    bool is_plain; /* no conditions, no constraints */
    size_t total;
    size_t looked; /* steps since the first combination */
    size_t trial;  /* that x is the combination of, where it is not plain */
    double x[TY_SPACE_MAX_PARAMS];
    size_t digit[TY_SPACE_MAX_PARAMS]; /* 0 where a parameter plays no part */
} grid;

const ty_rows ty_sampler_grid_rows = {.v = NULL, .n = 0};

static ty_status check_values(ty_ctx *ctx, const ty_space *space) {
    for (size_t d = 0; d < space->count; d++)
        if (ty_param_cardinality(&space->params[d]) == 0)
            return ty_fail(ctx, TY_ERR_CONFIG,
                           "%s: a grid needs values to go through, and this range has no end of "
                           "them; want \"values\": [...], or a distribution with a step (\"q\") "
                           "and two ends",
                           space->params[d].name);
    return TY_OK;
}

static bool is_plain(const ty_space *space) {
    bool is = space->constraint_count == 0;
    for (size_t d = 0; d < space->count; d++)
        is = is && space->params[d].clause_count == 0;
    return is;
}

/* Digits count the values of a lattice up from its least, or choices. */
static double value_of(const ty_param *p, size_t digit) {
    if (!ty_param_is_numeric(p))
        return (double)digit;
    return fmin(p->low + (double)digit * p->step, p->high);
}

/* --- counting ----------------------------------------------------------------------------------- */

static void place(grid *g, size_t d, size_t digit) {
    g->digit[d] = digit;
    g->x[d] = value_of(&g->space->params[d], digit);
}

/* Whether parameter d has another digit; if so it is set. */
static bool turn(grid *g, size_t d) {
    if (isnan(g->x[d]) || g->digit[d] + 1 >= ty_param_cardinality(&g->space->params[d]))
        return false;
    place(g, d, g->digit[d] + 1);
    return true;
}

/* What is behind d plays no part yet, so that constraints with it in them hold. */
static void blank_from(grid *g, size_t d) {
    for (; d < g->space->count; d++)
        g->x[d] = NAN;
}

/* Turns the last digit before `end` that can turn; *next is the parameter behind it. */
static bool turn_last(grid *g, size_t end, size_t *next) {
    while (end-- > 0) {
        blank_from(g, end + 1);
        if (turn(g, end)) {
            *next = end + 1;
            return true;
        }
    }
    return false;
}

/* Goes on to the next combination, or to the first. False at the end, and where there was none in
 * MAX_LOOKED steps, which count() has ruled out for all who come after it. */
static bool advance(grid *g, bool begins) {
    size_t d = 0; /* digits before d are set */
    if (!begins && !turn_last(g, g->space->count, &d))
        return false;
    for (g->looked++; g->looked <= MAX_LOOKED; g->looked++) {
        const bool is_allowed = ty_space_allows(g->space, g->x);
        if (is_allowed && d == g->space->count)
            return true;
        if (!is_allowed) {
            if (!turn_last(g, d, &d))
                return false;
        } else {
            if (ty_space_is_active(g->space, g->x, d))
                place(g, d, 0);
            d++;
        }
    }
    return false;
}

static void rewind_grid(grid *g) {
    blank_from(g, 0);
    g->trial = 0;
    g->looked = 0;
}

static ty_status count(ty_ctx *ctx, grid *g) {
    rewind_grid(g);
    for (bool begins = true; g->total <= MAX_COUNTED && advance(g, begins); begins = false)
        g->total++;
    if (g->total > MAX_COUNTED)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "the grid has more than %d combinations; one with conditions or constraints "
                       "is counted, and wants at most so many",
                       MAX_COUNTED);
    if (g->looked > MAX_LOOKED)
        return ty_fail(ctx, TY_ERR_CONFIG,
                       "%d steps through the grid met %zu combinations that conditions and "
                       "constraints allow; want a grid of which they leave more",
                       MAX_LOOKED, g->total);
    if (g->total == 0)
        return ty_fail(ctx, TY_ERR_CONFIG, "the constraints leave no combination of the grid");
    rewind_grid(g);
    (void)advance(g, true);
    return TY_OK;
}

static void seek(grid *g, size_t trial) {
    if (trial < g->trial) {
        rewind_grid(g);
        (void)advance(g, true);
    }
    for (; g->trial < trial; g->trial++)
        (void)advance(g, false);
}

/* --- without conditions and constraints --------------------------------------------------------- */

static ty_status multiply(ty_ctx *ctx, grid *g) {
    g->total = 1;
    for (size_t d = 0; d < g->space->count; d++)
        if (!ty_mul_size(g->total, ty_param_cardinality(&g->space->params[d]), &g->total))
            return ty_fail(ctx, TY_ERR_CONFIG, "the grid has more than 2^64 combinations");
    return TY_OK;
}

static void place_all(grid *g, size_t trial) {
    for (size_t d = g->space->count; d-- > 0;) {
        const size_t n = ty_param_cardinality(&g->space->params[d]);
        place(g, d, trial % n);
        trial /= n;
    }
}

/* --- the sampler -------------------------------------------------------------------------------- */

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    (void)config;
    (void)seed;
    TY_TRY(check_values(ctx, space));
    grid *g = calloc(1, sizeof *g);
    if (!g)
        return ty_fail_nomem(ctx, "the grid sampler");
    g->space = space;
    g->is_plain = is_plain(space);
    const ty_status st = g->is_plain ? multiply(ctx, g) : count(ctx, g);
    if (st != TY_OK)
        free(g);
    else
        *self = g;
    return st;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    (void)history;
    (void)attempt; /* no combination is refused */
    grid *g = self;
    if (trial >= g->total)
        return ty_fail(ctx, TY_ERR_ARG, "trial %zu of a grid that has %zu", trial, g->total);
    if (g->is_plain)
        place_all(g, trial);
    else
        seek(g, trial);
    for (size_t d = 0; d < g->space->count; d++)
        x[d] = g->x[d];
    return TY_OK;
}

static size_t total(const void *self) {
    return ((const grid *)self)->total;
}

const ty_sampler_type ty_sampler_grid = {
    .open = open, .suggest = suggest, .close = free, .total = total};
