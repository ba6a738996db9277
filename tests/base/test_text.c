/* Growing strings, escapes and the distance behind "did you mean". */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void assert_text(ty_text *text, const char *wanted) {
    assert_false(text->is_short);
    assert_string_equal(ty_text_string(text), wanted);
    assert_int_equal(text->length, strlen(wanted));
    ty_text_clear(text);
}

static void an_empty_text_is_an_empty_string(void **state) {
    (void)state;
    ty_text text = {0};
    assert_text(&text, "");
    ty_text_clear(NULL);
}

static void adding_grows_across_capacities(void **state) {
    (void)state;
    ty_text text = {0};
    char wanted[3001] = {0};
    for (int i = 0; i < 1000; i++) {
        ty_text_addf(&text, "%03d", i);
        wanted[3 * i] = (char)('0' + i / 100);
        wanted[3 * i + 1] = (char)('0' + i / 10 % 10);
        wanted[3 * i + 2] = (char)('0' + i % 10);
    }
    assert_text(&text, wanted);
}

static void bytes_and_strings_and_formats_append(void **state) {
    (void)state;
    ty_text text = {0};
    ty_text_add(&text, "a");
    ty_text_add_n(&text, "bcd", 2);
    ty_text_add_n(&text, NULL, 0);
    ty_text_addf(&text, "[%d]", 7);
    assert_text(&text, "abc[7]");
}

static void a_size_that_no_memory_holds_makes_the_text_short(void **state) {
    (void)state;
    ty_text text = {0};
    ty_text_add(&text, "kept");
    ty_text_add_n(&text, "", SIZE_MAX - 2);
    assert_true(text.is_short);
    ty_text_add(&text, "dropped");
    assert_string_equal(ty_text_string(&text), "kept");
    ty_text_clear(&text);
    assert_false(text.is_short);
}

static void json_strings_escape_what_json_wants(void **state) {
    (void)state;
    ty_text text = {0};
    ty_text_add_json(&text, "a\"b\\c\n\r\t\x01\x7f/\xc3\xa9\xf0\x9f\x98\x80");
    assert_text(&text, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f/\xc3\xa9\xf0\x9f\x98\x80\"");
}

#define REPLACED "\xef\xbf\xbd"

static void json_strings_replace_invalid_utf8(void **state) {
    (void)state;
    static const struct {
        const char *raw, *wanted;
    } cases[] = {
        {"a\xff z", "\"a" REPLACED " z\""},
        {"\xc3", "\"" REPLACED "\""},
        {"\xc0\xaf", "\"" REPLACED REPLACED "\""},
        {"\xe0\x80\xaf", "\"" REPLACED REPLACED REPLACED "\""},
        {"\xed\xa0\x80", "\"" REPLACED REPLACED REPLACED "\""},
        {"\xf4\x90\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""},
        {"\xf0\x9f\x98", "\"" REPLACED REPLACED REPLACED "\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ty_text text = {0};
        ty_text_add_json(&text, cases[i].raw);
        assert_text(&text, cases[i].wanted);
    }
}

static void utf8_lengths_are_those_of_the_standard(void **state) {
    (void)state;
    assert_int_equal(ty_text_utf8_length(""), 0);
    assert_int_equal(ty_text_utf8_length("a"), 1);
    assert_int_equal(ty_text_utf8_length("\xc2\x80"), 2);
    assert_int_equal(ty_text_utf8_length("\xed\x9f\xbf"), 3);
    assert_int_equal(ty_text_utf8_length("\xef\xbf\xbf"), 3);
    assert_int_equal(ty_text_utf8_length("\xf4\x8f\xbf\xbf"), 4);
    assert_int_equal(ty_text_utf8_length("\x80"), 0);
}

static void numbers_are_short_and_read_back(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *wanted;
    } cases[] = {
        {0.1, "0.1"},
        {0.0003, "0.0003"},
        {1.0 / 3, "0.3333333333333333"},
        {1e300, "1e+300"},
        {-2.5, "-2.5"},
        {0, "0"},
        {-0.0, "-0.0"},
        {5e-324, "4.94065645841247e-324"},
        {9007199254740993.0, "9007199254740992"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ty_text text = {0};
        ty_text_add_number(&text, cases[i].value);
        if (isfinite(cases[i].value))
            assert_true(strtod(ty_text_string(&text), NULL) == cases[i].value);
        assert_text(&text, cases[i].wanted);
    }
}

static void times_are_utc_to_the_microsecond(void **state) {
    (void)state;
    ty_text text = {0};
    ty_text_add_time(&text, 0);
    assert_string_equal(ty_text_string(&text), "1970-01-01T00:00:00.000000+00:00");
    ty_text_add_time(&text, INT64_C(1769860800123456789));
    assert_string_equal(ty_text_string(&text) + 32, "2026-01-31T12:00:00.123456+00:00");
    ty_text_clear(&text);
}

static void html_escapes_all_five(void **state) {
    (void)state;
    ty_text text = {0};
    ty_text_add_html(&text, "<a href=\"x\">R&D's</a>");
    assert_text(&text, "&lt;a href=&quot;x&quot;&gt;R&amp;D&#39;s&lt;/a&gt;");
}

static void distance_counts_edits_and_swaps(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int wanted;
    } cases[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "", 3},
        {"same", "same", 0},
        {"learnig", "learning", 1},
        {"lerning", "learning", 1},
        {"laerning", "learning", 1},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"abcd", "badc", 2},
        {"epochs", "steps", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ty_text_distance(cases[i].a, cases[i].b), cases[i].wanted);
        assert_int_equal(ty_text_distance(cases[i].b, cases[i].a), cases[i].wanted);
    }
}

static void distance_of_long_strings_is_bounded_work(void **state) {
    (void)state;
    char a[256], b[257];
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    a[255] = b[256] = '\0';
    assert_int_equal(ty_text_distance(a, a), 0);
    assert_int_equal(ty_text_distance(a, b), 256);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_text_is_an_empty_string),
        cmocka_unit_test(adding_grows_across_capacities),
        cmocka_unit_test(bytes_and_strings_and_formats_append),
        cmocka_unit_test(a_size_that_no_memory_holds_makes_the_text_short),
        cmocka_unit_test(json_strings_escape_what_json_wants),
        cmocka_unit_test(json_strings_replace_invalid_utf8),
        cmocka_unit_test(utf8_lengths_are_those_of_the_standard),
        cmocka_unit_test(numbers_are_short_and_read_back),
        cmocka_unit_test(times_are_utc_to_the_microsecond),
        cmocka_unit_test(html_escapes_all_five),
        cmocka_unit_test(distance_counts_edits_and_swaps),
        cmocka_unit_test(distance_of_long_strings_is_bounded_work),
    };
    return cmocka_run_group_tests_name("base.text", tests, NULL, NULL);
}
