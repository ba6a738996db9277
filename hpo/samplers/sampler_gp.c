/* Bayesian optimisation by a Gaussian process and the logarithm of expected improvement (gp.h,
 * gp_search.h; Ament et al., NeurIPS 2023).
 *
 * What the model is made of, as a function of what was shown alone:
 *  - Rows are the shown trials in their order. Beyond `max_rows` they are, of all but the last few,
 *    half the best and half the newest; the others are forgotten (see choose_rows).
 *  - Hyperparameters are fitted when the number of shown trials is `startup`, and again whenever it has
 *    grown by a twentieth; each fit begins where the one before ended. In between they stay.
 *  - Infeasible trials count as the worst feasible value; pruned ones as what they would have come to,
 *    judged by those that went farther (gp_outlook.c), or where nobody did, as their last value, but no
 *    better than the median and no worse than the worst complete one.
 *  - Points under way count with fantasies of their values (gp.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/samplers/gp_search.h"
#include "hpo/samplers/gp_targets.h"

typedef struct gp_config {
    int64_t startup;
    int64_t candidates;
    int64_t max_rows;
} gp_config;

static const ty_row row[] = {
    {.key = "startup",
     .type = TY_ROW_INT,
     .offset = offsetof(gp_config, startup),
     .fallback = "10",
     .min = 2,
     .max = 1000,
     .unit = "trials",
     .help = "so many trials are drawn from the priors before the model is asked"},
    {.key = "candidates",
     .type = TY_ROW_INT,
     .offset = offsetof(gp_config, candidates),
     .fallback = "2048",
     .min = 8,
     .max = 1000000,
     .unit = "points",
     .help = "points at which each search for the next one begins"},
    {.key = "max_rows",
     .type = TY_ROW_INT,
     .offset = offsetof(gp_config, max_rows),
     .fallback = "512",
     .min = 64,
     .max = 4096,
     .unit = "trials",
     .help =
         "trials in the model at most: its time grows with their cube; of more, the best and the "
         "newest"}};

const ty_rows ty_sampler_gp_rows = TY_ROWS(row);

typedef struct gp_search_state {
    const ty_space *space;
    const gp_config *config;
    uint64_t seed;
    ty_gp_columns columns;
    /* A fold over the shown trials, kept only so that it need not be done again. */
    ty_gp gp;
    size_t fitted; /* number of shown trials at the last fit; 0: none */
    double *theta; /* [dims + 2] */
    size_t *rows;  /* [max_rows] the model's trials; factored are the first gp.n */
    size_t n_rows;
    size_t factored; /* rows of U and W that hold with the present hyperparameters */
    double *point;   /* [dims] scratch */
} gp_state;

/* --- rows --------------------------------------------------------------------------------------- */

/* Of the first `count` trials. Between multiples of an eighth of max_rows trials are only added, so
 * that the factor can be extended. */
static ty_status choose_rows(ty_ctx *ctx, const gp_state *s, const ty_history *h, size_t count,
                             size_t *rows, size_t *n_rows) {
    const size_t most = (size_t)s->config->max_rows, part = most / 8;
    const size_t newest = count <= most ? 0 : (count - most) % part;
    const size_t base = count - newest;
    *n_rows = 0;
    if (count > most) {
        TY_TRY(ty_gp_best_and_newest(ctx, h, base, most - part, rows));
        *n_rows = most - part;
    }
    for (size_t i = count > most ? base : 0; i < count; i++)
        rows[(*n_rows)++] = i;
    return TY_OK;
}

/* Brings the process's points in line with rows; those that were there before stay factored. */
static ty_status set_rows(ty_ctx *ctx, gp_state *s, const ty_history *h, const size_t *rows,
                          size_t n) {
    size_t same = 0;
    while (same < n && same < s->n_rows && rows[same] == s->rows[same])
        same++;
    bool has_grown;
    s->gp.n = same;
    TY_TRY(ty_gp_reserve(ctx, &s->gp, n + TY_GP_MAX_PENDING, &has_grown));
    s->factored = has_grown ? 0 : same < s->factored ? same : s->factored;
    for (size_t i = same; i < n; i++) {
        double x[TY_SPACE_MAX_PARAMS];
        for (size_t d = 0; d < h->dims; d++)
            x[d] = h->x[d * h->capacity + rows[i]];
        ty_gp_encode(&s->columns, x, s->point);
        ty_gp_put(&s->gp, i, s->point);
        s->rows[i] = rows[i];
    }
    s->n_rows = s->gp.n = n;
    return ty_gp_targets(ctx, h, s->rows, n, s->gp.y);
}

static ty_status take_rows(ty_ctx *ctx, gp_state *s, const ty_history *h, size_t count) {
    size_t *rows = malloc((size_t)s->config->max_rows * sizeof *rows), n = 0;
    if (!rows)
        return ty_fail_nomem(ctx, "the trials of a Gaussian process");
    ty_status st = choose_rows(ctx, s, h, count, rows, &n);
    if (st == TY_OK)
        st = set_rows(ctx, s, h, rows, n);
    free(rows);
    return st;
}

/* --- hyperparameters ---------------------------------------------------------------------------- */

static ty_status fit(ty_ctx *ctx, gp_state *s, const ty_history *h, size_t count) {
    TY_TRY(take_rows(ctx, s, h, count));
    if (s->fitted == 0)
        ty_gp_default_theta(&s->gp, s->theta);
    TY_TRY(ty_gp_fit(ctx, &s->gp, s->theta));
    s->factored = s->gp.n;
    s->fitted = count;
    return TY_OK;
}

static size_t next_fit(const gp_state *s) {
    const size_t startup = (size_t)s->config->startup;
    return s->fitted == 0 ? startup : s->fitted + (s->fitted + 19) / 20;
}

static ty_status catch_up(ty_ctx *ctx, gp_state *s, const ty_history *h) {
    while (next_fit(s) <= h->count)
        TY_TRY(fit(ctx, s, h, next_fit(s)));
    TY_TRY(take_rows(ctx, s, h, h->count));
    ty_gp_factor(&s->gp, s->factored, s->n_rows);
    s->factored = s->n_rows;
    ty_gp_whiten(&s->gp);
    return TY_OK;
}

/* --- a suggestion ------------------------------------------------------------------------------- */

/* Adds the points under way, at most TY_GP_MAX_PENDING of them, the newest. */
static size_t add_pending(gp_state *s, const ty_history *h) {
    const size_t n = h->pending_count < TY_GP_MAX_PENDING ? h->pending_count : TY_GP_MAX_PENDING;
    const size_t from = h->pending_count - n;
    for (size_t i = 0; i < n; i++) {
        double x[TY_SPACE_MAX_PARAMS];
        for (size_t d = 0; d < h->dims; d++)
            x[d] = h->pending_x[d * h->pending_capacity + from + i];
        ty_gp_encode(&s->columns, x, s->point);
        ty_gp_put(&s->gp, s->n_rows + i, s->point);
    }
    if (n > 0)
        ty_gp_factor(&s->gp, s->n_rows, s->n_rows + n);
    return n;
}

static ty_status open_acquisition(ty_ctx *ctx, gp_state *s, double best, size_t n_pending,
                                  ty_draws draws, ty_gp_acquisition *out) {
    enum { N_FANTASIES = 32 };
    const size_t n_fantasies = n_pending > 0 ? N_FANTASIES : 1;
    double *normals = calloc(n_fantasies * n_pending + 1, sizeof *normals);
    if (!normals)
        return ty_fail_nomem(ctx, "fantasies of a Gaussian process");
    draws.next = UINT64_C(1) << 42; /* beyond the search's */
    for (size_t i = 0; i < n_fantasies * n_pending; i++)
        normals[i] = ty_draw_normal(&draws);
    const ty_status st =
        ty_gp_acquisition_init(ctx, out, &s->gp, best, n_pending, n_fantasies, normals);
    free(normals);
    return st;
}

/* The row of the least target, which is the best feasible complete trial where there is one. */
static size_t best_row(const gp_state *s) {
    size_t best = 0;
    for (size_t i = 1; i < s->n_rows; i++)
        if (s->gp.y[i] < s->gp.y[best])
            best = i;
    return best;
}

static ty_status ask_model(ty_ctx *ctx, gp_state *s, const ty_history *h, ty_draws draws, double *x,
                           bool *found) {
    TY_TRY(catch_up(ctx, s, h));
    const size_t best = best_row(s);
    double best_x[TY_SPACE_MAX_PARAMS];
    for (size_t d = 0; d < h->dims; d++)
        best_x[d] = h->x[d * h->capacity + s->rows[best]];
    ty_gp_acquisition acquisition = {0};
    const size_t n_pending = add_pending(s, h);
    ty_status st = open_acquisition(ctx, s, s->gp.y[best], n_pending, draws, &acquisition);
    if (st == TY_OK)
        st = ty_gp_search_run(ctx,
                              &(ty_gp_search){.columns = &s->columns,
                                              .acquisition = &acquisition,
                                              .history = h,
                                              .best_x = best_x,
                                              .candidates = (size_t)s->config->candidates / 8 * 8,
                                              .draws = draws},
                              x, found);
    ty_gp_acquisition_clear(&acquisition);
    s->gp.n = s->n_rows;
    return st;
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    gp_state *s = self;
    bool found = false;
    if (s->columns.dims > 0 && history->count >= (size_t)s->config->startup)
        TY_TRY(ask_model(ctx, s, history, ty_draws_open(s->seed, TY_DRAW_MODEL, trial, attempt), x,
                         &found));
    if (!found)
        ty_draws_point(s->space, s->seed, trial, attempt, x);
    return TY_OK;
}

static void close(void *self) {
    gp_state *s = self;
    if (!s)
        return;
    ty_gp_clear(&s->gp);
    free(s->theta);
    free(s->rows);
    free(s->point);
    free(s);
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    gp_state *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "the Gaussian process sampler");
    *s = (gp_state){.space = space, .config = config, .seed = seed};
    ty_gp_columns_init(&s->columns, space);
    ty_gp_init(&s->gp, s->columns.n_numbers, s->columns.dims);
    s->theta = calloc(ty_gp_theta_count(&s->gp), sizeof *s->theta);
    s->rows = calloc((size_t)s->config->max_rows, sizeof *s->rows);
    s->point = calloc(s->columns.dims + 1, sizeof *s->point);
    if (!s->theta || !s->rows || !s->point) {
        close(s);
        return ty_fail_nomem(ctx, "the Gaussian process sampler");
    }
    *self = s;
    return TY_OK;
}

const ty_sampler_type ty_sampler_gp = {.open = open, .suggest = suggest, .close = close};
