/* The loops of gp_loops_body.h for AVX-512. */
#define GP_TABLE ty_gp_loops_avx512
#include "hpo/samplers/gp_loops_body.h"
