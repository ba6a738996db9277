/* The tables by level. They differ in speed alone, so nothing has to record which one was used. */
#include "hpo/exact/exact_loops.h"

#include <assert.h>
#include <stddef.h>

/* The compiler's CPU test also asks whether the system saves the wide registers. */
static int best_level(void) {
    if (!__builtin_cpu_supports("avx2"))
        return 0;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 2;
    return 1;
}

const ty_exact_loops *ty_exact_loops_at(int level) {
    static const ty_exact_loops *const tables[TY_EXACT_N_LEVELS] = {
        &ty_exact_loops_sse2, &ty_exact_loops_avx2, &ty_exact_loops_avx512};
    assert(level >= 0 && level < TY_EXACT_N_LEVELS);
    return level <= best_level() ? tables[level] : NULL;
}

const ty_exact_loops *ty_exact_loops_best(void) {
    return ty_exact_loops_at(best_level());
}
