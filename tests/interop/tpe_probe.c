/* The TPE sampler's densities, for tests in other languages. Each line of standard input is one request,
 * each line of standard output its answer, both JSON:
 *
 *   {"params": [{"low": 0, "high": 1, "step": 0, "log": false, "int": false},
 *               {"choices": 3, "parent": 0, "accepted": [1, 2]}],
 *    "trials": [{"number": 0, "state": "complete", "value": 1.5, "last_step": 3, "violation": 0,
 *                "x": [0.5, null]}],
 *    "multivariate": true, "constant_liar": true, "places": [[0.25, 2]]}
 *   {"groups": [{"params": [0], "good": [0.1], "rest": [-0.2]}, ...]}
 *
 * Densities are logarithms, of numbers on their own scale (its logarithm where "log"), null where a
 * group plays no part. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/samplers/tpe.h"

enum { MAX_PARAMS = 32, MAX_ACCEPTED = 8 };

typedef struct request {
    ty_space space;
    ty_param params[MAX_PARAMS];
    ty_clause clauses[MAX_PARAMS];
    double accepted[MAX_PARAMS][MAX_ACCEPTED];
    char names[MAX_PARAMS][24];
    ty_history history;
} request;

static void check(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "tpe_probe: %s\n", what);
    exit(1);
}

static double number_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

/* --- reading --------------------------------------------------------------------------------------- */

static void read_clause(request *r, size_t d, const json_t *json) {
    const json_t *accepted = json_object_get(json, "accepted");
    if (!accepted)
        return;
    check(json_array_size(accepted) <= MAX_ACCEPTED, "too many accepted values");
    for (size_t i = 0; i < json_array_size(accepted); i++)
        r->accepted[d][i] = json_number_value(json_array_get(accepted, i));
    r->clauses[d] = (ty_clause){.parent = (size_t)number_of(json, "parent"),
                                .accepted = r->accepted[d],
                                .accepted_count = json_array_size(accepted)};
    r->params[d].clauses = &r->clauses[d];
    r->params[d].clause_count = 1;
}

static void read_param(request *r, size_t d, const json_t *json) {
    ty_param *p = &r->params[d];
    snprintf(r->names[d], sizeof r->names[d], "p%02zu", d);
    *p = (ty_param){.name = r->names[d], .prior = TY_PRIOR_UNIFORM};
    if (json_object_get(json, "choices")) {
        p->prior = TY_PRIOR_CHOICE;
        p->choice_count = (size_t)number_of(json, "choices");
    } else {
        p->low = number_of(json, "low");
        p->high = number_of(json, "high");
        p->step = number_of(json, "step");
        p->is_int = json_is_true(json_object_get(json, "int"));
        if (json_is_true(json_object_get(json, "log")))
            p->prior = TY_PRIOR_LOG;
    }
    read_clause(r, d, json);
}

static void read_x(const json_t *json, size_t n, double *x) {
    check(json_array_size(json) == n, "a value a parameter");
    for (size_t d = 0; d < n; d++) {
        const json_t *v = json_array_get(json, d);
        x[d] = json_is_null(v) ? NAN : json_number_value(v);
    }
}

static ty_trial_state state_of(const json_t *trial) {
    const char *state = json_string_value(json_object_get(trial, "state"));
    check(state != NULL, "a trial without a state");
    if (strcmp(state, "running") == 0)
        return TY_TRIAL_RUNNING;
    return strcmp(state, "pruned") == 0 ? TY_TRIAL_PRUNED : TY_TRIAL_COMPLETE;
}

static ty_status read_trial(ty_ctx *ctx, request *r, const json_t *json) {
    double x[MAX_PARAMS];
    read_x(json_object_get(json, "x"), r->space.count, x);
    const json_t *value = json_object_get(json, "value");
    const ty_shown shown = {.number = (size_t)number_of(json, "number"),
                            .state = state_of(json),
                            .value = json_is_number(value) ? json_number_value(value) : NAN,
                            .last_step = number_of(json, "last_step"),
                            .violation = number_of(json, "violation")};
    if (shown.state == TY_TRIAL_RUNNING)
        return ty_history_begin(ctx, &r->history, shown.number, x);
    return ty_history_show(ctx, &r->history, &shown, x);
}

static ty_status read_request(ty_ctx *ctx, const json_t *json, request *r) {
    const json_t *params = json_object_get(json, "params"),
                 *trials = json_object_get(json, "trials");
    check(json_array_size(params) <= MAX_PARAMS, "too many parameters");
    r->space = (ty_space){.params = r->params, .count = json_array_size(params)};
    for (size_t d = 0; d < r->space.count; d++)
        read_param(r, d, json_array_get(params, d));
    TY_TRY(ty_space_seal(ctx, &r->space));
    ty_history_init(&r->history, &r->space);
    for (size_t i = 0; i < json_array_size(trials); i++)
        TY_TRY(read_trial(ctx, r, json_array_get(trials, i)));
    return TY_OK;
}

/* --- answering ------------------------------------------------------------------------------------- */

/* From the density of u to that of the parameters' own scale. */
static double log_scale(const ty_parzen_axes *axes) {
    double sum = 0;
    for (size_t a = 0; a < axes->smooth_count; a++)
        sum += ty_exact_log(axes->v[a].width);
    return sum;
}

static json_t *log_densities(ty_parzen *parzen, const ty_tpe_group *group, const json_t *places,
                             size_t dims) {
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(places); i++) {
        double x[MAX_PARAMS], log = 0;
        ty_parzen_place place[MAX_PARAMS];
        read_x(json_array_get(places, i), dims, x);
        if (isnan(x[group->first])) {
            json_array_append_new(out, json_null());
            continue;
        }
        ty_parzen_place_of(&group->axes, x, place);
        ty_parzen_log_density(parzen, place, 1, &log);
        json_array_append_new(out, json_real(log - log_scale(&group->axes)));
    }
    return out;
}

static json_t *params_of(const ty_parzen_axes *axes) {
    json_t *params = json_array();
    for (size_t a = 0; a < axes->count; a++)
        json_array_append_new(params, json_integer((json_int_t)axes->v[a].index));
    return params;
}

static json_t *answer(const ty_tpe *tpe, const json_t *places) {
    json_t *groups = json_array();
    for (size_t g = 0; g < tpe->group_count; g++) {
        const ty_tpe_group *group = &tpe->groups[g];
        const size_t dims = tpe->space->count;
        json_array_append_new(groups,
                              json_pack("{s:o, s:o, s:o}", "params", params_of(&group->axes),
                                        "good", log_densities(group->good, group, places, dims),
                                        "rest", log_densities(group->rest, group, places, dims)));
    }
    return json_pack("{s:o}", "groups", groups);
}

static void serve(const char *line) {
    static request r;
    ty_ctx ctx;
    ty_tpe tpe = {0};
    json_t *json = json_loads(line, 0, NULL);
    ty_ctx_init(&ctx);
    memset(&r, 0, sizeof r);
    check(json != NULL, "no JSON");
    check(read_request(&ctx, json, &r) == TY_OK, ctx.message);
    check(ty_tpe_init(&ctx, &tpe, &r.space, json_is_true(json_object_get(json, "multivariate")),
                      json_is_true(json_object_get(json, "constant_liar"))) == TY_OK,
          ctx.message);
    check(ty_tpe_follow(&ctx, &tpe, &r.history) == TY_OK, ctx.message);
    json_t *out = answer(&tpe, json_object_get(json, "places"));
    json_dumpf(out, stdout, JSON_REAL_PRECISION(17));
    printf("\n");
    fflush(stdout);
    json_decref(out);
    json_decref(json);
    ty_tpe_clear(&tpe);
    ty_history_clear(&r.history);
    ty_ctx_clear(&ctx);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0)
        serve(line);
    free(line);
    return 0;
}
