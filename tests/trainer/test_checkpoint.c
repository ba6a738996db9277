/* One checkpoint file: what goes in comes out, equal content is equal bytes, and nothing damaged
 * gets in. */
#include "tests/trainer/checkpoint_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void write_sample(fixture *f) {
    if (ty_checkpoint_write(&f->ctx, f->path, &f->sample.content) != TY_OK)
        fail_msg("%s", f->ctx.message);
}

static char *slurp(fixture *f, const char *path, size_t *bytes) {
    char *data = NULL;
    assert_int_equal(ty_file_read_all(&f->ctx, path, SIZE_MAX / 2, &data, bytes), TY_OK);
    return data;
}

/* Puts bytes under path as they are, without any protection. */
static void put_file(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void everything_comes_back_bit_for_bit(void **state) {
    fixture *f = *state;
    ty_checkpoint_file *file = NULL;
    ty_checkpoint_header header;
    write_sample(f);
    assert_int_equal(ty_checkpoint_verify(&f->ctx, f->path, &header), TY_OK);
    assert_int_equal(header.step, 7);
    assert_false(header.is_best);
    if (ty_checkpoint_read(&f->ctx, f->path, &file) != TY_OK)
        fail_msg("%s", f->ctx.message);
    assert_null(sample_difference(&f->sample, file));
    assert_null(ty_checkpoint_tensor(ty_checkpoint_content(file), "model/none"));
    ty_checkpoint_file_close(file);
}

static void tensors_are_aligned_and_sorted_by_name(void **state) {
    fixture *f = *state;
    ty_checkpoint_file *file = NULL;
    write_sample(f);
    assert_int_equal(ty_checkpoint_read(&f->ctx, f->path, &file), TY_OK);
    const ty_checkpoint *content = ty_checkpoint_content(file);
    for (int64_t i = 0; i < content->n_tensors; i++) {
        assert_int_equal((uintptr_t)content->tensors[i].data % 64, 0);
        if (i > 0)
            assert_true(strcmp(content->tensors[i - 1].name, content->tensors[i].name) < 0);
    }
    ty_checkpoint_file_close(file);
}

static void a_checkpoint_may_have_no_tensors_or_empty_ones(void **state) {
    fixture *f = *state;
    ty_checkpoint_file *file = NULL;
    const ty_ckpt_tensor empty = {"model/none", TY_DTYPE_F32, {2, {0, 5}}, NULL};
    ty_checkpoint content = {.step = 1, .state = "{}", .config = "", .data_state = ""};
    for (int64_t n = 0; n < 2; n++) {
        content.tensors = &empty;
        content.n_tensors = n;
        assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &content), TY_OK);
        if (ty_checkpoint_read(&f->ctx, f->path, &file) != TY_OK)
            fail_msg("%s", f->ctx.message);
        assert_int_equal(ty_checkpoint_content(file)->n_tensors, n);
        ty_checkpoint_file_close(file);
    }
}

static void thousands_of_tensors_in_one_group_come_back(void **state) {
    enum { COUNT = 3000 };
    fixture *f = *state;
    ty_checkpoint_file *file = NULL;
    ty_ckpt_tensor *tensors = calloc(COUNT, sizeof *tensors);
    int32_t *values = calloc(COUNT, sizeof *values);
    assert_true(tensors && values);
    for (int i = 0; i < COUNT; i++) {
        values[i] = i * i;
        tensors[i] = (ty_ckpt_tensor){ty_arena_printf(&f->ctx.scratch, "model/layers.%d.weight", i),
                                      TY_DTYPE_I32,
                                      {1, {1}},
                                      &values[i]};
    }
    f->sample.content.tensors = tensors;
    f->sample.content.n_tensors = COUNT;
    write_sample(f);
    assert_int_equal(ty_checkpoint_read(&f->ctx, f->path, &file), TY_OK);
    assert_int_equal(ty_checkpoint_content(file)->n_tensors, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(
            *(const int32_t *)ty_checkpoint_tensor(ty_checkpoint_content(file), tensors[i].name)
                 ->data,
            i * i);
    ty_checkpoint_file_close(file);
    free(values);
    free(tensors);
}

/* The heap is filled with another pattern before each write: padding that leaked in would show. */
static void dirty_heap(int pattern) {
    void *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = malloc(i * 97 + 16);
        assert_non_null(blocks[i]);
        memset(blocks[i], pattern, i * 97 + 16);
    }
    for (size_t i = 0; i < 64; i++)
        free(blocks[i]);
}

static void equal_content_is_equal_bytes(void **state) {
    fixture *f = *state;
    size_t first_bytes, second_bytes;
    dirty_heap(0x55);
    write_sample(f);
    char *first = slurp(f, f->path, &first_bytes);
    ty_ckpt_tensor reversed[SAMPLE_TENSORS];
    for (int i = 0; i < SAMPLE_TENSORS; i++)
        reversed[i] = f->sample.tensors[SAMPLE_TENSORS - 1 - i];
    f->sample.content.tensors = reversed;
    struct timespec second = {.tv_sec = 1, .tv_nsec = 100000000}; /* HDF5's times have seconds */
    assert_int_equal(nanosleep(&second, NULL), 0);
    dirty_heap(0xaa);
    write_sample(f);
    char *second_data = slurp(f, f->path, &second_bytes);
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second_data, first_bytes);
    free(first);
    free(second_data);
}

static void a_failed_write_says_why_and_leaves_no_file(void **state) {
    fixture *f = *state;
    char missing[3 * TEMP_FOLDER_BYTES];
    (void)snprintf(missing, sizeof missing, "%s/none/step_000000000007.h5", f->folder.path);
    assert_int_equal(ty_checkpoint_write(&f->ctx, missing, &f->sample.content), TY_ERR_NOT_FOUND);
    assert_non_null(strstr(f->ctx.message, "step 7"));
}

static void names_that_cannot_be_stored_are_refused(void **state) {
    fixture *f = *state;
    static const char *const bad[] = {"",       "/a",    "a/",    "a//b",  ".",
                                      "a/../b", "a/./b", "state", "config"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f->sample.tensors[0].name = bad[i];
        if (ty_checkpoint_write(&f->ctx, f->path, &f->sample.content) != TY_ERR_ARG)
            fail_msg("\"%s\" was accepted", bad[i]);
    }
    f->sample.tensors[0].name = "data/labels";
    assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &f->sample.content), TY_ERR_ARG);
    assert_non_null(strstr(f->ctx.message, "two tensors named data/labels"));
    f->sample.tensors[0].name = "data/labels/inside";
    assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &f->sample.content), TY_ERR_ARG);
    assert_false(ty_file_exists(&f->ctx, f->path));
}

static void shapes_that_overflow_are_refused(void **state) {
    fixture *f = *state;
    f->sample.tensors[0].shape = (ty_shape){.rank = 3, .dims = {1 << 30, 1 << 30, 1 << 30}};
    assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &f->sample.content), TY_ERR_ARG);
    f->sample.tensors[0].shape = (ty_shape){.rank = 0};
    assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &f->sample.content), TY_ERR_ARG);
    f->sample.tensors[0].shape = (ty_shape){.rank = 1, .dims = {-1}};
    assert_int_equal(ty_checkpoint_write(&f->ctx, f->path, &f->sample.content), TY_ERR_ARG);
}

/* xorshift64*: the same flips from the same seed. */
static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

static void expect_refused(fixture *f, const char *what, uint64_t where) {
    ty_checkpoint_file *file = NULL;
    ty_checkpoint_header header;
    ty_status verified = ty_checkpoint_verify(&f->ctx, f->path, &header);
    ty_status read = ty_checkpoint_read(&f->ctx, f->path, &file);
    if (verified != TY_ERR_INTEGRITY || read != TY_ERR_INTEGRITY)
        fail_msg("%s at %" PRIu64 ": verify says %s, read says %s", what, where,
                 ty_status_name(verified), ty_status_name(read));
    if (!strstr(f->ctx.message, "offset"))
        fail_msg("no offset in: %s", f->ctx.message);
}

static void flip(const char *path, uint64_t bit) {
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte = (unsigned char)(byte ^ (1 << bit % 8));
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
    assert_int_equal(close(fd), 0);
}

static void each_of_2000_flipped_bits_is_refused_before_hdf5(void **state) {
    fixture *f = *state;
    struct stat info;
    uint64_t seed = 20240607;
    print_message("seed %" PRIu64 "\n", seed);
    write_sample(f);
    assert_int_equal(stat(f->path, &info), 0);
    for (int i = 0; i < 2000; i++) {
        /* Every fourth one in the user block, which is 512 of 200,000 bytes. */
        uint64_t bit = next_random(&seed) % (i % 4 == 0 ? 512 * 8 : (uint64_t)info.st_size * 8);
        flip(f->path, bit);
        expect_refused(f, "flipped bit", bit);
        flip(f->path, bit);
    }
    everything_comes_back_bit_for_bit(state);
}

static void each_of_2000_other_lengths_is_refused_before_hdf5(void **state) {
    fixture *f = *state;
    size_t bytes;
    uint64_t seed = 20240608;
    print_message("seed %" PRIu64 "\n", seed);
    write_sample(f);
    char *data = slurp(f, f->path, &bytes);
    for (int i = 0; i < 2000; i++) {
        uint64_t length = i < 600 ? (uint64_t)i : next_random(&seed) % (bytes + 4096);
        if (length == bytes)
            continue;
        put_file(f->path, data, length < bytes ? (size_t)length : bytes);
        assert_int_equal(truncate(f->path, (off_t)length), 0);
        expect_refused(f, "length", length);
    }
    free(data);
}

static void foreign_files_are_refused_before_hdf5(void **state) {
    fixture *f = *state;
    size_t bytes;
    ty_checkpoint_file *file = NULL;
    write_sample(f);
    char *data = slurp(f, f->path, &bytes);
    put_file(f->path, data + 512, bytes - 512); /* a good HDF5 file without the block */
    expect_refused(f, "HDF5 file", 0);
    memset(data, 0, 512);
    put_file(f->path, data, bytes);
    expect_refused(f, "zero block", 0);
    free(data);
    assert_int_equal(ty_checkpoint_read(&f->ctx, f->folder.path, &file), TY_ERR_INTEGRITY);
    temp_folder_path(&f->folder, "none.h5", f->path);
    assert_int_equal(ty_checkpoint_read(&f->ctx, f->path, &file), TY_ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(everything_comes_back_bit_for_bit),
        WITH_FOLDER(tensors_are_aligned_and_sorted_by_name),
        WITH_FOLDER(a_checkpoint_may_have_no_tensors_or_empty_ones),
        WITH_FOLDER(thousands_of_tensors_in_one_group_come_back),
        WITH_FOLDER(equal_content_is_equal_bytes),
        WITH_FOLDER(a_failed_write_says_why_and_leaves_no_file),
        WITH_FOLDER(names_that_cannot_be_stored_are_refused),
        WITH_FOLDER(shapes_that_overflow_are_refused),
        WITH_FOLDER(each_of_2000_flipped_bits_is_refused_before_hdf5),
        WITH_FOLDER(each_of_2000_other_lengths_is_refused_before_hdf5),
        WITH_FOLDER(foreign_files_are_refused_before_hdf5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
