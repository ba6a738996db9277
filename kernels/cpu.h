/* What a CPU device handle is: one thread's lane. Private to kernels. */
#ifndef TY_KERNELS_CPU_H
#define TY_KERNELS_CPU_H

#include "kernels/device.h"
#include "kernels/layout.h"
#include "kernels/op.h"

/* The levels of our own loops and the instruction sets oneDNN is capped to; the index into
 * ty_isa_names. */
enum { TY_ISA_SSE41, TY_ISA_AVX2, TY_ISA_AVX512, TY_ISA_COUNT };

struct ty_loops;  /* kernels/loops.h */
struct ty_onednn; /* kernels/onednn.h */

struct ty_device {
    ty_device_info info;
    int isa_level;                /* TY_ISA_* */
    const struct ty_loops *loops; /* the table of that level */
    struct ty_onednn *dnn;
    char model[64];
    char numeric[160];
};

/* ty_device_open for the CPU. */
ty_status ty_cpu_open(ty_ctx *ctx, int max_isa_level, ty_device **out) TY_MUST_USE;

#endif
