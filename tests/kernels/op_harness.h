/* One body for the tests of every op, run on every device present. A test gives a case (op,
 * attributes, shapes, a plain reference in double) and op_check proves:
 *   - forward agrees with the reference, batch statistics too
 *   - backward agrees with central differences of the reference in double
 *   - parameter gradients are added to what is there; d_x is written, or added where it must be
 *   - padding of outputs is zero, no byte outside an output changes, no input changes; on the
 *     simulated GPU nothing outside is read
 *   - nothing depends on what outputs or workspace held before
 *   - the same bits again, and in two threads at the same time, each with its own device
 *
 * Devices are the CPU and, where ty_device_find finds one, the GPU; TY_TEST_DEVICE=cpu or cuda is one
 * alone. TY_TEST_PRECISION=fp32 (the default), tf32 or bf16 is the GPU's. Inputs and parameters are
 * rounded to what that precision reads exactly, so the reference starts from the very numbers. What
 * blocked layouts are given to is the CPU's alone; images that a case gives canonically come to the
 * GPU canonically and channels last. */
#ifndef TY_TESTS_OP_HARNESS_H
#define TY_TESTS_OP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kernels.h"

typedef struct op_case op_case;

/* Everything an op sees, canonical and in double whatever the dtype. The reference writes y and, in
 * training, batch_stat. */
typedef struct op_values {
    const op_case *of;
    const ty_op_shapes *shapes;
    double *x[TY_OP_MAX_INPUTS];
    double *param[TY_OP_MAX_PARAMS];
    double *stat[TY_OP_MAX_STATS];
    double *y;
    double *batch_stat[TY_OP_MAX_STATS];
} op_values;

struct op_case {
    const char *name;
    ty_op_id id;
    const void *attrs;
    struct {
        ty_dtype dtype;
        ty_shape shape;
        const void *layout; /* NULL: canonical; else one of kernels/layout.h */
        bool wants_dx;
        double low, high; /* values are uniform in [low, high); both 0: [-1, 1). Integer types:
                             whole numbers */
    } x[TY_OP_MAX_INPUTS];
    bool is_inference; /* running statistics, no dropout, no backward pass */
    bool is_loss;  /* y's first column times the last input (the weights) is what backward derives;
                      d_y is not read */
    uint64_t seed; /* of the values; 0 will do */
    /* |got - want| <= tolerance * max(1, largest |want| of the tensor, for a loss of the column): the
     * row of this op. gpu_: in f32 on a GPU, where that has another bound (0: it has not). bf16 and
     * tf32 add what op_harness.c says; where an op keeps more than one rounded number on the way to
     * a result, bf16_roundings says how many (0: one). */
    double tolerance_forward, tolerance_backward;
    double gpu_forward, gpu_backward;
    int bf16_roundings;
    void (*reference)(op_values *values);
    /* Called on the canonical values before they are used, to put special ones in place; may be
     * NULL. */
    void (*adjust)(op_values *values);
};

/* Fails the running test, naming case, device, tensor and element, unless everything above
 * holds. */
void op_check(const op_case *c);

/* infer must fail with TY_ERR_CONFIG and a message that contains text. */
void op_check_refused(const op_case *c, const char *text);

/* ty_device_open capped to the level that TY_TEST_ISA names: one process computes at one level, so
 * ctest runs a program once for each (ty_op_test in CMakeLists.txt). */
ty_status op_open_device(ty_ctx *ctx, const char *name, ty_precision precision,
                         ty_device **out) TY_MUST_USE;

/* What TY_TEST_DEVICE (or other_name, where it is unset) and TY_TEST_PRECISION name, for tests that
 * call an op themselves. */
const char *op_test_device(const ty_ctx *ctx, const char *other_name);
ty_precision op_test_precision(const ty_ctx *ctx);

/* {rank, {dims}} from its arguments. */
#define SHAPE(...)                                                                                 \
    ((ty_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

#endif
