/* The wire format: bytes as its documentation shows them, what was added read back, what is broken
 * refused where it is. */
#include "trainer/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static ty_pb of_text(const ty_text *text) {
    const unsigned char *bytes = (const unsigned char *)ty_text_string(text);
    return (ty_pb){bytes, bytes + text->length};
}

static void assert_bytes(ty_text *text, const char *want, size_t bytes) {
    assert_int_equal(text->length, bytes);
    assert_memory_equal(ty_text_string(text), want, bytes);
    ty_text_clear(text);
}

#define ASSERT_BYTES(text, literal) assert_bytes(text, literal, sizeof(literal) - 1)

static void fields_are_written_as_the_documentation_shows_them(void **state) {
    ty_text text = {0}, inner = {0};
    (void)state;
    ty_pb_add_int(&text, 1, 150);
    ASSERT_BYTES(&text, "\x08\x96\x01");
    ty_pb_add_string(&text, 2, "testing");
    ASSERT_BYTES(&text, "\x12\x07testing");
    ty_pb_add_int(&inner, 1, 150);
    ty_pb_add_message(&text, 3, &inner);
    ASSERT_BYTES(&text, "\x1a\x03\x08\x96\x01");
    ty_pb_add_int(&text, 1, -2);
    ASSERT_BYTES(&text, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    ty_pb_add_float(&text, 4, 1.0F);
    ASSERT_BYTES(&text, "\x25\x00\x00\x80\x3f");
    ty_pb_add_length(&text, 9, 300);
    ASSERT_BYTES(&text, "\x4a\xac\x02");
    ty_pb_add_bytes(&text, 16, "", 0);
    ASSERT_BYTES(&text, "\x82\x01\x00");
    ty_text_clear(&inner);
}

static void what_was_added_is_read_back(void **state) {
    static const int64_t numbers[] = {0, 1, 127, 128, 16384, INT64_MAX, INT64_MIN, -1};
    ty_text text = {0};
    ty_pb_field field;
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ty_pb_add_int(&text, (int)i + 1, numbers[i]);
    ty_pb_add_float(&text, (1 << 29) - 1, -0.5F);
    ty_pb_add_bytes(&text, 17, "a\0b", 3);
    ty_pb message = of_text(&text);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(ty_pb_next(&message, &field), TY_PB_FIELD);
        assert_int_equal(field.number, i + 1);
        assert_int_equal(field.wire, TY_PB_VARINT);
        assert_true((int64_t)field.value == numbers[i]);
    }
    assert_int_equal(ty_pb_next(&message, &field), TY_PB_FIELD);
    assert_int_equal(field.number, (1 << 29) - 1);
    assert_int_equal(field.value, 0xbf000000);
    assert_int_equal(ty_pb_next(&message, &field), TY_PB_FIELD);
    assert_int_equal(field.bytes, 3);
    assert_memory_equal(field.data, "a\0b", 3);
    assert_int_equal(ty_pb_next(&message, &field), TY_PB_END);
    ty_text_clear(&text);
}

static void what_is_no_field_is_broken(void **state) {
#define ROW(literal)                                                                               \
    { literal, sizeof(literal) - 1 }
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        ROW("\x08"),                                         /* nothing behind the tag */
        ROW("\x08\x96"),                                     /* a varint without an end */
        ROW("\x88"),                                         /* a tag without an end */
        ROW("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* 65 bits */
        ROW("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ROW("\x00\x01"),                 /* field 0 */
        ROW("\x80\x80\x80\x80\x10\x01"), /* field 2^29 */
        ROW("\x0b"),                     /* wire type 3: a group begins */
        ROW("\x0c"),                     /* 4: it ends */
        ROW("\x0e\x00"),                 /* 6 */
        ROW("\x0f\x00"),                 /* 7 */
        ROW("\x12\x03gh"),               /* a length beyond the end */
        ROW("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ROW("\x0d\x01\x02\x03"),                 /* three of four bytes */
        ROW("\x09\x01\x02\x03\x04\x05\x06\x07"), /* seven of eight */
    };
#undef ROW
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ty_pb_field field;
        unsigned char *copy = malloc(rows[i].n); /* so that reading behind it is found */
        assert_non_null(copy);
        memcpy(copy, rows[i].bytes, rows[i].n);
        ty_pb message = {copy, copy + rows[i].n};
        if (ty_pb_next(&message, &field) != TY_PB_BROKEN)
            fail_msg("row %zu is taken", i);
        free(copy);
    }
}

static void a_message_within_has_its_own_end(void **state) {
    ty_text inner = {0}, outer = {0};
    ty_pb_field field;
    (void)state;
    ty_pb_add_string(&inner, 1, "in");
    ty_pb_add_message(&outer, 1, &inner);
    ty_pb_add_int(&outer, 2, 3);
    ty_pb message = of_text(&outer);
    assert_int_equal(ty_pb_next(&message, &field), TY_PB_FIELD);
    ty_pb within = ty_pb_inner(&field);
    assert_int_equal(ty_pb_next(&within, &field), TY_PB_FIELD);
    assert_memory_equal(field.data, "in", 2);
    assert_int_equal(ty_pb_next(&within, &field), TY_PB_END);
    assert_int_equal(ty_pb_next(&message, &field), TY_PB_FIELD);
    assert_int_equal(field.value, 3);
    ty_text_clear(&inner);
    ty_text_clear(&outer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_written_as_the_documentation_shows_them),
        cmocka_unit_test(what_was_added_is_read_back),
        cmocka_unit_test(what_is_no_field_is_broken),
        cmocka_unit_test(a_message_within_has_its_own_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
