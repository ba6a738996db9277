/* The loops of exact_loops_body.h for SSE2. */
#define EXACT_TABLE ty_exact_loops_sse2
#include "hpo/exact/exact_loops_body.h"
