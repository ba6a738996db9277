/* The order of samples: a permutation of each epoch, local where the set is large, the same for
 * ever. */
#include "tests/data/data_fixture.h"

static void assert_permutation(const ty_sampler *sampler, int64_t epoch) {
    char *seen = calloc((size_t)sampler->n, 1);
    assert_non_null(seen);
    for (int64_t i = 0; i < sampler->n; i++) {
        const int64_t sample = ty_sampler_at(sampler, epoch, i);
        assert_in_range(sample, 0, sampler->n - 1);
        if (seen[sample]++)
            fail_msg("n %lld window %lld block %lld epoch %lld: sample %lld comes twice",
                     (long long)sampler->n, (long long)sampler->window, (long long)sampler->block,
                     (long long)epoch, (long long)sample);
    }
    free(seen);
}

static void every_epoch_is_a_permutation_for_any_sizes(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 7, 64, 100, 1000, 1001, 4099};
    const int64_t blocks[] = {1, 2, 3, 10, 64, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
            for (int64_t per_window = 1; per_window <= 4; per_window++)
                for (int64_t epoch = 0; epoch < 3; epoch++)
                    assert_permutation(&(ty_sampler){.seed = 5,
                                                     .n = sizes[s],
                                                     .block = blocks[b],
                                                     .window = blocks[b] * per_window},
                                       epoch);
}

static void epochs_and_seeds_have_orders_of_their_own(void **state) {
    (void)state;
    const ty_sampler a = {.seed = 1, .n = 1000, .block = 1000, .window = 1000};
    const ty_sampler b = {.seed = 2, .n = 1000, .block = 1000, .window = 1000};
    int same_epoch = 0, same_seed = 0, in_place = 0;
    for (int64_t i = 0; i < a.n; i++) {
        same_epoch += ty_sampler_at(&a, 0, i) == ty_sampler_at(&a, 1, i);
        same_seed += ty_sampler_at(&a, 0, i) == ty_sampler_at(&b, 0, i);
        in_place += ty_sampler_at(&a, 0, i) == i;
    }
    /* One match is expected; ten have a chance below 1e-7. */
    assert_in_range(same_epoch, 0, 9);
    assert_in_range(same_seed, 0, 9);
    assert_in_range(in_place, 0, 9);
}

static void a_window_reads_only_its_own_blocks(void **state) {
    (void)state;
    const ty_sampler sampler = {.seed = 3, .n = 10050, .block = 100, .window = 500};
    for (int64_t window = 0; window < 20; window++) {
        /* Blocks are shifted together, so at most 5 of them touch at most 10 stretches of 100. */
        bool touched[101] = {false};
        int n_touched = 0;
        for (int64_t i = window * 500; i < (window + 1) * 500; i++) {
            const int64_t stretch = ty_sampler_at(&sampler, 2, i) / 100;
            n_touched += !touched[stretch];
            touched[stretch] = true;
        }
        assert_in_range(n_touched, 5, 11); /* one more where a block wraps round the end */
    }
}

static void blocks_follow_each_other_in_another_order_each_epoch(void **state) {
    (void)state;
    const ty_sampler sampler = {.seed = 3, .n = 10000, .block = 100, .window = 100};
    int same = 0;
    for (int64_t i = 0; i < sampler.n; i += 100)
        same += ty_sampler_at(&sampler, 0, i) / 100 == ty_sampler_at(&sampler, 1, i) / 100;
    assert_in_range(same, 0, 15);
}

/* Computed once by this code and frozen: checkpoints depend on it. */
static void the_order_is_the_one_that_was_released(void **state) {
    (void)state;
    const ty_sampler whole = {.seed = 42, .n = 1000, .block = 1000, .window = 1000};
    const ty_sampler blocks = {.seed = 42, .n = 1000, .block = 10, .window = 50};
    const int64_t want_whole[] = {618, 977, 213, 167, 549, 535, 832, 63};
    const int64_t want_blocks[] = {895, 137, 679, 845, 927, 801, 174, 103};
    for (int64_t i = 0; i < 8; i++) {
        assert_int_equal(ty_sampler_at(&whole, 1, i), want_whole[i]);
        assert_int_equal(ty_sampler_at(&blocks, 1, i * 60), want_blocks[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_epoch_is_a_permutation_for_any_sizes),
        cmocka_unit_test(epochs_and_seeds_have_orders_of_their_own),
        cmocka_unit_test(a_window_reads_only_its_own_blocks),
        cmocka_unit_test(blocks_follow_each_other_in_another_order_each_epoch),
        cmocka_unit_test(the_order_is_the_one_that_was_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
