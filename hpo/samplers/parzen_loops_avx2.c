/* The loops of parzen_loops_body.h for AVX2. */
#define PARZEN_TABLE ty_parzen_loops_avx2
#include "hpo/samplers/parzen_loops_body.h"
