/* Power cuts, by replaying what the disk was told (tests/support/power_io.h): after every operation
 * of several saves, with random halves of what was not yet sure, the promised checkpoint is there
 * and no file under a final name is damaged. */
#include "tests/trainer/checkpoint_fixture.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/power_io.h"

enum { SAVES = 5, CUTS = 20 };

static void save_all(fixture *f, power_io *power) {
    ty_ckpt_writer *writer = NULL;
    ty_ckpt_result result;
    ty_ctx recorded;
    ty_ctx_init(&recorded);
    recorded.io = power_io_io(power);
    const ty_ckpt_writer_options options = {
        .folder = f->folder.path, .keep_last = 1, .keep_best = true};
    assert_int_equal(ty_ckpt_writer_open(&recorded, &options, &writer), TY_OK);
    for (int64_t step = 1; step <= SAVES; step++) {
        sample_fill(&f->sample, step);
        assert_int_equal(ty_ckpt_writer_submit(&recorded, writer, &f->sample.content, step == 2),
                         TY_OK);
        assert_true(ty_ckpt_writer_poll(writer, true, &result));
        assert_int_equal(result.status, TY_OK);
        power_io_promise(power, step);
    }
    ty_ckpt_writer_close(writer);
    ty_ctx_clear(&recorded);
}

/* Every file under a checkpoint's own name is whole; the newest one's step, -1 for none. */
static int64_t check_folder(fixture *f, const char *folder) {
    char **names;
    size_t count;
    int64_t newest = -1;
    ty_arena_mark mark = ty_arena_mark_here(&f->ctx.scratch);
    assert_int_equal(ty_dir_list(&f->ctx, folder, &f->ctx.scratch, &names, &count), TY_OK);
    for (size_t i = 0; i < count; i++) {
        ty_checkpoint_file *file = NULL;
        const char *path = ty_path_join(&f->ctx.scratch, folder, names[i]);
        if (strncmp(names[i], "step_", 5) == 0) {
            if (ty_checkpoint_read(&f->ctx, path, &file) != TY_OK)
                fail_msg("%s", f->ctx.message);
            newest = ty_checkpoint_content(file)->step;
            sample_fill(&f->sample, newest);
            assert_null(sample_difference(&f->sample, file));
            ty_checkpoint_file_close(file);
        }
        assert_int_equal(unlink(path), 0);
    }
    ty_arena_reset(&f->ctx.scratch, mark);
    return newest;
}

static void no_power_cut_loses_an_acknowledged_checkpoint(void **state) {
    fixture *f = *state;
    const char *from_environment = getenv("TY_TEST_SEED");
    uint64_t seed =
        from_environment ? strtoull(from_environment, NULL, 10) : (uint64_t)time(NULL) * 2 + 1;
    temp_folder cut = temp_folder_make();
    power_io *power = power_io_open();
    save_all(f, power);
    size_t count = power_io_count(power);
    print_message("%zu operations, %d cuts after each, seed %" PRIu64 "\n", count, CUTS, seed);
    for (size_t after = 0; after <= count; after++)
        for (int n = 0; n < CUTS; n++) {
            int64_t promised = power_io_cut(power, after, &seed, cut.path);
            int64_t found = check_folder(f, cut.path);
            if (found < promised)
                fail_msg("cut after operation %zu: step %jd was promised, %jd is there", after,
                         (intmax_t)promised, (intmax_t)found);
        }
    power_io_close(power);
    temp_folder_remove(&cut);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(no_power_cut_loses_an_acknowledged_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
