/* Documents: what is accepted, what is refused and how that is said, where values were written,
 * extends, env and --set. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static const char *fake_getenv(const char *name) {
    if (strcmp(name, "HOME") == 0)
        return "/home/ada";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    return strcmp(name, "LATIN1") == 0 ? "\xe9" : NULL;
}

typedef struct fixture {
    ty_ctx ctx;
    ty_doc *doc;
    char folder[64];
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.getenv = fake_getenv;
    (void)snprintf(f->folder, sizeof f->folder, "doc_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", f->folder);
    assert_int_equal(system(command), 0);
    ty_doc_close(f->doc);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static ty_status parse(fixture *f, const char *text) {
    ty_doc_close(f->doc);
    f->doc = NULL;
    return ty_doc_parse(&f->ctx, "c.json", text, strlen(text), &f->doc);
}

static void assert_parses(fixture *f, const char *text) {
    ty_status st = parse(f, text);
    if (st != TY_OK)
        print_error("%s\n", f->ctx.message);
    assert_int_equal(st, TY_OK);
}

static void set(fixture *f, const char *assignment) {
    ty_status st = ty_doc_set(&f->ctx, f->doc, assignment);
    if (st != TY_OK)
        print_error("%s\n", f->ctx.message);
    assert_int_equal(st, TY_OK);
}

static void write_file(const fixture *f, const char *name, const char *text) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static ty_status read_file(fixture *f, const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    ty_doc_close(f->doc);
    f->doc = NULL;
    return ty_doc_read(&f->ctx, path, &f->doc);
}

static void assert_json(const fixture *f, const char *path, const char *wanted) {
    const json_t *json = ty_doc_at(f->doc, path);
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

/* The message with the fixture's folder, which has another name each time, taken out. */
static void assert_message(fixture *f, const char *wanted) {
    char *at, got[TY_MESSAGE_BYTES];
    (void)snprintf(got, sizeof got, "%s", f->ctx.message);
    size_t length = strlen(f->folder);
    while ((at = strstr(got, f->folder)))
        memmove(at, at + length + 1, strlen(at + length + 1) + 1);
    assert_string_equal(got, wanted);
}

/* --- what is refused ---------------------------------------------------------------------------
 */

typedef struct bad_text {
    const char *text, *message;
} bad_text;

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

/* --- limits ------------------------------------------------------------------------------------
 */

static char *repeat(const char *head, const char *unit, int64_t times, const char *tail) {
    ty_text text = {0};
    ty_text_add(&text, head);
    for (int64_t i = 0; i < times; i++)
        ty_text_add(&text, unit);
    ty_text_add(&text, tail);
    assert_false(text.is_short);
    return text.data;
}

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
}

/* --- what is accepted --------------------------------------------------------------------------
 */

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

/* --- extends -----------------------------------------------------------------------------------
 */

static void a_file_is_merged_over_what_it_extends(void **state) {
    fixture *f = *state;
    char sub[80];
    (void)snprintf(sub, sizeof sub, "%s/sub", f->folder);
    assert_int_equal(mkdir(sub, 0777), 0);
    write_file(f, "base.json",
               "{\"a\": {\"x\": 1, \"y\": 2, \"l\": [1, 2]},\n \"b\": 0.10, \"c\": 3}");
    write_file(f, "sub/mid.json",
               "{\"extends\": \"../base.json\", \"c\": null, \"d\": {\"e\": null, \"f\": 1}}");
    write_file(f, "top.json", "{\"extends\": \"sub/mid.json\",\n \"a\": {\"y\": 5, \"l\": [9]}}");
    assert_int_equal(read_file(f, "top.json"), TY_OK);
    assert_json(f, "",
                "{\"a\":{\"x\":1,\"y\":5,\"l\":[9]},\"b\":0.10000000000000001,\"d\":{\"f\":1}}");
    assert_string_equal(ty_doc_number_text(f->doc, "b"), "0.10");
    assert_int_equal(ty_doc_origin(f->doc, "b").line, 2);
    assert_non_null(strstr(ty_doc_origin(f->doc, "b").file, "sub/../base.json"));
    assert_non_null(strstr(ty_doc_origin(f->doc, "a.y").file, "/top.json"));
    assert_non_null(strstr(ty_doc_origin(f->doc, "a.x").file, "base.json"));
}

static void of_several_files_the_later_one_wins(void **state) {
    fixture *f = *state;
    write_file(f, "one.json", "{\"a\": 1, \"b\": 1, \"c\": {\"d\": 1}}");
    write_file(f, "two.json", "{\"b\": 2, \"c\": 2}");
    write_file(f, "top.json",
               "{\"extends\": [\"one.json\", \"${env:NOPE:-two}.json\",], \"e\": 3}");
    assert_int_equal(read_file(f, "top.json"), TY_OK);
    assert_json(f, "", "{\"a\":1,\"b\":2,\"c\":2,\"e\":3}");
}

static void files_that_extend_each_other_are_refused(void **state) {
    fixture *f = *state;
    write_file(f, "a.json", "{\"extends\": \"b.json\"}");
    write_file(f, "b.json", "{\"extends\": [\"./a.json\"]}");
    assert_int_equal(read_file(f, "a.json"), TY_ERR_CONFIG);
    assert_message(
        f, "error: b.json:1:14: cannot extend \"./a.json\"\n    1 | {\"extends\": [\"./a.json\"]}\n"
           "      |              ^~~~~~~~~~ extends goes round in a circle: a.json, in the end, "
           "extends itself\n      | extended by a.json:1:13");
}

static void extending_twice_doubles_no_work_for_ever(void **state) {
    fixture *f = *state;
    char name[32], text[64];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "%d.json", i);
        (void)snprintf(text, sizeof text, "{\"extends\": [\"%d.json\", \"%d.json\"]}", i + 1,
                       i + 1);
        write_file(f, name, i == 29 ? "{}" : text);
    }
    assert_int_equal(read_file(f, "0.json"), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "more than 64 files extend each other"));
}

static void a_missing_base_is_an_error_of_who_names_it(void **state) {
    fixture *f = *state;
    write_file(f, "top.json", "{\n  \"extends\": \"nope.json\"\n}");
    assert_int_equal(read_file(f, "top.json"), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "top.json:2:14: cannot extend \""));
    assert_non_null(strstr(f->ctx.message, "No such file"));
}

static void an_error_in_a_base_names_both_files(void **state) {
    fixture *f = *state;
    write_file(f, "base.json", "{\"a\": }");
    write_file(f, "top.json", "{\"extends\": \"base.json\"}");
    assert_int_equal(read_file(f, "top.json"), TY_ERR_CONFIG);
    assert_message(
        f, "error: base.json:1:7: want a value, not \"}\"\n    1 | {\"a\": }\n      |       ^\n"
           "      | extended by top.json:1:13");
}

static void a_list_can_not_be_extended(void **state) {
    fixture *f = *state;
    write_file(f, "base.json", "[1]");
    write_file(f, "top.json", "{\"extends\": \"base.json\"}");
    assert_int_equal(read_file(f, "top.json"), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "only an object can be extended"));
}

static void a_missing_document_is_not_found(void **state) {
    fixture *f = *state;
    assert_int_equal(read_file(f, "nope.json"), TY_ERR_NOT_FOUND);
    assert_null(f->doc);
}

/* --- standard input ----------------------------------------------------------------------------
 */

typedef struct dripping_io {
    ty_io io;
    const char *text;
    int interrupts;
} dripping_io;

/* One byte a call, and EINTR before each. */
static ssize_t drip(void *self, int fd, void *data, size_t bytes) {
    dripping_io *d = self;
    assert_int_equal(fd, 0);
    assert_true(bytes > 0);
    if (d->interrupts++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (!*d->text)
        return 0;
    *(char *)data = *d->text++;
    return 1;
}

static void a_dash_reads_standard_input(void **state) {
    fixture *f = *state;
    dripping_io d = {.io = *ty_io_posix(), .text = "{\"a\": 1, \"b\": x}"};
    d.io.read = drip;
    d.io.self = &d;
    f->ctx.io = &d.io;
    assert_int_equal(ty_doc_read(&f->ctx, "-", &f->doc), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "error: <stdin>:1:15: x is no JSON value"));
    d.text = "{\"a\": 1}";
    assert_int_equal(ty_doc_read(&f->ctx, "-", &f->doc), TY_OK);
    assert_json(f, "", "{\"a\":1}");
}

/* --- set ---------------------------------------------------------------------------------------
 */

static void set_reads_json_and_else_text(void **state) {
    fixture *f = *state;
    assert_parses(f, "{}");
    set(f, "number=3e-4");
    set(f, "text=fashion-mnist");
    set(f, "quoted=\"5\"");
    set(f, "list=[1, 2,]");
    set(f, "object={\"a\": {\"b\": 1}}");
    set(f, "flag=true");
    set(f, "nothing=null");
    set(f, "empty=");
    set(f, "url=http://x?a=b");
    set(f, "home=${env:HOME}");
    assert_json(f, "",
                "{\"number\":0.00029999999999999997,\"text\":\"fashion-mnist\",\"quoted\":\"5\","
                "\"list\":[1,2],\"object\":{\"a\":{\"b\":1}},\"flag\":true,\"nothing\":null,"
                "\"empty\":\"\",\"url\":\"http://x?a=b\",\"home\":\"/home/ada\"}");
    assert_string_equal(ty_doc_number_text(f->doc, "number"), "3e-4");
    assert_string_equal(ty_doc_number_text(f->doc, "object.a.b"), "1");
}

static void set_values_are_said_to_come_from_the_set(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"a\": {\"b\": 1, \"c\": 2}}");
    set(f, "a.b=7");
    assert_string_equal(ty_doc_origin(f->doc, "a.b").set, "a.b=7");
    assert_null(ty_doc_origin(f->doc, "a.b").file);
    assert_null(ty_doc_origin(f->doc, "a.c").set);
    assert_string_equal(ty_doc_origin(f->doc, "a.c").file, "c.json");
}

static void set_enters_lists_by_index(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"l\": [{\"out\": 1}, {\"out\": 2}, 3]}");
    set(f, "l.1.out=64");
    set(f, "l.0=5");
    set(f, "l.2={\"x\": 1}");
    assert_json(f, "", "{\"l\":[5,{\"out\":64},{\"x\":1}]}");
    assert_string_equal(ty_doc_number_text(f->doc, "l.1.out"), "64");
}

static void set_makes_objects_on_its_way(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"n\": null}");
    set(f, "a.b.c=1");
    set(f, "n.x=2");
    set(f, "a.b.d=3");
    assert_json(f, "", "{\"n\":{\"x\":2},\"a\":{\"b\":{\"c\":1,\"d\":3}}}");
}

static void set_unfolds_a_type_that_was_written_as_a_string(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"opt\": \"adamw\", \"l\": [\"relu\", \"conv\"]}");
    set(f, "opt.lr=0.1");
    set(f, "l.1.out=8");
    set(f, "l.1.kernel=3");
    assert_json(f, "",
                "{\"opt\":{\"type\":\"adamw\",\"lr\":0.10000000000000001},"
                "\"l\":[\"relu\",{\"type\":\"conv\",\"out\":8,\"kernel\":3}]}");
    assert_int_equal(ty_doc_origin(f->doc, "opt.type").column, 9);
    assert_string_equal(ty_doc_origin(f->doc, "opt.lr").set, "opt.lr=0.1");
}

static void later_sets_win(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"a\": 1}");
    set(f, "a=2");
    set(f, "a={\"b\": 1}");
    set(f, "a.b=3");
    assert_json(f, "", "{\"a\":{\"b\":3}}");
}

static void every_bad_set_is_refused(void **state) {
    fixture *f = *state;
    static const bad_text cases[] = {
        {"a", "error: --set a: want KEY=VALUE, as in optimizer.learning_rate=3e-4"},
        {"=1", "error: --set =1: a part of the path is empty; want KEY.KEY=VALUE"},
        {"a..b=1", "error: --set a..b=1: a part of the path is empty; want KEY.KEY=VALUE"},
        {"l.2=1",
         "error: --set l.2=1: \"l\" is a list of 2 items, counted from 0: it has no \"2\""},
        {"o.l.x.y=1",
         "error: --set o.l.x.y=1: \"o.l\" is a list of 0 items, counted from 0: it has no \"x\""},
        {"n.a=1", "error: --set n.a=1: \"n\" is a plain value, which has no members"},
        {"a=${env:NOPE}", "error: --set a=${env:NOPE}: the environment variable NOPE is not set\n"
                          "      | ${env:NOPE:-default} would give it a default"},
        {"a=\xff", "error: --set a=?: this is not UTF-8"},
        {"\xff=1", "error: --set ?=1: this is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_parses(f, "{\"l\": [1, 2], \"n\": 5, \"o\": {\"l\": []}}");
        assert_int_equal(ty_doc_set(&f->ctx, f->doc, cases[i].text), TY_ERR_CONFIG);
        assert_string_equal(f->ctx.message, cases[i].message);
    }
}

static void set_can_not_nest_deeper_than_a_document(void **state) {
    fixture *f = *state;
    assert_parses(f, "{}");
    char *path = repeat("a", ".a", TY_DOC_MAX_DEPTH, "=1");
    assert_int_equal(ty_doc_set(&f->ctx, f->doc, path), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "nested deeper than 64 levels"));
    free(path);
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
        TEST(variables_are_replaced_inside_strings),
        TEST(an_explanation_points_at_the_nearest_thing_there_is),
        TEST(a_file_is_merged_over_what_it_extends),
        TEST(of_several_files_the_later_one_wins),
        TEST(files_that_extend_each_other_are_refused),
        TEST(extending_twice_doubles_no_work_for_ever),
        TEST(a_missing_base_is_an_error_of_who_names_it),
        TEST(an_error_in_a_base_names_both_files),
        TEST(a_list_can_not_be_extended),
        TEST(a_missing_document_is_not_found),
        TEST(a_dash_reads_standard_input),
        TEST(set_reads_json_and_else_text),
        TEST(set_values_are_said_to_come_from_the_set),
        TEST(set_enters_lists_by_index),
        TEST(set_makes_objects_on_its_way),
        TEST(set_unfolds_a_type_that_was_written_as_a_string),
        TEST(later_sets_win),
        TEST(every_bad_set_is_refused),
        TEST(set_can_not_nest_deeper_than_a_document),
    };
    return cmocka_run_group_tests_name("base.doc", tests, NULL, NULL);
}
