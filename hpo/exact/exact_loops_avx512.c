/* The loops of exact_loops_body.h for AVX-512 (F, BW, DQ, VL). */
#define EXACT_TABLE ty_exact_loops_avx512
#include "hpo/exact/exact_loops_body.h"
