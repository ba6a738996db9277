/* CSV and TSV: what is read, what is inferred and fitted, and what a bad cell is told. */
#include "data/csv.h"
#include "tests/data/data_fixture.h"

static ty_data_config csv_config(data_fixture *f, const char *name, char path[DATA_PATH_BYTES]) {
    return data_config(temp_folder_path(&f->folder, name, path));
}

/* Writes text as a.csv and opens it. */
static ty_dataset *open_text(data_fixture *f, const char *text) {
    char path[DATA_PATH_BYTES];
    write_text(f, "a.csv", text);
    ty_data_config config = csv_config(f, "a.csv", path);
    return open_set(f, &config);
}

static void assert_text_refused(data_fixture *f, const char *text, const char *const words[]) {
    char path[DATA_PATH_BYTES];
    write_text(f, "a.csv", text);
    ty_data_config config = csv_config(f, "a.csv", path);
    assert_refused(f, &config, TY_ERR_DATA, words);
}

/* Row i of train: its features and class. */
static void assert_row(data_fixture *f, const ty_dataset *set, int64_t i, const float *want,
                       int label) {
    const ty_data_info *info = ty_dataset_info(set);
    float x[64];
    int32_t y = -1;
    assert_in_range(info->x_count, 1, 64);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, i, x, &y), TY_OK);
    for (int64_t k = 0; k < info->x_count; k++)
        if (fabsf(x[k] - want[k]) > 1e-5f)
            fail_msg("row %lld feature %lld is %g, want %g", (long long)i, (long long)k,
                     (double)x[k], (double)want[k]);
    assert_int_equal(y, label);
}

static void numbers_and_texts_become_features_and_labels_classes(void **state) {
    data_fixture *f = *state;
    ty_dataset *set =
        open_text(f, "size,colour,kind\n1,red,cat\n3,blue,dog\n1,red,cat\n3,green,dog\n");
    const ty_data_info *info = ty_dataset_info(set);
    assert_string_equal(info->format, "csv");
    assert_int_equal(info->x_count, 4);
    assert_string_equal(info->class_names[0], "cat");
    assert_string_equal(info->class_names[1], "dog");
    assert_row(f, set, 0, (const float[]){-1, 0, 0, 1}, 0);
    assert_row(f, set, 1, (const float[]){1, 1, 0, 0}, 1);
    assert_row(f, set, 3, (const float[]){1, 0, 1, 0}, 1);
    ty_dataset_close(set);
}

static void numbers_are_rounded_as_strtod_rounds_them(void **state) {
    (void)state;
    static const char *const fixed[] = {"0",
                                        "-0",
                                        "+7",
                                        ".5",
                                        "5.",
                                        "1e3",
                                        "1E-3",
                                        "123456789012345678901234567890",
                                        "1e22",
                                        "1e23",
                                        "9007199254740993",
                                        "0.1",
                                        "2.2250738585072014e-308",
                                        "5e-324",
                                        "3.4e38",
                                        "1e-400",
                                        "000000000000000000000000000001.5",
                                        "0.000000000000000000000000000015",
                                        "4.35",
                                        "179769313486231570000e-5"};
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        if (i < (int)(sizeof fixed / sizeof *fixed))
            (void)snprintf(text, sizeof text, "%s", fixed[i]);
        else
            (void)snprintf(text, sizeof text, "%.*e", (int)(bits % 20),
                           ldexp((double)bits, (int)(bits >> 58) - 96));
        double value = -1;
        const ty_csv_cell cell = {.text = text, .length = strlen(text)};
        assert_int_equal(ty_csv_kind(&cell, &value), TY_CELL_NUMBER);
        if (value != strtod(text, NULL) || signbit(value) != signbit(strtod(text, NULL)))
            fail_msg("%s is %.17g, want %.17g", text, value, strtod(text, NULL));
    }
}

static void what_only_looks_like_a_number_is_text(void **state) {
    (void)state;
    static const char *const texts[] = {"0x10",  "1e",  "e5",  "1e+", ".",      "-",       "+.",
                                        "1.2.3", "1,5", "--1", "1 2", "nan(1)", "infinit", "1f"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value;
        const ty_csv_cell cell = {.text = texts[i], .length = strlen(texts[i])};
        if (ty_csv_kind(&cell, &value) != TY_CELL_TEXT)
            fail_msg("\"%s\" is no text", texts[i]);
    }
}

static void missing_values_become_the_mean_and_are_counted(void **state) {
    data_fixture *f = *state;
    ty_dataset *set = open_text(f, "a,b,y\n1,u,p\n,NA,q\n3,?,p\nnan,u,q\nNULL,v,p\n");
    assert_row(f, set, 0, (const float[]){-1, 1, 0}, 0);
    assert_row(f, set, 1, (const float[]){0, 0, 0}, 1);
    assert_row(f, set, 2, (const float[]){1, 0, 0}, 0);
    assert_row(f, set, 4, (const float[]){0, 0, 1}, 0);
    assert_non_null(
        strstr(ty_dataset_state(set), "\"name\":\"a\",\"kind\":\"numeric\",\"missing\":3"));
    assert_non_null(
        strstr(ty_dataset_state(set), "\"name\":\"b\",\"kind\":\"categorical\",\"missing\":2"));
    ty_dataset_close(set);
}

static void quotes_may_hold_separators_quotes_and_line_ends(void **state) {
    data_fixture *f = *state;
    ty_dataset *set =
        open_text(f, "a,\"the \"\"y\"\"\"\n1,\"x, z\"\n 2 , \"two\nlines\" \n1,\"x, z\"\n");
    const ty_data_info *info = ty_dataset_info(set);
    assert_int_equal(info->count[TY_SPLIT_TRAIN], 3);
    assert_string_equal(info->class_names[0], "two\nlines");
    assert_string_equal(info->class_names[1], "x, z");
    assert_non_null(strstr(ty_dataset_state(set), "\"target\":\"the \\\"y\\\"\""));
    ty_dataset_close(set);
}

static void line_ends_marks_and_separators_of_all_kinds_say_the_same(void **state) {
    data_fixture *f = *state;
    static const char *const texts[] = {"a,b,y\n1,2,u\n3,4,v\n",
                                        "a,b,y\r\n1,2,u\r\n3,4,v\r\n",
                                        "a,b,y\r1,2,u\r3,4,v",
                                        "\xef\xbb\xbf"
                                        "a,b,y\n1,2,u\n3,4,v",
                                        "a\tb\ty\n1\t2\tu\n3\t4\tv\n",
                                        "a;b;y\n1;2;u\n3;4;v\n",
                                        "\n\na,b,y\n\n1,2,u\n\n3,4,v\n\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ty_dataset *set = open_text(f, texts[i]);
        assert_int_equal(ty_dataset_info(set)->x_count, 2);
        assert_row(f, set, 0, (const float[]){-1, -1}, 0);
        assert_row(f, set, 1, (const float[]){1, 1}, 1);
        ty_dataset_close(set);
    }
}

static void a_gz_file_is_read_like_a_plain_one(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_text(f, "b.csv.gz", "a,y\n1,u\n3,v\n");
    ty_data_config config = csv_config(f, "b.csv.gz", path);
    ty_dataset *set = open_set(f, &config);
    assert_row(f, set, 1, (const float[]){1}, 1);
    ty_dataset_close(set);
}

static void unicode_labels_and_names_are_kept(void **state) {
    data_fixture *f = *state;
    ty_dataset *set = open_text(f, "größe,tier\n1,Wölfin\n2,猫\n");
    assert_string_equal(ty_dataset_info(set)->class_names[0], "Wölfin");
    assert_string_equal(ty_dataset_info(set)->class_names[1], "猫");
    assert_non_null(strstr(ty_dataset_state(set), "größe"));
    ty_dataset_close(set);
}

static void a_first_row_with_a_number_is_no_header(void **state) {
    data_fixture *f = *state;
    ty_dataset *set = open_text(f, "1,0\n2,1\n3,0\n4,1\n");
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TRAIN], 4);
    assert_non_null(strstr(ty_dataset_state(set), "\"target\":\"2\",\"header\":false"));
    ty_dataset_close(set);
}

static void whole_numbers_of_few_values_are_classes_and_others_quantities(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    ty_dataset *set = open_text(f, "a,y\n1,10\n2,-3\n3,10\n");
    assert_true(ty_dataset_info(set)->is_classification);
    assert_string_equal(ty_dataset_info(set)->class_names[0], "-3");
    assert_string_equal(ty_dataset_info(set)->class_names[1], "10");
    ty_dataset_close(set);
    set = open_text(f, "a,y\n1,10.5\n2,-3\n3,10\n");
    assert_false(ty_dataset_info(set)->is_classification);
    assert_int_equal(ty_dataset_info(set)->n_outputs, 1);
    float x, y;
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, 0, &x, &y), TY_OK);
    assert_float_equal(y, 10.5f, 0);
    ty_dataset_close(set);
    write_text(f, "a.csv", "a,y\n1,10\n2,-3\n3,10\n");
    ty_data_config config = csv_config(f, "a.csv", path);
    config.task = 2;
    set = open_set(f, &config);
    assert_false(ty_dataset_info(set)->is_classification);
    ty_dataset_close(set);
}

static void target_and_features_are_chosen_by_name(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_text(f, "a.csv", "id,kind,size,age\nx1,u,1,5\nx2,v,3,6\n");
    ty_data_config config = csv_config(f, "a.csv", path);
    config.target = "kind";
    config.features = "-id,-age";
    ty_dataset *set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->x_count, 1);
    assert_row(f, set, 1, (const float[]){1}, 1);
    ty_dataset_close(set);
    config.features = "size,age";
    set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->x_count, 2);
    ty_dataset_close(set);
    config.features = "size,agr";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.features", "\"agr\"", "\"age\""));
    config.features = "size,-age";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("mixes"));
    config.features = NULL;
    config.target = "Kind";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.target", "\"kind\""));
}

static void everything_is_fitted_on_the_training_split_only(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], text[20000];
    size_t used = (size_t)snprintf(text, sizeof text, "v,c,y\n");
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,c%d,%s\n", i * i, i,
                                 i % 2 ? "a" : "b");
    write_text(f, "a.csv", text);
    ty_data_config config = csv_config(f, "a.csv", path);
    config.val_fraction = 0.25;
    config.features = "v,c";
    ty_dataset *set = open_set(f, &config);
    const ty_data_info *info = ty_dataset_info(set);
    assert_int_equal(info->count[TY_SPLIT_TRAIN], 150);
    assert_int_equal(info->x_count, 151); /* categories that only validation has are none */
    double sum = 0, squares = 0;
    float x[151];
    int32_t y;
    for (int64_t i = 0; i < 150; i++) {
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, i, x, &y), TY_OK);
        sum += x[0];
        squares += x[0] * x[0];
    }
    assert_float_equal((float)sum, 0, 1e-3);
    assert_float_equal((float)(squares / 150), 1, 1e-4);
    for (int64_t i = 0; i < 50; i++) {
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_VAL, i, x, &y), TY_OK);
        for (int k = 1; k < 151; k++)
            assert_float_equal(x[k], 0, 0);
    }
    ty_dataset_close(set);
}

static void large_values_keep_their_digits(void **state) {
    data_fixture *f = *state;
    ty_dataset *set = open_text(f, "t,y\n1700000000,a\n1700000002,b\n1700000000,a\n1700000002,b\n");
    assert_row(f, set, 0, (const float[]){-1}, 0);
    assert_row(f, set, 1, (const float[]){1}, 1);
    ty_dataset_close(set);
}

static void a_test_file_is_encoded_as_the_training_file_was(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], test[DATA_PATH_BYTES];
    write_text(f, "a.csv", "n,c,y\n1,u,p\n3,v,q\n");
    write_text(f, "t.csv", "n,c,y\n5,w,q\n,v,p\n");
    ty_data_config config = csv_config(f, "a.csv", path);
    config.test_source = temp_folder_path(&f->folder, "t.csv", test);
    ty_dataset *set = open_set(f, &config);
    float x[3];
    int32_t y;
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TEST], 2);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 0, x, &y), TY_OK);
    assert_float_equal(x[0], 3, 1e-6);
    assert_float_equal(x[1] + x[2], 0, 0);
    assert_int_equal(y, 1);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 1, x, &y), TY_OK);
    assert_float_equal(x[0], 0, 0);
    assert_float_equal(x[2], 1, 0);
    ty_dataset_close(set);
    write_text(f, "t.csv", "n,c,y\n5,w,r\n");
    assert_refused(f, &config, TY_ERR_DATA,
                   WORDS("t.csv:2:3:", "\"r\"", "not a class of the training data"));
    write_text(f, "t.csv", "n,c,y\nabc,w,p\n");
    assert_refused(f, &config, TY_ERR_DATA, WORDS("t.csv:2:1:", "\"abc\"", "not a finite number"));
    write_text(f, "t.csv", "n,d,y\n5,w,p\n");
    assert_refused(f, &config, TY_ERR_DATA, WORDS("t.csv:1:2:", "\"d\"", "want \"c\""));
}

static void ragged_rows_and_bad_quotes_are_named_by_line(void **state) {
    data_fixture *f = *state;
    assert_text_refused(f, "a,b,y\n1,2,u\n3,v\n", WORDS("a.csv:3:", "2 cells, want 3"));
    assert_text_refused(f, "a,b,y\n1,\"2\n2\",u\n3,4,v,w\n", WORDS("a.csv:4:", "4 cells, want 3"));
    assert_text_refused(f, "a,y\n1,\"u\n2,v\n", WORDS("a.csv:2:2:", "never closed"));
    assert_text_refused(f, "a,y\n1,\"u\"x\n2,v\n", WORDS("a.csv:2:2:", "closing quote"));
}

static void bad_values_are_named_by_line_and_column(void **state) {
    data_fixture *f = *state;
    assert_text_refused(f, "a,y\n1,u\n2,\n", WORDS("a.csv:3:2:", "missing value", "target"));
    assert_text_refused(f, "a,y\n1,u\ninf,v\n", WORDS("a.csv:3:1:", "infinite"));
    assert_text_refused(f, "a,y\n1,u\n1e999,v\n", WORDS("a.csv:3:1:", "infinite"));
    assert_text_refused(f, "a,y\n1,1.5\n2,2.5\n3,x\n", WORDS("a.csv:4:2:", "\"x\"", "no number"));
    assert_text_refused(f, "a,y\n1,u\n2,W\xf6lfin\n", WORDS("a.csv:3:2:", "0xf6", "iconv"));
    assert_text_refused(f, "a,a\n1,u\n2,v\n", WORDS("a.csv:1:2:", "two columns", "\"a\""));
}

static void files_that_are_no_table_are_refused(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    assert_text_refused(f, "", WORDS("a.csv"));
    assert_text_refused(f, "a,y\n", WORDS("a.csv", "0 samples"));
    assert_text_refused(f, "y\n1\n2\n", WORDS("no column is left"));
    assert_text_refused(f, "a,y\n1,u\n2,u\n", WORDS("class \"u\"", "2 classes"));
    write_bytes(f, "b.csv",
                "\xff\xfe"
                "a\0,\0",
                6);
    ty_data_config config = csv_config(f, "b.csv", path);
    config.format = 2;
    assert_refused(f, &config, TY_ERR_DATA, WORDS("UTF-16", "iconv"));
}

static void a_column_of_too_many_texts_is_refused_with_the_way_to_leave_it_out(void **state) {
    data_fixture *f = *state;
    static char text[40000];
    size_t used = (size_t)snprintf(text, sizeof text, "name,y\n");
    for (int i = 0; i < 1500; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "n%d,%d\n", i, i % 2);
    assert_text_refused(f, text,
                        WORDS("a.csv:1002:1:", "\"n1000\"", "more than 1000", "\"-name\""));
    used = (size_t)snprintf(text, sizeof text, "name,y\n");
    for (int i = 0; i < 1500; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, i == 7 ? "oops,%d\n" : "%d,1\n", i);
    assert_text_refused(f, text, WORDS("\"oops\" in line 9 meant to be a number"));
}

static void endless_cells_and_rows_are_refused(void **state) {
    data_fixture *f = *state;
    enum { LONG = 70000 };
    char *text = malloc(LONG + 64);
    assert_non_null(text);
    memcpy(text, "a,y\n1,\"", 7);
    memset(text + 7, 'x', LONG);
    text[7 + LONG] = '\0';
    assert_text_refused(f, text, WORDS("a.csv:2:2:", "64 KiB", "closed?"));
    memset(text + 7, ',', LONG);
    text[6] = ',';
    assert_text_refused(f, text, WORDS("a.csv:2:65536:", "more than 65536 cells"));
    free(text);
}

static void normalize_none_leaves_numbers_as_they_are(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_text(f, "a.csv", "n,y\n1,u\n,v\n4,u\n");
    ty_data_config config = csv_config(f, "a.csv", path);
    config.normalize = 0;
    ty_dataset *set = open_set(f, &config);
    assert_row(f, set, 0, (const float[]){1}, 0);
    assert_row(f, set, 1, (const float[]){2.5f}, 1);
    assert_row(f, set, 2, (const float[]){4}, 0);
    ty_dataset_close(set);
}

static void the_description_names_columns_and_what_was_fitted(void **state) {
    data_fixture *f = *state;
    ty_text text = {0};
    ty_dataset *set = open_text(f, "size,colour,kind\n1,red,cat\n3,blue,dog\n");
    assert_int_equal(ty_dataset_describe(&f->ctx, set, &text), TY_OK);
    assert_non_null(strstr(text.data, "mean 2, std 1"));
    assert_non_null(strstr(text.data, "2 categories: blue, red"));
    ty_text_clear(&text);
    ty_dataset_close(set);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(numbers_and_texts_become_features_and_labels_classes),
        WITH_FIXTURE(numbers_are_rounded_as_strtod_rounds_them),
        WITH_FIXTURE(what_only_looks_like_a_number_is_text),
        WITH_FIXTURE(missing_values_become_the_mean_and_are_counted),
        WITH_FIXTURE(quotes_may_hold_separators_quotes_and_line_ends),
        WITH_FIXTURE(line_ends_marks_and_separators_of_all_kinds_say_the_same),
        WITH_FIXTURE(a_gz_file_is_read_like_a_plain_one),
        WITH_FIXTURE(unicode_labels_and_names_are_kept),
        WITH_FIXTURE(a_first_row_with_a_number_is_no_header),
        WITH_FIXTURE(whole_numbers_of_few_values_are_classes_and_others_quantities),
        WITH_FIXTURE(target_and_features_are_chosen_by_name),
        WITH_FIXTURE(everything_is_fitted_on_the_training_split_only),
        WITH_FIXTURE(large_values_keep_their_digits),
        WITH_FIXTURE(a_test_file_is_encoded_as_the_training_file_was),
        WITH_FIXTURE(ragged_rows_and_bad_quotes_are_named_by_line),
        WITH_FIXTURE(bad_values_are_named_by_line_and_column),
        WITH_FIXTURE(files_that_are_no_table_are_refused),
        WITH_FIXTURE(a_column_of_too_many_texts_is_refused_with_the_way_to_leave_it_out),
        WITH_FIXTURE(endless_cells_and_rows_are_refused),
        WITH_FIXTURE(normalize_none_leaves_numbers_as_they_are),
        WITH_FIXTURE(the_description_names_columns_and_what_was_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
