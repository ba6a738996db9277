/* The side of a chart: where values lie, and which are named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/pictures/axis.h"

static axis axis_from(double low, double high, axis_kind kind) {
    return (axis){.kind = kind, .low = low, .high = high, .from = 100, .to = 300};
}

static void assert_ticks(const axis *a, int wanted, const char *want) {
    axis_tick ticks[AXIS_MAX_TICKS];
    ty_text got = {0};
    const int n = axis_ticks(a, wanted, ticks);
    for (int i = 0; i < n; i++)
        ty_text_addf(&got, "%s%s", i ? " " : "", ticks[i].text);
    assert_string_equal(ty_text_string(&got), want);
    ty_text_clear(&got);
}

static void values_lie_in_proportion(void **state) {
    (void)state;
    const axis plain = axis_from(0, 10, AXIS_LINEAR), log = axis_from(1e-4, 1, AXIS_LOG);
    assert_float_equal(axis_place(&plain, 2.5), 150, 1e-9);
    assert_float_equal(axis_place(&log, 1e-2), 200, 1e-9);
    assert_float_equal(axis_value(&plain, 0.25), 2.5, 1e-12);
    assert_float_equal(axis_value(&log, 0.5), 1e-2, 1e-12);
}

static void ticks_are_round(void **state) {
    (void)state;
    axis a = axis_from(0.03, 1.07, AXIS_LINEAR);
    assert_ticks(&a, 5, "0.2 0.4 0.6 0.8 1");
    a = axis_from(-0.31, 0.3, AXIS_LINEAR);
    assert_ticks(&a, 5, "-0.3 -0.2 -0.1 0 0.1 0.2 0.3");
    a = axis_from(-0.5, 2.5, AXIS_LINEAR);
    a.is_whole = true;
    assert_ticks(&a, 8, "0 1 2");
}

static void ticks_that_lie_close_together_differ(void **state) {
    (void)state;
    axis a = axis_from(999999.8, 1000005.2, AXIS_LINEAR);
    a.is_whole = true;
    assert_ticks(&a, 5, "1000000 1000001 1000002 1000003 1000004 1000005");
    a = axis_from(0.99999995, 1.00000045, AXIS_LINEAR);
    assert_ticks(&a, 5, "1 1.0000001 1.0000002 1.0000003 1.0000004");
    a = axis_from(0, 2.1e9, AXIS_LINEAR);
    assert_ticks(&a, 4, "0 5e8 1e9 1.5e9 2e9");
}

static void ticks_that_have_no_room_are_left_out(void **state) {
    (void)state;
    axis a = axis_from(999999.8, 1000005.2, AXIS_LINEAR);
    ty_text out = {0};
    a.is_whole = true;
    axis_draw_bottom(&a, 5, 0, &out);
    assert_non_null(strstr(ty_text_string(&out), ">1000002<"));
    assert_null(strstr(ty_text_string(&out), ">1000001<"));
    a.to = 900;
    axis_draw_bottom(&a, 5, 0, &out);
    assert_non_null(strstr(ty_text_string(&out), ">1000001<"));
    ty_text_clear(&out);
}

static void logarithms_are_told_by_decades(void **state) {
    (void)state;
    axis a = axis_from(1e-5, 0.1, AXIS_LOG);
    assert_ticks(&a, 6, "1e-5 0.0001 0.001 0.01 0.1");
    assert_ticks(&a, 3, "0.0001 0.01");
    a = axis_from(0.9, 31, AXIS_LOG);
    assert_ticks(&a, 5, "1 2 5 10 20");
    a = axis_from(2.1, 2.9, AXIS_LOG);
    assert_ticks(&a, 4, "2.2 2.4 2.6 2.8");
}

static void name(const void *of, size_t i, ty_text *out) {
    ty_text_addf(out, "%s%zu", (const char *)of, i);
}

static void choices_are_named_as_many_as_there_is_room_for(void **state) {
    (void)state;
    axis a = axis_from(-0.5, 2.5, AXIS_CHOICE);
    a.name = name;
    a.of = "c";
    assert_ticks(&a, 4, "c0 c1 c2");
    a.high = 9999.5;
    assert_ticks(&a, 4, "c0 c2500 c5000 c7500");
    a.of = "\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e"
           "\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e"
           "\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e\xf0\x9f\x8d\x8e";
    axis_tick ticks[AXIS_MAX_TICKS];
    assert_int_equal(axis_ticks(&a, 1, ticks), 1);
    assert_int_equal(strlen(ticks[0].text), 14 * 4 + 3); /* whole characters and an ellipsis */
}

static void the_ends_of_what_a_double_can_be_have_ticks(void **state) {
    (void)state;
    static const double ends[][2] = {{-1e308, 1e308}, {1e300, 1e300 * (1 + 1e-15)}, {0, 5e-324}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const range r = {.low = ends[i][0], .high = ends[i][1], .n = 2};
        const axis a = axis_over(&r, AXIS_LINEAR, 100, 300);
        axis_tick ticks[AXIS_MAX_TICKS];
        const int n = axis_ticks(&a, 5, ticks);
        assert_true(n >= 1 && n <= AXIS_MAX_TICKS);
        for (int k = 0; k < n; k++)
            assert_true(isfinite(axis_place(&a, ticks[k].value)));
    }
    const axis wide = axis_from(1e-300, 1e300, AXIS_LOG);
    axis_tick ticks[AXIS_MAX_TICKS];
    const int n = axis_ticks(&wide, 5, ticks);
    assert_true(n >= 3 && n <= 7);
}

static void a_range_knows_finite_values_alone(void **state) {
    (void)state;
    range r = {0};
    axis a = axis_over(&r, AXIS_LOG, 0, 1);
    assert_true(a.kind == AXIS_LINEAR && a.low == 0 && a.high == 1);
    range_take(&r, NAN);
    range_take(&r, INFINITY);
    assert_int_equal(r.n, 0);
    range_take(&r, 0.5);
    range_take(&r, 5);
    assert_true(range_is_wide(&r, 10) && !range_is_wide(&r, 11));
    range_widen(&r, AXIS_LOG, 1);
    assert_float_equal(r.low, 0.05, 1e-12);
    assert_float_equal(r.high, 50, 1e-9);
    range_take(&r, 0);
    assert_false(range_is_wide(&r, 10));
    a = axis_over(&r, AXIS_LOG, 0, 1);
    assert_int_equal(a.kind, AXIS_LINEAR);
}

static void words_are_fit_for_xml(void **state) {
    (void)state;
    ty_text out = {0};
    axis_add_words(&out, "a<b>\x02&\xff\x7f'\xc3\xa9", 40);
    assert_string_equal(ty_text_string(&out), "a&lt;b&gt;?&amp;??&#39;\xc3\xa9");
    ty_text_clear(&out);
    axis_add_words(&out, "\xef\xbf\xbd-\xef\xbf\xbe-\xef\xbf\xbf", 40);
    assert_string_equal(ty_text_string(&out), "\xef\xbf\xbd-?-?");
    ty_text_clear(&out);
    axis_add_words(&out, "abcdef", 4);
    assert_string_equal(ty_text_string(&out), "abc\xe2\x80\xa6");
    ty_text_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lie_in_proportion),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(ticks_that_lie_close_together_differ),
        cmocka_unit_test(ticks_that_have_no_room_are_left_out),
        cmocka_unit_test(logarithms_are_told_by_decades),
        cmocka_unit_test(choices_are_named_as_many_as_there_is_room_for),
        cmocka_unit_test(the_ends_of_what_a_double_can_be_have_ticks),
        cmocka_unit_test(a_range_knows_finite_values_alone),
        cmocka_unit_test(words_are_fit_for_xml),
    };
    return cmocka_run_group_tests_name("cli.axis", tests, NULL, NULL);
}
