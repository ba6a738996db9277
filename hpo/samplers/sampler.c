#include "hpo/samplers/sampler.h"

#include <stddef.h>
#include <stdlib.h>

#include "hpo/exact/exact.h"

ty_draws ty_draws_open(uint64_t seed, ty_draw_purpose purpose, size_t trial, uint32_t attempt) {
    const ty_rng_key key = ty_rng_key_of(seed, TY_STREAM_SWEEP);
    return (ty_draws){.key = ty_rng_key_mix(ty_rng_key_mix(key, purpose), attempt), .trial = trial};
}

/* A Philox block is two draws, and is made for the first of them. */
static uint64_t draw_bits(ty_draws *d) {
    if (d->held != d->next / 2 + 1) {
        d->block = ty_rng_draw(d->key, d->trial, d->next / 2);
        d->held = d->next / 2 + 1;
    }
    const size_t half = (size_t)(d->next++ % 2) * 2;
    return (uint64_t)d->block.v[half] << 32 | d->block.v[half + 1];
}

double ty_draw(ty_draws *d) {
    return (double)(draw_bits(d) >> 11) * 0x1p-53;
}

double ty_draw_open(ty_draws *d) {
    return ((double)(draw_bits(d) >> 12) + 0.5) * 0x1p-52;
}

double ty_draw_normal(ty_draws *d) {
    return ty_exact_ndtri(ty_draw_open(d));
}

size_t ty_draw_below(ty_draws *d, size_t n) {
    return (size_t)(((unsigned __int128)draw_bits(d) * n) >> 64);
}

void ty_draws_values(const ty_space *space, uint64_t seed, size_t trial, uint32_t attempt,
                     double *x) {
    ty_draws draws = ty_draws_open(seed, TY_DRAW_PRIOR, trial, attempt);
    for (size_t d = 0; d < space->count; d++)
        x[d] = ty_param_quantile(&space->params[d], ty_draw_open(&draws));
}

void ty_draws_point(const ty_space *space, uint64_t seed, size_t trial, uint32_t attempt,
                    double *x) {
    ty_draws_values(space, seed, trial, attempt, x);
    ty_space_settle(space, x);
}

/* --- the table ---------------------------------------------------------------------------------- */

#define ID_OF(name, text) ID_##name,
#define ROW_OF(name, text)                                                                         \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = &ty_sampler_##name##_rows,                                                            \
     .struct_bytes = TY_SAMPLER_CONFIG_BYTES,                                                      \
     .id = ID_##name},
#define TYPE_OF(name, text) [ID_##name] = &ty_sampler_##name,

enum { TY_SAMPLER_ROWS(ID_OF) };

const ty_variant_row ty_sampler_variants[] = {TY_SAMPLER_ROWS(ROW_OF){.type = NULL}};

static const ty_sampler_type *const types[] = {TY_SAMPLER_ROWS(TYPE_OF)};

struct ty_sampler {
    const ty_sampler_type *type;
    const ty_space *space;
    const void *config;
    uint64_t seed, generation; /* of the history that self has seen */
    void *self;
    ty_doc *doc; /* of config, where it is the sampler's own */
};

ty_status ty_sampler_open(ty_ctx *ctx, const ty_variant *chosen, const ty_space *space,
                          uint64_t seed, ty_sampler **out) {
    ty_sampler *s = calloc(1, sizeof *s);
    if (!s)
        return ty_fail_nomem(ctx, "a sampler");
    *s = (ty_sampler){
        .type = types[chosen->row->id], .space = space, .config = chosen->config, .seed = seed};
    const ty_status st = s->type->open(ctx, space, chosen->config, seed, &s->self);
    if (st != TY_OK) {
        free(s);
        return st;
    }
    *out = s;
    return TY_OK;
}

ty_status ty_sampler_read_json(ty_ctx *ctx, const char *json, ty_doc **doc, ty_variant *out) {
    return ty_rows_load_variant(ctx, "sampler", ty_sampler_variants, json, doc, out);
}

ty_status ty_sampler_open_json(ty_ctx *ctx, const char *json, const ty_space *space, uint64_t seed,
                               ty_sampler **out) {
    ty_doc *doc = NULL;
    ty_variant chosen = {0};
    TY_TRY(ty_sampler_read_json(ctx, json, &doc, &chosen));
    const ty_status st = ty_sampler_open(ctx, &chosen, space, seed, out);
    if (st == TY_OK)
        (*out)->doc = doc;
    else
        ty_doc_close(doc);
    return st;
}

/* A sampler's caches hold as long as what it was shown does. */
static ty_status follow(ty_ctx *ctx, ty_sampler *s, const ty_history *history) {
    if (history->generation == s->generation)
        return TY_OK;
    s->type->close(s->self);
    s->self = NULL;
    TY_TRY(s->type->open(ctx, s->space, s->config, s->seed, &s->self));
    s->generation = history->generation;
    return TY_OK;
}

ty_status ty_sampler_suggest_at(ty_ctx *ctx, ty_sampler *s, const ty_history *history, size_t trial,
                                uint32_t attempt, double *x) {
    TY_TRY(follow(ctx, s, history));
    return s->type->suggest(ctx, s->self, history, trial, attempt, x);
}

/* A model may look where the constraints leave nothing (CMA-ES begins at the middle). Its attempts come
 * first, so that what was decided by them stays as it is; these are others than it has made itself. */
static bool suggest_by_priors(const ty_sampler *s, size_t trial, double *x) {
    for (uint32_t attempt = 0; attempt < TY_SAMPLER_ATTEMPTS; attempt++) {
        ty_draws_point(s->space, s->seed, trial, TY_SAMPLER_ATTEMPTS + attempt, x);
        if (ty_space_allows(s->space, x))
            return true;
    }
    return false;
}

ty_status ty_sampler_suggest(ty_ctx *ctx, ty_sampler *s, const ty_history *history, size_t trial,
                             double *x) {
    TY_TRY(follow(ctx, s, history));
    for (uint32_t attempt = 0; attempt < TY_SAMPLER_ATTEMPTS; attempt++) {
        TY_TRY(s->type->suggest(ctx, s->self, history, trial, attempt, x));
        if (ty_space_allows(s->space, x))
            return TY_OK;
    }
    const bool has_end = ty_sampler_total(s) > 0; /* its points are for its own trials */
    if (!has_end && suggest_by_priors(s, trial, x))
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_CONFIG,
        "the constraints refused %d points in a row for trial %zu; want a space of which "
        "they leave more",
        has_end ? TY_SAMPLER_ATTEMPTS : 2 * TY_SAMPLER_ATTEMPTS, trial);
}

size_t ty_sampler_total(const ty_sampler *s) {
    return s->type->total ? s->type->total(s->self) : 0;
}

void ty_sampler_close(ty_sampler *s) {
    if (!s)
        return;
    s->type->close(s->self);
    ty_doc_close(s->doc);
    free(s);
}
