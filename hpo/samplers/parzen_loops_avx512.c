/* The loops of parzen_loops_body.h for AVX-512 (F, BW, DQ, VL). */
#define PARZEN_TABLE ty_parzen_loops_avx512
#include "hpo/samplers/parzen_loops_body.h"
