/* Rows of objects and lists that a room reads by itself, and of numbers that may be null. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

typedef struct fixture {
    ty_ctx ctx;
    ty_doc *doc;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ty_doc_close(f->doc);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

typedef struct own_config {
    const json_t *space, *rules;
    double limit;
} own_config;

static const ty_row own_rows_v[] = {
    {.key = "space",
     .type = TY_ROW_OBJECT,
     .offset = offsetof(own_config, space),
     .inside = "{\"minProperties\": 1}",
     .help = "Any members."},
    {.key = "rules",
     .type = TY_ROW_LIST,
     .offset = offsetof(own_config, rules),
     .fallback = "[]",
     .help = "Any items."},
    {.key = "limit",
     .type = TY_ROW_REAL,
     .offset = offsetof(own_config, limit),
     .fallback = "null",
     .help = "None by default."},
};
static const ty_rows own_rows = TY_ROWS(own_rows_v);

static ty_status load_own(fixture *f, const char *text, own_config *out) {
    ty_doc_close(f->doc);
    f->doc = NULL;
    assert_int_equal(ty_doc_parse(&f->ctx, "c.json", text, strlen(text), &f->doc), TY_OK);
    return ty_rows_load(&f->ctx, &own_rows, NULL, f->doc, out);
}

static uint64_t hash_own(fixture *f, const char *text) {
    own_config config = {0};
    uint64_t hash = 0;
    assert_int_equal(load_own(f, text, &config), TY_OK);
    assert_int_equal(ty_rows_hash(&f->ctx, &own_rows, f->doc, &hash), TY_OK);
    return hash;
}

static void objects_and_lists_are_as_they_were_written(void **state) {
    fixture *f = *state;
    own_config config = {0};
    assert_int_equal(
        load_own(f, "{\"space\": {\"b\": [1e-3, {\"c\": \"x\"}], \"a.d\": {}}}", &config), TY_OK);
    assert_ptr_equal(config.space, ty_doc_at(f->doc, "space"));
    assert_int_equal(json_array_size(config.rules), 0);
    assert_true(isnan(config.limit));
    ty_text text = {0};
    assert_int_equal(ty_rows_dump(&f->ctx, &own_rows, f->doc, &text), TY_OK);
    assert_string_equal(text.data, "{\n  \"space\": {\"b\": [1e-3, {\"c\": \"x\"}], \"a.d\": {}},\n"
                                   "  \"rules\": [],\n  \"limit\": null\n}\n");
    ty_text_clear(&text);
    const uint64_t hash = hash_own(f, "{\"space\": {\"a\": 1e-3, \"b\": 2}}");
    assert_true(hash == hash_own(f, "{\"limit\": null, \"space\": {\"b\": 2, \"a\": 0.001}}"));
    assert_false(hash == hash_own(f, "{\"space\": {\"a\": 1e-3, \"b\": 3}}"));
    assert_false(hash == hash_own(f, "{\"limit\": 1, \"space\": {\"a\": 1e-3, \"b\": 2}}"));
}

static void what_is_no_object_or_list_is_refused(void **state) {
    fixture *f = *state;
    own_config config = {0};
    assert_int_equal(load_own(f, "{\"space\": [], \"rules\": {}, \"limit\": \"x\"}", &config),
                     TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "c.json:1:11: space is a list, want an object\n"));
    assert_non_null(strstr(f->ctx.message, "c.json:1:24: rules is an object, want a list\n"));
    assert_non_null(strstr(f->ctx.message, "limit is \"x\", want a number, or null\n"));
    assert_int_equal(load_own(f, "{}", &config), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "missing key \"space\", want an object"));
}

static void their_schema_says_what_the_row_says(void **state) {
    (void)state;
    ty_text text = {0};
    ty_rows_schema(&own_rows, "own", &text);
    assert_false(text.is_short);
    json_t *schema = json_loads(ty_text_string(&text), 0, NULL);
    json_t *wanted =
        json_pack("{s:{s:s, s:i, s:s}, s:{s:s, s:s, s:[]}, s:{s:[{s:s},{s:s}], s:s, s:n}}", "space",
                  "type", "object", "minProperties", 1, "description", "Any members.", "rules",
                  "type", "array", "description", "Any items.", "default", "limit", "anyOf", "type",
                  "number", "type", "null", "description", "None by default.", "default");
    assert_non_null(wanted);
    const char *key;
    json_t *value;
    json_object_foreach(wanted, key, value)
        assert_true(json_equal(json_object_get(json_object_get(schema, "properties"), key), value));
    json_decref(wanted);
    json_decref(schema);
    ty_text_clear(&text);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(objects_and_lists_are_as_they_were_written),
        TEST(what_is_no_object_or_list_is_refused),
        TEST(their_schema_says_what_the_row_says),
    };
    return cmocka_run_group_tests_name("base.rows_own", tests, NULL, NULL);
}
