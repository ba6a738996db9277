/* The tables by level. They differ in speed alone. */
#include "hpo/samplers/gp_loops.h"

#include <stddef.h>

#include "hpo/exact/exact.h"

const ty_gp_loops *ty_gp_loops_at(int level) {
    static const ty_gp_loops *const tables[TY_EXACT_N_LEVELS] = {
        &ty_gp_loops_sse2, &ty_gp_loops_avx2, &ty_gp_loops_avx512};
    return ty_exact_loops_at(level) ? tables[level] : NULL;
}

const ty_gp_loops *ty_gp_loops_best(void) {
    int level = TY_EXACT_N_LEVELS - 1;
    while (!ty_gp_loops_at(level))
        level--;
    return ty_gp_loops_at(level);
}
