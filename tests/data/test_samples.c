/* Files without labels, encoded as a training encoded its own: the same bits by name and by place, and
 * what is not like the training's data is told with its place. */
#include "tests/data/data_fixture.h"

static const char training_text[] = "size,colour,weight,kind\n"
                                    "1,red,0.1,cat\n"
                                    "3,blue,,dog\n"
                                    "2.5,green,7,cat\n"
                                    "4,,1e3,dog\n"
                                    "0.7,blue,-2,cat\n";

/* The training's set of a text, and what its checkpoint would restore. */
typedef struct training {
    ty_dataset *set, *fitted;
} training;

static ty_dataset *restore(data_fixture *f, const char *state) {
    ty_dataset *fitted = NULL;
    if (ty_dataset_restore(&f->ctx, state, &fitted) != TY_OK)
        fail_msg("%s", f->ctx.message);
    return fitted;
}

static training train_on(data_fixture *f, const char *text) {
    char path[DATA_PATH_BYTES];
    write_text(f, "train.csv", text);
    const ty_data_config config = data_config(temp_folder_path(&f->folder, "train.csv", path));
    training t = {.set = open_set(f, &config)};
    t.fitted = restore(f, ty_dataset_state(t.set));
    return t;
}

static void end(training *t) {
    ty_dataset_close(t->fitted);
    ty_dataset_close(t->set);
}

static ty_dataset *open_samples(data_fixture *f, const ty_dataset *fitted,
                                const ty_samples_options *options) {
    ty_dataset *set = NULL;
    if (ty_samples_open(&f->ctx, fitted, options, &set) != TY_OK)
        fail_msg("%s", f->ctx.message);
    return set;
}

static ty_dataset *open_samples_text(data_fixture *f, const ty_dataset *fitted, const char *text) {
    char path[DATA_PATH_BYTES];
    write_text(f, "new.csv", text);
    const ty_samples_options options = {.path = temp_folder_path(&f->folder, "new.csv", path),
                                        .target_is_last = true};
    return open_samples(f, fitted, &options);
}

static void assert_samples_refused(data_fixture *f, const ty_dataset *fitted,
                                   const ty_samples_options *options, ty_status want,
                                   const char *const words[]) {
    ty_dataset *set = NULL;
    const ty_status st = ty_samples_open(&f->ctx, fitted, options, &set);
    ty_dataset_close(set);
    if (st != want)
        fail_msg("status %s, want %s: %s", ty_status_name(st), ty_status_name(want),
                 f->ctx.message);
    for (int i = 0; words[i]; i++)
        if (!strstr(f->ctx.message, words[i]))
            fail_msg("\"%s\" is not in the message: %s", words[i], f->ctx.message);
}

static void assert_text_refused(data_fixture *f, const ty_dataset *fitted, const char *text,
                                const char *const words[]) {
    char path[DATA_PATH_BYTES];
    write_text(f, "new.csv", text);
    const ty_samples_options options = {.path = temp_folder_path(&f->folder, "new.csv", path),
                                        .target_is_last = true};
    assert_samples_refused(f, fitted, &options, TY_ERR_DATA, words);
}

/* Every sample of both has the same features, bit for bit. */
static void assert_same_features(data_fixture *f, const ty_dataset *train, const ty_dataset *set) {
    const ty_data_info *info = ty_dataset_info(train);
    const size_t bytes = (size_t)info->x_count * (info->x_is_u8 ? 1 : sizeof(float));
    const int64_t n = info->count[TY_SPLIT_TRAIN];
    uint8_t want[4096], got[4096];
    float y[16];
    assert_in_range(bytes, 1, sizeof want);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TEST], n);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(ty_dataset_sample(&f->ctx, train, TY_SPLIT_TRAIN, i, want, y), TY_OK);
        assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, i, got, y), TY_OK);
        assert_memory_equal(want, got, bytes);
        assert_memory_equal(y, (float[16]){0}, sizeof y[0]);
    }
}

static void a_restored_set_knows_what_the_training_knew(void **state) {
    data_fixture *f = *state;
    training t = train_on(f, training_text);
    const ty_data_info *was = ty_dataset_info(t.set), *is = ty_dataset_info(t.fitted);
    assert_int_equal(is->x_count, was->x_count);
    assert_int_equal(is->x_rank, was->x_rank);
    assert_int_equal(is->n_outputs, was->n_outputs);
    assert_string_equal(is->class_names[1], "dog");
    assert_int_equal(is->n_channels, was->n_channels);
    assert_int_equal(is->count[TY_SPLIT_TRAIN], 0);
    assert_string_equal(ty_dataset_state(t.fitted), ty_dataset_state(t.set));
    end(&t);
}

static void rows_are_encoded_to_the_same_bits_wherever_their_columns_are(void **state) {
    data_fixture *f = *state;
    static const char *const texts[] = {
        training_text,
        /* other order, another column, no target */
        "id,weight,colour,size\na,0.1,red,1\nb,,blue,3\nc,7,green,2.5\nd,1e3,,4\ne,-2,blue,0.7\n",
        /* other separator, quotes */
        "colour;\"size\";weight\n\"red\";1;0.1\nblue;3;?\ngreen;2.5;7\n;4;1000\nblue;.7;-2\n",
        /* no header: the features, and the features with the target */
        "1,red,0.1\n3,blue,NA\n2.5,green,7\n4,,1e3\n0.7,blue,-2\n",
        "1,red,0.1,x\n3,blue,,y\n2.5,green,7,z\n4,,1e3,\n0.7,blue,-2,x\n"};
    training t = train_on(f, training_text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ty_dataset *set = open_samples_text(f, t.fitted, texts[i]);
        assert_same_features(f, t.set, set);
        ty_dataset_close(set);
    }
    end(&t);
}

static void columns_without_names_lie_where_they_lay_in_training(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_text(f, "train.csv", "1,a,10\n2,b,20\n3,a,35\n4,b,40\n");
    ty_data_config config = data_config(temp_folder_path(&f->folder, "train.csv", path));
    config.target = "2";
    ty_dataset *train = open_set(f, &config), *fitted = restore(f, ty_dataset_state(train));
    ty_dataset *set = open_samples_text(f, fitted, "1,a,10\n2,b,20\n3,a,35\n4,b,40\n");
    assert_same_features(f, train, set);
    ty_dataset_close(set);
    set = open_samples_text(f, fitted, "1,10\n2,20\n3,35\n4,40\n");
    assert_same_features(f, train, set);
    ty_dataset_close(set);
    assert_text_refused(f, fitted, "1\n", WORDS("new.csv:1:", "1 cells", "want the 2"));
    ty_dataset_close(fitted);
    ty_dataset_close(train);
}

static void a_table_that_is_not_like_the_trainings_is_refused_with_the_place(void **state) {
    data_fixture *f = *state;
    training t = train_on(f, training_text);
    assert_text_refused(f, t.fitted, "size,colour,weight\n1,red,2\n1,mauve,2\n",
                        WORDS("new.csv:3:2: \"mauve\" in column \"colour\"", "none of the 3",
                              "\"blue\", \"green\", \"red\""));
    assert_text_refused(f, t.fitted, "size,weight\n1,2\n",
                        WORDS("new.csv:1: there is no column \"colour\""));
    assert_text_refused(f, t.fitted, "size,color,weight\n1,red,2\n",
                        WORDS("no column \"colour\"", "the nearest of its 3 is \"color\""));
    assert_text_refused(f, t.fitted, "alpha,beta,gamma\n1,red,2\n",
                        WORDS("new.csv:1: there is no column \"size\""));
    assert_text_refused(f, t.fitted, "size,colour,weight,size\n1,red,2,3\n",
                        WORDS("new.csv:1:4: two columns are called \"size\""));
    assert_text_refused(f, t.fitted, "size,colour,weight\nbig,red,2\n",
                        WORDS("new.csv:2:1: \"big\" in column \"size\" is not a finite number"));
    assert_text_refused(f, t.fitted, "size,colour,weight\ninf,red,2\n", WORDS("new.csv:2:1"));
    assert_text_refused(f, t.fitted, "size,colour,weight\n1,red\n",
                        WORDS("new.csv:2: the row has 2 cells, want 3"));
    assert_text_refused(f, t.fitted, "1,red\n", WORDS("2 cells", "want the 3", "\"size\""));
    assert_text_refused(f, t.fitted, "size,colour,weight\n", WORDS("no rows: 0 samples"));
    assert_text_refused(f, t.fitted, "", WORDS("is empty: 0 samples"));
    end(&t);
}

static void an_unknown_category_may_be_taken_for_a_missing_one(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    float known[8], unknown[8];
    int32_t y;
    training t = train_on(f, training_text);
    write_text(f, "new.csv", "size,colour,weight\n1,,2\n1,mauve,2\n");
    const ty_samples_options options = {.path = temp_folder_path(&f->folder, "new.csv", path),
                                        .allows_unknown = true};
    ty_dataset *set = open_samples(f, t.fitted, &options);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 0, known, &y), TY_OK);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 1, unknown, &y), TY_OK);
    assert_memory_equal(known, unknown, 5 * sizeof known[0]);
    ty_dataset_close(set);
    end(&t);
}

static void texts_of_columns_are_kept_as_they_are(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    training t = train_on(f, training_text);
    write_text(f, "new.csv", "id,size,colour,weight\n\"a \"\"1\"\"\",1,red,2\n,3,blue,4\n");
    static const char *const keep[] = {"id", "4"}, *const missing[] = {"kind"};
    ty_samples_options options = {
        .path = temp_folder_path(&f->folder, "new.csv", path), .keep = keep, .n_keep = 2};
    ty_dataset *set = open_samples(f, t.fitted, &options);
    assert_string_equal(ty_samples_kept(set, 0, 0), "a \"1\"");
    assert_string_equal(ty_samples_kept(set, 1, 0), "");
    assert_string_equal(ty_samples_kept(set, 1, 1), "4");
    ty_dataset_close(set);
    options.keep = missing;
    options.n_keep = 1;
    assert_samples_refused(f, t.fitted, &options, TY_ERR_ARG, WORDS("no column \"kind\" to keep"));
    end(&t);
}

static ty_dataset *open_images(data_fixture *f, ty_data_config *config) {
    char path[DATA_PATH_BYTES];
    write_idx_part(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 30);
    *config = data_config(temp_folder_path(&f->folder, "", path));
    return open_set(f, config);
}

static void images_come_from_one_idx_file_or_from_csv(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    ty_data_config config;
    ty_dataset *train = open_images(f, &config), *fitted = restore(f, ty_dataset_state(train));
    const ty_data_info *was = ty_dataset_info(train), *is = ty_dataset_info(fitted);
    assert_memory_equal(is->mean, was->mean, sizeof(float));
    assert_memory_equal(is->inverse_std, was->inverse_std, sizeof(float));
    ty_samples_options options = {
        .path = temp_folder_path(&f->folder, "train-images-idx3-ubyte", path)};
    ty_dataset *set = open_samples(f, fitted, &options);
    assert_same_features(f, train, set);
    ty_dataset_close(set);
    ty_text csv = {0};
    for (int i = 0; i < 30; i++)
        for (int k = 0; k < IDX_PIXELS; k++)
            ty_text_addf(&csv, "%d%s", i, k + 1 < IDX_PIXELS ? "," : "\n");
    set = open_samples_text(f, fitted, ty_text_string(&csv));
    assert_same_features(f, train, set);
    ty_dataset_close(set);
    ty_text_add(&csv, "1,2,256");
    for (int k = 3; k < IDX_PIXELS; k++)
        ty_text_add(&csv, ",0");
    assert_text_refused(f, fitted, ty_text_string(&csv),
                        WORDS("new.csv:31:3: \"256\" is not a whole number from 0 to 255"));
    ty_text_clear(&csv);
    ty_dataset_close(fitted);
    ty_dataset_close(train);
}

static void other_shapes_are_refused_in_one_line(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    uint8_t file[64];
    ty_data_config config;
    ty_dataset *train = open_images(f, &config), *fitted = restore(f, ty_dataset_state(train));
    const size_t bytes = make_idx(file, 0x08, 3, (uint32_t[]){1, 3, 4}, (uint8_t[12]){0}, 12);
    write_bytes(f, "small", file, bytes);
    ty_samples_options options = {.path = temp_folder_path(&f->folder, "small", path)};
    assert_samples_refused(
        f, fitted, &options, TY_ERR_DATA,
        WORDS("small: the model wants samples u8 [1,4,4], the file has u8 [1,3,4]"));
    training t = train_on(f, training_text);
    assert_samples_refused(f, t.fitted, &options, TY_ERR_DATA,
                           WORDS("small is idx", "columns of a table: want CSV"));
    options.path = temp_folder_path(&f->folder, "none", path);
    assert_samples_refused(f, fitted, &options, TY_ERR_NOT_FOUND, WORDS("none"));
    options.path = f->folder.path;
    assert_samples_refused(f, fitted, &options, TY_ERR_DATA, WORDS("is a folder, want a file"));
    assert_samples_refused(f, train, &options, TY_ERR_ARG, WORDS("restored"));
    end(&t);
    ty_dataset_close(fitted);
    ty_dataset_close(train);
}

static void a_state_that_contradicts_itself_is_refused(void **state) {
    data_fixture *f = *state;
    static const char *const changes[][2] = {{"\"version\":1", "\"version\":2"},
                                             {"\"shape\":[5]", "\"shape\":[6]"},
                                             {"\"shape\":[5]", "\"shape\":[0]"},
                                             {"\"shape\":[5]", "\"shape\":[5,1]"},
                                             {"\"shape\":[5]", "\"shape\":[9223372036854775807]"},
                                             {"float32", "float16"},
                                             {"\"outputs\":2", "\"outputs\":3"},
                                             {"\"outputs\":2", "\"outputs\":-1"},
                                             {"classification", "clustering"},
                                             {"\"mean\":[0]", "\"mean\":[0,0]"},
                                             {"\"mean\":[0]", "\"mean\":[\"NaN\"]"},
                                             {"\"inverse_std\":[1]", "\"inverse_std\":[]"},
                                             {"\"numeric\"", "\"hexadecimal\""},
                                             {"\"std\":", "\"std\":-"},
                                             {"\"blue\",\"green\"", "\"blue\",\"blue\""},
                                             {"\"header\":true", "\"header\":1"},
                                             {"\"target\":\"kind\"", "\"target\":null"},
                                             {"{\"version\"", "[{\"version\""}};
    training t = train_on(f, training_text);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ty_text text = {0};
        ty_dataset *set = NULL;
        const char *was = ty_dataset_state(t.set), *at = strstr(was, changes[i][0]);
        if (!at)
            fail_msg("%s is not in %s", changes[i][0], was);
        ty_text_add_n(&text, was, (size_t)(at - was));
        ty_text_add(&text, changes[i][1]);
        ty_text_add(&text, at + strlen(changes[i][0]));
        if (ty_dataset_restore(&f->ctx, ty_text_string(&text), &set) != TY_ERR_INTEGRITY)
            fail_msg("%s instead of %s: %s", changes[i][1], changes[i][0], f->ctx.message);
        assert_null(set);
        ty_text_clear(&text);
    }
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_restored_set_knows_what_the_training_knew, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(
            rows_are_encoded_to_the_same_bits_wherever_their_columns_are, data_set_up,
            data_tear_down),
        cmocka_unit_test_setup_teardown(columns_without_names_lie_where_they_lay_in_training,
                                        data_set_up, data_tear_down),
        cmocka_unit_test_setup_teardown(
            a_table_that_is_not_like_the_trainings_is_refused_with_the_place, data_set_up,
            data_tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_category_may_be_taken_for_a_missing_one,
                                        data_set_up, data_tear_down),
        cmocka_unit_test_setup_teardown(texts_of_columns_are_kept_as_they_are, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(images_come_from_one_idx_file_or_from_csv, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(other_shapes_are_refused_in_one_line, data_set_up,
                                        data_tear_down),
        cmocka_unit_test_setup_teardown(a_state_that_contradicts_itself_is_refused, data_set_up,
                                        data_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
