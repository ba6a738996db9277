/* The loops of loops_body.h for AVX-512 (F, BW, DQ, VL). */
#define LOOPS_TABLE ty_loops_avx512
#define LOOPS_BYTES 64
#include "kernels/loops_body.h"
