/* Finding a set, its fingerprint and digest cache, its splits, and the checks before anything is
 * trained. */
#include <fcntl.h>

#include "tests/data/data_fixture.h"

/* --- an io that counts what is read ----------------------------------------------------------- */

typedef struct counting_io {
    ty_io io;
    int64_t bytes;
} counting_io;

static ssize_t count(counting_io *counter, ssize_t got) {
    counter->bytes += got > 0 ? got : 0;
    return got;
}

static ssize_t counted_read(void *self, int fd, void *data, size_t bytes) {
    const ty_io *real = ty_io_posix();
    return count(self, real->read(real->self, fd, data, bytes));
}

static ssize_t counted_pread(void *self, int fd, void *data, size_t bytes, off_t offset) {
    const ty_io *real = ty_io_posix();
    return count(self, real->pread(real->self, fd, data, bytes, offset));
}

static int64_t far_future(void *self) {
    (void)self;
    return INT64_C(4102444800) * 1000000000; /* 2100: every file of today has settled */
}

static int64_t standing_still(void *self) {
    (void)self;
    return 0;
}

static const ty_clock future_clock = {.wall_ns = far_future, .monotonic_ns = standing_still};

static ty_dataset *open_cached(data_fixture *f, const ty_data_config *config, const char *cache) {
    ty_dataset *set = NULL;
    if (ty_dataset_open(&f->ctx, config, cache, &set) != TY_OK)
        fail_msg("%s", f->ctx.message);
    return set;
}

static void take_fingerprint(data_fixture *f, const ty_data_config *config,
                             char out[TY_SHA256_HEX]) {
    ty_dataset *set = open_set(f, config);
    memcpy(out, ty_dataset_info(set)->fingerprint, TY_SHA256_HEX);
    ty_dataset_close(set);
}

/* --- places ----------------------------------------------------------------------------------- */

static const char *no_env(const char *name) {
    return strcmp(name, "XDG_DATA_DIRS") == 0 ? "/nonexistent/share" : NULL;
}

static void a_missing_named_set_says_what_to_install(void **state) {
    data_fixture *f = *state;
    f->ctx.getenv = no_env;
    ty_data_config config = data_config("fashion-mnist");
    assert_refused(
        f, &config, TY_ERR_NOT_FOUND,
        WORDS("/nonexistent/share/datasets/fashion-mnist", "apt install dataset-fashion-mnist"));
}

static void a_misspelt_set_gets_the_nearest_name_and_an_unknown_one_all_names(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("fasion-mnist");
    assert_refused(f, &config, TY_ERR_NOT_FOUND, WORDS("did you mean \"fashion-mnist\"?"));
    config.source = "imagenet-22k";
    assert_refused(f, &config, TY_ERR_NOT_FOUND, WORDS("\"fashion-mnist\"", "$TILTYARD_DATA_PATH"));
}

static char data_path[DATA_PATH_BYTES]; /* what TILTYARD_DATA_PATH is below: a getenv has no self */

static const char *env_with_data_path(const char *name) {
    return strcmp(name, "TILTYARD_DATA_PATH") == 0 ? data_path : NULL;
}

static void folders_of_the_data_path_are_sets_by_their_names(void **state) {
    data_fixture *f = *state;
    char folder[DATA_PATH_BYTES];
    temp_folder_path(&f->folder, "my-set", folder);
    assert_int_equal(ty_dir_make(&f->ctx, folder), TY_OK);
    write_idx_part(f, "my-set/train-images-idx3-ubyte", "my-set/train-labels-idx1-ubyte", 9);
    (void)snprintf(data_path, sizeof data_path, "/nonexistent:%s", f->folder.path);
    f->ctx.getenv = env_with_data_path;
    ty_data_config config = data_config("my-set");
    ty_dataset *set = open_set(f, &config);
    assert_string_equal(ty_dataset_info(set)->name, "my-set");
    ty_dataset_close(set);
}

static void fashion_mnist_is_whole_and_named(void **state) {
    data_fixture *f = *state;
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0) {
        print_message("skipped: apt install dataset-fashion-mnist\n");
        skip();
    }
    ty_data_config config = data_config("fashion-mnist");
    config.val_fraction = 0.1;
    ty_dataset *set = open_set(f, &config);
    const ty_data_info *info = ty_dataset_info(set);
    assert_int_equal(info->count[TY_SPLIT_TRAIN], 54000);
    assert_int_equal(info->count[TY_SPLIT_VAL], 6000);
    assert_int_equal(info->count[TY_SPLIT_TEST], 10000);
    assert_string_equal(info->class_names[9], "Ankle boot");
    assert_string_equal(info->source, "fashion-mnist");
    assert_float_equal(info->mean[0], 72.94f, 0.2f);
    ty_dataset_close(set);
}

/* --- fingerprint ------------------------------------------------------------------------------ */

static void the_fingerprint_changes_with_one_byte_and_not_with_the_place(void **state) {
    data_fixture *f = *state;
    char first[TY_SHA256_HEX], moved[TY_SHA256_HEX], changed[TY_SHA256_HEX], path[DATA_PATH_BYTES];
    write_text(f, "a.csv", "a,y\n1,u\n2,v\n");
    ty_data_config config = data_config(temp_folder_path(&f->folder, "a.csv", path));
    take_fingerprint(f, &config, first);
    char folder[DATA_PATH_BYTES];
    assert_int_equal(ty_dir_make(&f->ctx, temp_folder_path(&f->folder, "elsewhere", folder)),
                     TY_OK);
    write_text(f, "elsewhere/a.csv", "a,y\n1,u\n2,v\n");
    config.source = temp_folder_path(&f->folder, "elsewhere/a.csv", path);
    take_fingerprint(f, &config, moved);
    assert_string_equal(moved, first);
    write_text(f, "elsewhere/a.csv", "a,y\n1,u\n3,v\n");
    take_fingerprint(f, &config, changed);
    assert_string_not_equal(changed, first);
}

static void the_fingerprint_changes_with_what_the_config_makes_of_the_data(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], prints[8][TY_SHA256_HEX];
    write_text(f, "a.csv",
               "a,b,y\n1,1,0\n2,1,1\n3,0,0\n4,1,1\n5,0,0\n6,1,1\n7,0,0\n8,0,1\n9,1,0\n10,0,1\n");
    const ty_data_config base = data_config(temp_folder_path(&f->folder, "a.csv", path));
    ty_data_config configs[8];
    for (int i = 0; i < 8; i++)
        configs[i] = base;
    configs[1].target = "b";
    configs[2].features = "a";
    configs[3].task = 2;
    configs[4].normalize = 0;
    configs[5].val_fraction = 0.2;
    configs[6].max_samples = 9;
    configs[7].split_seed = 2;
    for (int i = 0; i < 8; i++) {
        take_fingerprint(f, &configs[i], prints[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(prints[i], prints[k]);
    }
    ty_data_config shown = base;
    char again[TY_SHA256_HEX];
    shown.format = 2;
    shown.task = 1; /* both are what auto finds */
    take_fingerprint(f, &shown, again);
    assert_string_equal(again, prints[0]);
}

static void a_file_with_a_known_digest_is_not_hashed_again(void **state) {
    data_fixture *f = *state;
    char cache[DATA_PATH_BYTES];
    counting_io counter = {.io = *ty_io_posix()};
    counter.io.self = &counter;
    counter.io.read = counted_read;
    counter.io.pread = counted_pread;
    /* The other calls ignore self: the real io has no state. */
    f->ctx.io = &counter.io;
    f->ctx.clock = &future_clock;
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 900);
    const int64_t set_bytes = 16 + 900 * IDX_PIXELS + 8 + 900;
    ty_data_config config = data_config(f->folder.path);
    temp_folder_path(&f->folder, "cache/deep", cache);

    ty_dataset *first = open_cached(f, &config, cache);
    assert_int_equal(counter.bytes, 2 * set_bytes);
    counter.bytes = 0;
    ty_dataset *second = open_cached(f, &config, cache);
    assert_in_range(counter.bytes, set_bytes, set_bytes + 1000); /* once, and the cache itself */
    assert_string_equal(ty_dataset_info(second)->fingerprint, ty_dataset_info(first)->fingerprint);
    ty_dataset_close(second);

    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 901);
    counter.bytes = 0;
    ty_dataset *third = open_cached(f, &config, cache);
    assert_in_range(counter.bytes, 2 * set_bytes, INT32_MAX);
    assert_string_not_equal(ty_dataset_info(third)->fingerprint,
                            ty_dataset_info(first)->fingerprint);
    ty_dataset_close(third);
    ty_dataset_close(first);
}

static void a_digest_of_a_file_that_just_changed_is_not_kept(void **state) {
    data_fixture *f = *state;
    char cache[DATA_PATH_BYTES], path[DATA_PATH_BYTES];
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 9);
    ty_data_config config = data_config(f->folder.path);
    temp_folder_path(&f->folder, "cache", cache);
    ty_dataset_close(open_cached(f, &config, cache));
    assert_int_equal(access(temp_folder_path(&f->folder, "cache/data-digests", path), F_OK), -1);
}

static void a_damaged_cache_costs_only_time(void **state) {
    data_fixture *f = *state;
    char cache[DATA_PATH_BYTES], want[TY_SHA256_HEX];
    f->ctx.clock = &future_clock;
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 9);
    ty_data_config config = data_config(f->folder.path);
    take_fingerprint(f, &config, want);
    temp_folder_path(&f->folder, "cache", cache);
    assert_int_equal(ty_dir_make(&f->ctx, cache), TY_OK);
    write_text(f, "cache/data-digests",
               "1 2 3 4 5 xyz\n1 2 3\n\n9999999999999999999999 0 0 0 0 00\n");
    ty_dataset *set = open_cached(f, &config, cache);
    assert_string_equal(ty_dataset_info(set)->fingerprint, want);
    ty_dataset_close(set);
}

static void a_cache_that_cannot_be_written_is_only_warned_of(void **state) {
    data_fixture *f = *state;
    char cache[DATA_PATH_BYTES];
    f->ctx.clock = &future_clock;
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 9);
    write_text(f, "file", "");
    ty_data_config config = data_config(f->folder.path);
    ty_dataset_close(open_cached(f, &config, temp_folder_path(&f->folder, "file/cache", cache)));
    assert_non_null(strstr(f->log, "digests are not kept"));
}

/* --- splits ----------------------------------------------------------------------------------- */

/* Value of each sample of a split in a CSV whose only feature is the row's number. */
static void collect(data_fixture *f, const ty_dataset *set, ty_split split, int seen[]) {
    for (int64_t i = 0; i < ty_dataset_info(set)->count[split]; i++) {
        float x, y;
        assert_int_equal(ty_dataset_sample(&f->ctx, set, split, i, &x, &y), TY_OK);
        seen[(int)x]++;
    }
}

static ty_data_config numbered_rows(data_fixture *f, char path[DATA_PATH_BYTES]) {
    static char text[40000];
    size_t used = (size_t)snprintf(text, sizeof text, "row,y\n");
    for (int i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d.5\n", i, i);
    write_text(f, "n.csv", text);
    ty_data_config config = data_config(temp_folder_path(&f->folder, "n.csv", path));
    config.normalize = 0;
    return config;
}

static void splits_share_no_row_and_leave_none_out(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    int seen[1000] = {0};
    ty_data_config config = numbered_rows(f, path);
    config.val_fraction = 0.15;
    config.test_fraction = 0.2;
    ty_dataset *set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TRAIN], 650);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_VAL], 150);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TEST], 200);
    for (int split = 0; split < TY_SPLIT_COUNT; split++)
        collect(f, set, (ty_split)split, seen);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(seen[i], 1);
    ty_dataset_close(set);
}

static void the_split_depends_on_its_seed_alone(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    ty_data_config config = numbered_rows(f, path);
    config.val_fraction = 0.1;
    int seen[3][1000] = {{0}}, shared = 0;
    for (int k = 0; k < 3; k++) {
        config.split_seed = k == 2 ? 8 : 7;
        ty_dataset *set = open_set(f, &config);
        collect(f, set, TY_SPLIT_VAL, seen[k]);
        ty_dataset_close(set);
    }
    assert_memory_equal(seen[0], seen[1], sizeof seen[0]);
    for (int i = 0; i < 1000; i++)
        shared += seen[0][i] && seen[2][i];
    assert_in_range(shared, 0, 30); /* 10 expected */
}

static void max_samples_draws_from_all_of_a_split(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    int seen[1000] = {0}, upper = 0;
    ty_data_config config = numbered_rows(f, path);
    config.val_fraction = 0.2;
    config.max_samples = 100;
    ty_dataset *set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TRAIN], 100);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_VAL], 100);
    collect(f, set, TY_SPLIT_TRAIN, seen);
    for (int i = 500; i < 1000; i++)
        upper += seen[i];
    assert_in_range(upper, 25, 75);
    collect(f, set, TY_SPLIT_VAL, seen);
    for (int i = 0; i < 1000; i++)
        assert_in_range(seen[i], 0, 1);
    ty_dataset_close(set);
}

static void fractions_that_leave_nothing_are_refused(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:10x3x2");
    config.val_fraction = 0.01;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.val_fraction 0.01 of 10 samples"));
    config.val_fraction = 0.99;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("take all 10 samples"));
    config.val_fraction = 0.1;
    config.test_fraction = 0.1;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.test_fraction", "its own test part"));
}

/* --- checks ----------------------------------------------------------------------------------- */

static void a_class_that_training_lost_to_the_split_is_named(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], text[2000];
    size_t used = (size_t)snprintf(text, sizeof text, "a,y\n");
    for (int i = 0; i < 20; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,class%d\n", i, i);
    write_text(f, "a.csv", text);
    ty_data_config config = data_config(temp_folder_path(&f->folder, "a.csv", path));
    config.val_fraction = 0.2;
    assert_refused(f, &config, TY_ERR_DATA,
                   WORDS("class \"class", "no sample in the training split of 16"));
}

static void an_unbalanced_set_is_warned_of(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], text[4000];
    size_t used = (size_t)snprintf(text, sizeof text, "a,y\n0,rare\n");
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,often\n", i);
    write_text(f, "a.csv", text);
    ty_data_config config = data_config(temp_folder_path(&f->folder, "a.csv", path));
    ty_dataset_close(open_set(f, &config));
    assert_non_null(strstr(f->log, "\"often\" has 200 training samples, \"rare\" 1"));
}

static void options_that_do_not_fit_the_data_are_refused(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:10x3x2");
    config.flip = 0.5;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.flip", "for images"));
    config.flip = 0;
    config.normalize = 2;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.normalize", "unit"));
    config = data_config("synthetic:10x1x4x4x2");
    config.crop_padding = 4;
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("data.crop_padding is 4", "4x4"));
    config = data_config("synthetic:10x1x4");
    config.source = "synthetic:10x1x4x2";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("synthetic:NxCxHxWxK"));
}

static void a_kept_state_is_accepted_by_the_same_data_and_refused_by_other(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_text(f, "a.csv", "a,c,y\n1,red,u\n2,blue,v\n");
    ty_data_config config = data_config(temp_folder_path(&f->folder, "a.csv", path));
    ty_dataset *first = open_set(f, &config), *same = open_set(f, &config);
    write_text(f, "a.csv", "a,c,y\n1,red,u\n2,green,v\n");
    ty_dataset *other = open_set(f, &config);
    const char *kept = ty_dataset_state(first);
    assert_int_equal(ty_dataset_check_state(&f->ctx, same, kept), TY_OK);
    assert_int_equal(ty_dataset_check_state(&f->ctx, other, kept), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, "green"));
    assert_non_null(strstr(f->ctx.message, "blue"));
    assert_int_equal(ty_dataset_check_state(&f->ctx, same, ""), TY_ERR_DATA);
    ty_dataset_close(first);
    ty_dataset_close(same);
    ty_dataset_close(other);
}

static void descriptions_are_json_and_a_table(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:40x1x4x4x2");
    config.val_fraction = 0.25;
    ty_dataset *set = open_set(f, &config);
    ty_text text = {0}, json = {0};
    assert_int_equal(ty_dataset_describe(&f->ctx, set, &text), TY_OK);
    assert_non_null(strstr(text.data, "u8 [1,4,4]"));
    assert_non_null(strstr(text.data, ty_dataset_info(set)->fingerprint));
    assert_int_equal(ty_dataset_describe_json(&f->ctx, set, &json), TY_OK);
    const char *const documents[] = {json.data, ty_dataset_state(set),
                                     ty_dataset_info(set)->schema_json};
    for (size_t i = 0; i < 3; i++) {
        json_t *value = json_loads(documents[i], JSON_REJECT_DUPLICATES, NULL);
        if (!value)
            fail_msg("not JSON: %s", documents[i]);
        json_decref(value);
    }
    assert_non_null(strstr(json.data, "\"val\":{\"samples\":10"));
    ty_text_clear(&text);
    ty_text_clear(&json);
    ty_dataset_close(set);
}

static void synthetic_data_is_the_same_each_time_and_tells_classes_apart(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:400x20x4");
    ty_dataset *set = open_set(f, &config), *again = open_set(f, &config);
    double mean[4][20] = {{0}};
    float x[20], y[20];
    int32_t label, label_again;
    for (int64_t i = 0; i < 400; i++) {
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, i, x, &label), TY_OK);
        assert_int_equal(ty_dataset_sample(&f->ctx, again, TY_SPLIT_TRAIN, i, y, &label_again),
                         TY_OK);
        assert_memory_equal(x, y, sizeof x);
        for (int k = 0; k < 20; k++)
            mean[label][k] += (double)x[k] / 100;
    }
    /* Nearest class mean, fitted on train, on the test part. */
    int n_right = 0;
    for (int64_t i = 0; i < 100; i++) {
        int best = 0;
        double least = 1e9;
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, i, x, &label), TY_OK);
        for (int c = 0; c < 4; c++) {
            double distance = 0;
            for (int k = 0; k < 20; k++)
                distance += ((double)x[k] - mean[c][k]) * ((double)x[k] - mean[c][k]);
            best = distance < least ? c : best;
            least = distance < least ? distance : least;
        }
        n_right += best == label;
    }
    assert_in_range(n_right, 90, 100);
    ty_dataset_close(set);
    ty_dataset_close(again);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_missing_named_set_says_what_to_install),
        WITH_FIXTURE(a_misspelt_set_gets_the_nearest_name_and_an_unknown_one_all_names),
        WITH_FIXTURE(folders_of_the_data_path_are_sets_by_their_names),
        WITH_FIXTURE(fashion_mnist_is_whole_and_named),
        WITH_FIXTURE(the_fingerprint_changes_with_one_byte_and_not_with_the_place),
        WITH_FIXTURE(the_fingerprint_changes_with_what_the_config_makes_of_the_data),
        WITH_FIXTURE(a_file_with_a_known_digest_is_not_hashed_again),
        WITH_FIXTURE(a_digest_of_a_file_that_just_changed_is_not_kept),
        WITH_FIXTURE(a_damaged_cache_costs_only_time),
        WITH_FIXTURE(a_cache_that_cannot_be_written_is_only_warned_of),
        WITH_FIXTURE(splits_share_no_row_and_leave_none_out),
        WITH_FIXTURE(the_split_depends_on_its_seed_alone),
        WITH_FIXTURE(max_samples_draws_from_all_of_a_split),
        WITH_FIXTURE(fractions_that_leave_nothing_are_refused),
        WITH_FIXTURE(a_class_that_training_lost_to_the_split_is_named),
        WITH_FIXTURE(an_unbalanced_set_is_warned_of),
        WITH_FIXTURE(options_that_do_not_fit_the_data_are_refused),
        WITH_FIXTURE(a_kept_state_is_accepted_by_the_same_data_and_refused_by_other),
        WITH_FIXTURE(descriptions_are_json_and_a_table),
        WITH_FIXTURE(synthetic_data_is_the_same_each_time_and_tells_classes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
