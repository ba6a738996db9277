/* Philox against its authors' vectors, and what keys, numbers and permutations promise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* The philox4x32 rows with 10 rounds of Random123's kat_vectors: counter, key, result. */
typedef struct known_answer {
    uint32_t counter[4], key[2], want[4];
} known_answer;

static const known_answer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void philox_gives_the_published_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known_answers / sizeof known_answers[0]; i++) {
        const known_answer *k = &known_answers[i];
        const ty_rng_key key = {{k->key[0], k->key[1]}};
        const ty_rng_block got = ty_rng_draw(key, k->counter[0] | (uint64_t)k->counter[1] << 32,
                                             k->counter[2] | (uint64_t)k->counter[3] << 32);
        assert_memory_equal(got.v, k->want, sizeof got.v);
    }
}

static uint64_t key_bits(ty_rng_key key) {
    return key.k[0] | (uint64_t)key.k[1] << 32;
}

static int compare_u64(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void keys_of_seeds_streams_and_mixes_are_all_different(void **state) {
    (void)state;
    enum { N_SEEDS = 50, N_STREAMS = TY_STREAM_SYNTHETIC + 1, N_MIXES = 50 };
    static uint64_t keys[N_SEEDS * N_STREAMS * (N_MIXES + 1)];
    size_t n = 0;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++)
        for (int stream = 0; stream < N_STREAMS; stream++) {
            const ty_rng_key key = ty_rng_key_of(seed, (ty_stream)stream);
            keys[n++] = key_bits(key);
            for (uint64_t with = 0; with < N_MIXES; with++)
                keys[n++] = key_bits(ty_rng_key_mix(key, with));
        }
    qsort(keys, n, sizeof keys[0], compare_u64);
    for (size_t i = 1; i < n; i++)
        assert_int_not_equal(keys[i - 1], keys[i]);
}

static void uniform_numbers_stay_inside_their_interval(void **state) {
    (void)state;
    assert_true(ty_rng_uniform(0) == 0.0F);
    assert_true(ty_rng_uniform(UINT32_MAX) == 1.0F - 0x1p-24F);
    assert_true(ty_rng_uniform_positive(0) == 0x1p-24F);
    assert_true(ty_rng_uniform_positive(UINT32_MAX) == 1.0F);
}

/* Pearson's statistic over 256 bins of equal probability: mean 255, standard deviation 22.6. */
static double chi_squared(const int64_t bins[256], int64_t n) {
    const double want = (double)n / 256;
    double sum = 0;
    for (int i = 0; i < 256; i++)
        sum += ((double)bins[i] - want) * ((double)bins[i] - want) / want;
    return sum;
}

static void uniform_numbers_fill_their_interval_evenly(void **state) {
    (void)state;
    enum { N_BLOCKS = 250000 };
    int64_t bins[256] = {0};
    const ty_rng_key key = ty_rng_key_of(1, TY_STREAM_SYNTHETIC);
    for (uint64_t i = 0; i < N_BLOCKS; i++) {
        const ty_rng_block block = ty_rng_draw(key, 7, i);
        for (int w = 0; w < 4; w++)
            bins[(int)(ty_rng_uniform(block.v[w]) * 256)]++;
    }
    const double statistic = chi_squared(bins, 4 * N_BLOCKS);
    assert_true(statistic > 255 - 5 * 22.6 && statistic < 255 + 5 * 22.6);
}

static void normal_numbers_have_the_moments_and_quantiles_of_the_normal_law(void **state) {
    (void)state;
    enum { N_PAIRS = 500000 };
    int64_t bins[256] = {0};
    double sum = 0, squares = 0, fourth = 0, cross = 0;
    const ty_rng_key key = ty_rng_key_of(2, TY_STREAM_SYNTHETIC);
    for (uint64_t i = 0; i < N_PAIRS; i++) {
        const ty_rng_block block = ty_rng_draw(key, 0, i);
        float z[2];
        ty_rng_normal2(block.v[0], block.v[1], z);
        cross += (double)z[0] * (double)z[1];
        for (int j = 0; j < 2; j++) {
            const double x = (double)z[j];
            sum += x;
            squares += x * x;
            fourth += x * x * x * x;
            bins[(int)(0.5 * erfc(-x / sqrt(2)) * 255.9999)]++;
        }
    }
    const double n = 2.0 * N_PAIRS; /* each bound is 5 standard errors */
    assert_true(fabs(sum / n) < 5 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 5 * sqrt(2 / n));
    assert_true(fabs(fourth / n - 3) < 5 * sqrt(96 / n));
    assert_true(fabs(cross / N_PAIRS) < 5 / sqrt(N_PAIRS));
    assert_true(chi_squared(bins, 2 * N_PAIRS) < 255 + 5 * 22.6);
}

static void normal_numbers_are_box_mullers_to_the_last_digit_of_a_float(void **state) {
    (void)state;
    const uint32_t edges[] = {0,          1,          2,          0x1fffffff,
                              0x20000000, 0x3fffffff, 0x40000000, 0x5fffffff,
                              0x60000000, 0x7fffffff, 0x80000000, 0xa0000001,
                              0xc0000000, 0xdfffffff, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        for (size_t j = 0; j < sizeof edges / sizeof edges[0]; j++) {
            const double radius = sqrt(-2 * log(((double)edges[i] + 1) * 0x1p-32));
            const double angle = 2 * acos(-1) * ((double)edges[j] * 0x1p-32);
            float z[2];
            ty_rng_normal2(edges[i], edges[j], z);
            assert_true(fabs((double)z[0] - radius * cos(angle)) <= 6e-8 * radius);
            assert_true(fabs((double)z[1] - radius * sin(angle)) <= 6e-8 * radius);
        }
}

static void expect_bijection(ty_rng_key key, int64_t n) {
    unsigned char *seen = calloc((size_t)n, 1);
    assert_non_null(seen);
    for (int64_t i = 0; i < n; i++) {
        const int64_t image = ty_rng_permute(key, n, i);
        assert_in_range(image, 0, n - 1);
        assert_int_equal(seen[image], 0);
        seen[image] = 1;
    }
    free(seen);
}

static void a_permutation_meets_every_element_once(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const ty_rng_key key = ty_rng_key_of(seed, TY_STREAM_SHUFFLE);
        for (int64_t n = 1; n <= 130; n++)
            expect_bijection(key, n);
    }
    const ty_rng_key key = ty_rng_key_of(3, TY_STREAM_SHUFFLE);
    const int64_t sizes[] = {255, 256, 257, 4095, 4096, 4097, 60000, 65536, 65537, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        expect_bijection(key, sizes[i]);
}

static void a_huge_permutation_has_no_collision_in_a_sample(void **state) {
    (void)state;
    enum { N_SAMPLES = 100000 };
    static uint64_t images[N_SAMPLES];
    const int64_t sizes[] = {10000000, INT64_C(1) << 40, (INT64_C(1) << 62) - 57, INT64_MAX};
    const ty_rng_key key = ty_rng_key_of(4, TY_STREAM_SHUFFLE);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int64_t i = 0; i < N_SAMPLES; i++) {
            const int64_t image = ty_rng_permute(key, sizes[s], sizes[s] - 1 - i);
            assert_true(image >= 0 && image < sizes[s]);
            images[i] = (uint64_t)image;
        }
        qsort(images, N_SAMPLES, sizeof images[0], compare_u64);
        for (int64_t i = 1; i < N_SAMPLES; i++)
            assert_int_not_equal(images[i - 1], images[i]);
    }
}

/* Over 51200 keys, element 0 and element 1 of a permutation of 256 fall evenly, also relative to
 * each other. */
static void permutations_place_elements_evenly_and_independently(void **state) {
    (void)state;
    enum { N_KEYS = 51200 };
    int64_t first[256] = {0}, second[256] = {0}, distance[256] = {0};
    for (uint64_t i = 0; i < N_KEYS; i++) {
        const ty_rng_key key = ty_rng_key_mix(ty_rng_key_of(5, TY_STREAM_SHUFFLE), i);
        const int64_t a = ty_rng_permute(key, 256, 0), b = ty_rng_permute(key, 256, 1);
        first[a]++;
        second[b]++;
        distance[(b - a) & 255]++;
    }
    assert_int_equal(distance[0], 0);
    distance[0] = N_KEYS / 256; /* cannot happen; the other 255 distances share its part */
    assert_true(chi_squared(first, N_KEYS) < 255 + 5 * 22.6);
    assert_true(chi_squared(second, N_KEYS) < 255 + 5 * 22.6);
    assert_true(chi_squared(distance, N_KEYS) < 255 + 5 * 22.6);
}

/* The same on 60000 elements, the way a sampler uses it: neighbours of one epoch do not stay
 * neighbours in the next. */
static void epochs_shuffle_unlike_each_other(void **state) {
    (void)state;
    enum { N = 60000 };
    int64_t bins[256] = {0};
    const ty_rng_key key = ty_rng_key_of(6, TY_STREAM_SHUFFLE);
    const ty_rng_key one = ty_rng_key_mix(key, 0), two = ty_rng_key_mix(key, 1);
    for (int64_t i = 0; i < N; i++) {
        const int64_t gap = ty_rng_permute(one, N, i) - ty_rng_permute(two, N, i);
        bins[(gap + N) % N * 256 / N]++;
    }
    assert_true(chi_squared(bins, N) < 255 + 5 * 22.6);
}

static void every_order_of_three_comes_up(void **state) {
    (void)state;
    int64_t orders[27] = {0};
    for (uint64_t i = 0; i < 6000; i++) {
        const ty_rng_key key = ty_rng_key_mix(ty_rng_key_of(7, TY_STREAM_SHUFFLE), i);
        orders[ty_rng_permute(key, 3, 0) * 9 + ty_rng_permute(key, 3, 1) * 3 +
               ty_rng_permute(key, 3, 2)]++;
    }
    const int of_three[] = {5, 7, 11, 15, 19, 21};
    for (size_t i = 0; i < 6; i++)
        assert_true(orders[of_three[i]] > 600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(keys_of_seeds_streams_and_mixes_are_all_different),
        cmocka_unit_test(uniform_numbers_stay_inside_their_interval),
        cmocka_unit_test(uniform_numbers_fill_their_interval_evenly),
        cmocka_unit_test(normal_numbers_have_the_moments_and_quantiles_of_the_normal_law),
        cmocka_unit_test(normal_numbers_are_box_mullers_to_the_last_digit_of_a_float),
        cmocka_unit_test(a_permutation_meets_every_element_once),
        cmocka_unit_test(a_huge_permutation_has_no_collision_in_a_sample),
        cmocka_unit_test(permutations_place_elements_evenly_and_independently),
        cmocka_unit_test(epochs_shuffle_unlike_each_other),
        cmocka_unit_test(every_order_of_three_comes_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
