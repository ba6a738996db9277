/* The loops of parzen_loops_body.h for SSE2. */
#define PARZEN_TABLE ty_parzen_loops_sse2
#include "hpo/samplers/parzen_loops_body.h"
