/* IDX folders: what is read, and what a damaged or lying file is told. */
#include "tests/data/data_fixture.h"

static void write_whole_set(data_fixture *f) {
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 90);
    write_idx_part(f, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 12);
}

static void a_folder_of_plain_and_gz_files_is_read(void **state) {
    data_fixture *f = *state;
    write_whole_set(f);
    ty_data_config config = data_config(f->folder.path);
    ty_dataset *set = open_set(f, &config);
    const ty_data_info *info = ty_dataset_info(set);
    assert_string_equal(info->format, "idx");
    assert_int_equal(info->count[TY_SPLIT_TRAIN], 90);
    assert_int_equal(info->count[TY_SPLIT_TEST], 12);
    assert_true(info->x_is_u8);
    assert_int_equal(info->x_rank, 3);
    assert_int_equal(info->x_dims[0], 1);
    assert_int_equal(info->x_dims[2], IDX_SIDE);
    assert_int_equal(info->n_outputs, IDX_CLASSES);
    assert_string_equal(info->class_names[2], "2");
    uint8_t x[IDX_PIXELS];
    int32_t y = -1;
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 7, x, &y), TY_OK);
    assert_int_equal(x[IDX_PIXELS - 1], 7);
    assert_int_equal(y, 1);
    ty_dataset_close(set);
}

static void the_plain_file_is_taken_where_both_are_there(void **state) {
    data_fixture *f = *state;
    write_whole_set(f);
    write_text(f, "train-images-idx3-ubyte.gz", "not even IDX");
    ty_data_config config = data_config(f->folder.path);
    ty_dataset_close(open_set(f, &config));
}

static void labels_that_do_not_start_at_zero_become_dense_classes(void **state) {
    data_fixture *f = *state;
    uint8_t labels[30], file[256];
    const uint32_t n = 30;
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", n);
    for (uint32_t i = 0; i < n; i++)
        labels[i] = i % 2 ? 26 : 5;
    write_bytes(f, "train-labels-idx1-ubyte", file, make_idx(file, 0x08, 1, &n, labels, n));
    ty_data_config config = data_config(f->folder.path);
    ty_dataset *set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->n_outputs, 2);
    assert_string_equal(ty_dataset_info(set)->class_names[1], "26");
    ty_dataset_close(set);
}

static void floats_are_read_big_endian(void **state) {
    data_fixture *f = *state;
    uint8_t file[256];
    const uint8_t one_and_minus_two[] = {0x3f, 0x80, 0, 0, 0xc0, 0,    0, 0,
                                         0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0};
    write_bytes(f, "train-images-idx2-float", file,
                make_idx(file, 0x0d, 2, (uint32_t[]){2, 2}, one_and_minus_two, 16));
    write_bytes(f, "train-labels-idx1-ubyte", file,
                make_idx(file, 0x08, 1, (uint32_t[]){2}, (const uint8_t[]){0, 1}, 2));
    ty_data_config config = data_config(f->folder.path);
    ty_dataset *set = open_set(f, &config);
    float x[2];
    int32_t y;
    assert_false(ty_dataset_info(set)->x_is_u8);
    assert_int_equal(ty_dataset_info(set)->x_rank, 1);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, 0, x, &y), TY_OK);
    assert_float_equal(x[0], 1.0f, 0);
    assert_float_equal(x[1], -2.0f, 0);
    assert_float_equal(ty_dataset_info(set)->mean[0], 2.0f, 1e-6);
    assert_float_equal(ty_dataset_info(set)->mean[1], 1.0f, 1e-6);
    assert_float_equal(ty_dataset_info(set)->inverse_std[1], 1.0f / 3.0f, 1e-6);
    ty_dataset_close(set);
}

/* Replaces the training images by these bytes and expects a refusal that names the file and the
 * words. */
static void assert_images_refused(data_fixture *f, const char *name, const void *file, size_t bytes,
                                  const char *const words[]) {
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 6);
    char path[DATA_PATH_BYTES];
    (void)remove(temp_folder_path(&f->folder, "train-images-idx3-ubyte", path));
    write_bytes(f, name, file, bytes);
    ty_data_config config = data_config(f->folder.path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS(name));
    assert_refused(f, &config, TY_ERR_DATA, words);
    (void)remove(temp_folder_path(&f->folder, name, path));
}

static void lying_headers_are_refused_with_their_offset(void **state) {
    data_fixture *f = *state;
    const char *plain = "train-images-idx3-ubyte", *gz = "train-images-idx3-ubyte.gz";
    uint8_t file[256], zeros[128] = {0};
    const uint32_t dims[] = {6, 4, 4};
    size_t n = make_idx(file, 0x08, 3, dims, zeros, 96);
    file[0] = 1;
    assert_images_refused(f, plain, file, n, WORDS(":@0:", "no IDX file"));
    n = make_idx(file, 0x07, 3, dims, zeros, 96);
    assert_images_refused(f, plain, file, n, WORDS(":@2:", "0x07"));
    n = make_idx(file, 0x08, 4, (uint32_t[]){6, 4, 4, 1}, zeros, 96);
    file[3] = 200;
    assert_images_refused(f, plain, file, n, WORDS(":@3:", "200"));
    n = make_idx(file, 0x08, 3, (uint32_t[]){6, 0, 4}, zeros, 96);
    assert_images_refused(f, plain, file, n, WORDS(":@8:", "0 samples"));
    n = make_idx(file, 0x0e, 4, (uint32_t[]){0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, zeros,
                 96);
    assert_images_refused(f, plain, file, n, WORDS("overflows"));
    n = make_idx(file, 0x08, 3, (uint32_t[]){0x7fffffff, 4, 4}, zeros, 96);
    assert_images_refused(f, plain, file, n, WORDS(":@4:", "can hold at most"));
    assert_images_refused(f, gz, file, n, WORDS(":@4:", "can hold at most"));
    n = make_idx(file, 0x08, 3, dims, zeros, 97);
    assert_images_refused(f, plain, file, n, WORDS(":@112:", "1 byte follow"));
    assert_images_refused(f, gz, file, n, WORDS(":@112:", "bytes follow"));
    n = make_idx(file, 0x08, 3, dims, zeros, 95);
    assert_images_refused(f, plain, file, n, WORDS("promises 112 bytes"));
    assert_images_refused(f, gz, file, n, WORDS(":@111:", "want 1 byte more"));
    assert_images_refused(f, plain, file, 9, WORDS(":@9:", "ends here"));
    assert_images_refused(f, plain, file, 0, WORDS(":@0:", "ends here"));
}

static void a_bomb_is_inflated_no_further_than_the_header_says(void **state) {
    data_fixture *f = *state;
    enum { BOMB = 64 << 20 };
    uint8_t *bomb = calloc(1, BOMB + 64), zero = 0;
    assert_non_null(bomb);
    (void)make_idx(bomb, 0x08, 3, (uint32_t[]){6, 4, 4}, &zero, 1);
    assert_images_refused(f, "train-images-idx3-ubyte.gz", bomb, BOMB,
                          WORDS(":@112:", "bytes follow"));
    free(bomb);
}

static size_t read_back(data_fixture *f, const char *name, uint8_t *out, size_t most) {
    char path[DATA_PATH_BYTES];
    FILE *file = fopen(temp_folder_path(&f->folder, name, path), "rb");
    assert_non_null(file);
    const size_t bytes = fread(out, 1, most, file);
    (void)fclose(file);
    return bytes;
}

static void a_gz_file_cut_off_or_damaged_anywhere_is_refused(void **state) {
    data_fixture *f = *state;
    static uint8_t whole[65536], raw[65536];
    write_idx_part(f, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte", 90);
    const size_t bytes = read_back(f, "train-images-idx3-ubyte.gz", whole, sizeof whole);
    char path[DATA_PATH_BYTES];
    temp_folder_path(&f->folder, "train-images-idx3-ubyte.gz", path);
    ty_data_config config = data_config(f->folder.path);
    for (size_t length = 2; length < bytes; length += 3) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(whole, 1, length, file), length);
        (void)fclose(file);
        assert_refused(f, &config, TY_ERR_DATA, WORDS("train-images-idx3-ubyte.gz:@"));
    }
    int refused = 0, n = 0;
    for (size_t at = 10; at < bytes; at += 2, n++) {
        memcpy(raw, whole, bytes);
        raw[at] ^= 0x10;
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(raw, 1, bytes, file), bytes);
        (void)fclose(file);
        ty_dataset *set = NULL;
        refused += ty_dataset_open(&f->ctx, &config, NULL, &set) == TY_ERR_DATA;
        ty_dataset_close(set);
    }
    assert_int_equal(refused,
                     n); /* every byte behind the gzip header is covered by its CRC or length */
}

static void bytes_behind_a_gz_file_are_refused_and_members_are_joined(void **state) {
    data_fixture *f = *state;
    uint8_t first[256], second[256], joined[1024];
    const uint32_t dims[] = {6, 4, 4};
    uint8_t pixels[96] = {0}, file[256];
    const size_t n = make_idx(file, 0x08, 3, dims, pixels, 96);
    write_bytes(f, "a.gz", file, 50);
    write_bytes(f, "b.gz", file + 50, n - 50);
    const size_t a = read_back(f, "a.gz", first, sizeof first),
                 b = read_back(f, "b.gz", second, sizeof second);
    memcpy(joined, first, a);
    memcpy(joined + a, second, b);
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 6);
    ty_data_config config = data_config(f->folder.path);
    write_bytes(f, "train-images-idx3-ubyte", joined,
                a + b); /* told by its bytes, not by its name */
    ty_dataset_close(open_set(f, &config));
    joined[a + b] = 'x';
    write_bytes(f, "train-images-idx3-ubyte", joined, a + b + 1);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("bytes follow the end of the compressed data"));
}

static void counts_that_differ_are_refused(void **state) {
    data_fixture *f = *state;
    write_idx_part(f, "train-images-idx3-ubyte", "other", 9);
    write_idx_part(f, "other", "train-labels-idx1-ubyte", 8);
    ty_data_config config = data_config(f->folder.path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("8 labels for 9 images"));
}

static void a_test_label_that_training_has_not_is_named_with_its_offset(void **state) {
    data_fixture *f = *state;
    uint8_t file[256];
    write_whole_set(f);
    char path[DATA_PATH_BYTES];
    (void)remove(temp_folder_path(&f->folder, "t10k-labels-idx1-ubyte.gz", path));
    write_bytes(f, "t10k-labels-idx1-ubyte", file,
                make_idx(file, 0x08, 1, (uint32_t[]){12}, (const uint8_t[12]){0, 1, 2, 9}, 12));
    ty_data_config config = data_config(f->folder.path);
    assert_refused(f, &config, TY_ERR_DATA,
                   WORDS("t10k-labels-idx1-ubyte:@11:", "label 9", "3 classes"));
}

static void a_part_without_labels_or_a_single_file_is_refused_with_what_is_wanted(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_whole_set(f);
    (void)remove(temp_folder_path(&f->folder, "t10k-labels-idx1-ubyte.gz", path));
    ty_data_config config = data_config(f->folder.path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("t10k-images-idx3-ubyte.gz", "t10k-labels-idx"));
    config.source = temp_folder_path(&f->folder, "train-images-idx3-ubyte", path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("single file", "folder"));
}

static void a_folder_without_idx_files_is_refused(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config(f->folder.path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("has no train-images-idx3-ubyte[.gz]"));
}

static void statistics_are_those_of_the_training_split(void **state) {
    data_fixture *f = *state;
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 200);
    ty_data_config config = data_config(f->folder.path);
    config.val_fraction = 0.3;
    ty_dataset *set = open_set(f, &config);
    const ty_data_info *info = ty_dataset_info(set);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < info->count[TY_SPLIT_TRAIN]; i++) {
        uint8_t x[IDX_PIXELS];
        int32_t y;
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, i, x, &y), TY_OK);
        sum += x[0];
        squares += x[0] * x[0];
    }
    const double mean = sum / 140, std = sqrt(squares / 140 - mean * mean);
    assert_int_equal(info->count[TY_SPLIT_TRAIN], 140);
    assert_float_equal(info->mean[0], (float)mean, 1e-4);
    assert_float_equal(info->inverse_std[0], (float)(1 / std), 1e-6);
    ty_dataset_close(set);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_folder_of_plain_and_gz_files_is_read),
        WITH_FIXTURE(the_plain_file_is_taken_where_both_are_there),
        WITH_FIXTURE(labels_that_do_not_start_at_zero_become_dense_classes),
        WITH_FIXTURE(floats_are_read_big_endian),
        WITH_FIXTURE(lying_headers_are_refused_with_their_offset),
        WITH_FIXTURE(a_bomb_is_inflated_no_further_than_the_header_says),
        WITH_FIXTURE(a_gz_file_cut_off_or_damaged_anywhere_is_refused),
        WITH_FIXTURE(bytes_behind_a_gz_file_are_refused_and_members_are_joined),
        WITH_FIXTURE(counts_that_differ_are_refused),
        WITH_FIXTURE(a_test_label_that_training_has_not_is_named_with_its_offset),
        WITH_FIXTURE(a_part_without_labels_or_a_single_file_is_refused_with_what_is_wanted),
        WITH_FIXTURE(a_folder_without_idx_files_is_refused),
        WITH_FIXTURE(statistics_are_those_of_the_training_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
