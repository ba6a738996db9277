/* The loops of loops_body.h for SSE4.1, the least that oneDNN runs on. */
#define LOOPS_TABLE ty_loops_sse41
#define LOOPS_BYTES 16
#include "kernels/loops_body.h"
