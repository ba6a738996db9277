/* The loops of gp_loops_body.h for AVX2. */
#define GP_TABLE ty_gp_loops_avx2
#include "hpo/samplers/gp_loops_body.h"
