#include "hpo/space/space.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "hpo/exact/exact.h"
#include "hpo/space/expression.h"

/* --- sealing: what follows from a parameter, and what cannot be --------------------------------- */

static ty_status reject(ty_ctx *ctx, const ty_param *p, const char *why) {
    return ty_fail(ctx, TY_ERR_CONFIG, "%s: %s", p->name, why);
}

static ty_status check_choices(ty_ctx *ctx, const ty_param *p) {
    if (p->choice_count == 0)
        return reject(ctx, p, "no choice, want one at least");
    if (p->choice_count > TY_SPACE_MAX_CHOICES)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: %zu choices, want <= %d", p->name, p->choice_count,
                       TY_SPACE_MAX_CHOICES);
    double sum = 0;
    for (size_t i = 0; p->probabilities && i < p->choice_count; i++) {
        if (!(p->probabilities[i] >= 0))
            return reject(ctx, p, "a probability below 0");
        sum += p->probabilities[i];
    }
    if (p->probabilities && fabs(sum - 1) > 1e-6)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: the probabilities add up to %g, want 1", p->name,
                       sum);
    return TY_OK;
}

static bool has_ends(const ty_param *p) {
    return p->prior == TY_PRIOR_UNIFORM || p->prior == TY_PRIOR_LOG || p->prior == TY_PRIOR_BETA;
}

/* Where a logarithm begins: what is rounded to 0 need not be 0. */
static double least_continuous(const ty_param *p) {
    return p->from != 0 || p->to != 0 ? p->from : p->low;
}

static ty_status check_range(ty_ctx *ctx, const ty_param *p) {
    if (has_ends(p) && !(isfinite(p->low) && isfinite(p->high)))
        return reject(ctx, p, "an infinite range");
    if (!(p->low <= p->high))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: the range %g to %g is empty", p->name, p->low,
                       p->high);
    if (p->prior == TY_PRIOR_LOG && !(least_continuous(p) > 0))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: a logarithm over %g, want > 0", p->name,
                       least_continuous(p));
    if (p->is_int && (fabs(p->low) > 0x1p53 || fabs(p->high) > 0x1p53))
        return reject(ctx, p, "whole numbers beyond 2^53");
    if ((p->prior == TY_PRIOR_NORMAL || p->prior == TY_PRIOR_LOG_NORMAL) && !(p->sigma > 0))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: sigma is %g, want > 0", p->name, p->sigma);
    if (p->prior == TY_PRIOR_BETA && !(p->a > 0 && p->b > 0))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: a is %g and b is %g, want both > 0", p->name, p->a,
                       p->b);
    return TY_OK;
}

static ty_status check_step(ty_ctx *ctx, const ty_param *p) {
    if (!(p->step >= 0) || !isfinite(p->step))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: step is %g, want > 0", p->name, p->step);
    if (p->step == 0 || !has_ends(p))
        return TY_OK;
    const double steps = (p->high - p->low) / p->step;
    if (steps > 0x1p53)
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: %g to %g has more than 2^53 steps of %g", p->name,
                       p->low, p->high, p->step);
    if (fabs(steps - floor(steps + 0.5)) > 1e-8 * (1 + steps))
        return ty_fail(ctx, TY_ERR_CONFIG, "%s: step %g does not divide %g to %g", p->name, p->step,
                       p->low, p->high);
    return TY_OK;
}

/* v on the flat scale, without rounding or clamping. */
static double scale(const ty_param *p, double v) {
    switch (p->prior) {
    case TY_PRIOR_LOG:
        return ty_exact_log(v);
    case TY_PRIOR_NORMAL:
        return ty_exact_ndtr((v - p->mu) / p->sigma);
    case TY_PRIOR_LOG_NORMAL:
        return v > 0 ? ty_exact_ndtr((ty_exact_log(v) - p->mu) / p->sigma) : 0;
    case TY_PRIOR_BETA:
        return ty_exact_betainc(p->a, p->b, fmin(fmax(v, 0), 1));
    default:
        return v;
    }
}

static double unscale(const ty_param *p, double z) {
    switch (p->prior) {
    case TY_PRIOR_LOG:
        return ty_exact_exp(z);
    case TY_PRIOR_NORMAL:
        return p->mu + p->sigma * ty_exact_ndtri(z);
    case TY_PRIOR_LOG_NORMAL:
        return ty_exact_exp(p->mu + p->sigma * ty_exact_ndtri(z));
    case TY_PRIOR_BETA:
        return ty_exact_betainc_inv(p->a, p->b, z);
    default:
        return z;
    }
}

static void set_continuous_range(ty_param *p) {
    if (p->from != 0 || p->to != 0)
        return;
    p->from = p->low - p->step / 2;
    p->to = p->high + p->step / 2;
    /* Half a step below the least value may be nothing that has a logarithm. */
    if (p->prior == TY_PRIOR_LOG && p->from <= 0)
        p->from = p->low / 2;
}

/* Doubles next to each other may have one logarithm; and no double is as wide as all of them. */
static ty_status check_scale(ty_ctx *ctx, const ty_param *p) {
    const double width = p->z_high - p->z_low;
    if (ty_param_cardinality(p) == 1 || (width > 0 && isfinite(width)))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_CONFIG, "%s: the range %.17g to %.17g is too %s to be searched",
                   p->name, p->low, p->high, width > 0 ? "wide" : "narrow");
}

static ty_status seal_param(ty_ctx *ctx, ty_param *p) {
    if (!ty_param_is_numeric(p)) {
        p->low = p->z_low = 0;
        p->high = p->z_high = (double)p->choice_count - 1;
        return check_choices(ctx, p);
    }
    if (p->is_int && p->step == 0)
        p->step = 1;
    TY_TRY(check_range(ctx, p));
    TY_TRY(check_step(ctx, p));
    set_continuous_range(p);
    p->z_low = scale(p, p->from);
    p->z_high = scale(p, p->to);
    return check_scale(ctx, p);
}

ty_status ty_space_seal(ty_ctx *ctx, ty_space *space) {
    if (space->count > TY_SPACE_MAX_PARAMS)
        return ty_fail(ctx, TY_ERR_CONFIG, "%zu parameters, want <= %d", space->count,
                       TY_SPACE_MAX_PARAMS);
    for (size_t d = 0; d < space->count; d++)
        TY_TRY(seal_param(ctx, &space->params[d]));
    return TY_OK;
}

size_t ty_space_find(const ty_space *space, const char *name) {
    size_t d = 0;
    while (d < space->count && strcmp(space->params[d].name, name) != 0)
        d++;
    return d;
}

/* --- one parameter ------------------------------------------------------------------------------ */

bool ty_param_is_numeric(const ty_param *p) {
    return p->prior != TY_PRIOR_CHOICE;
}

static double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

/* The lattice counts from its least value, or from 0 where it has none. */
static double origin(const ty_param *p) {
    return has_ends(p) ? p->low : 0;
}

static double on_lattice(const ty_param *p, double v) {
    if (p->step == 0)
        return v;
    const double k = floor((v - origin(p)) / p->step + 0.5);
    return origin(p) + k * p->step;
}

double ty_param_z(const ty_param *p, double v) {
    return clamp(scale(p, v), p->z_low, p->z_high);
}

/* A normal law ends at infinity: the outermost z that ty_draw_open draws stands for its ends. */
static double reachable(const ty_param *p, double z) {
    const double least = 0x1p-53;
    z = clamp(z, p->z_low, p->z_high);
    return has_ends(p) ? z : clamp(z, least, 1 - least);
}

double ty_param_nearest(const ty_param *p, double v) {
    v = clamp(on_lattice(p, v), p->low, p->high);
    return clamp(v, -DBL_MAX, DBL_MAX); /* a log-normal of a great sigma is beyond it */
}

double ty_param_value(const ty_param *p, double z) {
    return ty_param_nearest(p, unscale(p, reachable(p, z)));
}

void ty_param_cell(const ty_param *p, double v, double *low, double *high) {
    *low = *high = ty_param_z(p, v);
    if (p->step == 0)
        return;
    *low = v <= p->low ? p->z_low : ty_param_z(p, v - p->step / 2);
    *high = v >= p->high ? p->z_high : ty_param_z(p, v + p->step / 2);
}

size_t ty_param_cardinality(const ty_param *p) {
    if (!ty_param_is_numeric(p))
        return p->choice_count;
    if (p->step == 0)
        return p->low == p->high;
    if (!has_ends(p))
        return 0;
    return (size_t)floor((p->high - p->low) / p->step + 0.5) + 1;
}

static double choice_at(const ty_param *p, double u) {
    double sum = 0;
    size_t i = 0;
    for (; p->probabilities && i + 1 < p->choice_count; i++) {
        sum += p->probabilities[i];
        if (u < sum)
            break;
    }
    if (!p->probabilities)
        i = (size_t)(u * (double)p->choice_count);
    return (double)(i < p->choice_count ? i : p->choice_count - 1);
}

double ty_param_quantile(const ty_param *p, double u) {
    if (!ty_param_is_numeric(p))
        return choice_at(p, u);
    return ty_param_value(p, p->z_low + u * (p->z_high - p->z_low));
}

bool ty_param_accepts(const ty_param *p, double v) {
    if (!(isfinite(v) && v >= p->low && v <= p->high))
        return false;
    if (!ty_param_is_numeric(p) || p->is_int)
        return floor(v) == v && (p->step <= 1 || on_lattice(p, v) == v);
    return p->step == 0 || fabs(on_lattice(p, v) - v) <= 1e-9 * p->step;
}

/* --- a point ------------------------------------------------------------------------------------ */

bool ty_clause_accepts(const ty_clause *clause, double v) {
    for (size_t i = 0; i < clause->accepted_count; i++)
        if (clause->accepted[i] == v) /* never where v is NAN */
            return true;
    return false;
}

bool ty_space_is_active(const ty_space *space, const double *x, size_t index) {
    const ty_param *p = &space->params[index];
    for (size_t i = 0; i < p->clause_count; i++)
        if (!ty_clause_accepts(&p->clauses[i], x[p->clauses[i].parent]))
            return false;
    return true;
}

void ty_space_settle(const ty_space *space, double *x) {
    for (size_t d = 0; d < space->count; d++)
        if (!ty_space_is_active(space, x, d))
            x[d] = NAN;
}

bool ty_space_allows(const ty_space *space, const double *x) {
    for (size_t i = 0; i < space->constraint_count; i++)
        if (!ty_expression_holds(space->constraints[i], space, x))
            return false;
    return true;
}

/* --- JSON --------------------------------------------------------------------------------------- */

json_t *ty_param_to_json(const ty_param *p, double v) {
    if (isnan(v))
        return json_null();
    if (!ty_param_is_numeric(p))
        return json_deep_copy(json_array_get(p->choices, (size_t)v));
    return p->is_int ? json_integer((json_int_t)v) : json_real(v);
}

static bool choice_from_json(const ty_param *p, const json_t *json, double *out) {
    for (size_t i = 0; i < p->choice_count; i++)
        if (json_equal(json_array_get(p->choices, i), json)) {
            *out = (double)i;
            return true;
        }
    return false;
}

bool ty_param_from_json(const ty_param *p, const json_t *json, double *out) {
    if (json_is_null(json) && p->clause_count > 0) {
        *out = NAN;
        return true;
    }
    if (!ty_param_is_numeric(p))
        return choice_from_json(p, json, out);
    if (!json_is_number(json))
        return false;
    *out = json_number_value(json);
    return ty_param_accepts(p, *out);
}
