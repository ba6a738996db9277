/* Between a space's points and a Gaussian process's. */
#include <math.h>

#include "hpo/samplers/gp_search.h"

static void append(ty_gp_columns *c, bool numbers) {
    for (size_t d = 0; d < c->space->count; d++) {
        const ty_param *p = &c->space->params[d];
        if (ty_param_is_numeric(p) == numbers && ty_param_cardinality(p) != 1)
            c->param[c->dims++] = d;
    }
}

void ty_gp_columns_init(ty_gp_columns *c, const ty_space *space) {
    *c = (ty_gp_columns){.space = space};
    append(c, true);
    c->n_numbers = c->dims;
    append(c, false);
}

void ty_gp_encode(const ty_gp_columns *c, const double *x, double *point) {
    for (size_t d = 0; d < c->dims; d++) {
        const ty_param *p = &c->space->params[c->param[d]];
        const double v = x[c->param[d]];
        if (d >= c->n_numbers)
            point[d] = isnan(v) ? -1 : v;
        else
            point[d] = isnan(v) ? 0.5 : (ty_param_z(p, v) - p->z_low) / (p->z_high - p->z_low);
    }
}
