/* Says what a Gaussian process computes, for tests/interop/test_gp.py. Reads
 *
 *   gp NUMBERS DIMS N THETA... (X... Y)...    the points with their values, then 8 points X... to judge
 *   ei N Z...
 *
 * and prints JSON: {"loss", "gradient", "value", "slope"} or {"log_ei", "derivative"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/samplers/gp.h"

static void print_list(const char *name, const double *v, size_t n, const char *end) {
    printf("\"%s\": [", name);
    for (size_t i = 0; i < n; i++)
        printf("%s%.17g", i ? ", " : "", v[i]);
    printf("]%s", end);
}

static bool read_numbers(double *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (scanf("%lf", &to[i]) != 1)
            return false;
    return true;
}

static bool read_points(ty_gp *gp, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double row[33];
        if (!read_numbers(row, gp->dims + 1))
            return false;
        ty_gp_put(gp, i, row);
        gp->y[i] = row[gp->dims];
    }
    gp->n = n;
    return true;
}

static bool judge(ty_ctx *ctx, ty_gp *gp, const double *theta) {
    double gradient[34], at[32 * TY_GP_LANES], value[TY_GP_LANES], slope[32 * TY_GP_LANES];
    double best = gp->y[0];
    for (size_t i = 1; i < gp->n; i++)
        best = gp->y[i] < best ? gp->y[i] : best;
    printf("{\"loss\": %.17g, ", ty_gp_loss(gp, theta, gradient));
    print_list("gradient", gradient, ty_gp_theta_count(gp), ", ");
    ty_gp_acquisition a;
    if (!read_numbers(at, gp->dims * TY_GP_LANES) ||
        ty_gp_acquisition_init(ctx, &a, gp, best, 0, 1, NULL) != TY_OK)
        return false;
    ty_gp_acquire(&a, at, value, slope);
    print_list("value", value, TY_GP_LANES, ", ");
    print_list("slope", slope, gp->n_numbers * TY_GP_LANES, "}\n");
    ty_gp_acquisition_clear(&a);
    return true;
}

static bool answer_gp(void) {
    size_t numbers, dims, n;
    double theta[34];
    bool has_grown;
    if (scanf("%zu %zu %zu", &numbers, &dims, &n) != 3 || dims > 32 || numbers > dims || n == 0 ||
        !read_numbers(theta, dims + TY_GP_EXTRA))
        return false;
    ty_ctx ctx;
    ty_gp gp;
    ty_ctx_init(&ctx);
    ty_gp_init(&gp, numbers, dims);
    const bool is_done = ty_gp_reserve(&ctx, &gp, n, &has_grown) == TY_OK && read_points(&gp, n) &&
                         judge(&ctx, &gp, theta);
    ty_gp_clear(&gp);
    ty_ctx_clear(&ctx);
    return is_done;
}

static bool answer_ei(void) {
    size_t n;
    double z[256], derivative[256];
    if (scanf("%zu", &n) != 1 || n > 256 || !read_numbers(z, n))
        return false;
    for (size_t i = 0; i < n; i++)
        z[i] = ty_gp_log_ei(z[i], &derivative[i]);
    printf("{");
    print_list("log_ei", z, n, ", ");
    print_list("derivative", derivative, n, "}\n");
    return true;
}

int main(void) {
    char what[8];
    if (scanf("%7s", what) != 1)
        return 2;
    return (strcmp(what, "gp") == 0 ? answer_gp() : answer_ei()) ? 0 : 1;
}
