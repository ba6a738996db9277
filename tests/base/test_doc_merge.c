/* Documents made of several texts: extends, standard input and --set. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "doc_fixture.h"

/* --- extends ---------------------------------------------------------------------------------- */

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

static void nulls_delete_wherever_they_stand(void **state) {
    fixture *f = *state;
    write_file(f, "base.json",
               "{\"first\": 1, \"middle\": 2, \"last\": 3, \"keep\": {\"x\": 1, \"y\": 2}}");
    write_file(f, "top.json",
               "{\"extends\": \"base.json\", \"middle\": null, \"keep\": {\"y\": null, \"z\": 3},"
               "\"new\": {\"a\": {\"b\": null, \"c\": 1}, \"d\": null}, \"absent\": null}");
    assert_int_equal(read_file(f, "top.json"), TY_OK);
    assert_json(f, "",
                "{\"first\":1,\"last\":3,\"keep\":{\"x\":1,\"z\":3},\"new\":{\"a\":{\"c\":1}}}");
    assert_int_equal(ty_doc_origin(f->doc, "keep.z").line, 1);
    assert_null(ty_doc_origin(f->doc, "middle").file);
    write_file(f, "top.json", "{\"extends\": \"base.json\", \"keep\": null, \"more\": 4}");
    assert_int_equal(read_file(f, "top.json"), TY_OK);
    assert_json(f, "more", "4");
    assert_json(f, "", "{\"first\":1,\"middle\":2,\"last\":3,\"more\":4}");
}

static void an_empty_list_of_bases_extends_nothing(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"extends\": [], \"a\": 1}");
    assert_json(f, "", "{\"a\":1}");
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

/* --- standard input --------------------------------------------------------------------------- */

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

static ssize_t broken_read(void *self, int fd, void *data, size_t bytes) {
    (void)self, (void)fd, (void)data, (void)bytes;
    errno = EIO;
    return -1;
}

static void standard_input_that_fails_is_an_error(void **state) {
    fixture *f = *state;
    ty_io io = *ty_io_posix();
    io.read = broken_read;
    f->ctx.io = &io;
    assert_int_equal(ty_doc_read(&f->ctx, "-", &f->doc), TY_ERR_IO);
    assert_non_null(strstr(f->ctx.message, "standard input"));
    assert_null(f->doc);
}

/* --- set -------------------------------------------------------------------------------------- */

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

static void set_meets_a_key_with_dots_where_its_first_part_is_none(void **state) {
    fixture *f = *state;
    assert_parses(f, "{\"o.lr\": {\"min.x\": 1, \"max\": 2}, \"a\": 1, \"a.b\": 3}");
    set(f, "o.lr.max=5");
    set(f, "o.lr.min.x=6");
    set(f, "a=null");
    set(f, "a.b=7");
    set(f, "o.wd=8");
    assert_json(f, "",
                "{\"o.lr\":{\"min.x\":6,\"max\":5},\"a\":{\"b\":7},\"a.b\":3,\"o\":{\"wd\":8}}");
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
        TEST(a_file_is_merged_over_what_it_extends),
        TEST(nulls_delete_wherever_they_stand),
        TEST(an_empty_list_of_bases_extends_nothing),
        TEST(of_several_files_the_later_one_wins),
        TEST(files_that_extend_each_other_are_refused),
        TEST(extending_twice_doubles_no_work_for_ever),
        TEST(a_missing_base_is_an_error_of_who_names_it),
        TEST(an_error_in_a_base_names_both_files),
        TEST(a_list_can_not_be_extended),
        TEST(a_missing_document_is_not_found),
        TEST(a_dash_reads_standard_input),
        TEST(standard_input_that_fails_is_an_error),
        TEST(set_reads_json_and_else_text),
        TEST(set_values_are_said_to_come_from_the_set),
        TEST(set_enters_lists_by_index),
        TEST(set_meets_a_key_with_dots_where_its_first_part_is_none),
        TEST(set_makes_objects_on_its_way),
        TEST(set_unfolds_a_type_that_was_written_as_a_string),
        TEST(later_sets_win),
        TEST(every_bad_set_is_refused),
        TEST(set_can_not_nest_deeper_than_a_document),
    };
    return cmocka_run_group_tests_name("base.doc_merge", tests, NULL, NULL);
}
