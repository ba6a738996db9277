/* Sobol points: the published sequence, what the scramble keeps, and the sampler over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "hpo/samplers/sobol.h"
#include "tests/hpo/sampler_cases.h"

/* From SciPy 1.17's scipy.stats.qmc.Sobol(256, scramble=False, bits=32). */
static void the_sequence_is_that_of_joe_and_kuo(void **state) {
    (void)state;
    static const size_t dims[7] = {0, 1, 2, 3, 10, 100, 255};
    static const uint32_t index[6] = {1, 2, 3, 5, 77, 1000};
    static const uint32_t want[7][6] = {
        {0x80000000, 0xc0000000, 0x40000000, 0xe0000000, 0xd6000000, 0x38400000},
        {0x80000000, 0x40000000, 0xc0000000, 0xe0000000, 0xd6000000, 0x18c00000},
        {0x80000000, 0x40000000, 0xc0000000, 0x20000000, 0x02000000, 0x84c00000},
        {0x80000000, 0x40000000, 0xc0000000, 0x60000000, 0xc6000000, 0xad400000},
        {0x80000000, 0xc0000000, 0x40000000, 0x60000000, 0x22000000, 0x15c00000},
        {0x80000000, 0x40000000, 0xc0000000, 0x20000000, 0xe6000000, 0xc4c00000},
        {0x80000000, 0xc0000000, 0x40000000, 0xe0000000, 0xf6000000, 0x3fc00000}};
    ty_sobol sobol;
    uint32_t plain[TY_SOBOL_MAX_DIMS];
    ty_sobol_init(&sobol, TY_SOBOL_MAX_DIMS, ty_rng_key_of(1, TY_STREAM_SWEEP));
    for (int i = 0; i < 6; i++) {
        ty_sobol_plain(&sobol, index[i], plain);
        for (int d = 0; d < 7; d++)
            assert_int_equal(plain[dims[d]], want[d][i]);
    }
}

/* Each of 256 intervals of each dimension has one of 256 points that follow each other from a multiple of
 * 256 on, and each of the 256 boxes 1/16 by 1/16 of the first two dimensions. */
static void scrambled_points_are_a_net(void **state) {
    (void)state;
    enum { N = 256 };
    bool is_taken[TY_SOBOL_MAX_DIMS][N] = {0}, is_box_taken[N] = {0};
    ty_sobol sobol;
    ty_sobol_init(&sobol, TY_SOBOL_MAX_DIMS, ty_rng_key_of(5, TY_STREAM_SWEEP));
    for (uint32_t i = 0; i < N; i++) {
        double u[TY_SOBOL_MAX_DIMS];
        ty_sobol_point(&sobol, 3 * N + i, u);
        for (size_t d = 0; d < TY_SOBOL_MAX_DIMS; d++) {
            assert_true(u[d] > 0 && u[d] < 1);
            assert_false(is_taken[d][(size_t)(u[d] * N)]);
            is_taken[d][(size_t)(u[d] * N)] = true;
        }
        const size_t box = (size_t)(u[0] * 16) * 16 + (size_t)(u[1] * 16);
        assert_false(is_box_taken[box]);
        is_box_taken[box] = true;
    }
}

static void another_key_is_another_sequence(void **state) {
    (void)state;
    ty_sobol sobol;
    double a[3], b[3];
    ty_sobol_init(&sobol, 3, ty_rng_key_of(1, TY_STREAM_SWEEP));
    ty_sobol_point(&sobol, 7, a);
    ty_sobol_init(&sobol, 3, ty_rng_key_of(2, TY_STREAM_SWEEP));
    ty_sobol_point(&sobol, 7, b);
    for (int d = 0; d < 3; d++)
        assert_true(a[d] != b[d]);
}

static void points_of_any_space_are_legal_and_repeatable(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++)
        case_play_space(seed, seed % 2,
                        &(case_game){.sampler = "\"sobol\"",
                                     .seed = seed,
                                     .trials = 40,
                                     .window = 1 + seed % 3,
                                     .values = CASE_MIXED,
                                     .compare_every = 1});
}

static void choices_come_equally_often_and_by_their_probabilities(void **state) {
    (void)state;
    static const double probabilities[3] = {0.5, 0.125, 0.375};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_param params[] = {
        {.name = "a", .prior = TY_PRIOR_CHOICE, .choice_count = 4},
        {.name = "b", .prior = TY_PRIOR_CHOICE, .choice_count = 3, .probabilities = probabilities}};
    ty_space space = {.params = params, .count = 2};
    assert_int_equal(ty_space_seal(&ctx, &space), TY_OK);
    ty_sampler *sampler = case_open(&ctx, "\"sobol\"", &space, 3);
    ty_history history;
    ty_history_init(&history, &space);
    int a[4] = {0}, b[3] = {0};
    for (size_t trial = 0; trial < 64; trial++) {
        double x[2];
        case_suggest(&ctx, sampler, &history, trial, x);
        a[(size_t)x[0]]++;
        b[(size_t)x[1]]++;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(a[i], 16);
    for (int i = 0; i < 3; i++)
        assert_int_equal(b[i], (int)(64 * probabilities[i]));
    ty_history_clear(&history);
    ty_sampler_close(sampler);
    ty_ctx_clear(&ctx);
}

static void another_machine_has_the_same_bits(void **state) {
    (void)state;
    const case_game game = {.sampler = "\"sobol\"",
                            .seed = 1,
                            .trials = 100,
                            .window = 1,
                            .values = CASE_MIXED,
                            .compare_every = 1};
    assert_int_equal(case_play_space(11, false, &game), UINT64_C(0x561672b1bf294799));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_that_of_joe_and_kuo),
        cmocka_unit_test(scrambled_points_are_a_net),
        cmocka_unit_test(another_key_is_another_sequence),
        cmocka_unit_test(points_of_any_space_are_legal_and_repeatable),
        cmocka_unit_test(choices_come_equally_often_and_by_their_probabilities),
        cmocka_unit_test(another_machine_has_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
