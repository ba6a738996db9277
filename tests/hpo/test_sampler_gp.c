/* The Gaussian process over trials: pure, legal, and the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/hpo/sampler_suite.h"

/* The numbers were written down once; another machine, instruction set or compiler that suggests
 * otherwise breaks the promise that a sweep is the same everywhere. */
static void suggestions_are_those_written_down(void **state) {
    (void)state;
    const case_game game = {
        .sampler = "\"gp\"", .seed = 21, .trials = 60, .window = 2, .values = CASE_MIXED};
    assert_int_equal(case_play_space(33, false, &game), UINT64_C(0x564c2d5ef75aa9b8));
    assert_int_equal(case_play_space(39, false, &game), UINT64_C(0x1a92db31de997bf5));
}

static void more_trials_than_rows_are_pure_too(void **state) {
    (void)state;
    case_play_space(
        6, false,
        &(case_game){.sampler = "{\"type\": \"gp\", \"candidates\": 32, \"max_rows\": 64}",
                     .seed = 6,
                     .trials = 110,
                     .window = 2,
                     .values = CASE_MIXED,
                     .compare_every = 7});
}

int main(void) {
    static const char *const samplers[] = {
        "{\"type\": \"gp\", \"candidates\": 64}",
        "{\"type\": \"gp\", \"candidates\": 32, \"startup\": 3}"};
    sampler_suite suite = {.samplers = samplers, .count = 2, .trials = 40, .window = 8};
    const struct CMUnitTest tests[] = {
        SAMPLER_SUITE(&suite),
        cmocka_unit_test(suggestions_are_those_written_down),
        cmocka_unit_test(more_trials_than_rows_are_pure_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
