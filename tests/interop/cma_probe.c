/* Says what CMA-ES learns from given points, for tests/interop/test_cma.py.
 *
 *   cma_probe DIMS POPULATION SIGMA LATTICE
 *
 * LATTICE cells divide [0, 1] of every dimension (0: none). Reads the mean, then generations of points,
 * best first; after each prints a line of JSON: {"mean": [...], "sigma": s, "C": [...], "stretch": [...],
 * "root": [...]}; the first line says how it begins. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "hpo/samplers/cma.h"

static bool cell_ends(const void *self, size_t dim, double m, double *low, double *high) {
    (void)dim;
    const double cells = *(const double *)self;
    const double cell = fmin(fmax(floor(m * cells), 0), cells - 1);
    *low = cell > 0 ? cell / cells : 1 / cells;
    *high = cell < cells - 1 ? (cell + 1) / cells : cell / cells;
    return true;
}

static void print_list(const char *name, const double *v, size_t n, const char *end) {
    printf("\"%s\": [", name);
    for (size_t i = 0; i < n; i++)
        printf("%s%.17g", i ? ", " : "", v[i]);
    printf("]%s", end);
}

static void print_state(const ty_cma *s) {
    printf("{\"sigma\": %.17g, ", s->sigma);
    print_list("mean", s->mean, s->dims, ", ");
    print_list("C", s->C, s->dims * s->dims, ", ");
    print_list("root", s->root, s->dims * s->dims, ", ");
    print_list("stretch", s->stretch, s->dims, "}\n");
    fflush(stdout);
}

static bool read_numbers(double *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (scanf("%lf", &to[i]) != 1)
            return false;
    return true;
}

static int follow(ty_cma *s) {
    const size_t n = s->population * s->dims;
    double *points = calloc(n, sizeof *points);
    if (!points)
        return 1;
    print_state(s);
    for (double generation = 0; read_numbers(points, n); generation++) {
        ty_cma_tell(s, points, generation, generation + 1);
        print_state(s);
    }
    free(points);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    double mean[64];
    const double cells = strtod(argv[4], NULL);
    const size_t dims = strtoul(argv[1], NULL, 10);
    if (dims == 0 || dims > 64 || !read_numbers(mean, dims))
        return 2;
    ty_cma s;
    const ty_cma_lattice lattice = {.ends = cells > 0 ? cell_ends : NULL, .self = &cells};
    if (ty_cma_init(&ctx, &s,
                    &(ty_cma_options){.dims = dims,
                                      .population = strtoul(argv[2], NULL, 10),
                                      .mean = mean,
                                      .sigma = strtod(argv[3], NULL),
                                      .lattice = lattice}) != TY_OK)
        return 1;
    const int code = follow(&s);
    ty_cma_clear(&s);
    ty_ctx_clear(&ctx);
    return code;
}
