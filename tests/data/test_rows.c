/* The "data" section through the rows: defaults, bounds, and that every field of the struct has
 * one. */
#include "tests/data/data_fixture.h"

static ty_status load(data_fixture *f, const char *text, ty_doc **doc, ty_data_config *out) {
    memset(out, 0, sizeof *out);
    TY_TRY(ty_doc_parse(&f->ctx, "test.json", text, strlen(text), doc));
    return ty_rows_load(&f->ctx, &ty_data_rows, NULL, *doc, out);
}

static void a_source_is_enough_and_the_rest_has_defaults(void **state) {
    data_fixture *f = *state;
    ty_doc *doc = NULL;
    ty_data_config config;
    if (load(f, "{\"source\": \"synthetic\"}", &doc, &config) != TY_OK)
        fail_msg("%s", f->ctx.message);
    assert_string_equal(config.source, "synthetic");
    assert_null(config.test_source);
    assert_int_equal(config.format, 0);
    assert_float_equal((float)config.val_fraction, 0.1f, 1e-9);
    assert_int_equal(config.split_seed, 1);
    assert_int_equal(config.normalize, 1);
    assert_int_equal(config.shuffle_window, TY_AUTO);
    ty_dataset_close(open_set(f, &config));
    ty_doc_close(doc);
}

static void values_out_of_bounds_and_unknown_choices_are_refused(void **state) {
    data_fixture *f = *state;
    static const char *const bad[] = {"{}",
                                      "{\"source\": 3}",
                                      "{\"source\": \"a\", \"val_fraction\": 1}",
                                      "{\"source\": \"a\", \"flip\": 1.5}",
                                      "{\"source\": \"a\", \"format\": \"parquet\"}",
                                      "{\"source\": \"a\", \"crop_padding\": -1}",
                                      "{\"source\": \"a\", \"shuffle_window\": 0}",
                                      "{\"source\": \"a\", \"normalise\": \"unit\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ty_doc *doc = NULL;
        ty_data_config config;
        if (load(f, bad[i], &doc, &config) != TY_ERR_CONFIG)
            fail_msg("%s was accepted", bad[i]);
        ty_doc_close(doc);
    }
}

static void every_field_of_the_struct_has_its_row(void **state) {
    (void)state;
    size_t covered = 0;
    for (int64_t i = 0; i < ty_data_rows.n; i++) {
        const ty_row *row = &ty_data_rows.v[i];
        assert_non_null(row->help);
        for (int64_t k = 0; k < i; k++)
            assert_int_not_equal(row->offset, ty_data_rows.v[k].offset);
        covered += row->type == TY_ROW_CHOICE ? sizeof(int) : 8;
    }
    assert_in_range(sizeof(ty_data_config) - covered, 0, 3 * 4); /* padding of three ints */
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_source_is_enough_and_the_rest_has_defaults),
        WITH_FIXTURE(values_out_of_bounds_and_unknown_choices_are_refused),
        WITH_FIXTURE(every_field_of_the_struct_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
