/* What must hold for every sampler that learns: pure, legal, and stopped by nothing that trials come to. */
#ifndef TY_TESTS_HPO_SAMPLER_SUITE_H
#define TY_TESTS_HPO_SAMPLER_SUITE_H

#include "tests/hpo/sampler_cases.h"

typedef struct sampler_suite {
    const char *const *samplers; /* [count], JSON */
    size_t count;
    size_t trials; /* of a game that is long enough to learn */
    size_t window; /* so many under way at a time are many */
} sampler_suite;

/* Tests of all samplers of *suite: elements of an array of CMUnitTest. */
#define SAMPLER_SUITE(suite)                                                                       \
    cmocka_unit_test_prestate(a_fresh_sampler_suggests_the_same_bits_on_any_space, suite),         \
        cmocka_unit_test_prestate(the_same_game_twice_is_the_same, suite),                         \
        cmocka_unit_test_prestate(another_seed_is_another_search, suite),                          \
        cmocka_unit_test_prestate(values_that_say_nothing_or_too_much_stop_nothing, suite),        \
        cmocka_unit_test_prestate(another_attempt_is_another_point, suite),                        \
        cmocka_unit_test_prestate(repeated_points_stop_nothing, suite),                            \
        cmocka_unit_test_prestate(choices_alone_can_be_searched, suite),                           \
        cmocka_unit_test_prestate(what_hangs_on_a_number_plays_by_its_value, suite),               \
        cmocka_unit_test_prestate(fractions_of_a_lattice_are_its_values, suite),                   \
        cmocka_unit_test_prestate(many_under_way_at_a_time_are_legal_and_pure, suite)

void a_fresh_sampler_suggests_the_same_bits_on_any_space(void **state);
void the_same_game_twice_is_the_same(void **state);
void another_seed_is_another_search(void **state);
void values_that_say_nothing_or_too_much_stop_nothing(void **state);
void another_attempt_is_another_point(void **state);
void repeated_points_stop_nothing(void **state);
void choices_alone_can_be_searched(void **state);
void what_hangs_on_a_number_plays_by_its_value(void **state);
void fractions_of_a_lattice_are_its_values(void **state);
void many_under_way_at_a_time_are_legal_and_pure(void **state);

#endif
