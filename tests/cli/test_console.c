/* Numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/console.h"

static void counts_are_grouped_by_threes(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_count(0, out), "0");
    assert_string_equal(console_count(999, out), "999");
    assert_string_equal(console_count(1000, out), "1,000");
    assert_string_equal(console_count(-1234567, out), "-1,234,567");
    assert_string_equal(console_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

static void durations_use_two_units_at_most(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_duration(0, out), "0s");
    assert_string_equal(console_duration(0.42, out), "0.4s");
    assert_string_equal(console_duration(9, out), "9s");
    assert_string_equal(console_duration(9.96, out), "10s");
    assert_string_equal(console_duration(59.4, out), "59s");
    assert_string_equal(console_duration(63, out), "1m03s");
    assert_string_equal(console_duration(3960, out), "1h06m");
    assert_string_equal(console_duration(-5, out), "0s");
}

static void bytes_use_binary_units(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_bytes(1023, out), "1023 B");
    assert_string_equal(console_bytes(1536, out), "1.5 KiB");
    assert_string_equal(console_bytes(3.0 * 1024 * 1024 * 1024, out), "3.0 GiB");
}

static void rank_0_does_not_name_itself(void **state) {
    (void)state;
    assert_string_equal(console_own_words("rank 0 (node): no data"), "no data");
    assert_string_equal(console_own_words("rank 1 (node): no data"), "rank 1 (node): no data");
    assert_string_equal(console_own_words("no data"), "no data");
}

static void columns_are_characters(void **state) {
    (void)state;
    assert_int_equal(console_columns(""), 0);
    assert_int_equal(console_columns("na\xc3\xafve"), 5);
}

static const char *plain_environment(const char *name) {
    (void)name;
    return NULL;
}

static void colour_is_off_unless_somebody_watches_or_asks(void **state) {
    (void)state;
    ty_ctx ctx;
    console c;
    ty_ctx_init(&ctx);
    ctx.getenv = plain_environment;
    console_init(&c, &ctx, false, false, "never");
    assert_string_equal(console_red(&c), "");
    console_clear(&c);
    console_init(&c, &ctx, false, false, "always");
    assert_string_equal(console_red(&c), "\033[31m");
    console_clear(&c);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_grouped_by_threes),
        cmocka_unit_test(durations_use_two_units_at_most),
        cmocka_unit_test(bytes_use_binary_units),
        cmocka_unit_test(rank_0_does_not_name_itself),
        cmocka_unit_test(columns_are_characters),
        cmocka_unit_test(colour_is_off_unless_somebody_watches_or_asks),
    };
    return cmocka_run_group_tests_name("cli.console", tests, NULL, NULL);
}
