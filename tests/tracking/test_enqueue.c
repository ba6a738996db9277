/* What a metric point asks of the thread that trains: no memory. */
#include "tests/tracking/fixture.h"

#include "tests/support/count_allocations.h"

enum { N_POINTS = 3000 };

static void the_count_sees_what_this_thread_allocates(void **state) {
    (void)state;
    const int64_t before = count_allocations();
    ty_text text = {0};
    ty_text_add(&text, "a text of its own");
    assert_true(count_allocations() > before);
    ty_text_clear(&text);
}

static void telling_a_point_allocates_nothing(void **state) {
    static const char *const keys[] = {"train/loss", "train/learning_rate", "val/top_k_accuracy"};
    fixture *f = *state;
    ty_tracker *tracker = fixture_open(f);
    tell_start(f, tracker, 0);
    const int64_t before = count_allocations();
    for (int64_t i = 0; i < N_POINTS; i++)
        tell_metric(f, tracker, keys[i % 3], i / 3, 0.5);
    assert_int_equal(count_allocations() - before, 0);
    tell_end(f, tracker, TY_RUN_FINISHED, NULL);
    fixture_close(f, tracker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_sees_what_this_thread_allocates),
        cmocka_unit_test_setup_teardown(telling_a_point_allocates_nothing, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
