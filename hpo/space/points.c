#include "hpo/space/points.h"

#include "hpo/space/space_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 80, BY_SAMPLER = 100 };

/* What a point is drawn from where no trial has it yet. */
enum { READ_SEED = 0, READ_TRIAL = 0 };

/* --- completing --------------------------------------------------------------------------------- */

/* Whether x, filled up with what is drawn where it has nothing, is a point that has all that is given. */
static bool fill(const ty_space *space, const double *given, const double *drawn, double *x) {
    for (size_t d = 0; d < space->count; d++) {
        if (!isnan(given[d]))
            x[d] = given[d];
        else if (isnan(x[d]))
            x[d] = drawn[d];
        if (!ty_space_is_active(space, x, d))
            x[d] = NAN;
        if (!isnan(given[d]) && isnan(x[d]))
            return false;
    }
    return ty_space_allows(space, x);
}

/* A value of every parameter, whether it plays a part or not. */
static void draw_all(const ty_space *space, uint64_t seed, size_t trial, uint32_t attempt,
                     double *drawn) {
    ty_draws draws = ty_draws_open(seed, TY_DRAW_COMPLETE, trial, attempt);
    for (size_t d = 0; d < space->count; d++)
        drawn[d] = ty_param_quantile(&space->params[d], ty_draw_open(&draws));
}

static bool complete_by_priors(const ty_space *space, uint64_t seed, size_t trial,
                               const double *given, double *x) {
    double drawn[TY_SPACE_MAX_PARAMS];
    for (uint32_t attempt = 0; attempt < TY_SAMPLER_ATTEMPTS; attempt++) {
        draw_all(space, seed, trial, attempt, drawn);
        memcpy(x, drawn, space->count * sizeof *x);
        if (fill(space, given, drawn, x))
            return true;
    }
    return false;
}

ty_status ty_point_complete(ty_ctx *ctx, ty_sampler *sampler, const ty_history *history,
                            uint64_t seed, size_t trial, const double *given, double *x) {
    const ty_space *space = history->space;
    double drawn[TY_SPACE_MAX_PARAMS];
    const bool has_end = ty_sampler_total(sampler) > 0; /* its points are for its own trials */
    for (uint32_t attempt = 0; !has_end && attempt < BY_SAMPLER; attempt++) {
        TY_TRY(ty_sampler_suggest_at(ctx, sampler, history, trial, attempt, x));
        draw_all(space, seed, trial, attempt, drawn);
        if (fill(space, given, drawn, x))
            return TY_OK;
    }
    /* Constraints may leave so little that these draws miss it: those of ty_point_read found a point. */
    return complete_by_priors(space, seed, trial, given, x) ||
                   complete_by_priors(space, READ_SEED, READ_TRIAL, given, x)
               ? TY_OK
               : ty_fail(ctx, TY_ERR_CONFIG, "no point of the space has the values of trial %zu",
                         trial);
}

/* --- reading ------------------------------------------------------------------------------------ */

static const char *show(const json_t *json, char out[SHOWN_BYTES]) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    (void)snprintf(out, SHOWN_BYTES, "%s", text ? text : "?");
    free(text);
    return out;
}

static ty_status reject_name(ty_ctx *ctx, const ty_space *space, const char *name) {
    const char *nearest = NULL;
    int best = INT32_MAX;
    for (size_t d = 0; d < space->count; d++)
        if (ty_rows_is_nearer(name, space->params[d].name, &best))
            nearest = space->params[d].name;
    return ty_fail(ctx, TY_ERR_CONFIG, "there is no parameter \"%.64s\"%s%s%s", name,
                   nearest ? "\ndid you mean \"" : "", nearest ? nearest : "",
                   nearest ? "\"?" : "");
}

static ty_status read_value(ty_ctx *ctx, const ty_space *space, const json_t *fixed,
                            const char *name, const json_t *value, double *given) {
    char shown[SHOWN_BYTES], other[SHOWN_BYTES];
    const json_t *constant = json_object_get(fixed, name);
    const size_t d = ty_space_find(space, name);
    if (constant && !ty_json_same_value(constant, value))
        return ty_fail(ctx, TY_ERR_CONFIG, "%.64s is %s in all trials, not %s", name,
                       show(constant, shown), show(value, other));
    if (!constant && d == space->count)
        return reject_name(ctx, space, name);
    if (constant || json_is_null(value))
        return TY_OK;
    if (ty_param_from_json(&space->params[d], value, &given[d]))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG, "%.64s is never %s", name, show(value, shown));
}

ty_status ty_point_read(ty_ctx *ctx, const ty_space *space, const json_t *fixed,
                        const json_t *point, double *given, const char **key) {
    double x[TY_SPACE_MAX_PARAMS];
    json_t *value;
    *key = NULL;
    for (size_t d = 0; d < space->count; d++)
        given[d] = NAN;
    if (!json_is_object(point))
        return ty_fail(ctx, TY_ERR_CONFIG, "a point is no {\"NAME\": VALUE, ...}");
    json_object_foreach((json_t *)(uintptr_t)point, *key, value)
        TY_TRY(read_value(ctx, space, fixed, *key, value, given));
    *key = NULL;
    return complete_by_priors(space, READ_SEED, READ_TRIAL, given, x)
               ? TY_OK
               : ty_fail(ctx, TY_ERR_CONFIG,
                         "no trial can have these values together: the conditions or constraints "
                         "rule them out");
}
