/* The sampler for those who have not chosen one: a Gaussian process while trials are few enough for it
 * and numbers not too many, with TPE beside it, which is not misled where values are rugged; beyond that
 * TPE.
 *
 * Beside each other: of ten trials the process always has five and TPE one, whatever comes of them. The
 * other four go to the one whose own trials of these have more often come out among the best eighth (a
 * portfolio with credit for what was achieved, as in Hoffman et al., UAI 2011; where it is not known yet,
 * the process). Who was asked for a trial that is judged follows from its number, so that the choice is a
 * function of the space, the history and the number. */
#include <math.h>
#include <stdlib.h>

#include "hpo/samplers/sampler.h"

typedef struct auto_config {
    int64_t model_trials;
    int64_t model_parameters;
} auto_config;

static const ty_row row[] = {
    {.key = "model_trials",
     .type = TY_ROW_INT,
     .offset = offsetof(auto_config, model_trials),
     .fallback = "300",
     .min = 0,
     .max = 4096,
     .unit = "trials",
     .help = "ask the Gaussian process until so many trials have ended, then TPE"},
    {.key = "model_parameters",
     .type = TY_ROW_INT,
     .offset = offsetof(auto_config, model_parameters),
     .fallback = "20",
     .min = 0,
     .max = 256,
     .help = "ask the Gaussian process where there are so many parameters at most"}};

const ty_rows ty_sampler_auto_rows = TY_ROWS(row);

typedef struct chooser {
    const auto_config *config;
    bool suits_model; /* the space's size does */
    ty_sampler *model, *density;
} chooser;

static void close(void *self) {
    chooser *c = self;
    if (!c)
        return;
    ty_sampler_close(c->model);
    ty_sampler_close(c->density);
    free(c);
}

static size_t searched(const ty_space *space) {
    size_t n = 0;
    for (size_t d = 0; d < space->count; d++)
        n += ty_param_cardinality(&space->params[d]) != 1;
    return n;
}

static ty_status open(ty_ctx *ctx, const ty_space *space, const void *config, uint64_t seed,
                      void **self) {
    chooser *c = calloc(1, sizeof *c);
    if (!c)
        return ty_fail_nomem(ctx, "the auto sampler");
    c->config = config;
    c->suits_model = searched(space) <= (size_t)c->config->model_parameters;
    ty_status st = ty_sampler_open_json(ctx, "\"gp\"", space, seed, &c->model);
    if (st == TY_OK)
        st = ty_sampler_open_json(ctx, "\"tpe\"", space, seed, &c->density);
    if (st != TY_OK) {
        close(c);
        return st;
    }
    *self = c;
    return TY_OK;
}

/* --- who is asked ----------------------------------------------------------------------------------- */

enum { TURN = 10, STARTUP = 10, GOOD_PART = 8 };

typedef enum asked { ASKED_MODEL, ASKED_DENSITY, ASKED_THE_BETTER } asked;

static asked asked_for(size_t trial) {
    const size_t at = trial % TURN;
    if (at == TURN - 1)
        return ASKED_DENSITY;
    return at % 2 == 0 ? ASKED_MODEL : ASKED_THE_BETTER;
}

static double worth(const ty_shown *t) {
    const bool counts = t->state == TY_TRIAL_COMPLETE && !(t->violation > 0) && !isnan(t->value);
    return counts ? t->value : INFINITY;
}

static bool is_good(const ty_history *h, size_t i) {
    const double own = worth(&h->shown[i]);
    size_t better = 0;
    for (size_t k = 0; k < h->count; k++)
        better += worth(&h->shown[k]) < own;
    return own < INFINITY && GOOD_PART * better < h->count;
}

/* How often what one was always asked for came out well; nothing known is a good part like any. Trials
 * of the beginning are drawn by chance, whoever is asked; imported ones were asked of neither. */
static double success(const ty_history *h, asked who) {
    size_t n = GOOD_PART, good = 1;
    for (size_t i = h->imported; i < h->count; i++)
        if (h->shown[i].number >= STARTUP && asked_for(h->shown[i].number) == who) {
            n++;
            good += is_good(h, i);
        }
    return (double)good / (double)n;
}

static bool asks_model(const chooser *c, const ty_history *history, size_t trial) {
    if (!c->suits_model || history->count >= (size_t)c->config->model_trials)
        return false;
    const asked who = asked_for(trial);
    return who == ASKED_MODEL || (who == ASKED_THE_BETTER &&
                                  success(history, ASKED_MODEL) >= success(history, ASKED_DENSITY));
}

static ty_status suggest(ty_ctx *ctx, void *self, const ty_history *history, size_t trial,
                         uint32_t attempt, double *x) {
    const chooser *c = self;
    ty_sampler *chosen = asks_model(c, history, trial) ? c->model : c->density;
    return ty_sampler_suggest_at(ctx, chosen, history, trial, attempt, x);
}

const ty_sampler_type ty_sampler_auto = {.open = open, .suggest = suggest, .close = close};
