/* Starts of parameters: their laws, and the same bits on every device. */
#include "flat_bench.h"

enum { N_START = 50003 };

/* One segment of this law among empty ones, `number_of_segment` before it; the caller's to free. */
static float *start_one(flat_bench *b, ty_init_kind init, int64_t number_of_segment,
                        uint64_t seed) {
    ty_segment table[4] = {0};
    float *params = calloc(N_START, sizeof *params);
    assert_non_null(params);
    table[number_of_segment] =
        (ty_segment){.name = "w", .count = N_START, .init = init, .fan_in = 24, .fan_out = 72};
    const ty_init_args args = {.params = flat_put(b, params, N_START * sizeof *params),
                               .segments = table,
                               .n_segments = number_of_segment + 1,
                               .seed = seed};
    assert_int_equal(ty_flat_init(&b->ctx, b->dev, &args), TY_OK);
    flat_get(b, params, args.params, N_START * sizeof *params);
    flat_free(b);
    return params;
}

typedef struct moments {
    double mean, variance, largest;
} moments;

static moments moments_of(const float *x) {
    moments m = {0};
    for (int i = 0; i < N_START; i++) {
        m.mean += (double)x[i] / N_START;
        m.variance += (double)x[i] * (double)x[i] / N_START;
        m.largest = fmax(m.largest, fabs((double)x[i]));
    }
    return m;
}

/* Bounds are 5 standard errors. */
static void expect_uniform(const float *x, double bound) {
    const moments m = moments_of(x);
    assert_true(m.largest <= bound && m.largest > 0.999 * bound);
    assert_true(fabs(m.mean) < 5 * bound / sqrt(3.0 * N_START));
    assert_true(fabs(m.variance / (bound * bound / 3) - 1) < 5 * sqrt(0.8 / N_START));
}

static void starts_follow_their_laws(void **state) {
    float *x = start_one(*state, TY_INIT_XAVIER, 0, 1);
    expect_uniform(x, sqrt(6.0 / 96) * (1 + 1e-7));
    free(x);
    x = start_one(*state, TY_INIT_KAIMING, 0, 1);
    expect_uniform(x, sqrt(6.0 / 24) * (1 + 1e-7));
    free(x);
    x = start_one(*state, TY_INIT_NORMAL, 0, 1);
    const moments m = moments_of(x);
    assert_true(fabs(m.mean) < 5 * 0.02 / sqrt(N_START));
    assert_true(fabs(m.variance / 0.0004 - 1) < 5 * sqrt(2.0 / N_START));
    assert_true(m.largest > 0.02 * 3.5 && m.largest < 0.02 * 6.5);
    free(x);
}

static void constant_starts_are_constant(void **state) {
    float *zeros = start_one(*state, TY_INIT_ZEROS, 0, 1),
          *ones = start_one(*state, TY_INIT_ONES, 0, 1);
    for (int i = 0; i < N_START; i++)
        assert_true(zeros[i] == 0 && ones[i] == 1);
    free(zeros);
    free(ones);
}

static void a_start_is_a_function_of_seed_segment_and_element(void **state) {
    float *x = start_one(*state, TY_INIT_XAVIER, 3, 9),
          *again = start_one(*state, TY_INIT_XAVIER, 3, 9);
    float *segment = start_one(*state, TY_INIT_XAVIER, 2, 9),
          *seed = start_one(*state, TY_INIT_XAVIER, 3, 10);
    assert_memory_equal(x, again, N_START * sizeof *x);
    assert_memory_not_equal(x, segment, N_START * sizeof *x);
    assert_memory_not_equal(x, seed, N_START * sizeof *x);
    free(x);
    free(again);
    free(segment);
    free(seed);
}

/* By the functions of base/rng.h, one number at a time. */
static float want(const ty_segment *segment, int64_t number, uint64_t seed, int64_t i) {
    const ty_rng_block words =
        ty_rng_draw(ty_rng_key_of(seed, TY_STREAM_INIT), (uint64_t)number, (uint64_t)i / 4);
    const double fans =
        (double)(segment->fan_in + (segment->init == TY_INIT_XAVIER ? segment->fan_out : 0));
    float z[2];
    ty_rng_normal2(words.v[i % 4 / 2 * 2], words.v[i % 4 / 2 * 2 + 1], z);
    if (segment->init == TY_INIT_ZEROS || segment->init == TY_INIT_ONES)
        return segment->init == TY_INIT_ONES;
    if (segment->init == TY_INIT_NORMAL)
        return 0.02F * z[i % 2];
    return (float)sqrt(6 / fans) * (2 * ty_rng_uniform(words.v[i % 4]) - 1);
}

/* More segments than one launch takes, of all laws and lengths; nothing is written between them. */
static void starts_have_the_same_bits_on_every_device(void **state) {
    enum { N_SEGMENTS = 130, SEED = 77 };
    static const int64_t lengths[] = {1003, 0, 1, 15, 17, 4095, 4096, 4097, 9001};
    flat_bench *b = *state;
    ty_segment segments[N_SEGMENTS] = {0};
    for (int i = 0; i < N_SEGMENTS; i++)
        segments[i] = (ty_segment){.name = "w",
                                   .count = i < 9 ? lengths[i] : 1 + i % 37,
                                   .init = (ty_init_kind)(i % 5),
                                   .fan_in = 1 + i,
                                   .fan_out = 3};
    const size_t n = (size_t)flat_lay_out(segments, N_SEGMENTS);
    float *got = calloc(n, sizeof *got), *expected = calloc(n, sizeof *expected);
    assert_true(got && expected);
    for (int k = 0; k < N_SEGMENTS; k++)
        for (int64_t i = 0; i < segments[k].count; i++)
            expected[segments[k].offset + i] = want(&segments[k], k, SEED, i);
    const ty_init_args args = {.params = flat_put(b, got, n * sizeof *got),
                               .segments = segments,
                               .n_segments = N_SEGMENTS,
                               .seed = SEED};
    assert_int_equal(ty_flat_init(&b->ctx, b->dev, &args), TY_OK);
    flat_get(b, got, args.params, n * sizeof *got);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &expected[i], sizeof *got) != 0)
            fail_msg("element %zu is %.9g, want %.9g", i, (double)got[i], (double)expected[i]);
    free(got);
    free(expected);
    flat_free(b);
}

static void a_start_without_fans_is_refused(void **state) {
    flat_bench *b = *state;
    const float zeros[4] = {0};
    const ty_segment segment = {.name = "lonely", .count = 4, .init = TY_INIT_KAIMING};
    const ty_init_args args = {
        .params = flat_put(b, zeros, sizeof zeros), .segments = &segment, .n_segments = 1};
    assert_int_equal(ty_flat_init(&b->ctx, b->dev, &args), TY_ERR_ARG);
    assert_non_null(strstr(b->ctx.message, "lonely"));
    flat_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_follow_their_laws),
        cmocka_unit_test(constant_starts_are_constant),
        cmocka_unit_test(a_start_is_a_function_of_seed_segment_and_element),
        cmocka_unit_test(starts_have_the_same_bits_on_every_device),
        cmocka_unit_test(a_start_without_fans_is_refused),
    };
    return flat_tests("flat_init", tests);
}
