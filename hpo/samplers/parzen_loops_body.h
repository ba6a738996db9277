/* The source of every instruction-set level: a parzen_loops_*.c defines PARZEN_TABLE and includes this.
 * Plain C that the compiler vectorises for the flags the file is built with (CMakeLists.txt). */
#include <string.h>

#include "hpo/samplers/parzen_private.h"

enum { SLAB = 4 };

static inline double squared(double x, double u, double sharp) {
    const double t = (x - u) * sharp;
    return t * t;
}

static inline const double *u_of(const double *columns, size_t capacity, size_t axis) {
    return columns + (axis * TY_PARZEN_COLUMNS + TY_PARZEN_U) * capacity;
}

static inline const double *sharp_of(const double *columns, size_t capacity, size_t axis) {
    return columns + (axis * TY_PARZEN_COLUMNS + TY_PARZEN_SHARP) * capacity;
}

/* Four axes at once, so that e is loaded and stored once. Returns how many can reach cut. */
static int64_t approach_slab(double *restrict e, const double *columns, size_t capacity,
                             const ty_parzen_place *places, double cut, size_t n) {
    const double *u0 = u_of(columns, capacity, 0), *s0 = sharp_of(columns, capacity, 0);
    const double *u1 = u_of(columns, capacity, 1), *s1 = sharp_of(columns, capacity, 1);
    const double *u2 = u_of(columns, capacity, 2), *s2 = sharp_of(columns, capacity, 2);
    const double *u3 = u_of(columns, capacity, 3), *s3 = sharp_of(columns, capacity, 3);
    const double x0 = places[0].u, x1 = places[1].u, x2 = places[2].u, x3 = places[3].u;
    int64_t reaching = 0;
    for (size_t k = 0; k < n; k++) {
        const double near = e[k] - squared(x0, u0[k], s0[k]) - squared(x1, u1[k], s1[k]);
        e[k] = near - squared(x2, u2[k], s2[k]) - squared(x3, u3[k], s3[k]);
        reaching += e[k] >= cut;
    }
    return reaching;
}

static int64_t approach_axis(double *restrict e, const double *columns, size_t capacity,
                             const ty_parzen_place *place, double cut, size_t n) {
    const double *u = u_of(columns, capacity, 0), *s = sharp_of(columns, capacity, 0);
    const double x = place->u;
    int64_t reaching = 0;
    for (size_t k = 0; k < n; k++) {
        e[k] -= squared(x, u[k], s[k]);
        reaching += e[k] >= cut;
    }
    return reaching;
}

static bool approach(double *e, const double *height, const double *columns, size_t capacity,
                     const ty_parzen_place *places, size_t axes, double cut, size_t n) {
    const size_t axis_stride = TY_PARZEN_COLUMNS * capacity;
    int64_t reaching = 1;
    size_t d = 0;
    memcpy(e, height, n * sizeof *e);
    for (; reaching > 0 && d + SLAB <= axes; d += SLAB)
        reaching = approach_slab(e, columns + d * axis_stride, capacity, places + d, cut, n);
    for (; reaching > 0 && d < axes; d++)
        reaching = approach_axis(e, columns + d * axis_stride, capacity, places + d, cut, n);
    return reaching > 0;
}

static void choose(double *restrict e, const double *u, double chosen, double hit, double miss,
                   size_t n) {
    for (size_t k = 0; k < n; k++)
        e[k] += u[k] == chosen ? hit : miss;
}

const ty_parzen_loops PARZEN_TABLE = {.approach = approach, .choose = choose};
