/* The tables by level. */
#include "kernels/loops.h"

#include <assert.h>

#include "kernels/cpu.h"

static const ty_loops *const tables[TY_ISA_COUNT] = {
    [TY_ISA_SSE41] = &ty_loops_sse41,
    [TY_ISA_AVX2] = &ty_loops_avx2,
    [TY_ISA_AVX512] = &ty_loops_avx512,
};

const ty_loops *ty_loops_at(int isa_level) {
    assert(isa_level >= 0 && isa_level < TY_ISA_COUNT);
    return tables[isa_level];
}
