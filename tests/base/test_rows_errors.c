/* What people are told of their slips: each config below is wrong in the way its message says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rows_fixture.h"
#include "rows_slips.h"

static ty_status load(ty_ctx *ctx, const char *text, const char *const sets[2], ty_doc **doc) {
    fixture_config config = {0};
    assert_int_equal(ty_doc_parse(ctx, "c.json", text, strlen(text), doc), TY_OK);
    for (int i = 0; i < 2 && sets[i]; i++)
        assert_int_equal(ty_doc_set(ctx, *doc, sets[i]), TY_OK);
    return ty_rows_load(ctx, &fixture_rows, fixture_foreign, *doc, &config);
}

static void every_slip_is_said_with_its_place_and_a_way_out(void **state) {
    (void)state;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    for (size_t i = 0; i < sizeof rows_slips / sizeof rows_slips[0]; i++) {
        ty_doc *doc = NULL;
        assert_int_equal(load(&ctx, rows_slips[i].text, rows_slips[i].sets, &doc), TY_ERR_CONFIG);
        assert_string_equal(ctx.message, rows_slips[i].message);
        ty_doc_close(doc);
    }
    ty_ctx_clear(&ctx);
}

static void more_errors_than_fit_are_counted(void **state) {
    (void)state;
    static const char *const none[2] = {0};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_doc *doc = NULL;
    ty_text text = {0};
    ty_text_add(&text, "{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": []}");
    for (int i = 0; i < 50000; i++)
        ty_text_addf(&text, ", \"k%d\": 1", i);
    ty_text_add(&text, "}");
    assert_int_equal(load(&ctx, ty_text_string(&text), none, &doc), TY_ERR_CONFIG);
    assert_non_null(strstr(ctx.message, "\n... and 499"));
    assert_non_null(strstr(ctx.message, " more\n50000 errors, nothing was run"));
    assert_null(strstr(ctx.message, "\"k40\""));
    ty_doc_close(doc);
    ty_text_clear(&text);
    ty_ctx_clear(&ctx);
}

static void cross_field_findings_add_up(void **state) {
    (void)state;
    static const char *const none[2] = {0};
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_doc *doc = NULL;
    const char *text = "{\"train\": {\"duration\": \"1 step\",\n  \"global_batch_size\": 100},\n "
                       "\"model\": {\"layers\": []}}";
    assert_int_equal(load(&ctx, text, none, &doc), TY_OK);
    assert_int_equal(ty_rows_reject(&ctx, doc, "train.global_batch_size",
                                    "%d can not be split over %d ranks\nuse %d", 100, 8, 128),
                     TY_ERR_CONFIG);
    assert_int_equal(ty_rows_reject(&ctx, doc, "train.micro_batch_size", "too large"),
                     TY_ERR_CONFIG);
    assert_string_equal(ctx.message, "error: c.json:1:2: too large\n"
                                     "    1 | {\"train\": {\"duration\": \"1 step\",\n"
                                     "      |  ^~~~~~~\n"
                                     "error: c.json:2:24: 100 can not be split over 8 ranks\n"
                                     "    2 |   \"global_batch_size\": 100},\n"
                                     "      |                        ^~~ use 128\n"
                                     "2 errors, nothing was run");
    fixture_config config = {0};
    assert_int_equal(ty_rows_load(&ctx, &fixture_rows, NULL, doc, &config), TY_OK);
    assert_int_equal(ty_rows_reject(&ctx, doc, "", "alone"), TY_ERR_CONFIG);
    assert_non_null(strstr(ctx.message, "1 error, nothing was run"));
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
}

static void a_default_that_is_no_json_is_our_own_fault(void **state) {
    (void)state;
    static const ty_row rows_v[] = {
        {.key = "a", .type = TY_ROW_TEXT, .fallback = "unquoted", .help = ""}};
    static const ty_rows rows = TY_ROWS(rows_v);
    const char *out = NULL;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_doc *doc = NULL;
    assert_int_equal(ty_doc_parse(&ctx, "c.json", "{}", 2, &doc), TY_OK);
    assert_int_equal(ty_rows_load(&ctx, &rows, NULL, doc, &out), TY_ERR_INTERNAL);
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slip_is_said_with_its_place_and_a_way_out),
        cmocka_unit_test(more_errors_than_fit_are_counted),
        cmocka_unit_test(cross_field_findings_add_up),
        cmocka_unit_test(a_default_that_is_no_json_is_our_own_fault),
    };
    return cmocka_run_group_tests_name("base.rows_errors", tests, NULL, NULL);
}
