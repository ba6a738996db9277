/* Numbers from one type to another, on the CPU, a block at a time through double, which holds every
 * value of every type but large 64-bit integers. Bytes: the sum of both types' an element. */
#include <math.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/flat.h"

enum { BLOCK = 256 };

typedef void load_block(double *out, const void *from, int64_t at, int64_t n);
typedef void store_block(void *to, int64_t at, const double *in, int64_t n);

#define LOAD(name, type)                                                                           \
    static void load_##name(double *out, const void *from, int64_t at, int64_t n) {                \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = (double)((const type *)from)[at + i];                                         \
    }

LOAD(f32, float)
LOAD(f64, double)
LOAD(u8, uint8_t)
LOAD(i32, int32_t)
LOAD(i64, int64_t)

/* bf16 is the upper half of a float. */
static void load_bf16(double *out, const void *from, int64_t at, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)((const uint16_t *)from)[at + i] << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        out[i] = (double)value;
    }
}

#define STORE_REAL(name, type)                                                                     \
    static void store_##name(void *to, int64_t at, const double *in, int64_t n) {                  \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((type *)to)[at + i] = (type)in[i];                                                    \
    }

STORE_REAL(f32, float)
STORE_REAL(f64, double)

/* Rounded to the nearest, ties to even, from the f32 that holds every source but f64 and large whole
 * numbers; a NaN stays one. */
static uint16_t bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void store_bf16(void *to, int64_t at, const double *in, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        ((uint16_t *)to)[at + i] = bf16_of((float)in[i]);
}

/* rint is to the nearest even. The bounds are compared as doubles; max + 1 is one exactly, max need not be. */
#define STORE_WHOLE(name, type, min, max)                                                          \
    static void store_##name(void *to, int64_t at, const double *in, int64_t n) {                  \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const double whole = rint(in[i]);                                                      \
            type value = isnan(whole) ? 0 : min;                                                   \
            if (whole >= (double)(max / 2 + 1) * 2)                                                \
                value = max;                                                                       \
            else if (whole > (double)min)                                                          \
                value = (type)whole;                                                               \
            ((type *)to)[at + i] = value;                                                          \
        }                                                                                          \
    }

STORE_WHOLE(u8, uint8_t, 0, UINT8_MAX)
STORE_WHOLE(i32, int32_t, INT32_MIN, INT32_MAX)
STORE_WHOLE(i64, int64_t, INT64_MIN, INT64_MAX)

static load_block *const loads[] = {
    [TY_DTYPE_F32] = load_f32, [TY_DTYPE_U8] = load_u8,   [TY_DTYPE_I32] = load_i32,
    [TY_DTYPE_I64] = load_i64, [TY_DTYPE_F64] = load_f64, [TY_DTYPE_BF16] = load_bf16};
static store_block *const stores[] = {
    [TY_DTYPE_F32] = store_f32, [TY_DTYPE_U8] = store_u8,   [TY_DTYPE_I32] = store_i32,
    [TY_DTYPE_I64] = store_i64, [TY_DTYPE_F64] = store_f64, [TY_DTYPE_BF16] = store_bf16};

ty_status ty_flat_cast_cpu(ty_ctx *ctx, ty_device *dev, const ty_cast_args *args) {
    (void)ctx, (void)dev;
    if (args->to_dtype == args->from_dtype) {
        if (args->n > 0)
            memcpy(args->to, args->from, (size_t)args->n * ty_dtype_bytes(args->to_dtype));
        return TY_OK;
    }
    double block[BLOCK];
    for (int64_t at = 0; at < args->n; at += BLOCK) {
        const int64_t n = args->n - at < BLOCK ? args->n - at : (int64_t)BLOCK;
        loads[args->from_dtype](block, args->from, at, n);
        stores[args->to_dtype](args->to, at, block, n);
    }
    return TY_OK;
}
