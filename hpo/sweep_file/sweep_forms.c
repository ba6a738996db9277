/* What one parameter may look like: W&B's distributions, and ours, `step`, `log` and `default`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/sweep_file/sweep_private.h"

#define KEYS(X)                                                                                    \
    X(distribution)                                                                                \
    X(value)                                                                                       \
    X(values) X(probabilities) X(min) X(max) X(q) X(mu) X(sigma) X(a) X(b) X(step) X(log) X(default)

#define KEY_OF(name) KEY_##name,
#define NAME_OF(name) #name,
enum { KEYS(KEY_OF) KEY_COUNT };
static const char *const key_names[] = {KEYS(NAME_OF) NULL};
#define BIT(name) (1u << KEY_##name)

typedef enum bounds {
    BOUNDS_NONE,      /* no numbers */
    BOUNDS_VALUES,    /* min, max */
    BOUNDS_EXPONENTS, /* e^min, e^max */
    BOUNDS_INVERSE,   /* e^-max, e^-min */
    BOUNDS_PRIOR      /* the prior's own */
} bounds;

typedef struct form {
    const char *name;
    unsigned needs, may; /* keys, besides `distribution` */
    ty_prior prior;
    bounds bounds;
    bool is_int;
} form;

#define RANGE (BIT(min) | BIT(max))
#define BELL (BIT(mu) | BIT(sigma))

/* Quantised forms have a q. W&B's inverse ones run through the same law from the other end. */
static const form forms[] = {
    {"constant", BIT(value), 0, TY_PRIOR_CHOICE, BOUNDS_NONE, false},
    {"categorical", BIT(values), 0, TY_PRIOR_CHOICE, BOUNDS_NONE, false},
    {"categorical_w_probabilities", BIT(values) | BIT(probabilities), 0, TY_PRIOR_CHOICE,
     BOUNDS_NONE, false},
    {"int_uniform", RANGE, BIT(step) | BIT(log), TY_PRIOR_UNIFORM, BOUNDS_VALUES, true},
    {"uniform", RANGE, BIT(step) | BIT(log), TY_PRIOR_UNIFORM, BOUNDS_VALUES, false},
    {"q_uniform", RANGE, BIT(q), TY_PRIOR_UNIFORM, BOUNDS_VALUES, false},
    {"log_uniform_values", RANGE, BIT(step), TY_PRIOR_LOG, BOUNDS_VALUES, false},
    {"inv_log_uniform_values", RANGE, 0, TY_PRIOR_LOG, BOUNDS_VALUES, false},
    {"q_log_uniform_values", RANGE, BIT(q), TY_PRIOR_LOG, BOUNDS_VALUES, false},
    {"log_uniform", RANGE, 0, TY_PRIOR_LOG, BOUNDS_EXPONENTS, false},
    {"inv_log_uniform", RANGE, 0, TY_PRIOR_LOG, BOUNDS_INVERSE, false},
    {"q_log_uniform", RANGE, BIT(q), TY_PRIOR_LOG, BOUNDS_EXPONENTS, false},
    {"normal", 0, BELL, TY_PRIOR_NORMAL, BOUNDS_PRIOR, false},
    {"q_normal", 0, BELL | BIT(q), TY_PRIOR_NORMAL, BOUNDS_PRIOR, false},
    {"log_normal", 0, BELL, TY_PRIOR_LOG_NORMAL, BOUNDS_PRIOR, false},
    {"q_log_normal", 0, BELL | BIT(q), TY_PRIOR_LOG_NORMAL, BOUNDS_PRIOR, false},
    {"beta", 0, BIT(a) | BIT(b), TY_PRIOR_BETA, BOUNDS_PRIOR, false},
    {"q_beta", 0, BIT(a) | BIT(b) | BIT(q), TY_PRIOR_BETA, BOUNDS_PRIOR, false},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

/* One parameter that is being read. */
typedef struct reading {
    sweep_reader *r;
    const sweep_entry *entry;
    const form *form;
    ty_param *p;
    bool is_wrong;
} reading;

/* Of one of the parameter's keys, or, with key NULL, of the parameter. */
static const char *path_of(const reading *x, const char *key) {
    const char *path =
        !key ? NULL : ty_arena_printf(&x->r->file->arena, "%s.%s", x->entry->path, key);
    return path ? path : x->entry->path;
}

/* WRONG(reading, key, format, ...): a finding there. */
#define WRONG(x, key, ...)                                                                         \
    do {                                                                                           \
        (x)->is_wrong = true;                                                                      \
        SWEEP_REJECT((x)->r, path_of((x), (key)), __VA_ARGS__);                                    \
    } while (0)

const char *sweep_show(const json_t *json, char out[SWEEP_SHOWN_BYTES]) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    const bool is_long = text && strlen(text) >= SWEEP_SHOWN_BYTES;
    (void)snprintf(out, SWEEP_SHOWN_BYTES, "%.*s%s", SWEEP_SHOWN_BYTES - 4, text ? text : "",
                   is_long ? "..." : "");
    free(text);
    return out;
}

/* --- which form --------------------------------------------------------------------------------- */

static const json_t *member(const reading *x, int key) {
    return json_object_get(x->entry->json, key_names[key]);
}

static const form *form_named(const char *name) {
    for (size_t i = 0; i < FORM_COUNT; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

/* Without `distribution`: by the keys that are there, as W&B's schema tells its forms apart. */
static const char *implied(const reading *x) {
    if (member(x, KEY_value))
        return "constant";
    if (member(x, KEY_values))
        return member(x, KEY_probabilities) ? "categorical_w_probabilities" : "categorical";
    if (!member(x, KEY_min) && !member(x, KEY_max))
        return NULL;
    return json_is_integer(member(x, KEY_min)) && json_is_integer(member(x, KEY_max))
               ? "int_uniform"
               : "uniform";
}

static void reject_form(reading *x, const json_t *written) {
    char shown[SWEEP_SHOWN_BYTES];
    const char *nearest = NULL;
    int best = INT32_MAX;
    for (size_t i = 0; json_is_string(written) && i < FORM_COUNT; i++)
        if (ty_rows_is_nearer(json_string_value(written), forms[i].name, &best))
            nearest = forms[i].name;
    WRONG(x, "distribution", "%s: there is no distribution %s%s%s%s", x->entry->name,
          sweep_show(written, shown), nearest ? "\ndid you mean \"" : "", nearest ? nearest : "",
          nearest ? "\"?" : "");
}

static bool choose_form(reading *x) {
    const json_t *written = member(x, KEY_distribution);
    const char *name = written ? json_string_value(written) : implied(x);
    x->form = name ? form_named(name) : NULL;
    if (!x->form && written)
        reject_form(x, written);
    else if (!x->form)
        WRONG(
            x, NULL,
            "%s says nothing of its values, want \"value\", \"values\", \"min\" and \"max\", or a "
            "\"distribution\"",
            x->entry->name);
    return x->form != NULL;
}

static int key_named(const char *name) {
    int key = 0;
    while (key < KEY_COUNT && strcmp(key_names[key], name) != 0)
        key++;
    return key;
}

static void reject_key(reading *x, const char *written) {
    if (key_named(written) < KEY_COUNT) {
        WRONG(x, written, "%s: \"%s\" does not belong to %s%s", x->entry->name, written,
              x->form->name,
              strcmp(written, "q") == 0 ? "\nwrite \"step\", or a \"distribution\" whose name "
                                          "begins with q_"
                                        : "");
        return;
    }
    const char *nearest = NULL;
    int best = INT32_MAX;
    for (int i = 0; i < KEY_COUNT; i++)
        if (ty_rows_is_nearer(written, key_names[i], &best))
            nearest = key_names[i];
    WRONG(x, written, "%s: unknown key \"%.64s\"%s%s%s", x->entry->name, written,
          nearest ? "\ndid you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static void check_keys(reading *x) {
    const char *key;
    json_t *value;
    const bool is_constant = x->form->needs == BIT(value);
    const unsigned known =
        x->form->needs | x->form->may | BIT(distribution) | (is_constant ? 0 : BIT(default));
    json_object_foreach((json_t *)(uintptr_t)x->entry->json, key, value) {
        const int index = key_named(key);
        if (index == KEY_COUNT || !(known & 1u << index))
            reject_key(x, key);
    }
    for (int i = 0; i < KEY_COUNT; i++)
        if (x->form->needs & 1u << i && !member(x, i))
            WRONG(x, NULL, "%s: \"%s\" is missing, which %s wants", x->entry->name, key_names[i],
                  x->form->name);
}

/* --- values ------------------------------------------------------------------------------------- */

/* The number of a key; fallback where it is not written. */
static double number(reading *x, int key, double fallback) {
    char shown[SWEEP_SHOWN_BYTES];
    const json_t *json = member(x, key);
    if (json && !json_is_number(json))
        WRONG(x, key_names[key], "%s: \"%s\" is %s, want a number", x->entry->name, key_names[key],
              sweep_show(json, shown));
    return json_is_number(json) ? json_number_value(json) : fallback;
}

static double positive(reading *x, int key, double fallback) {
    const double v = number(x, key, fallback);
    if (!(v > 0))
        WRONG(x, key_names[key], "%s: \"%s\" is %g, want > 0", x->entry->name, key_names[key], v);
    return v;
}

/* JSON has no integer that is written 1.0, but for us it is one: rows take 1e6, too. */
static void check_whole(reading *x, int key) {
    const json_t *json = member(x, key);
    if (json_is_number(json) && json_number_value(json) != floor(json_number_value(json)))
        WRONG(x, key_names[key], "%s: \"%s\" is %g, want an integer", x->entry->name,
              key_names[key], json_number_value(json));
}

static void read_choices(reading *x) {
    const json_t *values = member(x, KEY_values);
    char shown[SWEEP_SHOWN_BYTES];
    if (!json_is_array(values) || json_array_size(values) == 0)
        WRONG(x, "values", "%s: \"values\" is %s, want a list of one value at least",
              x->entry->name, sweep_show(values, shown));
    x->p->choices = values;
    x->p->choice_count = json_array_size(values);
}

static void read_probabilities(reading *x) {
    const json_t *list = member(x, KEY_probabilities);
    const size_t n = json_array_size(list);
    if (!list)
        return;
    double *v = ty_arena_array(&x->r->file->arena, n ? n : 1, sizeof *v);
    if (!v) {
        sweep_found(x->r, ty_fail_nomem(x->r->ctx, "the parameters of a sweep"));
        return;
    }
    if (!json_is_array(list) || n != x->p->choice_count)
        WRONG(x, "probabilities", "%s: %zu probabilities for %zu values", x->entry->name, n,
              x->p->choice_count);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        v[i] = json_is_number(item) ? json_number_value(item) : -1;
        if (!(v[i] >= 0)) {
            WRONG(x, "probabilities", "%s: probability %zu is no number >= 0", x->entry->name, i);
            return;
        }
    }
    x->p->probabilities = v;
}

/* --- numbers ------------------------------------------------------------------------------------ */

/* What q rounds to: multiples of it, those that some value of the range is nearest to. */
static void quantise(reading *x) {
    ty_param *p = x->p;
    const double q = positive(x, KEY_q, 1);
    if (!(q > 0))
        return;
    p->step = q;
    p->is_int = json_is_integer(member(x, KEY_q));
    p->from = p->low;
    p->to = p->high;
    const double farthest = 0x1p53 * (p->is_int ? 1 : q);
    p->low = isfinite(p->low) ? floor(p->low / q + 0.5) * q : -farthest;
    p->high = isfinite(p->high) ? ceil(p->high / q - 0.5) * q : farthest;
    if (p->high < p->low) /* less than nothing is nearest to one point */
        p->high = p->low;
}

static void warn_of_exponents(const reading *x, double min) {
    const ty_log_level level = min > 0 && min < 1 ? TY_LOG_WARN : TY_LOG_INFO;
    ty_log(x->r->ctx, level, "sweep",
           "%s: min and max of %s are exponents of e, so that it is %.4g to %.4g; "
           "log_uniform_values takes the values themselves",
           x->entry->name, x->form->name, x->p->low, x->p->high);
}

static void read_range(reading *x) {
    const double min = number(x, KEY_min, NAN), max = number(x, KEY_max, NAN);
    const bool is_inverse = x->form->bounds == BOUNDS_INVERSE;
    x->p->low = min;
    x->p->high = max;
    if (x->is_wrong)
        return;
    if (!(min < max))
        WRONG(x, "max", "%s: \"max\" is %g and \"min\" is %g, want more%s", x->entry->name, max,
              min, min == max ? "\none value alone is written as \"value\"" : "");
    if (!isfinite(max - min))
        WRONG(x, "max", "%s: the range %g to %g is too wide", x->entry->name, min, max);
    if (x->form->bounds == BOUNDS_VALUES)
        return;
    x->p->low = ty_exact_exp(is_inverse ? -max : min);
    x->p->high = ty_exact_exp(is_inverse ? -min : max);
    if (!isfinite(x->p->high) || !(x->p->low > 0))
        WRONG(x, "max",
              "%s: e^%g to e^%g is no range of numbers\n%s takes exponents; "
              "log_uniform_values takes the values themselves",
              x->entry->name, min, max, x->form->name);
    else
        warn_of_exponents(x, min);
}

/* Ours: a lattice of low + k step, and a logarithmic scale. */
static void read_step_and_log(reading *x) {
    const json_t *log = member(x, KEY_log);
    if (log && !json_is_boolean(log))
        WRONG(x, "log", "%s: \"log\" is no true or false", x->entry->name);
    if (json_is_true(log))
        x->p->prior = TY_PRIOR_LOG;
    if (member(x, KEY_step))
        x->p->step = positive(x, KEY_step, 0);
    x->p->is_int = x->form->is_int;
    if (!x->p->is_int)
        return;
    check_whole(x, KEY_min);
    check_whole(x, KEY_max);
    check_whole(x, KEY_step);
}

/* A bell without width is one value. */
static void read_bell(reading *x) {
    x->p->mu = number(x, KEY_mu, 0);
    x->p->sigma = number(x, KEY_sigma, 1);
    if (!(x->p->sigma > 0))
        WRONG(x, "sigma", "%s: \"sigma\" is %g, want > 0\none value alone is written as \"value\"",
              x->entry->name, x->p->sigma);
    x->p->low = x->form->prior == TY_PRIOR_NORMAL ? -INFINITY : 0;
    x->p->high = INFINITY;
}

static void read_beta(reading *x) {
    x->p->a = positive(x, KEY_a, 1);
    x->p->b = positive(x, KEY_b, 1);
    x->p->low = 0;
    x->p->high = 1;
}

static void read_numbers(reading *x) {
    x->p->prior = x->form->prior;
    if (x->form->bounds != BOUNDS_PRIOR)
        read_range(x);
    else if (x->form->prior == TY_PRIOR_BETA)
        read_beta(x);
    else
        read_bell(x);
    if (x->form->may & BIT(q))
        quantise(x);
    else
        read_step_and_log(x);
}

/* What earlier trials count as having had, where the parameter is a new one. */
static void read_default(reading *x) {
    const json_t *json = member(x, KEY_default);
    char shown[SWEEP_SHOWN_BYTES];
    if (!json)
        return;
    x->p->has_fallback = !json_is_null(json) && ty_param_from_json(x->p, json, &x->p->fallback);
    if (!x->p->has_fallback)
        WRONG(x, "default", "%s: \"default\" is %s, which is none of its values", x->entry->name,
              sweep_show(json, shown));
}

/* What the space itself has against it, said of this parameter's place. */
static void seal(reading *x) {
    const ty_space alone = {.params = x->p, .count = 1};
    ty_space space = alone;
    char words[512]; /* of the parameter's name and one clause */
    if (ty_space_seal(x->r->ctx, &space) == TY_OK)
        return;
    (void)snprintf(words, sizeof words, "%.500s", x->r->ctx->message);
    WRONG(x, NULL, "%s", words);
}

void sweep_read_form(sweep_reader *r, const sweep_entry *entry, ty_param *param, ty_fixed *fixed,
                     bool *is_fixed) {
    reading x = {.r = r, .entry = entry, .p = param};
    *param = (ty_param){.name = entry->name};
    *is_fixed = false;
    if (!choose_form(&x))
        return;
    check_keys(&x);
    if (x.is_wrong)
        return;
    *is_fixed = x.form->needs == BIT(value);
    *fixed = (ty_fixed){.name = entry->name, .value = member(&x, KEY_value), .path = entry->path};
    if (*is_fixed)
        return;
    if (x.form->bounds == BOUNDS_NONE) {
        read_choices(&x);
        read_probabilities(&x);
    } else {
        read_numbers(&x);
    }
    if (!x.is_wrong)
        seal(&x);
    if (!x.is_wrong)
        read_default(&x);
}
