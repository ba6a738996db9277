/* What a CPU device handle is: one thread's lane. Private to kernels. */
#ifndef TY_KERNELS_CPU_H
#define TY_KERNELS_CPU_H

#include "kernels/backend.h"
#include "kernels/device.h"
#include "kernels/layout.h"
#include "kernels/op.h"

/* The levels of our own loops and the instruction sets oneDNN is capped to; the index into
 * ty_isa_names. */
enum { TY_ISA_SSE41, TY_ISA_AVX2, TY_ISA_AVX512, TY_ISA_COUNT };

struct ty_loops;  /* kernels/loops.h */
struct ty_onednn; /* kernels/onednn.h */

typedef struct ty_cpu {
    ty_device device;
    const struct ty_loops *loops; /* the table of its level, TY_ISA_* */
    struct ty_onednn *dnn;
    char model[64];
    char numeric[160];
} ty_cpu;

static inline const struct ty_loops *ty_cpu_loops(const ty_device *dev) {
    return ((const ty_cpu *)dev)->loops;
}

static inline struct ty_onednn *ty_cpu_dnn(const ty_device *dev) {
    return ((const ty_cpu *)dev)->dnn;
}

/* The CPU's columns of the backend's table. */
extern const ty_flat_table ty_flat_cpu;
extern const ty_op_impl *const ty_cpu_ops[TY_OP_COUNT];
ty_status ty_flat_cast_cpu(ty_ctx *ctx, ty_device *dev, const ty_cast_args *args) TY_MUST_USE;
ty_status ty_flat_init_cpu(ty_ctx *ctx, ty_device *dev, const ty_init_args *args) TY_MUST_USE;
ty_status ty_flat_sgd_cpu(ty_ctx *ctx, ty_device *dev, const ty_sgd_args *args) TY_MUST_USE;
ty_status ty_flat_adamw_cpu(ty_ctx *ctx, ty_device *dev, const ty_adamw_args *args) TY_MUST_USE;

#endif
