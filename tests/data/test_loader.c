/* Batches: each sample once an epoch, the same whatever the ranks, from any position, also while
 * being closed. */
#include <pthread.h>
#include <unistd.h>

#include "tests/data/data_fixture.h"

static ty_loader *open_loader(data_fixture *f, ty_loader_options options) {
    ty_loader *loader = NULL;
    if (options.depth == 0)
        options.depth = 3;
    const ty_status st = ty_loader_open(&f->ctx, &options, &loader);
    if (st != TY_OK)
        fail_msg("ty_loader_open: %s", f->ctx.message);
    return loader;
}

static ty_batch next_batch(data_fixture *f, ty_loader *loader) {
    ty_batch batch = {0};
    bool has_batch = false;
    assert_int_equal(ty_loader_next(&f->ctx, loader, &batch, &has_batch, NULL), TY_OK);
    assert_true(has_batch);
    return batch;
}

/* Global batch of 12 rows on `ranks` ranks, `n_batches` from `start`: hash of everything in row
 * order. */
static uint64_t hash_of_run(data_fixture *f, const ty_dataset *set, int ranks, int64_t start,
                            int64_t n_batches) {
    enum { ROWS = 12 };
    const ty_data_info *info = ty_dataset_info(set);
    const size_t x_bytes = (size_t)info->x_count * (info->x_is_u8 ? 1 : 4);
    const int64_t rows = ROWS / ranks;
    ty_loader *loaders[ROWS];
    uint64_t hash = 0;
    for (int r = 0; r < ranks; r++)
        loaders[r] = open_loader(f, (ty_loader_options){.set = set,
                                                        .is_training = true,
                                                        .seed = 9,
                                                        .rows = rows,
                                                        .rows_all_ranks = ROWS,
                                                        .first_row = r * rows,
                                                        .start_position = start});
    for (int64_t b = 0; b < n_batches; b++) {
        for (int r = 0; r < ranks; r++) {
            const ty_batch batch = next_batch(f, loaders[r]);
            for (int64_t i = 0; i < rows; i++) {
                const uint64_t part[] = {
                    hash, ty_hash64((const char *)batch.x + (size_t)i * x_bytes, x_bytes),
                    (uint64_t)((const int32_t *)batch.y)[i], (uint64_t)batch.sample[i],
                    (uint64_t)(batch.position + i)};
                hash = ty_hash64(part, sizeof part);
            }
        }
    }
    for (int r = 0; r < ranks; r++)
        ty_loader_close(loaders[r]);
    return hash;
}

static void every_sample_comes_once_an_epoch_for_any_ranks_and_rows(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:120x1x4x4x3");
    ty_dataset *set = open_set(f, &config);
    for (int ranks = 1; ranks <= 4; ranks++) {
        for (int64_t rows = 1; rows <= 10; rows += 3) {
            int seen[120] = {0};
            const int64_t all = rows * ranks, n_batches = (120 + all - 1) / all;
            for (int r = 0; r < ranks; r++) {
                ty_loader *loader = open_loader(f, (ty_loader_options){.set = set,
                                                                       .is_training = true,
                                                                       .seed = 4,
                                                                       .rows = rows,
                                                                       .rows_all_ranks = all,
                                                                       .first_row = r * rows});
                for (int64_t b = 0; b < n_batches; b++) {
                    const ty_batch batch = next_batch(f, loader);
                    for (int64_t i = 0; i < rows; i++)
                        seen[batch.sample[i]] +=
                            batch.position + i < 120; /* later ones: next epoch */
                }
                ty_loader_close(loader);
            }
            for (int i = 0; i < 120; i++)
                assert_int_equal(seen[i], 1);
        }
    }
    ty_dataset_close(set);
}

static void batches_are_the_same_on_any_number_of_ranks(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:100x3x6x6x5");
    config.flip = 0.5;
    config.crop_padding = 2;
    ty_dataset *set = open_set(f, &config);
    const uint64_t alone = hash_of_run(f, set, 1, 0, 40);
    assert_true(alone == hash_of_run(f, set, 2, 0, 40));
    assert_true(alone == hash_of_run(f, set, 3, 0, 40));
    assert_true(alone == hash_of_run(f, set, 4, 0, 40));
    ty_dataset_close(set);
}

static void a_loader_resumes_at_any_batch(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:50x1x4x4x2");
    config.flip = 0.5;
    ty_dataset *set = open_set(f, &config);
    for (int64_t b = 0; b < 20; b++) {
        ty_loader *through = open_loader(
            f, (ty_loader_options){
                   .set = set, .is_training = true, .seed = 9, .rows = 12, .rows_all_ranks = 12});
        ty_loader *resumed = open_loader(f, (ty_loader_options){.set = set,
                                                                .is_training = true,
                                                                .seed = 9,
                                                                .rows = 12,
                                                                .rows_all_ranks = 12,
                                                                .start_position = 12 * b});
        for (int64_t i = 0; i < b; i++)
            (void)next_batch(f, through);
        const ty_batch want = next_batch(f, through), got = next_batch(f, resumed);
        assert_int_equal(got.position, want.position);
        assert_memory_equal(got.sample, want.sample, 12 * sizeof(int64_t));
        assert_memory_equal(got.x, want.x, 12 * 16);
        ty_loader_close(through);
        ty_loader_close(resumed);
    }
    ty_dataset_close(set);
}

static void evaluation_pads_with_weight_zero_and_ends_together(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:40x3x2"); /* its test part has 10 */
    ty_dataset *set = open_set(f, &config);
    assert_int_equal(ty_dataset_info(set)->count[TY_SPLIT_TEST], 10);
    float weights = 0;
    for (int r = 0; r < 3; r++) {
        ty_loader *loader = open_loader(f, (ty_loader_options){.set = set,
                                                               .split = TY_SPLIT_TEST,
                                                               .rows = 2,
                                                               .rows_all_ranks = 6,
                                                               .first_row = 2 * r});
        int n = 0;
        for (;; n++) {
            ty_batch batch = {0};
            bool has_batch = false;
            assert_int_equal(ty_loader_next(&f->ctx, loader, &batch, &has_batch, NULL), TY_OK);
            if (!has_batch)
                break;
            for (int64_t i = 0; i < 2; i++) {
                const int64_t position = n * 6 + 2 * r + i;
                const bool is_padding = position >= 10;
                assert_int_equal(batch.sample[i], is_padding ? -1 : position);
                assert_float_equal(batch.weight[i], is_padding ? 0.0f : 1.0f, 0);
                weights += batch.weight[i];
            }
        }
        assert_int_equal(n, 2);
        ty_loader_close(loader);
    }
    assert_float_equal(weights, 10, 0);
    ty_dataset_close(set);
}

static void evaluation_is_in_order_and_not_augmented(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:40x1x4x4x2");
    config.flip = 1;
    config.crop_padding = 2;
    ty_dataset *set = open_set(f, &config);
    ty_loader *loader = open_loader(
        f, (ty_loader_options){.set = set, .split = TY_SPLIT_TEST, .rows = 5, .rows_all_ranks = 5});
    for (int64_t b = 0; b < 2; b++) {
        const ty_batch batch = next_batch(f, loader);
        for (int64_t i = 0; i < 5; i++) {
            uint8_t x[16];
            int32_t y;
            assert_int_equal(ty_dataset_sample(&f->ctx, set, TY_SPLIT_TEST, b * 5 + i, x, &y),
                             TY_OK);
            assert_memory_equal((const uint8_t *)batch.x + i * 16, x, 16);
            assert_int_equal(((const int32_t *)batch.y)[i], y);
        }
    }
    ty_loader_close(loader);
    ty_dataset_close(set);
}

static void a_batch_stays_as_it_is_until_the_next_call(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:64x1x4x4x2");
    ty_dataset *set = open_set(f, &config);
    ty_loader *loader = open_loader(
        f, (ty_loader_options){
               .set = set, .is_training = true, .rows = 8, .rows_all_ranks = 8, .depth = 2});
    for (int i = 0; i < 50; i++) {
        const ty_batch batch = next_batch(f, loader);
        const uint64_t before = ty_hash64(batch.x, 8 * 16);
        usleep(300); /* time for the thread to fill every free slot */
        assert_true(ty_hash64(batch.x, 8 * 16) == before);
    }
    ty_loader_close(loader);
    ty_dataset_close(set);
}

static void closing_at_any_moment_neither_hangs_nor_leaks(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:64x1x4x4x2");
    ty_dataset *set = open_set(f, &config);
    for (int i = 0; i < 200; i++) {
        ty_loader *loader = open_loader(f, (ty_loader_options){.set = set,
                                                               .is_training = i % 2 == 0,
                                                               .rows = 8,
                                                               .rows_all_ranks = 8,
                                                               .depth = 2 + i % 3});
        for (int b = 0; b < i % 7; b++)
            (void)next_batch(f, loader);
        ty_loader_close(loader);
    }
    ty_loader_close(NULL);
    ty_dataset_close(set);
}

static void a_batch_larger_than_the_split_is_refused_with_what_to_do(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:10x3x2");
    ty_dataset *set = open_set(f, &config);
    ty_loader *loader = NULL;
    const ty_loader_options options = {
        .set = set, .is_training = true, .rows = 4, .rows_all_ranks = 16, .depth = 2};
    assert_int_equal(ty_loader_open(&f->ctx, &options, &loader), TY_ERR_CONFIG);
    assert_non_null(strstr(f->ctx.message, "10 samples, fewer than the global batch of 16"));
    ty_dataset_close(set);
}

static void the_wait_for_a_ready_batch_is_measured_and_short(void **state) {
    data_fixture *f = *state;
    ty_data_config config = data_config("synthetic:512x1x8x8x4");
    ty_dataset *set = open_set(f, &config);
    ty_loader *loader = open_loader(
        f, (ty_loader_options){.set = set, .is_training = true, .rows = 16, .rows_all_ranks = 16});
    ty_batch batch;
    bool has_batch;
    int64_t wait_ns = -1, least = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        usleep(2000);
        assert_int_equal(ty_loader_next(&f->ctx, loader, &batch, &has_batch, &wait_ns), TY_OK);
        least = wait_ns < least ? wait_ns : least;
    }
    assert_in_range(least, 0, 1000000);
    ty_loader_close(loader);
    ty_dataset_close(set);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, data_set_up, data_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_sample_comes_once_an_epoch_for_any_ranks_and_rows),
        WITH_FIXTURE(batches_are_the_same_on_any_number_of_ranks),
        WITH_FIXTURE(a_loader_resumes_at_any_batch),
        WITH_FIXTURE(evaluation_pads_with_weight_zero_and_ends_together),
        WITH_FIXTURE(evaluation_is_in_order_and_not_augmented),
        WITH_FIXTURE(a_batch_stays_as_it_is_until_the_next_call),
        WITH_FIXTURE(closing_at_any_moment_neither_hangs_nor_leaks),
        WITH_FIXTURE(a_batch_larger_than_the_split_is_refused_with_what_to_do),
        WITH_FIXTURE(the_wait_for_a_ready_batch_is_measured_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
