/* Tensors on the device under test. */
#include "op_bench.h"

#include <stdlib.h>
#include <string.h>

void bench_open(bench *b) {
    *b = (bench){0};
    ty_ctx_init(&b->ctx);
    const ty_status st = op_open_device(&b->ctx, op_test_device(&b->ctx, "cpu"),
                                        op_test_precision(&b->ctx), &b->dev);
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), b->ctx.message);
}

static void free_tensors(bench *b) {
    while (b->n > 0)
        ty_device_free(b->dev, b->memory[--b->n]);
}

void bench_close(bench *b) {
    free_tensors(b);
    ty_device_close(b->dev);
    ty_ctx_clear(&b->ctx);
}

bool bench_is_gpu(const bench *b) {
    return ty_device_describe(b->dev)->kind == TY_DEVICE_IS_CUDA;
}

static bool is_bf16(const bench *b) {
    return ty_device_describe(b->dev)->precision == TY_PRECISION_BF16;
}

double bench_rounding(const bench *b) {
    return is_bf16(b) ? 0x1p-9 : 0;
}

static void expect_ok(bench *b, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s: %s", ty_status_name(st), b->ctx.message);
}

static void *room_for(bench *b, size_t bytes) {
    assert_true(b->n < BENCH_MAX_TENSORS);
    expect_ok(b, ty_device_alloc(&b->ctx, b->dev, bytes, &b->memory[b->n]));
    return b->memory[b->n++];
}

ty_tensor bench_put_raw(bench *b, ty_shape shape, ty_dtype dtype, const void *bytes) {
    ty_tensor tensor = {.dtype = dtype,
                        .shape = shape,
                        .bytes = (size_t)ty_shape_count(shape) * ty_dtype_bytes(dtype)};
    tensor.data = room_for(b, tensor.bytes);
    if (bytes) {
        expect_ok(b, ty_device_copy_in(&b->ctx, b->dev, tensor.data, bytes, tensor.bytes));
        expect_ok(b, ty_device_sync(&b->ctx, b->dev));
    }
    return tensor;
}

/* Half of the bits, rounded to the nearest and even. Nothing above NaN's first one is rounded. */
static uint16_t upper_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return (uint16_t)(bits >> 16);
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

ty_tensor bench_put(bench *b, ty_shape shape, const float *values) {
    if (!is_bf16(b))
        return bench_put_raw(b, shape, TY_DTYPE_F32, values);
    const int64_t n = ty_shape_count(shape);
    uint16_t *halves = calloc((size_t)n, sizeof *halves);
    assert_non_null(halves);
    for (int64_t i = 0; i < n && values; i++)
        halves[i] = upper_half(values[i]);
    const ty_tensor tensor = bench_put_raw(b, shape, TY_DTYPE_BF16, halves);
    free(halves);
    return tensor;
}

void bench_get(bench *b, const ty_tensor *tensor, float *values) {
    expect_ok(b, ty_tensor_copy_out(&b->ctx, b->dev, tensor, values));
    expect_ok(b, ty_device_sync(&b->ctx, b->dev));
}

static const ty_op_impl *impl_of(const bench *b, const ty_op_args *args) {
    const ty_op_impl *impl = ty_device_op(b->dev, args->id);
    assert_non_null(impl);
    return impl;
}

void bench_prepare(bench *b, ty_op_args *args) {
    expect_ok(b, impl_of(b, args)->prepare(&b->ctx, b->dev, args));
    args->aux.data = room_for(b, args->aux.bytes + 1);
    args->workspace = room_for(b, args->workspace_bytes + 1);
}

void bench_forward(bench *b, const ty_op_args *args) {
    expect_ok(b, impl_of(b, args)->forward(&b->ctx, b->dev, args));
}

void bench_backward(bench *b, const ty_op_args *args) {
    expect_ok(b, impl_of(b, args)->backward(&b->ctx, b->dev, args));
}

void bench_release(bench *b, ty_op_args *args) {
    expect_ok(b, ty_device_sync(&b->ctx, b->dev));
    impl_of(b, args)->release(b->dev, args);
    free_tensors(b);
}
