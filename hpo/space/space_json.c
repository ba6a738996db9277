#include "hpo/space/space_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/space/expression.h"

static const char *const priors[] = {"choice", "uniform", "log", "normal", "log_normal", "beta"};
enum { N_PRIORS = sizeof priors / sizeof *priors };

/* --- writing ------------------------------------------------------------------------------------ */

bool ty_json_same_value(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

void ty_json_add_canonical(const json_t *json, ty_text *out) {
    enum { FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY };
    char *text = json_dumps(json, FLAGS | JSON_REAL_PRECISION(17));
    ty_text_add(out, text ? text : "");
    out->is_short = out->is_short || !text;
    free(text);
}

static void add_member(ty_text *out, const char *key, double value) {
    ty_text_addf(out, ",\"%s\":", key);
    ty_text_add_number(out, value == 0 ? 0 : value); /* -0 is 0 */
}

static void add_numbers(ty_text *out, const char *key, const double *v, size_t n) {
    ty_text_addf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_number(out, v[i]);
    }
    ty_text_add(out, "]");
}

static void add_range(ty_text *out, const ty_param *p) {
    ty_text_add(out, p->is_int ? ",\"int\":true" : "");
    add_member(out, "low", p->low);
    add_member(out, "high", p->high);
    add_member(out, "step", p->step);
    add_member(out, "from", p->from);
    add_member(out, "to", p->to);
    if (p->prior == TY_PRIOR_NORMAL || p->prior == TY_PRIOR_LOG_NORMAL) {
        add_member(out, "mu", p->mu);
        add_member(out, "sigma", p->sigma);
    }
    if (p->prior == TY_PRIOR_BETA) {
        add_member(out, "a", p->a);
        add_member(out, "b", p->b);
    }
}

static void add_param(ty_text *out, const ty_param *p) {
    ty_text_addf(out, "{\"name\":\"%s\",\"prior\":\"%s\"", p->name, priors[p->prior]);
    if (ty_param_is_numeric(p)) {
        add_range(out, p);
    } else {
        ty_text_add(out, ",\"choices\":");
        ty_json_add_canonical(p->choices, out);
    }
    if (p->probabilities)
        add_numbers(out, "probabilities", p->probabilities, p->choice_count);
    if (p->has_fallback)
        add_member(out, "default", p->fallback);
    for (size_t i = 0; i < p->clause_count; i++) {
        ty_text_addf(out, "%s{\"parent\":%zu", i ? "," : ",\"when\":[", p->clauses[i].parent);
        add_numbers(out, "accepted", p->clauses[i].accepted, p->clauses[i].accepted_count);
        ty_text_add(out, i + 1 < p->clause_count ? "}" : "}]");
    }
    ty_text_add(out, "}");
}

void ty_space_add_params(const ty_space *space, ty_text *out) {
    ty_text_add(out, "\"params\":[");
    for (size_t d = 0; d < space->count; d++) {
        ty_text_add(out, d ? "," : "");
        add_param(out, &space->params[d]);
    }
    ty_text_add(out, "]");
}

void ty_space_add_constraints(const ty_space *space, ty_text *out) {
    ty_text_add(out, "\"constraints\":[");
    for (size_t i = 0; i < space->constraint_count; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_json(out, ty_expression_text(space->constraints[i]));
    }
    ty_text_add(out, "]");
}

/* --- reading ------------------------------------------------------------------------------------ */

typedef struct reader {
    ty_ctx *ctx;
    ty_arena *arena;
} reader;

static ty_status damaged(reader *r, const char *what) {
    return ty_fail(r->ctx, TY_ERR_INTEGRITY, "a written space has %s", what);
}

static bool read_number(const json_t *json, double *out) {
    const char *text = json_string_value(json);
    if (json_is_number(json))
        *out = json_number_value(json);
    else if (text && strcmp(text, "Infinity") == 0)
        *out = INFINITY;
    else if (text && strcmp(text, "-Infinity") == 0)
        *out = -INFINITY;
    else
        return false;
    return true;
}

/* An array of numbers, which lives in the arena. */
static ty_status read_numbers(reader *r, const json_t *json, const double **out, size_t *count) {
    const size_t n = json_array_size(json);
    double *v = ty_arena_array(r->arena, n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(r->ctx, "a written space");
    for (size_t i = 0; i < n; i++)
        if (!read_number(json_array_get(json, i), &v[i]))
            return damaged(r, "a list with something that is no number");
    *out = v;
    *count = n;
    return TY_OK;
}

static ty_status read_range(reader *r, const json_t *json, ty_param *p) {
    const struct {
        const char *key;
        double *to;
        bool is_needed;
    } members[] = {{"low", &p->low, true},      {"high", &p->high, true}, {"step", &p->step, true},
                   {"from", &p->from, true},    {"to", &p->to, true},     {"mu", &p->mu, false},
                   {"sigma", &p->sigma, false}, {"a", &p->a, false},      {"b", &p->b, false}};
    p->is_int = json_is_true(json_object_get(json, "int"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *member = json_object_get(json, members[i].key);
        if ((member || members[i].is_needed) && !read_number(member, members[i].to))
            return damaged(r, "a range without its numbers");
    }
    return TY_OK;
}

static ty_status read_choices(reader *r, const json_t *json, ty_param *p) {
    const json_t *probabilities = json_object_get(json, "probabilities");
    size_t n = 0;
    p->choices = json_object_get(json, "choices");
    p->choice_count = json_array_size(p->choices);
    if (!probabilities)
        return TY_OK;
    TY_TRY(read_numbers(r, probabilities, &p->probabilities, &n));
    return n == p->choice_count ? TY_OK : damaged(r, "other probabilities than choices");
}

static ty_status read_clauses(reader *r, const json_t *when, size_t index, ty_param *p) {
    const size_t n = json_array_size(when);
    ty_clause *clauses = ty_arena_array(r->arena, n + 1, sizeof *clauses);
    if (!clauses)
        return ty_fail_nomem(r->ctx, "a written space");
    for (size_t i = 0; i < n; i++) {
        const json_t *clause = json_array_get(when, i), *parent = json_object_get(clause, "parent");
        if (!json_is_integer(parent) || json_integer_value(parent) < 0 ||
            (size_t)json_integer_value(parent) >= index)
            return damaged(r, "a condition on no earlier parameter");
        clauses[i].parent = (size_t)json_integer_value(parent);
        TY_TRY(read_numbers(r, json_object_get(clause, "accepted"), &clauses[i].accepted,
                            &clauses[i].accepted_count));
    }
    p->clauses = clauses;
    p->clause_count = n;
    return TY_OK;
}

static ty_status read_param(reader *r, const json_t *json, size_t index, ty_param *p) {
    const char *prior = json_string_value(json_object_get(json, "prior"));
    const json_t *fallback = json_object_get(json, "default");
    int at = 0;
    p->name = json_string_value(json_object_get(json, "name"));
    while (prior && at < N_PRIORS && strcmp(priors[at], prior) != 0)
        at++;
    if (!p->name || !prior || at == N_PRIORS)
        return damaged(r, "a parameter without its name or prior");
    p->prior = (ty_prior)at;
    TY_TRY(ty_param_is_numeric(p) ? read_range(r, json, p) : read_choices(r, json, p));
    p->has_fallback = fallback != NULL;
    if (fallback && !read_number(fallback, &p->fallback))
        return damaged(r, "a default that is no number");
    return read_clauses(r, json_object_get(json, "when"), index, p);
}

static ty_status read_constraints(reader *r, const json_t *list, ty_space *space) {
    const size_t n = json_array_size(list);
    const ty_expression **v = ty_arena_array(r->arena, n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(r->ctx, "a written space");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text)
            return damaged(r, "a constraint that is no text");
        TY_TRY(ty_expression_parse(r->ctx, text, space, r->arena, &v[i]));
    }
    space->constraints = v;
    space->constraint_count = n;
    return TY_OK;
}

static ty_status check_fallbacks(reader *r, const ty_space *space) {
    for (size_t d = 0; d < space->count; d++)
        if (space->params[d].has_fallback &&
            !ty_param_accepts(&space->params[d], space->params[d].fallback))
            return damaged(r, "a default that its parameter cannot have");
    return TY_OK;
}

ty_status ty_space_from_json(ty_ctx *ctx, const json_t *json, ty_arena *arena, ty_space *out) {
    reader r = {.ctx = ctx, .arena = arena};
    const json_t *params = json_object_get(json, "params");
    const size_t n = json_array_size(params);
    ty_space space = {.params = NULL, .count = n};
    if (!json_is_array(params) || n > TY_SPACE_MAX_PARAMS)
        return damaged(&r, "no list of parameters, or one too long");
    space.params = ty_arena_array(arena, n + 1, sizeof *space.params);
    if (!space.params)
        return ty_fail_nomem(ctx, "a written space");
    for (size_t d = 0; d < n; d++) {
        TY_TRY(read_param(&r, json_array_get(params, d), d, &space.params[d]));
        for (size_t i = 0; i < d; i++)
            if (strcmp(space.params[i].name, space.params[d].name) == 0)
                return damaged(&r, "a parameter twice");
    }
    TY_TRY(ty_space_seal(ctx, &space));
    TY_TRY(check_fallbacks(&r, &space));
    TY_TRY(read_constraints(&r, json_object_get(json, "constraints"), &space));
    *out = space;
    return TY_OK;
}
