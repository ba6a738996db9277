/* For tests that call an op themselves: the device under test (TY_TEST_DEVICE, else the CPU) and
 * the tensors of a call on it. Everything asserts. */
#ifndef TY_TESTS_OP_BENCH_H
#define TY_TESTS_OP_BENCH_H

#include "op_harness.h"

enum { BENCH_MAX_TENSORS = 16 };

typedef struct bench {
    ty_ctx ctx;
    ty_device *dev;
    void *memory[BENCH_MAX_TENSORS];
    int n;
} bench;

void bench_open(bench *b);
void bench_close(bench *b);
bool bench_is_gpu(const bench *b);

/* Numbers as an op made them: in the device's own type, rounded to it. NULL: room for them, zeros. */
ty_tensor bench_put(bench *b, ty_shape shape, const float *values);

/* Bytes of a batch or a row, as they are. */
ty_tensor bench_put_raw(bench *b, ty_shape shape, ty_dtype dtype, const void *bytes);

/* A value back, as floats. */
void bench_get(bench *b, const ty_tensor *tensor, float *values);

/* What prepare, forward and backward of the call say is TY_OK; aux and workspace are allocated.
 * Release frees all tensors, too. */
void bench_prepare(bench *b, ty_op_args *args);
void bench_forward(bench *b, const ty_op_args *args);
void bench_backward(bench *b, const ty_op_args *args);
void bench_release(bench *b, ty_op_args *args);

/* How far a number may be off that is right to f32's last digits: half an ulp of bf16 where the device
 * stores activations so. */
double bench_rounding(const bench *b);

#endif
