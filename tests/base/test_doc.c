/* Documents: what is accepted, what is refused and how that is said, where values were written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc_fixture.h"

/* --- what is refused -------------------------------------------------------------------------- */

static const bad_text bad_texts[] = {
    {"", "error: c.json:1:1: nothing but space; want an object: { ... }\n    1 | \n      | ^"},
    {" \n // only a comment", "error: c.json:2:19: nothing but space; want an object: { ... }\n"
                              "    2 |  // only a comment\n      |                   ^"},
    {"5", "error: c.json:1:1: want an object: { ... }\n    1 | 5\n      | ^"},
    {"{", "error: c.json:1:1: the text ends before this is closed\n    1 | {\n      | ^"},
    {"{\"a\": 1",
     "error: c.json:1:1: the text ends before this is closed\n    1 | {\"a\": 1\n      | ^"},
    {"{\"a\":",
     "error: c.json:1:6: the text ends where a value is wanted\n    1 | {\"a\":\n      |      ^"},
    {"{\"a\": 1\n \"b\": 2}",
     "error: c.json:2:2: want \",\" or \"}\" before this\n    2 |  \"b\": 2}\n      |  ^"},
    {"{\"a\": [1 2]}",
     "error: c.json:1:10: want \",\" or \"]\" before this\n    1 | {\"a\": [1 2]}\n"
     "      |          ^"},
    {"{a: 1}", "error: c.json:1:2: a key wants double quotes: \"a\"\n    1 | {a: 1}\n      |  ^"},
    {"{'a': 1}", "error: c.json:1:2: want a key in double quotes\n    1 | {'a': 1}\n      |  ^"},
    {"{\"a\": 'x'}",
     "error: c.json:1:7: a string wants double quotes\n    1 | {\"a\": 'x'}\n      |       ^"},
    {"{\"a\" = 1}",
     "error: c.json:1:6: want \":\" between key and value\n    1 | {\"a\" = 1}\n      |      ^"},
    {"{\"a\": True}",
     "error: c.json:1:7: True is no JSON value; want a string in double quotes, a number, "
     "true, false or null\n    1 | {\"a\": True}\n      |       ^~~~"},
    {"{\"a\": NaN}",
     "error: c.json:1:7: NaN is no JSON value; want a string in double quotes, a number, "
     "true, false or null\n    1 | {\"a\": NaN}\n      |       ^~~"},
    {"{\"a\": 007}",
     "error: c.json:1:7: \"007\" is no JSON number\n    1 | {\"a\": 007}\n      |       ^~~"},
    {"{\"a\": +1}",
     "error: c.json:1:7: \"+1\" is no JSON number\n    1 | {\"a\": +1}\n      |       ^~"},
    {"{\"a\": .5}",
     "error: c.json:1:7: \".5\" is no JSON number\n    1 | {\"a\": .5}\n      |       ^~"},
    {"{\"a\": 1.}",
     "error: c.json:1:7: \"1.\" is no JSON number\n    1 | {\"a\": 1.}\n      |       ^~"},
    {"{\"a\": 0x10}",
     "error: c.json:1:7: \"0x10\" is no JSON number\n    1 | {\"a\": 0x10}\n      |       ^~~~"},
    {"{\"a\": 1e999}", "error: c.json:1:7: 1e999 is beyond what a double holds\n    1 | {\"a\": "
                       "1e999}\n      |       ^~~~~"},
    {"{\"a\": 9223372036854775808}",
     "error: c.json:1:7: 9223372036854775808 is beyond what a 64-bit integer holds\n"
     "    1 | {\"a\": 9223372036854775808}\n      |       ^~~~~~~~~~~~~~~~~~~"},
    {"{\"a\": \"x\n\"}", "error: c.json:1:7: this string is not closed on its line\n"
                         "    1 | {\"a\": \"x\n      |       ^~"},
    {"{\"a\": \"\t\"}", "error: c.json:1:8: a control character in a string; write \\u0009\n"
                        "    1 | {\"a\": \"\t\"}\n      |        ^"},
    {"{\"a\": \"\\q\"}",
     "error: c.json:1:8: no such escape in a string; a backslash itself is \\\\\n"
     "    1 | {\"a\": \"\\q\"}\n      |        ^~"},
    {"{\"a\": \"\\u12g4\"}", "error: c.json:1:8: \\u wants four hexadecimal digits\n"
                             "    1 | {\"a\": \"\\u12g4\"}\n      |        ^~"},
    {"{\"a\": \"\\u0000\"}", "error: c.json:1:8: a string must not hold a NUL (\\u0000)\n"
                             "    1 | {\"a\": \"\\u0000\"}\n      |        ^~~~~~"},
    {"{\"a\": \"\\ud800\"}",
     "error: c.json:1:8: half of a surrogate pair; want \\uD8xx\\uDCxx or the character itself\n"
     "    1 | {\"a\": \"\\ud800\"}\n      |        ^~~~~~"},
    {"{\"a\": \"\\udc00\"}",
     "error: c.json:1:8: half of a surrogate pair; want \\uD8xx\\uDCxx or the character itself\n"
     "    1 | {\"a\": \"\\udc00\"}\n      |        ^~~~~~"},
    {"{\"a\": [,]}",
     "error: c.json:1:8: want a value, not \",\"\n    1 | {\"a\": [,]}\n      |        ^"},
    {"{\"a\": [1,,]}",
     "error: c.json:1:10: want a value, not \",\"\n    1 | {\"a\": [1,,]}\n      |          ^"},
    {"{,}", "error: c.json:1:2: want a key in double quotes\n    1 | {,}\n      |  ^"},
    {"{} {}",
     "error: c.json:1:4: something follows the end of the document\n    1 | {} {}\n      |    ^"},
    {"{\n /* open",
     "error: c.json:2:2: this comment is never closed; want */\n    2 |  /* open\n      |  ^~"},
    {"{\"a\": 1, /* x */ \"b\" 2}",
     "error: c.json:1:22: want \":\" between key and value\n    1 | {\"a\": 1, /* x */ \"b\" 2}\n"
     "      |                      ^"},
    {"{\n  \"a\": 1,\n  \"b\": {\"c\": 1, \"c\": 2}\n}",
     "error: c.json:3:17: duplicate key \"c\"\n    3 |   \"b\": {\"c\": 1, \"c\": 2}\n"
     "      |                 ^~~ first written at 3:9"},
    {"{\"a\": 1, \"\\u0061\": 2}",
     "error: c.json:1:10: duplicate key \"\\u0061\"\n    1 | {\"a\": 1, \"\\u0061\": 2}\n"
     "      |          ^~~~~~~~ first written at 1:2"},
    {"{\"a\": \"\xff\"}",
     "error: c.json:1:8: the byte 0xff is not UTF-8\n    1 | {\"a\": \"?\"}\n      |        ^"},
    {"{\"\xc3\xa9\": \xc3\xa9}", "error: c.json:1:7: want a value, not \"\xc3\xa9\"\n"
                                 "    1 | {\"\xc3\xa9\": \xc3\xa9}\n      |       ^"},
    {"{\t\"a\":\tx}",
     "error: c.json:1:8: x is no JSON value; want a string in double quotes, a number, "
     "true, false or null\n    1 | {\t\"a\":\tx}\n      |  \t    \t^"},
    {"{\"a\": \"${env:NOPE}\"}",
     "error: c.json:1:7: the environment variable NOPE is not set\n    1 | {\"a\": "
     "\"${env:NOPE}\"}\n"
     "      |       ^~~~~~~~~~~~~ ${env:NOPE:-default} would give it a default"},
    {"{\"a\": \"x${env:}\"}", "error: c.json:1:7: want ${env:NAME} or ${env:NAME:-default}\n"
                              "    1 | {\"a\": \"x${env:}\"}\n      |       ^~~~~~~~~~"},
    {"{\"a\": \"${env:HOME\"}", "error: c.json:1:7: want ${env:NAME} or ${env:NAME:-default}\n"
                                "    1 | {\"a\": \"${env:HOME\"}\n      |       ^~~~~~~~~~~~"},
    {"{\"a\": \"${env:LATIN1}\"}",
     "error: c.json:1:7: the environment variable's value is not UTF-8\n"
     "    1 | {\"a\": \"${env:LATIN1}\"}\n      |       ^~~~~~~~~~~~~~~"},
    {"{\"extends\": 5}", "error: c.json:1:13: extends wants a path or a list of paths\n"
                         "    1 | {\"extends\": 5}\n      |             ^"},
};

static void every_bad_text_is_refused_with_its_place(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_texts / sizeof bad_texts[0]; i++) {
        assert_int_equal(parse(f, bad_texts[i].text), TY_ERR_CONFIG);
        assert_string_equal(f->ctx.message, bad_texts[i].message);
    }
}

static void a_nul_byte_is_refused(void **state) {
    fixture *f = *state;
    static const char text[] = "{\"a\":\0 1}";
    assert_int_equal(ty_doc_parse(&f->ctx, "c.json", text, sizeof text - 1, &f->doc),
                     TY_ERR_CONFIG);
    assert_string_equal(
        f->ctx.message,
        "error: c.json:1:6: a NUL byte; want UTF-8 text\n    1 | {\"a\":? 1}\n      |      ^");
}

static void control_characters_never_reach_the_terminal(void **state) {
    fixture *f = *state;
    assert_int_equal(parse(f, "{\"a\": /* \x1b[31m\xc2\x9b */ x}"), TY_ERR_CONFIG);
    assert_null(strchr(f->ctx.message, '\x1b'));
    assert_null(strstr(f->ctx.message, "\xc2\x9b"));
}

static void a_long_line_is_cut_round_the_caret(void **state) {
    fixture *f = *state;
    char text[1000];
    memset(text, ' ', sizeof text);
    text[0] = '{';
    text[500] = '!';
    text[999] = '\0';
    assert_int_equal(parse(f, text), TY_ERR_CONFIG);
    char wanted[400];
    (void)snprintf(wanted, sizeof wanted,
                   "error: c.json:1:501: want a key in double quotes\n    1 | ...%70s!%29s...\n    "
                   "  |    %70s^",
                   "", "", "");
    assert_string_equal(f->ctx.message, wanted);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void assert_limit(fixture *f, char *text, bool is_fine, const char *words) {
    assert_int_equal(parse(f, text), is_fine ? TY_OK : TY_ERR_CONFIG);
    if (!is_fine)
        assert_non_null(strstr(f->ctx.message, words));
    free(text);
}

static void nesting_ends_at_its_limit(void **state) {
    fixture *f = *state;
    char close[TY_DOC_MAX_DEPTH + 1] = {0};
    memset(close, ']', TY_DOC_MAX_DEPTH);
    assert_limit(f, repeat("", "[", TY_DOC_MAX_DEPTH, close), true, "");
    assert_limit(f, repeat("", "[", TY_DOC_MAX_DEPTH + 1, close), false,
                 "nested deeper than 64 levels");
    assert_limit(f, repeat("", "{\"a\":", 200000, ""), false, "nested deeper than 64 levels");
}

static void the_number_of_values_ends_at_its_limit(void **state) {
    fixture *f = *state;
    assert_limit(f, repeat("[", "1,", TY_DOC_MAX_VALUES - 1, "]"), true, "");
    assert_limit(f, repeat("[", "1,", TY_DOC_MAX_VALUES, "]"), false, "more than 100000 values");
}

static void the_number_of_bytes_ends_at_its_limit(void **state) {
    fixture *f = *state;
    assert_limit(f, repeat("{", " ", TY_DOC_MAX_BYTES - 2, "}"), true, "");
    assert_limit(f, repeat("{", " ", TY_DOC_MAX_BYTES - 1, "}"), false,
                 "longer than 1048576 bytes");
}

static void a_file_over_the_limit_is_not_read(void **state) {
    fixture *f = *state;
    char *text = repeat("{", " ", TY_DOC_MAX_BYTES, "}");
    write_file(f, "big.json", text);
    free(text);
    assert_int_equal(read_file(f, "big.json"), TY_ERR_CONFIG);
    assert_message(f, "error: big.json: longer than 1048576 bytes");
}

static const char *big_getenv(const char *name) {
    (void)name;
    static const char value[65536] = {[0 ... 65534] = 'x'};
    return value;
}

static void expansion_of_variables_is_bounded(void **state) {
    fixture *f = *state;
    f->ctx.getenv = big_getenv;
    assert_limit(f, repeat("[", "\"${env:X}\",", 15, "]"), true, "");
    assert_limit(f, repeat("[", "\"${env:X}\",", 20, "]"), false, "grows beyond 1048576 bytes");
    assert_limit(f, repeat("[\"", "${env:X}", 20, "\"]"), false, "grows beyond 1048576 bytes");
    char *tail = repeat("", "x", 80000, "");
    char *head = repeat("[\"", "${env:X}", 15, tail);
    assert_limit(f, repeat(head, "", 0, "\"]"), false, "grows beyond 1048576 bytes");
    free(head);
    free(tail);
}

/* --- what is accepted ------------------------------------------------------------------------- */

static void comments_and_trailing_commas_are_blanked(void **state) {
    fixture *f = *state;
    assert_parses(
        f,
        "// head\n{\n"
        "  \"a\": [1, 2, /* three */ ],\n  \"b\": {\"c\": \"// no /* comment\", }, // tail\n}\n");
    assert_json(f, "", "{\"a\":[1,2],\"b\":{\"c\":\"// no /* comment\"}}");
}

static void a_byte_order_mark_is_skipped(void **state) {
    fixture *f = *state;
    assert_parses(f, "\xef\xbb\xbf{\"a\": 1}");
    assert_int_equal(ty_doc_origin(f->doc, "a").column, 7);
}

static void every_value_knows_where_it_was_written(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\n  /* \xc3\xa9 */ \"a\": {\n    \"\xc3\xa9\": [10, {\"b\": true}]\n  }\n}");
    ty_origin origin = ty_doc_origin(f->doc, "a.\xc3\xa9.1.b");
    assert_string_equal(origin.file, "c.json");
    assert_null(origin.set);
    assert_int_equal(origin.line, 3);
    assert_int_equal(origin.column, 21);
    assert_int_equal(origin.key_line, 3);
    assert_int_equal(origin.key_column, 16);
    assert_int_equal(ty_doc_origin(f->doc, "a").key_column, 11);
    assert_int_equal(ty_doc_origin(f->doc, "a.\xc3\xa9.0").column, 11);
    assert_null(ty_doc_origin(f->doc, "a.nothing").file);
}

static void numbers_keep_their_text(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"a\": 3e-4, \"b\": [0.10, -0,7], \"c\": \"3\"}");
    assert_string_equal(ty_doc_number_text(f->doc, "a"), "3e-4");
    assert_string_equal(ty_doc_number_text(f->doc, "b.0"), "0.10");
    assert_string_equal(ty_doc_number_text(f->doc, "b.1"), "-0");
    assert_string_equal(ty_doc_number_text(f->doc, "b.2"), "7");
    assert_null(ty_doc_number_text(f->doc, "c"));
    assert_null(ty_doc_number_text(f->doc, "d"));
}

static void paths_lead_only_to_what_is_there(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"a\": [1, {\"b\": null}]}");
    assert_json(f, "a.1", "{\"b\":null}");
    assert_true(json_is_null(ty_doc_at(f->doc, "a.1.b")));
    static const char *const absent[] = {"b",    "a.2",  "a.x",          "a.0.b",
                                         "a.-1", "a..b", "a.99999999999"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(ty_doc_at(f->doc, absent[i]));
}

static void a_key_with_dots_is_met_where_no_shorter_one_leads_on(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"a.b\": {\"c\": 1, \"d.e\": [7]}, \"a\": {\"b\": {\"c\": 2}}}");
    assert_json(f, "a.b.c", "2");
    assert_json(f, "a.b.d.e", "[7]");
    assert_json(f, "a.b.d.e.0", "7");
    assert_null(ty_doc_at(f->doc, "a.b.d"));
    assert_string_equal(ty_doc_number_text(f->doc, "a.b.d.e.0"), "7");
    assert_int_equal(ty_doc_origin(f->doc, "a.b.d.e.0").column, 26);
}

static void variables_are_replaced_inside_strings(void **state) {
    fixture *f = *state;
    assert_parses(
        f, "{\"a\": \"${env:HOME}/x\", \"b\": [\"<${env:NOPE:-a:-b}>\", \"${env:EMPTY:-x}\"],"
           "\"c\": \"$${env:HOME} ${HOME} $\"}");
    assert_json(f, "",
                "{\"a\":\"/home/ada/x\",\"b\":[\"<a:-b>\",\"\"],\"c\":\"${env:HOME} ${HOME} $\"}");
    assert_int_equal(ty_doc_origin(f->doc, "a").column, 7);
}

static void an_explanation_points_at_the_nearest_thing_there_is(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\n  \"a\": {\"b\": 100}\n}");
    ty_text text = {0};
    ty_doc_explain(f->doc, "a.b", false, "too much\nuse 99", &text);
    assert_string_equal(text.data, "error: c.json:2:14: too much\n    2 |   \"a\": {\"b\": 100}\n"
                                   "      |              ^~~ use 99");
    ty_text_clear(&text);
    ty_doc_explain(f->doc, "a.missing.deep", true, "nothing here", &text);
    assert_string_equal(text.data,
                        "error: c.json:2:3: nothing here\n    2 |   \"a\": {\"b\": 100}\n"
                        "      |   ^~~");
    ty_text_clear(&text);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_bad_text_is_refused_with_its_place),
        TEST(a_nul_byte_is_refused),
        TEST(control_characters_never_reach_the_terminal),
        TEST(a_long_line_is_cut_round_the_caret),
        TEST(nesting_ends_at_its_limit),
        TEST(the_number_of_values_ends_at_its_limit),
        TEST(the_number_of_bytes_ends_at_its_limit),
        TEST(a_file_over_the_limit_is_not_read),
        TEST(expansion_of_variables_is_bounded),
        TEST(comments_and_trailing_commas_are_blanked),
        TEST(a_byte_order_mark_is_skipped),
        TEST(every_value_knows_where_it_was_written),
        TEST(numbers_keep_their_text),
        TEST(paths_lead_only_to_what_is_there),
        TEST(a_key_with_dots_is_met_where_no_shorter_one_leads_on),
        TEST(variables_are_replaced_inside_strings),
        TEST(an_explanation_points_at_the_nearest_thing_there_is),
    };
    return cmocka_run_group_tests_name("base.doc", tests, NULL, NULL);
}
