/* The loops of exact_loops_body.h for AVX2. */
#define EXACT_TABLE ty_exact_loops_avx2
#include "hpo/exact/exact_loops_body.h"
