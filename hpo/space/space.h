/* What a sweep searches: parameters, what of them depends on what, and what is ruled out.
 *
 * A trial's point is one double a parameter: a number's value (whole for an integer), the index of
 * a categorical's choice, NAN where the parameter plays no part in this trial (its conditions do not
 * hold). Numeric parameters have a model scale z in which their prior is flat: z = v (uniform),
 * ln v (log-uniform), or the prior's own CDF (normal, log-normal, beta). Samplers work in z, or in
 * u = (z - z_low) / (z_high - z_low), and need to know nothing else of a distribution. */
#ifndef TY_HPO_SPACE_SPACE_H
#define TY_HPO_SPACE_SPACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_SPACE_MAX_PARAMS = 256, TY_SPACE_MAX_CHOICES = 10000 };

typedef enum ty_prior {
    TY_PRIOR_CHOICE,     /* categorical: low = 0, high = choice_count - 1 */
    TY_PRIOR_UNIFORM,    /* flat in v */
    TY_PRIOR_LOG,        /* flat in ln v; 0 < low */
    TY_PRIOR_NORMAL,     /* mu, sigma */
    TY_PRIOR_LOG_NORMAL, /* ln v is normal with mu, sigma */
    TY_PRIOR_BETA        /* a, b > 0 on [0, 1] */
} ty_prior;

/* A parameter plays its part only where an earlier one does and has one of these values. */
typedef struct ty_clause {
    size_t parent; /* index of the earlier parameter */
    const double *accepted;
    size_t accepted_count;
} ty_clause;

typedef struct ty_param {
    const char *name; /* dotted: "optimizer.learning_rate" */
    ty_prior prior;
    bool is_int; /* values are whole, |v| <= 2^53 */
    double low,
        high;    /* least and greatest value; infinite ends only for (log-)normal without step */
    double step; /* > 0: values are low + k step; 0: all in between */
    /* The continuous range that is rounded to the lattice, in v; low and high where step is 0. */
    double from, to;
    double mu, sigma, a, b;
    const json_t *choices; /* an array, as written; NULL for numbers */
    size_t choice_count;
    const double *probabilities; /* of the choices, sum 1; NULL: all alike */
    const ty_clause *clauses;    /* all must hold */
    size_t clause_count;
    /* What trials had that were asked for when there was no such parameter, where that is known. */
    double fallback;
    bool has_fallback;
    double z_low, z_high; /* set by ty_space_seal */
} ty_param;

typedef struct ty_expression ty_expression; /* see expression.h */

/* Everything pointed to is the owner's (an arena's), and lives as long as the space is used. */
typedef struct ty_space {
    ty_param *params; /* parents before their children */
    size_t count;
    const ty_expression *const *constraints; /* each must hold */
    size_t constraint_count;
} ty_space;

/* Checks the parameters and sets what follows from them (from, to, z_low, z_high). A lattice (step >
 * 0) without from and to (both 0) gets half a step on either side.
 * Errors: TY_ERR_CONFIG naming the parameter: a range that is empty, or too narrow or wide for its
 * scale, a logarithm of what is not positive, a step that does not divide the range, probabilities that
 * do not add up to 1, no choice. */
ty_status ty_space_seal(ty_ctx *ctx, ty_space *space) TY_MUST_USE;

/* Index of the parameter of this name; space->count where there is none. */
size_t ty_space_find(const ty_space *space, const char *name);

/* --- one numeric parameter ---------------------------------------------------------------------- */

bool ty_param_is_numeric(const ty_param *p);

/* v on the model scale, and back: clamped to the range, rounded to the lattice, and finite. */
double ty_param_z(const ty_param *p, double v);
double ty_param_value(const ty_param *p, double z);

/* The value nearest to v: within the range, on the lattice, with the bits that it has everywhere. */
double ty_param_nearest(const ty_param *p, double v);

/* The cell of z that is rounded to v on a lattice (clipped to [z_low, z_high]); both ends are z
 * itself where step is 0. */
void ty_param_cell(const ty_param *p, double v, double *low, double *high);

/* Number of values on a lattice or among choices; 0 where there is no end of them. */
size_t ty_param_cardinality(const ty_param *p);

/* --- any parameter ------------------------------------------------------------------------------ */

/* The value at quantile u in [0, 1) of the prior: numbers by their scale, choices by probability. */
double ty_param_quantile(const ty_param *p, double u);

/* Whether v is one of its values; what arithmetic does to those of a lattice of fractions is forgiven. */
bool ty_param_accepts(const ty_param *p, double v);

bool ty_clause_accepts(const ty_clause *clause, double v);

/* Whether parameter `index` plays a part, given those before it in x. */
bool ty_space_is_active(const ty_space *space, const double *x, size_t index);

/* Sets what plays no part to NAN, in order. */
void ty_space_settle(const ty_space *space, double *x);

/* Whether all constraints over parameters hold; one with an inactive parameter in it holds. */
bool ty_space_allows(const ty_space *space, const double *x);

/* The JSON value of parameter `index`: a choice as written (borrowed and counted up), an integer, a
 * number, or null where it plays no part. NULL when memory is out. The caller's to decref. */
json_t *ty_param_to_json(const ty_param *p, double v);

/* The other way; false where it is no legal value of p. Numbers off the lattice are refused. */
bool ty_param_from_json(const ty_param *p, const json_t *json, double *out);

#ifdef __cplusplus
}
#endif
#endif
