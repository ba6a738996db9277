/* Files of predictions: what is in them to the letter, and that they are there whole or not at all. */
#include <hdf5.h>

#include "data/float_text.h"
#include "tests/data/data_fixture.h"
#include "tests/support/fault_io.h"

static const char classes_state[] =
    "{\"version\":1,\"format\":\"csv\",\"x\":{\"dtype\":\"float32\",\"shape\":[1]},"
    "\"y\":{\"task\":\"classification\",\"outputs\":3,\"classes\":[\"a,b\",\"say "
    "\\\"c\\\"\",\"d\"]},"
    "\"target\":\"y\",\"header\":true,\"standardised\":false,\"columns\":[{\"name\":\"v\",\"kind\":"
    "\"numeric\",\"missing\":0,\"mean\":0,\"std\":1}],\"mean\":[0],\"inverse_std\":[1]}";

static const char numbers_state[] =
    "{\"version\":1,\"format\":\"csv\",\"x\":{\"dtype\":\"float32\",\"shape\":[1]},"
    "\"y\":{\"task\":\"regression\",\"outputs\":2},"
    "\"target\":\"y\",\"header\":true,\"standardised\":false,\"columns\":[{\"name\":\"v\",\"kind\":"
    "\"numeric\",\"missing\":0,\"mean\":0,\"std\":1}],\"mean\":[0],\"inverse_std\":[1]}";

static const float logits[3][3] = {{0, 0.6931472F, 0}, {2, -1, 2}, {-1e30F, -1e30F, 100}};
static const float numbers[3][2] = {{0.1F, -2}, {1e-7F, 1e10F}, {16777216, 0}};

/* Three samples with a column to keep, and where their predictions go. */
typedef struct samples {
    ty_dataset *fitted, *set;
    char path[DATA_PATH_BYTES];
} samples;

static samples open_samples(data_fixture *f, const char *state, const char *name) {
    samples s = {0};
    char path[DATA_PATH_BYTES];
    static const char *const keep[] = {"id"};
    write_text(f, "in.csv", "id,v\nx1,1\n\"x,2\",2\nx3,3\n");
    const ty_samples_options options = {
        .path = temp_folder_path(&f->folder, "in.csv", path), .keep = keep, .n_keep = 1};
    if (ty_dataset_restore(&f->ctx, state, &s.fitted) != TY_OK ||
        ty_samples_open(&f->ctx, s.fitted, &options, &s.set) != TY_OK)
        fail_msg("%s", f->ctx.message);
    (void)temp_folder_path(&f->folder, name, s.path);
    return s;
}

static void close_samples(samples *s) {
    ty_dataset_close(s->set);
    ty_dataset_close(s->fitted);
}

static ty_predictions_options options_of(const samples *s) {
    ty_predictions_options options = {
        .path = s->path, .samples = s->set, .split = TY_SPLIT_TEST, .slots = 2};
    (void)ty_predictions_format_of(s->path, &options.format);
    return options;
}

/* Rows come as two blocks of one batch, the second one first, then a batch of one. */
static ty_status fill(ty_ctx *ctx, ty_predictions *to, const float *outputs, int64_t width) {
    TY_TRY(ty_predictions_block(ctx, to, 1, 1, 1, outputs + width));
    TY_TRY(ty_predictions_block(ctx, to, 0, 0, 1, outputs));
    TY_TRY(ty_predictions_flush(ctx, to, 2));
    TY_TRY(ty_predictions_block(ctx, to, 0, 2, 1, outputs + 2 * width));
    TY_TRY(ty_predictions_flush(ctx, to, 1));
    return ty_predictions_publish(ctx, to);
}

static ty_status write_all(ty_ctx *ctx, const ty_predictions_options *options, const float *outputs,
                           int64_t width) {
    ty_predictions *to = NULL;
    TY_TRY(ty_predictions_open(ctx, options, &to));
    const ty_status st = fill(ctx, to, outputs, width);
    ty_predictions_close(ctx, to);
    return st;
}

static void assert_written(data_fixture *f, const ty_predictions_options *options,
                           const float *outputs, int64_t width, const char *want) {
    char *text = NULL;
    size_t bytes = 0;
    if (write_all(&f->ctx, options, outputs, width) != TY_OK ||
        ty_file_read_all(&f->ctx, options->path, 1 << 20, &text, &bytes) != TY_OK)
        fail_msg("%s", f->ctx.message);
    assert_string_equal(text, want);
    free(text);
}

static void csv_has_a_row_a_sample_in_order(void **state) {
    data_fixture *f = *state;
    static const char *const keep[] = {"id"};
    samples s = open_samples(f, classes_state, "out.csv");
    ty_predictions_options options = options_of(&s);
    assert_written(f, &options, logits[0], 3,
                   "index,prediction\n0,\"say \"\"c\"\"\"\n1,\"a,b\"\n2,d\n");
    options.has_probabilities = options.has_logits = true;
    options.keep = keep;
    options.n_keep = 1;
    assert_written(
        f, &options, logits[0], 3,
        "index,id,prediction,\"probability_a,b\",\"probability_say \"\"c\"\"\",probability_d,"
        "\"logit_a,b\",\"logit_say \"\"c\"\"\",logit_d\n"
        "0,x1,\"say \"\"c\"\"\",0.25,0.5,0.25,0,0.6931472,0\n"
        "1,\"x,2\",\"a,b\",0.48785555,0.024288898,0.48785555,2,-1,2\n"
        "2,x3,d,0,0,1,-1e30,-1e30,100\n");
    close_samples(&s);
}

static void json_lines_name_classes(void **state) {
    data_fixture *f = *state;
    samples s = open_samples(f, classes_state, "out.jsonl");
    ty_predictions_options options = options_of(&s);
    options.has_probabilities = true;
    assert_written(f, &options, logits[0], 3,
                   "{\"index\": 0, \"prediction\": \"say \\\"c\\\"\", \"probabilities\": {\"a,b\": "
                   "0.25, \"say \\\"c\\\"\": 0.5, \"d\": 0.25}}\n"
                   "{\"index\": 1, \"prediction\": \"a,b\", \"probabilities\": {\"a,b\": "
                   "0.48785555, \"say \\\"c\\\"\": 0.024288898, \"d\": 0.48785555}}\n"
                   "{\"index\": 2, \"prediction\": \"d\", \"probabilities\": {\"a,b\": 0, \"say "
                   "\\\"c\\\"\": 0, \"d\": 1}}\n");
    close_samples(&s);
}

static void a_regression_has_a_number_a_target(void **state) {
    data_fixture *f = *state;
    samples s = open_samples(f, numbers_state, "out.csv");
    ty_predictions_options options = options_of(&s);
    assert_written(f, &options, numbers[0], 2,
                   "index,prediction_1,prediction_2\n0,0.1,-2\n1,1e-7,10000000000\n2,16777216,0\n");
    options.format = TY_PREDICTIONS_JSONL;
    assert_written(f, &options, numbers[0], 2,
                   "{\"index\": 0, \"prediction\": [0.1, -2]}\n"
                   "{\"index\": 1, \"prediction\": [1e-7, 10000000000]}\n"
                   "{\"index\": 2, \"prediction\": [16777216, 0]}\n");
    ty_predictions *to = NULL;
    options.has_logits = true;
    assert_int_equal(ty_predictions_open(&f->ctx, &options, &to), TY_ERR_ARG);
    close_samples(&s);
}

static void read_array(hid_t file, const char *name, hid_t type, void *out) {
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    assert_true(H5Dclose(set) >= 0);
}

static void hdf5_has_an_array_a_column_and_the_same_bytes_each_time(void **state) {
    data_fixture *f = *state;
    char *first = NULL, *second = NULL;
    size_t bytes = 0, again = 0;
    int64_t index[3];
    int32_t prediction[3];
    float probabilities[3][3], got[3][3];
    samples s = open_samples(f, classes_state, "out.h5");
    ty_predictions_options options = options_of(&s);
    options.has_probabilities = options.has_logits = true;
    assert_int_equal(write_all(&f->ctx, &options, logits[0], 3), TY_OK);
    assert_int_equal(ty_file_read_all(&f->ctx, s.path, 1 << 20, &first, &bytes), TY_OK);
    assert_int_equal(write_all(&f->ctx, &options, logits[0], 3), TY_OK);
    assert_int_equal(ty_file_read_all(&f->ctx, s.path, 1 << 20, &second, &again), TY_OK);
    assert_int_equal(bytes, again);
    assert_memory_equal(first, second, bytes);
    const hid_t file = H5Fopen(s.path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    read_array(file, "index", H5T_NATIVE_INT64, index);
    read_array(file, "prediction", H5T_NATIVE_INT32, prediction);
    read_array(file, "probabilities", H5T_NATIVE_FLOAT, probabilities);
    read_array(file, "logits", H5T_NATIVE_FLOAT, got);
    assert_true(H5Fclose(file) >= 0);
    assert_memory_equal(index, ((int64_t[]){0, 1, 2}), sizeof index);
    assert_memory_equal(prediction, ((int32_t[]){1, 0, 2}), sizeof prediction);
    assert_memory_equal(got, logits, sizeof got);
    assert_true(probabilities[0][1] == 0.5F && probabilities[2][2] == 1);
    free(first);
    free(second);
    close_samples(&s);
}

static void options_that_do_not_go_together_are_refused(void **state) {
    data_fixture *f = *state;
    static const char *const keep[] = {"id"};
    ty_predictions *to = NULL;
    samples s = open_samples(f, classes_state, "out.h5");
    ty_predictions_options options = options_of(&s);
    options.keep = keep;
    options.n_keep = 1;
    assert_int_equal(ty_predictions_open(&f->ctx, &options, &to), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "not in HDF5"));
    options.n_keep = 0;
    options.path = NULL;
    assert_int_equal(ty_predictions_open(&f->ctx, &options, &to), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "standard output"));
    close_samples(&s);
}

static void what_is_not_published_leaves_nothing_behind(void **state) {
    data_fixture *f = *state;
    char **names = NULL;
    size_t n = 0;
    static const char *const endings[] = {"out.csv", "out.h5"};
    for (int i = 0; i < 2; i++) {
        ty_predictions *to = NULL;
        samples s = open_samples(f, classes_state, endings[i]);
        const ty_predictions_options options = options_of(&s);
        write_text(f, i ? ".tmp-out.h5-1-0" : ".tmp-out.csv-1-0", "left by a killed process");
        assert_int_equal(ty_predictions_open(&f->ctx, &options, &to), TY_OK);
        assert_int_equal(ty_predictions_block(&f->ctx, to, 0, 0, 1, logits[0]), TY_OK);
        assert_int_equal(ty_predictions_flush(&f->ctx, to, 1), TY_OK);
        ty_predictions_close(&f->ctx, to);
        assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &n), TY_OK);
        assert_int_equal(n, 1);
        assert_string_equal(names[0], "in.csv");
        close_samples(&s);
    }
}

/* Each call to the file system fails once: the file is there whole, or what was there before is. */
static void a_failing_disk_never_leaves_half_a_file(void **state) {
    data_fixture *f = *state;
    static const char *const endings[] = {"out.csv", "out.h5"};
    for (int i = 0; i < 2; i++) {
        samples s = open_samples(f, classes_state, endings[i]);
        const ty_predictions_options options = options_of(&s);
        fault_io fault;
        fault_io_init(&fault);
        f->ctx.io = &fault.io;
        char *whole = NULL;
        size_t whole_bytes = 0;
        fault_io_arm(&fault, FAULT_NONE, 0, false);
        assert_int_equal(write_all(&f->ctx, &options, logits[0], 3), TY_OK);
        const long long calls = fault_io_count(&fault);
        assert_in_range(calls, 5, 100);
        assert_int_equal(ty_file_read_all(&f->ctx, s.path, 1 << 20, &whole, &whole_bytes), TY_OK);
        for (long long at = 1; at <= calls; at++) {
            char *text = NULL;
            size_t bytes = 0;
            write_text(f, endings[i], "before");
            fault_io_arm(&fault, FAULT_ENOSPC, at, false);
            const ty_status st = write_all(&f->ctx, &options, logits[0], 3);
            fault_io_arm(&fault, FAULT_NONE, 0, false);
            assert_int_equal(ty_file_read_all(&f->ctx, s.path, 1 << 20, &text, &bytes), TY_OK);
            const bool is_before = bytes == 6 && memcmp(text, "before", 6) == 0;
            if (!is_before && (bytes != whole_bytes || memcmp(text, whole, bytes) != 0))
                fail_msg("%s: call %lld failed, and %zu bytes are there", endings[i], at, bytes);
            if (st == TY_OK && is_before)
                fail_msg("%s: call %lld failed, and the old file counts as new", endings[i], at);
            if (st != TY_OK && f->ctx.message[0] == '\0')
                fail_msg("call %lld failed without a word", at);
            free(text);
        }
        f->ctx.io = ty_io_posix();
        free(whole);
        close_samples(&s);
    }
}

static void floats_are_short_and_read_back(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *text;
    } fixed[] = {{0.1F, "0.1"},
                 {1, "1"},
                 {-1.5F, "-1.5"},
                 {0, "0"},
                 {-0.0F, "-0"},
                 {1e10F, "10000000000"},
                 {123456.7F, "123456.7"},
                 {3.4028235e38F, "3.4028235e38"},
                 {1e-45F, "1.4013e-45"},
                 {0.000123F, "0.000123"},
                 {1e-5F, "0.00001"},
                 {16777216, "16777216"},
                 {NAN, "nan"},
                 {-INFINITY, "-inf"}};
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        const int n_fixed = (int)(sizeof fixed / sizeof *fixed);
        ty_text text = {0};
        float value;
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        const uint32_t word = (uint32_t)bits;
        memcpy(&value, &word, sizeof value);
        value = i < n_fixed ? fixed[i].value : value;
        ty_float_add(&text, value);
        if (i < n_fixed && strcmp(ty_text_string(&text), fixed[i].text) != 0)
            fail_msg("%.9g is written %s, want %s", (double)value, text.data, fixed[i].text);
        const float back = strtof(ty_text_string(&text), NULL);
        if (!isnan(value) && memcmp(&back, &value, sizeof back) != 0)
            fail_msg("%.9g is written %s and reads %.9g", (double)value, text.data, (double)back);
        assert_in_range(text.length, 1, 16);
        ty_text_clear(&text);
    }
}

static void softmax_is_exact_to_a_float_and_keeps_nan(void **state) {
    (void)state;
    float out[4];
    const float x[4] = {1, -3, 0.5F, -700};
    ty_predictions_softmax(x, 4, out);
    long double sum = 0;
    for (int k = 0; k < 4; k++)
        sum += expl((long double)x[k] - 1);
    for (int k = 0; k < 4; k++) {
        const float want = (float)(expl((long double)x[k] - 1) / sum);
        if (fabsf(out[k] - want) > 1e-7F * want)
            fail_msg("%d: %.9g, want %.9g", k, (double)out[k], (double)want);
    }
    ty_predictions_softmax((const float[]){NAN, 1}, 2, out);
    assert_true(isnan(out[1]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(csv_has_a_row_a_sample_in_order, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(json_lines_name_classes, data_set_up, data_tear_down),
        cmocka_unit_test_setup_teardown(a_regression_has_a_number_a_target, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(hdf5_has_an_array_a_column_and_the_same_bytes_each_time,
                                        data_set_up, data_tear_down),
        cmocka_unit_test_setup_teardown(options_that_do_not_go_together_are_refused, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_published_leaves_nothing_behind, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(a_failing_disk_never_leaves_half_a_file, data_set_up,
                                        data_tear_down),
        cmocka_unit_test(floats_are_short_and_read_back),
        cmocka_unit_test(softmax_is_exact_to_a_float_and_keeps_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
