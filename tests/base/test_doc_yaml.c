/* Documents in YAML: the same tree, places, limits and words as those of JSON, and scalars as YAML
 * 1.2 has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc_fixture.h"
#include "doc_yaml_slips.h"

static ty_status parse_yaml(fixture *f, const char *text) {
    ty_doc_close(f->doc);
    f->doc = NULL;
    return ty_doc_parse(&f->ctx, "c.yaml", text, strlen(text), &f->doc);
}

static void assert_reads(fixture *f, const char *text) {
    if (parse_yaml(f, text) != TY_OK)
        fail_msg("%s", f->ctx.message);
}

/* --- what scalars are ------------------------------------------------------------------------- */

/* What a plain scalar is as JSON, and its number's text ("": it is none). */
typedef struct scalar {
    const char *text, *json, *number;
} scalar;

static const scalar scalars[] = {
    {"", "null", ""},
    {"~", "null", ""},
    {"null", "null", ""},
    {"Null", "null", ""},
    {"NULL", "null", ""},
    {"nUll", "\"nUll\"", ""},
    {"true", "true", ""},
    {"True", "true", ""},
    {"TRUE", "true", ""},
    {"false", "false", ""},
    {"False", "false", ""},
    {"FALSE", "false", ""},
    {"tRUE", "\"tRUE\"", ""},
    /* booleans, sexagesimals, dates and binaries of YAML 1.1 */
    {"yes", "\"yes\"", ""},
    {"No", "\"No\"", ""},
    {"on", "\"on\"", ""},
    {"off", "\"off\"", ""},
    {"y", "\"y\"", ""},
    {"1_000", "\"1_000\"", ""},
    {"1:30", "\"1:30\"", ""},
    {"2001-12-14", "\"2001-12-14\"", ""},
    {"0b101", "\"0b101\"", ""},
    {"=", "\"=\"", ""},
    /* section 10.3.2: [-+]? [0-9]+, 0o [0-7]+, 0x [0-9a-fA-F]+ */
    {"0", "0", "0"},
    {"-0", "0", "-0"},
    {"+12", "12", "12"},
    {"-19", "-19", "-19"},
    {"007", "7", "7"},
    {"000", "0", "0"},
    {"-012", "-12", "-12"},
    {"0o7", "7", "7"},
    {"0o17", "15", "15"},
    {"0o8", "\"0o8\"", ""},
    {"0o", "\"0o\"", ""},
    {"0O7", "\"0O7\"", ""},
    {"-0o7", "\"-0o7\"", ""},
    {"0x3A", "58", "58"},
    {"0x1f", "31", "31"},
    {"0x", "\"0x\"", ""},
    {"0X1F", "\"0X1F\"", ""},
    {"+0x1F", "\"+0x1F\"", ""},
    {"0x7fffffffffffffff", "9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808", "-9223372036854775808"},
    /* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
    {"0.", "0.0", "0.0"},
    {"-0.0", "-0.0", "-0.0"},
    {".5", "0.5", "0.5"},
    {"-.5", "-0.5", "-0.5"},
    {"+12e03", "12000.0", "12e03"},
    {"-2E+05", "-200000.0", "-2E+05"},
    {"1e-4", "0.0001", "1e-4"},
    {"1E5", "100000.0", "1E5"},
    {"3.0e-3", "0.003", "3.0e-3"},
    {"1.e1", "10.0", "1.0e1"},
    {".5e1", "5.0", "0.5e1"},
    {"00.10", "0.1", "0.10"},
    {"0.10", "0.1", "0.10"},
    {".", "\".\"", ""},
    {"+", "\"+\"", ""},
    {"-.", "\"-.\"", ""},
    {".e1", "\".e1\"", ""},
    {"e5", "\"e5\"", ""},
    {"1e", "\"1e\"", ""},
    {"1e+", "\"1e+\"", ""},
    {"1.2.3", "\"1.2.3\"", ""},
    {"1 2", "\"1 2\"", ""},
    {"4 epochs", "\"4 epochs\"", ""},
    {"5%", "\"5%\"", ""},
    {"inf", "\"inf\"", ""},
    {"nan", "\"nan\"", ""},
    {".iNF", "\".iNF\"", ""},
    {"+.nan", "\"+.nan\"", ""},
    /* quotes, tags and blocks */
    {"'12'", "\"12\"", ""},
    {"\"true\"", "\"true\"", ""},
    {"''", "\"\"", ""},
    {"'it''s'", "\"it's\"", ""},
    {"\"\\x41\\u00e9\\U0001F600\\t\\/\\\"\"", "\"A\\u00e9\\ud83d\\ude00\\t/\\\"\"", ""},
    {"!!str 12", "\"12\"", ""},
    {"!!str", "\"\"", ""},
    {"! 12", "\"12\"", ""},
    {"!!int '12'", "12", "12"},
    {"!!float 12", "12", "12"},
    {"!!float 0.5", "0.5", "0.5"},
    {"!!bool True", "true", ""},
    {"!!null ''", "null", ""},
    {"!<tag:yaml.org,2002:str> 1", "\"1\"", ""},
    {"|\n  12\n", "\"12\\n\"", ""},
    {">-\n  one\n  two\n", "\"one two\"", ""},
    {"one\n  two", "\"one two\"", ""},
    {"x#y", "\"x#y\"", ""},
    {"5 # five", "5", "5"},
    {"http://host:5000", "\"http://host:5000\"", ""},
    {"a,b [c] {d}", "\"a,b [c] {d}\"", ""},
};

static void scalars_are_what_the_core_schema_says(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "a: %s\n", scalars[i].text);
        assert_reads(f, text);
        json_t *wanted = json_loads(scalars[i].json, JSON_DECODE_ANY, NULL);
        const json_t *got = ty_doc_at(f->doc, "a");
        const char *number = ty_doc_number_text(f->doc, "a");
        assert_non_null(wanted);
        if (!json_equal(wanted, got) || strcmp(number ? number : "", scalars[i].number) != 0)
            fail_msg("%s is read as %s, number %s", scalars[i].text,
                     json_dumps(got, JSON_ENCODE_ANY), number ? number : "(none)");
        json_decref(wanted);
    }
}

/* --- the tree --------------------------------------------------------------------------------- */

typedef struct twin {
    const char *yaml, *json;
} twin;

static const twin twins[] = {
    {"a: 1\nb:\n  c: x\n  d: [1, two, 3.5]\n",
     "{\"a\": 1, \"b\": {\"c\": \"x\", \"d\": [1, \"two\", 3.5]}}"},
    {"a:\n- 1\n- b: 2\n  c: 3\n- - x\n  - y\n-\n",
     "{\"a\": [1, {\"b\": 2, \"c\": 3}, [\"x\", \"y\"], null]}"},
    {"---\na: {}\nb: []\n...\n", "{\"a\": {}, \"b\": []}"},
    {"%YAML 1.2\n---\n- 1\n", "[1]"},
    {"{\"a\":1,\"b\":[true,null],\"c\":{\"d\":\"x\\/y\"}}",
     "{\"a\": 1, \"b\": [true, null], \"c\": {\"d\": \"x/y\"}}"},
    {"yes: on\n\"1\": 2\n'null': 3\n!!str 4: 5\n",
     "{\"yes\": \"on\", \"1\": 2, \"null\": 3, \"4\": 5}"},
    {"? a\n: 1\n", "{\"a\": 1}"},
    {"!!map {a: !!seq [1]}", "{\"a\": [1]}"},
    {"a:\r\n  b: 1\r\n  c: |\r\n    x\r\n", "{\"a\": {\"b\": 1, \"c\": \"x\\n\"}}"},
    {"a:\t1\t# tabs between\n", "{\"a\": 1}"},
    {"a: '${env:HOME}'\nb: $${env:HOME}\n", "{\"a\": \"/home/ada\", \"b\": \"${env:HOME}\"}"},
    /* anchors and aliases */
    {"a: &x 0.1\nb: *x\n", "{\"a\": 0.1, \"b\": 0.1}"},
    {"a: &x {p: [1, q]}\nb: [*x, *x]\n",
     "{\"a\": {\"p\": [1, \"q\"]}, \"b\": [{\"p\": [1, \"q\"]}, {\"p\": [1, \"q\"]}]}"},
    {"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\": 1, \"b\": 2, \"c\": 2}"},
    {"a: &x\nb: *x\n", "{\"a\": null, \"b\": null}"},
    {"a: &x $${env:HOME}\nb: *x\n", "{\"a\": \"${env:HOME}\", \"b\": \"${env:HOME}\"}"},
    /* the merge key, as PyYAML and ruamel.yaml read it */
    {"a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n  r: 4\n",
     "{\"a\": {\"p\": 1, \"q\": 2}, \"b\": {\"q\": 3, \"r\": 4, \"p\": 1}}"},
    {"a: [&x {p: 1, q: 2}, &y {q: 5, r: 6}]\nb:\n  <<: [*x, *y]\n",
     "{\"a\": [{\"p\": 1, \"q\": 2}, {\"q\": 5, \"r\": 6}], \"b\": {\"p\": 1, \"q\": 2, \"r\": "
     "6}}"},
    {"a: &x {p: 1}\nb: &y {<<: *x, q: 2}\nc: {<<: *y}\n",
     "{\"a\": {\"p\": 1}, \"b\": {\"q\": 2, \"p\": 1}, \"c\": {\"q\": 2, \"p\": 1}}"},
    {"a: {<<: [&x {p: 1}, &y {q: 2}], r: 3}\nb: *x\nc: *y\n",
     "{\"a\": {\"p\": 1, \"q\": 2, \"r\": 3}, \"b\": {\"p\": 1}, \"c\": {\"q\": 2}}"},
    {"! <<: 1\n", "{\"<<\": 1}"},
    {"<<: {a: 1}\n\"<<\": 2\n", "{\"<<\": 2, \"a\": 1}"},
};

static void yaml_and_json_give_one_tree(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++) {
        json_t *wanted = json_loads(twins[i].json, 0, NULL);
        assert_non_null(wanted);
        assert_reads(f, twins[i].yaml);
        if (!json_equal(wanted, ty_doc_at(f->doc, "")))
            fail_msg("%s is read as %s", twins[i].yaml, json_dumps(ty_doc_at(f->doc, ""), 0));
        json_decref(wanted);
    }
}

static void assert_place(const fixture *f, const char *path, int line, int column, int key_line,
                         int key_column) {
    const ty_origin origin = ty_doc_origin(f->doc, path);
    assert_string_equal(origin.file, "c.yaml");
    assert_null(origin.set);
    assert_int_equal(origin.line, line);
    assert_int_equal(origin.column, column);
    assert_int_equal(origin.key_line, key_line);
    assert_int_equal(origin.key_column, key_column);
}

static void every_value_knows_where_it_was_written(void **state) {
    fixture *f = *state;
    assert_reads(f, "\xef\xbb\xbf\xc3\xa9: 1 # \xe2\x82\xac\r\n"
                    "b:\r\n"
                    "  - {\xc3\xa9: [\"\xc3\xa9\", x]}\r\n"
                    "  - c: |\r\n"
                    "      t\r\n"
                    "    d:\r\n");
    assert_place(f, "\xc3\xa9", 1, 4, 1, 1);
    assert_place(f, "b", 3, 3, 2, 1);
    assert_place(f, "b.0", 3, 5, 0, 0);
    assert_place(f, "b.0.\xc3\xa9", 3, 9, 3, 6);
    assert_place(f, "b.0.\xc3\xa9.1", 3, 15, 0, 0);
    assert_place(f, "b.1", 4, 5, 0, 0);
    assert_place(f, "b.1.c", 4, 8, 4, 5);
    assert_place(f, "b.1.d", 6, 7, 6, 5);
}

static void an_alias_is_where_it_stands_and_its_members_where_they_were_written(void **state) {
    fixture *f = *state;
    assert_reads(f, "a: &x\n  p: 1\nb: *x\nc:\n  <<: *x\n");
    assert_place(f, "b", 3, 4, 3, 1);
    assert_place(f, "b.p", 2, 6, 2, 3);
    assert_place(f, "c.p", 2, 6, 2, 3);
}

static void an_explanation_shows_the_line(void **state) {
    fixture *f = *state;
    assert_reads(f, "a:\n  b: 100 # too much\n");
    ty_text text = {0};
    ty_doc_explain(f->doc, "a.b", false, "too much\nuse 99", &text);
    assert_string_equal(text.data, "error: c.yaml:2:6: too much\n    2 |   b: 100 # too much\n"
                                   "      |      ^~~ use 99");
    ty_text_clear(&text);
}

static void a_copy_is_changed_alone(void **state) {
    fixture *f = *state;
    assert_reads(f, "a: &x {p: {q: 1}}\nb: *x\nc: {<<: *x}\n");
    set(f, "b.p.q=2");
    set(f, "c.p.r=3");
    assert_json(
        f, "", "{\"a\":{\"p\":{\"q\":1}},\"b\":{\"p\":{\"q\":2}},\"c\":{\"p\":{\"q\":1,\"r\":3}}}");
    assert_string_equal(ty_doc_origin(f->doc, "b.p.q").set, "b.p.q=2");
}

/* --- which files are YAML --------------------------------------------------------------------- */

static void the_name_says_what_a_file_is(void **state) {
    fixture *f = *state;
    static const char *const names[] = {"a.yaml", "b.yml", "c.YML"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        write_file(f, names[i], "a: [yes]");
        assert_int_equal(read_file(f, names[i]), TY_OK);
        assert_json(f, "", "{\"a\":[\"yes\"]}");
    }
    write_file(f, "yaml", "a: [yes]");
    assert_int_equal(read_file(f, "yaml"), TY_ERR_CONFIG);
    assert_message(f, "error: yaml:1:1: want an object: { ... }\n    1 | a: [yes]\n      | ^");
}

static void a_set_is_json_whatever_its_value_is_called(void **state) {
    fixture *f = *state;
    assert_reads(f, "a: 1\n");
    set(f, "b=[yes].yaml");
    set(f, "c=[1, 2]");
    assert_json(f, "", "{\"a\":1,\"b\":\"[yes].yaml\",\"c\":[1,2]}");
}

static void json_and_yaml_extend_each_other(void **state) {
    fixture *f = *state;
    write_file(f, "base.json", "{\"a\": 1, \"b\": {\"c\": 1e-4, \"d\": 2}}");
    write_file(f, "middle.yaml", "extends: base.json\nb: {c: .5, d: null}\n");
    write_file(f, "top.json", "{\"extends\": \"middle.yaml\", \"e\": 3}");
    assert_int_equal(read_file(f, "top.json"), TY_OK);
    assert_json(f, "", "{\"a\":1,\"b\":{\"c\":0.5},\"e\":3}");
    assert_string_equal(ty_doc_number_text(f->doc, "b.c"), "0.5");
    assert_int_equal(ty_doc_origin(f->doc, "b.c").column, 8);
    write_file(f, "middle.yaml", "extends: base.json\nb: {c: .5,\n");
    assert_int_equal(read_file(f, "top.json"), TY_ERR_CONFIG);
    assert_message(f, "error: middle.yaml:3:1: the text ends where a value is wanted\n"
                      "    3 | \n      | ^\n      | extended by top.json:1:13");
}

/* --- what is refused -------------------------------------------------------------------------- */

static void every_bad_text_is_refused_with_its_place(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof yaml_slips / sizeof yaml_slips[0]; i++) {
        assert_int_equal(parse_yaml(f, yaml_slips[i].text), TY_ERR_CONFIG);
        assert_string_equal(f->ctx.message, yaml_slips[i].message);
    }
}

static void a_nul_byte_is_refused(void **state) {
    fixture *f = *state;
    static const char text[] = "a: \0 1";
    assert_int_equal(ty_doc_parse(&f->ctx, "c.yml", text, sizeof text - 1, &f->doc), TY_ERR_CONFIG);
    assert_string_equal(f->ctx.message, "error: c.yml:1:4: a NUL byte; want UTF-8 text\n"
                                        "    1 | a: ? 1\n      |    ^");
}

/* --- limits ----------------------------------------------------------------------------------- */

static void assert_limit(fixture *f, char *text, bool is_fine, const char *words) {
    const ty_status st = parse_yaml(f, text);
    if (st != (is_fine ? TY_OK : TY_ERR_CONFIG) || (!is_fine && !strstr(f->ctx.message, words)))
        fail_msg("status %d, %s", (int)st, f->ctx.message);
    free(text);
}

static void nesting_ends_at_the_limit_of_json(void **state) {
    fixture *f = *state;
    char close[TY_DOC_MAX_DEPTH + 1] = {0};
    memset(close, ']', TY_DOC_MAX_DEPTH);
    assert_limit(f, repeat("", "[", TY_DOC_MAX_DEPTH, close), true, "");
    assert_limit(f, repeat("", "[", TY_DOC_MAX_DEPTH + 1, close), false,
                 "nested deeper than 64 levels");
    assert_limit(f, repeat("", "- ", TY_DOC_MAX_DEPTH, "x"), true, "");
    assert_limit(f, repeat("", "- ", 200000, "x"), false, "nested deeper than 64 levels");
    assert_limit(f, repeat("", "{a: ", 200000, ""), false, "nested deeper than 64 levels");
    assert_limit(f, repeat("", "? ", 200000, ""), false, "want a string as key");
}

static void an_alias_counts_as_deep_as_what_it_names(void **state) {
    fixture *f = *state;
    char close[64] = {0};
    memset(close, ']', 32);
    char *named = repeat("a: &x ", "[", 32, close);
    char *head = repeat(named, "", 0, "\nb: ");
    memset(close, ']', 31);
    assert_limit(f, repeat(head, "[", 31, "*x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), true, "");
    assert_limit(f, repeat(head, "[", 32, "*x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), false,
                 "nested deeper than 64 levels");
    free(head);
    free(named);
}

static void the_number_of_values_ends_at_the_limit_of_json(void **state) {
    fixture *f = *state;
    assert_limit(f, repeat("", "- 1\n", TY_DOC_MAX_VALUES - 1, ""), true, "");
    assert_limit(f, repeat("", "- 1\n", TY_DOC_MAX_VALUES, ""), false, "more than 100000 values");
}

static void a_billion_laughs_are_refused(void **state) {
    fixture *f = *state;
    ty_text text = {0};
    ty_text_add(&text, "a0: &a0 [lol]\n");
    for (int i = 1; i < 10; i++)
        ty_text_addf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
                     i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_limit(f, text.data, false, "error: c.yaml:6:");
    assert_non_null(strstr(f->ctx.message, "more than 100000 values in one document"));
}

static void long_strings_are_not_copied_without_end(void **state) {
    fixture *f = *state;
    char *head = repeat("a: &x ", "lol", 10000, "\nb:\n");
    assert_limit(f, repeat(head, "- *x\n", 30, ""), true, "");
    assert_limit(f, repeat(head, "- *x\n", 40, ""), false, "bring in more than 1048576 bytes");
    free(head);
    head = repeat("a: &x {? ", "lol", 10000, "\n : 1}\nb:\n");
    assert_limit(f, repeat(head, "- *x\n", 30, ""), true, "");
    assert_limit(f, repeat(head, "- *x\n", 40, ""), false, "bring in more than 1048576 bytes");
    free(head);
}

static void anchors_are_counted(void **state) {
    fixture *f = *state;
    assert_limit(f, repeat("", "- &x 1\n", 1000, ""), true, "");
    assert_limit(f, repeat("", "- &x 1\n", 1001, ""), false, "more than 1000 anchors");
}

static void the_number_of_bytes_ends_at_the_limit_of_json(void **state) {
    fixture *f = *state;
    assert_limit(f, repeat("a: 1\n", " ", TY_DOC_MAX_BYTES - 5, ""), true, "");
    assert_limit(f, repeat("a: 1\n", " ", TY_DOC_MAX_BYTES - 4, ""), false,
                 "longer than 1048576 bytes");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(scalars_are_what_the_core_schema_says),
        TEST(yaml_and_json_give_one_tree),
        TEST(every_value_knows_where_it_was_written),
        TEST(an_alias_is_where_it_stands_and_its_members_where_they_were_written),
        TEST(an_explanation_shows_the_line),
        TEST(a_copy_is_changed_alone),
        TEST(the_name_says_what_a_file_is),
        TEST(a_set_is_json_whatever_its_value_is_called),
        TEST(json_and_yaml_extend_each_other),
        TEST(every_bad_text_is_refused_with_its_place),
        TEST(a_nul_byte_is_refused),
        TEST(nesting_ends_at_the_limit_of_json),
        TEST(an_alias_counts_as_deep_as_what_it_names),
        TEST(the_number_of_values_ends_at_the_limit_of_json),
        TEST(a_billion_laughs_are_refused),
        TEST(long_strings_are_not_copied_without_end),
        TEST(anchors_are_counted),
        TEST(the_number_of_bytes_ends_at_the_limit_of_json),
    };
    return cmocka_run_group_tests_name("base.doc_yaml", tests, NULL, NULL);
}
