/* What a sweep is, as canonical JSON: two files with the same one may go on with each other's journal.
 * In it is what decides over points, values and verdicts; not what it is called, runs on, or when it
 * ends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/expression.h"
#include "hpo/sweep_private.h"

static void add_tree(ty_text *out, const json_t *json) {
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

/* --- the space ---------------------------------------------------------------------------------- */

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
    static const char *const priors[] = {"choice", "uniform",    "log",
                                         "normal", "log_normal", "beta"};
    ty_text_addf(out, "{\"name\":\"%s\",\"prior\":\"%s\"", p->name, priors[p->prior]);
    if (ty_param_is_numeric(p)) {
        add_range(out, p);
    } else {
        ty_text_add(out, ",\"choices\":");
        add_tree(out, p->choices);
    }
    if (p->probabilities)
        add_numbers(out, "probabilities", p->probabilities, p->choice_count);
    for (size_t i = 0; i < p->clause_count; i++) {
        ty_text_addf(out, "%s{\"parent\":%zu", i ? "," : ",\"when\":[", p->clauses[i].parent);
        add_numbers(out, "accepted", p->clauses[i].accepted, p->clauses[i].accepted_count);
        ty_text_add(out, i + 1 < p->clause_count ? "}" : "}]");
    }
    ty_text_add(out, "}");
}

static void add_space(ty_text *out, const ty_sweep_file *file) {
    ty_text_add(out, "\"params\":[");
    for (size_t d = 0; d < file->space.count; d++) {
        ty_text_add(out, d ? "," : "");
        add_param(out, &file->space.params[d]);
    }
    ty_text_add(out, "],\"fixed\":{");
    for (size_t i = 0; i < file->fixed_count; i++) {
        ty_text_addf(out, "%s\"%s\":", i ? "," : "", file->fixed[i].name);
        add_tree(out, file->fixed[i].value);
    }
    ty_text_add(out, "},\"constraints\":[");
    for (size_t i = 0; i < file->space.constraint_count; i++) {
        ty_text_add(out, i ? "," : "");
        ty_text_add_json(out, ty_expression_text(file->space.constraints[i]));
    }
    ty_text_add(out, "],\"limits\":[");
    for (size_t i = 0; i < file->limit_count; i++) {
        ty_text_add(out, i ? ",{\"metric\":" : "{\"metric\":");
        ty_text_add_json(out, file->limits[i].metric);
        add_member(out, "min", file->limits[i].min);
        add_member(out, "max", file->limits[i].max);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]");
}

/* --- what decides ------------------------------------------------------------------------------- */

/* Keys that the rows know; by name, so that a new row of the file leaves older identities alone. */
static bool is_decisive(const char *path) {
    static const char *const whole[] = {"metric.name", "metric.goal", "metric.value", "resource"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(path, whole[i]) == 0)
            return true;
    return strncmp(path, "sampler.", 8) == 0 || strncmp(path, "pruner.", 7) == 0 ||
           strncmp(path, "early_terminate.", 16) == 0;
}

static ty_status add_key(void *self, const ty_resolved *key) {
    ty_text *out = self;
    if (!is_decisive(key->path))
        return TY_OK;
    json_t *value = json_loads(key->json, JSON_DECODE_ANY, NULL);
    ty_text_add(out, ",");
    ty_text_add_json(out, key->path);
    ty_text_add(out, ":");
    if (json_is_number(value)) /* 1e-3 is 0.001, 3.0 is 3 */
        ty_text_add_number(out, json_number_value(value));
    else
        add_tree(out, value);
    json_decref(value);
    return TY_OK;
}

ty_status sweep_make_identity(ty_ctx *ctx, ty_sweep_file *file) {
    ty_text text = {0};
    ty_text_add(&text, "{");
    add_space(&text, file);
    const ty_status st = ty_rows_walk(ctx, &ty_sweep_rows, file->doc, add_key, &text);
    ty_text_add(&text, "}");
    file->identity = text.is_short ? NULL : ty_arena_string(&file->arena, ty_text_string(&text));
    ty_text_clear(&text);
    return st == TY_OK && !file->identity ? ty_fail_nomem(ctx, "a sweep's identity") : st;
}
