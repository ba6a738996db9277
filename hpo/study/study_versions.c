/* The spaces that a study was searched in, one after another, and what a trial of an earlier one is in a
 * later one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/space/space_json.h"
#include "hpo/study/study_private.h"

/* --- identities --------------------------------------------------------------------------------- */

/* "config 0123, {...}": the object; NULL where it is none. The caller's to decref. */
static json_t *object_of(const char *identity) {
    const char *brace = strchr(identity, '{');
    json_t *json = brace ? json_loads(brace, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static const char *const space_members[] = {"params", "fixed", "constraints", NULL};

/* By what results are measured and held to: while there is none it decides nothing. */
static const char *const measure_members[] = {"metric.name", "metric.goal", "metric.value",
                                              "limits", NULL};

static void forget(json_t *identity, const char *const *members) {
    for (size_t i = 0; members[i]; i++)
        (void)json_object_del(identity, members[i]);
}

/* A member that the two have not in common; NULL: they have all. */
static const char *differing_member(json_t *a, json_t *b) {
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value)
        if (!json_equal(value, json_object_get(b, key)))
            return key;
    json_object_foreach(b, key, value)
        if (!json_object_get(a, key))
            return key;
    return NULL;
}

static const char *show(ty_arena *arena, const json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const char *kept = ty_arena_string(arena, text ? text : "nothing");
    free(text);
    return kept ? kept : "?";
}

static ty_status refuse(ty_ctx *ctx, const char *key, const json_t *had, const json_t *wanted) {
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "this sweep was begun with another identity: %s was %.80s and is %.80s now; "
                   "want another name for it (--set name=...), or what it was begun with",
                   key, show(&ctx->scratch, had), show(&ctx->scratch, wanted));
}

static ty_status refuse_whole(ty_ctx *ctx, const char *had, const char *wanted) {
    return ty_fail(ctx, TY_ERR_CONFIG,
                   "this sweep was begun with another identity: it was %.80s and is %.80s now; "
                   "want another name for it (--set name=...), or what it was begun with",
                   had, wanted);
}

static ty_status compare_objects(ty_ctx *ctx, json_t *had, json_t *wanted) {
    forget(had, space_members);
    forget(wanted, space_members);
    const char *key = differing_member(had, wanted);
    return key ? refuse(ctx, key, json_object_get(had, key), json_object_get(wanted, key)) : TY_OK;
}

static bool has_same_head(const char *a, const char *b) {
    const size_t n = strcspn(a, "{");
    return n == strcspn(b, "{") && strncmp(a, b, n) == 0;
}

ty_status study_compare_identities(ty_ctx *ctx, const char *had, const char *wanted) {
    if (strcmp(had, wanted) == 0)
        return TY_OK;
    if (!has_same_head(had, wanted)) /* the config that is varied */
        return refuse_whole(ctx, had, wanted);
    json_t *a = object_of(had), *b = object_of(wanted);
    const ty_status st = a && b ? compare_objects(ctx, a, b) : refuse_whole(ctx, had, wanted);
    json_decref(a);
    json_decref(b);
    return st;
}

bool study_measures_otherwise(const char *had, const char *wanted) {
    json_t *a = object_of(had), *b = object_of(wanted);
    bool does = a && b && has_same_head(had, wanted);
    forget(a, space_members);
    forget(b, space_members);
    does = does && !json_equal(a, b);
    forget(a, measure_members);
    forget(b, measure_members);
    does = does && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return does;
}

/* --- versions ----------------------------------------------------------------------------------- */

static void free_version(study_version *v) {
    if (!v)
        return;
    ty_arena_clear(&v->arena);
    json_decref(v->json);
    free(v->identity);
    free(v);
}

void study_free_versions(ty_study *s) {
    for (size_t i = 0; i < s->version_count; i++)
        free_version(s->versions[i]);
    free(s->versions);
    s->versions = NULL;
    s->version_count = 0;
}

/* An identity that says nothing of its space (a study without a sweep file) has the one it is opened
 * with. */
static ty_status read_version(ty_ctx *ctx, const ty_study *s, study_version *v) {
    v->space = *s->options.space;
    v->json = object_of(v->identity);
    if (!json_object_get(v->json, "params"))
        return TY_OK;
    v->seen.fixed = json_object_get(v->json, "fixed");
    if (v->seen.fixed && !json_is_object(v->seen.fixed))
        return ty_fail(ctx, TY_ERR_INTEGRITY, "the sweep's journal has a space without constants");
    return ty_space_from_json(ctx, v->json, &v->arena, &v->space);
}

static ty_status add_version(ty_ctx *ctx, ty_study *s, const char *identity, study_version **out) {
    study_version **grown = reallocarray(s->versions, s->version_count + 1, sizeof *grown);
    if (!grown)
        return ty_fail_nomem(ctx, "the spaces of a sweep");
    s->versions = grown;
    study_version *v = calloc(1, sizeof *v);
    if (v)
        v->identity = strdup(identity);
    ty_status st =
        v && v->identity ? read_version(ctx, s, v) : ty_fail_nomem(ctx, "the spaces of a sweep");
    if (st != TY_OK) {
        free_version(v);
        return st;
    }
    v->seen.number = s->version_count + 1;
    v->seen.space = &v->space;
    v->seen.first_trial = s->count;
    s->versions[s->version_count++] = v;
    *out = v;
    return TY_OK;
}

static bool has_space_of(const char *a, const char *b) {
    json_t *x = object_of(a), *y = object_of(b);
    bool has = x && y;
    for (size_t i = 0; has && space_members[i]; i++) {
        json_t *of_x = json_object_get(x, space_members[i]);
        json_t *of_y = json_object_get(y, space_members[i]);
        has = of_x == of_y || json_equal(of_x, of_y);
    }
    json_decref(x);
    json_decref(y);
    return has;
}

/* The version is what it was, in a sweep that is measured otherwise. */
static ty_status rename_version(ty_ctx *ctx, study_version *v, const char *identity) {
    char *copy = strdup(identity);
    if (!copy)
        return ty_fail_nomem(ctx, "the spaces of a sweep");
    free(v->identity);
    v->identity = copy;
    return TY_OK;
}

ty_status study_change_space(ty_ctx *ctx, ty_study *s, const char *identity) {
    study_version *v = s->version_count > 0 ? s->versions[s->version_count - 1] : NULL;
    if (v && study_measures_otherwise(v->identity, identity) && has_space_of(v->identity, identity))
        return rename_version(ctx, v, identity);
    TY_TRY(add_version(ctx, s, identity, &v));
    s->version = &v->seen;
    s->space = &v->space;
    ty_sampler_close(s->sampler); /* opened again where it is asked */
    s->sampler = NULL;
    s->combination = 0;
    for (size_t i = 0; i < s->count; i++)
        TY_TRY(study_carry_over(ctx, s, s->trials[i]));
    study_forget_history(s);
    return TY_OK;
}

static bool same_space(const char *a, const char *b) {
    if (strcmp(a, b) == 0)
        return true;
    json_t *x = object_of(a), *y = object_of(b);
    const bool is_same = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return is_same;
}

const char *study_identity(const ty_study *s) {
    return s->versions[s->version_count - 1]->identity;
}

bool study_is_of_space(const ty_study *s, const char *identity) {
    return same_space(study_identity(s), identity);
}

size_t study_count_known(const ty_study *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->trials[i]->seen.is_known;
    return n;
}

/* --- from one space to another ------------------------------------------------------------------ */

/* What was known as `name`; NULL where there was nothing, or it played no part. The caller's to decref. */
static json_t *value_in(const ty_version *version, const double *x, const char *name) {
    json_t *fixed = json_object_get(version->fixed, name);
    const size_t d = ty_space_find(version->space, name);
    if (fixed)
        return json_incref(fixed);
    return d < version->space->count && !isnan(x[d])
               ? ty_param_to_json(&version->space->params[d], x[d])
               : NULL;
}

/* Sets x[d]; false where it has to have a value and none is known. */
static bool carry_param(const ty_version *from, const double *asked, const ty_version *to, size_t d,
                        double *x) {
    const ty_param *p = &to->space->params[d];
    x[d] = NAN;
    if (!ty_space_is_active(to->space, x, d))
        return true;
    json_t *value = value_in(from, asked, p->name);
    bool is_known = value ? ty_param_from_json(p, value, &x[d]) && !isnan(x[d]) : p->has_fallback;
    if (!value && p->has_fallback)
        x[d] = p->fallback;
    if (!is_known)
        x[d] = NAN;
    json_decref(value);
    return is_known;
}

static bool has_constants(const ty_version *from, const double *asked, const ty_version *to) {
    const char *name;
    json_t *wanted;
    bool has = true;
    json_object_foreach((json_t *)(uintptr_t)to->fixed, name, wanted) {
        json_t *had = value_in(from, asked, name);
        has = has && had && ty_json_same_value(had, wanted);
        json_decref(had);
    }
    return has;
}

bool study_carry(const ty_version *from, const double *asked, const ty_version *to, double *x) {
    bool is_known = true;
    for (size_t d = 0; d < to->space->count; d++)
        is_known &= carry_param(from, asked, to, d, x);
    return is_known && has_constants(from, asked, to) && ty_space_allows(to->space, x);
}

ty_status study_carry_over(ty_ctx *ctx, ty_study *s, trial_memory *t) {
    const size_t dims = s->space->count;
    double *x = reallocarray(t->x, dims + 1, sizeof *x);
    if (!x)
        return ty_fail_nomem(ctx, "the trials of a sweep");
    t->seen.x = t->x = x;
    t->seen.is_known = true;
    if (t->seen.version == s->version)
        memcpy(x, t->asked, dims * sizeof *x);
    else
        t->seen.is_known = study_carry(t->seen.version, t->asked, s->version, x);
    return TY_OK;
}

json_t *ty_trial_params(const ty_trial *t) {
    json_t *all = json_object(), *value;
    const char *name;
    int failed = all == NULL;
    json_object_foreach((json_t *)(uintptr_t)t->version->fixed, name, value)
        failed |= json_object_set_new(all, name, json_deep_copy(value));
    for (size_t d = 0; d < t->version->space->count; d++)
        if (!isnan(t->asked[d]))
            failed |=
                json_object_set_new(all, t->version->space->params[d].name,
                                    ty_param_to_json(&t->version->space->params[d], t->asked[d]));
    if (!failed)
        return all;
    json_decref(all);
    return NULL;
}
