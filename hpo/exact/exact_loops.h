/* The tables of exact_loops_*.c, which compile the same source (exact_loops_body.h). Private to
 * hpo/exact*.c. */
#ifndef TY_HPO_EXACT_EXACT_LOOPS_H
#define TY_HPO_EXACT_EXACT_LOOPS_H

#include "hpo/exact/exact.h"

extern const ty_exact_loops ty_exact_loops_sse2, ty_exact_loops_avx2, ty_exact_loops_avx512;

#endif
