/* HDF5: layouts and types that are read, and files that are refused without harm. Files are written
 * by the library itself. */
#include <hdf5.h>
#include <signal.h>

#include "data/isolate.h"
#include "tests/data/data_fixture.h"

enum { N = 24, H = 3, W = 4, F = H * W };

/* What is stored: value of element e of sample i. */
static int value_at(int i, int e) {
    return (i * 7 + e) % 200;
}

typedef struct stored {
    hid_t type;      /* on disk */
    bool is_chunked; /* and compressed */
    bool is_compact;
    int rank; /* 2, 3 or 4 */
} stored;

static void write_array(hid_t file, const char *name, const stored *how, int rank,
                        const hsize_t *dims, const double *values) {
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, dims, NULL);
    if (how->is_chunked) {
        hsize_t chunk[4];
        memcpy(chunk, dims, sizeof chunk);
        chunk[0] = 5;
        assert_true(H5Pset_chunk(plist, rank, chunk) >= 0);
        assert_true(H5Pset_shuffle(plist) >= 0);
        assert_true(H5Pset_deflate(plist, 6) >= 0);
    } else if (how->is_compact) {
        assert_true(H5Pset_layout(plist, H5D_COMPACT) >= 0);
    }
    const hid_t set = H5Dcreate2(file, name, how->type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    assert_true(H5Dclose(set) >= 0);
    assert_true(H5Sclose(space) >= 0);
    assert_true(H5Pclose(plist) >= 0);
}

static void write_features(hid_t file, const char *name, const stored *how, int n) {
    static double values[N * F];
    for (int i = 0; i < n; i++)
        for (int e = 0; e < F; e++)
            values[i * F + e] = value_at(i, e);
    const hsize_t dims[3][4] = {{(hsize_t)n, F}, {(hsize_t)n, H, W}, {(hsize_t)n, 2, H, W / 2}};
    write_array(file, name, how, how->rank, dims[how->rank - 2], values);
}

static void write_labels(hid_t file, const char *name, hid_t type, int n) {
    double values[N];
    for (int i = 0; i < n; i++)
        values[i] = i % 3;
    const hsize_t dims[4] = {(hsize_t)n};
    write_array(file, name, &(stored){.type = type}, 1, dims, values);
}

static hid_t create(data_fixture *f, const char *name, hsize_t user_block) {
    char path[DATA_PATH_BYTES];
    const hid_t plist = H5Pcreate(H5P_FILE_CREATE);
    assert_true(H5Pset_userblock(plist, user_block) >= 0);
    const hid_t file =
        H5Fcreate(temp_folder_path(&f->folder, name, path), H5F_ACC_TRUNC, plist, H5P_DEFAULT);
    assert_true(file >= 0);
    (void)H5Pclose(plist);
    return file;
}

static void write_simple(data_fixture *f, const char *name, const stored *how, hsize_t user_block) {
    const hid_t file = create(f, name, user_block);
    write_features(file, "x", how, N);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
}

static ty_data_config h5_config(data_fixture *f, const char *name, char path[DATA_PATH_BYTES]) {
    return data_config(temp_folder_path(&f->folder, name, path));
}

static void assert_content(data_fixture *f, const ty_dataset *set, ty_split split, int n) {
    const ty_data_info *info = ty_dataset_info(set);
    assert_int_equal(info->count[split], n);
    assert_int_equal(info->x_count, F);
    for (int i = 0; i < n; i++) {
        uint8_t bytes[F];
        float floats[F];
        int32_t y = -1;
        assert_int_equal(
            ty_dataset_sample(&f->ctx, set, split, i, info->x_is_u8 ? (void *)bytes : floats, &y),
            TY_OK);
        for (int e = 0; e < F; e++)
            assert_int_equal(info->x_is_u8 ? bytes[e] : (int)floats[e], value_at(i, e));
        assert_int_equal(y, i % 3);
    }
}

static void every_layout_type_and_rank_reads_the_same(void **state) {
    data_fixture *f = *state;
    const hid_t types[] = {H5T_STD_U8LE,   H5T_STD_I16LE, H5T_STD_U16BE,  H5T_STD_I32LE,
                           H5T_STD_U32BE,  H5T_STD_I64BE, H5T_IEEE_F32LE, H5T_IEEE_F32BE,
                           H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    char path[DATA_PATH_BYTES];
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (int layout = 0; layout < 3; layout++) {
            const stored how = {.type = types[t],
                                .is_chunked = layout == 1,
                                .is_compact = layout == 2,
                                .rank = 2 + (int)(t % 3)};
            write_simple(f, "a.h5", &how, t % 2 ? 512 : 0);
            ty_data_config config = h5_config(f, "a.h5", path);
            ty_dataset *set = open_set(f, &config);
            assert_string_equal(ty_dataset_info(set)->format, "hdf5");
            assert_int_equal(ty_dataset_info(set)->x_is_u8, t == 0);
            assert_int_equal(ty_dataset_info(set)->x_rank, how.rank == 2 ? 1 : 3);
            assert_content(f, set, TY_SPLIT_TRAIN, N);
            ty_dataset_close(set);
        }
    }
}

static void groups_are_parts(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    static const char *const groups[] = {"train", "val", "test"};
    static const int counts[] = {N, 9, 12};
    const stored how = {.type = H5T_STD_U8LE, .rank = 3};
    const hid_t file = create(f, "a.h5", 0);
    for (int g = 0; g < 3; g++) {
        const hid_t group = H5Gcreate2(file, groups[g], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        write_features(group, "images", &how, counts[g]);
        write_labels(group, "labels", H5T_STD_U8LE, counts[g]);
        (void)H5Gclose(group);
    }
    assert_true(H5Fclose(file) >= 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    ty_dataset *set = open_set(f, &config);
    for (int g = 0; g < 3; g++)
        assert_content(f, set, (ty_split)g, counts[g]);
    ty_dataset_close(set);
}

static void a_test_file_and_names_of_the_config_are_used(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], test[DATA_PATH_BYTES];
    const stored how = {.type = H5T_IEEE_F32LE, .rank = 2};
    static const char *const names[] = {"a.h5", "t.h5"};
    for (int i = 0; i < 2; i++) {
        const hid_t file = create(f, names[i], 0);
        write_features(file, "pixels", &how, i ? 6 : N);
        write_labels(file, "digit", H5T_STD_I32LE, i ? 6 : N);
        assert_true(H5Fclose(file) >= 0);
    }
    ty_data_config config = h5_config(f, "a.h5", path);
    config.features = "pixels";
    config.target = "digit";
    config.test_source = temp_folder_path(&f->folder, "t.h5", test);
    ty_dataset *set = open_set(f, &config);
    assert_content(f, set, TY_SPLIT_TRAIN, N);
    assert_content(f, set, TY_SPLIT_TEST, 6);
    ty_dataset_close(set);
    config.features = "pixel";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("no data set pixel", "data.features"));
    config.features = "pixels";
    config.target = "digits";
    assert_refused(f, &config, TY_ERR_CONFIG, WORDS("no data set digits", "data.target"));
}

static void float_targets_are_quantities(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    double values[2 * N];
    for (int i = 0; i < 2 * N; i++)
        values[i] = i / 4.0;
    const hid_t file = create(f, "a.h5", 0);
    write_features(file, "x", &(stored){.type = H5T_IEEE_F32LE, .rank = 2}, N);
    write_array(file, "y", &(stored){.type = H5T_IEEE_F64LE}, 2, (const hsize_t[4]){N, 2}, values);
    assert_true(H5Fclose(file) >= 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    ty_dataset *set = open_set(f, &config);
    float x[F], y[2];
    assert_false(ty_dataset_info(set)->is_classification);
    assert_int_equal(ty_dataset_info(set)->n_outputs, 2);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TRAIN, 3, x, y), TY_OK);
    assert_float_equal(y[1], 1.75f, 0);
    ty_dataset_close(set);
}

static void a_feature_that_is_not_a_number_is_named(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    double values[N * F] = {0};
    values[5 * F + 2] = (double)NAN;
    const hid_t file = create(f, "a.h5", 0);
    write_array(file, "x", &(stored){.type = H5T_IEEE_F32LE}, 2, (const hsize_t[4]){N, F}, values);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("a.h5", "feature 2 of train sample 5 is nan"));
}

static void what_leads_out_of_the_file_is_not_followed(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES], other[DATA_PATH_BYTES];
    write_simple(f, "secret.h5", &(stored){.type = H5T_STD_U8LE, .rank = 3}, 0);
    temp_folder_path(&f->folder, "secret.h5", other);
    hid_t file = create(f, "a.h5", 0);
    assert_true(H5Lcreate_external(other, "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("no data set x, features"));

    file = create(f, "a.h5", 0);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t dims[] = {N, F};
    assert_true(H5Pset_external(plist, other, 0, N * F) >= 0);
    const hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t set = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(H5Dclose(set) >= 0);
    (void)H5Pclose(plist);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("/x keeps its data in other files"));

    file = create(f, "a.h5", 0);
    const hid_t mapped = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_virtual(mapped, space, other, "x", space) >= 0);
    set = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, mapped, H5P_DEFAULT);
    assert_true(H5Dclose(set) >= 0);
    (void)H5Pclose(mapped);
    (void)H5Sclose(space);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("/x keeps its data in other files"));
}

static void arrays_that_do_not_go_together_are_refused(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    hid_t file = create(f, "a.h5", 0);
    write_features(file, "x", &(stored){.type = H5T_STD_U8LE, .rank = 3}, N);
    write_labels(file, "y", H5T_STD_I64LE, N - 1);
    assert_true(H5Fclose(file) >= 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("/y has rank 1 and 23 rows", "24 rows of /x"));
    file = create(f, "a.h5", 0);
    write_features(file, "x", &(stored){.type = H5T_STD_U8LE, .rank = 3}, N);
    assert_true(H5Fclose(file) >= 0);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("beside /x there is no data set y, target"));
    file = create(f, "a.h5", 0);
    write_labels(file, "x", H5T_STD_I64LE, N);
    write_labels(file, "y", H5T_STD_I64LE, N);
    assert_true(H5Fclose(file) >= 0);
    assert_refused(f, &config, TY_ERR_DATA, WORDS("/x has rank 1, want 2"));
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state) {
    data_fixture *f = *state;
    static uint8_t whole[1 << 16];
    char path[DATA_PATH_BYTES];
    write_simple(f, "a.h5", &(stored){.type = H5T_STD_U8LE, .rank = 3}, 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t bytes = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    config.format = 3;
    for (size_t length = 0; length < bytes; length += 101) {
        write_bytes(f, "a.h5", whole, length);
        assert_refused(f, &config, TY_ERR_DATA, WORDS("a.h5"));
    }
}

/* A small generator of this test's own, so that a failure can be had again. */
static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void mutants_are_read_or_refused_but_never_harm_this_process(void **state) {
    data_fixture *f = *state;
    static uint8_t whole[1 << 16], mutant[1 << 16];
    char path[DATA_PATH_BYTES];
    uint32_t seed = 20240607;
    int n_opened = 0, n_refused = 0;
    for (int layout = 0; layout < 2; layout++) {
        write_simple(f, "a.h5",
                     &(stored){.type = H5T_STD_U8LE, .rank = 3, .is_chunked = layout == 1}, 0);
        ty_data_config config = h5_config(f, "a.h5", path);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        const size_t bytes = fread(whole, 1, sizeof whole, file);
        (void)fclose(file);
        config.format = 3;
        for (int m = 0; m < 100; m++) {
            memcpy(mutant, whole, bytes);
            for (int k = 0; k < 8; k++)
                mutant[8 + next_random(&seed) % (bytes - 8)] = (uint8_t)next_random(&seed);
            write_bytes(f, "a.h5", mutant, bytes);
            ty_dataset *set = NULL;
            const ty_status st = ty_dataset_open(&f->ctx, &config, NULL, &set);
            ty_dataset_close(set);
            n_opened += st == TY_OK;
            n_refused += st == TY_ERR_DATA || st == TY_ERR_NOMEM;
            if (st != TY_OK && st != TY_ERR_DATA && st != TY_ERR_NOMEM)
                fail_msg("mutant %d: %s: %s", m, ty_status_name(st), f->ctx.message);
        }
    }
    assert_int_equal(n_opened + n_refused, 200);
    assert_in_range(n_refused, 20, 200);
}

static void a_file_that_shrinks_under_training_is_told_by_the_loader(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    write_simple(f, "a.h5", &(stored){.type = H5T_IEEE_F32LE, .rank = 2}, 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    ty_dataset *set = open_set(f, &config);
    const ty_loader_options options = {
        .set = set, .is_training = true, .rows = 4, .rows_all_ranks = 4, .depth = 2};
    ty_loader *loader = NULL;
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(ty_loader_open(&f->ctx, &options, &loader), TY_OK);
    for (int i = 0; i < 3; i++) { /* the same answer however often one asks */
        ty_batch batch;
        bool has_batch = true;
        assert_int_equal(ty_loader_next(&f->ctx, loader, &batch, &has_batch, NULL), TY_ERR_DATA);
        assert_false(has_batch);
        assert_non_null(strstr(f->ctx.message, "a.h5"));
    }
    ty_loader_close(loader);
    ty_dataset_close(set);
}

/* The features of a file whose labels nobody needs, chunked or not, in the root or in a group. */
static void samples_need_no_labels(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    ty_dataset *fitted = NULL, *set = NULL;
    float x[F], y;
    write_simple(f, "a.h5", &(stored){.type = H5T_IEEE_F32LE, .rank = 3}, 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    config.normalize = 0;
    ty_dataset *train = open_set(f, &config);
    assert_int_equal(ty_dataset_restore(&f->ctx, ty_dataset_state(train), &fitted), TY_OK);
    for (int i = 0; i < 4; i++) {
        const stored how = {
            .type = i & 1 ? H5T_IEEE_F64BE : H5T_STD_I16LE, .is_chunked = i & 1, .rank = 3};
        const hid_t file = create(f, "b.h5", 0);
        if (i & 2)
            assert_true(H5Gclose(H5Gcreate2(file, "/test", 0, 0, 0)) >= 0);
        write_features(file, i & 2 ? "/test/images" : "images", &how, N - 1);
        assert_true(H5Fclose(file) >= 0);
        const ty_samples_options options = {.path = temp_folder_path(&f->folder, "b.h5", path)};
        if (ty_samples_open(&f->ctx, fitted, &options, &set) != TY_OK)
            fail_msg("%s", f->ctx.message);
        assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TEST], N - 1);
        for (int s = 0; s < N - 1; s++) {
            assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, s, x, &y), TY_OK);
            for (int e = 0; e < F; e++)
                assert_int_equal((int)x[e], value_at(s, e));
        }
        ty_dataset_close(set);
    }
    ty_dataset_close(fitted);
    ty_dataset_close(train);
}

static void a_sample_that_is_not_a_number_is_named(void **state) {
    data_fixture *f = *state;
    char path[DATA_PATH_BYTES];
    ty_dataset *fitted = NULL, *set = NULL;
    double values[N * F] = {0};
    float x[F], y;
    write_simple(f, "a.h5", &(stored){.type = H5T_IEEE_F32LE, .rank = 2}, 0);
    ty_data_config config = h5_config(f, "a.h5", path);
    ty_dataset *train = open_set(f, &config);
    assert_int_equal(ty_dataset_restore(&f->ctx, ty_dataset_state(train), &fitted), TY_OK);
    values[5 * F + 2] = (double)NAN;
    const hid_t file = create(f, "b.h5", 0);
    write_array(file, "x", &(stored){.type = H5T_IEEE_F32LE}, 2, (const hsize_t[4]){N, F}, values);
    assert_true(H5Fclose(file) >= 0);
    const ty_samples_options options = {.path = temp_folder_path(&f->folder, "b.h5", path)};
    assert_int_equal(ty_samples_open(&f->ctx, fitted, &options, &set), TY_OK);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 4, x, &y), TY_OK);
    assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, 5, x, &y), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, "b.h5: feature 2 of sample 5 is nan"));
    ty_dataset_close(set);
    ty_dataset_close(fitted);
    ty_dataset_close(train);
}

/* --- the child itself ------------------------------------------------------------------------- */

static ty_status crash(ty_ctx *ctx, void *self) {
    (void)ctx, (void)self;
    (void)raise(SIGSEGV);
    return TY_OK;
}

static ty_status loop_for_ever(ty_ctx *ctx, void *self) {
    (void)ctx;
    for (volatile int *running = self; *running;)
        ;
    return TY_OK;
}

static ty_status answer(ty_ctx *ctx, void *self) {
    *(int *)self = 42;
    return ty_fail(ctx, TY_ERR_CONFIG, "said by the child");
}

static void a_child_that_dies_loops_or_fails_becomes_a_message(void **state) {
    data_fixture *f = *state;
    struct {
        ty_isolated_answer answer;
        int value;
    } *shared = ty_isolated_alloc(sizeof *shared);
    assert_non_null(shared);
    ty_isolated job = {.work = crash,
                       .self = &shared->value,
                       .answer = &shared->answer,
                       .subject = "the file",
                       .cpu_seconds = 1,
                       .extra_bytes = 1 << 30};
    assert_int_equal(ty_isolated_run(&f->ctx, &job), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, "the file: reading it crashed"));
    job.work = loop_for_ever;
    shared->value = 1;
    assert_int_equal(ty_isolated_run(&f->ctx, &job), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, "more than 1 s"));
    job.work = answer;
    assert_int_equal(ty_isolated_run(&f->ctx, &job), TY_ERR_CONFIG);
    assert_string_equal(f->ctx.message, "said by the child");
    assert_int_equal(shared->value, 42);
    ty_isolated_free(shared, sizeof *shared);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_layout_type_and_rank_reads_the_same),
        WITH_FIXTURE(groups_are_parts),
        WITH_FIXTURE(a_test_file_and_names_of_the_config_are_used),
        WITH_FIXTURE(float_targets_are_quantities),
        WITH_FIXTURE(a_feature_that_is_not_a_number_is_named),
        WITH_FIXTURE(what_leads_out_of_the_file_is_not_followed),
        WITH_FIXTURE(arrays_that_do_not_go_together_are_refused),
        WITH_FIXTURE(a_file_that_is_cut_off_anywhere_is_refused),
        WITH_FIXTURE(mutants_are_read_or_refused_but_never_harm_this_process),
        WITH_FIXTURE(a_file_that_shrinks_under_training_is_told_by_the_loader),
        WITH_FIXTURE(samples_need_no_labels),
        WITH_FIXTURE(a_sample_that_is_not_a_number_is_named),
        WITH_FIXTURE(a_child_that_dies_loops_or_fails_becomes_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
