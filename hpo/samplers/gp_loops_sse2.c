/* The loops of gp_loops_body.h for SSE2. */
#define GP_TABLE ty_gp_loops_sse2
#include "hpo/samplers/gp_loops_body.h"
