/* Casts between all types, against C's own conversions. */
#include "flat_bench.h"

static void cast(flat_bench *b, void *to, ty_dtype to_dtype, const void *from, ty_dtype from_dtype,
                 int64_t n) {
    const size_t to_bytes = (size_t)n * ty_dtype_bytes(to_dtype);
    const ty_cast_args args = {.to = flat_put(b, to, to_bytes),
                               .to_dtype = to_dtype,
                               .from = flat_put(b, from, (size_t)n * ty_dtype_bytes(from_dtype)),
                               .from_dtype = from_dtype,
                               .n = n};
    assert_int_equal(ty_flat_cast(&b->ctx, b->dev, &args), TY_OK);
    flat_get(b, to, args.to, to_bytes);
    flat_free(b);
}

static void casts_round_to_even_and_stay_within_the_type(void **state) {
    flat_bench *b = *state;
    const float from[] = {0.5f, 1.5f, -0.6f, 254.6f, 1e9f, -1e30f, NAN, INFINITY};
    const uint8_t bytes[] = {0, 2, 0, 255, 255, 0, 0, 255};
    const int32_t words[] = {0, 2, -1, 255, 1000000000, INT32_MIN, 0, INT32_MAX};
    const int64_t longs[] = {0, 2, -1, 255, 1000000000, INT64_MIN, 0, INT64_MAX};
    uint8_t u8[8] = {0};
    int32_t i32[8] = {0};
    int64_t i64[8] = {0};
    cast(b, u8, TY_DTYPE_U8, from, TY_DTYPE_F32, 8);
    cast(b, i32, TY_DTYPE_I32, from, TY_DTYPE_F32, 8);
    cast(b, i64, TY_DTYPE_I64, from, TY_DTYPE_F32, 8);
    assert_memory_equal(u8, bytes, sizeof bytes);
    assert_memory_equal(i32, words, sizeof words);
    assert_memory_equal(i64, longs, sizeof longs);
}

static void every_byte_survives_every_wider_type(void **state) {
    static const ty_dtype wider[] = {TY_DTYPE_F32, TY_DTYPE_F64, TY_DTYPE_I32, TY_DTYPE_I64,
                                     TY_DTYPE_BF16};
    enum { N = 1003 }; /* several blocks and a rest */
    flat_bench *b = *state;
    uint8_t from[N], back[N];
    double wide[N] = {0};
    for (int i = 0; i < N; i++)
        from[i] = (uint8_t)i;
    for (size_t k = 0; k < sizeof wider / sizeof wider[0]; k++) {
        memset(back, 0xa5, sizeof back);
        cast(b, wide, wider[k], from, TY_DTYPE_U8, N);
        cast(b, back, TY_DTYPE_U8, wide, wider[k], N);
        assert_memory_equal(back, from, N);
    }
}

static void equal_types_are_copied_bit_for_bit(void **state) {
    flat_bench *b = *state;
    const int64_t from[] = {INT64_MAX, INT64_MIN + 1, (1LL << 53) + 1};
    int64_t to[3] = {0};
    cast(b, to, TY_DTYPE_I64, from, TY_DTYPE_I64, 3);
    assert_memory_equal(to, from, sizeof from);
    cast(b, to, TY_DTYPE_I64, from, TY_DTYPE_I64, 0);
}

/* What each type makes of these is not only a matter of taste: zeros, ties, limits and beyond,
 * denormals. The rest are plain numbers. */
static double special(int64_t i) {
    static const double values[] = {
        0.0,    -0.0,     0.5,      1.5,       2.5,          -2.5,         255.49,
        255.5,  1e-40,    -1e-45,   3.4e38,    3.4028236e38, -1e39,        1e300,
        0x1p31, -0x1p31,  0x1p63,   -0x1p63,   0x1p53,       INFINITY,     -INFINITY,
        NAN,    0x1.01p0, 0x1.03p0, 0x1.018p0, 2147483646.5, 2147483647.5, 9007199254740993.0};
    const int64_t n = sizeof values / sizeof values[0];
    return i < n ? values[i] : (double)flat_number(7, i) * 100;
}

/* Clamped first, so that C's conversion is defined. */
static double whole(double x, double min, double max) {
    return isnan(x) ? 0 : fmin(fmax(nearbyint(x), min), max);
}

/* One element to and from double, which is what a cast goes through. */
static void put(void *to, ty_dtype dtype, int64_t i, double x) {
    const float narrow = (float)x;
    switch (dtype) {
    case TY_DTYPE_F32:
        ((float *)to)[i] = narrow;
        return;
    case TY_DTYPE_F64:
        ((double *)to)[i] = x;
        return;
    case TY_DTYPE_BF16:
        ((uint16_t *)to)[i] = flat_bf16(narrow);
        return;
    case TY_DTYPE_U8:
        ((uint8_t *)to)[i] = (uint8_t)whole(x, 0, 255);
        return;
    case TY_DTYPE_I32:
        ((int32_t *)to)[i] = (int32_t)whole(x, INT32_MIN, INT32_MAX);
        return;
    default: /* 2^63 - 1 is no double */
        ((int64_t *)to)[i] =
            x >= 0x1p63 ? INT64_MAX : (int64_t)whole(x, -0x1p63, 0x1.fffffffffffffp62);
    }
}

static double get(const void *from, ty_dtype dtype, int64_t i) {
    const uint32_t bits = dtype == TY_DTYPE_BF16 ? (uint32_t)((const uint16_t *)from)[i] << 16 : 0;
    float upper;
    memcpy(&upper, &bits, sizeof upper);
    switch (dtype) {
    case TY_DTYPE_F32:
        return (double)((const float *)from)[i];
    case TY_DTYPE_F64:
        return ((const double *)from)[i];
    case TY_DTYPE_BF16:
        return (double)upper;
    case TY_DTYPE_U8:
        return ((const uint8_t *)from)[i];
    case TY_DTYPE_I32:
        return ((const int32_t *)from)[i];
    default:
        return (double)((const int64_t *)from)[i];
    }
}

static void expect_cast(flat_bench *b, ty_dtype from_dtype, ty_dtype to_dtype, int64_t n) {
    enum { ROOM = 1025 * 8 };
    static double from[ROOM / 8], got[ROOM / 8], want[ROOM / 8]; /* room for any type */
    memset(got, 0, sizeof got);
    for (int64_t i = 0; i < n; i++) {
        put(from, from_dtype, i, special(i));
        put(want, to_dtype, i, get(from, from_dtype, i));
    }
    cast(b, got, to_dtype, from, from_dtype, n);
    for (int64_t i = 0; i < n; i++) {
        const double g = get(got, to_dtype, i), w = get(want, to_dtype, i);
        const size_t bytes = ty_dtype_bytes(to_dtype);
        const char *one = (const char *)got + (size_t)i * bytes;
        const char *other = (const char *)want + (size_t)i * bytes;
        if (isnan(w) ? !isnan(g) : memcmp(one, other, bytes) != 0)
            fail_msg("%s to %s, %lld elements: element %lld is %.17g, want %.17g",
                     ty_dtype_name(from_dtype), ty_dtype_name(to_dtype), (long long)n, (long long)i,
                     g, w);
    }
}

static void every_pair_of_types_converts_as_c_does(void **state) {
    static const int64_t sizes[] = {1, 7, 8, 9, 257, 1025};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (ty_dtype from = 0; from < TY_DTYPE_COUNT; from++)
            for (ty_dtype to = 0; to < TY_DTYPE_COUNT; to++)
                expect_cast(*state, from, to, sizes[k]);
}

static void bf16_needs_no_alignment(void **state) {
    flat_bench *b = *state;
    enum { N = 301 };
    float from[N + 1], back[N + 1] = {0};
    uint16_t half[N + 1] = {0};
    for (int i = 0; i <= N; i++)
        from[i] = flat_number(1, i);
    const float *x = (const float *)flat_put(b, from, sizeof from) + 1;
    uint16_t *y = (uint16_t *)flat_put(b, half, sizeof half) + 1;
    float *z = (float *)flat_put(b, back, sizeof back) + 1;
    const ty_cast_args there = {y, TY_DTYPE_BF16, x, TY_DTYPE_F32, N};
    const ty_cast_args again = {z, TY_DTYPE_F32, y, TY_DTYPE_BF16, N};
    assert_int_equal(ty_flat_cast(&b->ctx, b->dev, &there), TY_OK);
    assert_int_equal(ty_flat_cast(&b->ctx, b->dev, &again), TY_OK);
    flat_get(b, half + 1, y, N * sizeof *y);
    flat_get(b, back + 1, z, N * sizeof *z);
    for (int i = 1; i <= N; i++) {
        assert_int_equal(half[i], flat_bf16(from[i]));
        assert_true((double)back[i] == get(half, TY_DTYPE_BF16, i));
    }
    flat_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts_round_to_even_and_stay_within_the_type),
        cmocka_unit_test(every_byte_survives_every_wider_type),
        cmocka_unit_test(equal_types_are_copied_bit_for_bit),
        cmocka_unit_test(every_pair_of_types_converts_as_c_does),
        cmocka_unit_test(bf16_needs_no_alignment),
    };
    return flat_tests("flat_cast", tests);
}
