/* Parameters as Optuna's distributions. */
#include <math.h>
#include <stdlib.h>

#include "hpo/exact/exact.h"
#include "hpo/optuna/optuna_private.h"

/* How many deviations from the mean a normal prior's range ends where it has no end: no double below 1
 * has a quantile beyond it. */
#define NORMAL_REACH 9.0

void optuna_add_number(ty_text *out, double v) {
    if (isnan(v))
        ty_text_add(out, "NaN");
    else if (isinf(v))
        ty_text_add(out, v > 0 ? "Infinity" : "-Infinity");
    else
        ty_text_add_number(out, v);
}

/* Optuna's choices are none, truth values, numbers and strings; an array or an object is its JSON. */
static void add_choice(ty_text *out, const json_t *choice) {
    char *text = json_dumps(choice, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (!text)
        out->is_short = true;
    else if (json_is_array(choice) || json_is_object(choice))
        ty_text_add_json(out, text);
    else
        ty_text_add(out, text);
    free(text);
}

static void add_choices(ty_text *out, const ty_param *p) {
    ty_text_add(out, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [");
    for (size_t i = 0; i < p->choice_count; i++) {
        ty_text_add(out, i > 0 ? ", " : "");
        add_choice(out, json_array_get(p->choices, i));
    }
    ty_text_add(out, "]}}");
}

static double end_of(const ty_param *p, double end, double sign) {
    if (isfinite(end))
        return end;
    const double z = p->mu + sign * NORMAL_REACH * p->sigma;
    return p->prior == TY_PRIOR_LOG_NORMAL ? ty_exact_exp(z) : z;
}

optuna_range optuna_range_of(const ty_param *p) {
    const bool has_log_prior = p->prior == TY_PRIOR_LOG || p->prior == TY_PRIOR_LOG_NORMAL;
    optuna_range r = {.is_int = p->is_int,
                      .low = end_of(p, p->low, -1),
                      .high = end_of(p, p->high, 1),
                      .step = p->is_int && p->step < 1 ? 1 : p->step};
    if (p->is_int) {
        r.low = ceil(r.low);
        r.high = floor(r.high);
    }
    /* Optuna has no logarithmic lattices: whole numbers keep their step, others their scale. */
    r.is_log = has_log_prior && r.low > 0 && !(p->is_int && r.step > 1);
    if (r.is_log && !p->is_int)
        r.step = 0;
    return r;
}

static void add_range(ty_text *out, const optuna_range *r) {
    ty_text_addf(out, "{\"name\": \"%s\", \"attributes\": {\"step\": ",
                 r->is_int ? "IntDistribution" : "FloatDistribution");
    if (r->is_int)
        ty_text_addf(out, "%.0f, \"low\": %.0f, \"high\": %.0f", r->step, r->low, r->high);
    else {
        if (r->step > 0)
            optuna_add_number(out, r->step);
        else
            ty_text_add(out, "null");
        ty_text_add(out, ", \"low\": ");
        optuna_add_number(out, r->low);
        ty_text_add(out, ", \"high\": ");
        optuna_add_number(out, r->high);
    }
    ty_text_addf(out, ", \"log\": %s}}", r->is_log ? "true" : "false");
}

void ty_optuna_add_distribution(const ty_param *p, ty_text *out) {
    if (!ty_param_is_numeric(p)) {
        add_choices(out, p);
        return;
    }
    const optuna_range range = optuna_range_of(p);
    add_range(out, &range);
}

void ty_optuna_add_distributions(const ty_space *space, const double *x, ty_text *out) {
    const char *separator = "";
    ty_text_add(out, "{");
    for (size_t d = 0; d < space->count; d++) {
        ty_text json = {0};
        if (isnan(x[d]))
            continue;
        ty_optuna_add_distribution(&space->params[d], &json);
        ty_text_add(out, separator);
        ty_text_add_json(out, space->params[d].name);
        ty_text_add(out, ": ");
        ty_text_add_json(out, ty_text_string(&json));
        out->is_short |= json.is_short;
        ty_text_clear(&json);
        separator = ", ";
    }
    ty_text_add(out, "}");
}
