/* `conditions` and `constraints` of a sweep file: what plays a part only where something else holds, and
 * what is ruled out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/space/expression.h"
#include "hpo/sweep_file/sweep_private.h"

/* A condition on one parameter: a clause whose parent may still move. */
typedef struct link {
    size_t child;
    ty_clause clause;
    const char *path;
} link;

typedef struct linker {
    sweep_reader *r;
    link *v;
    size_t n;
} linker;

static void no_memory(sweep_reader *r) {
    sweep_found(r, ty_fail_nomem(r->ctx, "the conditions of a sweep"));
}

/* "conditions.2.when.optimizer.type": path, and key where that is not NULL. */
static const char *make_path(sweep_reader *r, const char *list, size_t index, const char *key) {
    ty_arena *arena = &r->file->arena;
    const char *path =
        ty_arena_printf(arena, "%s.%zu%s%s", list, index, key ? "." : "", key ? key : "");
    return path ? path : list;
}

/* --- names -------------------------------------------------------------------------------------- */

static bool is_fixed(const ty_sweep_file *file, const char *name) {
    for (size_t i = 0; i < file->fixed_count; i++)
        if (strcmp(file->fixed[i].name, name) == 0)
            return true;
    return false;
}

static void reject_name(sweep_reader *r, const char *path, const char *name) {
    const char *nearest = NULL;
    int best = INT32_MAX;
    for (size_t d = 0; d < r->file->space.count; d++)
        if (ty_rows_is_nearer(name, r->file->space.params[d].name, &best))
            nearest = r->file->space.params[d].name;
    if (is_fixed(r->file, name))
        SWEEP_REJECT(r, path,
                     "%s has one value in all trials\nleave the condition out, or write \"values\"",
                     name);
    else
        SWEEP_REJECT(r, path, "there is no parameter \"%.64s\"%s%s%s", name,
                     nearest ? "\ndid you mean \"" : "", nearest ? nearest : "",
                     nearest ? "\"?" : "");
}

/* Index of a parameter by its name here or elsewhere; space.count, and a finding, where there is none. */
static size_t find(sweep_reader *r, const char *path, const char *written) {
    const char *name = sweep_our_name(r, written);
    const size_t d = ty_space_find(&r->file->space, name);
    if (d == r->file->space.count)
        reject_name(r, path, name);
    return d;
}

/* --- conditions --------------------------------------------------------------------------------- */

static bool accept(sweep_reader *r, ty_clause *clause, double *v, const json_t *value) {
    const ty_param *p = &r->file->space.params[clause->parent];
    if (!ty_param_from_json(p, value, &v[clause->accepted_count]))
        return false;
    clause->accepted_count++;
    return true;
}

/* A list is several values, unless the parameter has that very list as a value. */
static bool accept_all(sweep_reader *r, ty_clause *clause, double *v, const json_t *value,
                       const json_t **bad) {
    size_t i;
    json_t *item;
    *bad = value;
    if (accept(r, clause, v, value))
        return true;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return false;
    json_array_foreach(value, i, item) {
        *bad = item;
        if (!accept(r, clause, v, item))
            return false;
    }
    return true;
}

static bool read_clause(sweep_reader *r, const char *path, const char *name, const json_t *value,
                        ty_clause *out) {
    char shown[SWEEP_SHOWN_BYTES];
    const json_t *bad = NULL;
    const size_t room = json_is_array(value) ? json_array_size(value) : 0;
    double *v = ty_arena_array(&r->file->arena, room + 1, sizeof *v);
    *out = (ty_clause){.parent = find(r, path, name), .accepted = v};
    if (!v)
        no_memory(r);
    if (!v || out->parent == r->file->space.count)
        return false;
    const bool is_fine = accept_all(r, out, v, value, &bad);
    if (!is_fine)
        SWEEP_REJECT(r, path, "%s is never %s", r->file->space.params[out->parent].name,
                     sweep_show(bad, shown));
    return is_fine;
}

/* One clause for each of the children. */
static void link_children(linker *l, size_t index, const ty_clause *clause, const char *path,
                          const json_t *children) {
    size_t i;
    json_t *item;
    json_array_foreach(children, i, item) {
        const char *at =
            ty_arena_printf(&l->r->file->arena, "conditions.%zu.parameters.%zu", index, i);
        const char *name = json_string_value(item);
        const size_t child = at && name ? find(l->r, at, name) : l->r->file->space.count;
        if (!at)
            no_memory(l->r);
        else if (!name)
            SWEEP_REJECT(l->r, at, "this is no parameter's name");
        if (child < l->r->file->space.count)
            l->v[l->n++] = (link){.child = child, .clause = *clause, .path = path};
    }
}

static void check_members(sweep_reader *r, const char *path, const json_t *object,
                          const char *const *known) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        const char *at = ty_arena_printf(&r->file->arena, "%s.%s", path, key);
        if (!known[i])
            SWEEP_REJECT(r, at ? at : path, "unknown key \"%.64s\"", key);
    }
}

static void read_condition(linker *l, size_t index, const json_t *condition) {
    static const char *const known[] = {"when", "parameters", NULL};
    const json_t *when = json_object_get(condition, "when");
    const json_t *children = json_object_get(condition, "parameters");
    const char *path = make_path(l->r, "conditions", index, NULL), *key;
    json_t *value;
    ty_clause clause;
    if (json_object_size(when) == 0 || json_array_size(children) == 0) {
        SWEEP_REJECT(
            l->r, path,
            "a condition is no {\"when\": {NAME: VALUE, ...}, \"parameters\": [NAME, ...]}");
        return;
    }
    check_members(l->r, path, condition, known);
    json_object_foreach((json_t *)(uintptr_t)when, key, value) {
        const char *in = ty_arena_printf(&l->r->file->arena, "when.%s", key);
        const char *at = make_path(l->r, "conditions", index, in);
        if (read_clause(l->r, at, key, value, &clause))
            link_children(l, index, &clause, at, children);
    }
}

static size_t count_links(const json_t *conditions) {
    size_t i, n = 0;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
        n += json_object_size(json_object_get(condition, "when")) *
             json_array_size(json_object_get(condition, "parameters"));
    return n;
}

/* --- parents first ------------------------------------------------------------------------------ */

typedef struct order {
    size_t
        place[TY_SPACE_MAX_PARAMS]; /* of the parameter that is now at this index; NONE: not yet */
    size_t n;
} order;

static const size_t NONE = (size_t)-1;

static bool waits(const linker *l, const order *o, size_t d) {
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].child == d && o->place[l->v[i].clause.parent] == NONE)
            return true;
    return false;
}

/* By name as far as conditions allow. Whatever then waits does so for itself, or for who does. */
static void place_all(const linker *l, order *o, size_t count) {
    for (size_t d = 0; d < count; d++)
        o->place[d] = NONE;
    for (size_t d = 0; d < count;) {
        const bool is_next = o->place[d] == NONE && !waits(l, o, d);
        if (is_next)
            o->place[d] = o->n++;
        d = is_next ? 0 : d + 1;
    }
}

static void reject_cycle(linker *l, const order *o) {
    for (size_t i = 0; i < l->n; i++)
        if (o->place[l->v[i].child] == NONE && o->place[l->v[i].clause.parent] == NONE) {
            SWEEP_REJECT(l->r, l->v[i].path,
                         "%s waits for %s, which waits for it: conditions go round in a circle",
                         l->r->file->space.params[l->v[i].child].name,
                         l->r->file->space.params[l->v[i].clause.parent].name);
            return;
        }
}

static bool move_all(sweep_reader *r, const order *o) {
    const size_t n = r->file->space.count;
    ty_param *params = ty_arena_array(&r->file->arena, n, sizeof *params);
    const char **paths = ty_arena_array(&r->file->arena, n, sizeof *paths);
    for (size_t d = 0; params && paths && d < n; d++) {
        params[o->place[d]] = r->file->space.params[d];
        paths[o->place[d]] = r->file->param_paths[d];
    }
    r->file->space.params = params;
    r->file->param_paths = paths;
    return params && paths;
}

static void hand_out(linker *l, const order *o) {
    ty_clause *all = ty_arena_array(&l->r->file->arena, l->n, sizeof *all);
    if (!all || !move_all(l->r, o)) {
        no_memory(l->r);
        return;
    }
    for (size_t d = 0; d < l->r->file->space.count; d++) {
        ty_param *p = &l->r->file->space.params[d];
        p->clauses = all;
        for (size_t i = 0; i < l->n; i++)
            if (o->place[l->v[i].child] == d) {
                *all = l->v[i].clause;
                (all++)->parent = o->place[l->v[i].clause.parent];
                p->clause_count++;
            }
    }
}

/* --- what never plays --------------------------------------------------------------------------- */

/* Marks d and what it hangs on. */
static void mark_parents(const ty_space *space, size_t d, bool *is_marked) {
    is_marked[d] = true;
    for (size_t i = d + 1; i-- > 0;)
        for (size_t k = 0; is_marked[i] && k < space->params[i].clause_count; k++)
            is_marked[space->params[i].clauses[k].parent] = true;
}

static bool all_accept(const ty_space *space, const bool *is_marked, size_t parent, double v) {
    for (size_t i = 0; i < space->count; i++)
        for (size_t k = 0; is_marked[i] && k < space->params[i].clause_count; k++) {
            const ty_clause *clause = &space->params[i].clauses[k];
            if (clause->parent == parent && !ty_clause_accepts(clause, v))
                return false;
        }
    return true;
}

/* Whether one of the values that a clause accepts suits all clauses of those that are marked. */
static bool can_hold(const ty_space *space, const bool *is_marked, const ty_clause *clause) {
    for (size_t i = 0; i < clause->accepted_count; i++)
        if (all_accept(space, is_marked, clause->parent, clause->accepted[i]))
            return true;
    return false;
}

/* Of which parameter d wants two things at once; space->count: of none. */
static size_t contradiction(const ty_space *space, size_t d) {
    bool is_marked[TY_SPACE_MAX_PARAMS] = {false};
    mark_parents(space, d, is_marked);
    for (size_t i = 0; i <= d; i++)
        for (size_t k = 0; is_marked[i] && k < space->params[i].clause_count; k++)
            if (!can_hold(space, is_marked, &space->params[i].clauses[k]))
                return space->params[i].clauses[k].parent;
    return space->count;
}

/* What hangs on one that never plays is not said again. */
static void check_all_can_play(sweep_reader *r) {
    const ty_space *space = &r->file->space;
    for (size_t d = 0; d < space->count; d++) {
        const size_t parent = contradiction(space, d);
        if (parent == space->count)
            continue;
        SWEEP_REJECT(r, r->file->param_paths[d],
                     "%s never plays a part: its conditions want %s to be two things at once\n"
                     "one of several values is written as \"when\": {\"%s\": [...]}",
                     space->params[d].name, space->params[parent].name, space->params[parent].name);
        return;
    }
}

void sweep_read_conditions(sweep_reader *r) {
    enum { MAX_LINKS = 65536 };
    size_t i;
    json_t *condition;
    const size_t n = count_links(r->file->conditions);
    if (n > MAX_LINKS) {
        SWEEP_REJECT(r, "conditions", "%zu conditions on parameters, want <= %d", n, MAX_LINKS);
        return;
    }
    linker l = {.r = r, .v = ty_arena_array(&r->file->arena, n ? n : 1, sizeof *l.v)};
    order o = {.n = 0};
    if (!l.v) {
        no_memory(r);
        return;
    }
    json_array_foreach(r->file->conditions, i, condition)
        read_condition(&l, i, condition);
    place_all(&l, &o, r->file->space.count);
    if (o.n < r->file->space.count)
        reject_cycle(&l, &o);
    else if (r->st == TY_OK && l.n > 0)
        hand_out(&l, &o);
    if (r->st == TY_OK)
        check_all_can_play(r);
}

/* --- constraints -------------------------------------------------------------------------------- */

static double limit(sweep_reader *r, const char *path, const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    const char *at = ty_arena_printf(&r->file->arena, "%s.%s", path, key);
    if (value && !json_is_number(value))
        SWEEP_REJECT(r, at ? at : path, "\"%s\" of a constraint is no number", key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void read_limit(sweep_reader *r, const char *path, const json_t *object, ty_limit *out) {
    static const char *const known[] = {"metric", "min", "max", NULL};
    const json_t *metric = json_object_get(object, "metric");
    check_members(r, path, object, known);
    *out = (ty_limit){.metric = json_string_value(metric),
                      .min = limit(r, path, object, "min"),
                      .max = limit(r, path, object, "max")};
    if (!out->metric || !*out->metric)
        SWEEP_REJECT(r, path, "a constraint names no \"metric\"");
    else if (!json_object_get(object, "min") && !json_object_get(object, "max"))
        SWEEP_REJECT(r, path, "a constraint on %.64s has no \"min\" and no \"max\"", out->metric);
    else if (out->min > out->max)
        SWEEP_REJECT(r, path, "nothing is >= %g and <= %g", out->min, out->max);
}

static bool read_expression(sweep_reader *r, const char *path, const char *text,
                            const ty_expression **out) {
    char words[512];
    ty_ctx *ctx = r->ctx;
    if (ty_expression_parse(ctx, text, &r->file->space, &r->file->arena, out) == TY_OK)
        return true;
    (void)snprintf(words, sizeof words, "%.500s", ctx->message);
    SWEEP_REJECT(r, path, "%s", words);
    return false;
}

static void read_constraint(sweep_reader *r, size_t index, const json_t *json, ty_limit *limits,
                            const ty_expression **expressions) {
    const char *path = make_path(r, "constraints", index, NULL);
    if (json_is_string(json))
        r->file->space.constraint_count += read_expression(
            r, path, json_string_value(json), &expressions[r->file->space.constraint_count]);
    else if (json_is_object(json))
        read_limit(r, path, json, &limits[r->file->limit_count++]);
    else
        SWEEP_REJECT(r, path,
                     "a constraint is neither text nor {\"metric\": NAME, \"max\": NUMBER}");
}

void sweep_read_constraints(sweep_reader *r) {
    size_t i;
    json_t *json;
    const size_t n = json_array_size(r->file->constraints);
    ty_limit *limits = ty_arena_array(&r->file->arena, n ? n : 1, sizeof *limits);
    const ty_expression **expressions =
        ty_arena_array(&r->file->arena, n ? n : 1, sizeof *expressions);
    if (!limits || !expressions) {
        sweep_found(r, ty_fail_nomem(r->ctx, "the constraints of a sweep"));
        return;
    }
    r->file->limits = limits;
    r->file->space.constraints = expressions;
    json_array_foreach(r->file->constraints, i, json)
        read_constraint(r, i, json, limits, expressions);
}
