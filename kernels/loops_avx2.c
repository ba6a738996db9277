/* The loops of loops_body.h for AVX2. */
#define LOOPS_TABLE ty_loops_avx2
#define LOOPS_BYTES 32
#include "kernels/loops_body.h"
